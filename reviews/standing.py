"""How often values and rules like those of one case held before: read once for the whole page."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from .measured import Frequencies, Frequency, frequencies, tenth_of
from .models import Measured

SURE = 0.9  # below it a score says that this case is not like most


class Standing:
    def __init__(self, packet: Mapping[str, Any]):
        self.packet = packet
        self.readers = {row["step"]: row["actor"] for row in packet["decisions"] if row["actor_kind"] == "agent"}

    @cached_property
    def _found(self) -> Frequencies:
        return frequencies(self.packet["case"]["workflow"])

    def of(self, item: Mapping[str, Any]) -> Frequency | None:
        """How often values of this field held with a score in the same tenth; over all scores where that is too few
        and the score is not one of the doubtful; None where there are not enough cases to tell."""
        found = self._found.get((Measured.Kind.FIELD, self.readers.get(item["step"], ""), item["name"]), {})
        alike = found.get(tenth_of(item["confidence"]))
        if alike and alike.enough:
            return alike
        overall, sure = found.get(None), float(item["confidence"] or 1) >= SURE
        return overall if sure and overall and overall.enough else None

    def of_rule(self, reason: Mapping[str, Any]) -> Frequency | None:
        """In how many of the cases a rule stopped people changed or refused something; None for too few."""
        found = self._found.get((Measured.Kind.RULE, reason["policy"], reason["rule"]), {}).get(None)
        return found if found and found.enough else None
