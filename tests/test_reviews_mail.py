"""What concerns a person reaches them: on the page, and as a mail each or once a day. A mail decides nothing."""

import re
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from django.core import mail
from django.db.models import F
from django.utils import timezone

from orchestrator import jobs, recovery
from orchestrator.models import Run
from reviews import mail as mailing
from reviews.models import Notice, Preference
from reviews.notices import mark_read, notify

from .cast import cast, waiting_bill
from .desk import signed_in, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def everybody():
    return cast()


@pytest.fixture
def review(everybody):
    everybody.clerk.email = "clerk@example.org"
    everybody.clerk.save()
    return waiting_bill(everybody)


def at_noon(monkeypatch, day=date(2026, 3, 2)):
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo("UTC"))
    monkeypatch.setattr(timezone, "now", lambda: noon)


def test_a_notice_stands_on_the_page_until_it_was_read(everybody, review):
    notify(everybody.clerk, "review.asked", review.task, everybody.manager)
    client = signed_in(everybody.clerk)
    page = text_of(client.get("/notices/"))
    assert "Manager asks you about a case: Kestrel Bearings KB-1" in page
    assert f'href="/cases/{review.task_id}/"' in page
    assert "Notices: 1 new" in text_of(client.get("/queue/"))
    assert Notice.objects.get().read_at is None, "looking at the list reads nothing"
    client.post("/notices/read/")
    assert "Notices: 1 new" not in text_of(client.get("/queue/"))


def test_a_mail_speaks_the_language_its_reader_chose(everybody, review, monkeypatch):
    Preference.objects.create(user=everybody.clerk, language="de")
    notify(everybody.clerk, "review.asked", review.task, everybody.manager)
    assert mailing.deliver() == 1
    [sent] = mail.outbox
    assert sent.subject == "Countersign: Manager fragt Sie zu einem Fall: Kestrel Bearings KB-1"
    assert "aus dieser Nachricht" in sent.body
    Preference.objects.update(mail=Preference.Mail.DAILY)
    at_noon(monkeypatch)
    assert mailing.deliver() == 1
    assert mail.outbox[1].subject == "Countersign: 1 warten, 1 neu"


def test_whoever_has_the_case_open_has_read_what_was_said_about_it(everybody, review):
    notify(everybody.clerk, "review.asked", review.task, everybody.manager)
    other = waiting_bill(everybody)
    notify(everybody.clerk, "review.asked", other.task, everybody.manager)
    signed_in(everybody.clerk).post(f"/cases/{review.task_id}/beat/")
    assert [notice.task for notice in Notice.objects.filter(read_at=None)] == [other.task]
    assert mailing.deliver() == 1, "what was read needs no mail"


def test_nobody_reads_the_notices_of_others(everybody, review):
    notify(everybody.clerk, "review.asked", review.task, everybody.manager)
    assert "Kestrel" not in text_of(signed_in(everybody.second).get("/notices/"))
    assert mark_read(actor=everybody.second) == 0


def test_whoever_handed_it_in_is_led_to_the_run(everybody, review):
    notify(everybody.requester, "review.answered", review.task, everybody.clerk)
    assert f'href="/runs/{review.run_id}/"' in text_of(signed_in(everybody.requester).get("/notices/"))


def test_a_notice_is_mailed_once_with_a_link_and_no_way_to_decide(everybody, review):
    notify(everybody.clerk, "review.asked", review.task, everybody.manager)
    jobs.deliver()
    jobs.deliver()
    [sent] = mail.outbox
    assert sent.to == ["clerk@example.org"]
    assert sent.subject == "Countersign: Manager asks you about a case: Kestrel Bearings KB-1"
    assert re.findall(r"http://\S+", sent.body) == [
        f"http://127.0.0.1:8000/cases/{review.task_id}/",
        "http://127.0.0.1:8000/me/",
    ]


def test_the_sweeper_finds_mail_that_nobody_sent(everybody, review):
    notify(everybody.clerk, "review.asked", review.task, everybody.manager)
    assert recovery.sweep()["mail"] == 1
    mailing.deliver()
    assert recovery.sweep()["mail"] == 0


def test_line_breaks_in_a_subject_are_no_headers(everybody, review):
    Run.objects.filter(pk=review.run_id).update(subject="Kestrel\r\nBcc: all@example.org")
    notify(everybody.clerk, "review.asked", review.task, everybody.manager)
    assert mailing.deliver() == 1
    assert mail.outbox[0].subject.endswith("Kestrel Bcc: all@example.org")
    assert mail.outbox[0].recipients() == ["clerk@example.org"]


def test_without_an_address_or_against_a_persons_wish_no_mail_is_sent(everybody, review):
    notify(everybody.second, "review.asked", review.task, everybody.manager)
    Preference.objects.create(user=everybody.clerk, mail=Preference.Mail.NEVER)
    notify(everybody.clerk, "review.asked", review.task, everybody.manager)
    assert mailing.deliver() == 0
    assert Notice.objects.count() == 2


def test_a_mail_server_that_refuses_is_tried_again_later(everybody, review, settings, tmp_path):
    notify(everybody.clerk, "review.asked", review.task, everybody.manager)
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    assert mailing.deliver() == 0
    kept = Notice.objects.get()
    assert (kept.mail_tries, kept.mail_at > kept.at) == (1, True)
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert mailing.deliver() == 0, "not yet"
    Notice.objects.update(mail_at=F("at"))
    assert mailing.deliver() == 1


def test_who_wants_one_mail_a_day_gets_one_a_day(everybody, review, monkeypatch):
    Preference.objects.create(user=everybody.clerk, mail=Preference.Mail.DAILY)
    notify(everybody.clerk, "review.asked", review.task, everybody.manager)
    at_noon(monkeypatch)
    assert (mailing.deliver(), mailing.deliver()) == (1, 0)
    [sent] = mail.outbox
    assert sent.subject == "Countersign: 1 waiting, 1 new"
    assert "Manager asks you about a case" in sent.body
    at_noon(monkeypatch, date(2026, 3, 3))
    assert mailing.deliver() == 1


def test_before_the_hour_of_the_day_no_daily_mail_is_sent(everybody, review, monkeypatch, settings):
    Preference.objects.create(user=everybody.clerk, mail=Preference.Mail.DAILY)
    settings.DIGEST_HOUR = 13
    at_noon(monkeypatch)
    assert mailing.deliver() == 0
