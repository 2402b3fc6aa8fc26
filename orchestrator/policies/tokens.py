"""The text of a condition, made safe and easy to type, before CEL sees it. No Django.

A condition is a small part of CEL: facts, literals, `== != < <= > >= in`, `&& || !`, `+ - * / %`, `? :`, lists,
brackets and the functions in FUNCTIONS. CEL never mixes types; people do. So, clause by clause (a clause ends at `&&`,
`||`, `?`, `:` and at the commas of a call):

- in a clause with a money fact, numbers are amounts of the base currency (`50,000.00` becomes 5000000 minor units),
  except a factor right after `*` (or a whole one beside it): `ordered * 1.05` is `ordered * 105 / 100`, rounded towards
  zero to a whole minor unit. What a money clause cannot say without doubt is refused.
- in a clause with a float fact, whole numbers and int facts become floats (`score > 5` is `score > 5.0`).
- in a clause with a date fact, texts must be dates (`"2026-03-31"`).
- elsewhere `1,000` is 1000.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.policies import facts as fact_types
from orchestrator.policies.money import parse_typed
from orchestrator.said import said as _
from orchestrator.said import said_by
from orchestrator.shorthand import suggest

MAX_SOURCE = 2_000
MAX_TOKENS = 400
MAX_NESTING = 12
MACROS = frozenset(("exists", "all", "exists_one"))
FUNCTIONS = MACROS | {"size", "contains", "startsWith", "endsWith", "matches", "double"}
WORDS = frozenset(("true", "false", "in"))
OPENS, CLOSES = ("&&", "||", "(", "!", "?", ":"), ("&&", "||", ")", "?", ":")
FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
SAID_OTHERWISE = {
    "and": "&&",
    "or": "||",
    "not": "!",
    "=": "==",
    "&": "&&",
    "|": "||",
    "AND": "&&",
    "OR": "||",
    "<>": "!=",
}
TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<number>[0-9][0-9A-Za-z_]*(?:\.[0-9][0-9A-Za-z_.]*)?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<op>&&|\|\||==|!=|<=|>=|<>|[-<>+*/%!?:()\[\],.=&|])""",
    re.VERBOSE,
)
GROUPED = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?(?![0-9A-Za-z_,.])")
PLAIN_NUMBER = re.compile(r"(0|[1-9][0-9]*)(\.[0-9]+)?")


class ConditionError(ValueError):
    """A condition that cannot be saved; the message is for the person who wrote it. Line and column count from 1."""

    def __init__(self, message: str, source: str = "", position: int = -1):
        before = source[: max(position, 0)]
        self.line = before.count("\n") + 1 if position >= 0 else 0
        self.column = position - before.rfind("\n") if position >= 0 else 0
        at = {"line": self.line, "column": self.column, "message": message}
        placed = _("line %(line)s, column %(column)s: %(message)s", **at)
        placed = placed if self.line > 1 else _("column %(column)s: %(message)s", **at)
        super().__init__(placed if position >= 0 else message)


@dataclass(frozen=True, slots=True)
class Token:
    """`inside` is the innermost open bracket: `call`, `list`, `group` or nothing; `clause` counts clauses."""

    kind: str
    text: str
    start: int
    inside: str = ""
    clause: int = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """`fact op value` inside a condition; an amount is in minor units."""

    fact: str
    op: str
    value: int | float


@dataclass(frozen=True, slots=True)
class Prepared:
    """`text` is what CEL compiles; `offsets` gives (place in text, place in source) of each token."""

    text: str
    names: tuple[str, ...]
    comparisons: tuple[Comparison, ...]
    offsets: tuple[tuple[int, int], ...]


def prepare(source: str, vocabulary: Mapping[str, str], currency_digits: int = 2) -> Prepared:
    """The condition as CEL is to compile it; ConditionError where it leaves the grammar or names no fact."""
    tokens = tokenise(source)
    names = _names(tokens, vocabulary, source)
    _refuse_money_traps(tokens, vocabulary, source)
    texts = _rewritten(tokens, vocabulary, currency_digits, source)
    offsets, place = [], 0
    for token, text in zip(tokens, texts, strict=True):
        offsets.append((place, token.start))
        place += len(text) + 1
    comparisons = tuple(_comparisons(tokens, texts, vocabulary))
    return Prepared(" ".join(texts), names, comparisons, tuple(offsets))


