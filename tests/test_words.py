"""Every text a page says is marked for translation: with each of them put in brackets, nothing stands outside but data.
Dates, numbers and amounts follow the locale; what programs read, and what is stored, does not."""

import ast
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from gettext import GNUTranslations
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import translation
from django.utils.functional import Promise

from audit.forms import FilterForm
from audit.models import Event
from orchestrator import taking_back
from orchestrator.connectors.actions import action_kinds, get_action
from orchestrator.effects import shown
from orchestrator.forms import HoldForm, IncidentForm, MoneyField, ReasonForm, RunFilter
from orchestrator.templatetags.parts import exact, money, percent, span
from reviews.models import Review
from reviews.packet import GO_ON
from reviews.templatetags.cases import question
from tests.api import Caller
from tests.brackets import put_brackets, unmarked, words_of_data
from tests.cast import answer, bill, cast, open_review_of, waiting_bill, work
from tests.desk import case_url, form_of, signed_in, text_of
from tests.test_insights import with_managers


@pytest.fixture
def bracketed(monkeypatch: pytest.MonkeyPatch) -> None:
    put_brackets(monkeypatch)


@pytest.mark.django_db
def test_nothing_on_any_page_stands_outside_the_brackets_but_data(bracketed):
    everybody = with_managers(cast(undo_seconds=60))
    assert not list(every_page(everybody))


def every_page(everybody: Any) -> Iterator[str]:
    """Texts that are not marked, on pages in many states."""
    waiting = waiting_bill(everybody, advice="reject: copy")
    flagged = waiting_bill(everybody, flagged=True)
    large = waiting_bill(everybody, amount="60000.00")
    answered, asked, handed = (waiting_bill(everybody) for _ in range(3))
    answer(asked, everybody.clerk, "ask", target="user:outsider", comment="Who?")
    answer(handed, everybody.clerk, "delegate", target="user:second")
    answer(answered, everybody.clerk, "reject")
    bill(everybody)
    work()
    data = words_of_data()
    clerk, manager = signed_in(everybody.clerk), signed_in(everybody.manager)
    auditor, requester, outsider = map(signed_in, (everybody.auditor, everybody.requester, everybody.outsider))
    runs = [f"/runs/{review.run_id}/" for review in (waiting, flagged, answered)]
    cases = [case_url(review) for review in (waiting, flagged, large, answered, asked, handed)]
    event = Event.objects.order_by("at").last()
    for client in (clerk, manager, auditor):
        for address in (*cases, *runs, "/queue/", "/queue/?view=all", "/queue/?view=done", "/queue/?q=nothing-like-it"):
            yield from unmarked(client, address, data)
    tabs = [f"/insights/?tab={tab}" for tab in ("flow", "quality", "calibration", "cost")]
    for address in (*tabs, "/me/", "/holds/", "/help/keys/", "/notices/", "/runs/", "/start/", "/queue/?view=snoozed"):
        yield from unmarked(manager, address, data)
    for address in ("/start/", "/start/pay-bills/", "/queue/", "/runs/", runs[0], "/insights/"):
        yield from unmarked(requester, address, data)
    for address in ("/audit/", f"/audit/{event.pk}/", "/audit/?kind=run.started"):
        yield from unmarked(auditor, address, data)
    for address in (cases[4], "/queue/", "/notices/", "/nowhere/", "/insights/?tab=x", "/queue/?view=!"):
        yield from unmarked(outsider, address, data)
    yield from unmarked(Client(), "/accounts/login/", data)
    yield from unmarked(Client(), "/accounts/login/", data, username="clerk", password="wrong")
    shown = form_of(clerk.get(case_url(waiting)))
    for said in ({"verdict": "approve"}, {"verdict": "reject"}, {"verdict": "ask"}, {}, {"verdict": "delegate"}):
        yield from unmarked(clerk, case_url(waiting, "decide"), data, **shown, **said)
    yield from unmarked(clerk, case_url(answered, "decide"), data, **shown, verdict="reject", reason="other")
    yield from unmarked(manager, "/holds/", data, scope="kind")
    yield from unmarked(manager, "/me/", data, theme="pink")
    yield from unmarked(requester, "/start/pay-bills/", data, number="7")
    picks = [str(review.task_id) for review in (waiting, flagged)]
    for act in ("snooze", "reroute", "ask", "approve", "delegate"):
        yield from unmarked(manager, f"/queue/bulk/?act={act}&pick={picks[0]}&pick={picks[1]}", data)


@pytest.mark.parametrize(
    ("code", "amount", "share", "length", "time"),
    [
        ("en-gb", "€36,324.99", "98%", "2 days 4 h", "20 Nov 2026, 14:07:12"),
        ("de", "36.324,99\xa0€", "98\xa0%", "2 Tage 4 h", "20. Nov. 2026, 14:07:12"),
    ],
)
def test_dates_numbers_and_amounts_follow_the_locale(code, amount, share, length, time):
    with translation.override(code):
        assert money("36324.99", "EUR") == amount
        assert percent("0.98") == share
        assert span(2 * 86_400 + 4 * 3_600) == length
        assert exact(datetime(2026, 11, 20, 14, 7, 12, tzinfo=UTC)) == time


