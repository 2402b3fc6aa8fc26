"""A control case ends with its first answer: it is recorded as any, nothing is done, and the person is told."""

import pytest
from django.contrib.auth.models import Group
from django.db import transaction

from audit.ids import uuid7
from audit.models import Event
from orchestrator import family
from orchestrator import services as runs
from orchestrator.grants import give
from orchestrator.models import Effect, LedgerEntry, Run, Workflow
from reviews import control, measured, services
from reviews.errors import AlreadyDecided, Conflict, Invalid, NotAllowed, Stale
from reviews.inbox import reach_of
from reviews.models import Approval, ControlCase, Measured, Recallable, Review, ReviewLevel, ReviewPolicy
from reviews.past import similar
from reviews.recommending import agreement

from .api import PDF, Caller
from .cast import WORKFLOW, Cast, answer, cast, group, inbox_of, open_review_of, second_admin, waiting_bill, work
from .control import PRICE, WHY, case_of, mailbox, planted, right
from .desk import case_url, decide, signed_in, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def everybody(settings, tmp_path) -> Cast:
    settings.DOCUMENT_DIR = tmp_path / "documents"
    return cast(undo_seconds=10)


@pytest.fixture
def box(everybody):
    return mailbox()


@pytest.fixture
def review(everybody, box) -> Review:
    return planted(everybody, box)


def nothing_was_done(review: Review) -> None:
    work()
    review.refresh_from_db()
    review.run.refresh_from_db()
    assert (review.run.status, review.run.outcome, review.undo_until) == ("cancelled", control.OVER, None)
    assert not Effect.objects.filter(run=review.run).exists()
    assert not LedgerEntry.objects.exists()
    assert set(review.run.tasks.filter(step__in=["approve", "pay"]).values_list("status", flat=True)) == {"cancelled"}


def test_the_right_answer_ends_it_and_is_told_to_be_right(everybody, review):
    told = answer(review, everybody.clerk, "reject", reason="wrong_amount")
    assert (told["review_status"], told["run_status"], told["undo_until"]) == ("rejected", "cancelled", None)
    assert told["feedback"] == {
        "caught": True,
        "expected": {"verdicts": ["reject"], "corrections": {}},
        "given": {"verdict": "reject", "corrections": {}},
        "why": WHY,
    }
    nothing_was_done(review)
    case, vote = case_of(review), Approval.objects.get()
    assert (case.caught, case.person, case.approval, case.review, case.state) == (
        (True, everybody.clerk, vote, review, "caught")
    )
    assert case.answered_at == vote.at


def test_another_answer_ends_it_too_and_is_told_what_was_expected(everybody, review):
    told = answer(review, everybody.clerk)
    assert (told["review_status"], told["feedback"]["caught"], told["feedback"]["why"]) == ("approved", False, WHY)
    nothing_was_done(review)
    assert case_of(review).state == "missed"


def test_an_approval_is_right_only_with_what_it_had_to_correct(everybody, box):
    wanted = {"verdicts": ["approve"], "corrections": PRICE}
    without, otherwise, right_one = (planted(everybody, box, **wanted) for _ in range(3))
    assert not answer(without, everybody.clerk)["feedback"]["caught"]
    assert not answer(otherwise, everybody.clerk, corrections={next(iter(PRICE)): "95.00"})["feedback"]["caught"]
    assert answer(right_one, everybody.clerk, corrections={next(iter(PRICE)): "90"})["feedback"]["caught"]


@pytest.mark.parametrize("target", ["step:vendor", "workflow:other"])
def test_sending_it_back_or_to_another_workflow_ends_it_and_starts_nothing(everybody, box, target):
    other = WORKFLOW.replace("workflow: pay-bills", "workflow: other")
    runs.save_workflow(source=other, actor=everybody.admin, second=second_admin())
    review = planted(everybody, box, verdicts=["reroute"])
    told = answer(review, everybody.clerk, "reroute", target=target)
    assert (told["review_status"], told["feedback"]["caught"]) == ("rerouted", True)
    nothing_was_done(review)
    assert Run.objects.count() == 1


def test_one_signature_is_enough_however_many_a_case_needs(everybody, box):
    ReviewPolicy.objects.update(quorum=2, blind=True)
    ReviewLevel.objects.create(policy=everybody.policy, group=group("managers"))
    review = planted(everybody, box)
    assert "feedback" in answer(review, everybody.clerk, "reject")
    nothing_was_done(review)


