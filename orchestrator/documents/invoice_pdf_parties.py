"""Who sends and who receives an invoice: headed blocks, the sender line over the address, letterhead and footer."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .amounts import find_dates, fold, squeeze
from .invoice_pdf_ids import has_own_number
from .invoice_pdf_totals import noisy_or
from .labels import BUYER_HEADINGS, LEGAL_FORM, OTHER_HEADINGS, SELLER_HEADINGS, find_labels
from .labels_values import Sheet
from .layout import Cell, Page, Row
from .reading import Passage, ReadValue

WEIGHTS = {
    "named": 0.9,  # "Name:" in a headed block
    "block": 0.85,  # first line of a headed block
    "sender-line": 0.75,
    "letterhead": 0.6,
    "own-number": 0.8,  # over the VAT id or the account
    "address": 0.65,
    "only-other": 0.6,  # the one address that is not the sender's
    "window": 0.75,  # under the sender line
    "repeated": 0.6,
    "account-holder": 0.5,
    "web": 0.5,
}

_OWN_PLACES = {"named", "block", "sender-line", "letterhead", "address"}
_SALUTATIONS = {"herr", "herrn", "frau", "firma", "mr", "mrs", "ms", "monsieur", "madame"}

_POSTCODE = re.compile(r"^(?:[a-z]{1,2}[- ])?(?:\d{4,5}(?: ?[a-z]{2})?,? +|\d{5})[^\W\d]|,? [a-z]{2},? \d{5}\b")
_SEPARATOR = re.compile(r"\s(?:[●•·|∙*–-]|\uf0b7)\s|\s{2,}|[●•·|∙]")
_NOT_A_NAME = re.compile(
    r"^(?:gln\b|nummer|name$|lief-?nr|kunden-?(?:nr|nummer|id)|attn\b|z\.? ?hd|firma$|herrn?$|frau$|anschrift|tel"
    r"|fax|www|http|ust|vat|tva|iban|page|seite)"
    r"|@|^\(|\d{5,}|^\W*\d[\d\s.,/-]*$|(?:str\.|strasse|street|weg|platz) \d"
)
_HOLDER = re.compile(
    r"(?:kontoinhaber|account holder|titulaire du compte|rekeninghouder|kontoname|beneficiary)\s*:?\s*(.+)$"
)
_WEB = re.compile(r"(?:www\.|https?://(?:www\.)?|@)([a-z0-9-]+)\.[a-z]{2,}")
_SOLD_BY = re.compile(r"sold by (.+?)$")

Found = tuple[str, str, list[Passage], float]  # kind of place, name, where, score of the recogniser


@dataclass
class Name:
    """One name proposed for a party, with the kinds of place it stands in."""

    text: str
    sources: dict[str, list[Passage]]
    score: float


@dataclass(frozen=True)
class Block:
    party: str  # "seller" or "buyer"
    page: int
    cells: tuple[Cell, ...]


def find_blocks(sheet: Sheet) -> list[Block]:
    """The cells under each party heading, down to the next heading or a wide gap, in the heading's column."""
    blocks = []
    for page in sheet.pages:
        headings = list(_headings(page))
        for party, row_index, cell in headings:
            if party != "other":
                blocks.append(Block(party, page.number, tuple(_under(page, row_index, cell, headings))))
    return blocks


def _headings(page: Page) -> Iterator[tuple[str, int, Cell]]:
    kinds = (("seller", SELLER_HEADINGS), ("buyer", BUYER_HEADINGS), ("other", OTHER_HEADINGS))
    for index, row in enumerate(page.rows):
        for cell in row.cells:
            text = fold(cell.text).strip()
            party = next((name for name, pattern in kinds if pattern.fullmatch(text)), None)
            if party:
                yield party, index, cell


def _under(page: Page, start: int, heading: Cell, headings: list[tuple[str, int, Cell]]) -> Iterator[Cell]:
    stops = {index for _, index, cell in headings if index > start and abs(cell.x0 - heading.x0) < 8 * heading.height}
    right = min((c.x0 for _, i, c in headings if i == start and c.x0 > heading.x1), default=page.width) - heading.height
    bottom = heading.y1
    for index in range(start + 1, min(start + 12, len(page.rows))):
        row = page.rows[index]
        if index in stops or row.y0 - bottom > 3.5 * heading.height:
            return
        cells = [cell for cell in row.cells if heading.x0 - 2 * heading.height <= cell.x0 < right]
        if cells:
            bottom = row.y1
            yield from cells


