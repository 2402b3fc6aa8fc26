"""A policy set over the facts of a case: the strictest wins, nothing is skipped in silence, and the trace says why."""

import json
import statistics
import time
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.definitions import FactSource
from orchestrator.policies import money
from orchestrator.policies.evaluate import ROUTES, PolicyError, PolicySet, Rule, evaluate_policy, sampled
from orchestrator.policies.facts import Facts, coerce, gather, show, typed

FACTS = {
    "amount_base": "money",
    "score": "float",
    "lines": "int",
    "flagged": "bool",
    "vendor": "str",
    "tags": "list[str]",
}
CASE = {"amount_base": 4_800_000, "score": 0.97, "lines": 3, "flagged": False, "vendor": "Acme", "tags": []}
SHIPPED = (
    Rule("unsure", "score < 0.9", "review", "Read with a confidence of {score}", order=1),
    Rule("over_50k", "amount_base > 50,000.00", "review", "{amount_base} is over 50,000.00", level="cfo", order=2),
    Rule("flagged_vendor", "flagged", "pause", "{vendor} is flagged", target="queue:fraud", order=3),
)


def policy(*rules: Rule, otherwise: str = "continue") -> PolicySet:
    return PolicySet("payments", 1, FACTS, rules or SHIPPED, otherwise)


def judge(policy_set: PolicySet, *, finished=None, **changes):
    return evaluate_policy(policy_set, typed({**CASE, **changes}, FACTS), finished=finished)


def states(evaluation) -> dict[str, str]:
    return {rule.name: rule.state for rule in evaluation.trace}


def test_a_case_that_no_rule_minds_goes_the_otherwise_way():
    evaluation = judge(policy())
    assert (evaluation.route, evaluation.fired, evaluation.by_otherwise) == ("continue", (), True)
    assert judge(policy(otherwise="review")).route == "review"


def test_w05_without_an_otherwise_row_silence_means_review():
    """W05."""
    assert evaluate_policy(PolicySet("p", 1, FACTS, SHIPPED), typed(CASE, FACTS)).route == "review"


def test_w05_the_strictest_of_several_rules_wins_and_all_their_levels_count():
    """W05."""
    evaluation = judge(policy(), amount_base=6_000_000, flagged=True)
    assert (evaluation.route, evaluation.fired) == ("pause", ("over_50k", "flagged_vendor"))
    assert (evaluation.levels, evaluation.target) == (("cfo",), "queue:fraud")
    assert evaluation.reasons == ("60,000.00 EUR is over 50,000.00", "Acme is flagged")


def test_levels_come_in_the_order_of_the_rules_without_repeats():
    rules = (
        Rule("c", "lines > 0", "review", level="cfo", order=3),
        Rule("a", "lines > 0", "review", level="manager", order=1),
        Rule("b", "lines > 1", "review", level="manager", order=2),
    )
    assert judge(policy(*rules)).levels == ("manager", "cfo")


def test_a_rule_waits_for_the_steps_that_give_its_facts():
    evaluation = judge(policy(), finished={"score"}, flagged=True)
    assert states(evaluation) == {"unsure": "not_fired", "over_50k": "not_yet", "flagged_vendor": "not_yet"}
    assert (evaluation.route, evaluation.pending) == ("continue", ("over_50k", "flagged_vendor"))


@pytest.mark.parametrize("bad", [None, float("nan"), "high", True])
def test_w03_a_finished_fact_without_a_usable_value_means_review(bad):
    """W03."""
    evaluation = judge(policy(), score=bad)
    assert states(evaluation)["unsure"] == "error"
    assert evaluation.route == "review"
    assert "unsure cannot be judged (score: " in evaluation.reasons[0]


def test_a_failing_rule_does_not_soften_what_others_say():
    assert judge(policy(), score=None, flagged=True).route == "pause"
    assert judge(policy(*SHIPPED, Rule("fine", "lines == 3", "continue", order=9)), score=None).route == "review"


