"""Rules over the totals of an invoice: EN 16931-1, BR-CO-10 to BR-CO-16."""

from collections.abc import Iterator
from decimal import Decimal

from orchestrator.documents.invoice_checks_outcome import Figures, Outcome, as_number, judge, within

ZERO = Decimal(0)


def examine_totals(figures: Figures) -> Iterator[Outcome]:
    yield from _sum_of_lines(figures)
    yield from _sums_of_adjustments(figures)
    yield from _net(figures)
    yield from _tax(figures)
    yield from _gross(figures)
    yield from _due(figures)


def _sum_of_lines(figures: Figures) -> Iterator[Outcome]:
    stated = figures.number("line_total")
    amounts = [as_number(line.get("net_amount")) for line in figures.lines]
    if stated is None or None in amounts or not (amounts or figures.structured):
        return
    added = sum((amount for amount in amounts if amount is not None), ZERO)
    message = f"The lines add up to {figures.money(added)}, but their total says {figures.money(stated)}."
    fields = ["line_total", *(f"lines.{index}.net_amount" for index in range(len(amounts)))]
    yield judge("BR-CO-10", within(added, stated), message, fields)


def _sums_of_adjustments(figures: Figures) -> Iterator[Outcome]:
    for rule, table, field in (("BR-CO-11", "allowance", "allowances"), ("BR-CO-12", "charge", "charges")):
        amounts = [as_number(row.get("amount")) or ZERO for row in figures.tables[table]]
        total = figures.number(field)
        if not amounts and (total is None or not figures.structured):
            continue
        message = (
            f"The {field} add up to {figures.money(sum(amounts, ZERO))},"
            f" but their total says {figures.money(total or ZERO)}."
        )
        yield judge(rule, within(sum(amounts, ZERO), total or ZERO), message, [field])


def _net(figures: Figures) -> Iterator[Outcome]:
    lines, net = figures.number("line_total"), figures.number("net_total")
    if lines is None or net is None:
        return
    less, more = figures.number("allowances") or ZERO, figures.number("charges") or ZERO
    changes = (f" less allowances {figures.money(less)}" if less else "") + (
        f" plus charges {figures.money(more)}" if more else ""
    )
    message = (
        f"The total without tax {figures.money(net)} is not the lines {figures.money(lines)}{changes}"
        f" ({figures.money(lines - less + more)})."
    )
    fields = ["net_total", "line_total", "allowances", "charges"]
    yield judge("BR-CO-13", within(lines - less + more, net), message, fields)


def _tax(figures: Figures) -> Iterator[Outcome]:
    amounts = [as_number(row.get("amount")) for row in figures.tables["vat"]]
    total = figures.number("tax_total")
    if not amounts or None in amounts or total is None:
        return
    added = sum((amount for amount in amounts if amount is not None), ZERO)
    message = f"The VAT amounts add up to {figures.money(added)}, but the total VAT is {figures.money(total)}."
    yield judge("BR-CO-14", within(added, total), message, ["tax_total"])


def _gross(figures: Figures) -> Iterator[Outcome]:
    net, gross = figures.number("net_total"), figures.number("gross_total")
    tax = figures.number("tax_total")
    if net is None or gross is None or (tax is None and not figures.structured):
        return
    right = net + (tax or ZERO)
    message = (
        f"The invoice total {figures.money(gross)} is not net {figures.money(net)}"
        f" plus tax {figures.money(tax or ZERO)} ({figures.money(right)})."
    )
    yield judge("BR-CO-15", within(right, gross), message, ["gross_total", "net_total", "tax_total"])


def _due(figures: Figures) -> Iterator[Outcome]:
    gross, due = figures.number("gross_total"), figures.number("payable")
    if gross is None or due is None:
        return
    paid, rounding = figures.number("prepaid") or ZERO, figures.number("rounding") or ZERO
    changes = (f" less prepaid {figures.money(paid)}" if paid else "") + (
        f" and rounding {figures.money(rounding)}" if rounding else ""
    )
    message = (
        f"The amount due {figures.money(due)} is not the invoice total {figures.money(gross)}{changes}"
        f" ({figures.money(gross - paid + rounding)})."
    )
    fields = ["payable", "gross_total", "prepaid"]
    yield judge("BR-CO-16", within(gross - paid + rounding, due), message, fields)
