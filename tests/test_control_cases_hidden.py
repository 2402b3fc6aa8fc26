"""Until it is answered, a control case cannot be told from any other by whoever may answer it."""

import re

import pytest

from audit.models import Event
from orchestrator import services as runs
from orchestrator.grants import give
from orchestrator.models import Workflow
from orchestrator.permissions import visible_scopes
from reviews.models import Review

from .api import Caller
from .cast import Cast, answer, cast, group, open_review_of, work
from .control import WHY, case_of, mailbox, planted
from .desk import case_url, signed_in, text_of

pytestmark = pytest.mark.django_db
FACTS = {"amount": "1000.00", "number": "KB-7", "differences": 1, "advice": "reject: copy"}
# What differs between any two cases: ids, digests, times, and how long ago that was.
PLACE = re.compile(r' class="sel"|<rect [^>]*>|<a class="btn sq".*?</a>')  # in the list, or in time
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}")
OWN = re.compile(
    r"\b[0-9a-f]{8,64}\b|countersign-[a-z2-7]{32}|\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+]00:00)?"
    r'|\b\d\d?:\d\d(:\d\d)?\b|value="[A-Za-z0-9]{64}"|x-csrftoken": "[^"]*"|\b\d+(\.\d+)? m?s\b|"machine_ms": \d+'
)


@pytest.fixture
def everybody() -> Cast:
    found = cast()
    for name in ("clerks", "managers"):
        give("view_runs", group(name), Workflow.objects.get_or_create(name="pay-bills")[0], actor=found.admin)
    return found


@pytest.fixture
def twins(everybody) -> tuple[Review, Review]:
    """A control case and an ordinary one, alike in all that was handed in."""
    box = mailbox()
    review = planted(everybody, box, facts=FACTS)
    run, _ = runs.start_run(workflow="pay-bills", input=FACTS, actor=box)
    work()
    return review, open_review_of(run)


def plain(text: str) -> str:
    return OWN.sub("#", UUID.sub("#", PLACE.sub("", text)))


def test_its_page_its_run_and_its_trail_are_those_of_any_case(everybody, twins):
    client = signed_in(everybody.clerk)
    for path in (
        case_url,
        lambda review: f"/runs/{review.run_id}/",
        lambda review: f"/audit/?q={review.run_id}",
    ):
        responses = [client.get(path(review)) for review in twins]
        planted_, ordinary = (plain(text_of(response)) for response in responses)
        assert planted_ == ordinary
        headers = [{name for name in response.headers if name != "Content-Length"} for response in responses]
        assert headers[0] == headers[1]


def test_the_queue_has_the_same_row_for_both(everybody, twins):
    page = text_of(signed_in(everybody.clerk).get("/queue/?view=mine"))
    rows = re.findall(r"<li [^>]*id=.*?</li>", page, re.DOTALL)
    rows = [row for row in rows if any(str(review.task_id) in row for review in twins)]
    assert len(rows) == 2
    assert plain(rows[0]) == plain(rows[1])


def test_the_api_says_the_same_of_both(everybody, twins):
    caller = Caller(everybody.clerk)
    for path in ("reviews/{0.pk}", "runs/{0.run_id}", "trail?run={0.run_id}"):
        found = [
            plain(caller.client.get(f"/api/v1/{path.format(r)}", headers=caller.headers()).content.decode())
            for r in twins
        ]
        assert found[0] == found[1]
    listed = caller.get("reviews").json()["items"]
    assert plain(str(listed[0])) == plain(str(listed[1]))


def test_nothing_of_the_known_answer_is_anywhere(everybody, twins):
    review, _ = twins
    caller, client = Caller(everybody.clerk), signed_in(everybody.clerk)
    pages = [client.get(url) for url in (case_url(review), f"/runs/{review.run_id}/", "/queue/")]
    pages += [caller.get(path) for path in (f"reviews/{review.pk}", f"runs/{review.run_id}", "trail", "runs")]
    for response in pages:
        text = text_of(response).lower()
        assert response.status_code == 200
        for word in (WHY.lower(), "control case", "planted", '"control"'):
            assert word not in text, (response.request["PATH_INFO"], word)


def sees(user, kind):
    return Event.objects.visible_to(visible_scopes(user)).filter(kind=kind).exists()


def test_that_it_was_planted_is_on_record_for_auditors_and_its_planter_alone(everybody, twins):
    review, _ = twins
    assert sees(everybody.auditor, "control.planted")
    assert sees(everybody.admin, "control.planted")
    for user in (everybody.clerk, everybody.manager, everybody.cfo, everybody.outsider, review.requester):
        assert not sees(user, "control.planted")


def test_an_auditor_who_may_decide_as_well_reads_of_it_once_it_is_answered(everybody, twins):
    review, _ = twins
    everybody.second.groups.add(group("auditors"))
    assert not sees(everybody.second, "control.planted")
    assert sees(everybody.second, "review.opened")
    answer(review, everybody.clerk)
    assert case_of(review).state == "missed"
    assert sees(everybody.second, "control.planted")
    assert sees(everybody.second, "control.answered")


def test_nobody_tells_the_two_apart_by_what_is_refused(everybody, twins):
    caller = Caller(everybody.outsider)
    found = [caller.post(f"reviews/{r.pk}/decide", {"verdict": "approve", "digest": "d", "nonce": "n"}) for r in twins]
    assert [response.status_code for response in found] == [404, 404]
    assert plain(found[0].content.decode()) == plain(found[1].content.decode())
