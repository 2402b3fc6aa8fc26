"""Loads the demo through the same services that people, agents and commands use."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.utils import timezone

from orchestrator import engine, services
from orchestrator.agents import registry
from orchestrator.demo import PASSWORD, PEOPLE
from orchestrator.documents.store import store_document
from orchestrator.grants import give
from orchestrator.importing import save_rows
from orchestrator.models import DataSource, ExchangeRate, Run, SourceRow, Task, Workflow
from orchestrator.sources import READ, account_of
from reviews.models import Queue, ReviewPolicy

from .cases import VENDORS, Book, DemoCase, cases
from .claims import DemoClaim, claims
from .past import answer_past, past
from .planted import answer_planted, plant, planted

SHIPPED = Path(settings.BASE_DIR) / "orchestrator" / "workflows"
SOURCES = {
    "vendor-master": ("Vendor master", "vendor_id"),
    "purchase-orders": ("Purchase orders", "number"),
    "receipts": ("Goods receipts", "number"),
    "payment-history": ("Payment history", "payment_id"),
    "open-invoices": ("Invoices handed in", "invoice"),
    "tolerances": ("Match tolerances", "vendor_id"),
    "expense-claims": ("Expense claims", "claim"),
    "expense-rules": ("Expense rules", "category"),
}
REGISTERS = ("expense-claims", "open-invoices")
EXPENSE_RULES = (
    {"category": "default", "limit": "150.00", "currency": "EUR", "max_age_days": 90},
    {"category": "meals", "limit": "60.00", "currency": "EUR", "max_age_days": 90},
    {"category": "lodging", "limit": "180.00", "currency": "EUR", "max_age_days": 90},
)
STAFF_MODELS = (
    "policy",
    "policyrule",
    "workflow",
    "datasource",
    "exchangerate",
    "agentaccount",
    "apitoken",
    "connector",
    "hook",
    "webhookendpoint",
)
READ_ONLY = (
    "run",
    "task",
    "decision",
    "effect",
    "incident",
    "document",
    "ledgerentry",
    "policyversion",
    "workflowversion",
)
QUEUES = {
    "ap-exceptions": ("Invoice exceptions", "standard", ("clerks", "managers", "cfo")),
    "payments-escalation": ("Payments, escalated", "escalated", ("managers", "cfo")),
    "expenses": ("Expense claims", "standard", ("clerks", "managers", "cfo")),
    "reversals": ("Reversals", "escalated", ("managers", "cfo")),
}
BY_MAIL = 3  # every third invoice comes by mail, the others are handed in by a person
FROM_A_CASE = ("reversal",)  # nobody starts these by hand


def load() -> dict[str, int]:
    """Everything the demo needs; a second call adds nothing. Returns counts. Receipts are handed in last and left to
    the workers: recognising them takes seconds each, and nobody should wait for that."""
    ada = people()
    queues(ada)
    sources(ada)
    amir = get_user_model().objects.get(username="amir")
    for path in sorted((SHIPPED / "policies").glob("*.yaml")):
        services.save_policy(source=path.read_text(), actor=ada, second=amir)
    for path in sorted(SHIPPED.glob("*.yaml")):
        services.save_workflow(source=path.read_text(), actor=ada, second=amir)
    grants(ada)
    pages = Book(timezone.now().date())
    book, earlier = cases(pages), past(pages)
    world([*book, *earlier])
    mail = mailbox()
    ravi = get_user_model().objects.get(username="ravi")
    started = sum(start(case, f"demo/{n}", mail if n % BY_MAIL == 0 else ravi) for n, case in enumerate(book))
    started += sum(start(case, f"demo/past-{number}", ravi) for number, case in enumerate(earlier))
    known = planted(book)
    started += sum(plant(case, number, mail, ada) for number, case in enumerate(known))
    work_until_idle()
    answer_past()
    answer_planted(known, mail)
    receipts = claims(timezone.now().date())
    started += sum(hand_in(claim, number) for number, claim in enumerate(receipts))
    return {
        "cases": len(book) + len(earlier) + len(known) + len(receipts),
        "started": started,
        "waiting": Run.objects.filter(status=Run.Status.WAITING).count(),
    }


@transaction.atomic
def people() -> Any:
    """Eight people in their groups; admins may configure and decide nothing. Returns the first admin."""
    users = get_user_model().objects
    for one in PEOPLE:
        first, _, last = one.name.partition(" ")
        user, made = users.get_or_create(
            username=one.username, defaults={"first_name": first, "last_name": last, "is_staff": one.staff}
        )
        if made:
            user.set_password(PASSWORD)
            user.email = f"{one.username}@halden.example"
            user.save()
        user.groups.set([Group.objects.get_or_create(name=name)[0] for name in one.groups])
    allow_admins()
    return users.get(username="ada")


def allow_admins() -> None:
    """Admins edit configuration and look at the rest; nothing here lets them decide a case."""
    admins, managers, cfo = (Group.objects.get_or_create(name=name)[0] for name in ("admins", "managers", "cfo"))
    admins.permissions.set(
        [
            *Permission.objects.filter(content_type__app_label="orchestrator", content_type__model__in=STAFF_MODELS),
            *Permission.objects.filter(
                content_type__app_label="orchestrator", content_type__model__in=READ_ONLY, codename__startswith="view_"
            ),
            *Permission.objects.filter(
                content_type__app_label="reviews", content_type__model__in=("queue", "reviewpolicy", "reviewlevel")
            ),
            *Permission.objects.filter(codename__in=("add_controlcase", "view_controlcase")),
            *Permission.objects.filter(content_type__app_label__in=("auth", "guardian")),
        ]
    )
    managers.permissions.set(Permission.objects.filter(codename__in=("pull_hold", "resolve_incident")))
    cfo.permissions.set(Permission.objects.filter(codename="pull_hold"))  # a hold is released by a second person


@transaction.atomic
def queues(ada: Any) -> None:
    ReviewPolicy.objects.get_or_create(name="standard", defaults={"sla_minutes": 2 * 24 * 60})
    ReviewPolicy.objects.get_or_create(name="escalated", defaults={"sla_minutes": 240, "undo_seconds": 30})
    for name, (title, policy, groups) in QUEUES.items():
        values = {"title": title, "policy": ReviewPolicy.objects.get(name=policy)}
        queue, _ = Queue.objects.get_or_create(name=name, defaults=values)
        for group in Group.objects.filter(name__in=groups):
            for codename in ("view_queue", "decide", "reroute"):
                give(codename, group, queue, actor=ada)
        for codename, leader in (("insights", "managers"), ("lead", "managers"), ("insights", "cfo")):
            give(codename, Group.objects.get(name=leader), queue, actor=ada)
    Queue.objects.filter(name__in=("ap-exceptions", "expenses")).update(
        escalates_to=Queue.objects.get(name="payments-escalation")
    )


def sources(ada: Any) -> None:
    for name, (title, key) in SOURCES.items():
        kind = DataSource.Kind.REGISTER if name in REGISTERS else DataSource.Kind.TABLE
        DataSource.objects.get_or_create(name=name, defaults={"title": title, "key_field": key, "kind": kind})
    ExchangeRate.objects.get_or_create(
        currency="USD", valid_from=timezone.now().date() - timedelta(days=30), defaults={"rate": "0.92"}
    )


def grants(ada: Any) -> None:
    """Each agent's account may read what its steps declare; requesters start, staff see runs."""
    for agent in registry.all_agents().values():
        account = account_of(agent.name).user
        for source in DataSource.objects.filter(name__in=agent.sources):
            give(READ, account, source, actor=ada)
    for workflow in Workflow.objects.all():
        for codename, names in (
            ("start_run", () if workflow.name in FROM_A_CASE else ("requesters", "clerks", "managers")),
            ("view_runs", ("clerks", "managers", "cfo", "auditors", "admins")),
        ):
            for group in Group.objects.filter(name__in=names):
                give(codename, group, workflow, actor=ada)


