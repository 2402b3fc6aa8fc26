"""What says that an act was recorded, and takes it back: for the browser and the person that did it, in its time."""

import pytest
from django.contrib.sessions.models import Session

from reviews.toast import AFTER, COOKIE

from .cast import cast, waiting_bill
from .desk import decide, signed_in, text_of

pytestmark = pytest.mark.django_db
TOAST = 'class="toast"'


@pytest.fixture
def everybody():
    return cast(undo_seconds=60)


def rejected(client, everybody):
    assert decide(client, waiting_bill(everybody), "reject", reason__reject="duplicate").status_code == 302


def test_every_page_offers_to_take_it_back_until_it_was(everybody):
    client = signed_in(everybody.clerk)
    rejected(client, everybody)
    for _ in range(2):
        page = text_of(client.get("/queue/"))
        assert "KB-1: rejected." in page
    [undo] = [line for line in page.splitlines() if TOAST in line]
    client.post(undo.split('action="')[1].split('"')[0])
    assert "Undone. KB-1: rejected. The case is open again." in text_of(client.get("/queue/"))
    assert TOAST not in text_of(client.get("/queue/"))


def test_an_answer_writes_no_session(everybody):
    client = signed_in(everybody.clerk)
    before = Session.objects.get().session_data
    rejected(client, everybody)
    assert Session.objects.get().session_data == before


def test_it_is_shown_to_nobody_else_who_signs_in_at_this_browser(everybody):
    client = signed_in(everybody.clerk)
    rejected(client, everybody)
    client.force_login(everybody.second)
    assert COOKIE in client.cookies
    assert TOAST not in text_of(client.get("/queue/"))


@pytest.mark.parametrize("value", ["", "x", "eyJ3aGF0IjoiUGFpZC4ifQ:1vO:forged"])
def test_one_that_was_tampered_with_is_none(everybody, value):
    client = signed_in(everybody.clerk)
    rejected(client, everybody)
    client.cookies[COOKIE] = value
    response = client.get("/queue/")
    assert response.status_code == 200
    assert TOAST not in text_of(response)


def test_it_goes_when_the_time_is_over(everybody, monkeypatch):
    client = signed_in(everybody.clerk)
    rejected(client, everybody)
    assert 60 < client.cookies[COOKIE]["max-age"] <= 60 + AFTER.total_seconds()
    monkeypatch.setattr("reviews.toast.Toast.kept", 0)
    assert TOAST not in text_of(client.get("/queue/"))
