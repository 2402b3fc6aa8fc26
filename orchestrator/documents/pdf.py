"""Text PDFs as pages of words, by pypdfium2: what stands where, and what stands there without being seen."""

import ctypes
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from .layout import Box, Cell, Page, Word, as_box
from .media_type import Refused

MAX_PAGES = 200
READ_PAGES = 12  # an invoice says what it has to say by then; the rest is kept for the page view
MAX_CHARS = 60_000  # per page
MAX_ATTACHMENT = 10_000_000  # bytes
TINY = 3.0  # points: no printed text is this small
CONTRAST = 10  # of 255: what the eye makes out on paper
SEEN_PAGES = 8  # pages compared with their rendered image

Char = tuple[str, Box, bool]  # character, box in page space (left, bottom, right, top), drawn at all
ToBox = Callable[[float, float], tuple[float, float]]

_INVISIBLE_MODES = {raw.FPDF_TEXTRENDERMODE_INVISIBLE, raw.FPDF_TEXTRENDERMODE_CLIP}


@dataclass
class PdfContent:
    pages: list[Page]
    page_count: int
    attachments: list[tuple[str, bytes]]
    active: list[str]  # what the file would do if it were opened in a viewer


def open_pdf(data: bytes, most: int = MAX_PAGES) -> pdfium.PdfDocument:
    """The opened document. Raises Refused for one that is encrypted, broken, empty or has more pages than `most`."""
    try:
        document = pdfium.PdfDocument(data)
        count = len(document)
    except pdfium.PdfiumError as error:
        raise Refused(_reason(error)) from error
    if count == 0:
        raise Refused("This PDF has no page. Ask the sender for a new copy.")
    if count > most:
        raise Refused(f"This PDF has {count} pages; at most {most} are read. Split it and upload the invoice alone.")
    return document


def _reason(error: pdfium.PdfiumError) -> str:
    text = str(error).lower()
    if "password" in text:
        return "This PDF is protected by a password. Ask the sender for one without."
    if "security" in text:
        return "This PDF is encrypted in a way that cannot be opened. Ask the sender for one without protection."
    return "This PDF is damaged and cannot be opened. Ask the sender for a new copy."


def read_pdf(data: bytes) -> PdfContent:
    """Pages, attached files and active content of a PDF. Raises Refused."""
    document = open_pdf(data)
    pages = [_read_page(document, index) for index in range(min(len(document), READ_PAGES))]
    return PdfContent(pages, len(document), list(_attachments(document)), _active_content(data))


def _read_page(document: pdfium.PdfDocument, index: int) -> Page:
    try:
        page = document[index]
    except pdfium.PdfiumError:
        return Page(index + 1, 595.0, 842.0, [])
    width, height = page.get_size()
    result = Page(index + 1, width, height, [])
    try:
        lines = list(_words_by_line(page, width, height))
    except pdfium.PdfiumError:
        return result
    seen = _contrast_test(page) if index < SEEN_PAGES else None
    for line in lines:
        visible = [word for word in line if word.visible and (seen is None or seen(word))]
        hidden = [word.text for word in line if word not in visible]
        if visible:
            result.words.extend(visible)
            result.stream.append(Cell(visible, index + 1))
        if hidden:
            result.hidden.append(" ".join(hidden))
    result.covered = _has_picture_under_text(page, result)
    return result


def _words_by_line(page: pdfium.PdfPage, width: float, height: float) -> Iterator[list[Word]]:
    """The words of the page in the order of the file, a list for each line of the text layer."""
    textpage = page.get_textpage()
    to_box = _page_to_box(page)
    line: list[Word] = []
    chars: list[Char] = []

    def close_word() -> None:
        if chars:
            line.append(_word(chars, to_box, width, height))
            chars.clear()

    for char, rect, visible in _chars(textpage):
        if char in "\r\n":
            close_word()
            if char == "\n" and line:
                yield line
                line = []
        elif char.isspace() or rect is None:
            close_word()
        else:
            if chars and _is_apart(chars[-1][1], rect):
                close_word()
            chars.append((char, rect, visible))
    close_word()
    if line:
        yield line


def _chars(textpage: pdfium.PdfTextPage) -> Iterator[tuple[str, Box | None, bool]]:
    rect = raw.FS_RECTF()
    modes: dict[int, bool] = {}
    for index in range(min(raw.FPDFText_CountChars(textpage), MAX_CHARS)):
        code = raw.FPDFText_GetUnicode(textpage, index)
        char = chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else " "
        if char in "\r\n" or char.isspace() or not raw.FPDFText_GetLooseCharBox(textpage, index, rect):
            yield char, None, True
            continue
        handle = raw.FPDFText_GetTextObject(textpage, index)
        address = ctypes.cast(handle, ctypes.c_void_p).value or 0
        if address not in modes:
            modes[address] = raw.FPDFTextObj_GetTextRenderMode(handle) not in _INVISIBLE_MODES if address else True
        if char.isprintable():
            yield char, (rect.left, rect.bottom, rect.right, rect.top), modes[address]


