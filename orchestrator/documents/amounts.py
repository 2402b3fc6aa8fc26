"""Numbers, money, dates and identifiers as they are printed in German, French, Dutch and English documents.

A printed number is ambiguous on its own ("1.234" is one or a thousand): the decimal mark and the order of day and month
are inferred once for the whole document, from those numbers and dates that leave no doubt.
"""

import datetime as dt
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Literal

DecimalMark = Literal[",", "."]
DateOrder = Literal["dmy", "mdy"]

SPACES = "\u00a0\u202f\u2009"
MINUS = "-\u2212\u2013"

AMOUNT = re.compile(
    rf"""(?<![\w.,/{MINUS}])(?P<sign>[{MINUS}]\s?|\()?(?:(?:[€$£]|EUR|USD|GBP|CHF|RM)\s?(?P<inner>[{MINUS}])?)?
    (?P<digits>\d{{1,3}}(?:[.,'’{SPACES}]\d{{3}})+(?:[.,]\d{{1,4}})?|\d+(?:[.,]\d{{1,4}})?)
    (?P<after>-(?!\w)|\))?(?!\d|[.,/-]\d|[.,]?\w*\d)(?!\s?%)""",
    re.VERBOSE,
)

MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "januar january janvier januari jan",
            "februar february fevrier februari feb fev",
            "marz march mars maart mar mrt maerz mrz",
            "april avril apr avr",
            "mai may mei",
            "juni june juin jun",
            "juli july juillet jul juil",
            "august aout augustus aug",
            "september septembre sep sept",
            "oktober october octobre okt oct",
            "november novembre nov",
            "dezember december decembre dez dec",
        ),
        start=1,
    )
    for name in names.split()
}
_MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
DATE = re.compile(
    rf"""(?<![\w.,/-])(?:
    (?P<iso>\d{{4}}-\d{{1,2}}-\d{{1,2}}|\d{{4}}/\d{{1,2}}/\d{{1,2}})(?![\d/])
    |(?P<a>\d{{1,2}})\s?[./-]\s?(?P<b>\d{{1,2}})\s?[./-]\s?(?P<y>\d{{4}}|\d{{2}})(?![\d/-])(?!\.\d)
    |(?P<d1>\d{{1,2}})(?:\.|st|nd|rd|th|er)?[\s./-]*(?P<m1>{_MONTH})\.?[\s,./'-]*(?P<y1>\d{{4}}|\d{{2}}(?!\d|:))
    |(?P<m2>{_MONTH})\.?\s*(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?\s*,?\s+(?P<y2>\d{{4}})
    )""",
    re.VERBOSE,
)


class _Folded(dict[int, str]):
    """What each character becomes: worked out when it is first met."""

    def __missing__(self, code: int) -> str:
        self[code] = _fold_char(chr(code))
        return self[code]


_FOLDED = _Folded()


def fold(text: str) -> str:
    """Lower case without accents, character by character, so that positions stay those of `text`."""
    return text.translate(_FOLDED)


def _fold_char(char: str) -> str:
    if char in SPACES or char in "\t\r\n":
        return " "
    if char in "’`´":
        return "'"
    base = unicodedata.normalize("NFD", char)[0].lower()
    return {"ß": "s"}.get(base, base[0])


def squeeze(text: str) -> str:
    """Only the letters and digits, folded: what two spellings of one name or number have in common."""
    return "".join(char for char in fold(text) if char.isalnum())


@dataclass(frozen=True, slots=True)
class Found:
    """A number or date found in a text: its normalised value and where it starts and ends."""

    value: str
    start: int
    end: int
    certain: bool = True

    @property
    def amount(self) -> Decimal:
        return Decimal(self.value)


def infer_decimal_mark(texts: Iterable[str]) -> DecimalMark | None:
    """The mark the document's own money uses, or None if it never shows one with two decimals."""
    votes: Counter[str] = Counter()
    for text in texts:
        votes.update(re.findall(r"\d([.,])\d{2}(?![\d.,]|\w)", text))
    if not votes:
        return None
    (mark, count), *rest = votes.most_common()
    return mark if not rest or count > 2 * rest[0][1] else None  # type: ignore[return-value]