OUTER = """
workflow: outer
title: Outer
input: {amount: string, number: string, differences: integer}
steps:
  inner: {workflow: pay-bills, input: {amount: input.amount, number: input.number, differences: input.differences}}
  after: {agent: test.count, needs: [inner]}
"""


def test_the_answer_to_a_case_that_it_started_ends_the_whole(everybody, box):
    runs.save_workflow(source=OUTER, actor=everybody.admin, second=second_admin())
    given = {"workflow": "outer", "stands_in": box, "verdicts": ["reject"], "why": WHY, "actor": everybody.admin}
    case = control.plant(**given, input={"amount": "1.00", "number": "KB-7", "differences": 1})
    work()
    review = Review.objects.get()
    assert (review.control, review.run.parent.run) == (True, case.run)
    with pytest.raises(NotAllowed):
        answer(review, everybody.admin, "reject")
    assert answer(review, everybody.clerk, "reject")["feedback"]["caught"]
    nothing_was_done(review)
    family.sweep()  # what a commit would have done
    work()
    case = ControlCase.objects.get()
    assert (case.state, case.run.status, case.run.outcome) == ("caught", "cancelled", control.OVER)
    assert not case.run.tasks.filter(step="after").exists()


def test_its_trail_is_whole_and_names_who_planted_it_and_what_was_right(everybody, review):
    answer(review, everybody.clerk)
    rows = Event.objects.filter(run=str(review.run_id)).oldest_first()
    kinds = [row.kind for row in rows if row.kind.startswith(("run.", "review.", "control."))]
    assert kinds == [
        "run.started",
        "control.planted",
        "review.opened",
        "run.waiting",
        "review.approved",
        "control.answered",
        "run.cancelled",
    ]
    case = case_of(review)
    planted_, answered = rows.get(kind="control.planted"), rows.get(kind="control.answered")
    assert (planted_.actor_id, rows.get(kind="run.started").actor_id) == (
        (str(everybody.admin.pk), str(review.requester_id))
    )
    assert planted_.data == {"answer": control.digest_of(case)}
    assert answered.actor_id == str(everybody.clerk.pk)
    assert {name: answered.data[name] for name in ("caught", "accepted", "given")} == {
        "caught": False,
        "accepted": ["reject"],
        "given": "approve",
    }


def test_the_checks_of_every_answer_are_made(everybody, review):
    with pytest.raises(Invalid, match="choose a value"):
        answer(review, everybody.clerk, reason="")
    with pytest.raises(Invalid, match="rejection says why"):
        answer(review, everybody.clerk, "reject", reason="")
    with pytest.raises(Stale):
        answer(review, everybody.clerk, digest="0" * 64)
    with pytest.raises(NotAllowed):
        answer(review, everybody.outsider)
    with pytest.raises(Invalid, match="no earlier step"):
        answer(review, everybody.clerk, "reroute", target="step:pay")
    assert not Approval.objects.exists()
    assert case_of(review).state == "waiting"


def test_the_same_nonce_again_gets_the_same_feedback_and_another_person_a_conflict(everybody, review):
    first = answer(review, everybody.clerk, nonce="n")
    assert answer(review, everybody.clerk, nonce="n") == first
    with pytest.raises(AlreadyDecided):
        answer(review, everybody.second)


def test_its_answer_is_not_taken_back_nor_reversed(everybody, review):
    decision = answer(review, everybody.clerk)["decision"]
    for act in (
        lambda: services.undo(decision_id=decision, actor=everybody.clerk),
        lambda: services.ask_for_reversal(decision_id=decision, actor=everybody.clerk, why="a mistake"),
    ):
        with pytest.raises(Conflict, match="nothing was done"):
            act()
    assert ControlCase.objects.get().caught is False


def test_a_question_a_hand_over_a_snooze_and_another_team_leave_it_open(everybody, review):
    answer(review, everybody.clerk, "delegate", target="user:second")
    answer(review, everybody.second, "ask", target="user:clerk", comment="Is it?")
    services.answer(review_id=review.pk, actor=everybody.clerk, text="Yes.")
    assert Recallable.objects.count() == 2
    answer(review, everybody.second, "reroute", target="queue:seniors")
    there = open_review_of(review.run)
    assert (there.control, there.barred) == (True, review.barred)
    assert case_of(review).state == "waiting"
    answer(there, everybody.manager, "reject")
    nothing_was_done(there)


# Who may not answer it.


