"""Why an answer was not taken. Each owns its message; `status` is the HTTP status it means, `code` the API's word."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext


class ReviewError(Exception):
    """Base of everything a reviewer may be told instead of "done"."""

    code = "invalid"
    status = 422

    def as_json(self) -> dict[str, Any]:
        return {"code": self.code, "message": str(self), "errors": []}


class Missing(str):
    """What is said of a field that is empty: a page asks for it in its own words."""


class NotAllowed(ReviewError):
    """The person may not do this. `rule` is the rule's name, `words` what it says of the level."""

    code, status = "not_allowed", 403

    def __init__(self, rule: str, words: str, level: Mapping[str, Any] | None = None):
        super().__init__(gettext(words) % level if level else gettext(words))
        self.rule = rule

    def as_json(self) -> dict[str, Any]:
        return {**super().as_json(), "rule": self.rule}


class Invalid(ReviewError):
    """The answer is incomplete or cannot be understood: [(field, message), …]. Nothing was recorded."""

    def __init__(self, errors: Sequence[tuple[str, str]]):
        super().__init__(" ".join(message for _, message in errors))
        self.errors = list(errors)

    def as_json(self) -> dict[str, Any]:
        return {**super().as_json(), "errors": [{"field": field, "message": words} for field, words in self.errors]}


class TooFast(NotAllowed):
    """More answers within a minute than one person can have thought about."""

    code, status = "too_many_requests", 429

    def __init__(self, most: int):
        super().__init__(
            "pace",
            gettext("You have given %(most)s answers within a minute; nothing was recorded. Wait a moment.")
            % {"most": most},
        )


class Conflict(ReviewError):
    """Somebody or something else was first; the message says what happened."""

    code, status = "conflict", 409


class Stale(Conflict):
    """The case is not what the person saw. `difference` is a list of {"path", "before", "after"}; `review` the id of
    the round that is open now."""

    code = "stale"

    def __init__(self, difference: Sequence[Mapping[str, Any]], review: str = ""):
        super().__init__(
            gettext("The case has changed since it was opened; nothing was recorded. Look at what changed.")
        )
        self.difference, self.review = list(difference), review

    def as_json(self) -> dict[str, Any]:
        return {**super().as_json(), "difference": self.difference, "review": self.review}


class OutOfTime(Conflict):
    """The page was opened too long ago to decide by."""

    code = "expired"

    def __init__(self, hours: int):
        super().__init__(
            gettext("This case was opened more than %(hours)s hours ago; nothing was recorded. Open it again.")
            % {"hours": hours}
        )


class AlreadyDecided(Conflict):
    """Somebody answered first. `outcome` is {"status", "verdict", "by", "at", "comment"}."""

    code = "already_decided"

    def __init__(self, outcome: Mapping[str, Any]):
        who = gettext(" by %(by)s") % {"by": outcome["by"]} if outcome.get("by") else ""
        super().__init__(
            gettext("This case is %(status)s%(who)s; your answer was not recorded.")
            % {"status": outcome["status"], "who": who}
        )
        self.outcome = dict(outcome)

    def as_json(self) -> dict[str, Any]:
        return {**super().as_json(), "outcome": self.outcome}


class Held(Conflict):
    """Somebody else is working on the case."""

    code = "held"

    def __init__(self, by: str, until: datetime):
        super().__init__(
            gettext("%(by)s is working on this case until %(until)s; nothing was recorded.")
            % {"by": by, "until": f"{until:%H:%M %Z}"}
        )
        self.by, self.until = by, until


class NonceTaken(Conflict):
    """The nonce was used for something else. What that was is nobody's business."""

    code = "nonce_taken"

    def __init__(self) -> None:
        super().__init__(gettext("nonce: this one was used before; send a new one with each new answer."))


class TooLate(Conflict):
    """An answer that can no longer be taken back."""

    code = "too_late"

    def __init__(self, why: str = ""):
        super().__init__(why or gettext("The time to take this back is over."))
