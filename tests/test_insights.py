"""Figures: each number of a small case counted by hand, and who may see which."""

import csv
import io
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from orchestrator.grants import give
from orchestrator.models import Decision, Workflow
from reviews import measured
from reviews import services as reviews
from reviews.insights import charts, flow, quality
from reviews.insights.scope import scope_of
from reviews.insights.tables import Column, Table, high, middle
from reviews.models import Measured, Review
from tests.cast import answer, bill, cast, group, open_review_of, waiting_bill, work
from tests.desk import signed_in, text_of
from tests.guards import guards_lifted

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_day")]
CORRECTION = {"/read/invoice/payable": "900.00"}


@pytest.fixture
def everybody():
    return with_managers(cast())


def with_managers(everybody):
    """Managers see the figures of both queues, and lead the clerks'."""
    managers = group("managers")
    for queue in (everybody.clerks, everybody.seniors):
        give("insights", managers, queue, actor=everybody.admin)
    give("lead", managers, everybody.clerks, actor=everybody.admin)
    give("view_runs", managers, Workflow.objects.get(), actor=everybody.admin)
    return everybody


def tables(user, tab="flow", **query):
    """{key of a table: its rows} as the page has them."""
    response = signed_in(user).get("/insights/", {"tab": tab, **query})
    assert response.status_code == 200
    return {table.key: [list(row) for row in table.rows] for table in response.context["tables"]}


def test_what_came_in_what_left_and_what_waits_is_counted_by_day(everybody):
    today, yesterday = timezone.now().date(), timezone.now().date() - timedelta(days=1)
    early, answered, _waiting = (waiting_bill(everybody) for _ in range(3))
    Review.objects.filter(pk=early.pk).update(opened_at=timezone.now() - timedelta(days=1))
    answer(answered, everybody.clerk)
    rows = tables(everybody.manager, days="7")["per-day"]
    assert len(rows) == 7
    assert rows[-2:] == [[yesterday, 1, 0, 1], [today, 2, 1, 2]]
    assert rows[0][3] == 0


def test_a_round_that_nobody_answered_has_left_as_well(everybody):
    review = waiting_bill(everybody)
    answer(review, everybody.clerk, "ask", target="user:outsider", comment="Who?", corrections=CORRECTION)
    assert tables(everybody.manager)["per-day"][-1][1:] == [2, 1, 1]


def test_what_waits_is_told_by_due_band(everybody):
    first = waiting_bill(everybody)
    waiting_bill(everybody)
    Review.objects.filter(pk=first.pk).update(band=0)
    assert [row[1] for row in tables(everybody.manager)["waiting"]] == [1, 0, 1, 0]


def test_in_time_is_final_before_it_was_due(everybody):
    late, kept, asked = (waiting_bill(everybody) for _ in range(3))
    answer(asked, everybody.clerk, "ask", target="user:outsider", comment="Who?")
    for review in (late, kept, asked):
        answer(review, everybody.clerk)
    Review.objects.filter(pk__in=[late.pk, asked.pk]).update(due_at=timezone.now() - timedelta(hours=1))
    Review.objects.filter(pk=asked.pk).update(asked=everybody.outsider)
    [[workflow, answered, in_time, share, low, high_]] = tables(everybody.manager)["in-time"]
    assert (workflow, answered, in_time) == ("Pay bills", 3, 2)
    assert (share, low, high_) == (pytest.approx(2 / 3), *measured.wilson(2, 3))


def test_times_are_from_opening_to_the_first_look_and_to_the_answer(everybody):
    review = waiting_bill(everybody)
    Review.objects.filter(pk=review.pk).update(opened_at=timezone.now() - timedelta(minutes=10))
    review.refresh_from_db()
    reviews.view(review=review, actor=everybody.clerk)
    reviews.view(review=review, actor=everybody.second)
    answer(review, everybody.clerk)
    looked, answered = tables(everybody.manager)["times"]
    assert looked[1:] == [1, pytest.approx(600, abs=20), pytest.approx(600, abs=20)]
    assert answered[1:] == [1, pytest.approx(600, abs=20), pytest.approx(600, abs=20)]


def test_runs_say_how_often_a_person_was_asked(everybody):
    bill(everybody)
    waiting_bill(everybody)
    assert tables(everybody.manager)["workflows"] == [["Pay bills", 2, 1, 1, 0.5]]


@pytest.mark.parametrize(
    ("verdict", "advice", "changes", "outcome"),
    [
        ("approve", None, [], "agreed"),
        ("approve", None, [{"old": "1.00", "new": "1"}], "agreed"),
        ("approve", None, [{"old": "1", "new": "2"}], "corrected"),
        ("reject", None, [], "overrode"),
        ("reject", "reject", None, "agreed"),
        ("approve", "reject", [{"old": "1", "new": "2"}], "overrode"),
    ],
)
def test_an_answer_agrees_corrects_or_overrides(verdict, advice, changes, outcome):
    assert quality.outcome_of(verdict, advice, changes) == outcome


