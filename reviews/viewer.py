"""The document beside a case: which one, shown how, folded where it has no marks, and what was searched in it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

from django.utils.translation import gettext

from orchestrator.documents.amounts import squeeze
from orchestrator.documents.page_store import Found, find_text
from orchestrator.models import Document, DocumentPage
from orchestrator.pages.documents import lines_of

from .passages import A4, Placed, Spot, Texts, has_pages, locate, place, quoted_pages, spots_of

UNFOLDED = 4  # pages of a document that is shown whole
WHOLE_TEXT = 24_000  # characters of a document whose text is shown whole
MAX_HITS = 100
MAX_HIT_PAGES = 20
AROUND = 6  # words on either side of what was found
HIDDEN = ("hidden-text", "text-image-differ", "text-over-picture")  # checks about what a page does not show


@dataclass(frozen=True, slots=True)
class Hit:
    """What was found: where it stands, with the words around it. `box` only on pages."""

    id: str
    where: str
    before: str
    match: str
    after: str
    placed: Placed | None = None


@dataclass(frozen=True, slots=True)
class Leaf:
    """One page: its picture with the passages on it, or its text cut into (words, passage or None)."""

    number: int
    height: int = A4
    placed: Sequence[Placed] = ()
    hits: Sequence[Hit] = ()
    parts: Sequence[tuple[str, Spot | None]] = ()

    @property
    def dots(self) -> str:
        """What lies under the numbers of its passages, as one path: points, which the stroke makes discs."""
        return "".join(f"M{at.tag_x} {at.tag_y}h0" for at in self.placed if at.spot.number)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Pages that follow each other; `folded` where none of them is marked."""

    leaves: Sequence[Leaf]
    folded: bool

    @property
    def pages(self) -> str:
        first, last = self.leaves[0].number, self.leaves[-1].number
        return str(first) if first == last else f"{first}–{last}"

    @property
    def range(self) -> str:
        return f"{self.leaves[0].number}-{self.leaves[-1].number}"


class Viewer:
    """`view` is what the address asks for: {"doc", "as", "find", "open"}."""

    def __init__(
        self,
        packet: Mapping[str, Any],
        view: Mapping[str, str],
        numbers: Mapping[str, int],
        asked: Mapping[str, int],
        *,
        laid_out: bool,
    ):
        self.packet, self.view, self.numbers, self.asked = packet, view, numbers, asked
        self.laid_out = laid_out  # the first document can be shown as a form made of its values

    @cached_property
    def document(self) -> Mapping[str, Any] | None:
        """The document shown: the one asked for, else the first."""
        found = self.packet["documents"]
        return next((item for item in found if item["id"] == self.view["doc"]), found[0] if found else None)

    @property
    def is_first(self) -> bool:
        return bool(self.document and self.document == self.packet["documents"][0])

    @property
    def has_pages(self) -> bool:
        return bool(self.document and has_pages(self.document))

    @property
    def quarantined(self) -> bool:
        return bool(self.document and self.document["state"] == Document.State.QUARANTINED)

    @cached_property
    def shown_as(self) -> str:
        """form (laid out from its values), page (images) or text."""
        ways = {"page": self.has_pages, "form": self.is_first and self.laid_out, "text": True}
        if ways.get(self.view["as"]):
            return self.view["as"]
        return next(way for way, there in ways.items() if there)

    @property
    def find(self) -> str:
        return self.view["find"]

    @cached_property
    def texts(self) -> Texts:
        """Stored pages; the document shown with its whole text where that is read or searched."""
        document, documents = self.document, self.packet["documents"]
        read = document and self.has_pages and (self.shown_as == "text" or self.find)
        return Texts(documents, quoted_pages(self.packet), document["sha256"] if document and read else "")

    @cached_property
    def spots(self) -> list[Spot]:
        return spots_of(self.packet, self.numbers, self.asked, self.document) if self.document else []

    @cached_property
    def anchors(self) -> dict[str, str]:
        """Where things are shown, by what they are called: a value's slug, or a difference's number as text."""
        if self.shown_as == "form":
            return {str(number): f"h{number}" for number in self._numbers_in_form()}
        found: dict[str, str] = {}
        for spot in self.spots:
            if anchor := self._anchor(spot):
                found.setdefault(spot.slug, anchor)
                found.setdefault(str(spot.number), anchor)
        return found

    def _anchor(self, spot: Spot) -> str:
        if self.has_pages and self.shown_as == "text":
            return spot.id if spot.number else f"text-{spot.page}"
        if self.has_pages:
            return spot.id if spot.box else f"page-{spot.page}"
        return f"l{spot.line}"

    def _numbers_in_form(self) -> set[int]:
        cells = [cell for line in self.packet["lines"] for cell in line.values() if isinstance(cell, Mapping)]
        values = [item for item in [*self.packet["values"], *cells] if item["value"] not in (None, "")]
        return {self.numbers[item["pointer"]] for item in values if item["pointer"] in self.numbers}

    @property
    def marks(self) -> int:
        return sum(1 for spot in self.spots if spot.number and spot.box)

    @property
    def page_numbers(self) -> range:
        document = self.document or {}
        last = max([document.get("pages", 0), *self.texts.of(document), *(spot.page for spot in self.spots)], default=0)
        return range(1, last + 1)

    @cached_property
    def stretches(self) -> list[Stretch]:
        """The pages in order; those without marks folded together, so that a long document stays short."""
        leaves = [self._leaf(number) for number in self.page_numbers]
        if len(leaves) <= UNFOLDED:
            return [Stretch(leaves, folded=False)] if leaves else []
        open_ = {1, *self.opened, *(spot.page for spot in self.spots if spot.number)}
        open_ |= {leaf.number for leaf in leaves if leaf.hits}
        parts = groupby(leaves, key=lambda leaf: leaf.number not in open_)
        return [Stretch(list(found), folded) for folded, found in parts]

    @property
    def opened(self) -> Collection[int]:
        """Pages the address asks for: `open=7-12`. Of text, which is heavy, no more than a hundred."""
        first, _, last = self.view["open"].partition("-")
        if not (first.isdecimal() and last.isdecimal() and len(first + last) < 12):
            return ()
        most = int(first) + MAX_HITS if self.shown_as == "text" else self.page_numbers.stop
        return range(int(first), min(int(last), most) + 1)

    def _leaf(self, number: int) -> Leaf:
        row = self.texts.of(self.document or {}).get(number)
        height = row.height if row else A4
        spots = [spot for spot in self.spots if spot.page == number]
        boxed = [place(spot, height) for spot in spots if spot.box]
        return Leaf(number, height, boxed, [hit for hit in self.hits if hit.id.startswith(f"hit-{number}-")])

    @cached_property
    def text_stretches(self) -> list[Stretch]:
        """As stretches(), with the text of the pages that are not folded."""
        rows = self.texts.of(self.document or {})
        whole = sum(len(row.text or "") for row in rows.values()) <= WHOLE_TEXT
        found = self.stretches
        if whole and found:
            found = [Stretch([leaf for part in found for leaf in part.leaves], folded=False)]
        return [
            part if part.folded else Stretch([self._text_leaf(leaf) for leaf in part.leaves], False) for part in found
        ]

    def _text_leaf(self, leaf: Leaf) -> Leaf:
        row = self.texts.of(self.document or {}).get(leaf.number)
        spots = [spot for spot in self.spots if spot.page == leaf.number and spot.quote and spot.number]
        return Leaf(leaf.number, parts=cut(row.text or "" if row else "", spots))

    @cached_property
    def lines(self) -> tuple[list[str], bool]:
        """The text view of what has no pages, and whether it is cut off."""
        document = self.document
        return lines_of(Document.objects.get(pk=document["id"])) if document else ([], False)

    @cached_property
    def hits(self) -> list[Hit]:
        """Places of the words searched for, in the order of the pages."""
        if not self.find or not self.document or self.quarantined:
            return []
        return self._hits_on_pages() if self.has_pages else self._hits_in_lines()

    def _hits_in_lines(self) -> list[Hit]:
        found = find_text(self.lines[0], self.find)
        return [
            Hit(f"l{at.line}", gettext("Line %(line)s") % {"line": at.line}, at.before, at.match, at.after)
            for at in found[:MAX_HITS]
        ]

    def _hits_on_pages(self) -> list[Hit]:
        document = self.document or {}
        rows = self.texts.of(document)
        found = {n: at for n, row in rows.items() if (at := find_text((row.text or "").split("\n"), self.find))}
        numbers = sorted(found)[:MAX_HIT_PAGES]
        words = DocumentPage.objects.filter(sha256=document["sha256"], number__in=numbers)
        by_page = dict(words.values_list("number", "words"))
        hits = [hit for n in numbers for hit in hits_on(n, rows[n].height, by_page[n], self.find, found[n])]
        return hits[:MAX_HITS]

    @property
    def warnings(self) -> list[str]:
        """What this document hides, as its checks found it."""
        return [check["message"] for check in self.packet["checks"] if self.is_first and check["id"] in HIDDEN]


