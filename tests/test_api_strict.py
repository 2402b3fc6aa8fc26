"""What the API refuses before it does anything: callers without a token, and bodies that could be read in two ways."""

import json
from datetime import timedelta

import jsonschema
import pytest
from django.contrib.auth import get_user_model
from django.db import connections
from django.db.models.functions import Now
from django.test import Client

from audit.log import SYSTEM
from orchestrator import grants, services
from orchestrator.models import ApiToken, Run
from orchestrator.tokens import issue_token, revoke_token

from .api import Caller, fields
from .cast import second_admin
from .engine_agents import line

pytestmark = pytest.mark.django_db


@pytest.fixture
def user():
    user = get_user_model().objects.create_user("requester")
    workflow = services.save_workflow(source=line("simple", ["test.count"]), actor=user, second=second_admin()).workflow
    grants.give("start_run", user, workflow, actor=user)
    return user


@pytest.fixture
def caller(user):
    return Caller(user)


def unauthenticated(response) -> bool:
    assert fields(response) == []
    return (response.status_code, response["WWW-Authenticate"], response.json()["code"]) == (
        401,
        "Bearer",
        "unauthenticated",
    )


@pytest.mark.parametrize("secret", ["", "cs_unknown", "eyJhbGciOiJub25lIn0.e30.", "x" * 5000, "ü"])
def test_p08_a_call_without_a_token_that_is_known_is_refused(db, secret):
    assert unauthenticated(Caller(secret=secret).get("runs"))
    assert unauthenticated(Caller(secret=secret).post("runs", {}))


def test_p08_a_token_that_was_revoked_or_has_expired_is_refused(user):
    secret, token = issue_token(user=user, actor=SYSTEM)
    assert Caller(secret=secret).get("runs").status_code == 200
    assert revoke_token(token=token, actor=SYSTEM)
    assert unauthenticated(Caller(secret=secret).get("runs"))
    secret, token = issue_token(user=user, actor=SYSTEM)
    ApiToken.objects.filter(pk=token.pk).update(expires_at=Now() - timedelta(seconds=1))
    assert unauthenticated(Caller(secret=secret).get("runs"))


def test_a_token_of_an_account_that_was_switched_off_is_refused(user, caller):
    get_user_model().objects.filter(pk=user.pk).update(is_active=False)
    assert unauthenticated(caller.get("runs"))


def test_a_token_is_stored_as_its_digest_alone(user):
    secret, token = issue_token(user=user, actor=SYSTEM)
    assert secret not in json.dumps(list(ApiToken.objects.values()), default=str)
    assert token.digest == ApiToken.digest_of(secret)


def test_a_browser_session_opens_nothing_here(user):
    browser = Client()
    browser.force_login(user)
    assert unauthenticated(browser.get("/api/v1/runs"))


def test_a_token_needs_no_csrf_token(user):
    strict = Client(enforce_csrf_checks=True)
    headers = Caller(user).headers()
    body = json.dumps({"workflow": "simple"})
    assert strict.post("/api/v1/runs", body, content_type="application/json", headers=headers).status_code == 201


HOSTILE = {
    "no JSON": b"workflow=simple",
    "nothing at the end": b'{"workflow": "simple"',
    "something after the end": b'{"workflow": "simple"} {}',
    "a key twice": b'{"workflow": "nothing", "workflow": "simple"}',
    "a key twice further in": b'{"workflow": "simple", "input": {"works_at": 1, "works_at": 2}}',
    "not a number": b'{"workflow": "simple", "input": {"works_at": NaN}}',
    "a number without end": b'{"workflow": "simple", "input": {"works_at": 1e400}}',
    "a number with 5,000 digits": b'{"workflow": "simple", "input": {"works_at": ' + b"9" * 5000 + b"}}",
    "half a character": b'{"workflow": "simple", "subject": "\\ud800"}',
    "a NUL character": b'{"workflow": "simple", "subject": "\\u0000"}',
    "not UTF-8": b'{"workflow": "simple", "subject": "\xff"}',
    "nesting of 50": b'{"workflow": "simple", "input": ' + b'{"a":' * 50 + b"1" + b"}" * 50 + b"}",
    "nesting of 100,000": b"[" * 100_000 + b"]" * 100_000,
    "60,000 keys": json.dumps({"workflow": "simple", "input": {str(n): n for n in range(60_000)}}).encode(),
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_p03_a_body_that_can_be_misread_is_refused(caller, body):
    refused = caller.raw("runs", body)
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_request")
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("body", "blamed"),
    [
        ([], "body"),
        ("simple", "body"),
        ({"workflow": ["simple"]}, "workflow"),
        ({"workflow": {"name": "simple"}}, "workflow"),
        ({"workflow": 0}, "workflow"),
        ({"workflow": "simple", "input": "true"}, "input"),
        ({"workflow": "simple", "documents": [{"id": 1}]}, "documents.0"),
        ({"workflow": "simple", "subject": "x" * 201}, "subject"),
        ({}, "workflow"),
        (None, "body"),
    ],
)
def test_p04_a_value_of_another_type_is_refused_by_field(caller, body, blamed):
    refused = caller.post("runs", body)
    assert refused.status_code == 422
    assert fields(refused) == [blamed]


