"""Where values and differences stand in a document: places on its pages, and whether quoted words are really there."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, Q, TextField, Value, When
from django.utils.translation import gettext

from orchestrator.documents.amounts import squeeze
from orchestrator.documents.layout import check_quote
from orchestrator.models import DocumentPage

from .paper import shown, slug_of

A4 = 1414  # height of a page 1000 wide, where nothing better is known


@dataclass(frozen=True, slots=True)
class Spot:
    """A passage about a value or a difference. `id` is its anchor, `back` where it leads; `number` is the difference
    it belongs to, 0 for none. `box`: corners as fractions of the page."""

    id: str
    back: str
    label: str
    number: int
    page: int
    line: int
    quote: str
    slug: str = ""
    box: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Placed:
    """A passage in the units of its page's picture, 1000 wide."""

    spot: Spot
    x: int
    y: int
    width: int
    height: int

    @property
    def tag_x(self) -> int:
        """The middle of its number, left of the passage."""
        return max(self.x - 14, 12)

    @property
    def tag_y(self) -> int:
        return self.y + self.height // 2


def place(spot: Spot, height: int) -> Placed:
    """`height` of the page, where it is 1000 wide."""
    x0, y0, x1, y1 = (round(corner * side) for corner, side in zip(spot.box, (1000, height) * 2, strict=True))
    return Placed(spot, x0 - 3, y0 - 3, x1 - x0 + 6, y1 - y0 + 6)


def spots_of(
    packet: Mapping[str, Any], numbers: Mapping[str, int], asked: Mapping[str, int], document: Mapping[str, Any]
) -> list[Spot]:
    """The passages in one document. `numbers` maps JSON pointers, `asked` ids of differences to the number of their
    question. A value's passage of its question comes first and carries its anchor; no anchor is given twice."""
    first = packet["documents"][0]["id"] == document["id"]
    taken: set[str] = set()
    drawn: set[tuple[Any, ...]] = set()
    found = []
    for item, slug, back, label, number in [*_values(packet, numbers), *_differences(packet, asked)]:
        if item.get("document", None) in ((None, document["id"]) if first else (document["id"],)):
            for passage in passages_in(item["passages"], document):
                where = (number, passage.get("page"), passage.get("line"), tuple(passage.get("box") or ()))
                if number and where in drawn:  # the value stands where the difference about it does
                    continue
                drawn.add(where)
                anchor = free(f"h{number}" if number else f"p-{slug}", taken)
                found.append(_spot(passage, anchor, f"#f{number}" if number else back, label, number, slug))
    return found


