"""Whether two uploads are the same receipt: by what they say and by what they look like. Pure."""

from difflib import SequenceMatcher
from typing import Literal

from pydantic import BaseModel, ConfigDict

from .amounts import squeeze
from .reading import Reading

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


def receipt_fingerprint(reading: Reading, sha256: str, image_hash: str | None) -> Fingerprint:
    """The fingerprint of a receipt as it was read. A file that is no picture has no `image_hash`."""
    return Fingerprint(
        company=reading.value("company"),
        date=reading.value("date"),
        total=reading.value("total"),
        number=reading.value("receipt_number"),
        time=reading.value("time"),
        sha256=sha256,
        image=image_hash,
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
