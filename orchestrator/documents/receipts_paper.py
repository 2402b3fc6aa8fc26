"""A receipt under reading: the rows of all its pages with the amounts of each."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from .amounts import Found, find_amounts, fold, infer_date_order
from .layout import Cell, Page, Row

GRAND = re.compile(
    r"\b(?:grand|nett?|final|rounded|round d) ?(?:total|amt|amount)\b|\btot[ae][li1]\b|\bttl?\b|\btl\b"
    r"|\bam(?:oun)?t (?:due|payable|paid|to be paid)\b"
    r"|\bbalance due\b|\bjumlah(?: besar)?\b|\bsumme\b|\bgesamt\w*|\btotaal\b|\bzu zahlen\b|\bnet (?:rm|payable)\b"
    r"|\(inclusive of (?:gst|tax)|\bto be paid\b"
)
_BESIDE = re.compile(
    r"\b(?:total (?:saving|discount)s?|(?:tot(?:al)? )?(?:items?|qty|quantity|pcs))\s?[:.]?\s?\d+(?:\.\d+)?\b"
)
_SUMMARY = re.compile(r"(?:gst|tax|sst|vat) ?(?:summary|analysis|code)")
_SUMMARY_HEAD = re.compile(r"(?:amount|amt|goods)\W+(?:\(?rm\W*)?(?:tax|gst)")
_DOLLARS = re.compile(r"\busd\b|us\$|\busa\b|(?<![a-z])\$\s?\d")
_DASHED = re.compile(r"(?:rm|eur|€|£)?\s?\d{1,5}-\d{2}", re.IGNORECASE)  # a point that was recognised as a dash
DASH_SCORE = 0.9


@dataclass
class Paper:
    pages: list[Page]

    def __post_init__(self) -> None:
        self.rows: list[Row] = [row for page in self.pages for row in page.rows]
        self.texts = [_BESIDE.sub(" ", fold(row.text)) for row in self.rows]
        self.end = _end_of_sums(self.texts)
        self.order = infer_date_order(row.text for row in self.rows)
        if self.order is None and not any(_DOLLARS.search(fold(row.text)) for row in self.rows):
            self.order = "dmy"  # the custom everywhere but in the United States
        self.amounts = [list(_money(row)) for row in self.rows]


def _end_of_sums(texts: list[str]) -> int:
    """Where the table of taxes begins: what it calls total is a total of taxes."""
    seen = False
    for index, text in enumerate(texts):
        if seen and (_SUMMARY.search(text) or _SUMMARY_HEAD.search(text)):
            return index
        seen = seen or bool(GRAND.search(text) and not re.search(r"qty|price", text))
    return len(texts)


def _money(row: Row) -> Iterator[tuple[Decimal, Cell, Found]]:
    """Amounts with two decimals; a space that recognition put beside the point is closed."""
    for cell in row.cells:
        text = re.sub(r"(?<=\d)( ?)([.,])( ?)(?=\d{2}(?!\d))", _closed, cell.text)
        if _DASHED.fullmatch(text.strip()) and len(row.cells) > 1:
            text, cell = text.replace("-", "."), doubtful(cell)
        for found in find_amounts(text, "."):
            if re.search(r"[.,]\d{2}\D*$", text[found.start : found.end]):
                yield Decimal(found.value), cell, found


def doubtful(cell: Cell) -> Cell:
    return Cell([replace(word, score=min(word.score, DASH_SCORE)) for word in cell.words], cell.page)


def _closed(match: re.Match) -> str:
    return match[2] if match[1] or match[3] else match[0]
