"""Signed events in and out: what is unsigned, too old or sent before changes nothing; what goes out can be checked."""

import base64
import json
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db.models.functions import Now
from django.urls import reverse

from audit.log import database_now
from audit.models import Event
from orchestrator import services, webhooks_out
from orchestrator.connectors.outbound import AddressRefused, Answer
from orchestrator.models import Hook, HookDelivery, Run, WebhookDelivery, WebhookEndpoint
from orchestrator.webhooks import SignatureRefused, signature, verify

from .cast import second_admin, work
from .engine_agents import line

pytestmark = pytest.mark.django_db


@pytest.fixture
def actor():
    return get_user_model().objects.create_user("requester")


@pytest.fixture
def hook(actor):
    version = services.save_workflow(source=line("w1", ["test.count"]), actor=actor, second=second_admin())
    return Hook.objects.create(
        name="orders", workflow=version.workflow, runs_as=actor, input={"works_at": "data.count"}
    )


def post(client, hook, body=b'{"subject": "o-1", "data": {"count": 3}}', *, message_id="msg_1", **changed):
    now = int(database_now().timestamp()) + changed.get("late", 0)
    given = {
        "webhook-id": message_id,
        "webhook-timestamp": str(now),
        "webhook-signature": signature(
            changed.get("secret", hook.secret), message_id, now, changed.get("signed", body)
        ),
    } | changed.get("headers", {})
    return client.post(f"/hooks/{hook.name}/", body, content_type="application/json", headers=given)


def test_the_signature_is_that_of_the_specification():
    """The example of the Standard Webhooks reference libraries."""
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    made = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_signed_event_starts_one_run(client, hook):
    assert post(client, hook).status_code == 202
    run = Run.objects.get()
    assert (run.input, run.started_by) == ({"works_at": 3}, hook.runs_as)
    assert HookDelivery.objects.get().run == run


OTHER = "whsec_" + base64.b64encode(b"x" * 32).decode()


@pytest.mark.parametrize(
    "changed",
    [
        {"headers": {"webhook-signature": ""}},
        {"headers": {"webhook-signature": "v1,"}},
        {"headers": {"webhook-signature": "v1a,zzz é"}},
        {"headers": {"webhook-id": ""}},
        {"headers": {"webhook-id": "msg_2"}},
        {"headers": {"webhook-timestamp": "soon"}},
        {"headers": {"webhook-timestamp": "9" * 40}},
        {"late": -301},
        {"late": 301},
        {"secret": OTHER},
        {"signed": b'{"subject": "o-2"}'},
    ],
)
def test_h07_what_is_not_properly_signed_changes_nothing(client, hook, changed):
    answer = post(client, hook, **changed)
    assert (answer.status_code, answer.json()["code"]) == (401, "not_accepted")
    assert not Run.objects.exists()
    assert not HookDelivery.objects.exists()
    assert Event.objects.filter(kind="webhook.refused").count() == 1


def test_h07_a_replayed_id_is_refused_and_starts_nothing(client, hook):
    assert post(client, hook).status_code == 202
    assert post(client, hook).status_code == 401
    assert Run.objects.count() == 1


def test_an_unknown_hook_and_one_switched_off_answer_like_a_wrong_signature(client, hook):
    Hook.objects.update(is_active=False)
    off = post(client, hook)
    hook.name = "nobody"
    unknown = post(client, hook)
    assert (off.status_code, off.content) == (unknown.status_code, unknown.content) == (401, off.content)


def test_one_of_several_signatures_is_enough(hook):
    now = database_now()
    stamp = int(now.timestamp())
    good, bad = signature(hook.secret, "m", stamp, b"{}"), signature(OTHER, "m", stamp, b"{}")
    headers = {"webhook-id": "m", "webhook-timestamp": str(stamp), "webhook-signature": f"{bad} {good}"}
    assert verify(hook.secret, headers, b"{}", now) == "m"
    with pytest.raises(SignatureRefused):
        verify(hook.secret, {**headers, "webhook-signature": bad}, b"{}", now)


@pytest.mark.parametrize("body", [b"no json", b"[1]", b'{"data": {"count": "many"}}', b"[" * 10_000])
def test_a_body_that_does_not_fit_is_refused_and_may_be_sent_again_corrected(client, hook, body):
    assert post(client, hook, body).status_code == 422
    assert post(client, hook).status_code == 202


def test_only_post_is_answered(client, hook):
    assert client.get(f"/hooks/{hook.name}/").status_code == 405


def test_a_body_that_is_too_long_is_refused(client, hook):
    assert post(client, hook, b'{"a": "' + b"x" * 300_000 + b'"}').status_code == 413


def test_h11_templates_in_a_body_stay_text(client, hook):
    body = json.dumps({"subject": "{{ settings.SECRET_KEY }}${x}", "data": {"count": 1}}).encode()
    assert post(client, hook, body).status_code == 202
    assert HookDelivery.objects.get().correlation == "{{ settings.SECRET_KEY }}${x}"


