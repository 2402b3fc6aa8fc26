"""Small agents and workflows that engine tests and measurements run; listed in AGENT_MODULES by tests.settings."""

import threading
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from orchestrator.agents.base import AgentContext, Permanent, Result, Transient, agent


class Anything(BaseModel):
    input: dict = {}


class Count(BaseModel):
    n: int
    ok: bool = True


@agent("test.count", version="1")
def count(case: Anything, ctx: AgentContext) -> Result[Count]:
    return Result(Count(n=len(ctx.step)), confidence=0.97, rationale="counted")


@agent("test.flaky", version="1")
def flaky(case: Anything, ctx: AgentContext) -> Result[Count]:
    """Fails until the attempt its input names."""
    if ctx.attempt < case.input.get("works_at", 2):
        raise Transient("not yet")
    return Result(Count(n=ctx.attempt), confidence=0.9)


@agent("test.broken", version="1")
def broken(case: Anything, ctx: AgentContext) -> Result[Count]:
    raise Permanent("it is broken")


@agent("test.wrong_output", version="1")
def wrong_output(case: Anything, ctx: AgentContext) -> Result[Count]:
    """Answers something its schema does not allow, until it was told so twice."""
    if ctx.attempt < 3:
        return Result(Count.model_construct(n="many"), confidence=0.9)
    return Result(Count(n=ctx.attempt), confidence=0.9)


@agent("test.crash", version="1")
def crash(case: Anything, ctx: AgentContext) -> Result[Count]:
    raise ZeroDivisionError("bug")


NUL, HALF = "a\0b", "a\ud800b"
HOSTILE: dict[str, dict[str, Any]] = {
    "nul": {"rationale": NUL},
    "half": {"rationale": HALF},
    "quoted": {"evidence": [{"quote": NUL}]},
    "no-number": {"evidence": [{"score": float("nan")}]},
    "named": {"evidence": [{NUL: 1}]},
    "codes": {"rationale": "\x1b[31mred\r\n\u2028"},
}


@agent("test.hostile", version="1")
def hostile(case: Anything, ctx: AgentContext) -> Result[Count]:
    """Answers what its input names, until it was told what is wrong with it."""
    says = case.input.get("says")
    if says == "fails":
        raise Permanent(NUL + HALF)
    given = {} if ctx.objections else HOSTILE.get(says, {})
    return Result(Count(n=len(ctx.step)), **{"confidence": 0.9, "rationale": "counted", **given})


class Stuck:
    """What an agent that never answers by itself waits for, and who has come to it."""

    def __init__(self) -> None:
        self.let_go, self.here = threading.Event(), threading.Semaphore(0)


stuck = Stuck()


@agent("test.hangs", version="1")
def hangs(case: Anything, ctx: AgentContext) -> Result[Count]:
    """Stuck until the attempt its input names."""
    if ctx.attempt < case.input.get("works_at", 2):
        stuck.here.release()
        stuck.let_go.wait(60)
    return Result(Count(n=ctx.attempt), confidence=0.9)


@agent("test.spends_on", version="1")
def spends_on(case: Anything, ctx: AgentContext) -> Result[Count]:
    """Says what it uses, and never comes to an end."""
    while True:
        ctx.spend(calls=1)


class Opinion(BaseModel):
    verdict: str


def _says(verdict: str) -> None:
    @agent(f"test.says_{verdict}", version="1")
    def opinion(case: Anything, ctx: AgentContext) -> Result[Opinion]:
        return Result(Opinion(verdict=verdict), confidence=0.9)


for _verdict in ("yes", "no", "block"):
    _says(_verdict)


class OneItem(BaseModel):
    item: int


@agent("test.square", version="1")
def square(case: OneItem, ctx: AgentContext) -> Result[Count]:
    return Result(Count(n=case.item**2), confidence=1 / case.item if case.item > 1 else 1.0)


@agent("test.corrects", version="1")
def corrects(case: Anything, ctx: AgentContext) -> Result[Count]:
    """Wrong until it is told what was wrong."""
    if not ctx.objections:
        return Result(Count.model_construct(n="many"), confidence=0.9)
    return Result(Count(n=1), confidence=0.9, rationale=" ".join(ctx.objections))


def line(name: str, agents: list[str], *, policies: str = "", retry: str = "{backoff_seconds: 0}") -> str:
    """YAML of a workflow whose steps s0, s1, … follow each other."""
    rows = [f"workflow: {name}", "title: A line", "input: {works_at: integer?}"]
    rows += [f"policies: {policies}", "facts: {confidence: {confidence: s0}}"] if policies else []
    rows.append("steps:")
    for n, agent_name in enumerate(agents):
        needs = f", needs: [s{n - 1}]" if n else ""
        rows.append(f"  s{n}: {{agent: {agent_name}{needs}, retry: {retry}}}")
    return "\n".join(rows)


def fan(name: str, width: int = 8) -> str:
    """YAML of a workflow 1 → width → join → 1."""
    rows = [f"workflow: {name}", "title: A fan", "input: {}", "steps:", "  a: {agent: test.count}"]
    rows += [f"  p{n}: {{agent: test.count, needs: [a]}}" for n in range(width)]
    rows += [
        f"  j: {{join: all, needs: [{', '.join(f'p{n}' for n in range(width))}]}}",
        "  z: {agent: test.count, needs: [j]}",
    ]
    return "\n".join(rows)


@agent("test.spends", version="1")
def spends(case: Anything, ctx: AgentContext) -> Result[Count]:
    """Uses what its input says: money at the end, tokens and calls one after the other."""
    given = case.input
    for _ in range(given.get("calls", 0)):
        ctx.spend(calls=1)
    for _ in range(given.get("rounds", 0)):
        ctx.spend(tokens=1000)
    if ctx.attempt < given.get("works_at", 1):
        raise Transient("not yet")
    return Result(Count(n=1), confidence=0.9, cost=Decimal(given.get("cost", "0")))
