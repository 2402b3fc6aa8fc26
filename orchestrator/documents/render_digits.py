"""Whether the digits a PDF draws are the digits its text layer says: a font may map any shape to any character.

Each digit is compared with the digits of the standard fonts. Only one that looks far more like another digit than like
itself counts; a font too fanciful to tell is given the benefit of the doubt.
"""

import ctypes
from collections.abc import Iterator
from functools import cache

import pypdfium2 as pdfium
import pypdfium2.raw as raw
from PIL import Image

from .layout import Box

SIZE = (14, 20)  # pixels of a shape under comparison
SCALE = 6  # pixels for a point: a digit of 10 points has 40 pixels
FONTS = ("Helvetica", "Helvetica-Bold", "Times-Roman", "Times-Bold", "Courier", "Courier-Bold")
CLEARLY = 0.6  # share of the distance to its own digit at which a shape is taken for another one
MAX_DIGITS = 40
DIGITS = "0123456789"

Shape = bytes


def lying_digits(page: pdfium.PdfPage, boxes: list[Box]) -> list[tuple[str, str]]:
    """Digits within the boxes (fractions of the page) that are drawn as another: (as written, as seen)."""
    wrong = []
    for written, shape in _shapes(page, boxes):
        seen = _looks_like(written, shape)
        if seen != written:
            wrong.append((written, seen))
    return wrong


def _looks_like(written: str, shape: Shape) -> str:
    distances = {digit: min(_distance(shape, known) for known in shapes) for digit, shapes in _known().items()}
    nearest = min(distances, key=lambda digit: distances[digit])
    return nearest if distances[nearest] < CLEARLY * distances[written] else written


def _distance(a: Shape, b: Shape) -> int:
    return sum(abs(x - y) for x, y in zip(a, b, strict=True))


@cache
def _known() -> dict[str, list[Shape]]:
    """The ten digits in the standard fonts, drawn by the same renderer."""
    known: dict[str, list[Shape]] = {digit: [] for digit in DIGITS}
    document = pdfium.PdfDocument.new()
    page = document.new_page(200, 40 * len(FONTS))
    words = (ctypes.c_ushort * (len(DIGITS) + 1))(*map(ord, DIGITS), 0)
    for number, name in enumerate(FONTS):
        font = raw.FPDFText_LoadStandardFont(document, name.encode())
        text = raw.FPDFPageObj_CreateTextObj(document, font, 16.0)
        raw.FPDFText_SetText(text, words)
        raw.FPDFPageObj_Transform(text, 1, 0, 0, 1, 10, 20 + 40 * number)
        raw.FPDFPage_InsertObject(page, text)
    page.gen_content()
    for digit, shape in _shapes(page, [(0.0, 0.0, 1.0, 1.0)], len(DIGITS) * len(FONTS)):
        known[digit].append(shape)
    return known


def _shapes(page: pdfium.PdfPage, boxes: list[Box], most: int = MAX_DIGITS) -> Iterator[tuple[str, Shape]]:
    """Each digit of the text layer within the boxes, with the shape that is drawn in its place."""
    width, height = page.get_size()
    textpage = page.get_textpage()
    sides = [ctypes.c_double() for _ in range(4)]
    for index in range(textpage.count_chars()):
        digit = chr(raw.FPDFText_GetUnicode(textpage, index))
        if digit not in DIGITS or most <= 0 or not raw.FPDFText_GetCharBox(textpage, index, *sides):
            continue
        left, right, bottom, top = (side.value for side in sides)
        x, y = (left + right) / 2 / width, 1 - (bottom + top) / 2 / height
        if any(x0 <= x <= x1 and y0 <= y <= y1 for x0, y0, x1, y1 in boxes):
            most -= 1
            shape = _shape(page, left, bottom, right, top)
            if shape:
                yield digit, shape


def _shape(page: pdfium.PdfPage, left: float, bottom: float, right: float, top: float) -> Shape | None:
    """The drawn glyph alone, trimmed to its ink and set to one height, its proportions kept."""
    width, height = page.get_size()
    around = (max(0, left - 0.4), max(0, bottom - 0.4), max(0, width - right - 0.4), max(0, height - top - 0.4))
    if width - around[0] - around[2] < 1 or height - around[1] - around[3] < 1:
        return None
    image = page.render(scale=SCALE, crop=around, grayscale=True, may_draw_forms=False).to_pil()
    low, high = image.getextrema()
    if high - low < 60:
        return None
    dark = image.point(lambda value: 255 if value < (low + high) / 2 else 0)
    if dark.getpixel((0, 0)) == 255:
        dark = dark.point(lambda value: 255 - value)  # light on dark
    glyph = dark.crop(dark.getbbox())
    wide = max(1, min(SIZE[0], round(glyph.width * SIZE[1] / glyph.height)))
    canvas = Image.new("L", SIZE)
    canvas.paste(glyph.resize((wide, SIZE[1])), ((SIZE[0] - wide) // 2, 0))
    return canvas.tobytes()