def test_whoever_planted_it_and_whoever_may_see_which_they_are_answers_none_and_finds_none(everybody, box):
    planter, viewer = everybody.clerk, everybody.second
    planter.user_permissions.add(right("add_controlcase"))
    Group.objects.create(name="watchers").permissions.add(right("view_controlcase"))
    viewer.groups.add(Group.objects.get(name="watchers"))
    planter = type(planter).objects.get(pk=planter.pk)
    review, ordinary = planted(everybody, box, actor=planter), waiting_bill(everybody)
    for user in (planter, viewer):
        with pytest.raises(NotAllowed, match="another person gives it") as refused:
            answer(review, user, "reject")
        assert refused.value.rule == "four_eyes"
        with pytest.raises(NotAllowed):
            services.claim(review_id=review.pk, actor=user)
        assert list(inbox_of(user)) == [ordinary]
        assert "You may know the answer" in text_of(signed_in(user).get(case_url(review)))
        assert Caller(user).post(f"reviews/{review.pk}/decide", body_for(review)).status_code == 403
    assert not Approval.objects.exists()


def test_whoever_was_given_the_right_meanwhile_answers_none_either(everybody, review):
    everybody.clerk.user_permissions.add(right("view_controlcase"))
    with pytest.raises(NotAllowed):
        answer(review, everybody.clerk, "reject")


def test_that_somebody_knows_the_answer_is_not_told_to_who_hands_it_to_them(everybody, box):
    everybody.second.user_permissions.add(right("view_controlcase"))
    review = planted(everybody, box)
    told = answer(review, everybody.clerk, "delegate", target="user:second")
    assert told["review_status"] == "open"


# Planting.


def test_only_those_with_the_right_plant(everybody, box):
    with pytest.raises(NotAllowed):
        planted(everybody, box, actor=everybody.clerk)
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"verdicts": []}, "verdicts"),
        ({"verdicts": ["escalate"]}, "verdicts"),
        ({"why": " "}, "why"),
        ({"why": "w" * 1001}, "why"),
        ({"workflow": "nothing"}, "workflow"),
        ({"facts": {"amount": 1000}}, "input"),
        ({"corrections": {"read": "x"}, "verdicts": ["approve"]}, "corrections"),
        ({"corrections": ["x"], "verdicts": ["approve"]}, "corrections"),
        ({"corrections": PRICE}, "corrections"),
        ({"documents": [("empty.pdf", b"")]}, "documents"),
    ],
)
def test_what_is_wrong_with_a_case_is_said_by_field_and_nothing_is_planted(everybody, box, given, field):
    with pytest.raises(Invalid) as refused:
        planted(everybody, box, **given)
    assert [name for name, _ in refused.value.errors] == [field]
    assert not Run.objects.exists()


def test_nobody_stands_in_who_was_not_given_that_right_itself(everybody):
    assert everybody.admin.has_perm("reviews.stand_in")  # as a superuser, which is not enough
    for user in (everybody.admin, everybody.requester):
        with pytest.raises(Invalid, match="does not stand in"):
            planted(everybody, user)
    group("mailboxes").permissions.add(right("stand_in"))
    everybody.requester.groups.add(group("mailboxes"))
    assert planted(everybody, everybody.requester).requester == everybody.requester


def test_its_documents_are_stored_as_those_of_whom_it_is_handed_in_as(everybody, box):
    review = planted(everybody, box, documents=[("bill.pdf", PDF)])
    [row] = review.run.rundocument_set.select_related("document")
    assert (row.document.name, row.document.uploaded_by) == ("bill.pdf", box)


def test_what_nobody_has_answered_can_be_taken_away(everybody, box, review):
    with pytest.raises(NotAllowed):
        control.withdraw(case=case_of(review), actor=everybody.clerk)
    control.withdraw(case=case_of(review), actor=everybody.admin)
    review.refresh_from_db()
    assert (review.status, case_of(review).state) == ("withdrawn", "withdrawn")
    with pytest.raises(Conflict), transaction.atomic():
        control.withdraw(case=case_of(review), actor=everybody.admin)


def test_a_case_nobody_was_asked_about_says_so(everybody, box):
    control.plant(
        workflow="pay-bills",
        stands_in=box,
        verdicts=["reject"],
        why=WHY,
        actor=everybody.admin,
        input={"amount": "10.00", "number": "KB-8"},
    )
    work()
    assert ControlCase.objects.get().state == "unasked"


# By the API and on the page.


def body_for(review: Review, verdict: str = "reject", **more: str) -> dict[str, str]:
    return {"verdict": verdict, "digest": review.packet_digest, "nonce": f"n-{verdict}", "reason": "other"} | more


