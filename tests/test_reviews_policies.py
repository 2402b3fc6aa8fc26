"""The pure rules of human work: eligibility, levels, quorum, and the table of a review's legal moves."""

from itertools import product

import pytest

from orchestrator.transitions import IllegalMove
from reviews import policies
from reviews.models import Review
from reviews.policies import Standing, Vote
from reviews.transitions import REVIEW, move_reviews

OWN, CFO = {"group": "", "quorum": 1, "why": ""}, {"group": "cfo", "quorum": 2, "why": ""}
CLERK = Standing(decides=True, reroutes=True)


@pytest.mark.parametrize(
    ("standing", "verdict", "level", "rule"),
    [
        (CLERK, "approve", OWN, None),
        (Standing(active=False, decides=True), "approve", OWN, "active"),
        (Standing(agent=True, decides=True), "approve", OWN, "agent"),
        (Standing(requester=True, decides=True), "ask", OWN, "requester"),
        (Standing(), "approve", OWN, "queue"),
        (Standing(), "reroute", OWN, "queue"),
        (Standing(reroutes=True), "reroute", OWN, None),
        (Standing(reroutes=True), "approve", OWN, "queue"),
        (Standing(decides=True, voted=True), "reject", OWN, "four_eyes"),
        (Standing(decides=True, voted=True), "escalate", OWN, None),
        (CLERK, "approve", CFO, "level"),
        (CLERK, "reject", CFO, "level"),
        (CLERK, "escalate", CFO, None),
        (Standing(decides=True, groups=frozenset({"cfo"})), "approve", CFO, None),
    ],
)
def test_each_rule_refuses_what_it_is_about(standing, verdict, level, rule):
    refused = policies.refusal(standing, verdict, level)
    assert (refused[0] if refused else None) == rule


def test_all_verdicts_are_open_to_who_may_decide_and_none_to_the_requester():
    assert policies.allowed(CLERK, OWN) == list(policies.VERDICTS)
    assert policies.allowed(Standing(requester=True, decides=True), OWN) == []


def groups(**given):
    facts = {"quorum": 1, "ladder": [], "asked": [], "exposure": 100, "has_amount": True} | given
    return [level["group"] for level in policies.levels_for(**facts)]


def test_levels_are_the_queue_then_the_ladder_then_what_rules_asked_for_each_once():
    ladder = [("managers", 50), ("cfo", 500)]
    assert groups(ladder=ladder) == ["", "managers"]
    assert groups(ladder=ladder, exposure=50) == [""]
    assert groups(ladder=ladder, exposure=501) == ["", "managers", "cfo"]
    assert groups(ladder=ladder, exposure=None) == ["", "managers", "cfo"]
    assert groups(ladder=ladder, exposure=None, has_amount=False) == [""]
    assert groups(ladder=ladder, asked=[("cfo", "rule"), ("legal", "a"), ("legal", "b")]) == [
        "",
        "managers",
        "cfo",
        "legal",
    ]
    assert groups(ladder=[("managers", 0)], exposure=None, has_amount=False) == ["", "managers"]


def test_corrections_add_levels_and_never_take_one_away():
    assert [level["group"] for level in policies.extended([OWN, CFO], [OWN])] == ["", "cfo"]
    assert [level["group"] for level in policies.extended([OWN], [OWN, CFO])] == ["", "cfo"]


def test_a_level_is_signed_by_as_many_different_people_as_its_quorum():
    levels = [OWN, CFO]
    assert policies.open_level(levels, []) == 0
    assert policies.open_level(levels, [Vote(1, 0)]) == 1
    assert policies.open_level(levels, [Vote(1, 0), Vote(2, 1), Vote(2, 1)]) == 1
    assert policies.open_level(levels, [Vote(1, 0), Vote(2, 1), Vote(3, 1)]) is None


def test_only_what_stops_and_is_neither_corrected_nor_explained_is_unmet():
    stop, note = {"severity": "stop", "pointer": "/a"}, {"severity": "note", "pointer": "/b"}
    bare = {"severity": "stop", "pointer": None}
    assert policies.unmet([stop, note, bare], set(), False) == [stop, bare]
    assert policies.unmet([stop, bare], {"/a"}, False) == [bare]
    assert policies.unmet([stop, bare], set(), True) == []


@pytest.mark.parametrize(("source", "target"), product(Review.Status.values, repeat=2))
def test_every_move_that_the_table_does_not_name_is_refused(db, source, target):
    if target in REVIEW[source]:
        extra = {"claimed_by": None} if target == "claimed" else {}
        assert move_reviews([], [source], target, **extra) == 0
    else:
        with pytest.raises(IllegalMove):
            move_reviews([], [source], target)
