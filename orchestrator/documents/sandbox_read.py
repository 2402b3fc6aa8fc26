"""What the child does with a document: choose the reader, read, compare what is written with what is seen."""

import time
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from .amounts import find_amounts, infer_decimal_mark, squeeze
from .invoice_pdf import document_confidence, read_invoice_pages
from .invoice_pdf_totals import noisy_or
from .labels import KINDS
from .layout import Box, Page
from .media_type import Refused
from .pdf import PdfContent, open_pdf, read_pdf
from .reading import Check, Reading, ReadValue
from .sandbox import ReadResult, read_xml

if TYPE_CHECKING:
    from PIL.Image import Image

FEW_WORDS = 12  # fewer on all pages together: the text layer is not the document
OCR_PAGES = 6
OCR_SECONDS = 20.0  # of processor time: no new page is begun after that; the parent stops everything at 30
OCR_LONG_SIDE = 1600
SECOND_LONG_SIDE = 2300  # another picture of the page: a mistake of one scale is hardly made at the other
SECOND_LOOK = {"code", "date"}  # kinds of values that no arithmetic confirms
MAX_SECOND = 12


def read_untrusted(data: bytes, media_type: str, expected: str, ocr: bool) -> ReadResult:
    """Read one document. Raises Refused."""
    if media_type == "application/xml":
        return read_xml(data)
    if media_type == "application/pdf":
        return _read_pdf(data, expected, ocr)
    return _read_image(data, media_type, expected, ocr)


def _read_pdf(data: bytes, expected: str, ocr: bool) -> ReadResult:
    content = read_pdf(data)
    scanned = sum(len(page.words) for page in content.pages) < FEW_WORDS
    embedded, problems = _embedded(content) if expected == "invoice" else (None, [])
    if scanned and embedded is None:
        return _read_scan(data, content, expected, ocr, problems)
    reading = _read_pages(content.pages, expected)
    if not scanned and expected == "invoice":
        _compare_with_image(data, content.pages, reading, ocr)
    if embedded is not None:
        from .hybrid import merge

        reading = merge(embedded, reading, content.pages)
    reading.checks.extend(problems)
    _note_active_content(content, reading)
    return _result(reading, "application/pdf", content.pages, content.page_count)


def _embedded(content: PdfContent) -> tuple[Reading | None, list[Check]]:
    if not content.attachments:
        return None, []
    from .hybrid import read_attachments

    return read_attachments(content.attachments)


def _read_scan(data: bytes, content: PdfContent, expected: str, ocr: bool, problems: list[Check]) -> ReadResult:
    if not ocr:
        waiting = Reading(kind=expected, reader="waiting for recognition")  # type: ignore[arg-type]
        return _result(waiting, "application/pdf", content.pages, content.page_count, needs_ocr=True)
    from .image_hash import perceptual_hash
    from .ocr import recognise
    from .render import page_image

    document, pages, started, look = open_pdf(data), [], time.process_time(), None
    for number in range(1, min(content.page_count, OCR_PAGES) + 1):
        if time.process_time() - started > OCR_SECONDS:
            break
        picture = page_image(document, number, OCR_LONG_SIDE)
        look = look or perceptual_hash(picture)
        pages.append(recognise(picture, number))
    _refuse_blank(pages)
    reading = _read_pages(pages, expected)
    if expected == "invoice" and time.process_time() - started < OCR_SECONDS:
        _look_again(reading, cache(lambda number: page_image(document, number, SECOND_LONG_SIDE)))
    reading.checks.extend(problems)
    if len(pages) < content.page_count:
        message = f"Only the first {len(pages)} of {content.page_count} pages were recognised."
        reading.checks.append(Check(id="pages-unread", severity="stop", message=message))
    for page, written in zip(pages, content.pages, strict=False):
        page.hidden = written.hidden
    result = _result(reading, "application/pdf", pages, content.page_count)
    result.image_hash = look
    return result


def _look_again(reading: Reading, picture_of: "Callable[[int], Image]") -> None:
    """Numbers and dates that a scan says once are read a second time, alone and from a sharper picture."""
    from .ocr import recognise_words

    once = [value for name, value in reading.fields.items() if KINDS.get(name) in SECOND_LOOK and value.value]
    for value in [value for value in once if len(value.readings) == 1][:MAX_SECOND]:
        passage = value.passages[0]
        if passage.page and passage.box:
            seen = recognise_words(picture_of(passage.page), passage.box)
            agrees = squeeze(passage.quote) == squeeze(seen)
            value.confidence = round(confirmed(value.confidence, agrees=agrees), 3)
            value.readings["second look"] = value.value if agrees else seen
    reading.confidence = document_confidence(reading)


def confirmed(confidence: float, *, agrees: bool) -> float:
    """Half of what was doubtful is gone where a second look saw the same, half of the trust where it did not."""
    return noisy_or([confidence, 0.5]) if agrees else 0.5 * confidence


