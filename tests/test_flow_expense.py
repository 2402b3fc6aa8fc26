"""Expense claim, from the receipt to the ledger, on the real engine with the shipped flow and policies."""

from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models.functions import Now

from audit.models import Event
from orchestrator import engine, recovery, services
from orchestrator.documents.store import store_document
from orchestrator.evaluation import world
from orchestrator.evaluation.playing import finish
from orchestrator.grants import give
from orchestrator.models import Decision, Effect, LedgerEntry, Run, SourceRow, Task
from reviews.errors import ReviewError
from reviews.models import Queue, Review, ReviewPolicy

from .cast import answer, group, kinds_since, mark, person
from .reading_papers import Sheet, pdf
from .test_reviews_races import at_once

pytestmark = pytest.mark.django_db(transaction=True)
TODAY = date.today()
Claim = Callable[..., Run]


def receipt(
    *,
    shop: str = "Hafenkantine Nord GmbH",
    day: date = TODAY,
    total: str = "23.50",
    number: str = "A-17",
    clock: str = "12:41",
    foot: str = "Danke",
) -> bytes:
    """A till receipt as a text PDF: read like a picture, without the seconds of recognition."""
    rows: list[tuple[str, ...]] = [
        (shop,),
        ("Am Kai 7",),
        ("20457 Hamburg",),
        ("USt-IdNr. DE811115368",),
        (f"Bon-Nr: {number}",),
        (f"Datum: {day:%d.%m.%Y} {clock}",),
        ("Tagesgericht", total),
        ("SUMME EUR", total),
        ("Visa", total),
        (foot,),
    ]
    return pdf(Sheet().rows(60, 80, rows))


@pytest.fixture
def claim(settings: Any, tmp_path: Path) -> Claim:
    """Hands a receipt in as the requester and works until nothing is left to do without a person."""
    settings.DOCUMENT_DIR = tmp_path / "documents"
    world.furnish()
    ReviewPolicy.objects.update(undo_seconds=0)
    actor = get_user_model().objects.get(username=world.ACTOR)

    def run(data: bytes | None = None, *, wait: bool = True, **given: Any) -> Run:
        document = store_document(data=data or receipt(), name="receipt.pdf", actor=actor)
        found, _ = services.start_run(workflow="expense-claim", input=given, actor=actor, documents=[document])
        if wait:
            finish(found)
        return found

    return run


def kinds(run: Run) -> list[str]:
    outputs = (
        Decision.objects.filter(run=run, actor_kind="agent").order_by("made_at", "id").values_list("output", flat=True)
    )
    return [found["kind"] for output in outputs for found in output.get("discrepancies", [])]


def rules(run: Run) -> set[str]:
    """The rules that sent the run to a person."""
    traces = run.decisions.filter(actor_kind="policy").values_list("trace", flat=True)
    return {rule["name"] for trace in traces for rule in trace["trace"] if rule["state"] in ("fired", "error")}


def test_a_receipt_in_order_is_reimbursed_once_to_whoever_handed_it_in(claim: Claim) -> None:
    run = claim(category="meals", purpose="Lunch with the harbour master")
    assert (run.status, rules(run), kinds(run)) == (Run.Status.SUCCEEDED, set(), [])
    payload = LedgerEntry.objects.get().payload
    assert payload == {
        "employee": world.ACTOR,
        "employee_name": world.ACTOR,
        "shop": "Hafenkantine Nord GmbH",
        "date": TODAY.isoformat(),
        "receipt_number": "A-17",
        "amount": "23.50",
        "currency": "EUR",
        "category": "meals",
        "purpose": "Lunch with the harbour master",
    }
    assert not Review.objects.exists()


def test_every_decisive_value_says_where_on_the_receipt_it_stands(claim: Claim) -> None:
    run = claim()
    evidence = run.decisions.get(step="read", actor_kind="agent").evidence
    assert {"Hafenkantine", "23.50", "A-17"} <= {word for found in evidence for word in found["quote"].split()}
    sha256 = run.rundocument_set.get().document.sha256
    assert all(found["sha256"] == sha256 and found["page"] == 1 and len(found["box"]) == 4 for found in evidence)


def test_the_same_file_and_the_same_receipt_again_wait_for_a_person(claim: Claim) -> None:
    claim()
    for again in (claim(), claim(receipt(foot="Kopie"))):
        assert again.status == Run.Status.WAITING
        assert kinds(again) == ["duplicate_receipt"] * len(kinds(again)) != []
        assert "claimed-before" in rules(again)
    assert LedgerEntry.objects.count() == 1


