"""Till receipts of shops that do not exist, drawn as if photographed. Pure: the same receipt gives the same bytes."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from PIL import Image, ImageDraw, ImageEnhance, ImageFont

WIDTH, MARGIN, STEP = 620, 36, 34
PAPER, INK, TABLE = (250, 249, 244), (38, 38, 42), (176, 170, 160)
Row = tuple[str, str]  # left, right; a row without right is centred when it is part of the head or foot


@dataclass(frozen=True)
class Shop:
    """Who sells. `head` stands over everything, `words` says total, cash, change and VAT in the shop's language."""

    head: Sequence[str]
    words: tuple[str, str, str, str]
    foot: str
    vat: int


@dataclass(frozen=True)
class Till:
    """One purchase. `paid` in cash gives change; without it a card was charged."""

    shop: Shop
    number: str
    at: datetime
    items: Sequence[tuple[str, str]]
    paid: str = ""

    @property
    def total(self) -> Decimal:
        return sum((Decimal(price) for _, price in self.items), Decimal(0))


@dataclass(frozen=True)
class Photo:
    """How it was photographed: turned by degrees, how bright, how well compressed, how large."""

    turn: float = 0.4
    light: float = 1.0
    quality: int = 82
    scale: float = 1.0


def photograph(till: Till, photo: Photo = Photo()) -> bytes:
    """The receipt lying on a table, as JPEG."""
    paper = draw(till)
    table = Image.new("RGB", (paper.width + 120, paper.height + 120), TABLE)
    table.paste(paper, (60, 60))
    seen = table.rotate(photo.turn, resample=Image.Resampling.BICUBIC, fillcolor=TABLE)
    seen = ImageEnhance.Brightness(seen).enhance(photo.light)
    seen = seen.resize((round(seen.width * photo.scale), round(seen.height * photo.scale)))
    return as_jpeg(seen, photo.quality)


def as_jpeg(image: Image.Image, quality: int = 82) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def unlit() -> bytes:
    """A photo on which nothing can be read."""
    return as_jpeg(Image.new("RGB", (WIDTH, 900), (24, 22, 21)), 60)


def draw(till: Till) -> Image.Image:
    body, head, foot = rows_of(till), till.shop.head, till.shop.foot
    image = Image.new("RGB", (WIDTH, STEP * (len(body) + len(head) + 5)), PAPER)
    pen, y = ImageDraw.Draw(image), STEP
    for number, line in enumerate(head):
        y = centred(pen, y, line, 32 if number == 0 else 22)
    y = rule(pen, y)
    for left, right in body:
        bold = left.startswith(till.shop.words[0])
        if bold:
            y = rule(pen, y)
        y = spread(pen, y, left, right, 30 if bold else 23)
    centred(pen, rule(pen, y), foot, 21)
    return image


def rows_of(till: Till) -> list[Row]:
    total, cash, change, vat = till.shop.words
    paid = Decimal(till.paid or till.total)
    tax = (till.total * till.shop.vat / (100 + till.shop.vat)).quantize(Decimal("0.01"))
    settled = [(cash, money(paid)), (change, money(paid - till.total))] if till.paid else [("VISA", money(till.total))]
    return [
        (f"Bon Nr: {till.number}", f"{till.at:%d.%m.%Y}  {till.at:%H:%M}"),
        *((name, money(Decimal(price))) for name, price in till.items),
        (f"{total} EUR", money(till.total)),
        *settled,
        (f"{vat} {till.shop.vat}%", money(tax)),
    ]


def money(amount: Decimal) -> str:
    return f"{amount:.2f}".replace(".", ",")


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def centred(pen: ImageDraw.ImageDraw, y: int, words: str, size: int) -> int:
    left = (WIDTH - pen.textlength(words, font=font(size))) / 2
    pen.text((left, y), words, fill=INK, font=font(size))
    return y + STEP


def spread(pen: ImageDraw.ImageDraw, y: int, left: str, right: str, size: int) -> int:
    pen.text((MARGIN, y), left, fill=INK, font=font(size))
    pen.text((WIDTH - MARGIN - pen.textlength(right, font=font(size)), y), right, fill=INK, font=font(size))
    return y + STEP


def rule(pen: ImageDraw.ImageDraw, y: int) -> int:
    pen.line((MARGIN, y + 8, WIDTH - MARGIN, y + 8), fill=INK, width=2)
    return y + 20
