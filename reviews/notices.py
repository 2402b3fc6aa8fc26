"""Who is to be told what about a case. Written in the transaction of what happened; how it reaches them (the page,
mail) is no matter of the act."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Now
from django.urls import reverse
from django.utils.translation import gettext

from audit.log import database_now
from audit.models import Event
from orchestrator.models import Task
from orchestrator.words import later as _

from .models import Notice, Preference

WORDS = {
    "review.commented": _("mentioned you"),
    "review.delegated": _("handed you a case"),
    "review.asked": _("asks you about a case"),
    "review.answered": _("answered your question"),
    "review.claimed": _("took over a case you held"),
    "review.released": _("gave back a case handed to them"),
    "review.takeover_asked": _("asks to take over a case you hold"),
    "review.reversal_asked": _("asks for a decision to be reversed"),
    "review.differed": _("answered differently from somebody: a third person is needed"),
    "review.overdue": _("says a case you hold is overdue"),
    "review.recalled": _("needs nothing of you any more in a case they asked you about or handed you"),
}


@dataclass(frozen=True, slots=True)
class Told:
    """A notice as its reader sees it. `path` leads to the case; for whoever handed it in, to the run."""

    notice: Notice
    words: str
    path: str


def tell(notices: Iterable[Notice]) -> list[Told]:
    """Notices in words. Read them with `for_telling`."""
    return [Told(notice, _words(notice), _path(notice)) for notice in notices]


def for_telling(notices: QuerySet[Notice]) -> QuerySet[Notice]:
    return notices.select_related("task__run", "actor")


def _words(notice: Notice) -> str:
    who = (notice.actor.get_full_name() or notice.actor.get_username()) if notice.actor else "Countersign"
    did, what = WORDS.get(notice.event, _("did something")), notice.task.run.subject or _("a case")
    return gettext("%(who)s %(did)s: %(what)s") % {"who": who, "did": did, "what": what}


def _path(notice: Notice) -> str:
    own = notice.task.run.started_by_id == notice.person_id
    return reverse("run", args=[notice.task.run_id]) if own else reverse("case", args=[notice.task_id])


def notify(
    person: Any, event: str, task: Task, actor: Any = None, *, mail_from: datetime | None = None
) -> Notice | None:
    """Leaves a notice for `person` that `event` (a kind of the trail) happened on `task`, by `actor` (None: the
    system). Nobody is told of what they did themselves. `mail_from`: until then it may be taken back, and no mail about
    it leaves the house."""
    if actor is not None and actor.pk == person.pk:
        return None
    now = database_now()
    mail_at = (mail_from or now) if person.email and wants_each(person) else None
    return Notice.objects.create(person=person, event=event, task=task, actor=actor, at=now, mail_at=mail_at)


def take_back(person: Any, told_of: Event, task: Task, actor: Any) -> None:
    """What happened by this event did not last. Nobody hears of it who has not read of it yet."""
    about = Notice.objects.filter(person=person, event=told_of.kind, task=task, actor=actor, at__gte=told_of.at)
    if not about.filter(read_at=None, mail_tries=0).delete()[0]:
        notify(person, "review.recalled", task, actor)


def wants_each(person: Any) -> bool:
    """Whether this person is sent a mail for each notice, as they are who never said otherwise."""
    return not Preference.objects.filter(user=person).exclude(mail=Preference.Mail.EACH).exists()


def mark_read(*, actor: Any, task: Any = None) -> int:
    """The actor's notices, of one case or all of them, need no more attention; returns how many did."""
    unread = Notice.objects.filter(person=actor, read_at=None)
    return (unread.filter(task=task) if task is not None else unread).update(read_at=Now(), mail_at=None)