def test_p11_another_media_type_or_a_compressed_body_is_refused(caller):
    body = b'{"workflow": "simple"}'
    for media_type in ("text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"):
        assert caller.raw("runs", body, media_type).status_code == 415
    assert caller.raw("runs", body, **{"Content-Encoding": "gzip"}).status_code == 415


def test_p03_a_body_that_is_too_large_is_refused(caller):
    refused = caller.post("runs", {"workflow": "simple", "input": {"note": "x" * 3_000_000}})
    assert (refused.status_code, refused.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    "path", ["nothing", "runs/", "runs/1", "runs/%2e%2e/trail", "runs//cancel", "runs.", "", "Runs"]
)
def test_p12_an_address_that_is_not_there_is_a_404_in_the_same_form(caller, path):
    missing = caller.get(path)
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


def test_a_method_that_is_not_taken_is_a_405_in_the_same_form(caller):
    refused = caller.client.delete("/api/v1/runs", headers=caller.headers())
    assert (refused.status_code, refused.json()["code"]) == (405, "method_not_allowed")
    assert set(refused["Allow"].split(", ")) == {"GET", "POST"}


@pytest.mark.parametrize("text", ["'; DROP TABLE orchestrator_run; --", '" OR 1=1', "%' OR '1'='1", "subject\\'"])
def test_p13_sql_in_a_text_is_a_text(caller, text):
    assert caller.post("runs", {"workflow": "simple", "subject": text}).json()["subject"] == text
    assert len(caller.get("runs", subject=text).json()["items"]) == 1
    assert caller.get("runs", workflow=text).json()["items"] == []
    assert caller.get("trail", run=text[:36]).json()["items"] == []


@pytest.mark.django_db(transaction=True)
def test_p07_fifty_calls_at_once_with_one_key_start_one_run(user, caller):
    from concurrent.futures import ThreadPoolExecutor

    def call(_):
        try:
            answer = Caller(secret=caller.secret).post("runs", {"workflow": "simple"}, **{"Idempotency-Key": "k"})
            return answer.status_code, answer.json()["id"]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(call, range(50)))
    assert sorted(status for status, _ in answers) == [200] * 49 + [201]
    assert {run for _, run in answers} == {str(Run.objects.get().pk)}


def test_the_openapi_document_is_valid_and_complete(client):
    found = client.get("/api/v1/openapi.json").json()
    assert found["openapi"].startswith("3.1")
    schemas = found["components"]["schemas"]
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    text = json.dumps(found)
    for reference in {part.split('"')[0] for part in text.split('"$ref": "')[1:]}:
        assert reference.removeprefix("#/components/schemas/") in schemas
    calls = {(method, path): call for path, ways in found["paths"].items() for method, call in ways.items()}
    for method, path in [
        ("post", "/api/v1/documents"),
        ("get", "/api/v1/documents/{document_id}"),
        ("post", "/api/v1/runs"),
        ("get", "/api/v1/runs"),
        ("get", "/api/v1/runs/{run_id}"),
        ("post", "/api/v1/runs/{run_id}/cancel"),
        ("get", "/api/v1/trail"),
        ("get", "/api/v1/workflows"),
    ]:
        call = calls[method, path]
        assert call["security"] == [{"Bearer": []}]
        assert "401" in call["responses"]
    assert len({call["operationId"] for call in calls.values()}) == len(calls)
