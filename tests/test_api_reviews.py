"""Reviews over the API: who may see, take and decide them, and what those are told who may not or come too late."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db.models.functions import Now

from audit.models import Event
from orchestrator.models import AgentAccount, LedgerEntry
from orchestrator.sources import account_of
from reviews.models import Approval, ReasonCode, Review

from .api import Caller, fields
from .cast import answer, bill, cast, open_review_of, waiting_bill, work
from .invariants import assert_invariants

pytestmark = pytest.mark.django_db


@pytest.fixture
def everybody():
    return cast(undo_seconds=10)


@pytest.fixture
def review(everybody):
    return waiting_bill(everybody)


def agreeing(found, **more):
    """The body of an approval of what the API showed."""
    return {"verdict": "approve", "digest": found["digest"], "nonce": str(uuid4()), "reason": "other"} | more


def end_undo_window():
    Review.objects.update(undo_until=Now() - timedelta(seconds=1))
    from orchestrator.models import Task

    Task.objects.exclude(ready_at=None).update(ready_at=Now())


def test_a_reviewer_finds_a_case_reads_it_and_approves_it(everybody, review):
    clerk = Caller(everybody.clerk)
    [item] = clerk.get("reviews", status="open", queue="clerks").json()["items"]
    assert (item["id"], item["case"], item["number"]) == (str(review.pk), str(review.task_id), "KB-1")
    found = clerk.get(f"reviews/{item['id']}").json()
    assert (found["digest"], found["round"], found["packet"]["question"]) == (
        review.packet_digest,
        1,
        "Pay Kestrel Bearings 1,000.00 EUR for invoice KB-1?",
    )
    assert "approve" in found["allowed"]
    decided = clerk.post(f"reviews/{item['id']}/decide", agreeing(found))
    assert decided.status_code == 200
    assert decided.json()["review_status"] == "approved"
    end_undo_window()
    work()
    assert LedgerEntry.objects.count() == 1
    run = clerk.get(f"runs/{review.run_id}").json()
    assert run["status"] == "succeeded"
    assert [(r["status"], [a["reviewer"] for a in r["approvals"]]) for r in run["reviews"]] == [("approved", ["clerk"])]
    assert [e["state"] for e in run["effects"]] == ["confirmed"]
    assert_invariants()


def test_that_somebody_looked_is_on_record(everybody, review):
    Caller(everybody.clerk).get(f"reviews/{review.pk}")
    viewed = Event.objects.get(kind="review.viewed")
    assert (viewed.actor_id, viewed.data["digest"]) == (str(everybody.clerk.pk), review.packet_digest)


def test_the_same_nonce_gets_the_same_answer_however_often_it_is_sent(everybody, review):
    clerk = Caller(everybody.clerk)
    body = agreeing(clerk.get(f"reviews/{review.pk}").json())
    answers = [clerk.post(f"reviews/{review.pk}/decide", body) for _ in range(3)]
    assert [a.status_code for a in answers] == [200, 200, 200]
    assert answers[0].json() == answers[1].json() == answers[2].json()
    assert Approval.objects.count() == 1


def test_a_nonce_of_somebody_else_tells_nothing(everybody, review):
    body = agreeing(Caller(everybody.clerk).get(f"reviews/{review.pk}").json(), comment="between us")
    Caller(everybody.clerk).post(f"reviews/{review.pk}/decide", body)
    refused = Caller(everybody.second).post(f"reviews/{review.pk}/decide", body)
    assert (refused.status_code, refused.json()["code"]) == (409, "nonce_taken")
    assert "between us" not in refused.content.decode()


def test_who_comes_second_is_told_what_happened(everybody, review):
    clerk, second = Caller(everybody.clerk), Caller(everybody.second)
    found = clerk.get(f"reviews/{review.pk}").json()
    clerk.post(f"reviews/{review.pk}/decide", agreeing(found, verdict="reject", reason="duplicate"))
    late = second.post(f"reviews/{review.pk}/decide", agreeing(found))
    assert (late.status_code, late.json()["code"]) == (409, "already_decided")
    assert (late.json()["outcome"]["verdict"], late.json()["outcome"]["by"]) == ("reject", "Clerk")


def test_an_answer_to_another_packet_is_stale_and_told_the_difference(everybody, review):
    stale = Caller(everybody.clerk).post(f"reviews/{review.pk}/decide", agreeing({"digest": "0" * 64}))
    assert (stale.status_code, stale.json()["code"]) == (409, "stale")
    assert isinstance(stale.json()["difference"], list)
    assert not Approval.objects.exists()


def test_the_requester_is_refused_by_name_of_the_rule(everybody, review):
    requester = Caller(everybody.requester)
    found = requester.get(f"reviews/{review.pk}").json()
    assert found["allowed"] == []
    refused = requester.post(f"reviews/{review.pk}/decide", agreeing(found))
    assert (refused.status_code, refused.json()["code"], refused.json()["rule"]) == (403, "not_allowed", "requester")
    assert refused.json()["errors"] == []


def test_a_review_of_another_team_is_like_one_that_does_not_exist(everybody, review):
    outsider = Caller(everybody.outsider)
    assert outsider.get("reviews").json() == {"items": [], "next": None}
    for call in ("", "/claim", "/release", "/decide"):
        ask = outsider.post if call else outsider.get
        body = (agreeing({"digest": review.packet_digest}),) if call == "/decide" else ()
        theirs, none = (ask(f"reviews/{pk}{call}", *body) for pk in (review.pk, uuid4()))
        assert theirs.status_code == none.status_code == 404
        assert theirs.json() == none.json()


def test_a_superuser_is_an_outsider(everybody, review):
    assert Caller(everybody.admin).get(f"reviews/{review.pk}").status_code == 404


def test_an_auditor_reads_and_decides_nothing(everybody, review):
    auditor = Caller(everybody.auditor)
    found = auditor.get(f"reviews/{review.pk}").json()
    assert found["allowed"] == []
    refused = auditor.post(f"reviews/{review.pk}/decide", agreeing(found))
    assert (refused.status_code, refused.json()["rule"]) == (403, "queue")


def test_p09_an_agents_token_decides_nothing(everybody, review):
    agent = account_of("cast.check").user
    assert AgentAccount.objects.filter(user=agent).exists()
    caller = Caller(agent)
    told = answer(review, everybody.clerk)
    for path, body in (
        (f"reviews/{review.pk}/decide", agreeing({"digest": review.packet_digest})),
        (f"reviews/{review.pk}/claim", None),
        (f"reviews/{review.pk}/release", None),
        (f"decisions/{told['decision']}/undo", None),
    ):
        refused = caller.post(path, body)
        assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")


@pytest.mark.parametrize(
    ("change", "blamed"),
    [
        ({"verdict": "accept"}, "verdict"),
        ({"verdict": ["approve"]}, "verdict"),
        ({"verdict": "reroute", "target": "moon:base"}, "target"),
        ({"verdict": "reject", "reason": ""}, "reason"),
        ({"verdict": "reject", "reason": "because"}, "reason"),
        ({"verdict": "approve", "reason": "duplicate"}, "reason"),
        ({"verdict": "delegate", "target": "user:second", "hours": 0}, "hours"),
        ({"verdict": "delegate", "target": "user:second", "hours": "long"}, "hours"),
        ({"corrections": ["a"]}, "corrections"),
        ({"need": 0}, "need"),
        ({"actor": "cfo"}, "actor"),
    ],
)
def test_an_answer_that_cannot_be_understood_names_the_field_and_records_nothing(everybody, review, change, blamed):
    clerk = Caller(everybody.clerk)
    refused = clerk.post(f"reviews/{review.pk}/decide", agreeing({"digest": review.packet_digest}, **change))
    assert refused.status_code == 422
    assert blamed in fields(refused)
    assert not Approval.objects.exists()


def test_corrections_ride_on_an_answer(everybody, review):
    clerk, pointer = Caller(everybody.clerk), "/read/invoice/lines/0/unit_price"
    found = clerk.get(f"reviews/{review.pk}").json()
    decided = clerk.post(f"reviews/{review.pk}/decide", agreeing(found, corrections={pointer: "90.00"}))
    assert decided.status_code == 200
    assert clerk.get(f"runs/{review.run_id}").json()["data"]["read"]["invoice"]["lines"][0]["unit_price"] == "90.00"


def test_claiming_reserves_and_releasing_gives_back(everybody, review):
    clerk, second = Caller(everybody.clerk), Caller(everybody.second)
    claimed = clerk.post(f"reviews/{review.pk}/claim")
    assert (claimed.status_code, claimed.json()["status"], claimed.json()["claimed_by"]) == (200, "claimed", "Clerk")
    held = second.post(f"reviews/{review.pk}/claim")
    assert (held.status_code, held.json()["code"]) == (409, "held")
    assert [item["status"] for item in second.get("reviews", status="open").json()["items"]] == ["claimed"]
    assert clerk.post(f"reviews/{review.pk}/release").json()["status"] == "open"
    assert second.post(f"reviews/{review.pk}/claim").status_code == 200


def test_an_answer_is_taken_back_inside_its_window_and_not_after_it(everybody, review):
    clerk = Caller(everybody.clerk)
    found = clerk.get(f"reviews/{review.pk}").json()
    decision = clerk.post(f"reviews/{review.pk}/decide", agreeing(found)).json()["decision"]
    undone = clerk.post(f"decisions/{decision}/undo")
    assert (undone.status_code, undone.json()["review_status"]) == (200, "recalled")
    again = clerk.get(f"reviews/{undone.json()['review']}").json()
    assert again["round"] == 2
    assert LedgerEntry.objects.count() == 0
    decision = clerk.post(f"reviews/{again['id']}/decide", agreeing(again)).json()["decision"]
    end_undo_window()
    late = clerk.post(f"decisions/{decision}/undo")
    assert (late.status_code, late.json()["code"]) == (409, "too_late")
    assert_invariants()


def test_nobody_takes_back_the_answer_of_somebody_else(everybody, review):
    told = answer(review, everybody.clerk)
    refused = Caller(everybody.second).post(f"decisions/{told['decision']}/undo")
    assert (refused.status_code, refused.json()["rule"]) == (403, "author")
    for decision in (told["decision"], uuid4()):
        assert Caller(everybody.outsider).post(f"decisions/{decision}/undo").status_code == 404


def test_reviews_are_listed_by_due_time_page_by_page_and_filtered(everybody):
    made = [waiting_bill(everybody) for _ in range(3)]
    flagged = open_review_of(bill(everybody, flagged=True))
    manager = Caller(everybody.manager)
    first = manager.get("reviews", queue="clerks", limit=2).json()
    rest = manager.get("reviews", queue="clerks", limit=2, cursor=first["next"]).json()
    assert [item["id"] for item in first["items"] + rest["items"]] == [str(review.pk) for review in made]
    assert rest["next"] is None
    assert [item["id"] for item in manager.get("reviews", queue="seniors").json()["items"]] == [str(flagged.pk)]
    assert manager.get("reviews", status="approved").json()["items"] == []
    assert fields(manager.get("reviews", status="done")) == ["status"]


def test_the_openapi_document_names_the_calls_on_reviews(client):
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    for path in ("", "/{review_id}", "/{review_id}/claim", "/{review_id}/release", "/{review_id}/decide"):
        assert f"/api/v1/reviews{path}" in paths
    assert "/api/v1/decisions/{decision_id}/undo" in paths


def test_a_program_sends_a_case_elsewhere_without_a_reason(everybody, review):
    clerk = Caller(everybody.clerk)
    found = clerk.get(f"reviews/{review.pk}").json()
    sent = clerk.post(f"reviews/{review.pk}/decide", agreeing(found, verdict="escalate", reason=""))
    assert sent.status_code == 200
    assert Approval.objects.get().reason == "other"


def test_an_unknown_reason_is_answered_with_those_that_are_known(everybody, review):
    clerk = Caller(everybody.clerk)
    given = agreeing(clerk.get(f"reviews/{review.pk}").json(), verdict="reject", reason="because")
    [error] = clerk.post(f"reviews/{review.pk}/decide", given).json()["errors"]
    assert error["field"] == "reason"
    assert error["message"] == (
        "reason: 'because'; expected one of duplicate, not_ordered, wrong_amount, suspected_fraud, bad_document, other"
    )
    ReasonCode.objects.create(policy=everybody.policy, verdict="reject", code="because", words="Because")
    assert clerk.post(f"reviews/{review.pk}/decide", given).status_code == 200


def test_a_case_is_handed_over_for_a_time(everybody, review):
    clerk = Caller(everybody.clerk)
    found = clerk.get(f"reviews/{review.pk}").json()
    given = agreeing(found, verdict="delegate", target="user:second", hours=4)
    assert clerk.post(f"reviews/{review.pk}/decide", given).status_code == 200
    review.refresh_from_db()
    assert review.delegated_until - Approval.objects.get().at == timedelta(hours=4)


def test_a_first_signature_is_taken_back_over_the_api(everybody, review):
    everybody.policy.quorum, everybody.policy.undo_seconds = 2, 30
    everybody.policy.save()
    review = waiting_bill(everybody)
    clerk = Caller(everybody.clerk)
    told = clerk.post(f"reviews/{review.pk}/decide", agreeing(clerk.get(f"reviews/{review.pk}").json())).json()
    assert told["review_status"] == "open"
    undone = clerk.post(f"decisions/{told['decision']}/undo")
    assert undone.status_code == 200
    assert Caller(everybody.outsider).post(f"decisions/{told['decision']}/undo").status_code == 404
