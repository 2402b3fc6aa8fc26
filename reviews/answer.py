"""What a reviewer has filled in on a case, from a form or from their draft, before anything is recorded."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .policies import VERDICTS
from .questions import Question, questions_of

OTHER = "other"
MAX_TEXT = 4_000


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer being made. `picks` maps a question to the option chosen ("0", "1", … or "other"), `others` to the
    value typed; `typed` maps a JSON pointer to a corrected value. Texts, codes and targets are kept per verdict."""

    verdict: str = ""
    picks: Mapping[str, str] = field(default_factory=dict)
    others: Mapping[str, str] = field(default_factory=dict)
    typed: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    comments: Mapping[str, str] = field(default_factory=dict)
    targets: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, post: Mapping[str, str]) -> "Answer":
        """From form fields named `pick:d1`, `other:d1`, `set:/read/invoice/due_date`, `reason:reject`, …"""
        verdict = post.get("verdict", "")
        parts: dict[str, dict[str, str]] = {}
        for name, value in post.items():
            kind, found, rest = name.partition(":")
            if found and value.strip():
                parts.setdefault(kind, {})[rest] = value.strip()[:MAX_TEXT]
        return cls(
            verdict if verdict in VERDICTS else "",
            *(parts.get(kind, {}) for kind in ("pick", "other", "set", "reason", "comment", "target")),
        )

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Answer":
        return cls(**{name: kept[name] for name in cls.__slots__ if name in kept})

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    @property
    def reason(self) -> str:
        return self.reasons.get(self.verdict, "")

    @property
    def comment(self) -> str:
        return self.comments.get(self.verdict, "")

    @property
    def target(self) -> str:
        return self.targets.get(self.verdict, "")

    def corrections(self, packet: Mapping[str, Any]) -> dict[str, Any]:
        """{JSON pointer: value} of the differences settled by a value, and of values typed anew."""
        asked = [question for question in questions_of(packet["differences"]) if question.pointer]
        chosen = {question.pointer: self.chosen(question) for question in asked}
        known = {item["pointer"] for item in packet["values"]}
        typed = {pointer: value for pointer, value in self.typed.items() if pointer in known}
        return {pointer: found[0] for pointer, found in chosen.items() if found} | typed

    def chosen(self, question: Question) -> tuple[Any] | None:
        """The value picked for a question, which may be None for "nothing"; None where nothing is picked."""
        pick, options = self.picks.get(question.id, ""), question.options
        if pick == OTHER:
            return (self.others[question.id],) if question.id in self.others else None
        return (options[int(pick)][0],) if pick.isdecimal() and int(pick) < len(options) else None
