"""Quorum, levels in order, four eyes, and corrections between signatures."""

import pytest

from orchestrator.models import Decision, Effect, LedgerEntry
from reviews.errors import NotAllowed, Stale, TooLate
from reviews.models import Review
from reviews.services import undo

from .cast import OTHER_IBAN, answer, bill, cast, kinds_since, mark, open_review_of, waiting_bill, work

pytestmark = pytest.mark.django_db


def groups(review):
    return [level["group"] for level in review.levels]


def test_two_different_people_must_sign_where_the_quorum_is_two():
    everybody = cast(quorum=2)
    review, before = waiting_bill(everybody), mark()
    told = answer(review, everybody.clerk)
    assert (told["review_status"], kinds_since(before)) == ("open", ["review.signed"])
    with pytest.raises(NotAllowed, match="signed this round already"):
        answer(review, everybody.clerk)
    assert answer(review, everybody.second)["review_status"] == "approved"


def test_one_rejection_is_enough_whatever_the_quorum():
    everybody = cast(quorum=2)
    review = waiting_bill(everybody)
    answer(review, everybody.clerk)
    assert answer(review, everybody.second, "reject")["review_status"] == "rejected"


def test_a_rule_that_names_a_group_opens_its_level_after_the_queues_own():
    everybody = cast()
    review, before = waiting_bill(everybody, amount="60000.00"), mark()
    assert groups(review) == ["", "cfo"]
    told = answer(review, everybody.clerk, comment="prices agreed")
    assert (told["review_status"], told["undo_until"]) == ("open", None)
    assert kinds_since(before) == ["review.signed", "review.level_opened"]
    assert (Effect.objects.count(), Decision.objects.filter(actor_kind="person").count()) == (0, 0)
    with pytest.raises(NotAllowed) as refused:
        answer(review, everybody.manager)
    assert refused.value.rule == "level"
    review.refresh_from_db()
    assert review.packet["approvals"][0] | {"at": ""} == {
        "level": 0,
        "reviewer": "Clerk",
        "verdict": "approve",
        "reason": "other",
        "target": "",
        "comment": "prices agreed",
        "corrections": {},
        "at": "",
    }
    assert answer(review, everybody.cfo)["review_status"] == "approved"
    work()
    assert LedgerEntry.objects.count() == 1


def test_one_person_never_signs_two_levels():
    everybody = cast()
    review = waiting_bill(everybody, amount="60000.00")
    answer(review, everybody.cfo)
    with pytest.raises(NotAllowed) as refused:
        answer(review, everybody.cfo)
    assert refused.value.rule == "four_eyes"


def test_the_policy_of_the_queue_adds_a_level_above_an_amount_only():
    everybody = cast(manager_above=5000)
    assert groups(waiting_bill(everybody, amount="5000.00")) == [""]
    assert groups(waiting_bill(everybody, amount="5000.01")) == ["", "managers"]
    assert groups(waiting_bill(everybody, amount="60000.00")) == ["", "managers", "cfo"]


def test_an_amount_without_an_exchange_rate_goes_to_every_level():
    everybody = cast(manager_above=5000)
    review = waiting_bill(everybody, amount="10.00", currency="USD")
    assert (review.amount_base, groups(review)) == (None, ["", "managers", "cfo"])


def test_the_page_of_the_level_before_is_stale_once_the_next_has_opened():
    everybody = cast()
    review = waiting_bill(everybody, amount="60000.00")
    seen = review.packet_digest
    answer(review, everybody.clerk)
    with pytest.raises(Stale) as refused:
        answer(review, everybody.cfo, digest=seen)
    assert refused.value.difference[0]["path"] == "/approvals"


def test_a_correction_is_paid_as_corrected_and_kept_with_its_old_value():
    everybody = cast()
    review = waiting_bill(everybody)
    told = answer(review, everybody.clerk, corrections={"/read/invoice/payable": "900.00"})
    decision = Decision.objects.get(pk=told["decision"])
    assert decision.corrections == {"/read/invoice/payable": "900.00"}
    assert decision.output["corrected"] == [{"pointer": "/read/invoice/payable", "old": "1000.00", "new": "900.00"}]
    work()
    assert LedgerEntry.objects.get().payload["amount"] == "900.00"


