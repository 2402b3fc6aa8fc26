"""Builders of small PDF files and pages for the reading tests: what stands where is the point of those tests."""

import io
from dataclasses import dataclass, field

import pypdfium2 as pdfium
from PIL import Image, ImageDraw, ImageFont

from orchestrator.documents.layout import Page
from orchestrator.documents.ocr import page_of

# The map of a font whose drawn 9 is a 1 to whoever reads the text (ISO 32000-1, 9.10.3).
NINE_IS_ONE = b"""/CIDInit /ProcSet findresource begin begincmap /CMapName /Lie def /CMapType 2 def
1 begincodespacerange <00> <FF> endcodespacerange 1 beginbfrange <20> <38> <0020> endbfrange
1 beginbfchar <39> <0031> endbfchar endcmap end"""


@dataclass
class Sheet:
    """A page of A4 under construction: text by position from the top left in points, pictures, raw operators."""

    parts: list[str] = field(default_factory=list)
    picture: bytes = b""
    picture_size: tuple[int, int] = (0, 0)

    def text(
        self, x: float, y: float, words: str, *, size: float = 10, gray: float = 0, mode: int = 0, font: str = "F1"
    ) -> "Sheet":
        escaped = words.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
        self.parts.append(f"BT /{font} {size} Tf {gray} g {mode} Tr 1 0 0 1 {x} {842 - y} Tm ({escaped}) Tj ET")
        return self

    def rows(
        self, x: float, y: float, rows: list[tuple[str, ...]], *, columns: float = 150, step: float = 16
    ) -> "Sheet":
        for number, row in enumerate(rows):
            for column, words in enumerate(row):
                self.text(x + column * columns, y + number * step, words)
        return self

    def place(self, image: Image.Image, x: float, y: float, width: float, height: float) -> "Sheet":
        buffer = io.BytesIO()
        image.convert("RGB").save(buffer, "JPEG", quality=92)
        self.picture, self.picture_size = buffer.getvalue(), image.size
        self.parts.append(f"q {width} 0 0 {height} {x} {842 - y - height} cm /I1 Do Q")
        return self


def pdf(*sheets: Sheet, catalog: str = "") -> bytes:
    """The sheets as a PDF file; `catalog` is added to its catalog (an open action, say)."""
    font = "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding"
    objects: list[bytes] = [
        b"",
        b"",
        f"{font}>>".encode(),
        f"{font}/ToUnicode 5 0 R>>".encode(),
        _stream("<<", NINE_IS_ONE),
    ]
    kids = []
    for sheet in sheets:
        image = ""
        if sheet.picture:
            width, height = sheet.picture_size
            head = (
                f"<</Type/XObject/Subtype/Image/Width {width}/Height {height}/ColorSpace/DeviceRGB/BitsPerComponent 8"
            )
            objects.append(_stream(f"{head}/Filter/DCTDecode", sheet.picture))
            image = f"/XObject<</I1 {len(objects)} 0 R>>"
        objects.append(_stream("<<", "\n".join(sheet.parts).encode("cp1252")))
        resources = f"<</Font<</F1 3 0 R/Lying 4 0 R>>{image}>>"
        page = f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources{resources}/Contents {len(objects)} 0 R>>"
        objects.append(page.encode())
        kids.append(f"{len(objects)} 0 R")
    objects[0] = f"<</Type/Catalog/Pages 2 0 R{catalog}>>".encode()
    objects[1] = f"<</Type/Pages/Count {len(kids)}/Kids[{' '.join(kids)}]>>".encode()
    return assemble(objects)


def assemble(objects: list[bytes]) -> bytes:
    """Numbered objects with their cross-reference table (ISO 32000-1, 7.5)."""
    body, offsets = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n".encode() + content + b"\nendobj\n"
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    tail = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer<</Size {len(objects) + 1}/Root 1 0 R>>\n"
    return body + tail.encode() + f"startxref\n{len(body)}\n%%EOF".encode()


def _stream(head: str, content: bytes) -> bytes:
    return f"{head}/Length {len(content)}>>stream\n".encode() + content + b"\nendstream"


def with_attachment(data: bytes, name: str, content: bytes) -> bytes:
    document = pdfium.PdfDocument(data)
    document.new_attachment(name).set_data(content)
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def german_invoice(*, gross: str = "1.190,00", number: str = "2024-0815") -> Sheet:
    """A letter as it comes out of a German office: window address, sender line, table, totals, footer."""
    sheet = Sheet().text(60, 120, "Nordlicht Technik GmbH - Hafenweg 7 - 24103 Kiel", size=7)
    sheet.rows(60, 140, [("Bäckerei Sommer KG",), ("Marktplatz 3",), ("24937 Flensburg",)], step=13)
    sheet.text(60, 240, f"Rechnung Nr. {number} vom 05.03.2024", size=14)
    sheet.rows(60, 270, [("Bestellnummer:", "B-7731"), ("Zahlbar bis:", "04.04.2024")])
    sheet.rows(
        60,
        330,
        [("Beschreibung", "Menge", "Einzelpreis", "Betrag"), ("Wartung", "4", "250,00", "1.000,00 €")],
        columns=120,
    )
    totals = [("Nettobetrag", "1.000,00 €"), ("Umsatzsteuer 19 %", "190,00 €"), ("Gesamtbetrag", f"{gross} €")]
    sheet.rows(300, 400, totals)
    sheet.rows(
        60, 760, [("Nordlicht Technik GmbH", "USt-IdNr. DE136695976"), ("Hafenweg 7", "IBAN DE02120300000000202051")]
    )
    return sheet


def recognised(lines: list[str], *, score: float = 0.99) -> Page:
    """A page as recognition returns it, a line of text each 30 pixels; two spaces or more set the rest to the right."""
    found = []
    for number, line in enumerate(lines):
        left, _, right = line.partition("  ")
        for x, words in ((40, left), (420, right.strip())):
            if words:
                y0, y1, x1 = 40 + 30 * number, 62 + 30 * number, x + 11 * len(words)
                found.append(([[x, y0], [x1, y0], [x1, y1], [x, y1]], score, words))
    return page_of(found, 800, 60 + 30 * len(lines))


def picture(lines: list[str], *, size: tuple[int, int] = (1000, 400), font_size: int = 36) -> Image.Image:
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        draw.text((20, 20 + number * int(font_size * 1.6)), line, fill="black", font=ImageFont.load_default(font_size))
    return image