def read_names(sheet: Sheet, blocks: list[Block]) -> dict[str, ReadValue]:
    """`seller.name` and `buyer.name`: every kind of place proposes, agreement decides."""
    proposals: dict[str, list[Found]] = {"seller": [], "buyer": []}
    for block in blocks:
        proposals[block.party].extend(_names_in_block(block))
    windowed = (name for source, name, _, _ in _addresses(sheet, set()) if source == "window")
    customers = {squeeze(name) for name in (*(name for _, name, _, _ in proposals["buyer"]), *windowed)}
    proposals["seller"].extend(found for found in _sender_places(sheet) if squeeze(found[1]) not in customers)
    sellers = _weigh(sheet, proposals["seller"])
    taken = {squeeze(name.text) for name in sellers[:1]}
    if not any(block.party == "buyer" for block in blocks):
        found = list(_addresses(sheet, taken)) or list(_abroad(sheet.pages[0]) if sheet.pages else ())
        proposals["buyer"].extend(_with_only_other(found))
    buyers = [name for name in _weigh(sheet, proposals["buyer"]) if squeeze(name.text) not in taken]
    return {field: _read_name(names) for field, names in (("seller.name", sellers), ("buyer.name", buyers)) if names}


def _names_in_block(block: Block) -> Iterator[Found]:
    cells = list(block.cells)
    for cell in cells:
        folded = fold(cell.text)
        labelled = re.match(r"(?:firmen)?name\s*:\s*", folded) or re.fullmatch(r"(?:firmen)?name", folded)
        if labelled:
            yield from _labelled_name(cells, cell, labelled.end())
            return
    for index, cell in enumerate(cells):
        if _may_be_name(cell):
            name, places, _ = _whole(cell, *_continued(cells[index:]))
            yield "block", name, places, cell.score
            if any(_POSTCODE.search(fold(lower.text).strip()) for lower in cells[index + 1 :]):
                yield "address", name, places, cell.score
            return


def _may_be_name(cell: Cell) -> bool:
    folded = fold(cell.text).strip()
    if _NOT_A_NAME.search(folded) and folded not in _SALUTATIONS:
        return False
    if any(pattern.fullmatch(folded) for pattern in (SELLER_HEADINGS, BUYER_HEADINGS, OTHER_HEADINGS)):
        return False
    return not _opens_with_label(folded) and bool(re.search(r"[a-z]{2}", folded)) and not find_dates(folded)


def _continued(cells: list[Cell]) -> list[Cell]:
    """The second line of a name: after a salutation, up to the legal form, or up to the gap before the street."""
    first, rest = cells[0], cells[1:3]
    if not rest or rest[0].y0 - first.y1 > 0.5 * first.height or not _may_be_name(rest[0]):
        return []
    second, after = rest[0], rest[1] if len(rest) > 1 else None
    if fold(first.text).strip() in _SALUTATIONS:
        return [second]
    if LEGAL_FORM.search(fold(first.text)) or re.search(r"\d", second.text):
        return []
    gap = after is not None and after.y0 - second.y1 > 0.7 * first.height
    return [second] if LEGAL_FORM.search(fold(second.text)) or gap else []


def _labelled_name(cells: list[Cell], label: Cell, end: int) -> Iterator[Found]:
    """The name beside "Name:": all cells right of it that stand between the label above and the label below."""
    if label.text[end:].strip():
        yield "named", label.text[end:].strip(), [label.passage(end)], label.score
        return
    column = [cell for cell in cells if abs(cell.x0 - label.x0) < label.height and cell is not label]
    top = max((cell.y1 for cell in column if cell.middle < label.middle), default=label.y0 - 2 * label.height)
    bottom = min((cell.y0 for cell in column if cell.middle > label.middle), default=label.y1 + label.height)
    parts = [cell for cell in cells if cell.x0 > label.x1 and top < cell.middle < bottom]
    if parts:
        score = min(part.score for part in parts)
        yield "named", " ".join(part.text.strip() for part in parts), [part.passage() for part in parts], score


def _opens_with_label(folded: str) -> bool:
    hits = find_labels(folded)
    return bool(hits) and not folded[: hits[0].start].strip() and folded[hits[0].end :].lstrip()[:1] in (":", "", "#")


