"""Pictures of tables as SVG, drawn on the server: no script, no inline style, colours by class. The table beside a
picture says the same, so a picture is one image to whoever does not see it. Lengths are SVG user units."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 560, 44, 8, 30, 22
HEIGHT = 210
BAR, GAP, NAMES, FIGURES = 16, 10, 150, 58  # rows of a bar chart: names to the left, figures to the right
LABELS = 8  # under an axis, at most
STEPS = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Series:
    """Values under one name; `look` is the class that colours them."""

    name: Any
    look: str
    values: Sequence[float]


def drawing(title: Any, height: int, parts: Iterable[SafeString]) -> SafeString:
    label = _("%(title)s, drawn; the table below has the same numbers") % {"title": title}
    inside = format_html_join("", "{}", ((part,) for part in parts))
    return format_html('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>', WIDTH, height, label, inside)


def rect(x: float, y: float, width: float, height: float, look: str, tip: str = "") -> SafeString:
    title = format_html("<title>{}</title>", tip) if tip else ""
    shape = '<rect class="{}" x="{}" y="{}" width="{}" height="{}">{}</rect>'
    return format_html(shape, look, n(x), n(y), n(max(width, 0)), n(max(height, 0)), title)


def text(x: float, y: float, words: Any, look: str = "") -> SafeString:
    return format_html('<text class="{}" x="{}" y="{}">{}</text> ', look, n(x), n(y), words)


def path(data: str, look: str) -> SafeString:
    return format_html('<path class="{}" d="{}"/>', look, data)


def n(number: float) -> str:
    """Short, and the same whatever the reader's language."""
    return f"{number:.1f}".removesuffix(".0")


def legend(series: Sequence[Series]) -> list[SafeString]:
    found, x = [], float(LEFT)
    for one in series:
        found += [rect(x, 6, 10, 10, one.look), text(x + 15, 15, one.name)]
        x += 30 + 6.5 * len(str(one.name))
    return found


def ceiling(values: Iterable[float]) -> float:
    """A round number at or above the largest."""
    largest, unit = max([1.0, *values]), 1.0
    while unit * 10 < largest:
        unit *= 10
    return next(step * unit for step in (*STEPS, 10) if step * unit >= largest)


def grid(top: float, show: Callable[[float], str]) -> list[SafeString]:
    """The axis to the left: nothing, half, and the most."""
    found = []
    for share in (0, 0.5, 1):
        y = HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)
        found += [path(f"M{LEFT} {n(y)}H{WIDTH - RIGHT}", "axis"), text(LEFT - 6, y + 4, show(share * top), "e")]
    return found


def columns(title: Any, labels: Sequence[str], pairs: Sequence[Series], line: Series) -> SafeString:
    """Columns beside each other for every label, and a line over them."""
    top = ceiling(value for one in (*pairs, line) for value in one.values)
    room, high = (WIDTH - LEFT - RIGHT) / len(labels), HEIGHT - BOTTOM - TOP
    thick = min(room * 0.8 / len(pairs), 24)

    def x(index: int) -> float:
        return LEFT + room * (index + 0.5)

    parts = [*legend([*pairs, line]), *grid(top, lambda value: n(value))]
    for index, label in enumerate(labels):
        for place, one in enumerate(pairs):
            tall, left = high * one.values[index] / top, x(index) + thick * (place - len(pairs) / 2)
            tip = f"{label}: {one.name} {n(one.values[index])}"
            parts.append(rect(left, HEIGHT - BOTTOM - tall, thick, tall, one.look, tip))
    points = [f"{n(x(i))} {n(HEIGHT - BOTTOM - high * value / top)}" for i, value in enumerate(line.values)]
    parts.append(path("M" + "L".join(points), f"{line.look} line"))
    every = -(-len(labels) // LABELS)
    parts += [text(x(i), HEIGHT - 6, label, "m") for i, label in enumerate(labels) if not i % every]
    return drawing(title, HEIGHT, parts)


def bars(
    title: Any, labels: Sequence[Any], series: Sequence[Series], show: Callable[[float], str], *, stacked: bool = False
) -> SafeString:
    """A row for each label: bars under each other, each with its figure; stacked, one bar that is the whole. Without
    labels there is nothing to draw."""
    if not labels:
        return SafeString()
    lines = 1 if stacked else len(series)
    tall, room = BAR * lines + GAP, WIDTH - NAMES - FIGURES
    start = TOP if len(series) > 1 else GAP
    top = max([value for one in series for value in one.values] or [0]) or 1
    parts = [*legend(series)] if len(series) > 1 else []
    for index, label in enumerate(labels):
        y = start + tall * index
        parts.append(text(NAMES - 8, y + BAR * lines / 2 + 4, str(label)[:24], "e"))
        whole, x = sum(one.values[index] for one in series) or 1, float(NAMES)
        for place, one in enumerate(series):
            value, tip = one.values[index], f"{label}: {one.name} {show(one.values[index])}"
            if stacked:
                parts.append(rect(x, y, room * value / whole, BAR - 2, one.look, tip))
                x += room * value / whole
            else:
                wide, down = room * value / top, y + BAR * place
                parts += [
                    rect(NAMES, down, wide, BAR - 3, one.look, tip),
                    text(NAMES + wide + 5, down + 11, show(value)),
                ]
        if stacked:
            parts.append(text(NAMES + room + 5, y + 11, f"n = {whole:.0f}"))
    return drawing(title, start + tall * len(labels), parts)


@dataclass(frozen=True, slots=True)
class Point:
    """An observed share, with its interval; `faint`: of too few to say much."""

    x: float
    share: float
    low: float
    high: float
    faint: bool


def reliability(title: Any, points: Sequence[Point], across: Any, up: Any) -> SafeString:
    """What was said against what was so, both 0 to 1; on the line they are the same."""
    side, left, tall = 236, LEFT, 290
    bottom = tall - 34

    def at(x: float, y: float) -> tuple[float, float]:
        return left + side * x, bottom - side * y

    (x0, y0), (x1, y1) = at(0, 0), at(1, 1)
    parts = [path(f"M{n(x0)} {n(y1)}V{n(y0)}H{n(x1)}", "axis"), path(f"M{n(x0)} {n(y0)}L{n(x1)} {n(y1)}", "axis dash")]
    for mark in (0, 0.5, 1):
        x, y = at(mark, mark)
        parts += [text(x, bottom + 15, n(mark), "m"), text(left - 6, y + 4, n(mark), "e")]
    parts += [text(left + side / 2, tall - 4, across, "m"), text(left - 20, y1 - 9, up)]
    for point in points:
        x, y = at(point.x, point.share)
        (_x, low), (_x, high) = at(0, point.low), at(0, point.high)
        look = "c3" if point.faint else "c2"
        parts.append(path(f"M{n(x)} {n(low)}V{n(high)}", f"{look} line"))
        parts.append(format_html('<circle class="{}" cx="{}" cy="{}" r="4.5"/>', look, n(x), n(y)))
    return drawing(title, tall, parts)
