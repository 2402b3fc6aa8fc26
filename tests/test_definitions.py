"""A workflow's text becomes a graph that answers what comes next, or is refused with every objection and its path."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from orchestrator.definitions import (
    AgentInfo,
    Catalog,
    DefinitionError,
    check_catalog,
    from_json,
    parse,
    parse_duration,
    render,
)
from orchestrator.tasks import due_steps

INVOICE = """
workflow: invoice-to-pay
title: Invoice to pay
input: {document: document, vendor_hint: string?, tags: [string], limit: {most: money, until: "[date]?"}}
business_key: "{vendor.vendor_id}/{read.invoice_number}"
policies: payments
deadline: 14d
facts:
  amount_base: {money: read.payable, currency: read.currency}
  vendor_flagged: vendor.flagged
  read_confidence: {confidence: read}
  line_count: {count: read.lines}
steps:
  pay:      {effect: erp.pay_invoice, needs: [decide, approve], compensate: erp.reverse_payment}
  read:     {agent: invoices.read, sources: [documents], retry: {max_attempts: 2}, timeout: 2m}
  vendor:   {agent: vendors.lookup, needs: [read], sources: [vendor-master]}
  order:    {agent: invoices.match_order, needs: [read, vendor], sources: [purchase-orders, receipts]}
  fraud:    {agent: payments.screen, needs: [read, vendor]}
  decide:   {join: all, needs: [order, fraud]}
  approve:  {review: ap-exceptions, needs: [decide]}