@pytest.mark.parametrize(
    ("code", "written", "meant"),
    [
        ("en-gb", "1250.00 EUR", "1250.00"),
        ("en-gb", "1,250.00 EUR", "1250.00"),
        ("de", "1250,00 EUR", "1250.00"),
        ("de", "1.250,00 EUR", "1250.00"),
        ("de", "1250.00 EUR", "1250.00"),
    ],
)
def test_an_amount_is_typed_as_the_reader_writes_it(code, written, meant):
    with translation.override(code):
        assert MoneyField().clean(written) == {"amount": meant, "currency": "EUR"}


def test_an_amount_that_can_be_read_in_two_ways_is_asked_again():
    with translation.override("de"), pytest.raises(ValidationError, match="schreiben Sie 1250,00"):
        MoneyField().clean("1.250 EUR")


CATALOGUES = sorted(settings.LOCALE_DIR.glob("*/LC_MESSAGES/django.po"))


def entries(source: str) -> Iterator[dict[str, str]]:
    """The entries of a .po file: {"msgid", "msgstr", …} with their texts put together."""
    for block in re.split(r"\n{2,}", source):
        found: dict[str, str] = {}
        name = ""
        for line in block.splitlines():
            if match := re.match(r'(msg[a-z_]+(?:\[\d\])?) (".*")$', line):
                name, text = match.groups()
                found[name] = ast.literal_eval(text)
            elif line.startswith('"'):
                found[name] += ast.literal_eval(line)
        if found:
            yield found


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
def test_a_catalogue_says_everything_and_was_compiled_as_it_stands(path):
    with path.with_suffix(".mo").open("rb") as file:
        compiled = GNUTranslations(file)._catalog
    for entry in entries(path.read_text(encoding="utf-8")):
        key = "\4".join(entry[name] for name in ("msgctxt", "msgid") if name in entry)
        said = [text for name, text in entry.items() if name.startswith("msgstr")]
        if not key:
            continue
        assert all(said), f"{path.parts[-3]}: {key!r} is not translated"
        assert [compiled[key]] == said if len(said) == 1 else [compiled[key, n] for n in range(len(said))] == said
        holes = re.compile(r"%\(\w+\)[sr]")
        assert {frozenset(holes.findall(text)) for text in said} <= {
            frozenset(holes.findall(entry.get(name, ""))) for name in ("msgid", "msgid_plural")
        }, f"{path.parts[-3]}: {key!r} has other places to fill in"


@pytest.mark.django_db
def test_the_language_is_the_one_chosen_else_what_the_browser_asks_for(client):
    everybody = cast()
    german = {"headers": {"accept-language": "de-AT, en;q=0.5"}}
    assert 'lang="de"' in text_of(client.get("/accounts/login/", **german))
    assert 'lang="en-gb"' in text_of(client.get("/accounts/login/", headers={"accept-language": "fr"}))
    client.force_login(everybody.clerk)
    liked = {"theme": "dark", "density": "roomy", "mail": "each", "undo_seconds": "30"}
    saved = client.post("/me/", liked | {"language": "de"}, follow=True)
    assert "Gesichert." in text_of(saved)
    assert "Meine Fälle" in text_of(client.get("/queue/", headers={"accept-language": "en"}))
    assert "Meine Fälle" in text_of(signed_in(everybody.clerk).get("/queue/")), "in every browser they sign in with"
    assert "My queue" in text_of(signed_in(everybody.manager).get("/queue/"))
    assert client.post("/me/", liked | {"language": "xx"}).status_code == 422


@pytest.mark.django_db
def test_what_is_stored_and_what_programs_read_is_the_same_whatever_the_reader_speaks():
    told = {}
    everybody = cast(undo_seconds=30)
    for code in ("en", "de"):
        client = signed_in(everybody.clerk)
        client.defaults["HTTP_ACCEPT_LANGUAGE"] = code
        review = waiting_bill(everybody)
        page = client.get(case_url(review))
        assert ("Ihre Entscheidung" in text_of(page)) == (code == "de")
        shown = form_of(page) | {"verdict": "reject", "reason:reject": "duplicate", "comment:reject": "twice"}
        client.post(case_url(review, "decide"), shown)
        decision = Review.objects.get(pk=review.pk).answer["decision"]
        client.post(f"/decisions/{decision}/undo/")
        refused = Caller(everybody.clerk).post(f"reviews/{review.pk}/claim", **{"Accept-Language": code})
        rows = Event.objects.filter(run=str(review.run_id)).order_by("at", "id")
        bodies = [json.loads(bytes(row.body))["data"] for row in rows]
        stable = [
            {k: v for k, v in body.items() if k in ("verdict", "reason", "comment", "why", "rules")} for body in bodies
        ]
        again = open_review_of(review.run)
        told[code] = (stable, again.levels, again.reasons, again.rules, refused.status_code, refused.json()["code"])
    assert told["de"] == told["en"]