def passages_in(passages: Sequence[Mapping[str, Any]], document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Of a value's passages the one to show: on a page for what has pages, else by its line; all where none repeats."""
    if has_pages(document):
        return [passage for passage in passages if passage.get("page")]
    return [passage for passage in passages if passage.get("line")]


def has_pages(document: Mapping[str, Any]) -> bool:
    return document["media_type"].startswith(("application/pdf", "image/"))


def free(anchor: str, taken: set[str]) -> str:
    """The anchor, with a number behind it where it is taken."""
    name, count = anchor, 1
    while name in taken:
        count += 1
        name = f"{anchor}-{count}"
    taken.add(name)
    return name


def _spot(passage: Mapping[str, Any], anchor: str, back: str, label: str, number: int, slug: str) -> Spot:
    box = tuple(float(corner) for corner in passage.get("box") or ())
    page, line = int(passage.get("page") or 0), int(passage.get("line") or 0)
    return Spot(anchor, back, label, number, page, line, passage.get("quote") or "", slug, box)


Part = tuple[Mapping[str, Any], str, str, str, int]  # item, slug, where back leads, label, number


def _values(packet: Mapping[str, Any], numbers: Mapping[str, int]) -> Iterator[Part]:
    for item in packet["values"]:
        if item["value"] not in (None, ""):
            slug = slug_of(item["name"])
            label = f"{item['label']}: {shown(item['name'], item['value'])}"
            yield item, slug, f"#v-{slug}", label, numbers.get(item["pointer"] or "", 0)
    for index, line in enumerate(packet["lines"]):
        for name, cell in line.items():
            if isinstance(cell, Mapping) and cell["value"] not in (None, ""):
                label = gettext("%(column)s, line %(id)s: %(name)s") % {
                    "column": name.replace("_", " "),
                    "id": line["id"],
                    "name": shown(name, cell["value"]),
                }
                item = {**cell, "document": line.get("document")}
                slug = f"line-{index + 1}-{slug_of(name)}"
                yield item, slug, "#vals", label, numbers.get(cell["pointer"] or "", 0)


def _differences(packet: Mapping[str, Any], asked: Mapping[str, int]) -> Iterator[Part]:
    for item in packet["differences"]:
        if item.get("passages"):
            yield item, item["id"], "#diff", item["title"], asked[item["id"]]


@dataclass(frozen=True, slots=True)
class PageRow:
    """A stored page: its height where it is 1000 wide, and its text where that was asked for."""

    number: int
    height: int
    text: str | None


class Texts:
    """The stored pages of a case's documents, with the text of those that are quoted: in one statement."""

    def __init__(self, documents: Sequence[Mapping[str, Any]], wanted: Mapping[str, Collection[int]], whole: str = ""):
        """`wanted`: pages by digest; of the digest `whole` every page comes with its text."""
        self.by_id = {document["id"]: document for document in documents}
        self.first = documents[0]["id"] if documents else ""
        asked = Q(sha256=whole) if whole else Q(pk=None)
        for digest, numbers in wanted.items():
            asked |= Q(sha256=digest, number__in=sorted(numbers))
        text = Case(When(asked, then="text"), default=Value(None), output_field=TextField(null=True))
        rows = DocumentPage.objects.filter(sha256__in={document["sha256"] for document in documents})
        self.pages: dict[str, dict[int, PageRow]] = {}
        for digest, number, width, height, said in rows.order_by("number").values_list(
            "sha256", "number", "width", "height", text
        ):
            scaled = round(1000 * height / width) if width else A4
            self.pages.setdefault(digest, {})[number] = PageRow(number, scaled, said)

    def of(self, document: Mapping[str, Any]) -> dict[int, PageRow]:
        return self.pages.get(document["sha256"], {})

    def founded(self, item: Mapping[str, Any]) -> bool | None:
        """Whether every quoted passage of a value stands where it is said to; None where nothing can be checked."""
        found = [self.holds(item.get("document"), passage) for passage in item["passages"]]
        checked = [held for held in found if held is not None]
        return all(checked) if checked else None

    def holds(self, document: str | None, passage: Mapping[str, Any]) -> bool | None:
        """Whether the quoted words stand in the stored text; None without a quote, or where the text is not stored."""
        place, quote = self.by_id.get(document or self.first), passage.get("quote")
        if place is None or not quote:
            return None
        rows = self.of(place)
        if passage.get("page"):
            row = rows.get(int(passage["page"]))
            return None if row is None or row.text is None else check_quote(quote, row.text)
        return None if has_pages(place) or not passage.get("line") else in_line(rows.get(1), passage["line"], quote)


def in_line(row: PageRow | None, line: int, quote: str) -> bool | None:
    """Of a text view, which is one page: its line, or the few after it where a value runs over several."""
    if row is None or row.text is None:
        return None
    lines = row.text.split("\n")
    return check_quote(quote, "\n".join(lines[line - 1 : line + quote.count("\n") + 1]))


def quoted_pages(packet: Mapping[str, Any]) -> dict[str, set[int]]:
    """{digest: pages} whose text is needed to check what is quoted. Page 1 of what has lines only."""
    found: dict[str, set[int]] = {
        document["sha256"]: {1} for document in packet["documents"] if not has_pages(document)
    }
    digests = {document["id"]: document["sha256"] for document in packet["documents"]}
    first = packet["documents"][0]["sha256"] if packet["documents"] else ""
    cells = [
        {**c, "document": r.get("document")} for r in packet["lines"] for c in r.values() if isinstance(c, Mapping)
    ]
    quotes = [{"document": q["document"], "passages": [q]} for d in packet["decisions"] for q in d.get("quotes", ())]
    for item in [*packet["values"], *cells, *packet["differences"], *quotes]:
        digest = digests.get(item.get("document") or "", first)
        pages = {int(passage["page"]) for passage in item.get("passages") or () if passage.get("page")}
        if pages and digest:
            found.setdefault(digest, set()).update(pages)
    return found


def locate(quote: str, text: str) -> tuple[int, int] | None:
    """Where a quote stands in a text, whatever its spacing, case and punctuation: (start, end), or None."""
    letters, places = [], []
    for index, char in enumerate(text):
        for letter in squeeze(char):
            letters.append(letter)
            places.append(index)
    wanted = squeeze(quote)
    start = "".join(letters).find(wanted) if wanted else -1
    return None if start < 0 else (places[start], places[start + len(wanted) - 1] + 1)
