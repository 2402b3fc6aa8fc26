"""A case as its page shows it, made from the packet, the person's standing and what they have filled in."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import uuid4

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from orchestrator.models import Document, DocumentPage
from orchestrator.pages.documents import lines_of
from orchestrator.pinned import definition_of
from orchestrator.policies.evaluate import ROUTES

from .answer import OTHER, Answer
from .choices import Choice, choices_of
from .consequence import Consequence, consequence
from .decision_panel import DecisionPanel
from .inbox import Wanted
from .models import Queue, Review
from .packet import name_of
from .paper import A4, Paper, Sheet, Value, lay_out, read_values, shown
from .policies import ASK
from .questions import Question, questions_of

SEVERE = {"pause", "escalate", "reject"}
SAMPLE = "sample"
ONE_DIFFERENCE = "differences."  # how an objection names one: differences.d3


@dataclass(frozen=True, slots=True)
class Option:
    index: str
    value: str
    source: str
    picked: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """A question with what was filled in. `place`: the number of the passage in the document, 0 where it shows none."""

    asked: Question
    options: Sequence[Option]
    settled: bool
    place: int
    other: str = ""
    is_other: bool = False

    @property
    def number(self) -> int:
        return self.asked.number

    @property
    def open(self) -> bool:
        return self.asked.stops and not self.settled


@dataclass(frozen=True, slots=True)
class Reason:
    """Why it stopped, with the tone its route calls for."""

    item: Mapping[str, Any]
    tone: str
    icon: str


@dataclass
class CasePage:
    """Everything the templates of a case show. `allowed` are the verdicts this person may give now."""

    review: Review
    user: Any
    allowed: Collection[str]
    answer: Answer
    wanted: Wanted
    view: Mapping[str, str]  # which document, and how: {"doc", "as"}
    saved_at: datetime | None = None
    errors: Sequence[tuple[str, str]] = ()
    conflict: Any = None
    seen_digest: str = ""  # of the packet the refused answer was about
    queues: Sequence[Queue] | None = None  # all there are, where they have been read already
    nonce: str = field(default_factory=lambda: str(uuid4()))

    @property
    def packet(self) -> Mapping[str, Any]:
        return self.review.packet

    @cached_property
    def questions(self) -> list[Question]:
        return questions_of(self.packet["differences"])

    @cached_property
    def numbers(self) -> dict[str, int]:
        """JSON pointer to the number of the question about it."""
        return {asked.pointer: asked.number for asked in self.questions if asked.pointer}

    @cached_property
    def values(self) -> list[Value]:
        return read_values(self.packet, self.numbers)

    @property
    def has_technical(self) -> bool:
        return any(value.is_technical for value in self.values)

    @cached_property
    def paper(self) -> Paper:
        return lay_out(self.packet, self.values, self.numbers)

    @cached_property
    def marked(self) -> set[int]:
        """Numbers of the differences that the document shows a passage for."""
        cells = [cell for line in self.packet["lines"] for cell in line.values() if isinstance(cell, Mapping)]
        pointers = {item["pointer"] for item in [*self.packet["values"], *cells] if item["value"] not in (None, "")}
        return {number for pointer, number in self.numbers.items() if pointer in pointers}

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
        place = asked.number if asked.number in self.marked else 0
        return Difference(asked, options, settled, place, typed, pick == OTHER)

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

    @property
    def reasons(self) -> list[Reason]:
        return [Reason(item, *look_of(item)) for item in self.packet["reasons"]]

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
            return f"This case is {review.get_status_display()}."
        if self.held_by:
            return f"{self.held_by} is working on it until {timezone.localtime(review.claimed_until):%H:%M}."
        if self.user.pk in self.panel.signed_by:
            return "You have answered it in this round. Somebody else answers now."
        if review.run.started_by_id == self.user.pk:
            return "Whoever asked for this may not decide it. You may read everything."
        return "You may read this case, and not decide it."

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
            return f"f{number}" if number else "vals"
        anchors = {"reason": f"r-{verdict}", "target": f"t-{verdict}", "comment": f"comment-{verdict}"}
        anchors |= {"verdict": "choice", "hours": f"hours-{verdict}"}
        places = ((item["id"], found.number) for found in self.questions for item in found.items)
        asked = {f"{ONE_DIFFERENCE}{name}": f"f{number}" for name, number in places}
        return {**asked, **anchors}.get(name, "q-dec")

    @property
    def history(self) -> list[dict[str, Any]]:
        """What was judged before, newest first; moments as times."""
        rows = [{**item, "at": parse_datetime(item["at"])} for item in self.packet["decisions"]]
        return rows[::-1]

    @property
    def sources(self) -> list[dict[str, Any]]:
        return [{**item, "at": parse_datetime(item["at"])} for item in self.packet["sources"]][::-1]

    @property
    def approvals(self) -> list[dict[str, Any]]:
        return [{**item, "at": parse_datetime(item["at"])} for item in self.packet["approvals"]]

    @property
    def document(self) -> Mapping[str, Any] | None:
        """The document shown: the one asked for, else the first."""
        found = self.packet["documents"]
        return next((item for item in found if item["id"] == self.view["doc"]), found[0] if found else None)

    @property
    def is_first_document(self) -> bool:
        return bool(self.document and self.document == self.packet["documents"][0])

    @property
    def has_pages(self) -> bool:
        return bool(self.document and self.document["media_type"].startswith(("application/pdf", "image/")))

    @property
    def shown_as(self) -> str:
        """form (laid out from its values), page (images) or text."""
        ways = {"text": True, "page": self.has_pages, "form": self.is_first_document and bool(self.paper)}
        if ways.get(self.view["as"]):
            return self.view["as"]
        return next(way for way in ("page", "form", "text") if ways[way])

    @property
    def pages(self) -> list[Sheet]:
        """The pages of the document shown, with the passages on them."""
        document = self.document or {}
        sizes = DocumentPage.objects.filter(sha256=document.get("sha256", "")).values_list("number", "width", "height")
        heights = {number: round(1000 * height / width) for number, width, height in sizes if width}
        boxes = self.paper.boxes if self.is_first_document else {}
        last = max([document.get("pages", 0), *heights, *boxes])
        return [Sheet(n, heights.get(n, A4), boxes.get(n, ())) for n in range(1, last + 1)]

    @cached_property
    def text(self) -> tuple[list[str], bool]:
        document = self.document
        return lines_of(Document.objects.get(pk=document["id"])) if document else ([], False)

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


def worst_look(items: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Of several reasons, the look of the gravest."""
    looks = [look_of(item) for item in items]
    return min(looks, key=lambda look: ("bad", "warn", "info").index(look[0]), default=("info", "info"))


def look_of(item: Mapping[str, Any]) -> tuple[str, str]:
    """Tone and icon of a reason: stop, warning, or drawn for the sample."""
    if SAMPLE in item["rule"]:
        return "info", "info"
    severe = item["route"] in SEVERE and item["route"] in ROUTES
    return ("bad", "stop") if severe else ("warn", "warn")
