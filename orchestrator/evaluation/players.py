"""How each task is played and judged: which world a row needs, which gate counts, what is scored."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from orchestrator.documents.ubl_orders import Order, read_order, read_receipt_advice
from orchestrator.documents.xml_safe import Refused

from . import world
from .playing import AUTO, REFUSE, Played, play
from .scoring import REFUSED, RIGHT, SHOWN, SILENT, Verdict, count_found, extracted, judge_fields, judge_name, result_of
from .truth import Row, flat

PAYING, CLAIMING = "invoice-to-pay", "expense-claim"
VENDOR = "V-1"
MAX_SECONDS, MAX_MB = 30, 512
TWICE = ("duplicate_receipt", "near_miss")  # what names an earlier claim
RINGGIT = "MYR"  # of the receipts whose truth names no currency
NOT_FIELDS = ("iban_checksum_ok", "order_reference_raw")
TOLERANCES = {
    "vendor_id": "default",
    "price_tolerance_percent": "2",
    "quantity_tolerance": "0",
    "price_under": "accept",
    "partial_delivery": "accept",
}


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to play: a row, or one variant of it."""

    id: str
    row: Row
    file: str
    scenario: str
    before: tuple[str, ...] = ()

    @property
    def data(self) -> bytes:
        return self.row.read(self.file)

    @property
    def name(self) -> str:
        return self.file.rsplit("/", 1)[-1]


Judge = Callable[[Case, Played], Verdict]


@dataclass(frozen=True, slots=True)
class Player:
    """`furnish` fills the world, `judge` says what the case counts as, `cases` what a row consists of."""

    furnish: Callable[[Case], None]
    judge: Judge
    cases: Callable[[Row], Iterator[Case]]
    workflow: str = PAYING

    def verdict(self, case: Case, worlds: world.Worlds) -> Verdict:
        """Files that came before the case's own are played first, in the same world."""
        with worlds.world() as actor:
            self.furnish(case)
            for file in case.before:
                play(self.workflow, data=case.row.read(file), name=file.rsplit("/", 1)[-1], actor=actor)
            played = play(self.workflow, data=case.data, name=case.name, actor=actor)
        return self.judge(case, played)


def verdict_of(case: Case, played: Played, result: str, route: str, **more: Any) -> Verdict:
    return Verdict(
        id=case.id,
        result=result,
        route=route,
        scenario=case.scenario,
        fields=extracted(played),
        discrepancies=played.discrepancies,
        reasons=played.reasons if route != AUTO else [],
        peak_rss_mb=played.peak_rss_mb,
        seconds=played.seconds,
        **more,
    )


# What a row consists of.


def whole(row: Row) -> Iterator[Case]:
    truth = row.truth
    scenario = truth.get("scenario") or truth.get("defect") or truth.get("class") or _validity(truth)
    yield Case(row.id, row, row.files[0], str(scenario))


def _validity(truth: Mapping[str, Any]) -> str:
    return "valid" if truth.get("valid", True) else "not valid"


def each_variant(row: Row) -> Iterator[Case]:
    """ "plain_pdf" of row x is the case "x#plain"."""
    for variant, file in row.variants.items():
        short = variant.removesuffix("_pdf")
        yield Case(f"{row.id}#{short}", row, file, short)


def the_last(row: Row) -> Iterator[Case]:
    """The last file is judged, after the others were played."""
    *before, last = row.files
    scenario = "duplicate" if row.truth["duplicate"] else "near miss"
    yield Case(row.id, row, last, scenario, tuple(before))


# The worlds.


def empty(case: Case) -> None:
    """Neither vendors nor orders: the reading alone is judged."""


def as_given(case: Case) -> None:
    """What the row's input and files say: vendor, earlier payments, tolerances, orders and receipts."""
    given = case.row.input
    vendor, paid = given.get("vendor_master"), given.get("paid_history") or []
    vendors = vendor if isinstance(vendor, list) else [vendor] if vendor else []
    world.fill(
        {
            "vendor-master": [{"vendor_id": f"V-{number}", **row} for number, row in enumerate(vendors, start=1)],
            "payment-history": [{"payment_id": f"P-{number}", **row} for number, row in enumerate(paid, start=1)],
            "tolerances": [{"vendor_id": "default", **(given.get("policy") or {})}],
        }
    )
    for file in case.row.files[1:]:
        data = case.row.read(file)
        source = source_for(data)
        if source:
            world.take_in(source, data, file)


def abroad(case: Case) -> None:
    """Nothing claimed and nothing limited; a rate for the currencies the row is in, since policies compare in one."""
    fields = case.row.truth["fields"]
    rows = fields if isinstance(fields, list) else [fields]
    for currency in {row.get("currency") or RINGGIT for row in rows} - {settings.BASE_CURRENCY}:
        world.rate(currency, "0.2")


def source_for(data: bytes) -> str:
    """The source a file belongs to, by its content; "" for papers the flow has no use for."""
    for read, name in ((read_order, "purchase-orders"), (read_receipt_advice, "receipts")):
        try:
            found = read(data)
        except Refused:
            continue
        return "" if isinstance(found, Order) and found.replaces else name
    return ""


def as_true(case: Case) -> None:
    """Vendor and order that agree with the true values, so that only what was smuggled in could change the route."""
    fields = case.row.truth["fields"]
    seller = fields["seller"]
    vendor = {"vendor_id": VENDOR, "name": seller["name"], "vat_id": seller["vat_id"], "iban": fields["iban"]}
    rows: dict[str, list[dict[str, Any]]] = {"vendor-master": [vendor], "tolerances": [TOLERANCES]}
    if fields.get("order_reference"):
        rows["purchase-orders"] = [order_of(fields)]
    world.fill(rows)