# Outgoing.


@pytest.fixture
def endpoint():
    return WebhookEndpoint.objects.create(name="erp", url="https://erp.example/hook", kinds=["run."])


class Receiver:
    """What the other side got, and what it answers."""

    def __init__(self, *statuses):
        self.statuses, self.got = list(statuses), []

    def __call__(self, method, url, *, headers, body, seconds):
        self.got.append((headers, body))
        return Answer(self.statuses.pop(0) if self.statuses else 204, b"")


def play(actor):
    services.save_workflow(source=line("w1", ["test.count"]), actor=actor, second=second_admin())
    run = services.start_run(workflow="w1", input={}, actor=actor)[0]
    work()
    return run


def test_events_of_a_run_are_told_signed_and_once(actor, endpoint):
    run, receiver = play(actor), Receiver()
    assert webhooks_out.sweep() == 2
    assert webhooks_out.sweep() == 0
    assert webhooks_out.deliver(send=receiver) == 2
    assert webhooks_out.deliver(send=receiver) == 0
    messages = [json.loads(body) for _, body in receiver.got]
    assert [m["type"] for m in messages] == ["countersign.run.started", "countersign.run.succeeded"]
    assert {(m["specversion"], m["source"], m["data"]["run"]) for m in messages} == {
        ("1.0", f"/runs/{run.pk}/", str(run.pk))
    }
    for headers, body in receiver.got:
        assert verify(endpoint.secret, headers, body, database_now()) == json.loads(body)["id"]
    assert set(WebhookDelivery.objects.values_list("status", flat=True)) == {"delivered"}


def test_only_what_was_asked_for_leaves_the_house(actor, endpoint):
    WebhookEndpoint.objects.update(kinds=["run.succeeded", "task.", "user."])
    play(actor)
    assert webhooks_out.sweep() == 1
    assert WebhookDelivery.objects.get().kind == "countersign.run.succeeded"


def test_a_failed_delivery_is_tried_again_later_with_the_same_id(actor, endpoint):
    WebhookEndpoint.objects.update(kinds=["run.started"])
    play(actor)
    webhooks_out.sweep()
    receiver = Receiver(500, 302)
    webhooks_out.deliver(send=receiver)
    delivery = WebhookDelivery.objects.get()
    assert (delivery.status, delivery.attempts, delivery.answer) == ("pending", 1, "answer 500")
    for _ in range(2):
        WebhookDelivery.objects.update(next_at=Now() - timedelta(seconds=1))
        webhooks_out.deliver(send=receiver)
    assert WebhookDelivery.objects.get().status == "delivered"
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1


def test_after_the_last_pause_a_delivery_is_given_up(actor, endpoint):
    WebhookEndpoint.objects.update(kinds=["run.started"])
    play(actor)
    webhooks_out.sweep()
    WebhookDelivery.objects.update(attempts=len(webhooks_out.PAUSES))
    webhooks_out.deliver(send=Receiver(500))
    assert WebhookDelivery.objects.get().status == "failed"


def test_h01_an_endpoint_inside_the_house_is_refused_without_a_request(actor, endpoint):
    WebhookEndpoint.objects.update(kinds=["run.started"], url="https://169.254.169.254/latest")
    play(actor)
    webhooks_out.sweep()
    webhooks_out.deliver()
    assert "public Internet" in WebhookDelivery.objects.get().answer
    with pytest.raises(AddressRefused):
        webhooks_out.outbound.check_url("http://127.0.0.1/")


def test_deliveries_are_read_only_in_the_admin_and_secrets_are_not_shown_again(admin_client, actor, endpoint):
    play(actor)
    webhooks_out.sweep()
    delivery = WebhookDelivery.objects.first()
    page = admin_client.get(reverse("admin:orchestrator_webhookdelivery_change", args=[delivery.pk]))
    assert page.status_code == 200
    assert b'name="_save"' not in page.content
    shown = admin_client.get(reverse("admin:orchestrator_webhookendpoint_change", args=[endpoint.pk]))
    assert endpoint.secret.encode() not in shown.content


def test_h09_no_secret_is_in_the_trail_the_logs_or_what_others_are_told(client, hook, actor, endpoint, caplog):
    caplog.set_level("DEBUG")
    post(client, hook)
    post(client, hook, secret=OTHER)
    webhooks_out.sweep()
    webhooks_out.deliver()
    sinks = [bytes(event.body).decode() for event in Event.objects.all()]
    sinks += [caplog.text, *WebhookDelivery.objects.values_list("body", flat=True)]
    sinks += WebhookDelivery.objects.values_list("answer", flat=True)
    for secret in (hook.secret, endpoint.secret):
        assert not any(secret.removeprefix("whsec_") in text for text in sinks)
