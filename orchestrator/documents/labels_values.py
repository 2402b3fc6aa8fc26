"""Label–value pairs on a page, read twice: by place (beside, below) and by the order of the text in the file."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from .amounts import DateOrder, DecimalMark, Found, find_amounts, find_dates, fold, infer_date_order, infer_decimal_mark
from .labels import KINDS, Hit, Kind, find_labels
from .layout import Cell, Page, Row
from .reading import Passage

MAX_BELOW = 3.0  # heights between a column heading and its value

_CODE = re.compile(r"[A-Za-z0-9][\w./+\-]*[\w]|\d")
_CODE_END = re.compile(r"\b(?:vom|von|du|dated|issued|from|of|date|datum|seite|page)\b|[(,;|]|\s-\s(?=[A-Za-z]{3})")
_GOODS = re.compile(
    r"\b(?:menge|anzahl|produkt|beschreibung|bezeichnung|artikel|einzelpreis|nettopreis|preis|position|pos"
    r"|description|quantity|qty|item|product|unit price|price|amount price|designation|quantite|nombre|prix|aantal"
    r"|omschrijving|prijs"
    r"|hoeveelheid)\b"
)
_FILLER = re.compile(
    r"\b(?:in|on|auf|von|of|sur|op|am|to|the|bis|zum|de|le|eur|usd|gbp|chf|rm|myr|euro|inkl|incl|ust|vat|mwst|btw"
    r"|tva|ttc|ht|s|e|z|k)\b"
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One value one reading proposes for a field."""

    field: str
    value: str
    source: str
    passage: Passage
    score: float = 1.0
    unsure: bool = False


@dataclass
class Sheet:
    """A document under reading: its pages and what its own notation tells about numbers and dates."""

    pages: list[Page]

    @cached_property
    def texts(self) -> list[str]:
        return [row.text for page in self.pages for row in page.rows]

    @cached_property
    def folded(self) -> str:
        return fold("\n".join(self.texts))

    @cached_property
    def mark(self) -> DecimalMark | None:
        return infer_decimal_mark(self.texts)

    @cached_property
    def order(self) -> DateOrder | None:
        return infer_date_order(self.texts)

    @cached_property
    def rows(self) -> list[tuple[Page, Row]]:
        return [(page, row) for page in self.pages for row in page.rows]

    def amounts(self, text: str) -> list[Found]:
        return find_amounts(text, self.mark)

    def dates(self, text: str) -> list[Found]:
        return find_dates(text, self.order)

    @cached_property
    def labels(self) -> dict[int, list[Hit]]:
        """Labels of every cell, by the identity of the cell."""
        return {id(cell): find_labels(fold(cell.text)) for _, row in self.rows for cell in row.cells}


def read_by_place(sheet: Sheet) -> Iterator[Candidate]:
    """First reading: the value right of its label in the same row, or below it in the same column."""
    for page in sheet.pages:
        for row_index, row in enumerate(page.rows):
            for cell_index, cell in enumerate(row.cells):
                for hit_index, hit in enumerate(sheet.labels[id(cell)]):
                    if KINDS[hit.field] != "other":
                        yield from _beside_or_below(sheet, page, row_index, cell_index, hit_index)


def _beside_or_below(sheet: Sheet, page: Page, row_index: int, cell_index: int, hit_index: int) -> Iterator[Candidate]:
    row, cell = page.rows[row_index], page.rows[row_index].cells[cell_index]
    hits = sheet.labels[id(cell)]
    hit = hits[hit_index]
    if not _starts_a_pair(cell.text, hit, hits):
        return
    end = hits[hit_index + 1].start if hit_index + 1 < len(hits) else len(cell.text)
    kind = KINDS[hit.field]
    found = value_after(sheet, cell.text, hit.end, end, kind)
    if found:
        yield _candidate(hit, found, cell, "beside")
    elif end == len(cell.text) and not _letters_left(cell.text[hit.end :], kind):
        beside = _in_next_cells(sheet, row, cell_index, kind)
        if beside:
            yield _candidate(hit, beside[1], beside[0], "beside")
        else:
            yield from _below(sheet, page, row_index, cell, hit)


