"""Rows of a data set in the uniform form: `truth.jsonl` with the files it names."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

FILE = "truth.jsonl"


class NotADataSet(ValueError):
    """The folder cannot be played; the message names what is missing."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of truth. Files are read from inside the folder only."""

    folder: Path
    id: str
    task: str
    files: list[str]
    truth: Mapping[str, Any]
    input: Mapping[str, Any] = field(default_factory=dict)
    scored: bool = True
    variants: Mapping[str, str] = field(default_factory=dict)
    visible: tuple[str, ...] = ()

    def read(self, name: str) -> bytes:
        path = (self.folder / name).resolve()
        if not path.is_relative_to(self.folder.resolve()):
            raise NotADataSet(f"files: {name!r} of {self.id} leads out of the folder")
        try:
            return path.read_bytes()
        except OSError as error:
            raise NotADataSet(f"files: {name!r} of {self.id} cannot be read ({error.strerror})") from None


def read_truth(folder: Path) -> list[Row]:
    """Every row of the folder's truth. NotADataSet where there is none, or a line is no row."""
    path = folder / FILE
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise NotADataSet(f"folder: {str(path)!r} cannot be read ({error})") from None
    return [_row(folder, number, line) for number, line in enumerate(lines, start=1) if line.strip()]


def _row(folder: Path, number: int, line: str) -> Row:
    try:
        found = json.loads(line)
        return Row(
            folder=folder,
            id=found["id"],
            task=found["task"],
            files=list(found["files"]),
            truth=found["truth"],
            input=found.get("input") or {},
            scored=found.get("scored", True),
            variants=found.get("variants") or found["truth"].get("variants") or {},
            visible=tuple(found.get("visible_fields") or found["truth"].get("visible_fields") or ()),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotADataSet(f"folder: line {number} of {FILE} is no row ({type(error).__name__}: {error})") from None


def flat(nested: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted names: {"seller": {"name": …}, "lines": [{"id": …}]} → "seller.name", "lines.0.id"."""
    for name, value in nested.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            for position, item in enumerate(value):
                place = f"{prefix}{name}.{position}"
                yield from flat(item, f"{place}.") if isinstance(item, Mapping) else [(place, item)]
        else:
            yield f"{prefix}{name}", value


def same(truth: Any, found: Any, *, spaced: bool = False) -> bool:
    """Equal after bringing white space, decimals and absence to one form; `spaced`: white space says nothing at all, as
    in an IBAN, whose groups of four are only for the eye (ISO 13616)."""
    left, right = plain(truth), plain(found)
    if left == right or (spaced and left.replace(" ", "") == right.replace(" ", "")):
        return True
    try:
        return Decimal(left) == Decimal(right)
    except InvalidOperation:
        return False


def plain(value: Any) -> str:
    return "" if value is None else " ".join(str(value).split())
