"""The rest of the admin: what may be configured and leaves an event, and what nobody edits."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from audit.log import SYSTEM
from audit.models import Event
from orchestrator import services
from orchestrator.grants import give
from orchestrator.models import AgentAccount, DataSource, ExchangeRate, Run, SourceRow, Workflow
from orchestrator.permissions import holds
from orchestrator.sources import account_of
from orchestrator.tokens import issue_token, user_of

from .cast import answer, cast, second_admin, waiting_bill, work
from .engine_agents import line

pytestmark = pytest.mark.django_db


@pytest.fixture
def root():
    return get_user_model().objects.create_superuser("root", password="known")


@pytest.fixture
def admin(root):
    client = Client()
    client.force_login(root)
    return client


def changes(kind="config.changed"):
    """{field: (old, new)} of the only event of this kind."""
    return {c["field"]: (c["old"], c["new"]) for c in Event.objects.get(kind=kind).data["changes"]}


def test_nobody_edits_what_happened(admin):
    everybody = cast_after_root()
    review = waiting_bill(everybody)
    answer(review, everybody.clerk)
    work()
    run = Run.objects.get()
    rows = [run, run.tasks.first(), run.decisions.first(), run.effects.get(), run.version]
    for row in rows:
        url = f"/admin/{row._meta.app_label}/{row._meta.model_name}/"
        assert admin.get(url).status_code == 200
        page = admin.get(f"{url}{row.pk}/change/").content.decode()
        assert 'name="_save"' not in page
        assert admin.post(f"{url}{row.pk}/change/", {"status": "succeeded"}).status_code == 403
        assert admin.post(f"{url}{row.pk}/delete/", {"post": "yes"}).status_code == 403
        assert admin.get(f"{url}add/").status_code == 403
        admin.post(url, {"action": "delete_selected", "_selected_action": str(row.pk), "post": "yes"})
        assert type(row).objects.filter(pk=row.pk).exists()


def cast_after_root():
    """The cast, whose own superuser has another name."""
    return cast()


@pytest.mark.parametrize("model", ["incident", "document", "ledgerentry", "hold", "agentaccount", "policyversion"])
def test_lists_of_what_happened_are_read_only(admin, model):
    assert admin.get(f"/admin/orchestrator/{model}/").status_code == 200
    assert admin.get(f"/admin/orchestrator/{model}/add/").status_code == 403


def test_content_of_cases_is_not_shown_in_the_admin(admin):
    everybody = cast_after_root()
    review = waiting_bill(everybody, amount="4711.42")
    for row in (review.run, *review.run.tasks.all(), *review.run.decisions.all()):
        page = admin.get(f"/admin/orchestrator/{row._meta.model_name}/{row.pk}/change/").content.decode()
        assert "4711.42" not in page


def test_a_lookup_nobody_offered_is_refused(admin):
    assert admin.get("/admin/orchestrator/run/?started_by__password__startswith=p").status_code == 400


def test_switching_a_workflow_off_is_an_event(admin, root):
    workflow = services.save_workflow(source=line("simple", ["test.count"]), actor=root, second=second_admin()).workflow
    url = f"/admin/orchestrator/workflow/{workflow.pk}/change/"
    inline = {"versions-TOTAL_FORMS": "0", "versions-INITIAL_FORMS": "0"}
    assert admin.post(url, inline).status_code == 302
    assert not Workflow.objects.get().is_active
    assert changes() == {"is_active": (True, False)}


def test_a_source_is_made_and_filled_from_a_file(admin):
    fields = {"name": "colours", "title": "Colours", "kind": "table", "key_field": "name"}
    admin.post("/admin/orchestrator/datasource/add/", fields)
    assert changes()["key_field"] == (None, "name")
    url = f"/admin/orchestrator/datasource/{DataSource.objects.get().pk}/import/"
    assert admin.get(url).status_code == 200
    rows = SimpleUploadedFile("colours.csv", b"name,code\nred,1\nblue,2\n")
    done = admin.post(url, {"file": rows}, follow=True)
    assert "2 added, 0 changed, 0 unchanged" in done.content.decode()
    assert set(SourceRow.objects.values_list("key", flat=True)) == {"red", "blue"}
    bad = SimpleUploadedFile("colours.csv", b"name,code\ngreen,3\n,4\n")
    refused = admin.post(url, {"file": bad})
    assert refused.status_code == 422
    assert refused.context["form"].errors["file"][0].startswith("line 3, name:")
    assert SourceRow.objects.count() == 2


def test_a_row_is_deleted_with_an_event_and_never_edited(admin):
    source = DataSource.objects.create(name="colours", title="Colours", key_field="name")
    rows = [SourceRow.objects.create(source=source, key=key, data={"name": key}, digest="d") for key in ("red", "blue")]
    url = f"/admin/orchestrator/sourcerow/{rows[0].pk}/"
    assert admin.post(f"{url}change/", {"key": "green"}).status_code == 403
    admin.post(f"{url}delete/", {"post": "yes"})
    action = {"action": "delete_selected", "_selected_action": str(rows[1].pk), "post": "yes"}
    admin.post("/admin/orchestrator/sourcerow/", action)
    told = [
        c["old"] for e in Event.objects.filter(kind="config.changed") for c in e.data["changes"] if c["field"] == "key"
    ]
    assert sorted(told) == ["blue", "red"]
    assert not SourceRow.objects.exists()


def test_an_agent_is_given_a_source_and_both_are_shown_who_reads_what(admin, root):
    source = DataSource.objects.create(name="colours", title="Colours", key_field="name")
    account = account_of("test.count")
    url = f"/admin/orchestrator/datasource/{source.pk}/permissions/user-manage/{account.user.pk}/"
    admin.post(url, {"permissions": ["read_source"]})
    assert holds(account.user, "read_source", source)
    assert Event.objects.get(kind="grant.given").actor_id == str(root.pk)
    assert "test.count" in admin.get(f"/admin/orchestrator/datasource/{source.pk}/change/").content.decode()
    assert "colours" in admin.get("/admin/orchestrator/agentaccount/").content.decode()
    admin.post(url, {"submit": "Save"})
    assert not holds(account.user, "read_source", source)
    assert Event.objects.filter(kind="grant.revoked").count() == 1


def test_a_group_is_allowed_to_start_a_workflow(admin, root):
    workflow = services.save_workflow(source=line("simple", ["test.count"]), actor=root, second=second_admin()).workflow
    group = Group.objects.create(name="requesters")
    url = f"/admin/orchestrator/workflow/{workflow.pk}/permissions/group-manage/{group.pk}/"
    admin.post(url, {"permissions": ["start_run"]})
    assert Event.objects.get(kind="grant.given").data["to"] == ["group", "requesters"]


def test_a_rate_is_edited_with_old_and_new_value(admin):
    rate = ExchangeRate.objects.create(currency="USD", rate="0.90000000", valid_from="2026-01-01")
    url = f"/admin/orchestrator/exchangerate/{rate.pk}/change/"
    admin.post(url, {"currency": "USD", "rate": "0.95", "valid_from": "2026-01-01"})
    assert changes() == {"rate": ("0.90000000", "0.95000000")}


def account_form(client, user):
    form = client.get(f"/admin/auth/user/{user.pk}/change/").context["adminform"].form
    return {
        "username": user.username,
        "date_joined_0": "2026-01-01",
        "date_joined_1": "00:00:00",
        "first_name": form.instance.first_name,
    }


def test_groups_and_flags_of_an_account_are_recorded(admin):
    user, group = get_user_model().objects.create_user("clerk"), Group.objects.create(name="clerks")
    admin.post(f"/admin/auth/user/{user.pk}/change/", {**account_form(admin, user), "groups": [str(group.pk)]})
    assert changes() == {"is_active": (True, False), "groups": ([], ["clerks"])}


def test_a_new_password_is_recorded_and_not_shown(admin):
    user = get_user_model().objects.create_user("clerk")
    new = {"password1": "a-very-long-secret", "password2": "a-very-long-secret", "usable_password": "true"}
    admin.post(f"/admin/auth/user/{user.pk}/password/", new)
    user.refresh_from_db()
    assert user.check_password("a-very-long-secret")
    assert changes() == {"password": ("as before", "new")}
    assert "secret" not in Event.objects.get(kind="config.changed").text


def test_an_account_with_decisions_is_not_deleted(admin):
    everybody = cast_after_root()
    answer(waiting_bill(everybody), everybody.clerk)
    page = admin.post(f"/admin/auth/user/{everybody.clerk.pk}/delete/", {"post": "yes"})
    assert page.status_code == 200
    assert get_user_model().objects.filter(pk=everybody.clerk.pk).exists()


def test_an_agent_cannot_sign_in_whatever_password_it_was_given(admin, root):
    user = account_of("test.count").user
    assert AgentAccount.objects.get().user == user
    assert admin.get(f"/admin/auth/user/{user.pk}/password/").status_code == 403
    user.set_password("known")
    user.is_staff = True
    user.save()
    visitor = Client()
    assert not visitor.login(username=user.username, password="known")
    assert visitor.login(username="root", password="known")


def test_tokens_are_listed_without_their_secret_and_revoked(admin):
    user = get_user_model().objects.create_user("program")
    secret, token = issue_token(user=user, actor=SYSTEM)
    page = admin.get("/admin/orchestrator/apitoken/").content.decode()
    assert "program" in page
    assert secret not in page
    admin.post("/admin/orchestrator/apitoken/", {"action": "revoke", "_selected_action": token.pk})
    assert user_of(secret) is None
    assert Event.objects.get(kind="token.revoked").data == {"user": str(user.pk)}
    assert admin.get("/admin/orchestrator/apitoken/add/").status_code == 403


def test_somebody_who_may_only_look_at_tokens_revokes_none(root):
    from django.contrib.auth.models import Permission

    watcher = get_user_model().objects.create_user("watcher", is_staff=True)
    watcher.user_permissions.add(Permission.objects.get(codename="view_apitoken"))
    secret, token = issue_token(user=root, actor=SYSTEM)
    client = Client()
    client.force_login(watcher)
    client.post("/admin/orchestrator/apitoken/", {"action": "revoke", "_selected_action": token.pk})
    assert user_of(secret) == root


def test_an_admin_decides_nothing_by_being_one(admin, root):
    everybody = cast_after_root()
    review = waiting_bill(everybody)
    assert admin.get(f"/cases/{review.task_id}/").status_code == 404
    give("view_queue", root, everybody.clerks, actor=root)
    assert admin.get(f"/cases/{review.task_id}/").status_code == 200