def _starts_a_pair(text: str, hit: Hit, hits: list[Hit]) -> bool:
    """A label inside a sentence is prose: it must open the cell, follow another pair or be set off by punctuation."""
    before = text[: hit.start].rstrip()
    if not before.strip(" .:;-–|/()[]#*'\""):
        return True
    if hit.field == "due_date" and KINDS[hit.field] == "date":
        return True
    return before[-1] in ":;|,-–(/)•●€" or (before[-1].isdigit() and any(other.end <= hit.start for other in hits))


def _letters_left(text: str, kind: Kind) -> bool:
    rest = _FILLER.sub(" ", re.sub(r"[(\[][^)\]]{0,12}[)\]]", " ", fold(text)))
    return bool(re.search(r"[a-z]{2}" if kind != "code" else r"[a-z]{3}", rest))


def _in_next_cells(sheet: Sheet, row: Row, cell_index: int, kind: Kind) -> tuple[Cell, Found] | None:
    """The value in the cells right of the label, up to the next label; of several amounts the last."""
    best = None
    for cell in row.cells[cell_index + 1 :]:
        if any(not cell.text[: hit.start].strip(" :.") for hit in sheet.labels[id(cell)]):
            break
        found = value_after(sheet, cell.text, 0, len(cell.text), kind, alone=True)
        if found:
            best = (cell, found)
            if kind != "amount":
                break
        elif kind != "amount" or _letters_left(cell.text, kind):
            break
    return best


def _below(sheet: Sheet, page: Page, row_index: int, cell: Cell, hit: Hit) -> Iterator[Candidate]:
    kind = KINDS[hit.field]
    row = page.rows[row_index]
    headings = sum(1 for other in row.cells if sheet.labels[id(other)])
    if kind == "amount" and (headings < 2 or sheet.amounts(row.text) or _GOODS.search(fold(row.text))):
        return
    bottom, last = cell.y1, None
    for lower in page.rows[row_index + 1 : row_index + 8]:
        if lower.y0 - bottom > MAX_BELOW * cell.height:
            break
        under = [other for other in lower.cells if _same_column(cell, other, kind)]
        if not under:
            continue
        found = value_after(sheet, under[0].text, 0, len(under[0].text), kind, alone=True)
        if not found or (sheet.labels[id(under[0])] and kind != "date"):
            break
        last = _candidate(hit, found, under[0], "below")
        if kind != "amount":
            break
        bottom = lower.y1
    if last:
        yield last


def _same_column(head: Cell, other: Cell, kind: Kind) -> bool:
    overlap = min(head.x1, other.x1) - max(head.x0, other.x0)
    return overlap > 0.3 * min(head.x1 - head.x0, other.x1 - other.x0) or (
        kind != "amount" and abs(head.x0 - other.x0) < head.height
    )


def read_by_order(sheet: Sheet) -> Iterator[Candidate]:
    """Second reading: the lines of the text layer in the order of the file, a label and what follows it."""
    for page in sheet.pages:
        for index, line in enumerate(page.stream):
            hits = find_labels(fold(line.text))
            following = page.stream[index + 1] if index + 1 < len(page.stream) else None
            for position, hit in enumerate(hits):
                if KINDS[hit.field] == "other" or not _starts_a_pair(line.text, hit, hits):
                    continue
                end = hits[position + 1].start if position + 1 < len(hits) else len(line.text)
                found = value_after(sheet, line.text, hit.end, end, KINDS[hit.field])
                if found:
                    yield _candidate(hit, found, line, "order")
                elif following and end == len(line.text) and KINDS[hit.field] != "amount":
                    yield from _in_next_line(sheet, hit, line, following)


