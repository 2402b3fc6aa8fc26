"""The product as a state machine over its real services: people and workers act in any order, workers die, sleep and
come back, time passes. Beside it a model says what each act must lead to; after every step the invariants must hold.

Random acts alone seldom come deep; `Guided` adds rules that lead to where it becomes interesting. Neither finds
everything the other does.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule

from orchestrator import engine, invariants, recovery, services
from orchestrator.errors import ServiceError
from orchestrator.models import Hold, Incident, LedgerEntry, Run, Task
from orchestrator.resolving import choices_for
from orchestrator.steps.outcomes import Outcome
from reviews import services as reviews
from reviews.errors import ReviewError, Stale
from reviews.models import Review

from ..cast import Cast

PAY, REVERSE = "erp.pay_invoice", "erp.reverse_payment"
PEOPLE = ("clerk", "second", "requester", "outsider", "admin")
MAY_DECIDE = ("clerk", "second")
LANES = ("default", "effects")


@dataclass(frozen=True)
class Seen:
    """A case as somebody has it on the screen."""

    review: UUID
    digest: str


@dataclass
class Held:
    """What a worker has in its hands; `outcomes` once it has worked it out."""

    works: list[Any]
    outcomes: list[Outcome] = field(default_factory=list)


@dataclass(frozen=True)
class Said:
    """An answer that was taken, and how it was posted."""

    actor: str
    given: tuple[tuple[str, Any], ...]
    answer: dict[str, Any] = field(hash=False)


class Unguided(RuleBasedStateMachine):
    """`everybody` is set by the test; every example begins with nobody having done anything."""

    everybody: Cast
    seen = Bundle("seen")
    held = Bundle("held")
    said = Bundle("said")

    def __init__(self) -> None:
        super().__init__()
        self.block = transaction.atomic()
        self.block.__enter__()
        self.numbers = 0
        self.rejected: set[UUID] = set()  # runs whose last word was a rejection

    def teardown(self) -> None:
        try:
            self.finish()
        finally:
            transaction.set_rollback(True)
            self.block.__exit__(None, None, None)

    # What people do

    @rule(differences=st.integers(0, 1), amount=st.sampled_from(["10.00", "20500.00", "60000.00"]))
    def somebody_sends_a_bill(self, differences: int, amount: str) -> None:
        if self.numbers < 4:
            self.start(differences=differences, amount=amount)

    @rule(target=seen, which=st.integers(0, 9))
    def somebody_opens_a_case(self, which: int) -> Seen:
        rows = list(Review.objects.order_by("opened_at", "pk"))
        review = rows[which % len(rows)] if rows else None
        return Seen(review.pk, review.packet_digest) if review else Seen(UUID(int=0), "")

    @rule(
        target=said,
        shown=seen,
        actor=st.sampled_from(PEOPLE),
        verdict=st.sampled_from(["approve", "approve", "reject", "escalate"]),
        number=st.integers(0, 999),
    )
    def somebody_answers(self, shown: Seen, actor: str, verdict: str, number: int) -> Said | None:
        """Whoever may not, is refused; whoever looks at an old case, is told; nothing else is taken."""
        before = Review.objects.filter(pk=shown.review).first()
        if before is None:
            return None
        given = {"verdict": verdict, "digest": shown.digest, "nonce": f"{actor}-{number}-{self.numbers}"}
        given |= {"review_id": shown.review, "reason": "other", "comment": "looked"}
        try:
            answer = self.decide(actor, given)
        except ReviewError:
            return None
        assert actor in MAY_DECIDE, f"{actor} decided"
        assert before.is_live, f"an answer was taken to a round that was {before.status}"
        assert shown.digest == before.packet_digest, "an answer was taken about a case that had changed"
        return Said(actor, tuple(given.items()), answer)

    @rule(before=said)
    def somebody_posts_the_same_again(self, before: Said | None) -> None:
        if before is not None:
            assert self.decide(before.actor, dict(before.given)) == before.answer

    @rule(before=said)
    def somebody_takes_it_back(self, before: Said | None) -> None:
        if before is None:
            return
        paid = self.paid(before)
        try:
            undone = reviews.undo(decision_id=before.answer["decision"], actor=self.person(before.actor))
        except (ReviewError, ServiceError):
            return
        assert undone["review_status"] in ("recalled", "open", "escalated"), "what left the case open leaves it open"
        assert not paid, "an answer was taken back after it was acted on"

    @rule(which=st.integers(0, 3))
    def somebody_cancels(self, which: int) -> None:
        if run := self.nth(Run.objects.order_by("started_at", "pk"), which):
            self.allowed(services.cancel_run, run_id=run.pk, actor=self.everybody.admin, reason="not wanted")

    @rule()
    def somebody_stops_everything(self) -> None:
        self.allowed(services.pull_hold, scope="all", value="", reason="stop", actor=self.everybody.admin)

    @precondition(lambda self: Hold.objects.filter(released_at=None).exists())
    @rule()
    def somebody_lets_it_go_on(self) -> None:
        for hold in Hold.objects.filter(released_at=None):
            services.release_hold(hold_id=hold.pk, actor=self.everybody.cfo)

    @precondition(lambda self: Incident.objects.filter(resolved_at=None).exists())
    @rule(which=st.integers(0, 3))
    def an_operator_settles_an_incident(self, which: int) -> None:
        incident = self.nth(Incident.objects.filter(resolved_at=None).order_by("opened_at", "pk"), which)
        if incident is not None:
            resolution = "retry" if "retry" in choices_for(incident) else choices_for(incident)[0]
            given = {"incident_id": incident.pk, "resolution": resolution, "reason": "looked", "ref": "L-1"}
            self.allowed(services.resolve_incident, actor=self.everybody.admin, **given)

    # What workers do

    @rule(target=held, lane=st.sampled_from(LANES), limit=st.integers(1, 3))
    def a_worker_takes_work(self, lane: str, limit: int) -> Held:
        return Held(engine.claim(lane, limit))

    @rule(one=held)
    def a_worker_works_it_out(self, one: Held) -> None:
        if not one.outcomes:  # nobody works out twice what they hold
            one.outcomes = [engine.execute(work) for work in one.works]

    @rule(one=held)
    def a_worker_records(self, one: Held) -> None:
        """Perhaps late, perhaps for the second time: what counts is its fence."""
        if one.outcomes:
            engine.record(list(zip(one.works, one.outcomes, strict=True)))

    @rule()
    def leases_run_out(self) -> None:
        Task.objects.filter(status="running").update(lease_until=Now() - timedelta(seconds=1))
        recovery.expire_leases()

    @rule()
    def time_passes(self) -> None:
        """Undo windows and pauses are over."""
        Task.objects.filter(status__in=("ready", "retry_wait")).update(ready_at=Now())
        Review.objects.filter(undo_until__gt=Now()).update(undo_until=Now())

    @rule()
    def the_sweeper_passes(self) -> None:
        recovery.sweep()

    # What must be true

    @invariant()
    def nothing_is_violated(self) -> None:
        assert not (found := invariants.check()), "\n".join(map(str, found))

    @invariant()
    def the_outside_agrees(self) -> None:
        for run in Run.objects.all():
            kinds = self.booked(run)
            assert kinds in ([], [PAY], [PAY, REVERSE]), kinds
            if run.status in ("rejected", "failed"):
                assert not kinds, f"{run.status}, and {kinds} was booked"
            if run.status == "succeeded":
                assert kinds == [PAY]
            if run.status == "cancelled":
                assert kinds in ([], [PAY, REVERSE]), f"cancelled, and {kinds} was booked"

    def finish(self) -> None:
        """Whatever has happened, everything ends when people and workers go on."""
        for _ in range(40):
            self.somebody_lets_it_go_on()
            for incident in Incident.objects.filter(resolved_at=None).exclude(run__status__in=Run.ENDED):
                choices = choices_for(incident)
                choice = "fail" if "fail" in choices else "retry"
                given = {"incident_id": incident.pk, "resolution": choice, "reason": "looked"}
                self.allowed(services.resolve_incident, actor=self.everybody.admin, **given)
            for review in Review.objects.live():
                given = {"verdict": "reject", "digest": review.packet_digest, "nonce": f"end-{review.pk}"}
                self.everybody_tries(given | {"review_id": review.pk, "reason": "other"})
            self.leases_run_out()
            self.time_passes()
            recovery.sweep()
            while engine.drain(budget=5):
                pass
            if not Run.objects.exclude(status__in=Run.ENDED).exists():
                break
        left = [
            f"{run.pk} {run.status} {list(run.tasks.values_list('step', 'status', 'error'))}" for run in self.open()
        ]
        assert not left, left
        self.nothing_is_violated()
        self.the_outside_agrees()

    # How

    def start(self, **given: Any) -> Run:
        self.numbers += 1
        given |= {"number": f"M-{self.numbers}"}
        return services.start_run(workflow="pay-bills", input=given, actor=self.everybody.requester)[0]

    def decide(self, actor: str, given: dict[str, Any]) -> dict[str, Any]:
        """A case that changed writes its next round before it refuses: that is kept, as it is outside of tests."""
        return reviews.decide(actor=self.person(actor), **given)

    def everybody_tries(self, given: dict[str, Any]) -> None:
        for name in ("clerk", "manager", "cfo"):
            try:
                return void(self.decide(name, given))
            except Stale:
                return None
            except ReviewError:
                continue
        return None

    def person(self, name: str) -> Any:
        return getattr(self.everybody, name)

    def allowed(self, act: Any, **given: Any) -> None:
        """It may be refused; that is no error."""
        with suppress(ServiceError, ReviewError):
            act(**given)

    @staticmethod
    def nth(rows: Any, which: int) -> Any:
        found = list(rows[:4])
        return found[which % len(found)] if found else None

    @staticmethod
    def booked(run: Run) -> list[str]:
        rows = LedgerEntry.objects.filter(key__in=run.effects.values("key"))
        return list(rows.order_by("pk").values_list("kind", flat=True))

    @staticmethod
    def paid(before: Said) -> bool:
        review = Review.objects.get(pk=dict(before.given)["review_id"])
        return review.run.effects.filter(packet_digest=review.packet_digest, attempts__gt=0).exists()

    @staticmethod
    def open() -> Any:
        return Run.objects.exclude(status__in=Run.ENDED)


def void(_: Any) -> None:
    return None


class Guided(Unguided):
    """With shortcuts to where it becomes interesting."""

    @rule(target=Unguided.seen)
    def a_bill_waits_on_somebodys_screen(self) -> Seen:
        run = self.start(differences=1, amount="10.00")
        while engine.drain(budget=5):
            pass
        review = run.reviews.get()
        return Seen(review.pk, review.packet_digest)

    @rule(target=Unguided.said, shown=Unguided.seen)
    def a_clerk_approves(self, shown: Seen) -> Said | None:
        return self.somebody_answers(shown, "clerk", "approve", 1000 + self.numbers)

    @rule(target=Unguided.held)
    def a_payment_is_in_a_workers_hands(self) -> Held:
        self.start(differences=0, amount="10.00")
        while works := engine.claim():
            engine.record([(work, engine.execute(work)) for work in works])
        return Held(engine.claim("effects"))

    @rule(target=Unguided.held, one=Unguided.held)
    def a_worker_dies_and_another_tries_again(self, one: Held) -> Held:
        """What the first one worked out is still in its hands."""
        self.a_worker_works_it_out(one)
        self.leases_run_out()
        again = Held(engine.claim("effects"))
        self.a_worker_works_it_out(again)
        return again
