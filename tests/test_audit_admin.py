"""The trail in the admin can be read, and nothing else."""

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from audit.checks import visible_scopes_can_be_asked
from audit.models import Event
from tests.trail import happened

pytestmark = pytest.mark.django_db


@pytest.fixture
def root() -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("root"))
    return client


def test_an_admin_reads_the_list_and_a_record(root):
    event = happened(data={"note": "<b>bold</b>"})
    assert b"run.started" in root.get("/admin/audit/event/").content
    page = root.get(f"/admin/audit/event/{event.pk}/change/").content.decode()
    assert event.digest in page
    assert "<b>bold</b>" not in page
    assert 'name="_save"' not in page


def test_an_admin_finds_by_id_and_by_noun(root):
    happened(subject=("run", "r1"))
    happened("review.opened", subject=("review", "r2"))
    for query in ("q=r2", "noun=review"):
        shown = root.get(f"/admin/audit/event/?{query}").context["cl"].result_list
        assert [event.subject_id for event in shown] == ["r2"]


def test_an_admin_cannot_add_change_or_delete(root):
    event = happened()
    assert root.get("/admin/audit/event/add/").status_code == 403
    assert root.post(f"/admin/audit/event/{event.pk}/change/", {"kind": "run.failed"}).status_code == 403
    assert root.post(f"/admin/audit/event/{event.pk}/delete/", {"post": "yes"}).status_code == 403
    action = {"action": "delete_selected", "_selected_action": str(event.pk), "post": "yes"}
    root.post("/admin/audit/event/", action)
    assert Event.objects.get().kind == "run.started"


@pytest.mark.parametrize("path", [None, "nowhere.at_all", "audit.kinds.KINDS"])
def test_a_setting_that_names_no_function_fails_the_system_check(settings, path):
    settings.AUDIT_VISIBLE_SCOPES = path
    (error,) = visible_scopes_can_be_asked()
    assert error.id == "audit.E001"
    assert repr(path) in error.msg
