"""What one person writes about a connection to others stands still until another has put it in force."""

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from audit.models import Event
from orchestrator import services
from orchestrator.errors import SecondPersonNeeded
from orchestrator.models import Hook, WebhookEndpoint

from .cast import second_admin
from .desk import admin_named
from .test_webhooks import post

pytestmark = pytest.mark.django_db
ENDPOINTS = "/admin/orchestrator/webhookendpoint/"
FIELDS = {"name": "erp", "url": "https://erp.example/hook", "kinds": "[]", "secret": "whsec_c2VjcmV0"}


@pytest.fixture
def author():
    return admin_named("author")


@pytest.fixture
def second():
    return admin_named("second")


@pytest.fixture
def endpoint(author) -> WebhookEndpoint:
    author.post(f"{ENDPOINTS}add/", FIELDS)
    return WebhookEndpoint.objects.get()


def act(client: Client, row, what: str) -> str:
    return client.post(f"{ENDPOINTS}{row.pk}/{what}-connection/", follow=True).content.decode()


def is_active(row) -> bool:
    return type(row).objects.get(pk=row.pk).is_active


def test_who_wrote_it_does_not_put_it_in_force(author, second, endpoint):
    assert not is_active(endpoint)
    assert "Put in force" not in author.get(f"{ENDPOINTS}{endpoint.pk}/change/").content.decode()
    assert "somebody else has to put it in force" in act(author, endpoint, "publish")
    assert not is_active(endpoint)
    assert "Put in force" in second.get(f"{ENDPOINTS}{endpoint.pk}/change/").content.decode()
    assert "Erp is in force" in act(second, endpoint, "publish")
    assert is_active(endpoint)
    told = Event.objects.filter(kind__startswith="connection.").oldest_first().values_list("kind", "actor_label")
    assert list(told) == [("connection.proposed", "author"), ("connection.published", "second")]


def test_a_change_stands_still_until_somebody_else_has_looked(author, second, endpoint):
    act(second, endpoint, "publish")
    second.post(f"{ENDPOINTS}{endpoint.pk}/change/", FIELDS | {"url": "https://elsewhere.example/hook"})
    assert not is_active(endpoint)
    act(second, endpoint, "publish")
    assert not is_active(endpoint)
    act(author, endpoint, "publish")
    assert is_active(endpoint)


def test_saving_without_a_change_leaves_it_in_force(author, second, endpoint):
    act(second, endpoint, "publish")
    author.post(f"{ENDPOINTS}{endpoint.pk}/change/", FIELDS)
    assert is_active(endpoint)


def test_what_was_changed_behind_the_back_of_the_second_person_is_refused(second, endpoint):
    WebhookEndpoint.objects.update(url="https://elsewhere.example/hook")
    assert "the draft was changed since author handed it over" in act(second, endpoint, "publish")
    assert not is_active(endpoint)


def test_one_person_is_enough_to_switch_it_off(author, second, endpoint):
    act(second, endpoint, "publish")
    assert "Erp is switched off" in act(author, endpoint, "stop")
    assert not is_active(endpoint)
    assert "somebody else has to put it in force" in act(author, endpoint, "publish")
    assert "Erp is in force" in act(second, endpoint, "publish")


def test_a_link_that_is_opened_puts_nothing_in_force(second, endpoint):
    assert second.get(f"{ENDPOINTS}{endpoint.pk}/publish-connection/").status_code == 404
    assert not is_active(endpoint)


def test_an_address_where_events_come_in_takes_two_people_as_well(author):
    author.post("/admin/orchestrator/hook/add/", {"name": "bank", "secret": "whsec_c2VjcmV0", "correlation": "subject"})
    hook = Hook.objects.get()
    assert not hook.is_active
    with pytest.raises(SecondPersonNeeded):
        services.publish_connection(row=hook, actor=hook.proposed_by)
    assert post(Client(), hook).status_code == 401
    services.publish_connection(row=hook, actor=second_admin())
    assert post(Client(), hook).status_code == 202


@pytest.mark.parametrize("model", [Hook, WebhookEndpoint])
def test_the_database_refuses_one_person_for_both(model, endpoint):
    one = endpoint.proposed_by
    with pytest.raises(IntegrityError, match="put_in_force_by_a_second_person"), transaction.atomic():
        model.objects.create(name="alone", is_active=True, proposed_by=one, put_in_force_by=one)