@transaction.atomic
def world(book: list[DemoCase]) -> None:
    """What the agents may look up: vendors, orders, receipts, earlier payments, tolerances."""
    fill("vendor-master", [vendor.row() for vendor in VENDORS])
    fill("purchase-orders", [order_row(case) for case in book if case.order])
    fill("receipts", [receipt_row(case) for case in book if case.order])
    paid = [row for case in book for row in case.paid]
    fill("payment-history", [{"payment_id": f"P-{70100 + n}", **row} for n, row in enumerate(paid)])
    tolerances = {
        "vendor_id": "default",
        "price_tolerance_percent": "2",
        "quantity_tolerance": "0",
        "price_under": "accept",
        "partial_delivery": "accept",
    }
    fill("tolerances", [tolerances])
    fill("expense-rules", list(EXPENSE_RULES))


def fill(name: str, rows: list[dict[str, Any]]) -> None:
    """Adds what is missing; rows that are there may have been edited since, and stay."""
    source = DataSource.objects.get(name=name)
    known = set(SourceRow.objects.filter(source=source).values_list("key", flat=True))
    missing = [row for row in rows if row[source.key_field] not in known]
    if missing:
        save_rows(source=source, rows=missing)


def order_row(case: DemoCase) -> dict[str, Any]:
    order = case.order
    return {
        "number": order.order,
        "currency": order.currency,
        "seller_name": order.seller.name,
        "seller_vat_id": order.seller.vat_id,
        "buyer_name": order.buyer.name,
        "net_total": str(order.net),
        "lines": [
            {
                "id": line.id,
                "name": line.name,
                "seller_item_id": line.item,
                "quantity": str(line.quantity),
                "unit": line.unit,
                "unit_price": str(line.price),
                "price_base_qty": str(line.base) if line.base != 1 else None,
                "net_amount": str(line.net),
            }
            for line in order.lines
        ],
    }