def parse_amount(digits: str, mark: DecimalMark | None = None) -> Decimal | None:
    """`1.234,56`, `1,234.56`, `1 234,56` or `1163,40` as a Decimal; None if it is no number under `mark`."""
    text = re.sub(rf"[{SPACES}'’\s]", "", digits)
    last = max(text.rfind(","), text.rfind("."))
    if last < 0:
        return _decimal(text)
    decimals = len(text) - last - 1
    grouped = text.count(text[last]) > 1 or (decimals == 3 and mark != text[last] and not text.startswith("0"))
    if grouped:
        return _decimal(text.replace(",", "").replace(".", "")) if decimals == 3 else None
    return _decimal(re.sub(r"[.,]", "", text[:last]) + "." + text[last + 1 :])


def _decimal(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def plain(amount: Decimal) -> str:
    """A decimal string without trailing zeros and without an exponent: `22`, `23.54`, `-7.9`, `0`."""
    text = format(amount, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def find_amounts(text: str, mark: DecimalMark | None = None) -> list[Found]:
    """Every number in the text that can be an amount, left to right; percentages, dates and codes are left out."""
    dates = [(match.start(), match.end()) for match in DATE.finditer(fold(text))]
    found = []
    for match in AMOUNT.finditer(text):
        if any(start < match.end() and match.start() < end for start, end in dates):
            continue
        value = parse_amount(match["digits"], mark)
        if value is None:
            continue
        negative = bool((match["sign"] or "").strip(" (")) or bool(match["inner"]) or match["after"] == "-"
        negative = negative or (match["sign"] == "(" and match["after"] == ")" and "." in plain(value))
        found.append(Found(plain(-value if negative else value), match.start(), match.end()))
    return found


def infer_date_order(texts: Iterable[str]) -> DateOrder | None:
    """Day or month first, from the dates of the document that have a part above 12; None without such a date."""
    votes: Counter[DateOrder] = Counter()
    for text in texts:
        for match in DATE.finditer(fold(text)):
            if match["a"] and int(match["a"]) > 12 >= int(match["b"]):
                votes["dmy"] += 1
            elif match["b"] and int(match["b"]) > 12 >= int(match["a"]):
                votes["mdy"] += 1
            elif match["a"] and match[0][len(match["a"])] == ".":
                votes["dmy"] += 1  # dots between the parts are written day first everywhere
    if not votes or len(votes) > 1:
        return None
    return next(iter(votes))


def find_dates(text: str, order: DateOrder | None = None) -> list[Found]:
    """Every date in the text as ISO; `certain` is False where day and month could be exchanged."""
    found = []
    for match in DATE.finditer(fold(text)):
        value, certain = _date_of(match, order)
        if value:
            found.append(Found(value.isoformat(), match.start(), match.end(), certain))
    return found


def _date_of(match: re.Match, order: DateOrder | None) -> tuple[dt.date | None, bool]:
    if match["iso"]:
        return _date(*(int(part) for part in re.split(r"[-/]", match["iso"]))), True
    if match["m1"]:
        return _date(_year(match["y1"]), MONTHS[match["m1"]], int(match["d1"])), True
    if match["m2"]:
        return _date(int(match["y2"]), MONTHS[match["m2"]], int(match["d2"])), True
    first, second, year = int(match["a"]), int(match["b"]), _year(match["y"])
    certain = order is not None or first == second or max(first, second) > 12
    if (order == "mdy" and first <= 12) or second > 12:
        return _date(year, first, second), certain
    return _date(year, second, first), certain


def _year(text: str) -> int:
    return int(text) if len(text) == 4 else 2000 + int(text)


def _date(year: int, month: int, day: int) -> dt.date | None:
    try:
        return dt.date(year, month, day) if 1980 <= year <= 2100 else None
    except ValueError:
        return None


def iban_is_valid(text: str) -> bool:
    """The check digits of an IBAN (ISO 13616, mod 97)."""
    iban = re.sub(r"\s", "", text).upper()
    if not re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}", iban):
        return False
    return int("".join(str(int(char, 36)) for char in iban[4:] + iban[:4])) % 97 == 1