def _is_apart(before: tuple[float, ...], after: tuple[float, ...]) -> bool:
    height = max(before[3] - before[1], 0.1)
    return abs(after[0] - before[2]) > 0.6 * height or abs(after[1] - before[1]) > 0.6 * height


def _page_to_box(page: pdfium.PdfPage) -> ToBox:
    """A function from page space (origin bottom left, unrotated) to fractions of the page as it is shown."""
    scale = 100_000
    x, y = ctypes.c_int(), ctypes.c_int()

    def convert(px: float, py: float) -> tuple[float, float]:
        raw.FPDF_PageToDevice(page, 0, 0, scale, scale, 0, px, py, x, y)
        return x.value / scale, y.value / scale

    return convert


def _word(chars: list[Char], to_box: ToBox, width: float, height: float) -> Word:
    rects = [rect for _, rect, _ in chars]
    ax, ay = to_box(min(r[0] for r in rects), max(r[3] for r in rects))
    bx, by = to_box(max(r[2] for r in rects), min(r[1] for r in rects))
    x0, x1, y0, y1 = min(ax, bx), max(ax, bx), min(ay, by), max(ay, by)
    on_page = x1 > 0 and x0 < 1 and y1 > 0 and y0 < 1
    size = max(max(r[2] - r[0], r[3] - r[1]) for r in rects)
    visible = all(v for _, _, v in chars) and on_page and size >= TINY
    box = as_box(x0, y0, x1, y1)
    text = "".join(char for char, _, _ in chars)
    return Word(text, x0 * width, y0 * height, x1 * width, y1 * height, box, visible=visible)


def _contrast_test(page: pdfium.PdfPage) -> Callable[[Word], bool] | None:
    """A test whether a word leaves any ink on the rendered page: catches white, covered and clipped text alike."""
    width, height = page.get_size()
    if width * height > 4_000_000:
        return None
    try:
        image = page.render(scale=1, grayscale=True, may_draw_forms=False).to_pil()
    except (pdfium.PdfiumError, ValueError, MemoryError):
        return None

    def seen(word: Word) -> bool:
        x0, y0, x1, y1 = word.box
        area = (
            max(0, int(x0 * image.width) - 1),
            max(0, int(y0 * image.height)),
            min(image.width, int(x1 * image.width) + 2),
            min(image.height, int(y1 * image.height) + 1),
        )
        if area[2] <= area[0] or area[3] <= area[1]:
            return False
        low, high = image.crop(area).getextrema()
        return high - low >= CONTRAST

    return seen


def _has_picture_under_text(page: pdfium.PdfPage, result: Page) -> bool:
    """Whether pictures lie where amounts stand: then what is seen may be the picture and not the text."""
    to_box = _page_to_box(page)
    amounts = [w.box for w in result.words if re.search(r"\d[.,]\d{2}\b", w.text)]
    for count, item in enumerate(page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=3)):
        if count > 500:
            break
        try:
            left, bottom, right, top = item.get_bounds()
        except pdfium.PdfiumError:
            continue
        (ax, ay), (bx, by) = to_box(left, top), to_box(right, bottom)
        x0, x1, y0, y1 = min(ax, bx), max(ax, bx), min(ay, by), max(ay, by)
        if any(x0 < b[2] and b[0] < x1 and y0 < b[3] and b[1] < y1 for b in amounts):
            return True
    return False


def _attachments(document: pdfium.PdfDocument) -> Iterator[tuple[str, bytes]]:
    for index in range(min(document.count_attachments(), 20)):
        try:
            attachment = document.get_attachment(index)
            data = attachment.get_data()
            if len(data) <= MAX_ATTACHMENT:
                yield attachment.get_name(), bytes(data)
        except (pdfium.PdfiumError, ValueError, MemoryError):
            continue


def _active_content(data: bytes) -> list[str]:
    """Names of active parts declared in the open; they are never executed, the page view shows rendered images."""
    wanted = {
        b"JavaScript": "JavaScript",
        b"Launch": "a launch action",
        b"XFA": "an XFA form",
        b"OpenAction": "an open action",
    }
    return [words for name, words in wanted.items() if re.search(rb"/" + name + rb"\b", data)]
