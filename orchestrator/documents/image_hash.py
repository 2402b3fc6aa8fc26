"""A perceptual hash: pictures that look alike have hashes that differ in few bits. Made in the reading child only."""

import math
from collections.abc import Sequence

from PIL import Image

SIDE = 32  # pixels of the picture under the transform
KEPT = 8  # lowest frequencies of each direction: 64 bits


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
