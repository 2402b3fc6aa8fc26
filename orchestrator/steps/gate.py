"""Gate: the policies look at the case here. They do so after every automated step; a gate gives that a place of its own
where no other step stands, for instance after a wait."""

from .base import StepHandler, Work
from .outcomes import Complete, Judgement, Outcome


class GateStep(StepHandler):
    def execute(self, work: Work) -> Outcome:
        name = work.pinned.policies.name if work.pinned.policies else ""
        return Complete({"policies": name}, Judgement(rationale="The policies were asked."))