def test_answers_are_compared_with_what_was_recommended(everybody):
    answer(waiting_bill(everybody), everybody.clerk)
    answer(waiting_bill(everybody), everybody.clerk, corrections=CORRECTION)
    answer(waiting_bill(everybody), everybody.second, "reject")
    answer(waiting_bill(everybody, advice="reject: copy"), everybody.second, "reject")
    found = tables(everybody.manager, "quality")
    assert found["answers"] == [["Pay bills", 4, 2, 1, 1, 0.5, *measured.wilson(2, 4)]]
    assert [row[:5] for row in found["people"]] == [["Clerk", 2, 1, 1, 0], ["Second", 2, 1, 0, 1]]


def test_what_a_second_reviewer_overturned_and_what_was_taken_back():
    everybody = with_managers(cast(undo_seconds=60, quorum=2))
    agreed, differed = waiting_bill(everybody), waiting_bill(everybody)
    for review, verdict in ((agreed, "approve"), (differed, "reject")):
        answer(review, everybody.clerk)
        answer(review, everybody.second, verdict)
    undone = waiting_bill(everybody)
    said = answer(undone, everybody.clerk, "reject")
    reviews.undo(decision_id=said["decision"], actor=everybody.clerk)
    overturned, taken_back, sampled, *_control = tables(everybody.manager, "quality")["checks"]
    assert (overturned[1:3], taken_back[1:3], sampled[1:3]) == ([1, 2], [1, 3], [0, 0])


def test_the_quality_sample_is_counted_apart(everybody):
    drawn, changed = waiting_bill(everybody), waiting_bill(everybody)
    Review.objects.update(rules="differs quality_sample")
    answer(drawn, everybody.clerk)
    answer(changed, everybody.clerk, corrections=CORRECTION)
    assert tables(everybody.manager, "quality")["checks"][2][1:3] == [1, 2]


def test_rules_say_how_often_people_changed_something(everybody):
    answer(waiting_bill(everybody), everybody.clerk)
    answer(waiting_bill(everybody), everybody.clerk, "reject")
    measured.sweep()
    [row] = tables(everybody.manager, "quality")["rules"]
    assert row == ["Pay bills", "bills: differs", 2, 1, 0.5, *measured.wilson(1, 2)]


def test_calibration_is_told_for_the_field_asked_for(everybody):
    for name, tenth, seen, held in (("payable", 9, 100, 94), ("payable", 8, 10, 5), ("iban", 9, 60, 60)):
        kind = Measured.Kind.FIELD
        Measured.objects.create(
            workflow="pay-bills", kind=kind, actor="cast.read", name=name, tenth=tenth, seen=seen, held=held
        )
    Measured.objects.create(workflow="other", kind=kind, actor="x", name="hidden", tenth=9, seen=9, held=9)
    found = tables(everybody.manager, "calibration")
    assert [row[:4] for row in found["tenths"]] == [["0.8–0.9", 10, 5, 0.5], ["0.9–1.0", 100, 94, 0.94]]
    assert [row[:4] for row in found["fields"]] == [["cast.read", "Iban", 60, 60], ["cast.read", "Payable", 110, 99]]
    assert [row[:3] for row in tables(everybody.manager, "calibration", of="cast.read/iban")["tenths"]] == [
        ["0.9–1.0", 60, 60]
    ]
    page = text_of(signed_in(everybody.manager).get("/insights/?tab=calibration"))
    assert page.count('<circle class="c3"') == 1, "a tenth of under 50 cases is grey"
    assert page.count('<circle class="c2"') == 1


def test_cost_is_what_agents_cost_and_how_long_people_took(everybody, settings):
    settings.REVIEWER_HOUR_COST = Decimal(60)
    for seconds in (30, 90, 600):
        review = waiting_bill(everybody)
        answer(review, everybody.clerk, "ask", target="user:outsider", comment="Who?", seconds_open=30)
        answer(open_review_of(review.run), everybody.clerk, seconds_open=seconds)
    read = Decision.objects.filter(step="read", actor_kind="agent").values_list("pk", flat=True)
    with guards_lifted():
        Decision.objects.filter(pk__in=list(read)).update(cost="0.25")
    found = tables(everybody.manager, "cost")
    assert found["people"] == [["Pay bills", 3, 810, 120, 630]]
    assert [list(map(float, row[1:])) for row in found["machines"]] == [[3, 0.75, 0.25, 0.25]]
    assert [list(map(float, row[1:])) for row in found["decisions"]] == [[3, 14.25, 2.25, 10.75]]


