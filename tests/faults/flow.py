"""What the trials run: a bill is read, checked, perhaps looked at by people, and paid outside. It can be poison, or
keep who checks it for ever."""

import os
import signal
import time

from pydantic import BaseModel

from orchestrator.agents.base import AgentContext, Result, agent
from tests import cast

WORKFLOW = cast.WORKFLOW.replace("workflow: pay-bills", "workflow: pay-under-faults")
WORKFLOW = WORKFLOW.replace("differences: integer?", "differences: integer?, poison: boolean?, hangs: boolean?")
WORKFLOW = WORKFLOW.replace("agent: cast.check", "timeout: 2s, agent: faults.check")
WORKFLOW = WORKFLOW.replace(
    "{effect: erp.pay_invoice, needs: [approve]}",
    "{effect: erp.pay_invoice, needs: [approve], compensate: erp.reverse_payment,"
    " retry: {max_attempts: 12, backoff_seconds: 1, cap_seconds: 1}}",
)
NAME = "pay-under-faults"
PAY, REVERSE = "erp.pay_invoice", "erp.reverse_payment"


class Given(BaseModel):
    input: dict


@agent("faults.check", version="1")
def check(case: Given, ctx: AgentContext) -> Result[cast.Checked]:
    """Some input takes the whole process with it, every time; some keeps its thread for ever, the first time."""
    if case.input.get("poison"):
        os.kill(os.getpid(), signal.SIGSEGV)
    while case.input.get("hangs") and ctx.attempt == 1:
        time.sleep(1)
    return Result(cast.Checked(ok=True), confidence=0.95)
