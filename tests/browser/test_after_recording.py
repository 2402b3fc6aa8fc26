"""What becomes of an answer once it is recorded: the last act at the foot of the page, its undo, its reversal, and a
server that dies in between."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone
from playwright.sync_api import Page, Route, expect

from orchestrator.models import LedgerEntry, Run
from reviews.models import Approval, Review
from tests.cast import Cast, answer, cast, open_review_of, reversals, waiting_bill, work
from tests.desk import case_url
from tests.servers import answers_http, die_with_parent, free_port, wait_for
from tests.services import PROJECT_DIR, process_environment

from .conftest import SignIn, press

pytestmark = pytest.mark.django_db(transaction=True)
SAID = """window.said = []; addEventListener('DOMContentLoaded', () => new MutationObserver(() => {
  const text = document.querySelector('#toast span')?.innerText.replaceAll(/\\s+/g, ' ') ?? '';
  if (text && said.at(-1) !== text) said.push(text);
}).observe(document.body, { subtree: true, childList: true, characterData: true }));"""
Serve = Callable[[], subprocess.Popen[bytes]]


@pytest.fixture
def hasty(transactional_db: None) -> Cast:
    """Two seconds to undo."""
    found = cast(undo_seconds=2)
    reversals(found)
    return found


def reject(page: Page, review: Review) -> None:
    page.goto(case_url(review))
    page.get_by_role("radio", name="Reject").check()
    page.get_by_label("Duplicate").check()
    page.get_by_role("button", name="Record decision").click()


def test_the_last_act_offers_a_reversal_once_it_is_final_and_nothing_ticks(hasty: Cast, sign_in: SignIn) -> None:
    review = waiting_bill(hasty)
    page = sign_in("clerk")
    page.add_init_script(SAID)
    reject(page, review)
    toast = page.locator("#toast")
    expect(toast.get_by_role("link", name="Ask for a reversal")).to_be_visible()
    assert [re.split(r"\d\d:\d\d", text)[0] for text in page.evaluate("said")] == [
        "KB-1: rejected. Final at ",
        "KB-1: rejected. Final since ",
    ]
    expect(toast).to_contain_text("KB-1: rejected. Final since")
    expect(page.locator("#live")).not_to_contain_text("reversal")
    toast.get_by_role("link", name="Ask for a reversal").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Ask for a reversal")


def test_a_reversal_is_asked_for_and_decided_by_somebody_else_without_script(hasty: Cast, sign_in: SignIn) -> None:
    hasty.policy.undo_seconds = 0
    hasty.policy.save()
    review = waiting_bill(hasty)
    answer(review, hasty.clerk)
    work()
    assert LedgerEntry.objects.count() == 1
    page = sign_in("clerk", java_script_enabled=False)
    page.goto(case_url(review))
    page.get_by_role("link", name="Ask for a reversal").click()
    page.get_by_label("Why was the answer wrong?").fill("The goods never came.")
    page.get_by_role("button", name="Ask for a reversal").click()
    expect(page.get_by_text("A reversal of this answer was asked for by Clerk")).to_be_visible()
    work()
    lead = sign_in("manager", java_script_enabled=False)
    lead.get_by_role("button", name="Start reviewing").click()
    expect(lead.locator("#q-dec")).to_have_text("Reverse the payment of invoice KB-1 to Kestrel Bearings?")
    expect(lead.locator("#said")).to_contain_text("The goods never came.")
    lead.get_by_role("radio", name="Approve").check()
    lead.get_by_role("button", name="Record decision").click()
    expect(lead.get_by_text("Nothing is waiting for you")).to_be_visible()
    work()
    assert list(LedgerEntry.objects.order_by("booked_at").values_list("kind", flat=True)) == [
        "erp.pay_invoice",
        "erp.reverse_payment",
    ]


def test_without_script_the_last_act_offers_the_reversal_on_the_next_page(
    everybody: Cast, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    review = waiting_bill(everybody)
    page = sign_in("clerk", java_script_enabled=False)
    reject(page, review)
    expect(page.locator("#toast").get_by_role("button", name="Undo")).to_be_visible()
    later = timezone.now() + timedelta(seconds=31)
    monkeypatch.setattr(timezone, "now", lambda: later)
    page.goto("/runs/")
    expect(page.locator("#toast").get_by_role("link", name="Ask for a reversal")).to_be_visible()


def test_a_first_of_two_signatures_is_undone_from_the_last_act(everybody: Cast, sign_in: SignIn) -> None:
    everybody.policy.quorum = 2
    everybody.policy.save()
    review = waiting_bill(everybody)
    page = sign_in("clerk")
    page.goto(case_url(review))
    page.get_by_role("radio", name="Approve").check()
    page.get_by_label("The check was mistaken").check()
    page.get_by_role("button", name="Record decision").click()
    page.locator("#toast").get_by_role("button", name="Undo").click()
    expect(page.locator("#toast")).to_contain_text("Undone.")
    assert open_review_of(review.run).approvals.count() == 0


def test_a_person_may_have_a_minute_to_undo(everybody: Cast, sign_in: SignIn) -> None:
    everybody.policy.undo_seconds = 1
    everybody.policy.save()
    page = sign_in("clerk")
    page.goto("/me/")
    page.get_by_label("Time to undo").select_option("60")
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    review = waiting_bill(everybody)
    reject(page, review)
    expect(page.locator("#toast")).to_contain_text("KB-1: rejected.")
    review.refresh_from_db()
    assert review.undo_until - review.settled_at == timedelta(seconds=60)
    page.wait_for_timeout(1_100)  # more than the others have
    work()
    press(page, "z")
    expect(page.locator("#toast")).to_contain_text("Undone.")


def test_an_answer_whose_confirmation_was_lost_is_recorded_once(everybody: Cast, sign_in: SignIn) -> None:
    review = waiting_bill(everybody)
    page = sign_in("clerk")

    def lost(route: Route) -> None:
        route.fetch(max_redirects=0)
        route.abort()

    page.goto(case_url(review))
    page.get_by_role("radio", name="Reject").check()
    page.get_by_label("Duplicate").check()
    page.route("**/decide/", lost)
    page.get_by_role("button", name="Record decision").click()
    expect(page.get_by_text("The desk cannot be reached.")).to_be_visible()
    assert Approval.objects.count() == 1
    page.unroute("**/decide/")
    page.get_by_role("button", name="Record decision").click()
    expect(page.locator("#toast")).to_contain_text("KB-1: rejected.")
    assert Approval.objects.count() == 1


@pytest.fixture
def serve(transactional_db: None) -> Iterator[tuple[str, Serve]]:
    """A web server of its own on the test's database: (its address, how to start it, again if need be)."""
    port, started = free_port(), []

    def begin() -> subprocess.Popen[bytes]:
        bind = ["--bind", f"127.0.0.1:{port}", "--threads", "2", "--no-control-socket"]
        command = [sys.executable, "-m", "gunicorn", "orchestrator.wsgi", *bind]
        options = {
            "cwd": PROJECT_DIR,
            "env": process_environment(DJANGO_SETTINGS_MODULE="tests.settings"),
            "preexec_fn": die_with_parent(signal.SIGKILL),
        }
        started.append(subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True, **options))
        wait_for(lambda: answers_http(port), 60, "the web server did not start")
        return started[-1]

    yield f"http://127.0.0.1:{port}", begin
    for process in started:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.processes
def test_a_server_killed_while_it_records_leaves_one_record_after_the_retry(
    everybody: Cast, sign_in: SignIn, serve: tuple[str, Serve]
) -> None:
    address, begin = serve
    review, server = waiting_bill(everybody), begin()
    page = sign_in("clerk", base_url=address)
    page.goto(case_url(review))
    page.get_by_role("radio", name="Reject").check()
    page.get_by_label("Duplicate").check()
    expect(page.locator("#saved")).to_contain_text("Draft saved")
    with transaction.atomic():  # the answer waits for this lock
        Run.objects.select_for_update().get(pk=review.run_id)
        with page.expect_request("**/decide/"):
            page.get_by_role("button", name="Record decision").click()
        page.wait_for_timeout(700)
        kill(server)
    expect(page.get_by_text("The desk cannot be reached.")).to_be_visible()
    assert Approval.objects.count() == 0
    begin()
    page.get_by_role("button", name="Record decision").click()
    expect(page.locator("#toast")).to_contain_text("KB-1: rejected.")
    assert (Approval.objects.get().verdict, Review.objects.get(pk=review.pk).status) == ("reject", "rejected")