def test_only_the_period_counts(everybody):
    answer(waiting_bill(everybody), everybody.clerk)
    long_ago = timezone.now() - timedelta(days=40)
    Review.objects.update(opened_at=long_ago, settled_at=long_ago, ended_at=long_ago)
    assert sum(row[1] + row[2] for row in tables(everybody.manager)["per-day"]) == 0
    assert sum(row[1] + row[2] for row in tables(everybody.manager, days="90")["per-day"]) == 2


def test_figures_of_a_queue_are_for_those_who_may_see_them(everybody):
    answer(waiting_bill(everybody), everybody.clerk)
    assert list(tables(everybody.clerk)) == ["people"], "a reviewer sees their own answers alone"
    assert tables(everybody.outsider) == {}
    assert "for those who manage them" in text_of(signed_in(everybody.outsider).get("/insights/"))
    assert tables(everybody.cfo) == {}, "deciding in a queue is no right to its figures"
    assert tables(everybody.auditor)["per-day"][-1][1:] == [1, 1, 0]


def test_a_person_is_shown_to_themselves_and_to_whoever_leads_them(everybody):
    answer(waiting_bill(everybody), everybody.clerk)
    answer(waiting_bill(everybody, amount="30000.00"), everybody.manager)
    assert [row[0] for row in tables(everybody.clerk, "quality")["people"]] == ["Clerk"]
    assert [row[0] for row in tables(everybody.manager, "quality")["people"]] == ["Clerk", "Manager"]
    assert "people" not in tables(everybody.auditor, "quality")
    give("insights", everybody.cfo, everybody.clerks, actor=everybody.admin)
    assert "people" not in tables(everybody.cfo, "quality")


def test_every_table_is_a_csv_at_its_own_address(everybody):
    answer(waiting_bill(everybody), everybody.clerk)
    client = signed_in(everybody.manager)
    for tab in ("flow", "quality", "calibration", "cost"):
        for table in client.get("/insights/", {"tab": tab}).context["tables"]:
            response = client.get("/insights/", {"tab": tab, "csv": table.key})
            assert response["Content-Type"] == "text/csv; charset=utf-8"
            head, *rows = csv.reader(io.StringIO(text_of(response)))
            assert head == [column.key for column in table.columns]
            assert len(rows) == len(table.rows)
    assert client.get("/insights/?csv=answers").status_code == 400


def test_the_csv_says_plain_numbers_and_runs_no_formula():
    rows = [["=1+1", 0.5, None, date(2026, 11, 20)]]
    assert Table("t", "T", [Column(k, k) for k in "abcd"], rows).csv == "a,b,c,d\r\n'=1+1,0.5000,,2026-11-20\r\n"


@pytest.mark.parametrize("query", ["tab=money", "days=31", "days=x", "who=clerk", "csv=nothing"])
def test_an_address_that_means_nothing_is_refused_with_what_is_expected(everybody, query):
    response = signed_in(everybody.manager).get(f"/insights/?{query}")
    assert response.status_code == 400
    assert "expected" in text_of(response)


def test_the_middle_and_nine_of_ten():
    assert (middle([1, 2, 4, 9]), high(range(1, 11)), high([5]), middle([]), high([])) == (3, 9, 5, None, None)


def test_names_in_pictures_are_text():
    drawn = charts.bars("t", ["<script>"], [charts.Series("<b>", "c1", [1])], str)
    assert "<script>" not in drawn
    assert "&lt;script&gt;" in drawn


@pytest.mark.parametrize(("largest", "top"), [(0, 1), (3, 5), (17, 20), (100, 100), (101, 200), (5001, 10000)])
def test_an_axis_ends_at_a_round_number(largest, top):
    assert charts.ceiling([largest]) == top


@pytest.mark.parametrize(("tab", "most"), [("flow", 24), ("quality", 24), ("calibration", 16), ("cost", 18)])
def test_the_number_of_statements_does_not_grow_with_the_cases(everybody, django_assert_max_num_queries, tab, most):
    for _ in range(4):
        answer(waiting_bill(everybody), everybody.clerk)
    work()
    client = signed_in(everybody.manager)
    with django_assert_max_num_queries(most):
        client.get("/insights/", {"tab": tab})


def test_waiting_is_counted_in_the_queues_of_the_reader_alone(everybody):
    waiting_bill(everybody)
    waiting_bill(everybody, flagged=True)
    assert sum(flow.waiting(scope_of(everybody.manager, 7)).values()) == 2
    give("insights", everybody.cfo, everybody.seniors, actor=everybody.admin)
    assert sum(flow.waiting(scope_of(everybody.cfo, 7)).values()) == 1
