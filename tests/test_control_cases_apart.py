"""A run that was planted with a known answer works like any other, and nothing of it leaves: no effect, no row that
other runs read, no word to anybody outside."""

import json
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import DatabaseError, transaction
from django.utils import timezone

from audit.log import database_now
from orchestrator import effects, services, waits, webhooks_out
from orchestrator.documents.store import store_document
from orchestrator.evaluation import world
from orchestrator.evaluation.playing import Played, finish, told
from orchestrator.models import (
    ControlEntry,
    Effect,
    Hook,
    HookDelivery,
    LedgerEntry,
    Run,
    SourceRow,
    WebhookDelivery,
    WebhookEndpoint,
)
from orchestrator.pinned import definition_of
from reviews.demo.invoices import Invoice, as_ubl
from reviews.models import Queue, ReviewPolicy

from .cast import bill, cast, second_admin, work
from .test_flow_expense import Claim, claim, kinds, receipt
from .test_flow_invoice import CEMENT, ORDER_LINE, Runner, invoice, pay
from .test_splitting import HALF
from .test_steps_waiting import flow

__all__ = ["claim", "pay"]
MUCH = {"net_total": "50000", "lines": [{**ORDER_LINE, "quantity": "10000", "net_amount": "50000"}]}
pytestmark = pytest.mark.django_db(transaction=True)


def planted(document: Invoice | bytes, workflow: str = "invoice-to-pay", **given: Any) -> Run:
    """The same document as a control case, worked until nothing is left to do without a person."""
    actor = get_user_model().objects.get(username=world.ACTOR)
    data, name = (document, "receipt.pdf") if isinstance(document, bytes) else (as_ubl(document), "invoice.xml")
    paper = store_document(data=data, name=name, actor=actor)
    run, _ = services.start_run(workflow=workflow, input=given, actor=actor, documents=[paper], control=True)
    finish(run)
    return run


def over_the_limit_together(played: Played) -> bool:
    return any("51,229.50" in reason for reason in played.reasons)


def test_a_control_case_that_would_pass_ends_before_it_is_paid_and_leaves_no_row(pay: Runner) -> None:
    pay(invoice(number="R-0"), order=MUCH)
    history = SourceRow.objects.filter(source__name="payment-history").count()
    run = planted(invoice(number="R-7", lines=(replace(CEMENT, quantity=Decimal(7)),)))
    assert (told(run).reasons, run.status, run.outcome) == ([], "cancelled", effects.NOTHING_LEAVES)
    assert not run.effects.exists()
    assert LedgerEntry.objects.count() == 1
    assert SourceRow.objects.filter(source__name="payment-history").count() == history
    assert not SourceRow.objects.filter(key=str(run.pk)).exists()
    assert ControlEntry.objects.get().key == str(run.pk)


def test_a_control_case_sees_the_cases_before_it_as_a_real_one_would(pay: Runner) -> None:
    pay(invoice(lines=(HALF,)))
    pay(invoice(number="R-0"), order=MUCH)  # sets the scene for the next
    assert over_the_limit_together(told(planted(invoice(number="R-2", lines=(HALF,)))))


def test_no_real_case_sees_a_control_case(pay: Runner) -> None:
    pay(invoice(number="R-0"))
    assert planted(invoice(lines=(HALF,))).status == "waiting"  # nobody ordered as much
    played = pay(invoice(number="R-2", lines=(HALF,)), order=MUCH)
    assert (played.route, played.reasons) == ("auto", [])


def test_a_real_receipt_is_no_duplicate_of_a_planted_one_and_a_planted_one_is_of_a_real_one(claim: Claim) -> None:
    planted(receipt(), "expense-claim")
    real = claim()
    assert (real.status, kinds(real)) == (Run.Status.SUCCEEDED, [])
    again = planted(receipt(), "expense-claim")
    assert (again.status, kinds(again)) == (Run.Status.WAITING, ["duplicate_receipt"])


def test_what_a_control_case_starts_is_one_too_and_ends_it(pay: Runner) -> None:
    actor = get_user_model().objects.get(username=world.ACTOR)
    Queue.objects.create(name="anyone", title="Anyone", policy=ReviewPolicy.objects.get())
    pay_ = "pay: {effect: erp.pay_invoice, needs: [look]}"
    child = flow("s: {agent: test.count}", "look: {review: anyone, needs: [s]}", pay_, name="inner")
    outer = flow("a: {workflow: inner}", "b: {agent: test.count, needs: [a]}", name="outer")
    for source in (child, outer):
        services.save_workflow(source=source, actor=actor, second=second_admin())
    run, _ = services.start_run(workflow="outer", input={}, actor=actor, control=True)
    finish(run)
    inner = Run.objects.get(parent__run=run)
    assert (inner.control, inner.status, run.status) == (True, "cancelled", "cancelled")
    assert run.outcome == effects.NOTHING_LEAVES
    assert not Effect.objects.exists()


@pytest.fixture
def held() -> Run:
    """A control case that waits for a person."""
    everybody = cast()
    ReviewPolicy.objects.update(undo_seconds=0)
    given = {"amount": "1000.00", "number": "KB-1", "differences": 1}
    run, _ = services.start_run(workflow="pay-bills", input=given, actor=everybody.requester, control=True)
    work()
    run.refresh_from_db()
    assert run.status == "waiting"
    return run


def test_whoever_asks_for_an_effect_of_a_control_case_is_refused(held: Run) -> None:
    now = database_now()
    with pytest.raises(effects.OfControlCase), transaction.atomic():
        effects.authorise(held, [], packet_digest="", policy_digest="", now=now)
    step = definition_of(held.version_id).step("pay")
    with pytest.raises(effects.OfControlCase):
        effects.grant(held.pk, held.tasks.first().pk, 1, step, None, authorised_by_policy=True)


def test_the_database_itself_refuses_an_effect_of_a_control_case(held: Run) -> None:
    given = {"step": "pay", "kind": "erp.pay_invoice", "connector": "ledger", "klass": "K", "payload": {}}
    effect = Effect(run=held, key="k", payload_digest="d", authorised_at=timezone.now(), **given)
    with pytest.raises(DatabaseError, match="effect of a control case refused"), transaction.atomic():
        effect.save(force_insert=True)


@dataclass
class Requester:
    requester: Any
    started: int = 1


def test_nobody_outside_hears_of_a_control_case(held: Run) -> None:
    WebhookEndpoint.objects.create(name="erp", url="https://erp.example/hook")
    real = bill(Requester(held.started_by))
    WebhookEndpoint.objects.update(read_until=held.started_at)
    webhooks_out.sweep()
    told_of = {json.loads(body)["data"]["run"] for body in WebhookDelivery.objects.values_list("body", flat=True)}
    assert told_of == {str(real.pk)}


def test_an_event_from_outside_wakes_the_real_run_that_waits_for_it() -> None:
    actor = get_user_model().objects.create_user("requester")
    hook = Hook.objects.create(name="payment-settled", runs_as=actor, correlation="subject")
    services.save_workflow(
        source=flow("a: {wait: payment-settled, correlation: '{input.when}', within: 2d}"),
        actor=actor,
        second=second_admin(),
    )
    runs = [
        services.start_run(workflow="flow", input={"when": "o-1"}, actor=actor, control=control)[0]
        for control in (True, False)
    ]
    work()
    delivery = HookDelivery.objects.create(hook=hook, webhook_id="m", correlation="o-1", body={})
    with transaction.atomic():
        assert waits.deliver(delivery)
    work()
    assert [Run.objects.get(pk=run.pk).status for run in runs] == ["waiting", "succeeded"]
