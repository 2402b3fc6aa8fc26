"""Planting control cases in the admin, and what the list there says to whom."""

import json

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from audit.models import Event
from orchestrator.grants import give
from orchestrator.models import Run, Workflow
from reviews.models import ControlCase

from .api import PDF
from .cast import answer, cast, person
from .control import WHY, mailbox, planted, right
from .desk import signed_in, text_of

pytestmark = pytest.mark.django_db
ADD, LIST = reverse("admin:reviews_controlcase_add"), reverse("admin:reviews_controlcase_changelist")


@pytest.fixture
def everybody(settings, tmp_path):
    settings.DOCUMENT_DIR = tmp_path / "documents"
    return cast()


@pytest.fixture
def box():
    return mailbox()


def filled_in(box, **changed):
    given = {"workflow": Workflow.objects.get(name="pay-bills").pk, "stands_in": box.pk, "verdicts": ["reject"]}
    facts = {"amount": "1000.00", "number": "KB-7", "differences": 1}
    return given | {"why": WHY, "input": json.dumps(facts), "corrections": "{}"} | changed


def test_a_case_is_planted_with_its_documents_and_only_stand_ins_are_offered(everybody, box):
    client = signed_in(everybody.admin)
    page = text_of(client.get(ADD))
    assert "Mailbox" in page
    assert "Requester" not in page
    papers = [SimpleUploadedFile(name, PDF) for name in ("a.pdf", "b.pdf")]
    answered = client.post(ADD, filled_in(box, documents=papers))
    assert answered.status_code == 302, answered.context["errors"]
    case = ControlCase.objects.get()
    assert (case.planted_by, case.run.started_by, case.verdicts, case.why) == (everybody.admin, box, ["reject"], WHY)
    assert case.run.documents.count() == 2
    assert Event.objects.get(kind="control.planted").actor_id == str(everybody.admin.pk)


@pytest.mark.parametrize(
    ("changed", "field", "words"),
    [
        ({"input": '{"amount": 1}'}, "input", "is not of type"),
        ({"input": "{"}, "input", "valid JSON"),
        ({"verdicts": []}, "verdicts", "required"),
        ({"corrections": '{"/read/x": "1"}'}, "corrections", "only an approval corrects"),
        ({"why": ""}, "why", "required"),
        ({"documents": [SimpleUploadedFile("big.pdf", PDF)]}, "documents", "at most 10"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_nothing_is_planted(everybody, box, settings, changed, field, words):
    settings.DOCUMENT_MAX_BYTES = 10
    answered = signed_in(everybody.admin).post(ADD, filled_in(box, **changed))
    assert answered.status_code == 200
    assert words in str(answered.context["adminform"].form.errors[field])
    assert not Run.objects.exists()


def test_somebody_without_the_rights_neither_plants_nor_sees_the_list(everybody, box):
    staff = person("staff")
    staff.is_staff = True
    staff.save()
    staff.user_permissions.add(right("add_controlcase"))
    client = signed_in(staff)
    assert client.post(ADD, filled_in(box)).status_code == 302
    assert client.get(LIST).status_code == 403
    staff.user_permissions.clear()
    assert client.get(ADD).status_code == 403


def test_the_list_says_what_became_of_each_and_who_answered_only_to_their_lead(everybody, box):
    for verdict in ("reject", "approve"):
        answer(planted(everybody, box), everybody.clerk, verdict)
    planted(everybody, box)
    client = signed_in(everybody.admin)
    page = text_of(client.get(LIST))
    for state in ("waiting", "caught", "missed"):
        assert f'<td class="field-state">{state}</td>' in page
    assert '<td class="field-who">Clerk</td>' not in page
    give("lead", everybody.admin, everybody.clerks, actor=everybody.admin)
    assert text_of(client.get(LIST)).count('<td class="field-who">Clerk</td>') == 2
    assert WHY in text_of(
        client.get(reverse("admin:reviews_controlcase_change", args=[ControlCase.objects.first().pk]))
    )


def test_those_nobody_has_answered_are_taken_away_and_no_other_is(everybody, box):
    over = planted(everybody, box)
    answer(over, everybody.clerk)
    planted(everybody, box)
    keys = [str(pk) for pk in ControlCase.objects.values_list("pk", flat=True)]
    page = signed_in(everybody.admin).post(LIST, {"action": "take_away", "_selected_action": keys}, follow=True)
    assert {case.state.value for case in ControlCase.objects.all()} == {"missed", "withdrawn"}
    assert "was taken away" in text_of(page)
    assert "too late" in text_of(page)


def test_which_reviews_were_planted_is_not_to_be_seen_in_the_admin_of_reviews_or_runs(everybody, box):
    review = planted(everybody, box)
    staff = person("staff")
    staff.is_staff = True
    staff.save()
    staff.user_permissions.set(Permission.objects.filter(codename__in=["view_review", "view_run"]))
    client = signed_in(staff)
    for url in (
        reverse("admin:reviews_review_change", args=[review.pk]),
        reverse("admin:orchestrator_run_change", args=[review.run_id]),
    ):
        page = text_of(client.get(url)).lower()
        assert "field-control" not in page
        assert "field-barred" not in page
