"""What is taken back is named by what the steps before it found."""

import pytest

from orchestrator import engine, services
from orchestrator.models import LedgerEntry

from .cast import cast, second_admin, work
from .faults import flow
from .invariants import assert_invariants

pytestmark = pytest.mark.django_db


def test_a_payment_that_was_on_its_way_when_its_run_was_cancelled_is_taken_back_under_its_business_key():
    everybody = cast()
    services.save_workflow(source=flow.WORKFLOW, actor=everybody.admin, second=second_admin())
    given = {"amount": "10.00", "number": "7", "differences": 0}
    run, _ = services.start_run(workflow=flow.NAME, input=given, actor=everybody.requester)
    while engine.drain(lanes=("default",), budget=5):
        pass
    [paying] = engine.claim("effects", 1)
    paid = engine.execute(paying)
    services.cancel_run(run_id=run.pk, actor=everybody.requester, reason="not wanted")
    engine.record([(paying, paid)])
    work()
    run.refresh_from_db()
    assert run.status == "cancelled"
    booked = LedgerEntry.objects.order_by("booked_at").values_list("kind", "business_key")
    assert list(booked) == [(flow.PAY, "V1/7"), (flow.REVERSE, "V1/7")]
    assert_invariants()
    again, _ = services.start_run(workflow=flow.NAME, input=given, actor=everybody.requester)
    work()
    again.refresh_from_db()
    assert (again.status, again.effects.get().business_key) == ("succeeded", "V1/7")
    assert_invariants()
