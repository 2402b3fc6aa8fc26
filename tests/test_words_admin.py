"""In the admin as well every text of ours is marked for translation: lists, forms, objections, object permissions."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse
from django.utils.functional import Promise
from guardian.admin import GuardedModelAdmin

from audit.kinds import KINDS, NOUNS
from audit.models import Event
from orchestrator.models import (
    ApiToken,
    Booked,
    DataSource,
    Document,
    Effect,
    ExchangeRate,
    Hold,
    Hook,
    HookDelivery,
    Incident,
    LedgerEntry,
    SourceRow,
    WebhookDelivery,
    WebhookEndpoint,
)
from reviews.models import ReasonCode, ReviewLevel, ReviewPolicy
from tests.brackets import WORD, put_brackets, unmarked, words_of_data
from tests.cast import Cast, answer, cast, group, waiting_bill, work
from tests.control import mailbox, planted
from tests.desk import signed_in

OURS = ("audit", "orchestrator", "reviews")
# A word that Django did not mark, names of formats and standards, and what is written into rules as it stands here.
AS_IT_STANDS = {"search", "sha", "utf", "queue", "step", "name", "fact", "text", "csv", "json", "lines", "ubl"}


@pytest.fixture
def bracketed(monkeypatch: pytest.MonkeyPatch) -> None:
    put_brackets(monkeypatch)


def one_of_each(everybody: Cast, root: Any) -> None:
    """A row of every model of ours that the admin shows."""
    answer(waiting_bill(everybody), everybody.clerk)
    review = waiting_bill(everybody)
    work()
    run = review.run
    Incident.objects.create(run=run, kind="try", detail="try", opened_at=Now())
    Hold.objects.create(scope="kind", value="test.pay", reason="try", pulled_by=root)
    Document.objects.create(sha256="d", name="note.txt", media_type="text/plain", size=1, uploaded_by=root)
    Booked.objects.create(key="k", kind="test.pay", business_key="b", ref="r")
    ApiToken.objects.create(digest="d", user=everybody.clerk, expires_at=run.started_at)
    ExchangeRate.objects.create(currency="USD", rate="0.9", valid_from="2026-01-31")
    source = DataSource.objects.create(name="colours", title="Colours", key_field="name")
    SourceRow.objects.create(source=source, key="red", data={}, digest="d")
    LedgerEntry.objects.get_or_create(key="l", kind="test.pay", payload={}, payload_digest="d")
    hook = Hook.objects.create(name="orders", is_active=False)
    HookDelivery.objects.create(hook=hook, webhook_id="m", body={}, run=run)
    endpoint = WebhookEndpoint.objects.create(name="out", url="https://out.example/", proposed_by=everybody.manager)
    WebhookDelivery.objects.create(endpoint=endpoint, event=Event.objects.first().pk, kind="run.started", next_at=Now())
    planted(everybody, mailbox())
    policy = ReviewPolicy.objects.first()
    ReviewLevel.objects.create(policy=policy, group=group("managers"))
    ReasonCode.objects.create(policy=policy, verdict="reject", code="copy", words="copy")
    assert Effect.objects.exists()


def words_of_rows() -> set[str]:
    """What stands in the database, and the names of the columns and of the plain data in it."""
    rows = [
        row
        for app in OURS
        for model in apps.get_app_config(app).get_models()
        for row in model._default_manager.values()
    ]
    return {word.lower() for word in WORD.findall(json.dumps(rows, default=str))} | words_of_data() | AS_IT_STANDS


def shown() -> list[type[Any]]:
    return [model for model in admin.site._registry if model._meta.app_label in OURS]


@pytest.mark.django_db
def test_nothing_in_the_admin_stands_outside_the_brackets_but_data(bracketed):
    root = get_user_model().objects.create_superuser("root", password="known")
    one_of_each(cast(), root)
    data = words_of_rows()
    client = signed_in(root)
    found = [text for model in shown() for text in pages_of(model, client, data)]
    assert not found, "\n".join(sorted(set(found)))


def pages_of(model: type[Any], client: Client, data: set[str]) -> Iterator[str]:
    site, row = admin.site._registry[model], model._default_manager.first()
    assert row is not None, f"no {model.__name__} to look at"
    names = ["changelist", "add"]
    yield from (text for name in names for text in unmarked(client, address(model, name), data))
    yield from unmarked(client, address(model, "add"), data, _save="1", **management(model))
    for name in ("change", "delete", "history", *(["permissions"] if isinstance(site, GuardedModelAdmin) else [])):
        yield from unmarked(client, address(model, name, row), data)


def address(model: type[Any], name: str, *rows: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=[row.pk for row in rows])


def management(model: type[Any]) -> dict[str, str]:
    """What a form with further rows must say of them: none."""
    names = [inline.model._meta.get_field(inline.fk_name or "policy") for inline in admin.site._registry[model].inlines]
    return {
        f"{field.remote_field.get_accessor_name()}-{part}_FORMS": "0"
        for field in names
        for part in ("TOTAL", "INITIAL")
    }


def test_every_noun_of_the_trail_has_words():
    assert {kind.partition(".")[0] for kind in KINDS} == set(NOUNS)


@pytest.mark.parametrize("label", OURS)
def test_every_model_and_field_has_a_name_in_the_glossary(label):
    for model in apps.get_app_config(label).get_models():
        assert isinstance(model._meta.verbose_name, Promise), f"{model.__name__} has no name"
        for field in (*model._meta.local_fields, *model._meta.local_many_to_many):
            assert isinstance(field.verbose_name, Promise), f"{model.__name__}.{field.name} has no name"
            assert not field.help_text or isinstance(field.help_text, Promise), f"{model.__name__}.{field.name}: help"
