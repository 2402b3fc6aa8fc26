"""The shop at the head of a receipt: its name and its address."""

import re
from collections.abc import Iterator

from .amounts import find_dates, fold, squeeze
from .invoice_pdf_totals import noisy_or
from .layout import Row, legible
from .reading import Passage, ReadValue

HEAD_ROWS = 14
TOLD = 0.1  # of doubt: another line that takes less is no other reading
WEIGHTS = {
    "form": 0.92,  # a legal form names the company, whatever brand stands above it
    "trade": 0.6,
    "top": 0.55,
    "registered": 0.7,  # beside or over its registration number
    "online": 0.4,  # the name of its site or mail address
    "over-address": 0.4,
    "tallest": 0.3,
    "repeated": 0.3,
}

_FORM = re.compile(
    r"\bsdn\.? ?\.?bhd\b|\bs/b\b|\bbhd\b|\bgmbh\b|\bag\b|\bkg\b|\bltd\b|\blimited\b|\bplc\b|\bllc\b|\binc\b|\bpte\b"
    r"|\bb\.?v\.?$|\bsarl\b|\bsas\b"
)
_TRADE = re.compile(
    r"\b(?:enterprise|trading|restaurant|restoran|cafe|coffee|bakery|kitchen|hardware|store|mart|market|supermarket"
    r"|pharmacy|bookstores?"
    r"|stationery|marketing|petrol|station|hotel|bistro|books|shop|company|co|perniagaan|syarikat|holdings|services"
    r"|industries|electrical|suppl(?:y|ies)|noodles?|foods?|fuels?|retail|pasar|kedai|kopitiam|farmasi|klinik|clinic"
    r"|motors?|auto|tyres?|salon|boutique|fashion|florist|seafood|pizza|grill|backerei|metzgerei|apotheke|gasthaus"
    r"|gasthof|kantine|tankstelle|buchhandlung|boulangerie|pharmacie|librairie|bakkerij|slagerij|apotheek)\b"
)
_ADDRESS = re.compile(
    r"^(?:lot|no|unit|level|blok|block|g-?\d|jalan|jln|lorong|lrg|taman|tmn|bandar|kampung|batu|persiaran|ground"
    r"|\d+[a-z]?,? ?(?:&|-|,))\b\.?"
    r"|\b(?:jalan|jln|lorong|persiaran|seksyen|section|street|road|avenue|strasse|straat|rue|weg|platz)\b"
    r"|\b\d{5}\b[,. ]*[a-z]|^\d+[,\-/]"
)
_STOP = re.compile(
    r"\b(?:tel|fax|phone|gst|tax invoice|invoice|receipt|cashier|date|table|bill|ssm|e-?mail|www|http|member"
    r"|welcome|tin|cash bill"
    r"|doc(?:ument)? no|salesperson|order|customer|company reg|reg(?:istration)? no|co\.? ?reg"
    r"|co(?:mpany)?\.?\W*n[o0i]|co-re\w|roc|thank|cash sales?|duplicate|copy|site \d+)\b"
)
_NUMBER_AT_END = re.compile(
    r"\s*[(（]?\s*(?:(?:company|co\.?|reg\.?)\s*(?:no\.?"
    r"|reg\.?)\s*[:.]*)?\s*[a-z]{0,3}\d{4,9}\s?-?\s?[a-z]{0,2}\s*[)）]?\W*$",
    re.IGNORECASE,
)
_NUMBER_AT_START = re.compile(r"^\W*#?\d{2,}\W+|^own(?:ed)? by\s*:\s*", re.IGNORECASE)
_ONLY_TRADE = re.compile(
    r"(?:[a-z&]+ )?(?:trading|enterprise|bakery|coffee co|hardware|restaurant|cafe|stationery|holdings|services)\.?"
)
_REGISTERED_AS = r"[a-z]{0,3}\d{4,12}\s?-?\s?[a-z]{1,2}"  # digits with a check letter
_REGISTRATION = re.compile(
    rf"^[(<]?\s*{_REGISTERED_AS}\s*[)>]?\W*$|[(<]\s?{_REGISTERED_AS}\s?[)>]"
    rf"|\b(?:co(?:mpany)?|roc|ssm|reg(?:istration)?)\b[\w. ]{{0,8}}\W{{0,3}}\s?{_REGISTERED_AS}\b"
    r"|\b(?:hrb|hra|siret|siren|kvk|handelsregister)\b"
)
_PRICE = re.compile(r"\d[.,]\d{2}\b")
_ONLINE = re.compile(r"(?:@|www\.|https?://)?([a-z0-9\-]{4,})(?:@[a-z0-9\-]+)?\s?\.(?:com|net|de|eu|fr|nl|org|co|my)\b")
_OTHERS = re.compile(r"\b(?:bill|sold|ship|deliver(?:ed|y)?) to\b|\bcustomer\b|\bkunde\b|\bclient\b")