def _sender_places(sheet: Sheet) -> Iterator[Found]:
    for _, row in sheet.rows:
        yield from _sender_line(row)
        for cell in row.cells:
            folded = fold(cell.text)
            holder = _HOLDER.search(folded)
            if holder:
                yield (
                    "account-holder",
                    cell.text[holder.start(1) :].strip(),
                    [cell.passage(holder.start(1))],
                    cell.score,
                )
            sold = _SOLD_BY.search(folded)
            if sold:
                yield (
                    "account-holder",
                    cell.text[sold.start(1) : sold.end(1)],
                    [cell.passage(sold.start(1))],
                    cell.score,
                )
    yield from _letterhead(sheet)


def _sender_line(row: Row) -> Iterator[Found]:
    """ "Name ● Street 1 ● 12345 Town" in one line, as it stands over the window of an envelope or in a footer."""
    cells = [cell for cell in row.cells if cell.text.strip(" ●•·|–-")]
    text = "  ".join(cell.text for cell in cells)
    if text == row.text and not re.search(r"[●•·|∙\uf0b7]|\s[–-]\s", text):
        return
    parts = [part.strip() for part in _SEPARATOR.split(text) if part.strip()]
    for index, name in enumerate(parts[:-2]):
        if any(_POSTCODE.search(fold(part)) for part in parts[index + 1 : index + 3]):
            cell = next((cell for cell in cells if name in cell.text), None)
            if cell and ":" not in name and not re.search(r"\d", name) and not _NOT_A_NAME.search(fold(name)):
                start = cell.text.index(name)
                yield "sender-line", name, [cell.passage(start, start + len(name))], cell.score
            return


def _letterhead(sheet: Sheet) -> Iterator[Found]:
    """Lines that are a company by their legal form and stand over an address, anywhere but in a buyer's block."""
    for page in sheet.pages[:1]:
        for index, row in enumerate(page.rows):
            for cell in row.cells:
                folded = fold(cell.text).strip()
                form = LEGAL_FORM.search(folded)
                if len(folded) > 60 or not form or not form.start() or _NOT_A_NAME.search(folded):
                    continue
                if _is_over_address(page, index, cell):
                    above = _line_above(page, index, cell)
                    name, places, score = _whole(*above, cell)
                    yield "letterhead", name, places, score
                    if _stands_over_own_number(page, index, cell):
                        yield "own-number", name, places, score


def _line_above(page: Page, index: int, cell: Cell) -> list[Cell]:
    """The first line of a name that ends with its legal form on the second."""
    for row in page.rows[max(0, index - 2) : index]:
        for other in row.cells:
            tight = abs(other.x0 - cell.x0) < cell.height and -1 < cell.y0 - other.y1 < 0.5 * cell.height
            if tight and _may_be_name(other) and not re.search(r"\d", other.text):
                return [other]
    return []


def _whole(*cells: Cell) -> tuple[str, list[Passage], float]:
    name = " ".join(cell.text for cell in cells).strip(" :,")
    return name, [cell.passage() for cell in cells], min(cell.score for cell in cells)


def _stands_over_own_number(page: Page, index: int, cell: Cell) -> bool:
    """Whether the same column goes on to a VAT id or an account: invoices print those of their sender."""
    bottom = cell.y1
    for row in page.rows[index + 1 : index + 16]:
        for other in row.cells:
            if abs(other.x0 - cell.x0) < 1.5 * cell.height and other.y0 - bottom < 3 * cell.height:
                bottom = other.y1
                if has_own_number(other.text):
                    return True
    return False


def _is_over_address(page: Page, index: int, cell: Cell) -> bool:
    for row in page.rows[index + 1 : index + 5]:
        for other in row.cells:
            near = abs(other.x0 - cell.x0) < 1.5 * cell.height
            if near and other.y0 - cell.y1 < 5 * cell.height and _POSTCODE.search(fold(other.text).strip()):
                return True
    return False


def _addresses(sheet: Sheet, taken: set[str]) -> Iterator[Found]:
    """Top lines of address blocks on the first page that are not the seller's."""
    for page in sheet.pages[:1]:
        for index, row in enumerate(page.rows):
            for cell in row.cells:
                if not _POSTCODE.search(fold(cell.text).strip()) or len(cell.text) >= 50:
                    continue
                block = [c for c in _upwards(page, index, cell) if len(_SEPARATOR.split(c.text)) < 3]
                if len(block) < 2 or any(squeeze(c.text) in taken for c in block):
                    continue
                top = next(
                    (i for i, c in enumerate(block[:-1]) if _may_be_name(c) and not re.search(r"\d", c.text)), None
                )
                if top is not None:
                    name, places, _ = _whole(block[top], *_continued(block[top:]))
                    yield "address", name, places, block[top].score
                    if _is_in_window(page, block):
                        yield "window", name, places, block[top].score