def tokenise(source: str) -> list[Token]:
    """Tokens with their bracket and clause; bounded in length, number and depth."""
    if not source.strip():
        raise ConditionError(_("the condition is empty"))
    if len(source) > MAX_SOURCE:
        raise ConditionError(
            _(
                "the condition has %(n)s characters; at most %(max_source)s are allowed",
                n=len(source),
                max_source=MAX_SOURCE,
            )
        )
    tokens: list[Token] = []
    brackets: list[str] = []
    place = clause = 0
    while place < len(source):
        inside = brackets[-1] if brackets else ""
        token = _next(source, place, inside, clause)
        place += len(token.text)
        if token.kind == "space":
            continue
        clause += _ends_clause(token)
        _track(brackets, token, tokens, source)
        tokens.append(token)
    if brackets:
        raise ConditionError(_("a bracket is not closed"), source, len(source))
    if len(tokens) > MAX_TOKENS:
        raise ConditionError(
            _(
                "the condition has %(n)s words and signs; at most %(max_tokens)s are allowed",
                n=len(tokens),
                max_tokens=MAX_TOKENS,
            )
        )
    return tokens


def _next(source: str, place: int, inside: str, clause: int) -> Token:
    grouped = GROUPED.match(source, place)
    if grouped and inside in ("", "group"):
        return Token("number", grouped[0], place, inside, clause)
    if grouped:
        plain = grouped[0].replace(",", "")
        message = _(
            "%(value)r in a list could be one number or two; write %(plain)s, or a space after the comma",
            value=grouped[0],
            plain=plain,
        )
        raise ConditionError(message, source, place)
    match = TOKEN.match(source, place)
    if match is None:
        raise ConditionError(_("%(value)r does not belong in a condition", value=source[place]), source, place)
    if match[0] in SAID_OTHERWISE:
        raise ConditionError(
            _("write %(value)s instead of %(value2)s", value=SAID_OTHERWISE[match[0]], value2=match[0]), source, place
        )
    if match[0] == "," and inside in ("", "group"):
        raise ConditionError(_("a comma separates thousands, a dot the decimals: write 50,000.00"), source, place)
    return Token(str(match.lastgroup), match[0], place, inside, clause)


def _ends_clause(token: Token) -> bool:
    return token.text in ("&&", "||", "?", ":") or (token.text == "," and token.inside == "call")


def _track(brackets: list[str], token: Token, before: Sequence[Token], source: str) -> None:
    if token.text == "(":
        brackets.append("call" if before and before[-1].kind == "name" and before[-1].text not in WORDS else "group")
    elif token.text == "[":
        brackets.append("list")
    elif token.text in (")", "]") and (not brackets or (brackets.pop() == "list") != (token.text == "]")):
        raise ConditionError(_("%(text)r closes no bracket", text=token.text), source, token.start)
    if len(brackets) > MAX_NESTING:
        raise ConditionError(
            _("brackets are nested deeper than %(max_nesting)s", max_nesting=MAX_NESTING), source, token.start
        )


def _around(tokens: Sequence[Token], index: int) -> tuple[str, str]:
    before = tokens[index - 1].text if index else ""
    return before, tokens[index + 1].text if index + 1 < len(tokens) else ""


def _names(tokens: Sequence[Token], vocabulary: Mapping[str, str], source: str) -> tuple[str, ...]:
    found: dict[str, None] = {}
    bound: set[str] = set()
    for index, token in enumerate(tokens):
        if token.kind != "name" or token.text in WORDS:
            continue
        before, after = _around(tokens, index)
        if after == "(":
            if token.text not in FUNCTIONS:
                known = _(
                    "%(text)s; known are %(names)s",
                    text=suggest(token.text, FUNCTIONS),
                    names=", ".join(sorted(FUNCTIONS)),
                )
                raise ConditionError(
                    _("there is no function %(text)r%(known)s", text=token.text, known=known), source, token.start
                )
        elif index > 1 and before == "(" and tokens[index - 2].text in MACROS and after == ",":
            if token.text in vocabulary:
                raise ConditionError(
                    _("%(text)r is a fact; name the item differently", text=token.text), source, token.start
                )
            bound.add(token.text)
        elif before == ".":
            raise ConditionError(
                _("facts have no parts; '.%(text)s' is not possible", text=token.text), source, token.start
            )
        elif token.text in vocabulary:
            found[token.text] = None
        elif token.text not in bound:
            raise ConditionError(
                _("there is no fact %(text)r%(text2)s", text=token.text, text2=suggest(token.text, vocabulary)),
                source,
                token.start,
            )
    return tuple(found)