def hits_on(number: int, height: int, words: Sequence[Any], query: str, found: Sequence[Found]) -> list[Hit]:
    """The places on one page, by its words and their boxes; by its lines where the words do not follow each other."""
    wanted = [squeeze(word) for word in query.split() if squeeze(word)]
    said = [squeeze(word[0]) for word in words]
    starts = [i for i in range(len(words)) if wanted and follows(said[i : i + len(wanted)], wanted)]
    hits = []
    for count, start in enumerate(starts, 1):
        end = start + len(wanted)
        id_ = f"hit-{number}-{count}"
        box = enclosing(words[start:end])
        spot = Spot(id_, "#found", gettext("Found on page %(number)s") % {"number": number}, 0, number, 0, "", box=box)
        before, match, after = (" ".join(word[0] for word in part) for part in split(words, start, end))
        hits.append(
            Hit(id_, gettext("Page %(number)s") % {"number": number}, before, match, after, placed=place(spot, height))
        )
    lines = [
        Hit(f"hit-{number}-{i}", gettext("Page %(number)s") % {"number": number}, f.before, f.match, f.after)
        for i, f in enumerate(found, 1)
    ]
    return hits or lines


def follows(said: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether words are these: the last may go on, and what is one word may be a part of one."""
    return len(said) == len(wanted) and all(part in word for part, word in zip(wanted, said, strict=True))


def split(words: Sequence[Any], start: int, end: int) -> tuple[Sequence[Any], Sequence[Any], Sequence[Any]]:
    return words[max(0, start - AROUND) : start], words[start:end], words[end : end + AROUND]


def enclosing(words: Sequence[Any]) -> tuple[float, ...]:
    left, top = min(word[1] for word in words), min(word[2] for word in words)
    return left, top, max(word[3] for word in words), max(word[4] for word in words)


def cut(text: str, spots: Sequence[Spot]) -> list[tuple[str, Spot | None]]:
    """The text in parts: what is quoted with its passage, the rest without. Where two overlap, the first stands."""
    found = [(at, spot) for spot in spots if (at := locate(spot.quote, text))]
    parts: list[tuple[str, Spot | None]] = []
    position = 0
    for (start, end), spot in sorted(found, key=lambda pair: pair[0]):
        if start >= position:
            parts += [(text[position:start], None), (text[start:end], spot)]
            position = end
    return [part for part in [*parts, (text[position:], None)] if part[0]]