def test_the_packet_names_the_earlier_claim_and_how_it_stands(claim: Claim) -> None:
    claim()
    claim()
    [difference] = Review.objects.get().packet["differences"]
    assert "This very file was handed in before" in difference["message"]
    assert "(reimbursed)" in difference["message"]
    assert difference["pointer"] == "/read/receipt/receipt_number"


def test_another_number_of_the_same_shop_day_and_total_is_shown_and_may_be_approved(claim: Claim) -> None:
    claim()
    second = claim(receipt(number="A-18", clock="13:05"))
    assert (second.status, kinds(second)) == (Run.Status.WAITING, ["near_miss"])
    answer(Review.objects.get(), clerk())
    finish(second)
    assert second.status == Run.Status.SUCCEEDED
    assert LedgerEntry.objects.count() == 2


def test_another_day_or_another_total_is_another_receipt(claim: Claim) -> None:
    claim()
    assert claim(receipt(day=TODAY - timedelta(days=1))).status == Run.Status.SUCCEEDED
    assert claim(receipt(total="23.60")).status == Run.Status.SUCCEEDED


def test_of_two_equal_receipts_that_are_open_together_the_later_one_is_shown(claim: Claim) -> None:
    """Both are read before either is reimbursed, and recorded in one batch."""
    runs = [claim(wait=False), claim(wait=False)]
    for run in runs:
        finish(run)
    states = sorted(Run.objects.filter(pk__in=[run.pk for run in runs]).values_list("status", flat=True))
    assert states == [Run.Status.SUCCEEDED, Run.Status.WAITING]
    assert LedgerEntry.objects.count() == 1


def test_a_receipt_that_waits_for_a_person_is_already_known(claim: Claim) -> None:
    first = claim(claimed={"amount": "99.00", "currency": "EUR"})
    assert (first.status, kinds(first)) == (Run.Status.WAITING, ["amount_differs"])
    second = claim()
    assert (second.status, kinds(second)) == (Run.Status.WAITING, ["duplicate_receipt"])


def test_two_workers_at_the_same_moment_reimburse_one_of_two_equal_receipts(claim: Claim) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("one writer at a time on SQLite: there is no such moment")
    for number in range(8):
        data = receipt(number=f"R-{number}", total=f"{10 + number}.00")
        runs = [claim(data, wait=False), claim(data, wait=False)]
        at_once(*(partial(finish, run) for run in runs))
        for run in runs:
            finish(run)
        states = sorted(run.status for run in runs)
        assert states == [Run.Status.SUCCEEDED, Run.Status.WAITING], (number, states)
        assert LedgerEntry.objects.count() == number + 1


def test_entries_of_a_register_are_numbered_without_a_gap_and_the_trail_tells_of_them(claim: Claim) -> None:
    before = mark()
    run = claim()
    claim(receipt(number="A-18", total="9.00"))
    entries = SourceRow.objects.filter(source__name="expense-claims").order_by("pk").values_list("data", flat=True)
    assert [entry["entry"] for entry in entries] == [2, 4]  # each was entered again with what was reimbursed
    assert kinds_since(before).count("source.entered") == 4
    assert Event.objects.filter(kind="source.entered").order_by("at", "id")[0].run == str(run.pk)


def test_what_was_refused_before_is_told_and_does_not_stop_the_claim(claim: Claim) -> None:
    first = claim(claimed={"amount": "99.00", "currency": "EUR"})
    answer(Review.objects.get(), clerk(), "reject")
    finish(first)
    again = claim()
    assert (again.status, kinds(again)) == (Run.Status.SUCCEEDED, ["refused_before"])


def test_a_corrected_total_is_reimbursed_and_known_to_later_claims(claim: Claim) -> None:
    run = claim(claimed={"amount": "32.50", "currency": "EUR"})
    answer(Review.objects.get(), clerk(), corrections={"/read/receipt/total": "32.50"})
    finish(run)
    assert LedgerEntry.objects.get().payload["amount"] == "32.50"
    assert kinds(claim(receipt(total="32.50", foot="Kopie"))) == ["duplicate_receipt"]


