"""The engine without one of its safeguards: each checker is seen to speak, so that its silence means something.

A scenario plays a moment that goes wrong elsewhere and returns what the checkers say. With every safeguard in place
they say nothing; with one patched away, what that one is for. The product has no switch for any of this.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.db.models.functions import Now

from audit.log import database_now
from orchestrator import effects, engine, invariants, recording, recovery, services
from orchestrator.connectors.ledger import LedgerConnector
from orchestrator.models import ConnectorCheck, Effect, LedgerEntry, Run, Task
from reviews import deciding, policies
from reviews.errors import NotAllowed, ReviewError
from reviews.models import Review

from .cast import Cast, answer, cast, open_review_of, waiting_bill, work
from .guards import guards_lifted
from .outside import outside_running

pytestmark = [pytest.mark.django_db, pytest.mark.breaks_invariants]
Mutation = Callable[[pytest.MonkeyPatch], None]


def said() -> list[str]:
    """What the invariants say, and whether what was paid is what the signed case showed."""
    found = [str(violation) for violation in invariants.check()]
    booked = {entry.key: entry.payload for entry in LedgerEntry.objects.all()}
    for effect in Effect.objects.filter(key__in=booked):
        signed = Review.objects.filter(run=effect.run_id, status=Review.Status.APPROVED).last()
        shown = [item["payload"] for item in signed.packet["effects"]] if signed else [effect.payload]
        if booked[effect.key] not in shown:
            found.append(f"I03 effect {effect.pk}: booked is not what was signed")
    return found


def in_flight(everybody: Cast, review: Review) -> Any:
    """An approved case, and its payment in the hands of a worker."""
    answer(review, everybody.clerk)
    engine.record([(one, engine.execute(one)) for one in engine.claim()])
    [held] = engine.claim("effects")
    return held


def worker_is_lost() -> None:
    Task.objects.filter(status="running").update(lease_until=Now() - timedelta(seconds=1))
    assert recovery.expire_leases() == 1


def dies_after_paying(everybody: Cast) -> list[str]:
    """The outside has booked it, and nobody heard of it; another worker tries again."""
    held = in_flight(everybody, waiting_bill(everybody))
    engine.execute(held)
    worker_is_lost()
    work()
    return said()


def wakes_up_late(everybody: Cast) -> list[str]:
    """A worker that slept beyond its lease records what it found, while another has the task."""
    late = in_flight(everybody, waiting_bill(everybody))
    outcome = engine.execute(late)
    worker_is_lost()
    [mine] = engine.claim("effects")
    again = engine.execute(mine)
    engine.record([(late, outcome)])
    engine.record([(mine, again)])
    work()
    return said()


def cancelled_before_it_is_sent(everybody: Cast) -> list[str]:
    """The run is cancelled after a worker has looked, and before it has sent."""
    review = waiting_bill(everybody)
    held = in_flight(everybody, review)
    effect = effects.grant(held.run_id, held.task_id, held.fence, held.step, held.case, authorised_by_policy=False)
    services.cancel_run(run_id=review.run_id, actor=everybody.admin, reason="not wanted")
    assert effect is not None
    LedgerConnector().send(effects.sent_of(effect))
    return [text for text in said() if text.startswith(("I01", "I02", "I03"))]


def answers_what_has_changed(everybody: Cast) -> list[str]:
    """The first signature corrects the amount; the second person signs the page opened before that."""
    everybody.policy.quorum = 2
    everybody.policy.save()
    review = waiting_bill(everybody)
    seen = review.packet_digest
    answer(review, everybody.clerk, corrections={"/read/invoice/payable": "9100.00"}, comment="typing error")
    changed = open_review_of(review.run)
    if changed.packet_digest == seen:
        return ["the case did not change: this scenario shows nothing"]
    try:
        answer(changed, everybody.second, digest=seen)
    except ReviewError:
        return said()
    return [*said(), "an answer was taken about a case that its author never saw"]


def decides_alone(everybody: Cast) -> list[str]:
    """Who asked for the payment approves it."""
    review = waiting_bill(everybody)
    try:
        answer(review, everybody.requester)
    except NotAllowed:
        return said()
    work()
    return said()


def every_key_is_fresh(patch: pytest.MonkeyPatch) -> None:
    kept = effects.sent_of
    patch.setattr(effects, "sent_of", lambda e: replace(kept(e), key=f"{e.key[:50]}-{e.attempts}"))


def no_fence(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(recording.Recording, "holds", lambda self, one: self.rows[one.task_id].status == self.source)


def no_point_of_no_return(patch: pytest.MonkeyPatch) -> None:
    """Look, then act: what was looked at stays as it was."""

    def look(run_id: Any, *_: Any, **__: Any) -> Effect:
        effect = Run.objects.get(pk=run_id).effects.get(state=Effect.State.AUTHORISED)
        effect.attempts = 1
        return effect

    patch.setattr(effects, "grant", look)


def not_bound_to_what_was_shown(patch: pytest.MonkeyPatch) -> None:
    decide = deciding._decide

    def bound_to_anything(review_id: Any, actor: Any, given: deciding.Answer, door: Any) -> Any:
        current = Review.objects.values_list("packet_digest", flat=True).get(pk=review_id)
        return decide(review_id, actor, replace(given, digest=current), door)

    patch.setattr(deciding, "_decide", bound_to_anything)


def the_requester_may_decide(patch: pytest.MonkeyPatch) -> None:
    refusal = policies.refusal

    def without(*args: Any) -> tuple[str, str] | None:
        found = refusal(*args)
        return None if found and found[0] == "requester" else found

    patch.setattr(policies, "refusal", without)


MUTANTS: dict[str, tuple[Mutation, Callable[[Cast], list[str]], str]] = {
    "a fresh key for every attempt": (every_key_is_fresh, dies_after_paying, "I02"),
    "a result counts whoever brings it": (no_fence, wakes_up_late, "I18"),
    "looked, then acted": (no_point_of_no_return, cancelled_before_it_is_sent, "I01"),
    "an answer counts whatever was shown": (not_bound_to_what_was_shown, answers_what_has_changed, "an answer"),
    "the requester may decide": (the_requester_may_decide, decides_alone, "I06"),
}


@pytest.mark.parametrize("scenario", {mutant[1] for mutant in MUTANTS.values()}, ids=lambda one: one.__name__)
def test_with_every_safeguard_in_place_the_checkers_say_nothing(scenario):
    assert scenario(cast()) == []


@pytest.mark.parametrize("name", MUTANTS)
def test_without_its_safeguard_a_checker_speaks(name, monkeypatch):
    mutate, scenario, expected = MUTANTS[name]
    everybody = cast()
    mutate(monkeypatch)
    with guards_lifted() if mutate is the_requester_may_decide else nullcontext():
        found = scenario(everybody)
    assert any(text.startswith(expected) for text in found), found


def test_the_database_itself_refuses_the_requester(monkeypatch):
    everybody = cast()
    the_requester_may_decide(monkeypatch)
    review = waiting_bill(everybody)
    with pytest.raises(DatabaseError), transaction.atomic():
        answer(review, everybody.requester)


@contextmanager
def an_outside(settings: Any, *, deduplicates: bool) -> Iterator[Any]:
    with outside_running() as outside:
        settings.ERP_BASE_URL, outside.deduplicates = outside.url, deduplicates
        yield outside


@pytest.mark.parametrize(
    ("deduplicates", "klass", "booked"),
    [(True, "K", 1), (False, "K", 2), (False, "X", 1)],
    ids=["it keeps its promise", "it breaks its promise", "it promises nothing"],
)
def test_an_outside_that_does_not_keep_keys_books_twice_unless_it_is_known_for_it(
    deduplicates, klass, booked, settings, monkeypatch
):
    """Exactly once is our durable key and their memory: without theirs, nothing but a single attempt helps."""
    everybody = cast()
    with an_outside(settings, deduplicates=deduplicates) as outside:
        ConnectorCheck.objects.create(base_url=outside.url, klass=klass, checked_at=database_now())
        if not deduplicates:
            monkeypatch.setattr(outside, "find", lambda key: (404, {}))
        held = in_flight(everybody, waiting_bill(everybody))
        engine.execute(held)
        worker_is_lost()
        work()
        assert len(outside.journal) == booked
        assert Effect.objects.get().state == ("unknown" if klass == "X" else "confirmed")