def test_values_that_nobody_checked_are_checked_again():
    facts = Facts({**CASE, "score": float("nan"), "flagged": "false"}, {}, frozenset(FACTS))
    assert states(evaluate_policy(policy(), facts)) == {
        "unsure": "error",
        "over_50k": "not_fired",
        "flagged_vendor": "error",
    }


def test_w03_an_expression_that_fails_means_review():
    assert judge(policy(Rule("r", "10 / (lines - 3) > 1", "reject"))).route == "review"


RULE = st.tuples(
    st.sampled_from(["flagged", "!flagged", "score > 0.5", "lines > 5", "1 / lines > 0"]), st.sampled_from(ROUTES)
)
VALUE = {
    "score": st.one_of(st.none(), st.floats(), st.text(max_size=3)),
    "lines": st.one_of(st.none(), st.integers(-3, 9)),
    "flagged": st.one_of(st.none(), st.booleans(), st.integers(0, 1)),
}


@given(
    st.lists(RULE, max_size=6),
    st.fixed_dictionaries(VALUE),
    st.sets(st.sampled_from(sorted(VALUE))),
    st.sampled_from(ROUTES),
)
def test_whatever_the_rules_and_facts_the_strictest_wins_and_no_failure_is_skipped(rules, values, finished, otherwise):
    found = [Rule(f"r{n}", when, route, order=n) for n, (when, route) in enumerate(rules)]
    policy_set = PolicySet("p", 1, FACTS, tuple(found), otherwise)
    evaluation = evaluate_policy(policy_set, typed(values, FACTS, finished=finished))
    said = [ROUTES.index(rule.route) for rule in evaluation.trace if rule.state == "fired"]
    said += [ROUTES.index("review") for rule in evaluation.trace if rule.state == "error"]
    assert ROUTES.index(evaluation.route) == max(said, default=ROUTES.index(otherwise))
    for rule, condition in zip(evaluation.trace, policy_set.conditions, strict=True):
        known = finished.issuperset(condition.names)
        assert (rule.state == "not_yet") is not known
        if known and rule.state == "not_fired":
            assert all(value is not None for value in rule.values.values())


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (4_800_000, "amount_base of 50,000.01 EUR or more would mean review (over_50k); it is 48,000.00 EUR"),
        (5_000_000, "amount_base of 50,000.01 EUR or more would mean review (over_50k); it is 50,000.00 EUR"),
        (4_500_000, "amount_base of 50,000.01 EUR or more would mean review (over_50k); it is 45,000.00 EUR"),
        (4_499_999, ""),
        (5_000_001, ""),
    ],
)
def test_a_near_miss_says_the_smallest_change(amount, text):
    evaluation = judge(policy(SHIPPED[1]), amount_base=amount)
    assert evaluation.change == text
    near = evaluation.trace[0].near
    assert (near.value, near.threshold) == (amount, 5_000_000) if text else near is None


def test_a_near_miss_counts_only_where_it_alone_would_have_changed_the_route():
    both = Rule("both", "amount_base > 50,000.00 && flagged", "reject")
    assert judge(policy(both)).trace[0].near is None
    assert judge(policy(both), flagged=True).change.startswith("amount_base of 50,000.01 EUR or more would mean reject")
    negated = Rule("negated", "!(score >= 0.95)", "review")
    assert judge(policy(negated)).change == "score of less than 0.95 would mean review (negated); it is 0.97"
    assert judge(policy(SHIPPED[1], SHIPPED[2]), flagged=True).change == ""


def test_reasons_show_facts_as_text_and_fill_in_nothing_twice():
    rule = Rule("r", "vendor != ''", "review", "{vendor} sent {lines} lines for {amount_base}, flagged: {flagged}")
    reason = judge(policy(rule), vendor="{amount_base} __class__").reasons[0]
    assert reason == "{amount_base} __class__ sent 3 lines for 48,000.00 EUR, flagged: no"


def test_every_objection_to_a_set_is_named():
    rules = (
        Rule("a", "amont > 5", "review"),
        Rule("b", "flagged", "approve"),
        Rule("b", "flagged", "review", "{vendr}"),
    )
    with pytest.raises(PolicyError) as caught:
        judge(policy(*rules, otherwise="skip"))
    assert {path for path, _ in caught.value.errors} == {
        "otherwise",
        "rules.a.when",
        "rules.b.route",
        "rules.b.reason",
        "rules.b",
    }


