"""Recognise the text of a picture. The engine and its models are loaded on first use, in the reading child only."""

import math
from collections.abc import Iterable
from functools import cache
from statistics import median
from typing import TYPE_CHECKING

from .layout import Box, Page, Word, as_box, straighten

if TYPE_CHECKING:
    from PIL import Image

LONG_SIDE = 1760  # pixels of a page handed to the engine: 150 dpi of A4
SETTINGS = {
    "Rec.rec_batch_num": 1,
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    "Global.use_cls": False,
    "Global.log_level": "critical",
    "Det.limit_side_len": 960,
    "Det.limit_type": "max",
}
BLANK = 12  # of 255: a page without any mark is not worth the engine's start
MIN_SCORE = 0.5  # below that the engine guesses at smudges

Polygon = list[list[float]]  # four corners, pixels, clockwise from the top left
Line = tuple[Polygon, float, str]


@cache
def _engine():
    from rapidocr import RapidOCR  # 80 MB and a second: only where a picture is really read

    return RapidOCR(params=SETTINGS)


def recognise(image: "Image.Image", number: int = 1) -> Page:
    """The page as words with boxes and scores; the tilt of the scan is taken out of the layout coordinates."""
    import numpy

    picture = image.convert("RGB")
    if max(picture.size) > LONG_SIDE:
        picture.thumbnail((LONG_SIDE, LONG_SIDE))
    darkest, lightest = (float(value) for value in picture.convert("L").getextrema())  # type: ignore[arg-type]
    if lightest - darkest < BLANK:
        return Page(number, picture.width, picture.height, [])
    found = _engine()(numpy.asarray(picture))
    boxes = [] if found.boxes is None else found.boxes.tolist()
    lines = list(zip(boxes, map(float, found.scores or ()), found.txts or (), strict=True))
    return page_of(lines, picture.width, picture.height, number)


def recognise_words(image: "Image.Image", box: Box) -> str:
    """The words within the box, read alone from this picture: the second opinion on what was read from another one."""
    import numpy

    left, top, right, bottom = (side * size for side, size in zip(box, image.size * 2, strict=True))
    margin = 0.25 * (bottom - top)
    part = image.convert("RGB").crop((max(0, left - margin), max(0, top - margin), right + margin, bottom + margin))
    found = _engine()(numpy.asarray(part), use_det=False, use_cls=False, use_rec=True)
    return " ".join(found.txts or ())


def page_of(lines: Iterable[Line], width: float, height: float, number: int = 1) -> Page:
    """Recognised lines as a page of words."""
    kept = [line for line in lines if line[1] >= MIN_SCORE and line[2].strip()]
    words = [word for line in kept for word in _words(line, width, height)]
    return Page(number, width, height, straighten(words, _tilt(kept)))


def _tilt(lines: list[Line]) -> float:
    """The angle of the text in radians: the median over lines long enough to show it."""
    angles = []
    for (top_left, top_right, bottom_right, bottom_left), _, _ in lines:
        length = math.dist(top_left, top_right)
        if length > 4 * max(1.0, math.dist(top_left, bottom_left)):
            top = math.atan2(top_right[1] - top_left[1], top_right[0] - top_left[0])
            bottom = math.atan2(bottom_right[1] - bottom_left[1], bottom_right[0] - bottom_left[0])
            angles.append((top + bottom) / 2)
    return median(angles) if angles else 0.0


def _words(line: Line, width: float, height: float) -> Iterable[Word]:
    """The line cut at its spaces, each word with the share of the box its characters take."""
    polygon, score, text = line
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = polygon
    total, position = len(text), 0
    thickness = (math.dist((ax, ay), (dx, dy)) + math.dist((bx, by), (cx, cy))) / 2
    for part in text.split(" "):
        start, end = position / total, (position + len(part)) / total
        position += len(part) + 1
        if not part:
            continue
        x0, x1 = ax + (bx - ax) * start, ax + (bx - ax) * end
        top, bottom = (ay + (by - ay) * (start + end) / 2, dy + (cy - dy) * (start + end) / 2)
        middle = (top + bottom) / 2
        box = as_box(x0 / width, top / height, x1 / width, bottom / height)
        y0, y1 = middle - thickness / 2, middle + thickness / 2
        yield Word(part, x0, y0, x1, y1, box, score=min(1.0, score))