def read_shop(rows: list[Row]) -> dict[str, ReadValue]:
    """`company` and `address`, each left out where nothing looks like it."""
    head = rows[:HEAD_ROWS]
    result = {}
    name, end = _name(rows, head)
    if name:
        result["company"] = name
    address = _address(head, end)
    if address:
        result["address"] = address
    return result


def _name(rows: list[Row], head: list[Row]) -> tuple[ReadValue | None, int]:
    candidates = list(_candidates(head))
    candidates += _registered_later(rows, {index for index, _, _ in candidates})
    if not candidates:
        return None, 0
    tallest = max(row.height for _, row, _ in candidates)
    texts = [squeeze(row.text) for row in rows]
    online = {squeeze(match[1]) for row in rows for match in _ONLINE.finditer(fold(row.text))}
    weighed = []
    for order, (index, row, text) in enumerate(candidates):
        sources = set(_signs(rows, index, row, text))
        sources |= {"top"} if order == 0 and index < HEAD_ROWS else set()
        sources |= {"tallest"} if row.height >= 0.95 * tallest else set()
        key = squeeze(text)
        sources |= {"online"} if any(key.startswith(name) or name.startswith(key) for name in online) else set()
        sources |= {"repeated"} if len(key) > 5 and sum(key in other for other in texts) > 1 else set()
        weighed.append((noisy_or(WEIGHTS[source] for source in sources), -order, index, row, text, sources))
    support, _, index, row, text, sources = max(weighed, key=lambda w: (w[0], w[1]))
    score = min(cell.score for cell in row.cells)
    passages = [cell.passage() for cell in row.cells]
    text, passages, last = _joined(rows, index, text, passages)
    rivals = [w for w in weighed if w[2] != index and squeeze(w[4]) not in squeeze(text)]
    doubts = {w[2]: _doubt(sources, w[0], w[5], above=w[2] < index) for w in rivals}
    doubt = max(doubts.values(), default=0.0)
    readings = dict.fromkeys(sources, text)
    readings |= {f"line {w[2] + 1}": w[4] for w in rivals if doubts[w[2]] >= TOLD}
    confidence = round(support * (1 - doubt) * legible(score), 3)
    return ReadValue(value=text, confidence=confidence, passages=passages, readings=readings), last


def _doubt(best: set[str], support: float, rival: set[str], *, above: bool) -> float:
    """How much another line takes from the best one: a brand over a legal form little, a line of the same kind more."""
    if "form" in best and "form" not in rival:
        return 0.15 if above and "trade" in rival else 0.02
    if "registered" in best and "registered" not in rival:
        return 0.15 if above and "trade" in rival else 0.05
    return (0.3 if rival & {"form", "registered"} else 0.2) * support


def _registered_later(rows: list[Row], known: set[int]) -> Iterator[tuple[int, Row, str]]:
    """Below the head, at its address or at the foot ("owned by"): a company named beside or over its registration
    number. What stands below a customer's heading is the customer."""
    for index, row in enumerate(rows):
        folded = fold(row.text).strip()
        if _OTHERS.search(folded):
            return
        if index in known or not (_FORM.search(folded) or _TRADE.search(folded)) or _STOP.search(folded):
            continue
        if "registered" in _signs(rows, index, row, folded):
            yield index, row, clean_name(row.text)