"""


def flow(*steps: str, head: str = "") -> str:
    return f"workflow: w\n{head}\nsteps:\n" + "".join(f"  {step}\n" for step in steps)


def objections(text: str) -> dict[str, str]:
    with pytest.raises(DefinitionError) as caught:
        parse(text)
    return dict(caught.value.errors)


def due(definition, done) -> list[str]:
    """What the engine opens next."""
    return names(due_steps(definition, dict.fromkeys(done, "succeeded")))


def names(steps) -> list[str]:
    return [step.name for step in steps]


def test_steps_come_in_topological_order_with_their_settings():
    definition = parse(INVOICE)
    assert list(definition.steps) == ["read", "vendor", "order", "fraud", "decide", "approve", "pay"]
    read, approve, pay = (definition.steps[name] for name in ("read", "approve", "pay"))
    assert (read.kind, read.target, read.sources, read.title) == ("agent", "invoices.read", ("documents",), "Read")
    assert (read.retry.max_attempts, read.retry.backoff_seconds, read.timeout_seconds) == (2, 2, 120)
    assert (approve.queue, pay.compensate, definition.deadline_seconds) == (
        "ap-exceptions",
        "erp.reverse_payment",
        14 * 86_400,
    )


def test_the_graph_answers_what_the_engine_asks():
    definition = parse(INVOICE)
    assert names(definition.first) == ["read"]
    assert names(definition.followers("vendor")) == ["order", "fraud"]
    assert definition.is_plain("approve") is False
    assert definition.descendants("fraud") == {"decide", "approve", "pay"}
    assert definition.ancestors("decide") == {"read", "vendor", "order", "fraud"}
    assert names(definition.effects_after("approve")) == ["pay"]
    assert due(definition, {"read"}) == ["vendor"]
    assert due(definition, {"read", "vendor"}) == ["order", "fraud"]
    assert due(definition, {"read", "vendor", "order"}) == ["fraud"]
    assert due(definition, {"read", "vendor", "order", "fraud"}) == ["decide"]


def test_an_any_join_starts_after_its_first_need():
    definition = parse(flow("a: {agent: x}", "b: {agent: x}", "c: {join: any, needs: [a, b]}"))
    assert due(definition, {"a"}) == ["b", "c"]


def test_effects_beyond_a_second_review_are_not_set_free_by_the_first():
    text = flow(
        "r1: {review: q}",
        "e1: {effect: x, needs: [r1]}",
        "r2: {review: q, needs: [e1]}",
        "e2: {effect: x, needs: [r2]}",
    )
    definition = parse(text)
    assert names(definition.effects_after("r1")) == ["e1"]
    assert names(definition.effects_after("r2")) == ["e2"]
    assert definition.is_plain("r1") is True
    assert definition.is_plain("e2") is False


def test_a_published_definition_survives_json_that_forgets_the_order_of_keys():
    definition = parse(INVOICE)
    stored = json.loads(json.dumps(definition.as_json(), sort_keys=True))
    again = from_json(stored)
    assert again == definition
    assert again.digest == definition.digest
    assert list(again.steps) == list(definition.steps)
    assert list(again.input["properties"]) == ["document", "vendor_hint", "tags", "limit"]


def test_the_digest_is_of_the_meaning_and_not_of_the_spelling():
    spaced = INVOICE.replace("title: Invoice to pay", "# a note\ntitle:   Invoice to pay")
    assert parse(spaced).digest == parse(INVOICE).digest
    assert parse(INVOICE.replace("14d", "15d")).digest != parse(INVOICE).digest


def test_the_input_shorthand_is_json_schema():
    schema = parse(INVOICE).input
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    good = {"document": "d", "tags": ["x"], "limit": {"most": {"amount": "50000.00", "currency": "EUR"}}}
    assert validator.is_valid(good)
    assert not validator.is_valid({**good, "tags": [1]})
    assert not validator.is_valid({**good, "unknown": 1})
    assert not validator.is_valid({"tags": [], "limit": good["limit"]})
    assert not validator.is_valid({**good, "limit": {"most": {"amount": 5e4, "currency": "EUR"}}})


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        (flow("a: {agent: x, needs: [c]}", "b: {agent: x, needs: [a]}", "c: {agent: x, needs: [b]}"),
         "steps.a.needs", "a → b → c → a"),
        (flow("a: {agent: x, needs: [a]}", "b: {agent: x, needs: [a]}"), "steps.b", "can never start"),
        (INVOICE.replace("[decide, approve]", "[decide, aprove]"), "steps.pay.needs[1]", "did you mean 'approve'?"),
        (INVOICE.replace("[decide, approve]", "[decide]"), "steps.pay", "read → order → decide → pay"),
        (flow("a: {review: q}", "b: {agent: x}", "c: {join: any, needs: [a, b]}", "d: {effect: e, needs: [c]}"),
         "steps.d", "b → c → d"),
        (flow("a: {agnt: x}"), "steps.a.agnt", "did you mean 'agent'?"),
        (flow("a: {agent: x, review: q}"), "steps.a", "both agent and review"),
        (flow("a: {agent: x, sources: [s, s]}"), "steps.a.sources", "twice"),
        (flow("a: {review: q, sources: [s]}"), "steps.a.sources", "no known key"),
        (flow("a: {agent: x, retry: {max_attempts: 0}}"), "steps.a.retry.max_attempts", "from 1 to 20"),
        (flow("a: {agent: x, retry: {backoff_seconds: 9, cap_seconds: 3}}"), "steps.a.retry.cap_seconds", "less than"),
        (flow("a: {agent: x, timeout: 0}"), "steps.a.timeout", "1 to 86400"),
        (flow("a: {agent: x, timeout: -5}"), "steps.a.timeout", "no duration"),
        (flow("a: {agent: x}", "b: {join: all, needs: [a], timeout: 5}"), "steps.b.timeout", "a join step has none"),
        (flow("a: {review: q, timeout: 5m}"), "steps.a.timeout", "a review step has none: how long people have"),
        (flow("a: {agent: x}", head="deadline: 99999d"), "deadline", "expected 1 to"),
        (flow("A b: {agent: x}"), "steps.A b", "no name"),
        (flow("input: {agent: x}"), "steps.input", "the run's input"),
        (flow("a: {join: some, needs: [b]}", "b: {agent: x}"), "steps.a.join", "all or any"),
        (flow("a: {join: all}"), "steps.a.needs", "a join needs"),
        (flow("a: {agent: x}", head="business_key: '{b.id}'"), "business_key", "'b', which is no step"),
        (flow("a: {agent: x}", head="business_key: '{a.id'"), "business_key", "brace"),
        (flow("a: {agent: x}", head="facts: {f: aa.x}"), "facts.f", "did you mean 'a'?"),
        (flow("a: {agent: x}", head="facts: {f: {money: a.x}}"), "facts.f.currency", "expected a path"),
        (flow("a: {agent: x}", head="facts: {f: {confidence: a.x}}"), "facts.f", "whole step"),
        (flow("a: {agent: x}", head="input: {x: strin}"), "input.x", "did you mean 'string'?"),
        (flow("a: {agent: x}", head="polices: p"), "polices", "did you mean 'policies'?"),
        ("workflow: w\nsteps: {}", "steps", "between 1 and 200"),
        ("- a", "", "a workflow is a map"),
        ("", "", "a workflow is a map"),
    ],
)  # fmt: skip
def test_w01_what_is_wrong_is_named_with_its_path(text, path, message):
    assert message in objections(text)[path]


def test_all_objections_come_at_once():
    found = objections(INVOICE.replace("14d", "never").replace("vendor.flagged", "vender.flagged").replace("2m", "0"))
    assert set(found) == {"deadline", "facts.vendor_flagged", "steps.read.timeout"}


def test_w01_more_steps_than_allowed_are_refused():
    assert "201 steps" in objections(flow(*(f"s{n}: {{agent: x}}" for n in range(201))))["steps"]
    assert "larger than 128 KB" in objections(flow(*(f"s{n}: {{agent: xxxxxxx}}" for n in range(10_000))))[""]


def test_two_hundred_steps_in_a_row_are_read_at_once():
    rows = [f"s{n}: {{agent: x{f', needs: [s{n - 1}]' if n else ''}}}" for n in range(200)]
    started = time.process_time()
    definition = parse(flow(*reversed(rows)))
    assert time.process_time() - started < 5
    assert len(definition.descendants("s0")) == 199


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("workflow: w\nworkflow: v", "given twice"),
        (flow("a: {agent: x}", "a: {agent: y}"), "given twice"),
        ("a: !!python/object/apply:os.system [x]", "could not determine a constructor"),
        ("a: !!binary aGk=", "could not determine a constructor"),
        ("a: &a [*a]", "contains it"),
        ("a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
         "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d]", "unfolds to"),
        ("a: &a x\nb: [" + "*a," * 60 + "]", "more than 50 aliases"),
        ("a: " + "[" * 5000, "deeper than 20"),
        ("a: " + "{a: " * 5000, "deeper than 20"),
        ("1: x", "must be text"),
        ("a: b: c", "not allowed here"),
        ("a: \x00", "special characters"),
        ("a: x\n---\nb: y", "another document"),
    ],
)  # fmt: skip
def test_w07_yaml_that_does_more_than_it_says_is_refused(text, message):
    started = time.process_time()
    with pytest.raises(DefinitionError) as caught:
        parse(text)
    assert message in str(caught.value)
    assert time.process_time() - started < 2


def test_words_that_yaml_would_turn_into_something_else_stay_words():
    step = parse(
        flow("a: {agent: x, config: {off: no, at: 12:30, day: 2026-01-01, share: 0.85, n: 7, yes: true}}")
    ).first[0]
    assert step.config == {"off": "no", "at": "12:30", "day": "2026-01-01", "share": "0.85", "n": 7, "yes": True}


def test_further_kinds_are_accepted_when_they_are_registered():
    text = flow("a: {nap: 3d}", "b: {call: {for: payment}, needs: [a]}")
    assert "does not say what it does" in objections(text)["steps.a"]
    definition = parse(text, kinds=("agent", "effect", "join", "review", "nap", "call"))
    assert (definition.steps["a"].target, definition.steps["b"].config) == ("3d", {"for": "payment"})


@pytest.mark.parametrize(
    ("written", "seconds"), [("90", 90), (90, 90), ("15m", 900), ("4h", 14_400), ("14d", 1_209_600)]
)
def test_durations_are_seconds(written, seconds):
    assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    ("template", "data", "text"),
    [
        ("{vendor.id}/{read.number}", {"vendor": {"id": "V1"}, "read": {"number": 7}}, "V1/7"),
        ("{a.lines.1.sku}", {"a": {"lines": [{"sku": "x"}, {"sku": "y"}]}}, "y"),
        ("{vendor.id}/{read.number}", {"vendor": {"id": "V1"}, "read": {}}, None),
        ("{vendor.id}", {"vendor": {"id": ""}}, None),
        ("{vendor.id}", {"vendor": {"id": {"x": 1}}}, None),
        ("{a.__class__}", {"a": {"b": 1}}, None),
        ("{a.b!r:>10}", {"a": {"b": 1}}, None),
        ("{a.b}", {"a": {"b": "{a.c}", "c": "secret"}}, "{a.c}"),
    ],
)
def test_templates_are_plain_lookups(template, data, text):
    assert render(template, data) == text


@given(st.lists(st.sets(st.integers(0, 11)), min_size=1, max_size=12))
def test_any_graph_is_ordered_or_refused(needs):
    rows = (
        f"s{n}: {{agent: x, needs: [{', '.join(f's{m}' for m in sorted(found))}]}}" for n, found in enumerate(needs)
    )
    try:
        definition = parse(flow(*rows))
    except DefinitionError as error:
        definition, messages = None, [message for _, message in error.errors]
    if definition is None:
        assert all("cycle" in message or "no step" in message for message in messages)
        return
    seen: set[str] = set()
    for step in definition.steps.values():
        assert seen.issuperset(step.needs)
        seen.add(step.name)
    done: set[str] = set()
    ready = {step.name for step in definition.first}
    while ready:
        name = ready.pop()
        done.add(name)
        ready |= set(due(definition, done)) - ready
    assert done == set(definition.steps)


# The catalog.


def catalog(**changes) -> Catalog:
    read = {
        "type": "object",
        "properties": {
            "payable": {"type": "string"},
            "currency": {"type": "string"},
            "invoice_number": {"type": "string"},
            "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}},
        },
        "$defs": {"Line": {"type": "object", "properties": {"sku": {"type": "string"}}}},
    }
    vendor = {
        "type": "object",
        "properties": {
            "flagged": {"anyOf": [{"type": "boolean"}, {"type": "null"}]},
            "vendor_id": {"type": "string"},
        },
    }
    known = {
        "agents": {
            "invoices.read": AgentInfo({}, read, ("documents",)),
            "vendors.lookup": AgentInfo({}, vendor, ("vendor-master",)),
            "invoices.match_order": AgentInfo({}, {}, ("purchase-orders", "receipts")),
            "payments.screen": AgentInfo(),
        },
        "effects": {"erp.pay_invoice", "erp.reverse_payment"},
        "sources": {"documents", "vendor-master", "purchase-orders", "receipts"},
        "queues": {"ap-exceptions"},
        "policies": {"payments": {"amount_base": "money", "vendor_flagged": "bool", "sampled": "bool"}},
        "supplied": {"sampled": "bool"},
    }
    return Catalog(**{**known, **changes})


def test_a_definition_that_fits_the_catalog_has_no_objections():
    assert check_catalog(parse(INVOICE), catalog()) == []


@pytest.mark.parametrize(
    ("text", "changes", "path", "message"),
    [
        (INVOICE.replace("vendors.lookup", "vendors.lokup"), {}, "steps.vendor.agent", "mean 'vendors.lookup'?"),
        (INVOICE.replace("ap-exceptions", "ap-exception"), {}, "steps.approve.review", "did you mean 'ap-exceptions'?"),
        (INVOICE.replace("erp.pay_invoice", "erp.pay"), {}, "steps.pay.effect", "does not exist"),
        (INVOICE.replace("reverse_payment", "undo"), {}, "steps.pay.compensate", "does not exist"),
        (INVOICE.replace("[documents]", "[document]"), {}, "steps.read.sources[0]", "did you mean 'documents'?"),
        (INVOICE.replace("sources: [documents], ", ""), {}, "steps.read.sources", "does not grant 'documents'"),
        (INVOICE, {"policies": {"payment": {}}}, "policies", "did you mean 'payment'?"),
        (INVOICE, {"supplied": {}}, "facts", "lacks 'sampled' (bool)"),
        (INVOICE.replace("read.payable", "read.payabel"), {}, "facts.amount_base", "did you mean 'payable'?"),
        (INVOICE.replace("read.invoice_number}", "read.number}"), {}, "business_key", "gives no 'number'"),
        (INVOICE.replace("vendor.flagged", "read.payable"), {}, "facts.vendor_flagged", "expects bool"),
        (INVOICE.replace("{money: read.payable, currency: read.currency}", "read.payable"), {},
         "facts.amount_base", "money: <path>"),
        (INVOICE.replace("vendor_flagged:", "vendor_flaged:"), {}, "facts.vendor_flaged", "did you mean"),
        (INVOICE, {"policies": {"payments": {"line_count": "float"}}}, "facts.line_count", "supplies int"),
    ],
)  # fmt: skip
def test_w08_what_the_catalog_does_not_know_is_named(text, changes, path, message):
    found = dict(check_catalog(parse(text), catalog(**changes)))
    assert message in found[path]