def receipt_row(case: DemoCase) -> dict[str, Any]:
    order = case.order
    arrived = {line.id: case.received.get(line.id, line.quantity) for line in order.lines}
    return {
        "number": f"GR-{order.order[-5:]}",
        "kind": "receipt",
        "order_number": order.order,
        "lines": [
            {"id": line.id, "order_line_id": line.id, "seller_item_id": line.item, "received": str(arrived[line.id])}
            for line in order.lines
        ],
    }


@transaction.atomic
def mailbox() -> Any:
    """The account under which invoices come in by mail. Nobody signs in with it, and control cases come in under it as
    well."""
    mail, made = get_user_model().objects.get_or_create(username="mail", defaults={"first_name": "Incoming mail"})
    if made:
        mail.set_unusable_password()
        mail.save()
    mailboxes, _ = Group.objects.get_or_create(name="mailboxes")
    mailboxes.permissions.set(Permission.objects.filter(codename="stand_in", content_type__app_label="reviews"))
    mail.groups.set([mailboxes, Group.objects.get(name="requesters")])
    return mail


def start(case: DemoCase, key: str, actor: Any) -> bool:
    """Hands in the case as the requester would. False: it was there already."""
    if Run.objects.filter(key=key).exists():
        return False
    document = store_document(data=case.content, name=case.file, actor=actor)
    services.start_run(
        workflow="invoice-to-pay",
        input={},
        documents=[document],
        actor=actor,
        key=key,
        deadline=timezone.now() + case.due_in,
    )
    return True


def hand_in(claim: DemoClaim, number: int) -> bool:
    """Hands in a receipt as the claimant would. False: it was there already."""
    claimant, key = get_user_model().objects.get(username=claim.by), f"demo/claim-{number}"
    if Run.objects.filter(started_by=claimant, key=key).exists():
        return False
    document = store_document(data=claim.content, name=claim.file, actor=claimant)
    services.start_run(workflow="expense-claim", input=claim.said, documents=[document], actor=claimant, key=key)
    return True


def work_until_idle() -> None:
    """The real engine, in this process: no worker runs yet. A worker that does may take part."""
    for _ in range(1000):
        if not engine.drain(budget=5) and not Task.objects.filter(status=Task.Status.READY).exists():
            return