def asked_in(caller: Caller, code: str, path: str) -> Any:
    caller.client.defaults["HTTP_ACCEPT_LANGUAGE"] = code
    return caller.get(path)


@pytest.mark.django_db
def test_what_the_api_says_of_a_run_and_a_case_is_the_same_in_every_language():
    everybody = cast()
    review = waiting_bill(everybody, flagged=True)
    caller, run = Caller(everybody.manager), f"runs/{review.run_id}"
    for path in (run, "runs", f"reviews/{review.pk}", "reviews", "workflows", "openapi.json", "trail?kind=run.started"):
        english, german = (asked_in(caller, code, path) for code in ("en", "de"))
        assert english.status_code == 200
        assert german.json() == english.json(), path


def without_sentences(response: Any) -> dict[str, Any]:
    body = response.json()
    fields = [error["field"] for error in body["errors"]]
    return {name: value for name, value in body.items() if name != "message"} | {"errors": fields}


@pytest.mark.django_db
def test_the_sentence_of_a_refusal_follows_the_caller_and_nothing_else_of_it():
    everybody = cast()
    review = waiting_bill(everybody)
    caller = Caller(everybody.clerk)
    given = {"verdict": "reject", "digest": review.packet_digest, "nonce": "n-1"}
    told = {}
    for code in ("en", "de"):
        caller.client.defaults["HTTP_ACCEPT_LANGUAGE"] = code
        told[code] = [
            caller.post(f"reviews/{review.pk}/decide", given),
            caller.post("runs", {"workflow": "no-such"}),
            caller.raw("runs", b"{"),
            caller.get("runs", colour="red"),
            caller.upload(b"<!doctype html><p>a page"),
            Caller().get("runs"),
        ]
    for english, german in zip(told["en"], told["de"], strict=True):
        assert (english.status_code, without_sentences(english)) == (german.status_code, without_sentences(german))
    said = [response.json()["message"] for response in told["de"][:5]]
    assert said[0] == "reason: fehlt; eine Ablehnung nennt den Grund"
    assert said[1] == "Hier ist nichts, was Sie sehen dürfen."
    assert said[2].startswith("body: kein lesbares JSON:")
    assert said[3] == "colour: ist kein Parameter dieses Aufrufs"
    assert said[4].startswith("file: Das ist eine Webseite, kein Dokument.")


@pytest.mark.django_db
def test_what_a_case_asks_is_stored_in_one_language_and_asked_in_the_readers():
    everybody = cast()
    review = waiting_bill(everybody)
    assert review.packet["question"] == "Pay Kestrel Bearings 1,000.00 EUR for invoice KB-1?"
    client = signed_in(everybody.clerk)
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "de"
    for address in ("/queue/", case_url(review)):
        assert "An Kestrel Bearings 1.000,00 EUR für Rechnung KB-1 zahlen?" in text_of(client.get(address))


def test_what_a_question_had_to_leave_open_is_said_in_the_readers_language_too():
    pay, reimburse = get_action("erp.pay_invoice").question, get_action("erp.reimburse").question
    given = {"amount": None, "currency": "EUR", "invoice_number": "KB-1", "vendor_name": None}
    open_ = pay.format_map({name: shown(name, value) for name, value in given.items()})
    given = {"amount": "1234.5", "currency": "EUR", "shop": "Café", "date": "2026-11-20", "employee_name": "Rita"}
    whole = reimburse.format_map({name: shown(name, value) for name, value in given.items()})
    assert question(open_) == "Pay an unknown vendor (not known) EUR for invoice KB-1?"
    with translation.override("de"):
        assert question(open_) == "An einen unbekannten Lieferanten (nicht bekannt) EUR für Rechnung KB-1 zahlen?"
        assert question(whole) == "Rita 1.234,50 EUR für Café vom 20. Nov. 2026 erstatten?"
        assert "Oktober 20" in question(whole.replace("2026-11-20", "Oktober 20")), "as the receipt has it"


@pytest.mark.parametrize("form", [RunFilter, HoldForm, ReasonForm, IncidentForm, FilterForm])
def test_every_control_has_a_label_that_follows_the_reader(form):
    shown_ = {name: field for name, field in form.base_fields.items() if not field.widget.is_hidden}
    assert not [name for name, field in shown_.items() if field.label and not isinstance(field.label, Promise)]


# Other tests add effects of their own, whose questions nobody translates.
SHIPPED = [get_action(kind).question for kind in action_kinds() if not kind.startswith("test.")]


@pytest.mark.parametrize("form", [*SHIPPED, *taking_back.QUESTIONS, GO_ON])
def test_every_form_of_a_question_is_found_again_with_what_was_put_into_it(form):
    names = re.findall(r"{(\w+)}", form)
    asked = form.format_map({name: f"<{name}> of {{it}}" for name in names})
    with translation.override("de"):
        said = question(asked)
    assert said not in (asked, form)
    assert all(f"<{name}>" in said for name in names)
    assert question(f"Or: {asked}") == f"Or: {asked}"
