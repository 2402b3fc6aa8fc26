"""A case as its page shows it, made from the packet, the person's standing and what they have filled in."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext

from orchestrator import taking_back
from orchestrator.models import Decision, Run
from orchestrator.pinned import definition_of, policy_set_of

from . import control
from .answer import OTHER, Answer
from .choices import Choice, choices_of
from .consequence import Consequence, consequence
from .decision_panel import DecisionPanel
from .earlier import earlier_runs
from .feedback import Feedback, feedback_on
from .history import Entry, Spent, history_of, sources_of, spent_on
from .inbox import Wanted
from .models import Queue, Review
from .packet import name_of
from .paper import Paper, Value, lay_out, read_values, shown
from .permissions import had_a_part
from .policies import ASK
from .questions import Question, questions_of
from .reversing import reversals_of
from .standing import Standing
from .viewer import Viewer
from .why import Reason, Why

ONE_DIFFERENCE = "differences."  # how an objection names one: differences.d3


@dataclass(frozen=True, slots=True)
class Option:
    index: str
    value: str
    source: str
    picked: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """A question with what was filled in. `place`: the anchor of its passage in the document, "" where it has none."""

    asked: Question
    options: Sequence[Option]
    settled: bool
    place: str
    earlier: Sequence[Run] = ()  # other cases it is about
    other: str = ""
    is_other: bool = False

    @property
    def number(self) -> int:
        return self.asked.number

    @property
    def open(self) -> bool:
        return self.asked.stops and not self.settled


@dataclass
class CasePage:
    """Everything the templates of a case show. `allowed` are the verdicts this person may give now."""

    review: Review
    user: Any
    allowed: Collection[str]
    answer: Answer
    wanted: Wanted
    view: Mapping[str, str]  # which document, and how: {"doc", "as", "find", "open"}
    saved_at: datetime | None = None
    errors: Sequence[tuple[str, str]] = ()
    conflict: Any = None
    seen_digest: str = ""  # of the packet the refused answer was about
    queues: Sequence[Queue] | None = None  # all there are, where they have been read already
    nonce: str = field(default_factory=lambda: str(uuid4()))

    @property
    def packet(self) -> Mapping[str, Any]:
        return self.review.packet

    @property
    def list_fields(self) -> list[tuple[str, str]]:
        """Which list the case was opened from, for a form of its own."""
        return parse_qsl(self.wanted.query)

    @cached_property
    def questions(self) -> list[Question]:
        return questions_of(self.packet["differences"])

    @cached_property
    def numbers(self) -> dict[str, int]:
        """JSON pointer to the number of the question about it."""
        return {asked.pointer: asked.number for asked in self.questions if asked.pointer}

    @cached_property
    def viewer(self) -> Viewer:
        """The document pane."""
        asked = {item["id"]: question.number for question in self.questions for item in question.items}
        laid_out = any(item["value"] not in (None, "") for item in self.packet["values"])
        return Viewer(self.packet, self.view, self.numbers, asked, laid_out=laid_out)

    @cached_property
    def values(self) -> list[Value]:
        return read_values(self.packet, self.numbers, self.standing.of, self.viewer.texts.founded)

    @cached_property
    def standing(self) -> Standing:
        """How often values and rules like these held."""
        return Standing(self.packet)

    @property
    def groups(self) -> tuple[list[Value], list[Value]]:
        """What the document says, and how it is written."""
        return [v for v in self.values if not v.is_technical], [v for v in self.values if v.is_technical]

    @property
    def measured(self) -> bool:
        """Whether there are enough cases to tell of any value how often such values held."""
        return any(value.held for value in self.values)

    @property
    def correctable(self) -> list[Value]:
        """What may be typed anew beside the differences, which offer that themselves."""
        asked = {question.pointer for question in self.questions if question.options}
        return [v for v in self.values if v.pointer and (v.pointer not in asked or v.pointer in self.answer.typed)]

    @property
    def unfounded(self) -> int:
        return sum(1 for value in self.values if value.founded is False)

    @cached_property
    def paper(self) -> Paper:
        return lay_out(self.packet, self.values, self.numbers)

    @cached_property
    def differences(self) -> list[Difference]:
        return [self._difference(asked) for asked in self.questions]

    def _difference(self, asked: Question) -> Difference:
        pick, pointer = self.answer.picks.get(asked.id, ""), asked.pointer
        options = [
            Option(str(index), shown(pointer, value), source, pick == str(index))
            for index, (value, source) in enumerate(asked.options)
        ]
        typed, settled = self.answer.others.get(asked.id, ""), bool(pointer) and pointer in self.corrections
        place = self.viewer.anchors.get(str(asked.number), "")
        earlier = [self.earlier[name] for name in asked.earlier if name in self.earlier]
        return Difference(asked, options, settled, place, earlier, typed, pick == OTHER)

    @cached_property
    def earlier(self) -> Mapping[str, Run]:
        """The runs that differences name, as far as the reader may see them."""
        return earlier_runs({name for asked in self.questions for name in asked.earlier}, self.user)

    @cached_property
    def corrections(self) -> dict[str, Any]:
        return self.answer.corrections(self.packet)

    @property
    def stopping(self) -> list[Difference]:
        return [found for found in self.differences if found.asked.stops]

    @property
    def open_differences(self) -> list[Difference]:
        return [found for found in self.differences if found.open]

    @property
    def settled(self) -> int:
        return sum(1 for found in self.stopping if found.settled)

    @cached_property
    def why(self) -> Why:
        run = self.review.run
        policies = policy_set_of(run.policy_version_id) if run.policy_version_id else None
        return Why(self.packet, policies, self.standing)

    @property
    def reasons(self) -> list[Reason]:
        return self.why.reasons

    @property
    def held_by(self) -> str:
        """Who else works on the case now, or empty."""
        review = self.review
        mine = review.claimed_by_id in (None, self.user.pk)
        lapsed = review.claimed_until is None or review.claimed_until < timezone.now()
        return "" if mine or lapsed else name_of(review.claimed_by)

    @property
    def is_mine(self) -> bool:
        return self.review.claimed_by_id == self.user.pk and not self.held_by and self.review.claimed_by_id is not None

    @property
    def decidable(self) -> bool:
        return bool(self.allowed) and not self.held_by

    @property
    def why_not(self) -> str:
        """Why this person cannot decide it, in words."""
        review = self.review
        if not review.is_live:
            return gettext("This case is %(status)s.") % {"status": review.get_status_display()}
        if self.held_by:
            return gettext("%(held_by)s is working on it until %(claimed_until)s.") % {
                "held_by": self.held_by,
                "claimed_until": f"{timezone.localtime(review.claimed_until):%H:%M}",
            }
        if self.user.pk in self.panel.signed_by:
            return gettext("You have answered it in this round. Somebody else answers now.")
        if taking_back.reverses(review.run) and had_a_part(self.user, review):
            return gettext("You had a part in the decision that is to be reversed. Another person looks at it.")
        if control.knows(self.user, review):
            return gettext("You may know the answer to this control case. Another person gives it.")
        if review.run.started_by_id == self.user.pk:
            return gettext("Whoever asked for this may not decide it. You may read everything.")
        return gettext("You may read this case, and not decide it.")

    @cached_property
    def consequence(self) -> Consequence:
        return consequence(self.review, self.corrections)

    @property
    def question_asked(self) -> Any:
        """The open question, as the approval it was recorded with."""
        return self.review.approvals.filter(verdict=ASK).select_related("reviewer").last()

    @property
    def level(self) -> Mapping[str, Any]:
        return self.review.levels[self.review.level] if self.review.levels else {"group": "", "why": ""}

    @property
    def levels_after(self) -> Sequence[Mapping[str, Any]]:
        return self.review.levels[self.review.level + 1 :]

    @cached_property
    def choices(self) -> list[Choice]:
        return choices_of(self.review, self.user, self.answer, self.allowed, self.queues)

    @cached_property
    def panel(self) -> DecisionPanel:
        """What stands around the choice: the recommendation, answers before this one, what is said about the case."""
        return DecisionPanel(self.review, self.user, self.allowed)

    @property
    def error_links(self) -> list[tuple[str, str]]:
        """Objections as links: (anchor of the field, words)."""
        return [(self._anchor(field_), words) for field_, words in self.errors]

    def _anchor(self, name: str) -> str:
        verdict = self.answer.verdict
        if name.startswith("corrections."):
            number = self.numbers.get(name.removeprefix("corrections."))
            return f"o{number}" if number else "vals"  # what was typed
        anchors = {"reason": f"r-{verdict}", "target": f"target-{verdict}", "comment": f"comment-{verdict}"}
        anchors |= {"verdict": self.choices[0].id if self.choices else "choice", "hours": f"hours-{verdict}"}
        places = ((item["id"], found.anchor) for found in self.questions for item in found.items)
        asked = {f"{ONE_DIFFERENCE}{name}": anchor for name, anchor in places}
        return {**asked, **anchors}.get(name, "q-dec")

    @cached_property
    def history(self) -> list[Entry]:
        return history_of(self.packet, self.viewer.texts)

    @property
    def sources(self) -> list[dict[str, Any]]:
        return sources_of(self.packet)

    @property
    def refused_reads(self) -> list[dict[str, Any]]:
        return [{**item, "at": parse_datetime(item["at"])} for item in self.packet.get("refused", ())]

    @property
    def approvals(self) -> list[dict[str, Any]]:
        return [{**item, "at": parse_datetime(item["at"])} for item in self.packet["approvals"]]

    @cached_property
    def spent(self) -> Spent:
        return spent_on(self.review)

    @cached_property
    def feedback(self) -> Feedback | None:
        """Of a control case that is over, for those who may see how it was answered."""
        return feedback_on(self.review, self.user) if self.was_control else None

    @property
    def was_control(self) -> bool:
        return bool(self.review.control) and not self.review.is_live and self.review.run.ended_at is not None

    @cached_property
    def reverses(self) -> Decision | None:
        """The decision this case is to reverse."""
        run = self.review.run
        return taking_back.decision_reversed(run.input) if taking_back.reverses(run) else None

    @cached_property
    def reversal(self) -> Run | None:
        """The newest run in which this case's answer is, or was, to be reversed."""
        decision = self.review.answer.get("decision")
        return None if self.review.is_live or not decision else reversals_of(decision).first()

    @property
    def steps_after(self) -> list[str]:
        definition = definition_of(self.review.run.version_id)
        after = definition.descendants(self.review.task.step)
        return [step.title or name for name, step in definition.steps.items() if name in after]

    @property
    def position(self) -> tuple[int, int]:
        """Which step this is, of how many."""
        names = list(definition_of(self.review.run.version_id).steps)
        return names.index(self.review.task.step) + 1, len(names)