def test_a_set_and_its_evaluation_are_plain_json_without_floats():
    policy_set = policy()
    again = PolicySet.from_json(json.loads(json.dumps(policy_set.as_json(), sort_keys=True)))
    assert again == policy_set
    assert again.used == {"score": "float", "amount_base": "money", "flagged": "bool"}
    stored = json.loads(
        json.dumps(judge(policy_set).as_json()), parse_float=lambda text: pytest.fail(f"a float: {text}")
    )
    assert stored["trace"][0]["values"] == {"score": "0.97"}
    assert stored["trace"][1]["near"]["threshold"] == 5_000_000


def test_a_hundred_rules_over_one_case_take_two_milliseconds_at_most():
    """P10; the fastest of many, since this is about the work and not about the machine's other guests."""
    forms = (
        "amount_base > {n},000.00",
        "score < 0.{n} && flagged",
        "vendor == 'x{n}' || 'y{n}' in tags",
        "lines > {n}",
    )
    rules = tuple(Rule(f"r{n}", forms[n % 4].format(n=n + 100), "review", "{amount_base}", order=n) for n in range(100))
    policy_set, facts = policy(*rules), typed(CASE, FACTS)
    evaluate_policy(policy_set, facts)
    taken = []
    for _ in range(50):
        started = time.process_time()
        evaluate_policy(policy_set, facts)
        taken.append(time.process_time() - started)
    assert statistics.quantiles(taken, n=4)[0] < 0.002


# Facts.


def test_facts_are_read_from_the_case_with_their_types():
    sources = {
        "amount_base": FactSource("amount_base", "read", ("payable",), "money", "read", ("currency",)),
        "score": FactSource("score", "read", (), "confidence"),
        "lines": FactSource("lines", "read", ("lines",), "count"),
        "flagged": FactSource("flagged", "vendor", ("flagged",)),
        "vendor": FactSource("vendor", "input", ("vendor_hint",)),
    }
    data = {"input": {"vendor_hint": "Acme"}, "read": {"payable": "100.00", "currency": "USD", "lines": [1, 2]}}
    facts = gather(
        sources,
        {**FACTS, "drawn": "bool"},
        data=data,
        finished_steps={"read"},
        confidences={"read": "0.93"},
        rates={"USD": Decimal("0.9")},
        supplied={"drawn": True},
    )
    assert facts.values == {"amount_base": 9000, "score": 0.93, "lines": 2, "vendor": "Acme", "drawn": True}
    assert facts.finished == {"amount_base", "score", "lines", "vendor", "drawn", "tags"}
    assert facts.problems == {"tags": "the workflow supplies no such fact"}


@pytest.mark.parametrize(
    ("read", "problem"),
    [
        ({"payable": "100.00", "currency": "XTS"}, "no rate from XTS to EUR"),
        ({"payable": "100.00"}, "the amount has no currency"),
        ({"payable": "1.000,00", "currency": "EUR"}, "no decimal amount"),
        ({"payable": "NaN", "currency": "EUR"}, "no decimal amount"),
        ({"payable": 1.5, "currency": "EUR"}, "no decimal amount"),
    ],
)
def test_w04_an_amount_that_cannot_be_told_is_a_problem_and_so_a_review(read, problem):
    """W04: another currency."""
    sources = {"amount_base": FactSource("amount_base", "read", ("payable",), "money", "read", ("currency",))}
    facts = gather(sources, {"amount_base": "money"}, data={"read": read}, finished_steps={"read"})
    assert problem in facts.problems["amount_base"]
    policy_set = PolicySet("p", 1, {"amount_base": "money"}, (SHIPPED[1],), "continue")
    assert evaluate_policy(policy_set, facts).route == "review"