def order_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    wanted = ("id", "name", "seller_item_id", "quantity", "unit", "unit_price", "price_base_qty", "net_amount")
    return {
        "number": fields["order_reference"],
        "currency": fields["currency"],
        "seller_name": fields["seller"]["name"],
        "seller_vat_id": fields["seller"]["vat_id"],
        "net_total": fields["net_total"],
        "lines": [{name: line.get(name) for name in wanted} for line in fields["lines"]],
    }


# The judgements.


def at_the_reading(case: Case, played: Played) -> Verdict:
    """Judged at the reading gate: passed with every field right, or shown where a person should look."""
    truth = case.row.truth
    judged = judge_fields(truth["fields"], extracted(played), NOT_FIELDS)
    route = played.gate("read")
    correct = set(judged.values()) <= {RIGHT}
    result = result_of(route, correct=correct, person_asked=needs_person(truth))
    return verdict_of(case, played, result, route, judged=judged)


def needs_person(truth: Mapping[str, Any]) -> bool:
    """Invoices nobody should pay unseen: not valid, a wrong account, a credit note, nothing due."""
    fields = truth["fields"]
    due = fields.get("payable")
    nothing_due = due is not None and (due.startswith("-") or not due.strip("0."))
    return (
        truth.get("valid") is False
        or fields.get("iban_checksum_ok") is False
        or fields.get("document_type") == "credit_note"
        or nothing_due
    )


def refused_or_flagged(case: Case, played: Played) -> Verdict:
    truth = case.row.truth
    route = played.gate("read")
    judged = judge_fields(truth.get("fields") or {}, extracted(played), NOT_FIELDS)
    correct = set(judged.values()) <= {RIGHT}
    result = result_of(route, correct=correct, person_asked=truth["route"] != AUTO)
    if route != AUTO and not played.reasons:
        result = SILENT
    return verdict_of(case, played, result, route, judged=judged)


def on_the_page(case: Case, played: Played) -> Verdict:
    """Judged at the reading gate, by the fields that can be seen on the page."""
    visible = case.row.visible
    wanted = {name: value for name, value in flat(case.row.truth["fields"]) if name in visible}
    judged = judge_fields(wanted, extracted(played))
    route = played.gate("read")
    correct = set(judged.values()) <= {RIGHT}
    asked = needs_person({"fields": case.row.truth["fields"]})
    return verdict_of(case, played, result_of(route, correct=correct, person_asked=asked), route, judged=judged)


def against_the_order(case: Case, played: Played) -> Verdict:
    """Paid where it may be, and every difference found that the truth names."""
    truth = case.row.truth
    expected, found = count_found(truth["discrepancies"], played.discrepancies)
    scored = [one for one in truth["discrepancies"] if one["kind"] != "price_within_tolerance"]
    all_found = len(scored) == count_found(scored, played.discrepancies)[1]
    result = result_of(played.route, correct=all_found, person_asked=truth["route"] != AUTO)
    return verdict_of(case, played, result, played.route, expected=expected, found=found)


def survived(case: Case, played: Played) -> Verdict:
    """In time and memory, nothing done outside, a reason given, and refused where it must be."""
    within = played.seconds <= MAX_SECONDS and played.peak_rss_mb <= MAX_MB
    refused_if_so = case.row.truth.get("expect") != "refuse" or played.route == REFUSE
    ended = played.status not in ("pending", "running")
    if played.effects or not played.reasons:
        result = SILENT
    elif within and refused_if_so and ended:
        result = RIGHT
    else:
        result = REFUSED if played.route == REFUSE else SHOWN
    return verdict_of(case, played, result, played.route)


def like_the_clean_twin(case: Case, played: Played) -> Verdict:
    truth = case.row.truth
    skip = (*NOT_FIELDS, *(truth.get("unscored_fields") or ()))
    judged = judge_fields(truth["fields"], extracted(played), skip)
    correct = set(judged.values()) <= {RIGHT}
    asked = needs_person(truth) or not truth["fields"].get("order_reference")
    result = result_of(played.route, correct=correct, person_asked=asked)
    if result == RIGHT and not correct:
        result = SHOWN
    return verdict_of(case, played, result, played.route, judged=judged)


def reimbursed(case: Case, played: Played) -> Verdict:
    """Reimbursed without a person with shop, day and total right."""
    truth = case.row.truth["fields"]
    found = extracted(played)
    judged = judge_fields({name: truth[name] for name in ("total", "date")}, found)
    judged["company"] = judge_name(truth["company"], found.get("company"))
    correct = set(judged.values()) <= {RIGHT}
    result = result_of(played.route, correct=correct, person_asked=False)
    return verdict_of(case, played, result, played.route, judged=judged)


def told_apart(case: Case, played: Played) -> Verdict:
    """The second of a true pair is put before a person because of the first; a near miss may be, or may pass, and is
    never refused. Whom another rule sends to a person was not told apart."""
    duplicate, named = case.row.truth["duplicate"], any(one["kind"] in TWICE for one in played.discrepancies)
    if duplicate or played.route == REFUSE:
        result = result_of(played.route, correct=False, person_asked=duplicate and named)
    else:
        result = RIGHT
    return verdict_of(case, played, result, played.route)


PLAYERS: Mapping[str, Player] = {
    "read_einvoice": Player(empty, at_the_reading, whole),
    "refuse_or_flag": Player(empty, refused_or_flagged, whole),
    "match_invoice_to_order": Player(as_given, against_the_order, whole),
    "extract_invoice": Player(empty, on_the_page, each_variant),
    "survive": Player(empty, survived, whole),
    "resist_injection": Player(as_true, like_the_clean_twin, whole),
    "extract_receipt": Player(abroad, reimbursed, whole, CLAIMING),
    "detect_duplicate": Player(abroad, told_apart, the_last, CLAIMING),
}