def _read_image(data: bytes, media_type: str, expected: str, ocr: bool) -> ReadResult:
    from .render import image_pages

    pictures = image_pages(data)
    if not ocr:
        waiting = Reading(kind=expected, reader="waiting for recognition")  # type: ignore[arg-type]
        return _result(waiting, media_type, [], len(pictures), needs_ocr=True)
    from .image_hash import perceptual_hash
    from .ocr import recognise

    started = time.process_time()
    pages = [recognise(picture, number) for number, picture in enumerate(pictures[:OCR_PAGES], start=1)]
    _refuse_blank(pages)
    reading = _read_pages(pages, expected)
    if expected == "invoice" and time.process_time() - started < OCR_SECONDS:
        _look_again(reading, lambda number: pictures[number - 1])
    result = _result(reading, media_type, pages, len(pictures))
    result.image_hash = perceptual_hash(pictures[0])
    return result


def _refuse_blank(pages: list[Page]) -> None:
    if not any(page.words for page in pages):
        raise Refused("No text was found on the page. If this is a scan, ask for a sharper one.")


def _read_pages(pages: list[Page], expected: str) -> Reading:
    if expected == "receipt":
        from .receipts import read_receipt_pages

        return read_receipt_pages(pages)
    return read_invoice_pages(pages)


def _compare_with_image(data: bytes, pages: list[Page], reading: Reading, ocr: bool) -> None:
    """Whether the sums that are written are the sums that are seen.

    The drawn digits of every sum are compared with what the text layer says they are. Where a picture lies under
    amounts or amounts are hidden, the page is recognised and the sums looked for in it; only then, for recognition
    costs seconds and 300 MB. Text that leaves no ink is already left out by `pdf.read_pdf`.
    """
    sums = {name: reading.fields[name] for name in ("gross_total", "payable") if reading.value(name)}
    written = ", ".join(f"{name.replace('_', ' ')} {value.value}" for name, value in sums.items())
    digits = _lying_digits(data, [*sums.values(), *([reading.fields["iban"]] if reading.value("iban") else [])])
    if digits:
        drawn = ", ".join(f"{says} is drawn as {seen}" for says, seen in digits[:4])
        _distrust(reading, sums, f"The file's text says {written}, but the page shows other digits ({drawn}).")
    suspects = {page.number for page in pages if page.covered or any(find_amounts(text) for text in page.hidden)}
    where = {p.page for value in sums.values() for p in value.passages} & suspects
    if where and not ocr:
        message = "The total stands on a picture or beside hidden amounts; what is seen was not compared with the text."
        reading.checks.append(Check(id="text-over-picture", severity="stop", message=message, fields=list(sums)))
    elif where and not _are_seen(data, where, {value.value for value in sums.values() if value.value}):
        _distrust(reading, sums, f"The file's text says {written}, but the picture of the page shows other sums.")


def _distrust(reading: Reading, sums: dict[str, ReadValue], message: str) -> None:
    reading.checks.append(Check(id="text-image-differ", severity="stop", message=message, fields=list(sums)))
    for value in sums.values():
        value.confidence = min(value.confidence, 0.2)
    reading.confidence = document_confidence(reading)


def _lying_digits(data: bytes, values: list[ReadValue]) -> list[tuple[str, str]]:
    from .render_digits import lying_digits

    boxes: dict[int, list[Box]] = defaultdict(list)
    for passage in (passage for value in values for passage in value.passages):
        if passage.page and passage.box:
            boxes[passage.page].append(passage.box)
    document = open_pdf(data)
    return [pair for number, places in boxes.items() for pair in lying_digits(document[number - 1], places)]


def _are_seen(data: bytes, numbers: set, wanted: set[str]) -> bool:
    from .ocr import recognise
    from .render import page_image

    document = open_pdf(data)
    seen: set[str] = set()
    for number in sorted(n for n in numbers if n):
        rows = [row.text for row in recognise(page_image(document, number, OCR_LONG_SIDE), number).rows]
        mark = infer_decimal_mark(rows)
        seen |= {found.value.lstrip("-") for row in rows for found in find_amounts(row, mark)}
    return {value.lstrip("-") for value in wanted} <= seen


def _note_active_content(content: PdfContent, reading: Reading) -> None:
    if content.active:
        message = f"The PDF contains {', '.join(content.active)}. Nothing of it was executed."
        reading.checks.append(Check(id="active-content", severity="note", message=message))


def _result(reading: Reading, media_type: str, pages: list[Page], count: int, *, needs_ocr: bool = False) -> ReadResult:
    texts = [page.to_text() for page in pages]
    return ReadResult(reading=reading, media_type=media_type, pages=texts, page_count=count, needs_ocr=needs_ocr)