def test_the_api_tells_with_the_answer_and_of_ordinary_cases_has_no_such_field(everybody, review):
    caller = Caller(everybody.clerk)
    told = caller.post(f"reviews/{review.pk}/decide", body_for(review)).json()
    assert (told["feedback"]["caught"], told["feedback"]["why"]) == (True, WHY)
    ordinary = waiting_bill(everybody)
    answered = caller.post(f"reviews/{ordinary.pk}/decide", body_for(ordinary, nonce="n2")).json()
    assert set(answered) == {"decision", "review_status", "run_status", "undo_until"}
    undone = caller.post(f"decisions/{told['decision']}/undo")
    assert (undone.status_code, "control case" in undone.json()["message"]) == (409, True)


def test_no_door_lets_a_caller_plant_one(everybody, box):
    give("start_run", group("clerks"), Workflow.objects.get(name="pay-bills"), actor=everybody.admin)
    body = {"workflow": "pay-bills", "input": {"amount": "1.00", "number": "KB-1"}}
    refused = Caller(everybody.clerk).post("runs", body | {"control": True})
    assert (refused.status_code, Run.objects.count()) == (422, 0)
    assert Caller(everybody.clerk).post("runs", body).status_code == 201
    assert Run.objects.get().control is None


def test_the_page_that_comes_next_tells_and_the_ended_case_does(everybody, review):
    following, client = waiting_bill(everybody), signed_in(everybody.clerk)
    response = decide(client, review, "reject", reason__reject="other", comment__reject="no")
    assert response.url == case_url(following) or str(following.task_id) in response.url
    page = text_of(client.get(response.url))
    said = page[page.index("<dialog") : page.index("</dialog>")]
    for words in ("This was a control case, and the answer was as expected.", "Expected: rejected.", WHY):
        assert words in said
    assert "Undo" not in said
    assert "<dialog" not in text_of(client.get(response.url))
    over = text_of(client.get(case_url(review)))
    assert "the answer was as expected" in over
    assert "Ask for a reversal" not in over
    assert 'name="verdict"' not in over


def test_how_a_person_answered_is_told_to_them_and_their_lead_and_not_to_others(everybody, review):
    answer(review, everybody.clerk)
    give("lead", everybody.manager, everybody.clerks, actor=everybody.admin)
    words = "another answer was expected"
    for user, told in ((everybody.clerk, True), (everybody.manager, True), (everybody.auditor, True)):
        assert (words in text_of(signed_in(user).get(case_url(review)))) is told, user
    page = text_of(signed_in(everybody.second).get(case_url(review)))
    assert words not in page
    assert WHY not in page
    assert "planted for practice" in page


def test_undoing_it_on_the_page_says_why_not(everybody, review):
    decision = answer(review, everybody.clerk)["decision"]
    response = signed_in(everybody.clerk).post(f"/decisions/{decision}/undo/")
    assert response.status_code == 409
    assert "nothing was done" in text_of(response)


# What people and machines are measured by.


def test_it_counts_in_no_measure_of_real_work(everybody, review):
    answer(review, everybody.clerk, "reject")
    measured.sweep()
    assert not Measured.objects.exists()
    advised = planted(everybody, review.requester, facts={"advice": "reject: copy", "number": "KB-8"})
    answer(advised, everybody.clerk, "reject")
    assert agreement("cast.check", "reject").seen == 0
    assert agreement("check", "reject").seen == 0


def test_it_is_no_earlier_case_of_a_real_one(everybody, review):
    answer(review, everybody.clerk, "reject")
    real = waiting_bill(everybody)
    assert similar(reach_of(everybody.clerk), real) == []
    answer(real, everybody.clerk, "reject")
    [past] = similar(reach_of(everybody.clerk), waiting_bill(everybody))
    assert past.review == real


def test_several_at_once_are_told_of_those_that_were_control_cases(everybody, box):
    ReviewPolicy.objects.update(bulk_approve=True)
    plain = {"amount": "30000.00", "differences": 0}
    review, ordinary = planted(everybody, box, facts=plain), waiting_bill(everybody, **plain)
    given = {"case": [f"{one.task_id}.{one.packet_digest}" for one in (review, ordinary)], "act": "approve"}
    given |= {"batch": str(uuid7()), "reason": "other", "comment": "fine"}
    page = text_of(signed_in(everybody.clerk).post("/queue/bulk/act/", given))
    assert page.count("another answer was expected") == 1
    assert WHY in page
    assert "2 cases approved." in page
    nothing_was_done(review)
    assert Effect.objects.get().run == ordinary.run