def _in_next_line(sheet: Sheet, hit: Hit, line: Cell, following: Cell) -> Iterator[Candidate]:
    kind = KINDS[hit.field]
    if line.text[hit.end :].strip(" :.#") or find_labels(fold(following.text)):
        return
    found = value_after(sheet, following.text, 0, len(following.text), kind, alone=True)
    if found and found.start == 0 and found.end >= len(following.text.rstrip()) - 1:
        yield _candidate(hit, found, following, "order")


def _candidate(hit: Hit, found: Found, cell: Cell, source: str) -> Candidate:
    unsure = hit.unsure or not found.certain
    words = cell.words_between(found.start, found.end)
    return Candidate(
        hit.field, found.value, source, cell.passage(found.start, found.end), min(w.score for w in words), unsure
    )


def value_after(sheet: Sheet, text: str, start: int, end: int, kind: Kind, *, alone: bool = False) -> Found | None:
    """The value of `kind` that begins at `start`; `alone` where the text is a cell of its own (no label in front)."""
    part = text[start:end]
    if kind == "amount":
        found = _amount(sheet, part)
    elif kind == "date":
        found = _date(sheet, part)
    else:
        found = _code(sheet, part, alone)
    return Found(found.value, found.start + start, found.end + start, found.certain) if found else None


def _amount(sheet: Sheet, part: str) -> Found | None:
    spaced = re.fullmatch(r"[\s:€$£]*(-?\d{1,3}(?: \d{3})+[.,]\d{2})[\s€$£]*(?:EUR)?", part)
    if spaced:
        amounts = sheet.amounts(spaced[1].replace(" ", ""))
        return Found(amounts[0].value, spaced.start(1), spaced.end(1)) if amounts else None
    amounts = [found for found in sheet.amounts(part) if _looks_like_money(part[found.start : found.end])]
    if not amounts:
        return None
    rest = "".join(char if not any(a.start <= i < a.end for a in amounts) else " " for i, char in enumerate(part))
    return None if _letters_left(rest, "amount") else amounts[-1]


def _looks_like_money(text: str) -> bool:
    return bool(re.search(r"[.,]\d{2,4}\b|[€$£]|^\W*0\W*$", text))


def _date(sheet: Sheet, part: str) -> Found | None:
    for found in sheet.dates(part):
        lead = fold(part[: found.start])
        if len(re.findall(r"[a-z]{2,}", lead)) <= 2 and not re.search(r"\d", lead):
            return found
    return None


def _code(sheet: Sheet, part: str, alone: bool) -> Found | None:
    lead = re.match(r"[\s:#.°\-–]*(?:\(\d{3}\)\s*)?(?:(?:nr|no|n°|number|nummer)\b[.:\s]*)?", part, re.IGNORECASE)
    offset = lead.end() if lead else 0
    body = part[offset:]
    cut = _CODE_END.search(fold(body))
    body = body[: cut.start()] if cut else body
    whole = body.strip(" .:-–")
    if not whole:
        return None
    if re.fullmatch(r"[A-Z0-9./\-]+(?: -? ?[A-Z0-9./\-]+)*", whole) and re.search(r"\d", whole) and _is_one_code(whole):
        value = whole
    else:
        match = _CODE.match(body.lstrip())
        value = match[0] if match else ""
    if not re.search(r"\d", value) or sheet.dates(value) or _is_money(value) or len(value) > 40:
        return None
    begin = offset + part[offset:].index(value)
    return Found(value, begin, begin + len(value))


def _is_one_code(text: str) -> bool:
    """Groups of digits and hyphens set with spaces are one number ("05 158 004 - 11023 - 45"); words are not."""
    parts = text.split()
    return len(parts) == 1 or all(re.fullmatch(r"[\d./\-]+|[A-Z]{1,4}", part) for part in parts)


def _is_money(text: str) -> bool:
    return bool(re.fullmatch(r"\d{1,3}(?:[.,]\d{3})*[.,]\d{2}", text))
