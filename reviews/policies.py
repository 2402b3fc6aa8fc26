"""The rules of human work as pure functions of plain facts: who is eligible, how many, how high. No Django."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


def _(text: str) -> str:
    """Marks a text that is stored or shown by others, who translate it where it is read."""
    return text


APPROVE, REJECT, REROUTE, ASK, DELEGATE, ESCALATE = VERDICTS = (
    "approve",
    "reject",
    "reroute",
    "ask",
    "delegate",
    "escalate",
)
VOTES = (APPROVE, REJECT)
SIGNED = (*VOTES, REROUTE)  # rerouting is an answer of its own where two people answer without sight of each other
EXPLAINED = (REJECT, REROUTE, ESCALATE)  # always with a reason

# What people choose from; `other` asks for words. Codes are stored, so they may be added to and never renamed.
REASONS: dict[str, tuple[tuple[str, str], ...]] = {
    APPROVE: (
        ("confirmed", _("Confirmed with the vendor or requester")),
        ("within_tolerance", _("Small difference, accepted")),
        ("terms_agreed", _("Agreed in a contract or by e-mail")),
        ("false_alarm", _("The check was mistaken")),
        ("other", _("Another reason")),
    ),
    REJECT: (
        ("duplicate", _("Duplicate")),
        ("not_ordered", _("Not ordered or not received")),
        ("wrong_amount", _("Amount is wrong")),
        ("suspected_fraud", _("Suspected fraud")),
        ("bad_document", _("Document unreadable or incomplete")),
        ("other", _("Another reason")),
    ),
    REROUTE: (
        ("misread", _("Something was misread")),
        ("missing_information", _("Information is missing")),
        ("wrong_team", _("Another team's case")),
        ("other", _("Another reason")),
    ),
    ESCALATE: (
        ("over_my_limit", _("Over what I may decide")),
        ("unusual", _("Unusual case")),
        ("other", _("Another reason")),
    ),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """Who a person is to one review, as facts read in the transaction that relies on them."""

    active: bool = True
    agent: bool = False
    requester: bool = False
    reversed: bool = False  # gave, or asked for, the answer that this review is to reverse
    knows: bool = False  # planted this case, or may know which answer is right
    sees: bool = False  # holds `view_queue` on the review's queue
    decides: bool = False  # holds `decide` on the review's queue
    reroutes: bool = False  # holds `reroute` on the review's queue
    voted: bool = False  # has approved or rejected in this round
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Vote:
    """An approval as it counts: whose, and at which level."""

    reviewer: int
    level: int


Level = Mapping[str, Any]  # {"group": name or "", "quorum": n, "why": words}


def refusal(standing: Standing, verdict: str, level: Level) -> tuple[str, str] | None:
    """(rule, words) that keeps this person from this verdict; None where nothing does. Order: what is most certain.
    Words are to be translated, and filled in with the level."""
    if not standing.active:
        return "active", _("This account is switched off.")
    if standing.agent:
        return "agent", _("Agents never decide for people.")
    if standing.requester:
        return "requester", _("Whoever asked for this may not decide it.")
    if standing.reversed:
        return "four_eyes", _("You had a part in the decision that is to be reversed; another person looks at it.")
    if standing.knows:  # the rule's name is put on record where others read it: it gives nothing away
        return "four_eyes", _("You may know the answer to this control case; another person gives it.")
    if verdict == REROUTE and not (standing.reroutes or standing.decides):
        return "queue", _("You may not send cases of this queue elsewhere.")
    if verdict != REROUTE and not standing.decides:
        return "queue", _("You may not decide cases of this queue.")
    if standing.voted and (verdict in VOTES or (verdict == REROUTE and level.get("blind"))):
        return "four_eyes", _("You have signed this round already; another person must sign now.")
    if verdict in VOTES and level["group"] and level["group"] not in standing.groups:
        return "level", _("This level is signed by somebody of the group %(group)s.")
    return None


def allowed(standing: Standing, level: Level) -> list[str]:
    """The verdicts this person may give now."""
    return [verdict for verdict in VERDICTS if refusal(standing, verdict, level) is None]


def levels_for(
    *,
    quorum: int,
    ladder: Iterable[tuple[str, int]],
    asked: Sequence[tuple[str, str]],
    exposure: int | None,
    has_amount: bool,
) -> list[dict[str, Any]]:
    """Who must sign, in order. First the queue's own reviewers; then the groups of the ladder [(group, above)], where
    the exposure (minor units) is above or cannot be told; then groups that rules asked for [(group, why)], each once.
    A group that is on the ladder keeps its place there."""
    wanted = dict(reversed(asked))
    ladder = list(ladder)
    found = [{"group": "", "quorum": quorum, "why": _("The queue's reviewers")}]
    for group, above in ladder:
        unknown = has_amount and exposure is None
        if group in wanted:
            why = wanted[group]
        elif above == 0 or unknown or (exposure is not None and exposure > above):
            why = (
                _("The amount cannot be told")
                if unknown and above
                else _("The amount is above what the level before may sign")
            )
        else:
            continue
        found.append({"group": group, "quorum": quorum, "why": why})
    named = {group for group, _ in ladder}
    for group, why in dict(asked).items():
        if group not in named:
            found.append({"group": group, "quorum": quorum, "why": why})
    return found


def extended(levels: Sequence[Level], now: Sequence[Level]) -> list[dict[str, Any]]:
    """Corrections may call for more levels, never for fewer: what was announced stays in place."""
    present = {level["group"] for level in levels}
    return [*map(dict, levels), *(dict(level) for level in now if level["group"] not in present)]


def open_level(levels: Sequence[Level], votes: Collection[Vote]) -> int | None:
    """The first level that different people have not signed often enough; None when all have."""
    for index, level in enumerate(levels):
        if len({vote.reviewer for vote in votes if vote.level == index}) < level["quorum"]:
            return index
    return None


def differing(group: str) -> dict[str, Any]:
    """Whose turn it is when two people answered differently: a third one, who sees both and whose answer holds."""
    return {"group": group, "quorum": 1, "why": _("Two people answered differently"), "blind": True, "settles": True}


AGAINST_ADVICE = {
    REJECT: _("the recommendation is to reject; say why you approve"),
    REROUTE: _("the recommendation is to reroute; say why you approve"),
    ASK: _("the recommendation is to ask; say why you approve"),
    ESCALATE: _("the recommendation is to escalate; say why you approve"),
}


def unexplained(verdict: str, *, reason: str, recommended: str, routes: Collection[str]) -> str:
    """Why a reason is asked for, where none was given; empty where none is needed. `recommended` is the verdict of the
    machine side (empty: it has none, or it is not to be spoken of), `routes` those of the rules that fired."""
    if reason:
        return ""
    if verdict in EXPLAINED:
        return {
            REJECT: _("a rejection says why"),
            REROUTE: _("say why it goes there"),
            ESCALATE: _("say why others look"),
        }[verdict]
    if verdict == APPROVE and REJECT in routes:
        return _("a rule would reject this; say why it is approved all the same")
    if verdict == APPROVE and recommended not in ("", APPROVE):
        return AGAINST_ADVICE[recommended]
    return ""


def unmet(
    differences: Iterable[Mapping[str, Any]], corrections: Collection[str], explained: bool
) -> list[Mapping[str, Any]]:
    """Differences that stop the case and that nobody has settled: neither by choosing a value nor by saying why."""
    if explained:
        return []
    stops = [item for item in differences if item["severity"] == "stop"]
    return [item for item in stops if not item.get("pointer") or item["pointer"] not in corrections]
