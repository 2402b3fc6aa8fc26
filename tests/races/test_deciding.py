"""Two answers to one case at the same moment: one counts, the other is told what has happened."""

from collections import Counter

import pytest
from django.contrib.auth import get_user_model

from orchestrator import engine, grants, services
from orchestrator.models import Effect, LedgerEntry
from reviews import claiming, deciding, opening
from reviews import services as reviews
from reviews.errors import AlreadyDecided, Conflict, NotAllowed, Stale
from reviews.models import Approval

from ..cast import POLICY, Cast, answer, cast, open_review_of, second_admin, waiting_bill, work
from ..invariants import assert_invariants
from .meeting import LOCKED, ROUNDS, meeting_at, refused, together

pytestmark = pytest.mark.django_db(transaction=True)


def says(review, actor, verdict="approve", **given):
    nonce = f"{actor}-{verdict}-{review.pk}"
    given = {"digest": review.packet_digest, "nonce": nonce, "reason": "other"} | given
    return lambda: reviews.decide(review_id=review.pk, actor=actor, verdict=verdict, **given)


def paid(review) -> int:
    return LedgerEntry.objects.filter(key__in=review.run.effects.values("key")).count()


def meet(monkeypatch, *acts, at=LOCKED):
    with meeting_at(monkeypatch, len(acts), *at) as meeting:
        return together(meeting, *acts)


PAIRS = {
    "approve and approve": ("approve", "approve"),
    "approve and reject": ("approve", "reject"),
    "reject and reject": ("reject", "reject"),
    "approve and reroute": ("approve", "reroute"),
}
ENDS = {"approve": ("approved", 1), "reject": ("rejected", 0), "reroute": ("rerouted", 0)}


@pytest.mark.parametrize("pair", PAIRS)
def test_of_two_answers_one_counts_and_the_other_is_told(pair, monkeypatch):
    everybody, first = cast(), Counter()
    for _ in range(ROUNDS):
        review = waiting_bill(everybody)
        verdicts = PAIRS[pair]
        acts = [
            says(review, actor, verdict, target="queue:seniors" if verdict == "reroute" else "")
            for actor, verdict in zip((everybody.clerk, everybody.second), verdicts, strict=True)
        ]
        found = meet(monkeypatch, *acts)
        [loser] = refused(found)
        assert isinstance(loser, AlreadyDecided), loser
        winner = verdicts[1 - found.index(loser)]
        first[winner] += 1
        work()
        review.refresh_from_db()
        assert (review.status, paid(review)) == ENDS[winner]
        assert Approval.objects.filter(review=review).count() == 1
    assert sum(first.values()) == ROUNDS
    assert_invariants()


def second_signature_counts(everybody: Cast, monkeypatch) -> bool:
    """Two people sign a case that needs two, at once: whoever comes second completes it."""
    review = waiting_bill(everybody)
    signatures = says(review, everybody.clerk), says(review, everybody.second)
    found = meet(monkeypatch, *signatures, at=((deciding, "signing", "after"),))
    assert not refused(found), found
    work()
    return sorted(one["review_status"] for one in found) == ["approved", "open"] and paid(review) == 1


def test_the_two_signatures_of_a_quorum_given_at_once_are_both_counted(monkeypatch):
    everybody = cast(quorum=2)
    assert all(second_signature_counts(everybody, monkeypatch) for _ in range(ROUNDS))
    assert_invariants()


@pytest.mark.breaks_invariants
def test_without_the_lock_of_the_run_they_are_counted_apart(monkeypatch):
    """The checker above is seen to speak, every time: both stand inside, and each has seen no other signature."""
    everybody = cast(quorum=2)
    for module, name in ((claiming, "_locked_run"), (opening, "_locked_review")):
        monkeypatch.setattr(module, name, unlocked(getattr(module, name)))
    assert not any(second_signature_counts(everybody, monkeypatch) for _ in range(ROUNDS))


def unlocked(rows):
    def without(**keys):
        found = rows(**keys)
        found.query.select_for_update = False
        return found

    return without


def test_an_answer_and_the_recall_of_the_one_before_never_both_hold(monkeypatch):
    everybody = cast(undo_seconds=600)
    for _ in range(ROUNDS):
        review = waiting_bill(everybody)
        told = answer(review, everybody.clerk)
        found = meet(
            monkeypatch,
            lambda told=told: reviews.undo(decision_id=told["decision"], actor=everybody.clerk),
            says(review, everybody.second),
        )
        assert found[0]["review_status"] == "recalled"
        assert isinstance(found[1], Conflict), found
        again = open_review_of(review.run)
        assert (again.round, again.approvals.count()) == (2, 0)
        assert not review.run.effects.exclude(state=Effect.State.VOID).exists()
    assert_invariants()


