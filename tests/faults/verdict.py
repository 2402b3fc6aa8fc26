"""What must be true when a trial is over: the invariants of the database, the outside's own journal against our
effects, and what people were told against what was recorded."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from orchestrator import invariants
from orchestrator.models import Decision, Effect, Run
from reviews.models import Approval

from .flow import PAY, REVERSE
from .people import Bill, Said

Journal = Sequence[Mapping[str, Any]]


def of_the_database() -> list[str]:
    return [str(found) for found in invariants.check()]


def of_the_outside(journal: Journal, told: Collection[str] = ()) -> Iterator[str]:
    """I01, I02, I03, I04, I18: nothing twice, nothing else, nothing after a refusal, nothing missing. `told`: keys of
    which a restored database has nothing, and a person has been told."""
    effects = {effect.key: effect for effect in Effect.objects.select_related("run")}
    for (kind, key), count in Counter((entry["kind"], entry["business_key"]) for entry in journal).items():
        if count > 1:
            yield f"I02 the outside applied {kind} for {key} {count} times"
    for entry in journal:
        effect = effects.get(entry["key"])
        if effect is None and entry["key"] in told:
            continue
        if effect is None:
            yield f"I01 the outside applied {entry['key']}, which is no effect"
        elif effect.state != Effect.State.CONFIRMED:
            yield f"I01 the outside applied {entry['key']}, which is {effect.state} here (run {effect.run_id})"
        elif (entry["payload"], entry["digest"]) != (effect.payload, effect.payload_digest):
            yield f"I03 the outside applied {entry['key']} with another payload than was authorised"
        elif entry["ref"] != effect.ref:
            yield f"I15 the outside calls {entry['key']} {entry['ref']}, and here it is {effect.ref}"
    applied = {entry["key"] for entry in journal}
    for effect in effects.values():
        if effect.state == Effect.State.CONFIRMED and effect.key not in applied:
            yield f"I01 {effect.key} is confirmed here, and the outside never applied it"
    yield from of_the_ends(journal)


def of_the_ends(journal: Journal) -> Iterator[str]:
    """A run that succeeded has paid; one that was refused has not, or has taken it back."""
    by_run: dict[Any, list[str]] = {}
    owners = dict(Effect.objects.values_list("key", "run_id"))
    for entry in journal:
        by_run.setdefault(owners.get(entry["key"]), []).append(entry["kind"])
    for pk, status in Run.objects.filter(status__in=Run.ENDED).values_list("pk", "status"):
        kinds = by_run.get(pk, [])
        if status == Run.Status.SUCCEEDED and kinds != [PAY]:
            yield f"I18 run {pk} succeeded, and the outside applied {kinds or 'nothing'}"
        if status in (Run.Status.REJECTED, Run.Status.FAILED) and kinds:
            yield f"I04 run {pk} was {status}, and the outside applied {kinds}"
        if status == Run.Status.CANCELLED and kinds not in ([], [PAY, REVERSE]):
            yield f"I18 run {pk} was cancelled, and the outside applied {kinds}"


def of_the_answers(said: Mapping[str, Said]) -> Iterator[str]:
    """The same nonce, the same answer; an answer of 200 is recorded, and one that is not was not."""
    recorded = set(Approval.objects.filter(nonce__in=said).values_list("nonce", flat=True))
    decisions = {str(pk) for pk in Decision.objects.values_list("pk", flat=True)}
    for nonce, one in said.items():
        statuses = {status for status, _ in one.answers}
        recorded_as = next((answer for answer in one.answers if answer[0] == 200), None)
        if recorded_as is not None and any(a != recorded_as for a in one.answers[one.answers.index(recorded_as) :]):
            yield f"I08 nonce {nonce} was answered {one.answers}"
        if one.answers and (200 in statuses) != (nonce in recorded):
            yield f"I08 nonce {nonce} was answered {sorted(statuses)}, recorded: {nonce in recorded}"
        for status, answer in one.answers:
            settled = status == 200 and answer["review_status"] in ("approved", "rejected")
            if settled and answer["decision"] not in decisions:
                yield f"I22 nonce {nonce} was promised decision {answer['decision']}, which is not there"


def of_the_wishes(runs: Mapping[str, Bill], paid: Collection[str] = ()) -> Iterator[str]:
    """Every run has ended as those concerned wanted it, unless its invoice was sent in twice. `paid`: invoices that the
    outside booked in a time the database has lost."""
    wanted = {"": "succeeded", "approve": "succeeded", "reject": "rejected", "undo": "rejected", "cancel": "cancelled"}
    numbers = Counter(bill.number for bill in runs.values())
    for pk, status, outcome in Run.objects.filter(pk__in=runs).values_list("pk", "status", "outcome"):
        bill = runs[str(pk)]
        if bill.input.get("poison"):
            expected: Collection[str] = ("failed",)
        elif bill.wish in ("undo", "cancel"):  # it may have come too late
            expected = (wanted[bill.wish], "succeeded")
        else:
            expected = (wanted[bill.wish],)
        if bill.number in paid:
            expected = (*expected, "succeeded", "failed")
        if status not in expected and numbers[bill.number] == 1:
            yield f"run {pk} ({bill.wish or 'unseen'}) is {status}: {outcome}; expected {' or '.join(expected)}"
