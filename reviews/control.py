"""Control cases: planted with a known answer among the real ones, to see whether people still look, and to train it.

Until one is answered it looks like any other to whoever may answer it. The first answer that settles or signs ends it:
nothing is done, nobody else is asked, and whoever answered is told what was expected and why.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext

from audit.log import person, record
from orchestrator import endings, permissions
from orchestrator import services as runs
from orchestrator.digests import digest
from orchestrator.documents.store import DocumentRefused, store_document
from orchestrator.models import Decision, Run

from .errors import Conflict, Invalid, NotAllowed
from .models import Queue, Review
from .models_control import ControlCase
from .policies import APPROVE, SIGNED
from .questions import same

if TYPE_CHECKING:
    from .deciding import Act

VIEW, STAND_IN = "reviews.view_controlcase", "stand_in"
OVER = "A control case: it ends with its answer."
MOST = 20  # documents of a case


def may_plant(user: Any) -> bool:
    return permissions.may(user, "plant", ControlCase())


def may_know(user: Any) -> bool:
    """Which cases were planted, and what their answers are."""
    return permissions.may(user, "know", ControlCase())


def stand_ins() -> QuerySet[Any]:
    """The accounts that may stand as who handed a control case in: those to which, or to a group of which, the right
    was given itself. Being a superuser is not enough."""
    right = Permission.objects.filter(codename=STAND_IN, content_type__app_label="reviews")
    given = Exists(right.filter(Q(user=OuterRef("pk")) | Q(group__user=OuterRef("pk"))))
    return get_user_model().objects.filter(given, is_active=True, agent_account=None).order_by("username")


@transaction.atomic
def plant(
    *,
    workflow: str,
    stands_in: Any,
    verdicts: Sequence[str],
    why: str,
    actor: Any,
    input: Mapping[str, Any] | None = None,
    documents: Sequence[tuple[str, bytes]] = (),
    corrections: Mapping[str, Any] | None = None,
    deadline: datetime | None = None,
    key: str = "",
) -> ControlCase:
    """Starts a control case as if `stands_in` had handed it in; `documents` are (name, content), `deadline` and `key`
    as for any run. NotAllowed; Invalid, by field."""
    if not may_plant(actor):
        raise NotAllowed("control", gettext("You may not plant control cases."))
    corrections = corrections or {}
    if errors := [*_objections(stands_in, verdicts, why, documents), *_wrong(corrections, verdicts)]:
        raise Invalid(errors)
    try:
        papers = [store_document(data=data, name=name, actor=stands_in) for name, data in documents]
        run, _created = runs.start_run(
            workflow=workflow,
            input=input or {},
            actor=stands_in,
            documents=papers,
            deadline=deadline,
            key=key,
            control=True,
        )
    except DocumentRefused as refused:
        raise Invalid([("documents", str(refused))]) from None
    except runs.UnknownWorkflow as unknown:
        raise Invalid([("workflow", str(unknown))]) from None
    except runs.InputInvalid as wrong:
        raise Invalid([("input", f"{field}: {message}") for field, message in wrong.errors]) from None
    case = ControlCase.objects.create(
        run=run,
        verdicts=list(verdicts),
        corrections=dict(corrections),
        why=why.strip(),
        planted_by=actor,
        planted_at=run.started_at,
    )
    _tell(case, "control.planted", actor, answer=digest_of(case))
    return case


def digest_of(case: ControlCase) -> str:
    """What is on record of the answer before anybody has given one."""
    return digest([case.verdicts, case.corrections, case.why])


def _objections(stands_in: Any, verdicts: Sequence[str], why: str, documents: Sequence[Any]) -> list[tuple[str, str]]:
    found = []
    if not stand_ins().filter(pk=stands_in.pk).exists():
        words = gettext("%(name)s does not stand in for control cases; an administrator gives the account that right.")
        found.append(("stands_in", words % {"name": stands_in.get_username()}))
    if not verdicts or not set(verdicts) <= set(SIGNED):
        words = gettext("verdicts: %(given)s; expected one or more of %(known)s")
        given = ", ".join(map(str, verdicts)) or gettext("nothing")
        found.append(("verdicts", words % {"given": given, "known": ", ".join(SIGNED)}))
    longest = ControlCase._meta.get_field("why").max_length
    if not why.strip() or len(why) > (longest or 0):
        found.append(
            ("why", gettext("why: expected a reason of at most %(longest)s characters") % {"longest": longest})
        )
    if len(documents) > MOST:
        found.append(("documents", gettext("documents: at most %(most)s") % {"most": MOST}))
    return found


def _wrong(corrections: Any, verdicts: Sequence[str]) -> list[tuple[str, str]]:
    """What is wrong with expected corrections, as far as it can be told before there is a case."""
    if not isinstance(corrections, Mapping) or not all(
        isinstance(pointer, str) and pointer.startswith("/") and not isinstance(value, dict | list | float)
        for pointer, value in corrections.items()
    ):
        words = gettext('corrections: expected an object {"/step/field": value}, amounts as text')
        return [("corrections", words)]
    if corrections and APPROVE not in verdicts:
        return [("corrections", gettext("corrections: only an approval corrects anything; add it to the answers"))]
    return []


def _tell(case: ControlCase, kind: str, actor: Any, **data: Any) -> None:
    """In no queue's and no workflow's part of the trail: for auditors, and whoever did it."""
    record(kind, subject=("control", case.pk), actor=person(actor), run=case.run_id, data=data)


@transaction.atomic
def withdraw(*, case: ControlCase, actor: Any) -> None:
    """Takes a planted case away that nobody has answered. NotAllowed, Conflict."""
    if not (may_plant(actor) and may_know(actor)):
        raise NotAllowed("control", gettext("You may not take control cases away."))
    try:
        run = runs.cancel_run(run_id=case.run_id, actor=actor, reason=OVER)
    except runs.Conflict as error:
        raise Conflict(str(error)) from None
    ControlCase.objects.filter(pk=case.pk).update(withdrawn_at=run.ended_at)


def planted(run: Run) -> QuerySet[ControlCase]:
    """The control case that a run, or one of those that started it, is of."""
    while run.parent_id is not None:
        run = Run.objects.get(tasks=run.parent_id)
    return ControlCase.objects.filter(run=run)


def barred(run: Run) -> str:
    """Those who know the answer, or may know it, as `Review.barred` has them."""
    backend = "django.contrib.auth.backends.ModelBackend"
    people = get_user_model().objects.with_perm(VIEW, backend=backend).values_list("pk", flat=True)
    known = {*people, *planted(run).values_list("planted_by", flat=True)}
    return f" {' '.join(map(str, sorted(known)))} "


def knows(user: Any, review: Review) -> bool:
    """Whether this person may know what the answer to this round is."""
    return bool(review.control) and (may_know(user) or planted(review.run).filter(planted_by=user.pk).exists())


def withheld(user: Any) -> set[str]:
    """Control cases that somebody who reads the whole trail, and may decide cases as well, is not to know of yet."""
    if may_know(user) or not permissions.granted(user, Queue, ["decide", "reroute"]):
        return set()
    rows = ControlCase.objects.filter(answered_at=None, run__ended_at=None).exclude(planted_by=user)
    return set(map(str, rows.values_list("pk", flat=True)))


def answered(act: "Act", decision: Decision) -> dict[str, Any]:
    """The answer is in: the run ends, and nothing was done. Returns what whoever answered is told."""
    case, verdict = planted(act.run).get(), act.answer.verdict
    caught = is_right(case, verdict, act.corrections)
    values = {"review": act.review, "approval_id": act.vote.pk, "person": act.user, "caught": caught}
    if not ControlCase.objects.filter(pk=case.pk, answered_at=None).update(answered_at=act.now, **values):
        raise Conflict(gettext("Somebody else answered first; nothing was recorded."))
    told = {"decision_of": str(act.review.pk), "caught": caught, "accepted": case.verdicts, "given": verdict}
    _tell(case, "control.answered", act.user, **told)
    endings.end(act.run, Run.Status.CANCELLED, outcome=OVER, actor=act.actor, now=act.now)
    given = {"verdict": verdict, "corrections": act.corrections}
    expected = {"verdicts": case.verdicts, "corrections": case.corrections}
    return {"caught": caught, "expected": expected, "given": given, "why": case.why}


def is_right(case: ControlCase, verdict: str, corrections: Mapping[str, Any]) -> bool:
    """One of the answers that count as right, and of an approval every value that had to be put right."""
    if verdict not in case.verdicts:
        return False
    wanted = case.corrections if verdict == APPROVE else {}
    return all(pointer in corrections and same(corrections[pointer]) == same(v) for pointer, v in wanted.items())
