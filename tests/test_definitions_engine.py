"""The step kinds that wait, repeat and call: what may be written, and what is refused with its path."""

import pytest

from orchestrator.definitions import AgentInfo, Catalog, DefinitionError, check_catalog, parse

KINDS = ("agent", "effect", "join", "review", "timer", "wait", "workflow", "for_each", "gate")


def flow(*steps: str, head: str = "") -> str:
    return f"workflow: w\ninput: {{day: date, amount: string}}\n{head}\nsteps:\n" + "".join(f"  {s}\n" for s in steps)


def step(text: str, name: str = "b", *more: str):
    return parse(flow("a: {agent: x}", f"{name}: {text}", *more), kinds=KINDS).steps[name]


def objections(*steps: str) -> dict[str, str]:
    with pytest.raises(DefinitionError) as caught:
        parse(flow(*steps), kinds=KINDS)
    return dict(caught.value.errors)


def test_each_kind_becomes_a_target_and_options():
    assert step("{timer: 2h}").config == {"seconds": 7200}
    assert step("{timer: {until: input.day, at_most: 30d}}").config == {"until": ["input", "day"], "at_most": 2_592_000}
    waiting = step("{wait: settled, correlation: '{a.ref}', within: 1d, needs: [a]}")
    assert (waiting.target, waiting.config["within"], waiting.config["otherwise"]) == ("settled", 86_400, "fail")
    each = step("{for_each: a.lines, agent: lines.check, at_most: 5, needs: [a]}")
    assert (each.kind, each.target, each.config) == ("for_each", "lines.check", {"items": ["a", "lines"], "at_most": 5})
    child = step("{workflow: other, input: {amount: input.amount}}")
    assert (child.target, child.config) == ("other", {"input": {"amount": ["input", "amount"]}})
    assert step("{gate: policies}").target == "policies"


@pytest.mark.parametrize(
    ("join", "target", "enough"), [("all", "all", 2), ("any", "any", 1), ("2 of 2", "some", 2), ("1", "some", 1)]
)
def test_joins_say_how_many_of_their_needs_are_enough(join, target, enough):
    definition = parse(flow("a: {agent: x}", "c: {agent: x}", f"b: {{join: {join}, needs: [a, c]}}"), kinds=KINDS)
    assert (definition.steps["b"].target, definition.steps["b"].enough) == (target, enough)


@pytest.mark.parametrize(
    ("written", "path", "message"),
    [
        ("{timer: soon}", "steps.b.timer", "no duration"),
        ("{timer: 0}", "steps.b.timer", "expected 1 to"),
        ("{timer: 400d}", "steps.b.timer", "expected 1 to"),
        ("{timer: {until: a.day}}", "steps.b.timer.until", "no step before it"),
        ("{timer: {untill: a.day}}", "steps.b.timer.untill", "did you mean 'until'"),
        ("{wait: settled}", "steps.b.correlation", "tells runs apart"),
        ("{wait: settled, correlation: same}", "steps.b.correlation", "tells runs apart"),
        ("{wait: '', correlation: '{input.day}'}", "steps.b.wait", "is no name"),
        ("{wait: x, correlation: '{a.ref}'}", "steps.b.correlation", "no step before it"),
        ("{wait: x, correlation: '{input.day}', otherwise: skip}", "steps.b.otherwise", "fail or continue"),
        ("{workflow: other, input: {n: zz.n}}", "steps.b.input.n", "no step before it"),
        ("{for_each: input.day, agent: y, at_most: 5000}", "steps.b.at_most", "1 to 1000"),
        ("{for_each: input.day}", "steps.b.agent", "is no name"),
        ("{gate: people}", "steps.b.gate", "expected policies"),
        ("{join: 1 of 4, needs: [a]}", "steps.b.join", "needs 1 steps"),
        ("{join: 2, needs: [a]}", "steps.b.join", "expected 1 to 1"),
        ("{join: {quorum: 9, field: ok}, needs: [a]}", "steps.b.join.quorum", "expected 1 to 1"),
        ("{join: {quorum: 1}, needs: [a]}", "steps.b.join.field", "output field"),
        ("{agent: y, config: {with: {case: zz}}}", "steps.b.config.with.case", "no step before it"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_with_its_path(written, path, message):
    assert message in objections("a: {agent: x}", f"b: {written}")[path]


def test_an_effect_behind_a_partial_join_needs_a_review_on_every_branch():
    steps = ["r: {review: q}", "s: {agent: x}", "j: {join: 1 of 2, needs: [r, s]}", "e: {effect: pay, needs: [j]}"]
    assert "review" in objections(*steps)["steps.e"]


LINES = {"type": "object", "properties": {"lines": {"type": "array"}, "total": {"type": "string"}}}
TAKES = {
    "type": "object",
    "properties": {"a": {"$ref": "#/$defs/Read"}},
    "required": ["a"],
    "$defs": {"Read": {"type": "object", "properties": {"total": {"type": "integer"}}, "required": ["total", "vat"]}},
}
ITEM = {"type": "object", "properties": {"item": {"type": "object"}}, "required": ["item"]}


def check(*steps: str) -> dict[str, str]:
    agents = {"x": AgentInfo({}, LINES), "y": AgentInfo(TAKES, {}), "each": AgentInfo(ITEM, {})}
    child = {"properties": {"amount": {"type": "string"}}, "required": ["amount"]}
    known = Catalog(agents=agents, events={"settled"}, workflows={"other": child})
    return dict(check_catalog(parse(flow(*steps), kinds=KINDS), known))


@pytest.mark.parametrize(
    ("steps", "path", "message"),
    [
        (["a: {wait: setled, correlation: '{input.day}'}"], "steps.a.wait", "did you mean 'settled'"),
        (["a: {workflow: w}"], "steps.a.workflow", "itself"),
        (["a: {workflow: othr}"], "steps.a.workflow", "does not exist; did you mean 'other'"),
        (["a: {workflow: other, input: {amout: input.day}}"], "steps.a.input.amout", "did you mean 'amount'"),
        (["a: {workflow: other}"], "steps.a.input", "lacks 'amount'"),
        (["a: {workflow: other, input: {amount: input.much}}"], "steps.a.input.amount", "gives no 'much'"),
        (["a: {for_each: input.day, agent: each}"], "steps.a.for_each", "expected a list"),
        (["a: {gate: policies}"], "steps.a.gate", "names none"),
        (["b: {agent: y}"], "steps.b.agent", "needs a, which no step before it gives"),
        (["a: {agent: x}", "b: {agent: y, needs: [a]}"], "steps.b.agent", "total is string"),
    ],
)
def test_what_does_not_fit_is_refused(steps, path, message):
    assert message in check(*steps)[path]


def test_types_that_cannot_fit_are_named():
    agents = {"x": AgentInfo({}, {**LINES, "additionalProperties": True}), "y": AgentInfo(TAKES, {})}
    definition = parse(flow("a: {agent: x}", "b: {agent: y, needs: [a]}"), kinds=KINDS)
    [(_, message)] = check_catalog(definition, Catalog(agents=agents))
    assert message == "'y' cannot take a from 'a': total is string, expected integer/number"


def test_what_fits_has_no_objections():
    steps = ["a: {agent: x}", "b: {for_each: a.lines, agent: each, needs: [a]}", "t: {timer: 1h, needs: [b]}"]
    steps += [
        "c: {workflow: other, input: {amount: a.total}, needs: [a]}",
        "w: {wait: settled, correlation: '{a.total}', needs: [a]}",
    ]
    assert check(*steps) == {}
