"""The people, the flow and the cases of review tests: plain builders that call the real services.

The flow reads a bill (everything it "reads" is the run's input), finds the vendor, asks people when a policy says so,
and pays. `facts` of a bill: amount, flagged, differences, advice (what the check recommends).
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db.models.functions import Now
from pydantic import BaseModel

from audit.models import Event
from orchestrator import engine, services
from orchestrator.agents.base import AgentContext, Result, agent
from orchestrator.grants import give
from orchestrator.models import Run, Task
from reviews import services as reviews
from reviews.models import Queue, Review, ReviewLevel, ReviewPolicy
from reviews.permissions import held_queues
from reviews.querysets import ReviewQuerySet

GOOD_IBAN, OTHER_IBAN = "DE89370400440532013000", "GB82WEST12345698765432"

POLICY = """
policy: bills
title: Bills
otherwise: continue
vocabulary: {stops: int, flagged: bool, amount_base: money, checked: bool}
rules:
  - {name: differs, when: stops > 0, route: review, reason: "{stops} differences"}
  - {name: flagged, when: flagged, route: pause, target: "queue:seniors", reason: The vendor is flagged}
  - {name: over-50-000, when: "checked && amount_base > 50,000.00", route: review, level: cfo, reason: much}
  - {name: over-20-000, when: "checked && amount_base > 20,000.00", route: review, reason: "{amount_base} is something"}
"""
WORKFLOW = """
workflow: pay-bills
title: Pay bills
input: {amount: string, number: string, currency: string?, flagged: boolean?, differences: integer?, advice: string?}
subject: "{vendor.name} {read.invoice.invoice_number}"
business_key: "{vendor.vendor_id}/{read.invoice.invoice_number}"
policies: bills
facts:
  stops: read.stops
  flagged: vendor.flagged
  checked: check.ok
  amount_base: {money: read.invoice.payable, currency: read.invoice.currency}
steps:
  read: {agent: cast.read}
  vendor: {agent: cast.vendor, needs: [read]}
  check: {agent: cast.check, needs: [vendor]}
  approve: {review: clerks, needs: [check]}
  pay: {effect: erp.pay_invoice, needs: [approve]}
