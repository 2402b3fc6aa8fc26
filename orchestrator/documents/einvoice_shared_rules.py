"""Rules of EN 16931-1 that say the same in every syntax: each gives them the paths by its own names."""

from orchestrator.documents.einvoice_places import Rule

_TWO_DECIMALS = "string-length(substring-after(normalize-space(.), '.')) <= 2"


def decimals(id: str, context: str, what: str) -> Rule:
    return Rule(id, context, f"The {what} has more than two decimals.", _TWO_DECIMALS)


def party_rules(
    path: str, party: str, ids: tuple[str, str, str], *, address: str, country: str, endpoint: str
) -> tuple[Rule, ...]:
    """Postal address, its country, the scheme of the electronic address. `country` is relative to `address`."""
    address_rule, country_rule, scheme_rule = ids
    return (
        Rule(address_rule, "/*", f"The {party}'s postal address is missing.", f"{path}/{address}", f"{party}.address"),
        Rule(
            country_rule,
            f"/*/{path}/{address}",
            f"The {party}'s country is missing.",
            f"normalize-space({country})",
            f"{party}.country",
        ),
        Rule(scheme_rule, f"/*/{path}/{endpoint}", f"The {party}'s electronic address has no scheme.", "@schemeID"),
    )


def adjustment_rules(
    path: str, what: str, ids: tuple[str, str, str], field: str, *, amount: str, category: str, reason: str
) -> tuple[Rule, ...]:
    """An allowance or a charge has an amount, a VAT category and a reason."""
    amount_rule, category_rule, reason_rule = ids
    return (
        Rule(amount_rule, path, f"{what} has no amount.", amount, field),
        Rule(category_rule, path, f"{what} has no VAT category.", category, field),
        Rule(reason_rule, path, f"{what} has no reason.", reason, field),
    )
