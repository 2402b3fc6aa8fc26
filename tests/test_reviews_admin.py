"""What an admin may edit is recorded with old and new values; what people answered cannot be edited anywhere."""

import pytest
from django.db import DatabaseError, connection, transaction
from django.urls import reverse

from audit.log import database_now
from audit.models import Event
from orchestrator.permissions import holds
from reviews.models import Approval, ReviewLevel

from .cast import answer, cast, group, kinds_since, mark, waiting_bill

pytestmark = pytest.mark.django_db


@pytest.fixture
def everybody(client):
    everybody = cast()
    client.force_login(everybody.admin)
    return everybody


def told() -> list[dict]:
    event = Event.objects.order_by("at", "id").last()
    return event.data["changes"]


def test_a_change_of_a_policy_and_its_levels_is_recorded_with_old_and_new(everybody, client):
    policy, before = everybody.policy, mark()
    page = reverse("admin:reviews_reviewpolicy_change", args=[policy.pk])
    names = ("name", "quorum", "undo_seconds", "sla_minutes", "validity_hours", "max_rounds", "recommendation")
    names += ("similar_below",)
    form = {name: getattr(policy, name) for name in names} | {"quorum": 2}
    rows = {"levels-TOTAL_FORMS": 1, "levels-INITIAL_FORMS": 0, "levels-0-position": 1, "levels-0-above": "20000.00"}
    rows |= {"codes-TOTAL_FORMS": 0, "codes-INITIAL_FORMS": 0}
    answered = client.post(page, {**form, **rows, "levels-0-group": group("managers").pk})
    assert answered.status_code == 302, answered.context["errors"]
    assert kinds_since(before) == ["config.changed"]
    level = {"position": 1, "above": "20000.00"}
    assert told() == [
        {"field": "quorum", "new": 2, "old": 1},
        {"field": "level managers", "new": level, "old": None},
    ]
    assert ReviewLevel.objects.get().group.name == "managers"


def test_giving_and_taking_a_permission_on_a_queue_is_recorded(everybody, client):
    page = reverse("admin:reviews_queue_permissions_manage_user", args=[everybody.clerks.pk, everybody.outsider.pk])
    before = mark()
    client.post(page, {"permissions": ["decide"]})
    assert holds(everybody.outsider, "decide", everybody.clerks)
    client.post(page, {"permissions": [], "save": "Save"})
    assert not holds(everybody.outsider, "decide", everybody.clerks)
    assert kinds_since(before) == ["grant.given", "grant.revoked"]


def test_reviews_and_answers_are_read_only_in_the_admin(everybody, client):
    review = waiting_bill(everybody)
    answer(review, everybody.clerk)
    for name, row in (("review", review), ("approval", Approval.objects.get())):
        assert client.get(reverse(f"admin:reviews_{name}_changelist")).status_code == 200
        page = reverse(f"admin:reviews_{name}_change", args=[row.pk])
        assert client.get(page).status_code == 200
        assert client.post(page, {"status": "open"}).status_code == 403
        assert client.post(reverse(f"admin:reviews_{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403


@pytest.mark.parametrize(
    "statement", ["UPDATE reviews_approval SET verdict = 'reject'", "DELETE FROM reviews_approval"]
)
def test_the_database_itself_refuses_to_change_an_answer(everybody, statement):
    answer(waiting_bill(everybody), everybody.clerk)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert Approval.objects.get().at <= database_now()