def _abroad(page: Page) -> Iterator[Found]:
    """The address under a sender line that has no postcode we know: at least three lines set tightly."""
    for index, row in enumerate(page.rows):
        if not list(_sender_line(row)):
            continue
        block: list[Cell] = []
        for lower in page.rows[index + 1 : index + 12]:
            cell, above = lower.cells[0], block[-1] if block else row.cells[0]
            far = (0.9 if block else 10) * cell.height
            if abs(cell.x0 - row.cells[0].x0) > cell.height or cell.y0 - above.y1 > far:
                break
            block.append(cell)
        if len(block) >= 3 and _may_be_name(block[0]) and not re.search(r"\d", block[0].text):
            name, places, score = _whole(block[0], *_continued(block))
            yield "window", name, places, score
            yield "address", name, places, score
        return


def _with_only_other(found: list[Found]) -> list[Found]:
    only = len({squeeze(name) for _, name, _, _ in found}) == 1
    return [*found, *(("only-other", name, places, score) for _, name, places, score in found[:1] if only)]


def _is_in_window(page: Page, block: list[Cell]) -> bool:
    """Whether a sender line stands right over the address, as in the window of an envelope (DIN 5008)."""
    for row in page.rows:
        if list(_sender_line(row)) and -block[0].height < block[0].y0 - row.y1 < 4 * block[0].height:
            return abs(row.cells[0].x0 - block[0].x0) < 4 * block[0].height
    return False


def _upwards(page: Page, index: int, cell: Cell) -> list[Cell]:
    """The lines of the address that ends with `cell`: set tightly, or three lines set wide."""
    tight = _climb(page, index, cell, 0.9 * cell.height, 6)
    return tight if len(tight) > 2 else _climb(page, index, cell, 2.2 * cell.height, 2)


def _climb(page: Page, index: int, cell: Cell, gap: float, most: int) -> list[Cell]:
    block, top = [cell], cell
    for row in reversed(page.rows[max(0, index - 12) : index]):
        near = [c for c in row.cells if abs(c.x0 - cell.x0) < cell.height and top.y0 - c.y0 > 0 and top.y0 - c.y1 < gap]
        if near and len(block) <= most:
            block.insert(0, near[0])
            top = near[0]
        elif top.y0 - row.y1 > gap:
            break
    return block


def _weigh(sheet: Sheet, proposals: list[Found]) -> list[Name]:
    """Names by support; standing once more elsewhere in the document counts, and so does the sender's web address."""
    names: dict[str, Name] = {}
    for source, text, places, score in proposals:
        key = squeeze(text)
        if 3 <= len(key) <= 80:
            name = names.setdefault(key, Name(text, {}, score))
            name.sources.setdefault(source, places)
    lines = [squeeze(text) for text in sheet.texts]
    hosts = {squeeze(host) for host in _WEB.findall(sheet.folded)}
    for key, name in names.items():
        if sum(1 for line in lines if key in line) > 1:
            name.sources.setdefault("repeated", next(iter(name.sources.values())))
        if key in hosts and len(key) > 4:
            name.sources.setdefault("web", next(iter(name.sources.values())))
    return sorted(names.values(), key=lambda name: -noisy_or(WEIGHTS[source] for source in name.sources))


def _read_name(names: list[Name]) -> ReadValue:
    best, *rest = names
    support = noisy_or(WEIGHTS[source] for source in best.sources)
    rivals = [
        n for n in rest if squeeze(n.text) not in squeeze(best.text) and squeeze(best.text) not in squeeze(n.text)
    ]
    doubt = max((noisy_or(WEIGHTS[s] for s in n.sources if s in _OWN_PLACES) for n in rivals), default=0.0)
    headed = "named" in best.sources or "block" in best.sources
    longer = any(squeeze(best.text) in squeeze(n.text) for n in rest) and not headed
    confidence = support * (1 - doubt * (0.15 if headed else 0.4)) * (0.8 if longer else 1) * best.score
    readings = {source: n.text for n in reversed(names) for source in n.sources}
    passages = list({(p.page, p.box): p for places in best.sources.values() for p in places}.values())
    return ReadValue(value=best.text, confidence=round(confidence, 3), passages=passages[:3], readings=readings)
