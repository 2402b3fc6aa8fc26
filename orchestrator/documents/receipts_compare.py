"""Whether two uploads are the same receipt: by what they say and by what they look like."""

import hashlib
import math
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Literal

from PIL import Image
from pydantic import BaseModel, ConfigDict

from .amounts import squeeze
from .media_type import Refused
from .reading import Reading
from .render import image_pages

SIDE = 32  # pixels of the picture under the transform
KEPT = 8  # lowest frequencies of each direction: 64 bits
SAME_IMAGE = 6  # bits of 64 two scans of one paper may differ in
SAME_NAME = 0.8  # recognition reads one name in two ways

Verdict = Literal["duplicate", "near_miss", "different"]


class Fingerprint(BaseModel):
    """What is compared of a receipt. `sha256` of the bytes, `image` the perceptual hash as 16 hex digits."""

    model_config = ConfigDict(extra="forbid")

    company: str | None = None
    date: str | None = None
    total: str | None = None
    number: str | None = None
    time: str | None = None
    sha256: str
    image: str | None = None


def receipt_fingerprint(reading: Reading, image_bytes: bytes) -> Fingerprint:
    """The fingerprint of a receipt that was read from `image_bytes`. A file that is no picture has no `image`."""
    return Fingerprint(
        company=reading.value("company"),
        date=reading.value("date"),
        total=reading.value("total"),
        number=reading.value("receipt_number"),
        time=reading.value("time"),
        sha256=hashlib.sha256(image_bytes).hexdigest(),
        image=_image_hash(image_bytes),
    )


def compare_receipts(a: Fingerprint, b: Fingerprint) -> Verdict:
    """`duplicate`: same bytes, or same shop, date and total without anything that tells two receipts apart.
    `near_miss`: the same three, but another receipt number or time of day: two purchases, to be looked at."""
    if a.sha256 == b.sha256:
        return "duplicate"
    same = (_same_company(a.company, b.company), a.date == b.date and a.date, a.total == b.total and a.total)
    if not all(same):
        looks_same = a.image and b.image and hamming(a.image, b.image) <= SAME_IMAGE
        return "duplicate" if looks_same and not _tells_apart(a, b) else "different"
    return "near_miss" if _other(a.number, b.number) or _other(a.time, b.time) else "duplicate"


def _tells_apart(a: Fingerprint, b: Fingerprint) -> bool:
    """Pictures alike, but a value read with another result on both: forms of one shop look alike."""
    return any(_other(getattr(a, name), getattr(b, name)) for name in ("date", "total", "number"))


def _other(first: str | None, second: str | None) -> bool:
    """Whether both are known and differ by more than a misread character could."""
    if not first or not second:
        return False
    return squeeze(first) != squeeze(second)


def _same_company(first: str | None, second: str | None) -> bool:
    if not first or not second:
        return False
    a, b = squeeze(first), squeeze(second)
    return a == b or SequenceMatcher(None, a, b).ratio() >= SAME_NAME


def hamming(first: str, second: str) -> int:
    return (int(first, 16) ^ int(second, 16)).bit_count()


def _image_hash(data: bytes) -> str | None:
    """A perceptual hash: the signs of the lowest frequencies of the shrunken picture against their median (pHash)."""
    try:
        return perceptual_hash(image_pages(data)[0])
    except (Refused, IndexError):
        return None


def perceptual_hash(picture: Image.Image) -> str:
    """64 bits as hex digits, near for pictures that look alike: scaling, brightness and compression change few."""
    small = picture.convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    pixels = list(small.tobytes())
    rows = [_cosines(pixels[start : start + SIDE]) for start in range(0, SIDE * SIDE, SIDE)]
    columns = [_cosines([row[x] for row in rows]) for x in range(KEPT)]
    values = [columns[x][y] for y in range(KEPT) for x in range(KEPT)]
    middle = sorted(values[1:])[len(values) // 2]
    bits = "".join("1" if value > middle else "0" for value in values)
    return f"{int(bits, 2):016x}"


def _cosines(samples: Sequence[float]) -> list[float]:
    """The first KEPT coefficients of the discrete cosine transform (type II) of the samples."""
    count = len(samples)
    return [
        sum(value * math.cos(math.pi * (index + 0.5) * k / count) for index, value in enumerate(samples))
        for k in range(KEPT)
    ]