"""
TAKEN_BACK = WORKFLOW.replace("needs: [approve]}", "needs: [approve], compensate: erp.reverse_payment}")
SHIPPED = Path(settings.BASE_DIR) / "orchestrator" / "workflows"


class GivenInput(BaseModel):
    input: dict


class GivenBill(BaseModel):
    input: dict
    read: dict


class Bill(BaseModel):
    invoice: dict
    reading: dict
    discrepancies: list
    stops: int


class Vendor(BaseModel):
    vendor_id: str
    name: str
    flagged: bool


class Checked(BaseModel):
    ok: bool
    recommendation: dict | None = None


def difference(number: int) -> dict[str, Any]:
    options = [{"value": "100.00", "source": "bill"}, {"value": "90.00", "source": "order"}]
    words = {"title": f"Price, line {number}", "message": "100.00 on the bill, 90.00 on the order"}
    place = {"line": str(number), "pointer": f"/read/invoice/lines/{number - 1}/unit_price"}
    return {"kind": "price_over", "severity": "stop", **words, **place, "options": options}


@agent("cast.read", version="1")
def read(case: GivenInput, ctx: AgentContext) -> Result[Bill]:
    """What the input says; a value that people corrected stays as they left it."""
    given, count = case.input, case.input.get("differences", 0)
    invoice = {
        "invoice_number": given["number"],
        "payable": given["amount"],
        "currency": given.get("currency", "EUR"),
        "iban": GOOD_IBAN,
        "due_date": "2026-12-01",
        "order_reference": None,
        "seller": {"name": "Kestrel Bearings"},
        "lines": [{"unit_price": "100.00"} for _ in range(count)],
    }
    payable = {
        "value": given["amount"],
        "confidence": 0.98,
        "passages": [{"line": 7}],
        "readings": {"ubl": given["amount"]},
    }
    reading = {"fields": {"payable": payable, "seller.name": {"value": "Kestrel Bearings", "confidence": 0.9}}}
    found = [difference(number) for number in range(1, count + 1)]
    return Result(Bill(invoice=invoice, reading=reading, discrepancies=found, stops=count), confidence=0.98)


@agent("cast.vendor", version="1")
def vendor(case: GivenBill, ctx: AgentContext) -> Result[Vendor]:
    found = Vendor(vendor_id="V1", name="Kestrel Bearings", flagged=case.input.get("flagged", False))
    return Result(
        found, confidence=0.99, evidence=[{"source": "vendors", "query": "id = V1", "rows": 1, "digest": "d"}]
    )


ADVICE = {"copy": "Looks like a copy of KB-0"}  # what the agent says, and nobody who hands in: the case shows the input


def advised(text: str) -> dict[str, Any] | None:
    """ "reject: copy" as an agent says it."""
    verdict, _, why = text.partition(": ")
    return {"verdict": verdict, "why": ADVICE.get(why, why)} if why else None


@agent("cast.check", version="1")
def check(case: GivenInput, ctx: AgentContext) -> Result[Checked]:
    return Result(Checked(ok=True, recommendation=advised(case.input.get("advice", ""))), confidence=0.95)


@dataclass
class Cast:
    """Who takes part. `policy` is that of both queues."""

    requester: Any
    clerk: Any
    second: Any
    manager: Any
    cfo: Any
    outsider: Any
    auditor: Any
    admin: Any
    policy: ReviewPolicy
    clerks: Queue
    seniors: Queue
    started: int = field(default=0)


def person(name: str, *groups: str) -> Any:
    user = get_user_model().objects.create_user(name, password="known", first_name=name.title())
    user.groups.set([group(name) for name in groups])
    return user


def second_admin() -> Any:
    """Who puts in force what the admin wrote."""
    people = get_user_model().objects
    return people.filter(username="other-admin").first() or people.create_superuser("other-admin")


def group(name: str) -> Group:
    return Group.objects.get_or_create(name=name)[0]


def cast(*, undo_seconds: int = 0, quorum: int = 1, manager_above: int | None = None) -> Cast:
    """Everybody, the two queues and the published flow. The clerks' queue escalates to the seniors'."""
    admin = get_user_model().objects.create_superuser("admin")
    policy = ReviewPolicy.objects.create(name="standard", undo_seconds=undo_seconds, quorum=quorum)
    if manager_above is not None:
        ReviewLevel.objects.create(policy=policy, group=group("managers"), above=manager_above)
    seniors = Queue.objects.create(name="seniors", title="Seniors", policy=policy)
    clerks = Queue.objects.create(name="clerks", title="Clerks", policy=policy, escalates_to=seniors)
    for queue, names in ((clerks, ("clerks", "managers", "cfo")), (seniors, ("managers", "cfo"))):
        for name in names:
            for permission in ("view_queue", "decide", "reroute"):
                give(permission, group(name), queue, actor=admin)
    services.save_policy(source=POLICY, actor=admin, second=second_admin())
    services.save_workflow(source=WORKFLOW, actor=admin, second=second_admin())
    return Cast(
        requester=person("requester", "clerks"),
        clerk=person("clerk", "clerks"),
        second=person("second", "clerks"),
        manager=person("manager", "managers"),
        cfo=person("cfo", "cfo"),
        outsider=person("outsider"),
        auditor=person("auditor", "auditors"),
        admin=admin,
        policy=policy,
        clerks=clerks,
        seniors=seniors,
    )


def bill(everybody: Cast, *, amount: str = "1000.00", **facts: Any) -> Run:
    """A run of the flow, worked until nothing is left to do without people."""
    everybody.started += 1
    given = {"amount": amount, "number": f"KB-{everybody.started}", **facts}
    run, _ = services.start_run(workflow="pay-bills", input=given, actor=everybody.requester)
    work()
    run.refresh_from_db()
    return run


def waiting_bill(everybody: Cast, *, amount: str = "1000.00", **facts: Any) -> Review:
    """The open review of a new bill: by default one with a difference, for the clerks."""
    return open_review_of(bill(everybody, amount=amount, **({"differences": 1} | facts)))


def paid_bill(everybody: Cast) -> Review:
    """A case that people approved, and that was paid."""
    review = waiting_bill(everybody)
    answer(review, everybody.clerk)
    work()
    review.refresh_from_db()
    review.run.refresh_from_db()
    assert review.run.status == "succeeded"
    return review


def open_review_of(run: Run) -> Review:
    return run.reviews.live().get()


def inbox_of(user: Any) -> ReviewQuerySet:
    return Review.objects.inbox_for(user, held_queues(user, ["decide"]))


def work() -> None:
    """Works until idle; what waits to be tried again is tried at once."""
    for _ in range(20):
        while engine.drain(budget=5):
            pass
        if not Task.objects.filter(status=Task.Status.RETRY_WAIT).update(ready_at=Now()):
            return


def answer(review: Review, actor: Any, verdict: str = "approve", **given: Any) -> dict[str, Any]:
    """An answer on the packet as it is, with a reason, so that only what a test is about stands in the way."""
    review.refresh_from_db()
    given = {
        "digest": review.packet_digest,
        "nonce": f"{actor}-{verdict}-{Event.objects.count()}",
        "reason": "other",
    } | given
    return reviews.decide(review_id=review.pk, actor=actor, verdict=verdict, **given)


def kinds_since(mark: int) -> list[str]:
    """Kinds of the events after the first `mark`, in order."""
    return list(Event.objects.order_by("at", "id").values_list("kind", flat=True))[mark:]


def mark() -> int:
    return Event.objects.count()


def reversals(everybody: Cast) -> Queue:
    """Bills can be taken back, and reversals of decisions are looked at by the managers and the CFO."""
    queue = Queue.objects.create(name="reversals", title="Reversals", policy=everybody.policy)
    for name in ("managers", "cfo"):
        for permission in ("view_queue", "decide", "reroute"):
            give(permission, group(name), queue, actor=everybody.admin)
    policy = (SHIPPED / "policies" / "reversals.yaml").read_text()
    services.save_policy(source=policy, actor=everybody.admin, second=second_admin())
    for source in ((SHIPPED / "reversal.yaml").read_text(), TAKEN_BACK):
        services.save_workflow(source=source, actor=everybody.admin, second=second_admin())
    return queue