PARALLEL = """
workflow: look-and-check
title: Look and check
input: {amount: string, number: string, differences: integer?}
subject: "{read.invoice.invoice_number}"
business_key: "{read.invoice.invoice_number}"
policies: bills
facts:
  stops: read.stops
  flagged: vendor.flagged
  checked: vendor.flagged
  amount_base: {money: read.invoice.payable, currency: read.invoice.currency}
steps:
  read: {agent: cast.read}
  vendor: {agent: cast.vendor, needs: [read]}
  approve: {review: clerks, needs: [read, vendor]}
  check: {agent: cast.check, needs: [read, vendor]}
  pay: {effect: erp.pay_invoice, needs: [approve, check]}
"""


def test_a_case_that_changes_while_it_is_answered_is_decided_as_shown_or_shown_again(monkeypatch):
    """Another branch's result arrives. What was shown before it is never what an approval after it stands for."""
    everybody = cast()
    services.save_workflow(source=PARALLEL, actor=everybody.admin, second=second_admin())
    ways = Counter()
    for number in range(ROUNDS):
        run, held = held_back(everybody, number)
        review = open_review_of(run)
        results = [(held, engine.execute(held))]
        found = meet(
            monkeypatch,
            says(review, everybody.clerk),
            lambda results=results: engine.record(results),
            at=(*LOCKED, (engine.Recording, "_lock", "after")),
        )
        stale = isinstance(found[0], Stale)
        ways[stale] += 1
        assert stale or not isinstance(found[0], Exception), found[0]
        if stale:
            again = open_review_of(run)
            assert (again.round, again.packet_digest != review.packet_digest) == (2, True)
            answer(again, everybody.clerk)
        work()
        run.refresh_from_db()
        assert (run.status, paid(review)) == ("succeeded", 1)
    assert sum(ways.values()) == ROUNDS
    assert_invariants()


def held_back(everybody: Cast, number: int):
    """A run that waits for a person, and its other branch in the hands of a worker."""
    given = {"amount": "10.00", "number": f"P-{number}", "differences": 1}
    run, _ = services.start_run(workflow="look-and-check", input=given, actor=everybody.requester)
    held = None
    while works := engine.claim():
        [check] = [one for one in works if one.step.name == "check"] or [None]
        held = check or held
        if done := [(one, engine.execute(one)) for one in works if one is not check]:
            engine.record(done)
    assert held is not None
    return run, held


def test_a_policy_that_is_replaced_while_somebody_answers_changes_nothing_for_this_run(monkeypatch):
    everybody = cast()
    for number in range(ROUNDS):
        review = waiting_bill(everybody)
        pinned = review.run.policy_version_id
        stricter = POLICY.replace("20,000", f"{20_001 + number}").replace("over-20-000", f"over-{number}")
        found = meet(
            monkeypatch,
            says(review, everybody.clerk),
            lambda source=stricter: services.save_policy(source=source, actor=everybody.admin, second=second_admin()),
            at=((deciding, "locked", "after"), (services, "save_policy", "before")),
        )
        assert not refused(found), found
        work()
        effect = review.run.effects.get()
        assert (effect.state, paid(review)) == ("confirmed", 1)
        assert effect.policy_digest == review.run.policy_version.digest
        assert (review.run.policy_version_id, review.policy_digest) == (pinned, effect.policy_digest)
        assert waiting_bill(everybody).run.policy_version_id != pinned
    assert_invariants()


def revoke(everybody: Cast) -> None:
    grants.take("decide", everybody.clerk.groups.get(), everybody.clerks, actor=everybody.admin)


def dismiss(everybody: Cast) -> None:
    get_user_model().objects.filter(pk=everybody.clerk.pk).update(is_active=False)


@pytest.mark.parametrize("take_away", [revoke, dismiss])
@pytest.mark.parametrize("when", ["before", "after"])
def test_whoever_loses_the_right_while_answering_decided_before_it_or_not_at_all(take_away, when, monkeypatch):
    everybody = cast()
    for _ in range(ROUNDS // 2):
        review = waiting_bill(everybody)

        def lose(meeting):
            if when == "before":  # it is gone before the answer is looked at
                take_away(everybody)
            meeting.arrive()
            if when == "after":
                take_away(everybody)

        with meeting_at(monkeypatch, 2, (deciding, "signing", "before")) as meeting:
            found = together(meeting, says(review, everybody.clerk), lambda m=meeting: lose(m))
        refusal = isinstance(found[0], NotAllowed)
        assert refusal or not isinstance(found[0], Exception), found[0]
        assert refusal or when == "after"
        assert Approval.objects.filter(review=review).count() == (0 if refusal else 1)
        work()
        assert paid(review) == (0 if refusal else 1)
        grants.give("decide", everybody.clerk.groups.get(), everybody.clerks, actor=everybody.admin)
        get_user_model().objects.filter(pk=everybody.clerk.pk).update(is_active=True)
    assert_invariants()