@pytest.mark.parametrize(
    ("value", "kind", "read"),
    [
        ("7", "int", 7),
        ("-7", "int", -7),
        (Decimal("0.5"), "float", 0.5),
        ("0.5", "float", 0.5),
        (date(2026, 3, 31), "date", "2026-03-31"),
        (("a",), "list[str]", ["a"]),
    ],
)
def test_values_are_read_as_their_type(value, kind, read):
    assert coerce(value, kind) == read


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, "int"), (2**63, "int"), (1.0, "int"), ("1.0", "int"), ("７", "int"), ("--7", "int"), (10**400, "float"),
        (True, "float"), ("1e3", "float"), (Decimal("NaN"), "float"), (1, "bool"), ("true", "bool"), (5, "str"),
        ("x" * 10_001, "str"), ("\ud800", "str"), (["a", 1], "list[str]"), ("ab", "list[str]"),
        (["a"] * 1001, "list[str]"),
        ("2026-13-01", "date"), ("20260101", "date"), (True, "money"), (1.5, "money"), ("5", "money"),
        (10**18, "money"),
        (None, "str"), ("x", "colour"),
    ],
)  # fmt: skip
def test_values_of_another_type_are_refused(value, kind):
    with pytest.raises(ValueError):
        coerce(value, kind)


def test_facts_are_shown_with_their_unit():
    assert show(5_000_000, "money") == "50,000.00 EUR"
    assert show(5_000, "money", "JPY") == "5,000 JPY"
    assert [show(*pair) for pair in ((None, "int"), (True, "bool"), ([], "list[str]"), (1234, "int"))] == [
        "unknown", "yes", "none", "1,234",
    ]  # fmt: skip


# Money.


@pytest.mark.parametrize(
    ("amount", "digits", "minor"),
    [
        ("1234.5", 2, 123_450),
        ("0.005", 2, 1),
        ("-0.005", 2, -1),
        (Decimal("10"), 0, 10),
        (7, 3, 7_000),
        ("0.004", 2, 0),
    ],
)
def test_amounts_become_minor_units_with_halves_rounded_up(amount, digits, minor):
    assert money.to_minor(amount, digits) == minor


@pytest.mark.parametrize(
    "amount",
    ["1.0E9", "１２", "NaN", "1,000.00", "1.000,00", "", "+5", " 5", "9" * 40, 1.5, True, None, Decimal("Infinity")],
)
def test_what_is_no_plain_amount_is_refused(amount):
    with pytest.raises(ValueError):
        money.to_minor(amount)


def test_conversion_needs_a_rate_and_goes_to_the_minor_unit_of_the_base():
    rates = {"USD": Decimal("0.9137"), "ZZZ": Decimal(0), "NAN": Decimal("NaN")}
    assert money.convert("1000.00", "USD", rates, "EUR") == 91_370
    assert money.convert("1000.00", "EUR", {}, "EUR") == 100_000
    assert money.convert("1000", "USD", {"USD": Decimal("151.237")}, "JPY") == 151_237
    assert [money.convert("1", currency, rates, "EUR") for currency in ("GBP", "ZZZ", "NAN")] == [None, None, None]


@given(st.integers(-(10**15), 10**15), st.sampled_from([0, 2, 3]))
def test_what_is_shown_can_be_typed_again(minor, digits):
    shown = money.show(abs(minor), digits)
    assert money.parse_typed(shown, digits) == abs(minor)


# The quality sample.


def test_the_sample_is_the_same_for_ever_and_of_the_right_size():
    drawn = [sampled(f"run-{n}", "salt", Decimal("5")) for n in range(20_000)]
    assert drawn == [sampled(f"run-{n}", "salt", 5.0) for n in range(20_000)]
    assert 850 < sum(drawn) < 1150
    assert drawn != [sampled(f"run-{n}", "pepper", 5) for n in range(20_000)]
    assert not any(sampled(f"run-{n}", "salt", 0) for n in range(100))
    assert all(sampled(f"run-{n}", "salt", 100) for n in range(100))


@pytest.mark.parametrize("percent", [-1, 101, float("nan"), "Infinity"])
def test_a_share_outside_of_0_to_100_is_refused(percent):
    with pytest.raises(ValueError):
        sampled("run", "salt", percent)
