"""What a reviewer has filled in on a case, from a form or from their draft, before anything is recorded."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .policies import VERDICTS
from .questions import Question, questions_of, same

OTHER = "other"
MAX_TEXT = 4_000


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer being made. `picks` maps a question to the option chosen ("0", "1", … or "other"), `others` to the
    value typed; `typed` maps a JSON pointer to a corrected value. Texts, codes, targets and hours (`spans`) are kept
    per verdict."""

    verdict: str = ""
    picks: Mapping[str, str] = field(default_factory=dict)
    others: Mapping[str, str] = field(default_factory=dict)
    typed: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    comments: Mapping[str, str] = field(default_factory=dict)
    targets: Mapping[str, str] = field(default_factory=dict)
    spans: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, post: Mapping[str, str]) -> "Answer":
        """From form fields named `pick:d1`, `other:d1`, `set:/read/invoice/due_date`, `reason:reject`, …; `person:ask`
        is the user name of somebody who stands in no list."""
        verdict = post.get("verdict", "")
        parts: dict[str, dict[str, str]] = {}
        for name, value in post.items():
            kind, found, rest = name.partition(":")
            if found and value.strip():
                parts.setdefault(kind, {})[rest] = value.strip()[:MAX_TEXT]
        named = {found: f"user:{name}" for found, name in parts.get("person", {}).items()}
        parts["target"] = named | parts.get("target", {})  # who was chosen from the list counts
        return cls(
            verdict if verdict in VERDICTS else "",
            *(parts.get(kind, {}) for kind in ("pick", "other", "set", "reason", "comment", "target", "hours")),
        )

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Answer":
        return cls(**{name: kept[name] for name in cls.__slots__ if name in kept})

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    def kept(self, packet: Mapping[str, Any], digest: str) -> dict[str, Any]:
        """As a draft keeps it: with the case it was filled in on, and the picks by what they were about."""
        questions = {question.id: question for question in questions_of(packet["differences"]) if question.pointer}
        chosen = {q.pointer: self.chosen(q) for q in questions.values()}
        about = {pointer: [found[0], ""] for pointer, found in chosen.items() if found}
        for question_id, pick in self.picks.items():
            if pick == OTHER and question_id in questions and question_id in self.others:
                about[questions[question_id].pointer] = ["", self.others[question_id]]
        return {**self.as_json(), "digest": digest, "about": about}

    @classmethod
    def of_draft(cls, kept: Mapping[str, Any], packet: Mapping[str, Any], digest: str) -> "Answer":
        """A draft on the case as it is now. Where the case has changed since, a pick stands if its question still has
        that value; otherwise the difference is open again."""
        answer = cls.from_json(kept)
        if kept.get("digest", digest) == digest:
            return answer
        picks, others = {}, {}
        for question in questions_of(packet["differences"]):
            value, typed = kept.get("about", {}).get(question.pointer, (None, ""))
            if question.pointer and typed:
                picks[question.id], others[question.id] = OTHER, typed
            elif question.pointer in kept.get("about", {}):
                known = [same(option) for option, _ in question.options]
                picks |= {question.id: str(known.index(same(value)))} if same(value) in known else {}
        return replace(answer, picks=picks, others=others)

    @property
    def hours(self) -> int | None:
        text = self.spans.get(self.verdict, "")
        return int(text) if text.isdecimal() and len(text) < 6 else None

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
