"""Pages as pictures for people: one WebP each, of a PDF or of an image. Nothing a file wants to execute is executed."""

import io

import pypdfium2 as pdfium
from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError

from .media_type import Refused, sniff
from .pdf import open_pdf

MAX_PIXELS = 40_000_000  # of an uploaded image, checked from its header before anything is unpacked
MAX_RENDERED = 12_000_000  # of a rendered page
MAX_FRAMES = 8  # pages of a TIFF
MAX_SHOWN = 2_000  # pages of a PDF that is looked at: one is rendered at a time, so more than are read
MAX_PICTURE = 150_000  # bytes of a page as WebP
QUALITIES = (80, 60, 40, 25)
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF")


def open_image(data: bytes) -> Image.Image:
    """The image, upright and not yet unpacked beyond its header. Raises Refused."""
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2  # Pillow refuses at twice this number, before decoding
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        if image.width * image.height > MAX_PIXELS:
            raise Refused(_too_large(image.width, image.height))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Refused(f"The picture has too many pixels; at most {MAX_PIXELS // 10**6} million are read.") from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, MemoryError) as error:
        raise Refused("The picture is damaged and cannot be opened. Ask for a new scan.") from error
    return image


def _too_large(width: int, height: int) -> str:
    return f"The picture has {width} × {height} pixels; at most {MAX_PIXELS // 10**6} million in all are read."


def image_pages(data: bytes) -> list[Image.Image]:
    """The pages of an image file: one, or the first frames of a TIFF. Raises Refused."""
    image = open_image(data)
    pages = []
    try:
        for index, frame in enumerate(ImageSequence.Iterator(image)):
            if index >= MAX_FRAMES or (index and image.format != "TIFF"):
                break
            if frame.width * frame.height > MAX_PIXELS:
                raise Refused(_too_large(frame.width, frame.height))
            pages.append(_shrunk(frame))
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError, Image.DecompressionBombError) as error:
        raise Refused("The picture is damaged and cannot be read to its end. Ask for a new scan.") from error
    return pages


def _shrunk(frame: Image.Image) -> Image.Image:
    frame.draft("L" if frame.mode == "L" else "RGB", (2500, 2500))
    upright = ImageOps.exif_transpose(frame) or frame
    upright = upright.convert("L" if upright.mode in ("1", "L", "I;16") else "RGB")
    upright.thumbnail((2500, 2500))
    return upright


def page_image(document: pdfium.PdfDocument, number: int, long_side: int) -> Image.Image:
    """Page `number` (from 1) rendered so that its longer side has `long_side` pixels. Raises Refused."""
    try:
        page = document[number - 1]
        width, height = page.get_size()
        if not (1 <= width <= 20_000 and 1 <= height <= 20_000):
            raise Refused(f"Page {number} has an impossible size ({width:.0f} × {height:.0f} points).")
        scale = long_side / max(width, height)
        scale = min(scale, (MAX_RENDERED / (width * height)) ** 0.5)
        return page.render(scale=scale, may_draw_forms=False).to_pil()
    except (pdfium.PdfiumError, ValueError, MemoryError) as error:
        raise Refused(f"Page {number} is damaged and cannot be shown.") from error


def render_page(data: bytes, number: int, width: int = 1240) -> bytes:
    """Page `number` (from 1) of a PDF or image as WebP, `width` pixels wide. Raises Refused."""
    if sniff(data) == "application/pdf":
        document = open_pdf(data, MAX_SHOWN)
        if not 1 <= number <= len(document):
            raise Refused(f"The document has {len(document)} pages; there is no page {number}.")
        page_width, page_height = document[number - 1].get_size()
        picture = page_image(document, number, round(width * max(1.0, page_height / max(page_width, 1))))
    else:
        pages = image_pages(data)
        if not 1 <= number <= len(pages):
            raise Refused(f"The document has {len(pages)} pages; there is no page {number}.")
        picture = pages[number - 1]
    picture.thumbnail((width, 4 * width))
    return as_webp(picture.convert("RGB"))


def as_webp(picture: Image.Image) -> bytes:
    """The picture in the best quality that stays under MAX_PICTURE; a noisy scan is made smaller at last."""
    for quality in QUALITIES:
        buffer = io.BytesIO()
        picture.save(buffer, "WEBP", quality=quality, method=2)
        if buffer.tell() <= MAX_PICTURE:
            return buffer.getvalue()
    if min(picture.size) < 2:
        return buffer.getvalue()
    return as_webp(picture.resize((max(1, picture.width * 3 // 4), max(1, picture.height * 3 // 4))))