def _refuse_money_traps(tokens: Sequence[Token], vocabulary: Mapping[str, str], source: str) -> None:
    """Refuse what would compile and mean something else than it says, since an amount is an integer to CEL."""
    amounts = {token.clause for token in tokens if vocabulary.get(token.text) == "money" and token.kind == "name"}
    for index, token in enumerate(tokens):
        before = tokens[index - 1].text if index else ""
        trap = ""
        if amounts and token.text == "?":
            trap = _("a condition with an amount cannot use '? :'; write two rules")
        elif token.clause in amounts and token.kind == "name" and token.text not in WORDS:
            kind = vocabulary.get(token.text)
            if kind != "money" or token.inside in ("call", "list"):
                trap = _("%(text)r cannot stand here: an amount can only be compared with amounts", text=token.text)
            elif before == "/" or (before == "*" and tokens[index - 2].kind != "number"):
                trap = _("amounts cannot be multiplied or divided by amounts; compare with 'other_amount * 2'")
        elif token.clause in amounts and token.text == "%":
            trap = _("%(sign)r does not work with amounts", sign="%")
        elif token.clause in amounts and token.text in ("*", "/") and not _has_factor(tokens, index):
            trap = _(
                "%(text)r needs an amount on its left and a number on its right: 'ordered * 1.05'", text=token.text
            )
        if trap:
            raise ConditionError(trap, source, token.start)


def _has_factor(tokens: Sequence[Token], index: int) -> bool:
    """`amount * number`, `) * number`, `amount / whole number` or `whole number * amount`."""
    left = tokens[index - 1] if index else None
    right = tokens[index + 1] if index + 1 < len(tokens) else None
    if left is None or right is None:
        return False
    amount_left = left.text == ")" or left.kind == "name"
    if right.kind == "number":
        return amount_left and (tokens[index].text == "*" or "." not in right.text)
    alone = index < 2 or tokens[index - 2].text not in ("*", "/")
    return (
        tokens[index].text == "*" and left.kind == "number" and "." not in left.text and right.kind == "name" and alone
    )


def _rewritten(tokens: Sequence[Token], vocabulary: Mapping[str, str], digits: int, source: str) -> list[str]:
    kinds: dict[int, set[str]] = {}
    for token in tokens:
        if token.kind == "name" and token.text in vocabulary:
            kinds.setdefault(token.clause, set()).add(vocabulary[token.text])
    texts = []
    for index, token in enumerate(tokens):
        clause = kinds.get(token.clause, set())
        try:
            if token.kind == "number":
                factor = bool({"*", "/"} & set(_around(tokens, index)))
                texts.append(_number(token.text, clause, factor, digits))
            elif token.kind == "string" and "date" in clause:
                texts.append(f'"{fact_types.coerce(token.text[1:-1], "date")}"')
            elif "float" in clause and vocabulary.get(token.text) == "int" and token.kind == "name":
                texts.append(f"double({token.text})")
            else:
                texts.append(token.text)
        except ValueError as error:
            raise ConditionError(said_by(error), source, token.start) from None
    return texts


def _number(text: str, clause: set[str], factor: bool, digits: int) -> str:
    if "money" in clause and not factor:
        return str(parse_typed(text, digits))
    match = PLAIN_NUMBER.fullmatch(text.replace(",", "") if GROUPED.fullmatch(text) else text)
    if match is None or len(match[0]) > 18:
        raise ValueError(_("%(text)r is no number; write it like 1000 or 0.85", text=text))
    whole, fraction = match[1], match[2] or ""
    if "money" in clause:
        return f"{int(whole + fraction[1:])} / {10 ** (len(fraction) - 1)}" if fraction else whole
    return match[0] if fraction or "float" not in clause else f"{whole}.0"


def _comparisons(tokens: Sequence[Token], texts: Sequence[str], vocabulary: Mapping[str, str]) -> Iterator[Comparison]:
    """Every `fact op number` and `number op fact` that stands alone in its clause, the number possibly negative."""
    for index, token in enumerate(tokens):
        if token.text not in FLIPPED or index == 0:
            continue
        left, right = _operand(tokens, texts, index - 1, -1), _operand(tokens, texts, index + 1, 1)
        if isinstance(left, str) and isinstance(right, (int, float)) and left in vocabulary:
            yield Comparison(left, token.text, right)
        elif isinstance(right, str) and isinstance(left, (int, float)) and right in vocabulary:
            yield Comparison(right, FLIPPED[token.text], left)


def _operand(tokens: Sequence[Token], texts: Sequence[str], index: int, step: int) -> str | int | float | None:
    """The single fact (its name) or number that is the whole operand on one side of a comparison, else None."""
    last = len(tokens) - 1
    if step > 0 and index < last and tokens[index].text == "-":
        sign, index, beyond = -1, index + 1, index + 2
    elif step < 0 and index and tokens[index - 1].text == "-" and (index == 1 or tokens[index - 2].text in OPENS):
        sign, beyond = -1, index - 2
    else:
        sign, beyond = 1, index + step
    if index > last or (0 <= beyond <= last and tokens[beyond].text not in (CLOSES if step > 0 else OPENS)):
        return None
    token = tokens[index]
    if token.kind == "number":
        return sign * (float(texts[index]) if "." in texts[index] else int(texts[index]))
    return token.text if token.kind == "name" and sign > 0 else None
