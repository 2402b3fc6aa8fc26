"""A page as words with boxes, grouped into rows and cells: the common ground of text PDFs and recognised scans.

Coordinates of words are in the unit of the page (points or pixels), origin top left, after straightening; `box` is the
place on the page as a person sees it, as fractions.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from statistics import median

from pydantic import BaseModel, ConfigDict

from .amounts import squeeze
from .reading import Passage

Box = tuple[float, float, float, float]

CELL_GAP = 0.8  # in heights of the text: wider than any space between words, narrower than a column gap
ROW_OVERLAP = 0.5  # of the smaller height: less joins neighbouring rows of a scan


class PageWord(BaseModel):
    """One word as stored for the page view: text and box (x0, y0, x1, y1 as fractions of the page)."""

    model_config = ConfigDict(extra="forbid")

    text: str
    box: Box


class PageText(BaseModel):
    """What stands on one page. `width` and `height` in points (PDF) or pixels (image); `text` holds one row a line."""

    model_config = ConfigDict(extra="forbid")

    number: int
    width: float
    height: float
    words: list[PageWord] = []
    text: str = ""


@dataclass(frozen=True, slots=True)
class Word:
    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    box: Box
    score: float = 1.0  # of the recogniser; 1 for a text layer
    visible: bool = True

    @property
    def height(self) -> float:
        return self.y1 - self.y0


@dataclass
class Cell:
    """Neighbouring words of one row without a column gap between them."""

    words: list[Word]
    page: int

    @cached_property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    @property
    def x0(self) -> float:
        return self.words[0].x0

    @property
    def x1(self) -> float:
        return self.words[-1].x1

    @property
    def y0(self) -> float:
        return min(word.y0 for word in self.words)

    @property
    def y1(self) -> float:
        return max(word.y1 for word in self.words)

    @property
    def height(self) -> float:
        return self.y1 - self.y0

    @property
    def middle(self) -> float:
        return (self.y0 + self.y1) / 2

    @property
    def score(self) -> float:
        return min(word.score for word in self.words)

    def passage(self, start: int = 0, end: int | None = None) -> Passage:
        """The passage of the characters `start` to `end` of this cell's text, widened to whole words."""
        return passage_of(self.words_between(start, end), self.page)

    def words_between(self, start: int = 0, end: int | None = None) -> list[Word]:
        end = len(self.text) if end is None else end
        chosen, position = [], 0
        for word in self.words:
            if position < end and position + len(word.text) > start:
                chosen.append(word)
            position += len(word.text) + 1
        return chosen or self.words


@dataclass
class Row:
    cells: list[Cell]

    @cached_property
    def text(self) -> str:
        return "  ".join(cell.text for cell in self.cells)

    @property
    def y0(self) -> float:
        return min(cell.y0 for cell in self.cells)

    @property
    def y1(self) -> float:
        return max(cell.y1 for cell in self.cells)

    @property
    def height(self) -> float:
        return median(cell.height for cell in self.cells)


@dataclass
class Page:
    """One page ready for reading. `stream` is the text in the order of the file, a line a cell (text PDFs only);
    `hidden` is text that no person can see, `covered` says that a picture lies on or under the text."""

    number: int
    width: float
    height: float
    words: list[Word]
    stream: list[Cell] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    covered: bool = False

    @cached_property
    def rows(self) -> list[Row]:
        return [Row(_cells(words, self.number)) for words in group_rows([w for w in self.words if w.visible])]

    def to_text(self) -> PageText:
        words = [
            PageWord(text=word.text, box=word.box) for row in self.rows for cell in row.cells for word in cell.words
        ]
        return PageText(
            number=self.number,
            width=round(self.width, 2),
            height=round(self.height, 2),
            words=words,
            text="\n".join(row.text for row in self.rows),
        )


def legible(score: float) -> float:
    """What a recogniser's score takes from a confidence: nothing from 0.95 on, where it hardly ever misreads."""
    return min(1.0, score / 0.95)


def as_box(x0: float, y0: float, x1: float, y1: float) -> Box:
    """The box held within the page and rounded to a ten-thousandth of it."""
    x0, y0, x1, y1 = (round(min(1.0, max(0.0, value)), 4) for value in (x0, y0, x1, y1))
    return x0, y0, x1, y1


def passage_of(words: list[Word], page: int) -> Passage:
    """The passage that covers these words: quote and enclosing box."""
    boxes = [word.box for word in words]
    left, top = min(b[0] for b in boxes), min(b[1] for b in boxes)
    box = as_box(left, top, max(b[2] for b in boxes), max(b[3] for b in boxes))
    return Passage(page=page, box=box, quote=" ".join(word.text for word in words))


def group_rows(words: Iterable[Word]) -> list[list[Word]]:
    """Words that stand on one line, top to bottom, each row left to right."""
    rows: list[list[Word]] = []
    spans: list[tuple[float, float]] = []
    for word in sorted(words, key=lambda w: (w.y0 + w.y1, w.x0)):
        for index in range(len(rows) - 1, max(-1, len(rows) - 6), -1):
            top, bottom = spans[index]
            overlap = min(bottom, word.y1) - max(top, word.y0)
            if overlap > ROW_OVERLAP * max(1e-6, min(bottom - top, word.height)) and not _collides(rows[index], word):
                rows[index].append(word)
                break
        else:
            rows.append([word])
            spans.append((word.y0, word.y1))
    return [sorted(row, key=lambda w: w.x0) for row in rows]


def _collides(row: list[Word], word: Word) -> bool:
    """Two words of one row cannot stand on each other: then they are two rows set tightly."""
    return any(min(o.x1, word.x1) - max(o.x0, word.x0) > 0.5 * min(o.x1 - o.x0, word.x1 - word.x0) for o in row)


def _cells(words: list[Word], page: int) -> list[Cell]:
    cells: list[list[Word]] = []
    for word in words:
        if cells and word.x0 - cells[-1][-1].x1 <= CELL_GAP * min(word.height, cells[-1][-1].height):
            cells[-1].append(word)
        else:
            cells.append([word])
    return [Cell(cell, page) for cell in cells]


def straighten(words: list[Word], angle: float) -> list[Word]:
    """The words with layout coordinates turned back by `angle` (radians); their boxes stay those of the page."""
    if abs(angle) < 0.002:
        return words
    sine, cosine = math.sin(-angle), math.cos(-angle)

    def turn(word: Word) -> Word:
        x, y = (word.x0 + word.x1) / 2, (word.y0 + word.y1) / 2
        dx, dy = x * cosine - y * sine - x, x * sine + y * cosine - y
        return replace(word, x0=word.x0 + dx, x1=word.x1 + dx, y0=word.y0 + dy, y1=word.y1 + dy)

    return [turn(word) for word in words]


def check_quote(quote: str, page_text: str) -> bool:
    """Whether the quoted words stand in the stored text, in this order; spacing, case and punctuation aside."""
    wanted = squeeze(quote)
    if not wanted:
        return bool(quote.strip()) and quote.strip() in page_text
    return wanted in _squeezed(page_text)


@lru_cache(maxsize=64)
def _squeezed(page_text: str) -> str:
    """Every quote of a page is looked for in the same text."""
    return squeeze(page_text)
