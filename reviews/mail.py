"""Notices as mail: one for each, or one a day, as each person likes. A mail links to a page; it never decides.

Each speaks the language its reader chose. Sent by the slow workers (settings.DELIVERIES). A notice is kept from other
workers by its own due time while it is sent, so a worker that dies has it sent again: twice at worst, never not at all.
"""

import logging
from contextlib import AbstractContextManager
from datetime import timedelta
from smtplib import SMTPException
from typing import Any

from django.conf import settings
from django.core.mail import send_mail
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.translation import gettext

from orchestrator import dispatch
from orchestrator.clock import Clock

from . import counts
from .models import Notice, Preference
from .notices import for_telling, tell

logger = logging.getLogger(__name__)
AT_ONCE = 20  # mails a job sends before it lets others in
LEASE = timedelta(minutes=5)
PAUSE = timedelta(minutes=2)  # times the attempts so far
MAX_ATTEMPTS = 8


def sweep() -> int:
    """Wakes a worker where mail is due (settings.SWEEPERS); returns how many notices and digests are."""
    found = due_notices().count() + due_digests().count()
    if found:
        dispatch.wake("deliveries")
    return found


def due_notices() -> QuerySet[Notice]:
    return Notice.objects.filter(mail_at__lte=Clock(), mail_tries__lt=MAX_ATTEMPTS, person__is_active=True)


def due_digests() -> QuerySet[Preference]:
    """People who want one mail a day and have had none since this morning's hour."""
    local = timezone.localtime()
    if local.hour < settings.DIGEST_HOUR:
        return Preference.objects.none()
    late = Q(digested_on=None) | Q(digested_on__lt=local.date())
    return Preference.objects.filter(late, mail=Preference.Mail.DAILY, user__is_active=True).exclude(user__email="")


def deliver() -> int:
    """Sends some of what is due; returns how many mails were sent."""
    notices = for_telling(due_notices()).select_related("person").order_by("mail_at")[:AT_ONCE]
    digests = due_digests().select_related("user")[:AT_ONCE]
    return sum(send_notice(notice) for notice in notices) + sum(send_digest(liked) for liked in digests)


def send_notice(notice: Notice) -> bool:
    """False: another worker has it, or the mail server would not take it; then it is tried again later."""
    mine = Notice.objects.filter(pk=notice.pk, mail_at=notice.mail_at)
    if not mine.update(mail_at=Now() + LEASE, mail_tries=F("mail_tries") + 1):
        return False
    with in_words_of(notice.person):
        [told] = tell([notice])
        taken = post(notice.person, told.words, "mail/notice.txt", {"told": told})
    if taken:
        Notice.objects.filter(pk=notice.pk).update(mail_at=None)
        return True
    Notice.objects.filter(pk=notice.pk).update(mail_at=Now() + PAUSE * (notice.mail_tries + 1))
    return False


def send_digest(liked: Preference) -> bool:
    """One mail about everything since the last one; days on which nothing happened and nothing waits go without."""
    today = timezone.localdate()
    before = liked.digested_on
    if not Preference.objects.filter(pk=liked.pk, digested_on=before).update(digested_on=today):
        return False
    unread = for_telling(liked.user.notices.filter(read_at=None))[:50]
    waiting = counts.waiting(liked.user)
    if not unread and waiting == "0":
        return True
    with in_words_of(liked.user):
        subject = gettext("%(waiting)s waiting, %(new)s new") % {"waiting": waiting, "new": len(unread)}
        if post(liked.user, subject, "mail/digest.txt", {"unread": tell(unread), "waiting": waiting}):
            return True
    Preference.objects.filter(pk=liked.pk, digested_on=today).update(digested_on=before)
    return False


def in_words_of(person: Any) -> AbstractContextManager[None]:
    """The language this person chose for pages; where the browser is asked, that of the source."""
    chosen = Preference.objects.filter(user=person).values_list("language", flat=True).first()
    known = dict(settings.LANGUAGES)
    return translation.override(chosen if chosen in known else settings.LANGUAGE_CODE)


def post(person: Any, subject: str, template: str, context: dict[str, Any]) -> bool:
    """Whether the mail server took it. Line breaks in a subject would be new headers."""
    text = render_to_string(template, context | {"site": settings.PUBLIC_URL.rstrip("/")})
    try:
        send_mail(f"Countersign: {' '.join(subject.split())}"[:200], text, None, [person.email])
    except (SMTPException, OSError) as error:
        logger.warning("mail to person %s was not taken (%s); it is tried again", person.pk, error)
        return False
    return True
