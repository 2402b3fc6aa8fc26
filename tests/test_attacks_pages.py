"""What is tried against every address there is. New addresses are walked over without being named here."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from audit.log import database_now
from audit.models import Event
from orchestrator import services
from orchestrator.models import Decision, Effect, Hold, Incident, Run, Task
from reviews.models import Approval, Comment, Draft, Review

from .cast import Cast, answer, cast, waiting_bill
from .desk import case_url, form_of, signed_in, text_of
from .guards import guards_lifted

pytestmark = pytest.mark.django_db
OPEN = {"healthz", "readyz", "metrics", "accounts/login/", "api/v1/openapi.json", "csp/"}  # to whoever asks
NOT_OURS = ("admin/",)  # Django's own; tests/test_admin.py
SIGNED = "hooks/<slug:name>/"  # proves itself by its signature; tests/test_webhooks.py
# What a person without any grant may open: lists of their own things, which are empty.
OWN = re.compile(r"(queue/(news/|bulk/)?|runs/|start/|notices/|me/|audit/|toast/|help/keys/|insights/)?")
LOOKING = {"review.viewed", "document.viewed", "trail.viewed", "review.loaded_ahead", "access.refused", "source.read"}


def patterns(resolver: URLResolver, before: str = "") -> Iterator[tuple[str, URLPattern]]:
    for one in resolver.url_patterns:
        route = before + str(one.pattern)
        if isinstance(one, URLResolver):
            if not route.startswith(NOT_OURS):
                yield from patterns(one, route)
        else:
            yield route, one


def addresses(known: Mapping[str, Any]) -> dict[str, str]:
    """{route: an address of it that leads to something}."""
    return {route: "/" + filled(route, known) for route, _ in patterns(get_resolver())}


def filled(route: str, known: Mapping[str, Any]) -> str:
    first = route.removeprefix("api/v1/").partition("/")[0]
    values = {"slug": "pay-bills", "int": "1", "path": "nowhere"}

    def value(found: re.Match[str]) -> str:
        return values.get(found["kind"], str(known.get(first, known["cases"])))

    return re.sub(r"<(?P<kind>\w+):(?P<name>\w+)>", value, route)


@pytest.fixture
def everybody() -> Cast:
    return cast()


@pytest.fixture
def known(everybody: Cast) -> dict[str, Any]:
    """A case on which somebody has acted, and what hangs on it, by the first part of its addresses."""
    review, other = waiting_bill(everybody), waiting_bill(everybody)
    answered = answer(other, everybody.clerk, "reject")
    hold = services.pull_hold(scope="kind", value="x", reason="try", actor=everybody.admin)
    run = review.run
    incident = Incident.objects.create(run=other.run, kind="try", detail="try", opened_at=run.started_at)
    return {
        "cases": review.task_id,
        "reviews": review.pk,
        "runs": run.pk,
        "decisions": answered["decision"],
        "holds": hold.pk,
        "incidents": incident.pk,
        "audit": Event.objects.filter(run=str(run.pk)).first().pk,
        "documents": UUID(int=7),
    }


def state() -> Any:
    """All that an act could have changed."""
    return [
        list(Run.objects.order_by("pk").values_list("pk", "status")),
        list(Task.objects.order_by("pk").values_list("pk", "status", "fence")),
        list(Review.objects.order_by("pk").values_list("pk", "status", "round", "packet_digest", "claimed_by")),
        list(Effect.objects.order_by("pk").values_list("pk", "state")),
        list(Hold.objects.order_by("pk").values_list("pk", "released_at")),
        list(Incident.objects.order_by("pk").values_list("pk", "resolved_at")),
        [model.objects.count() for model in (Approval, Decision, Comment, Draft)],
        list(Event.objects.exclude(kind__in=LOOKING).order_by("id").values_list("id", flat=True)),
    ]


@pytest.mark.breaks_invariants
def test_u02_nobody_reads_anything_without_signing_in(known):
    client = Client()
    for route, address in addresses(known).items():
        answered = client.get(address)
        if route in OPEN:
            continue
        assert answered.status_code in (302, 401, 404, 405), f"{address} is {answered.status_code}"
        if answered.status_code == 302 and route:
            assert answered["Location"].startswith(settings.LOGIN_URL), f"{address} leads to {answered['Location']}"


@pytest.mark.breaks_invariants
def test_u02_somebody_without_any_grant_reads_nothing_of_others(known, everybody):
    client = signed_in(everybody.outsider)
    for route, address in addresses(known).items():
        answered = client.get(address)
        if route in OPEN or OWN.fullmatch(route):
            for secret in (str(known["cases"]), str(known["runs"]), "Kestrel"):
                assert secret not in text_of(answered), f"{address} tells of {secret}"
            continue
        assert answered.status_code in (302, 401, 403, 404, 405), f"{address} is {answered.status_code}"


@pytest.mark.breaks_invariants
def test_u03_looking_changes_nothing_whatever_is_looked_at(known, everybody):
    """By those who may do the most: a clerk, and a superuser."""
    for person in (everybody.clerk, everybody.admin):
        client, before = signed_in(person), state()
        for route, address in addresses(known).items():
            for method in ("get", "head", "options") if route != "accounts/logout/" else ():
                assert getattr(client, method)(address).status_code < 500, address
            assert state() == before, f"looking at {address} changed something"


@pytest.mark.breaks_invariants
def test_u06_a_get_in_disguise_stays_a_get(known, everybody):
    client, before = signed_in(everybody.clerk), state()
    for what in ("decide", "claim", "release", "comment", "hand-over"):
        for disguise in ({"HTTP_X_HTTP_METHOD_OVERRIDE": "POST"}, {"QUERY_STRING": "_method=POST"}):
            assert client.get(f"/cases/{known['cases']}/{what}/", **disguise).status_code == 405
    assert state() == before


@pytest.mark.breaks_invariants
def test_u04_without_the_token_of_the_page_nothing_is_done(known, everybody):
    client, before = Client(enforce_csrf_checks=True), state()
    client.force_login(everybody.clerk)
    for route, address in addresses(known).items():
        if not route.startswith("api/") and route != SIGNED and route not in OPEN:
            assert client.post(address).status_code in (403, 404, 405), f"{address} took it"
            assert client.post(address, HTTP_HX_REQUEST="true").status_code in (403, 404, 405), f"{address} took it"
    assert state() == before


def test_u05_a_form_of_another_site_is_refused_though_it_has_a_token(everybody):
    client, review = Client(enforce_csrf_checks=True), waiting_bill(everybody)
    client.force_login(everybody.clerk)
    shown = form_of(client.get(case_url(review)))
    token = {"csrfmiddlewaretoken": client.cookies["csrftoken"].value, "verdict": "reject", "reason": "other"}
    answered = client.post(case_url(review, "decide"), shown | token, HTTP_ORIGIN="https://evil.example")
    assert answered.status_code == 403
    assert not Approval.objects.exists()


def test_u16_signing_in_gives_a_session_of_its_own():
    """A session known to somebody else before is worth nothing afterwards."""
    get_user_model().objects.create_user("fay", password="correct horse")
    client = Client()
    session = client.session
    session["planted"] = True
    session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = planted = session.session_key
    client.post(settings.LOGIN_URL, {"username": "fay", "password": "correct horse"})
    assert client.cookies[settings.SESSION_COOKIE_NAME].value != planted
    client.cookies[settings.SESSION_COOKIE_NAME] = planted
    assert client.get("/queue/").status_code == 302


@pytest.mark.breaks_invariants
def test_u17_u21_no_page_stands_in_a_frame_or_stays_behind(known, everybody):
    client = signed_in(everybody.clerk)
    for address in addresses(known).values():
        answered = client.get(address)
        if answered.status_code != 200 or not answered["Content-Type"].startswith("text/html"):
            continue
        assert answered["X-Frame-Options"] == "DENY", address
        assert "frame-ancestors 'none'" in answered["Content-Security-Policy"], address
        assert "no-store" in answered["Cache-Control"] or "no-cache" in answered["Cache-Control"], address
        assert "private" in answered["Cache-Control"], address
    case = client.get(f"/cases/{known['cases']}/")
    assert "no-store" in case["Cache-Control"]
    assert 'hx-history="false"' in text_of(case)


def test_u19_the_page_lets_nothing_in_its_content_run(everybody):
    page = text_of(signed_in(everybody.clerk).get("/queue/")).replace("&quot;", '"')
    config = re.search(r'name="htmx-config" content=[\'"](\{.*?\})[\'"]>', page)[1]
    for setting in ('"allowEval":false', '"allowScriptTags":false', '"selfRequestsOnly":true', '"historyCacheSize":0'):
        assert setting in config.replace(" ", "")


@pytest.mark.breaks_invariants
def test_u22_a_part_of_a_page_is_never_taken_for_the_page(known, everybody):
    client = signed_in(everybody.clerk)
    for address in ("/queue/", "/runs/", "/audit/", f"/cases/{known['cases']}/"):
        assert "HX-Request" in client.get(address).get("Vary", ""), address


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "javascript:alert(1)", "/\\evil.example"])
def test_u23_nobody_is_led_to_another_site(target):
    get_user_model().objects.create_user("fay", password="correct horse")
    given = {"username": "fay", "password": "correct horse", "next": target}
    assert Client().post(settings.LOGIN_URL, given)["Location"] == settings.LOGIN_REDIRECT_URL


HOSTILE = (
    "sort=password",
    "order_by=password",
    "page=-1",
    "page=1000000000",
    "cursor=x'--",
    "run__started_by__password=x",
    "status=%00",
    "since=9999999999",
    "after=\u202e",
)


def test_u24_an_address_nobody_made_is_answered_with_a_list_or_a_refusal(everybody):
    client = signed_in(everybody.clerk)
    for query in HOSTILE:
        for address in ("/queue/", "/runs/", "/audit/"):
            assert client.get(f"{address}?{query}").status_code in (200, 302, 400, 404, 422), f"{address}?{query}"


def test_u31_a_request_for_another_host_is_refused(everybody, settings):
    settings.ALLOWED_HOSTS = ["countersign.example"]
    client = signed_in(everybody.clerk)
    for host in ("evil.example", "countersign.example:80@evil.example", "countersign.example,evil.example"):
        assert client.get("/queue/", HTTP_HOST=host).status_code == 400
    assert client.get("/queue/", HTTP_HOST="countersign.example").status_code == 200


def test_u32_an_error_of_ours_tells_nothing_of_our_inside(everybody, monkeypatch, settings):
    settings.DEBUG = False
    review = waiting_bill(everybody)
    client = signed_in(everybody.clerk)
    client.raise_request_exception = False

    def broken(*args: Any, **given: Any) -> None:
        raise RuntimeError("SELECT secret FROM accounts")

    monkeypatch.setattr("reviews.services.view", broken)
    answered = client.get(case_url(review))
    assert answered.status_code == 500
    for inside in ("secret", "Traceback", "RuntimeError", "reviews/"):
        assert inside not in text_of(answered)


@pytest.mark.breaks_invariants
@pytest.mark.parametrize(("hours", "answers"), [(23, 1), (25, 0)])
def test_u14_a_page_that_was_opened_a_day_ago_decides_nothing_whatever_it_says_of_itself(everybody, hours, answers):
    client, review = signed_in(everybody.clerk), waiting_bill(everybody)
    shown = form_of(client.get(case_url(review))) | {"opened": timezone.now().isoformat()}
    with guards_lifted():
        Event.objects.filter(kind="review.viewed").update(at=database_now() - timedelta(hours=hours))
    answered = client.post(case_url(review, "decide"), shown | {"verdict": "reject", "reason:reject": "duplicate"})
    assert (answered.status_code == 409, Approval.objects.count()) == (not answers, answers)
    if not answers:
        assert "opened more than 24 hours ago" in text_of(answered)


@pytest.mark.breaks_invariants
def test_a13_nobody_becomes_somebody_else_whatever_they_ask_for(known, everybody):
    """Not even a superuser, and not on the page of the account itself."""
    client, other = signed_in(everybody.admin), everybody.clerk
    account = f"/admin/auth/user/{other.pk}/"
    wanted = dict.fromkeys(("user", "user_id", "user_pk", "as", "id"), other.pk) | {"username": other.username}
    for address in (*addresses(known).values(), account, f"{account}change/", f"{account}login/", f"{account}hijack/"):
        if address.startswith("/accounts/logout"):
            continue
        for asked in (client.get, client.post):
            asked(address, wanted)
            assert client.session["_auth_user_id"] == str(everybody.admin.pk), address


@pytest.mark.parametrize("name", ["CLERK", "ｃｌｅｒｋ", "clerk\u200b", "clerk "])
def test_a12_an_account_is_not_made_twice_under_another_spelling(everybody, name):
    """People are not imported; the admin is the one way they come in."""
    given = {"username": name, "usable_password": "false", "password1": "", "password2": ""}
    answered = signed_in(everybody.admin).post("/admin/auth/user/add/", given)
    assert answered.status_code == 200
    assert "errorlist" in text_of(answered)


REPORT = {"document-uri": "http://x/queue/", "effective-directive": "script-src-elem", "blocked-uri": "http://evil/\n1"}


def test_u20_what_a_browser_blocked_is_told_in_one_line_and_only_by_people_who_have_signed_in(everybody, caplog):
    policy = signed_in(everybody.clerk).get("/queue/")["Content-Security-Policy"]
    address = re.search(r"report-uri (\S+?)(;|$)", policy)[1]
    clerk, stranger = signed_in(everybody.clerk), Client()
    nonsense = (b"", b"{", b"[]", b'{"csp-report": 1}', b'{"csp-report": {}}', b"[" * 9000, b"x" * 20_000)
    for client, body in ((stranger, json.dumps({"csp-report": REPORT})), *((clerk, body) for body in nonsense)):
        assert client.post(address, body, content_type="application/csp-report").status_code == 204
    assert caplog.text == ""
    clerk.post(address, json.dumps({"csp-report": REPORT}), content_type="application/csp-report")
    assert [record.getMessage() for record in caplog.records] == [
        f"page 'http://x/queue/': 'script-src-elem' has blocked 'http://evil/\\n1', for user {everybody.clerk.pk}"
    ]