def test_the_second_signer_sees_the_corrections_of_the_first():
    everybody = cast(quorum=2)
    review = waiting_bill(everybody)
    seen = review.packet_digest
    answer(review, everybody.clerk, corrections={"/read/invoice/payable": "900.00"})
    with pytest.raises(Stale):
        answer(review, everybody.second, digest=seen)
    review.refresh_from_db()
    assert review.packet["effects"][0]["payload"]["amount"] == "900.00"
    answer(review, everybody.second)
    work()
    assert LedgerEntry.objects.get().payload["amount"] == "900.00"


def test_a_correction_after_somebody_signed_makes_everybody_sign_again():
    everybody = cast(quorum=2)
    review, before = waiting_bill(everybody), mark()
    answer(review, everybody.clerk)
    told = answer(review, everybody.second, corrections={"/read/invoice/iban": OTHER_IBAN})
    assert told["review_status"] == "stale"
    assert kinds_since(before) == ["review.signed", "review.signed", "review.made_stale", "review.opened"]
    again = open_review_of(review.run)
    assert (again.round, again.approvals.count()) == (2, 0)
    assert again.packet["effects"][0]["payload"]["iban"] == OTHER_IBAN
    answer(again, everybody.clerk)
    answer(again, everybody.second)
    work()
    assert LedgerEntry.objects.get().payload["iban"] == OTHER_IBAN


def test_a_correction_over_a_limit_brings_the_people_the_limit_asks_for():
    everybody = cast()
    review = waiting_bill(everybody)
    told = answer(review, everybody.clerk, corrections={"/read/invoice/payable": "60000.00"})
    assert (told["review_status"], Effect.objects.count()) == ("approved", 0)
    work()
    again = open_review_of(review.run)
    assert ([reason["rule"] for reason in again.reasons], groups(again)) == (
        ["over-50-000", "over-20-000"],
        ["", "cfo"],
    )
    answer(again, everybody.clerk)
    answer(again, everybody.cfo)
    work()
    assert LedgerEntry.objects.get().payload["amount"] == "60000.00"


def test_a_bill_over_a_limit_alone_goes_to_a_person_for_that_alone():
    everybody = cast()
    review = open_review_of(bill(everybody, amount="30000.00"))
    assert [reason["rule"] for reason in review.reasons] == ["over-20-000"]
    assert answer(review, everybody.clerk, reason="")["review_status"] == "approved"
    assert Review.objects.get(pk=review.pk).levels == [{"group": "", "quorum": 1, "why": "The queue's reviewers"}]


def test_a_first_signature_is_taken_back_in_its_window_and_nobody_has_signed_the_next_round():
    everybody = cast(quorum=2, undo_seconds=10)
    review = waiting_bill(everybody)
    told = answer(review, everybody.clerk)
    assert told["undo_until"]
    before = mark()
    for actor in (everybody.second, everybody.cfo):
        with pytest.raises(NotAllowed):
            undo(decision_id=told["decision"], actor=actor)
    undone = undo(decision_id=told["decision"], actor=everybody.clerk)
    assert kinds_since(before) == ["decide.refused"] * 2 + ["review.recalled", "review.opened"]
    again = open_review_of(review.run)
    assert (str(again.pk), again.approvals.count()) == (undone["review"], 0)
    assert answer(again, everybody.clerk, "reject")["review_status"] == "rejected"


def test_a_signature_cannot_be_taken_back_once_somebody_has_signed_after_it():
    everybody = cast(undo_seconds=10)
    review = waiting_bill(everybody, amount="60000.00")
    told = answer(review, everybody.clerk)
    answer(review, everybody.cfo)
    with pytest.raises(TooLate):
        undo(decision_id=told["decision"], actor=everybody.clerk)
    assert Review.objects.get(pk=review.pk).status == "approved"


def test_a_first_signature_is_final_after_its_window():
    everybody = cast(quorum=2)
    review = waiting_bill(everybody)
    told = answer(review, everybody.clerk)
    assert told["undo_until"] is None
    with pytest.raises(TooLate):
        undo(decision_id=told["decision"], actor=everybody.clerk)


def test_of_several_signatures_only_the_newest_is_taken_back_and_by_whoever_gave_it():
    everybody = cast(quorum=3, undo_seconds=10)
    review = waiting_bill(everybody)
    first, second = answer(review, everybody.clerk), answer(review, everybody.second)
    for decision, actor in ((first, everybody.clerk), (second, everybody.clerk)):
        with pytest.raises(TooLate):
            undo(decision_id=decision["decision"], actor=actor)
    assert open_review_of(review.run).approvals.count() == 2
    undo(decision_id=second["decision"], actor=everybody.second)
    assert open_review_of(review.run).approvals.count() == 0