def test_a_corrected_total_is_held_against_the_limit(claim: Claim) -> None:
    world.fill({"expense-rules": [{"category": "meals", "limit": "30.00", "currency": "EUR"}]})
    run = claim(category="meals", claimed={"amount": "32.50", "currency": "EUR"})
    assert rules(run) == {"breaks-a-rule"}
    answer(Review.objects.get(), clerk(), corrections={"/read/receipt/total": "32.50"})
    finish(run)
    assert (run.status, LedgerEntry.objects.count()) == (Run.Status.WAITING, 0)
    assert [reason["rule"] for reason in Review.objects.live().get().reasons] == ["over-the-limit"]


def test_a_duplicate_cannot_be_reimbursed_even_where_a_person_approves_it(claim: Claim) -> None:
    claim()
    second = claim()
    with pytest.raises(ReviewError, match="already under way or done in another run"):
        answer(Review.objects.get(), clerk())
    finish(second)
    assert second.status == Run.Status.WAITING
    assert LedgerEntry.objects.count() == 1


@pytest.mark.parametrize(
    ("given", "changes", "rule", "kind"),
    [
        ({"category": "meals"}, {"total": "61.00"}, "over-the-limit", None),
        ({}, {"total": "501.00"}, "over-500", None),
        ({}, {"day": TODAY + timedelta(days=9)}, "breaks-a-rule", "date_in_future"),
        ({"category": "meals"}, {"day": TODAY - timedelta(days=40)}, "breaks-a-rule", "too_old"),
        ({"claimed": {"amount": "25.00", "currency": "EUR"}}, {}, "breaks-a-rule", "amount_differs"),
    ],
)
def test_what_breaks_a_rule_waits_for_a_person(
    claim: Claim, given: dict[str, Any], changes: dict[str, Any], rule: str, kind: str | None
) -> None:
    world.fill({"expense-rules": [{"category": "meals", "limit": "60.00", "currency": "EUR", "max_age_days": 30}]})
    run = claim(receipt(**changes), **given)
    assert (run.status, rules(run), kinds(run)) == (Run.Status.WAITING, {rule}, [kind] if kind else [])


def test_a_receipt_nobody_can_read_is_refused_with_the_reason(claim: Claim) -> None:
    run = claim(b"GIF89a broken")
    assert run.status == Run.Status.REJECTED
    assert len(run.outcome) > 20


def test_the_claimant_cannot_approve_and_may_not_be_asked(claim: Claim) -> None:
    claim(claimed={"amount": "99.00", "currency": "EUR"})
    review = Review.objects.get()
    claimant = review.run.started_by
    claimant.groups.add(group("clerks"))
    clerk()
    with pytest.raises(ReviewError, match="Whoever asked for this may not decide it"):
        answer(review, claimant)


def test_a_cancelled_claim_takes_the_reimbursement_back(claim: Claim) -> None:
    """As long as the run has not ended: what was confirmed is taken back before it ends as cancelled."""
    run = claim(wait=False)
    while not Effect.objects.filter(state=Effect.State.CONFIRMED).exists():
        engine.drain(budget=0)
    services.cancel_run(run_id=run.pk, actor=run.started_by, reason="handed in by mistake")
    finish(run)
    assert run.status == Run.Status.CANCELLED
    made, taken_back = LedgerEntry.objects.order_by("pk")
    assert (made.kind, taken_back.kind) == ("erp.reimburse", "erp.reverse_reimbursement")
    assert taken_back.payload["reverses"] == Effect.objects.get(kind=made.kind).ref


def test_a_worker_that_dies_between_sending_and_recording_reimburses_once(claim: Claim) -> None:
    run = claim(wait=False)
    while not run.tasks.filter(step="reimburse").exists():
        engine.drain(lanes=("default", "ocr"), budget=0)
    [held] = engine.claim("effects", 1)
    engine.execute(held)  # the outside has it; nobody wrote down that it has
    assert LedgerEntry.objects.count() == 1
    Task.objects.filter(pk=held.task_id).update(lease_until=Now() - timedelta(seconds=1))
    recovery.sweep()
    finish(run)
    assert (run.status, LedgerEntry.objects.count(), run.effects.count()) == (Run.Status.SUCCEEDED, 1, 1)


def clerk() -> Any:
    """Somebody who may decide claims."""
    found = get_user_model().objects.filter(username="clerk").first() or person("clerk", "clerks")
    for permission in ("view_queue", "decide"):
        give(permission, group("clerks"), Queue.objects.get(name="expenses"), actor=found)
    return found
