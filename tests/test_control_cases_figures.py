"""Control cases in the figures: how many were caught, and in no figure of real work."""

from datetime import timedelta

import pytest
from django.utils import timezone

from orchestrator.grants import give
from reviews import control, measured
from reviews.models import ControlCase, Review

from .cast import answer, cast, waiting_bill, work
from .control import WHY, mailbox, planted
from .desk import signed_in, text_of
from .test_insights import tables, with_managers

pytestmark = pytest.mark.django_db


@pytest.fixture
def everybody():
    return with_managers(cast())


@pytest.fixture
def box():
    return mailbox()


def passed(everybody, box):
    """One in which nobody was asked."""
    given = {"workflow": "pay-bills", "stands_in": box, "verdicts": ["reject"], "why": WHY, "actor": everybody.admin}
    control.plant(**given, input={"amount": "10.00", "number": "KB-8"})
    work()


def test_how_many_were_caught_and_how_many_nobody_was_asked_about(everybody, box):
    for verdict in ("reject", "reject", "approve"):
        answer(planted(everybody, box), everybody.clerk, verdict)
    passed(everybody, box)
    planted(everybody, box)  # waits
    taken = planted(everybody, box)
    control.withdraw(case=control.planted(taken.run).get(), actor=everybody.admin)
    *_, caught, unasked = tables(everybody.manager, "quality")["checks"]
    assert caught == ["Control cases caught", 2, 3, 2 / 3, *measured.wilson(2, 3)]
    assert unasked[:3] == ["Control cases passed without a person", 1, 4]


def test_they_are_counted_in_the_period_and_the_queues_of_the_reader(everybody, box):
    answer(planted(everybody, box), everybody.clerk, "reject")
    give("insights", everybody.second, everybody.seniors, actor=everybody.admin)
    assert tables(everybody.second, "quality")["checks"][-2][1:3] == [0, 0]
    ControlCase.objects.update(answered_at=timezone.now() - timedelta(days=40))
    assert tables(everybody.manager, "quality")["checks"][-2][1:3] == [0, 0]
    assert tables(everybody.manager, "quality", days="90")["checks"][-2][1:3] == [1, 1]


def test_by_person_they_are_shown_to_each_and_to_the_lead_of_the_queue(everybody, box):
    answer(planted(everybody, box), everybody.clerk, "reject")
    answer(planted(everybody, box), everybody.second)
    both = [["Clerk", 1, 1], ["Second", 1, 0]]
    assert [row[:3] for row in tables(everybody.manager, "quality")["control"]] == both
    assert [row[:3] for row in tables(everybody.clerk, "quality")["control"]] == [["Clerk", 1, 1]]
    for user in (everybody.second, everybody.cfo):
        give("insights", user, everybody.clerks, actor=everybody.admin)
    assert [row[:3] for row in tables(everybody.second, "quality")["control"]] == [["Second", 1, 0]]
    assert "control" not in tables(everybody.cfo, "quality")
    page = signed_in(everybody.manager).get("/insights/", {"tab": "quality", "days": 30, "csv": "control"})
    assert text_of(page).splitlines()[0] == "person,answered,caught,share,low,high"


@pytest.mark.parametrize("tab", ["flow", "quality", "calibration", "cost"])
def test_once_it_is_answered_no_figure_of_real_work_has_it(everybody, box, tab):
    answer(waiting_bill(everybody), everybody.clerk)
    work()
    before = tables(everybody.manager, tab)
    review = planted(everybody, box)
    if tab == "flow":
        come_in = tables(everybody.manager, tab)["per-day"][-1][1]  # nobody finds it by a number that is one too small
        assert come_in == before["per-day"][-1][1] + 1
    answer(review, everybody.clerk, "reject")
    after = tables(everybody.manager, tab)
    after.pop("control", None)
    before["checks"] = after["checks"] = before.get("checks", [])[:-2]
    assert after == before


def test_it_is_part_of_the_persons_day(everybody, box):
    answer(planted(everybody, box), everybody.clerk, "reject")
    page = text_of(signed_in(everybody.clerk).get("/queue/?view=done"))
    assert Review.objects.get().number in page
