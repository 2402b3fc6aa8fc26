"""Join: parallel branches come together. The engine opens it when its needs are done: nothing is waited for."""

from .base import StepHandler, Work
from .outcomes import Complete, Judgement, Outcome


class JoinStep(StepHandler):
    def execute(self, work: Work) -> Outcome:
        """The join's own output names the branches and the least sure of them."""
        sure = {need: work.case.confidence[need] for need in work.step.needs if need in work.case.confidence}
        output = {"branches": list(work.step.needs), "least_sure": min(sure, key=lambda need: sure[need], default="")}
        return Complete(
            output, Judgement(confidence=min(sure.values(), default=None), rationale="All branches are in.")
        )
