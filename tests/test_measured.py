"""How often values and rules held is counted from final answers: once each, nothing from what was taken back."""

import pytest

from orchestrator import recovery
from reviews import measured
from reviews import services as reviews
from reviews.measured import Frequency, read_frequencies, wilson
from reviews.models import Measured, Review
from tests.cast import answer, bill, cast, open_review_of, waiting_bill, work

pytestmark = pytest.mark.django_db
FIELD, RULE = Measured.Kind.FIELD, Measured.Kind.RULE


@pytest.fixture
def everybody():
    return cast()


def counted(kind=FIELD):
    """{(actor, name, tenth): (held, seen)}"""
    rows = Measured.objects.filter(kind=kind)
    return {(row.actor, row.name, row.tenth): (row.held, row.seen) for row in rows}


def test_what_an_approval_leaves_held_and_what_it_replaces_did_not(everybody):
    answer(waiting_bill(everybody), everybody.clerk)
    answer(waiting_bill(everybody), everybody.clerk, corrections={"/read/invoice/payable": "900.00"})
    assert measured.sweep() == 2
    assert counted() == {("cast.read", "payable", 9): (1, 2), ("cast.read", "seller.name", 9): (2, 2)}


def test_a_value_confirmed_as_it_was_read_held(everybody):
    answer(waiting_bill(everybody), everybody.clerk, corrections={"/read/invoice/payable": "1000.0"})
    measured.sweep()
    assert counted()["cast.read", "payable", 9] == (1, 1)


def test_an_answer_is_counted_once_however_often_the_sweeper_comes(everybody):
    answer(waiting_bill(everybody), everybody.clerk)
    assert recovery.sweep()["measured"] == 1
    assert recovery.sweep()["measured"] == 0
    rows = list(Review.objects.all())
    assert measured.count(rows, now=rows[0].measured_at) == 0
    assert counted()["cast.read", "payable", 9] == (1, 1)


def test_nothing_is_counted_while_an_answer_may_be_taken_back_nor_when_it_was():
    everybody = cast(undo_seconds=60)
    review = waiting_bill(everybody)
    said = answer(review, everybody.clerk, corrections={"/read/invoice/payable": "900.00"})
    assert measured.sweep() == 0
    reviews.undo(decision_id=said["decision"], actor=everybody.clerk)
    again = open_review_of(review.run)
    Review.objects.update(undo_until="2026-01-01T00:00:00Z")
    answer(again, everybody.clerk)
    Review.objects.filter(status=Review.Status.APPROVED).update(undo_until="2026-01-01T00:00:00Z")
    measured.sweep()
    assert counted()["cast.read", "payable", 9] == (1, 1)


def test_a_refusal_says_nothing_about_the_values_and_that_the_rule_was_right(everybody):
    answer(waiting_bill(everybody), everybody.clerk, "reject")
    answer(waiting_bill(everybody), everybody.clerk)
    measured.sweep()
    assert counted()["cast.read", "payable", 9] == (1, 1)
    assert counted(RULE) == {("bills", "differs", 0): (1, 2)}


def test_a_correction_in_an_earlier_round_of_the_case_counts_too(everybody):
    review = waiting_bill(everybody, amount="1000.00")
    fields = {"target": "user:outsider", "comment": "Who?", "corrections": {"/read/invoice/payable": "900.00"}}
    answer(review, everybody.clerk, "ask", **fields)
    again = open_review_of(review.run)
    reviews.answer(review_id=again.pk, actor=everybody.outsider, text="Me")
    answer(again, everybody.clerk)
    work()
    measured.sweep()
    assert counted()["cast.read", "payable", 9] == (0, 1)


def test_a_value_that_another_step_disputes_is_not_a_misreading():
    packet = {
        "values": [{"pointer": "/read/iban", "value": "A", "step": "read"}],
        "lines": [{"id": "1", "step": "read", "quantity": {"pointer": "/read/lines/0/quantity", "value": "2"}}],
        "differences": [{"pointer": "/read/iban", "step": "vendor"}],
    }
    assert [item["name"] for item in measured.judged(packet)] == ["lines.quantity"]
    packet["differences"] = [{"pointer": "/read/iban", "step": "read"}]
    assert len(measured.judged(packet)) == 2


def test_what_the_quality_sample_drew_is_counted_apart(everybody):
    review = waiting_bill(everybody)
    answer(review, everybody.clerk)
    drawn = {"rule": "quality_sample", "policy": "bills", "values": {}}
    Review.objects.update(reasons=[*review.reasons, drawn])
    measured.sweep()
    row = Measured.objects.get(kind=FIELD, name="payable")
    assert (row.seen, row.sampled_seen, row.sampled_held) == (1, 1, 1)
    assert counted(RULE) == {("bills", "differs", 0): (0, 1)}


def test_a_case_nobody_had_to_see_is_not_counted(everybody):
    bill(everybody)
    assert measured.sweep() == 0
    assert not Measured.objects.exists()


def test_frequencies_are_given_for_each_tenth_and_over_all(everybody):
    rows = [
        Measured(workflow="w", kind=FIELD, actor="a", name="f", tenth=t, seen=s, held=h)
        for t, s, h in [(4, 10, 2), (9, 60, 59)]
    ]
    Measured.objects.bulk_create(rows)
    found = read_frequencies("w")[FIELD, "a", "f"]
    assert found[None] == Frequency(61, 70)
    assert (found[9].of_hundred, found[9].enough, found[4].enough) == (98, True, False)
    assert [row["frequency"] for row in measured.calibration(["w"])] == [Frequency(2, 10), Frequency(59, 60)]


@pytest.mark.parametrize(
    ("held", "seen", "low", "high"), [(0, 0, 0, 1), (50, 50, 0.929, 1), (94, 100, 0.875, 0.972), (0, 10, 0, 0.278)]
)
def test_the_interval_is_wilsons(held, seen, low, high):
    found = wilson(held, seen)
    assert found == (pytest.approx(low, abs=0.001), pytest.approx(high, abs=0.001))