def _candidates(head: list[Row]) -> Iterator[tuple[int, Row, str]]:
    """Lines of the head that can be a name, up to the first that is plainly something else."""
    for index, row in enumerate(head):
        text = clean_name(row.text)
        folded = fold(text).strip()
        letters = sum(char.isalpha() for char in folded)
        if _STOP.search(folded) and not _FORM.search(folded):
            if letters > 5 and index > 2:
                return
            continue
        if letters < 4 or _PRICE.search(folded) or find_dates(folded) or letters < 0.5 * len(folded.replace(" ", "")):
            continue
        if _ADDRESS.search(folded) and not _FORM.search(folded):
            return
        if _REGISTRATION.search(folded) and squeeze(text).casefold() in ("company", "co", "reg", ""):
            continue
        yield index, row, text


def clean_name(text: str) -> str:
    """The line without the registration number most shops print behind their name, and without stray marks."""
    text = text.replace("（", "(").replace("）", ")")
    text = re.split(rf"\s*[(<]\s?{_REGISTERED_AS}\s?[)>]", text, flags=re.IGNORECASE)[0] or text
    text = _NUMBER_AT_START.sub("", _NUMBER_AT_END.sub("", text))
    text = re.sub(r"(?<=[a-z]{4})\s\(?company\W*$", "", text, flags=re.IGNORECASE)
    return " ".join(text.split()).strip(" .,:*-=#'\"")


def _signs(rows: list[Row], index: int, row: Row, text: str) -> Iterator[str]:
    folded = fold(text)
    if _FORM.search(folded):
        yield "form"
    elif _TRADE.search(folded):
        yield "trade"
    below = [fold(r.text).strip() for r in rows[index + 1 : index + 4]]
    if below and (_FORM.match(below[0]) or _ONLY_TRADE.fullmatch(below[0])):
        del below[0]  # the name runs on
    registered = [bool(_REGISTRATION.search(other)) for other in below]
    if _REGISTRATION.search(fold(row.text)) or registered[:1] == [True]:
        yield "registered"
    if any(_ADDRESS.search(other) for other in below[: 2 if registered[:1] == [True] else 1]):
        yield "over-address"


def _joined(head: list[Row], index: int, text: str, passages: list[Passage]) -> tuple[str, list[Passage], int]:
    """A legal form alone on its line belongs to the line above; a name that runs on, to the line below."""
    folded = fold(text)
    form = _FORM.search(folded)
    starts_with_form = form and form.start() < 3
    if index and (starts_with_form or _ONLY_TRADE.match(folded)) and _may_continue(head[index - 1], head[index]):
        above = head[index - 1]
        return f"{clean_name(above.text)} {text}", [*(cell.passage() for cell in above.cells), *passages], index
    if not form and index + 1 < len(head):
        lower = head[index + 1]
        below = fold(clean_name(lower.text))
        runs_on = text.endswith("&") and re.search(r"[a-z]{3}", below)
        if runs_on or _FORM.match(below) or _ONLY_TRADE.fullmatch(below):
            places = [*passages, *(cell.passage() for cell in lower.cells)]
            return f"{text} {clean_name(lower.text)}", places, index + 1
    return text, passages, index


def _may_continue(above: Row, row: Row) -> bool:
    """Whether the line above is set like this one and close to it, so that both are one name."""
    folded = fold(above.text)
    close = row.y0 - above.y1 < 0.8 * row.height and 0.7 < above.height / max(row.height, 1e-6) < 1.4
    return close and not _STOP.search(folded) and not re.search(r"\d", folded) and sum(c.isalpha() for c in folded) > 3


def _address(head: list[Row], start: int) -> ReadValue | None:
    lines: list[Row] = []
    for row in head[start + 1 :]:
        folded = fold(row.text).strip()
        if _STOP.search(folded) or find_dates(folded):
            if lines:
                break
            continue
        if _ADDRESS.search(folded) or (lines and re.search(r"[a-z]{3}", folded)):
            lines.append(row)
        elif lines:
            break
    if not lines:
        return None
    text = " ".join(" ".join(row.text.split()) for row in lines[:6])
    score = min(cell.score for row in lines for cell in row.cells)
    passages = [cell.passage() for row in lines[:6] for cell in row.cells]
    return ReadValue(value=text, confidence=round(0.7 * legible(score), 3), passages=passages[:6])
