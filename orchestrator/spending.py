"""What a run may spend: money, tokens, calls. A workflow that names no budget has none. No Django."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from orchestrator.said import said as _

MOST: Mapping[str, Decimal] = {"cost": Decimal(10**6), "tokens": Decimal(10**9), "calls": Decimal(10**6)}
IN_WORDS = {"cost": "cost", "tokens": "tokens", "calls": "calls of tools and sources"}

Budget = Mapping[str, Any]


@dataclass(slots=True)
class Spent:
    """What agents used: money in the base currency, tokens of models, calls of tools and sources."""

    cost: Decimal = Decimal(0)
    tokens: int = 0
    calls: int = 0

    def __bool__(self) -> bool:
        return bool(self.cost or self.tokens or self.calls)

    def add(self, other: Spent) -> None:
        self.cost, self.tokens, self.calls = (
            self.cost + other.cost,
            self.tokens + other.tokens,
            self.calls + other.calls,
        )

    def as_json(self) -> dict[str, Any]:
        return {"cost": str(self.cost), "tokens": self.tokens, "calls": self.calls}

    @classmethod
    def from_json(cls, found: Mapping[str, Any] | None) -> Spent:
        found = found or {}
        return cls(Decimal(found.get("cost", "0")), found.get("tokens", 0), found.get("calls", 0))

    def over(self, budget: Budget) -> str:
        """What is spent beyond the budget, in words; empty while it holds."""
        beyond = [name for name, most in budget.items() if getattr(self, name) > limit(name, most)]
        return "; ".join(f"{getattr(self, name)} {IN_WORDS[name]}, {budget[name]} are allowed" for name in beyond)


def limit(name: str, written: Any) -> Decimal:
    """The limit as a number; ValueError says what is expected."""
    try:
        most = Decimal(str(written)) if not isinstance(written, bool) else Decimal("NaN")
    except InvalidOperation:
        most = Decimal("NaN")
    whole = name == "cost" or most == most.to_integral_value()
    if not most.is_finite() or not whole or not 0 < most <= MOST[name]:
        kind = _("an amount such as 2.50") if name == "cost" else _("a whole number")
        raise ValueError(
            _(
                "is %(written)r; expected %(kind)s, more than 0 and at most %(most)s",
                written=written,
                kind=kind,
                most=MOST[name],
            )
        )
    return most
