"""Join: parallel branches come together. The engine opens it when enough is in: nothing is waited for here."""

from orchestrator.joining import summary

from .base import StepHandler, Work
from .outcomes import Complete, Judgement, Outcome


class JoinStep(StepHandler):
    def execute(self, work: Work) -> Outcome:
        """The join's own output names the branches, the least sure of them, and whoever saw it otherwise."""
        step, case = work.step, work.case
        sure = {need: case.confidence[need] for need in step.needs if need in case.confidence}
        output = {
            **summary(step, case.data),
            "least_sure": min(sure, key=lambda need: sure[need], default=""),
        }
        return Complete(output, Judgement(confidence=min(sure.values(), default=None), rationale=said(output)))


def said(output: dict) -> str:
    """The join in a sentence."""
    if "verdict" in output:
        against = ", ".join(item["branch"] for item in output["dissent"])
        agreed = f"Agreed on {output['verdict']}" if output["settled_by"] != "nothing" else "No agreement"
        return f"{agreed}; otherwise {against}." if against else f"{agreed}."
    return f"Went on without {', '.join(output['missing'])}." if output["missing"] else "All branches are in."
