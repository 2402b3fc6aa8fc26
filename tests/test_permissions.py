"""The one question who may do what, and the lists that follow from it."""

import re
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission
from django.http import Http404

from orchestrator import permissions
from orchestrator.grants import give
from orchestrator.models import Document, Run, Workflow
from orchestrator.permissions import get_visible_or_404, granted, holders, holds, may, visible_runs, visible_scopes
from reviews.models import Queue, Review

from .cast import bill, cast, group, person, waiting_bill

PROJECT = Path(__file__).resolve().parent.parent
FORBIDDEN = re.compile(r"\.(?:has_perms?|is_superuser|has_module_perms)\b|\bget_objects_for_user\b")


def test_nobody_else_asks_django_or_guardian_for_permissions():
    """A check of its own forgets a rule, or lets a superuser through."""
    places = [path for app in ("audit", "orchestrator", "reviews") for path in (PROJECT / app).rglob("*.py")]
    found = [
        f"{path.relative_to(PROJECT)}:{number}"
        for path in places
        if path != PROJECT / "orchestrator" / "permissions.py" and "migrations" not in path.parts
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if FORBIDDEN.search(line)
    ]
    assert found == []


@pytest.mark.django_db
def test_a_grant_counts_on_its_object_for_a_person_or_their_group_and_nowhere_else():
    everybody = cast()
    direct, by_group = person("direct"), person("by_group", "team")
    give("decide", direct, everybody.clerks, actor=everybody.admin)
    give("decide", group("team"), everybody.clerks, actor=everybody.admin)
    for user in (direct, by_group):
        assert holds(user, "decide", everybody.clerks)
        assert not holds(user, "decide", everybody.seniors)
        assert not holds(user, "reroute", everybody.clerks)
        assert granted(user, Queue, ["decide", "reroute"]) == {str(everybody.clerks.pk)}


@pytest.mark.django_db
def test_neither_a_superuser_nor_a_permission_on_the_model_holds_anything_on_an_object():
    everybody = cast()
    everybody.outsider.user_permissions.set(Permission.objects.all())
    for user in (everybody.admin, everybody.outsider):
        assert not holds(user, "decide", everybody.clerks)
        assert not may(user, "decide", everybody.clerks)
        assert granted(user, Queue, ["decide"]) == set()


@pytest.mark.django_db
def test_an_account_that_is_switched_off_may_nothing_and_sees_nothing():
    everybody = cast()
    run = bill(everybody)
    everybody.requester.is_active = everybody.auditor.is_active = False
    for user in (everybody.requester, everybody.auditor):
        assert not may(user, "view", run)
        assert not visible_runs(user).exists()
        assert visible_scopes(user) == permissions.Scopes()


@pytest.mark.django_db
def test_an_action_without_a_rule_is_no():
    everybody = cast()
    assert not may(everybody.admin, "paint", everybody.clerks)
    assert not may(everybody.admin, "view", everybody.policy)


def test_a_second_rule_for_an_action_is_a_mistake():
    with pytest.raises(ValueError, match=r"Run.view has a rule already"):
        permissions.register(Run, "view", lambda user, run: True)


@pytest.mark.django_db
def test_a_run_is_seen_by_who_started_it_by_its_workflow_by_its_cases_and_by_auditors():
    everybody = cast()
    plain, asked = bill(everybody), waiting_bill(everybody).run
    watcher = person("watcher")
    give("view_runs", watcher, Workflow.objects.get(), actor=everybody.admin)
    seen = {
        user.username: set(visible_runs(user).values_list("pk", flat=True))
        for user in (
            everybody.requester,
            everybody.clerk,
            everybody.auditor,
            watcher,
            everybody.outsider,
            everybody.admin,
        )
    }
    both = {plain.pk, asked.pk}
    assert seen["requester"] == seen["auditor"] == seen["watcher"] == both
    assert seen["clerk"] == {asked.pk}
    assert seen["outsider"] == seen["admin"] == set()


@pytest.mark.django_db
def test_not_yours_and_not_there_are_the_same_answer():
    everybody = cast()
    run = bill(everybody)
    assert get_visible_or_404(Run.objects.all(), everybody.requester, pk=run.pk) == run
    with pytest.raises(Http404):
        get_visible_or_404(Run.objects.all(), everybody.outsider, pk=run.pk)
    with pytest.raises(Http404):
        get_visible_or_404(Run.objects.all(), everybody.requester, pk=everybody.clerks.pk)


@pytest.mark.django_db
def test_reviews_are_seen_by_their_queue_and_by_whom_they_were_put_to():
    everybody = cast()
    review = waiting_bill(everybody)
    assert not may(everybody.outsider, "view", review)
    Review.objects.filter(pk=review.pk).update(asked=everybody.outsider)
    review.refresh_from_db()
    assert may(everybody.outsider, "view", review)
    assert may(everybody.outsider, "answer", review)
    assert list(permissions.visible(Review.objects.all(), everybody.outsider)) == [review]
    assert not may(everybody.outsider, "approve", review)
    assert may(everybody.clerk, "approve", review)
    assert not may(everybody.requester, "approve", review)


@pytest.mark.django_db
def test_a_document_is_seen_by_who_sent_it_and_by_who_sees_a_run_with_it():
    everybody = cast()
    sent = Document.objects.create(
        sha256="0" * 64, name="bill.xml", media_type="application/xml", size=1, uploaded_by=everybody.requester
    )
    run = waiting_bill(everybody).run
    run.rundocument_set.create(document=sent, role="document")
    for user, sees in ((everybody.requester, True), (everybody.clerk, True), (everybody.outsider, False)):
        assert may(user, "view", sent) is sees


@pytest.mark.django_db
def test_the_trail_is_read_by_queue_by_workflow_or_whole_and_ones_own_acts_always():
    everybody = cast()
    give("view_runs", everybody.clerk, Workflow.objects.get(), actor=everybody.admin)
    scopes = visible_scopes(everybody.clerk)
    assert (scopes.everything, scopes.queues, scopes.workflows) == (False, {"clerks"}, {"pay-bills"})
    assert scopes.actor_id == str(everybody.clerk.pk)
    assert visible_scopes(everybody.auditor).everything
    outsider = visible_scopes(everybody.outsider)
    assert (outsider.everything, outsider.queues, outsider.workflows) == (False, frozenset(), frozenset())


@pytest.mark.django_db
def test_those_who_could_decide_are_listed_without_agents_and_without_those_who_left():
    everybody = cast()
    type(everybody.second).objects.filter(pk=everybody.second.pk).update(is_active=False)
    assert [user.username for user in holders("decide", everybody.clerks)] == ["cfo", "clerk", "manager", "requester"]


@pytest.mark.django_db
@pytest.mark.parametrize("few", [0, 1_000])
def test_readers_of_few_and_of_many_cases_see_the_runs_of_these_cases_alone(monkeypatch, few):
    monkeypatch.setattr("reviews.permissions.FEW", few)
    people = cast()
    runs = {waiting_bill(people).run_id for _ in range(2)}
    assert set(visible_runs(people.clerk).values_list("pk", flat=True)) == runs
    assert not visible_runs(people.outsider).exists()
