"""Policies in the admin: a rule is written, objected to at its field, tried on a case, and published."""

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.test import Client

from audit.models import Event
from orchestrator.models import Policy, PolicyRule, PolicyVersion, Run

from .cast import bill, cast, second_admin, waiting_bill

pytestmark = pytest.mark.django_db


@pytest.fixture
def everybody():
    return cast()


@pytest.fixture
def policy(everybody):
    return Policy.objects.get(name="bills")


@pytest.fixture
def admin(everybody):
    client = Client()
    client.force_login(everybody.admin)
    return client


@pytest.fixture
def other(everybody):
    client = Client()
    client.force_login(second_admin())
    return client


def page_of(policy: Policy) -> str:
    return f"/admin/orchestrator/policy/{policy.pk}/change/"


def form_of(client: Client, policy: Policy) -> dict[str, str]:
    """What the page would post if nothing were changed."""
    context = client.get(page_of(policy)).context
    forms = [context["adminform"].form]
    for inline in context["inline_admin_formsets"]:
        forms += [inline.formset.management_form, *inline.formset.forms]
    fields = (field for form in forms for field in form)
    return {
        field.html_name: "" if field.value() is None else str(field.field.prepare_value(field.value()))
        for field in fields
    }


def with_rule(form: dict[str, str], **values: str) -> dict[str, str]:
    """The form with one more rule."""
    number = int(form["rules-TOTAL_FORMS"])
    rule = {"name": "over-20-000-manager", "position": "0", "route": "review", "level": "", "target": ""} | values
    added = {f"rules-{number}-{name}": value for name, value in rule.items()}
    return {**form, **added, "rules-TOTAL_FORMS": str(number + 1)}


def errors_of(response) -> dict[str, list[str]]:
    """{field: objections} of the last rule of the form."""
    formset = response.context["inline_admin_formsets"][0].formset
    return {name: list(found) for name, found in formset.forms[-1].errors.items()}


def over_20_000(form, **values):
    manager = str(Group.objects.get(name="managers").pk)
    rule = {"condition": "amount_base > 20,000.00", "level": manager, "reason": "{amount_base} goes to the manager"}
    return with_rule(form, **(rule | values))


def test_over_20_000_goes_to_the_manager_once_it_is_saved_and_published(admin, other, policy, everybody):
    assert bill(everybody, amount="19000.00").status == "succeeded"
    saved = admin.post(page_of(policy), {**over_20_000(form_of(admin, policy)), "_propose": "1"}, follow=True)
    assert "Bills: handed over; it waits for somebody else" in saved.content.decode()
    published = other.post(page_of(policy), {**form_of(other, policy), "_publish": "1"}, follow=True)
    assert "Bills: version 2 is in force for runs that start from now on." in published.content.decode()
    review = waiting_bill(everybody, amount="20500.00", differences=0)
    assert {reason["rule"] for reason in review.reasons} == {"over-20-000", "over-20-000-manager"}
    assert [level["group"] for level in review.levels] == ["", "managers"]
    assert "20,500.00 EUR goes to the manager" in [reason["text"] for reason in review.reasons]


def test_a_saved_draft_changes_nothing_until_it_is_published(admin, policy):
    admin.post(page_of(policy), {**over_20_000(form_of(admin, policy)), "_continue": "1"})
    assert policy.rules.filter(name="over-20-000-manager").exists()
    policy.refresh_from_db()
    assert policy.current.number == 1
    assert PolicyVersion.objects.count() == 1


def test_a_new_rule_comes_last(admin, policy):
    admin.post(page_of(policy), {**over_20_000(form_of(admin, policy)), "_continue": "1"})
    assert policy.rules.last().name == "over-20-000-manager"


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("amount > 20,000.00", "there is no fact 'amount'; did you mean 'amount_base'?"),
        ("amount_base > 20.000", "could be 20 or 20000"),
        ("amount_base > 'much'", "'>' does not work between whole number or amount and text"),
        ("amount_base >", "breaks off here"),
        ("amount_base", "a condition must be true or false"),
        ("amount_base > 1.00 and flagged", "write && instead of and"),
    ],
)
def test_what_is_wrong_with_a_condition_is_said_at_its_field(admin, policy, condition, words):
    refused = admin.post(page_of(policy), {**over_20_000(form_of(admin, policy), condition=condition), "_propose": "1"})
    assert refused.status_code == 200
    [objection] = errors_of(refused)["condition"]
    assert words in objection
    assert PolicyRule.objects.count() == 4
    assert PolicyVersion.objects.count() == 1


def test_a_reason_that_names_no_fact_is_said_at_its_field(admin, policy):
    refused = admin.post(
        page_of(policy), {**over_20_000(form_of(admin, policy), reason="{sum} is much"), "_propose": "1"}
    )
    assert errors_of(refused) == {"reason": ["names {sum}, which is no fact"]}


def test_facts_are_edited_as_lines_and_their_types_are_checked(admin, policy):
    form = form_of(admin, policy)
    assert "amount_base: money" in form["vocabulary"]
    refused = admin.post(
        page_of(policy), {**form, "vocabulary": form["vocabulary"] + "\ncountry: land", "_continue": "1"}
    )
    [objection] = refused.context["adminform"].form.errors["vocabulary"]
    assert "'land' is no type" in objection
    admin.post(page_of(policy), {**form, "vocabulary": form["vocabulary"] + "\ncountry: str", "_continue": "1"})
    policy.refresh_from_db()
    assert policy.vocabulary["country"] == "str"


def test_an_edit_and_a_publication_are_events_with_old_and_new_values(admin, other, policy, everybody):
    form = form_of(admin, policy)
    admin.post(page_of(policy), {**over_20_000(form), "otherwise": "review", "_propose": "1"})
    other.post(page_of(policy), {**form_of(other, policy), "_publish": "1"})
    edited = Event.objects.get(kind="policy.edited")
    assert (edited.actor_id, edited.subject_id) == (str(everybody.admin.pk), "bills")
    changes = {change["field"]: (change["old"], change["new"]) for change in edited.data["changes"]}
    assert changes["otherwise"] == ("continue", "review")
    old, new = changes["rule over-20-000-manager"]
    assert (old, new["condition"], new["level"]) == (None, "amount_base > 20,000.00", "managers")
    told = Event.objects.filter(kind__in=("policy.proposed", "policy.published"), subject_id="bills").oldest_first()
    second = str(second_admin().pk)
    assert [(event.kind, event.actor_id) for event in told][2:] == [
        ("policy.proposed", str(everybody.admin.pk)),
        ("policy.published", second),
    ]


def test_saving_without_a_change_is_no_event(admin, policy):
    admin.post(page_of(policy), {**form_of(admin, policy), "_propose": "1"})
    assert not Event.objects.filter(kind="policy.edited").exists()
    assert PolicyVersion.objects.count() == 1


def test_removing_a_rule_is_an_event_that_says_what_it_was(admin, policy):
    form = form_of(admin, policy)
    place = next(
        name.removesuffix("name") for name, value in form.items() if value == "flagged" and name.endswith("-name")
    )
    admin.post(page_of(policy), {**form, f"{place}DELETE": "on", "_continue": "1"})
    [change] = Event.objects.get(kind="policy.edited").data["changes"]
    assert (change["field"], change["old"]["condition"], change["new"]) == ("rule flagged", "flagged", None)


def tried(admin, policy, run):
    return admin.get(f"/admin/orchestrator/policy/{policy.pk}/try/", {"run": str(run.pk), "other": ""})


def test_a_draft_is_tried_on_a_case_beside_the_version_in_force(admin, policy, everybody):
    run = bill(everybody, amount="20500.00", flagged=False)
    manager = Group.objects.get(name="managers")
    PolicyRule.objects.create(
        policy=policy,
        position=9,
        name="much",
        condition="amount_base > 20,400.00",
        level=manager,
        reason="{amount_base}",
    )
    PolicyRule.objects.filter(name="differs").update(condition="stops > 7")
    before = (Event.objects.count(), run.decisions.count())
    page = tried(admin, policy, run)
    found = page.context["found"]
    lines = {line.name: line for line in found.lines}
    assert (lines["much"].state, lines["much"].in_force) == ("fired", "not in it")
    assert lines["much"].values == [("amount_base", "20,500.00 EUR")]
    assert (lines["over-20-000"].state, lines["over-20-000"].in_force) == ("fired", "fired")
    assert (lines["differs"].state, lines["differs"].values) == ("did not fire", [("stops", "0")])
    assert found.routes == [("The draft", "ask a person, then managers"), ("In force", "ask a person")]
    assert found.differs
    assert "the draft would do something else" in page.content.decode()
    assert (Event.objects.count(), run.decisions.count()) == before


def test_a_rule_whose_step_is_still_to_come_is_not_yet_judged(admin, policy, everybody):
    from orchestrator import services

    run, _ = services.start_run(
        workflow="pay-bills", input={"amount": "1.00", "number": "N"}, actor=everybody.requester
    )
    lines = {line.name: line.state for line in tried(admin, policy, run).context["found"].lines}
    assert set(lines.values()) == {"not yet"}


def test_a_case_is_found_by_its_id_and_another_id_is_refused(admin, policy, everybody):
    run = bill(everybody)
    url = f"/admin/orchestrator/policy/{policy.pk}/try/"
    assert admin.get(url, {"run": "", "other": str(run.pk)}).context["found"].run == run
    refused = admin.get(url, {"run": "", "other": "0190d3a0-0000-7000-8000-000000000000"})
    assert refused.context["found"] is None
    assert "is no run that was judged by this policy" in str(refused.context["form"].errors["other"])
    assert admin.get(url).context["form"].fields["run"].choices[1][0] == str(run.pk)


def test_save_and_try_leads_to_the_trial(admin, policy):
    saved = admin.post(page_of(policy), {**over_20_000(form_of(admin, policy)), "_try": "1"})
    assert saved["Location"] == f"/admin/orchestrator/policy/{policy.pk}/try/"


def test_open_cases_keep_the_policy_they_started_under(admin, other, policy, everybody):
    review = waiting_bill(everybody)
    admin.post(page_of(policy), {**over_20_000(form_of(admin, policy)), "_propose": "1"})
    other.post(page_of(policy), {**form_of(other, policy), "_publish": "1"})
    assert PolicyVersion.objects.count() == 2
    assert Run.objects.get(pk=review.run_id).policy_version.number == 1


def test_versions_are_read_and_never_edited(admin, policy):
    version = PolicyVersion.objects.get()
    url = f"/admin/orchestrator/policyversion/{version.pk}/"
    assert "over-50-000" in admin.get(f"{url}change/").content.decode()
    assert admin.post(f"{url}change/", {"number": 9}).status_code == 403
    assert admin.post(f"{url}delete/", {"post": "yes"}).status_code == 403


def test_somebody_without_the_permission_sees_none_of_it(policy, everybody):
    client = Client()
    everybody.clerk.is_staff = True
    everybody.clerk.save()
    client.force_login(everybody.clerk)
    assert client.get(page_of(policy)).status_code == 403
    assert client.get(f"/admin/orchestrator/policy/{policy.pk}/try/").status_code == 403


def test_whoever_wrote_the_draft_does_not_put_it_in_force(admin, policy):
    """A03: the author's own page does not offer it, and the service refuses it."""
    admin.post(page_of(policy), {**over_20_000(form_of(admin, policy)), "_propose": "1"})
    page = admin.get(page_of(policy)).content.decode()
    assert "Publish what was handed over" not in page
    refused = admin.post(page_of(policy), {**form_of(admin, policy), "_publish": "1"}, follow=True)
    assert "somebody else has to put it in force" in refused.content.decode()
    assert PolicyVersion.objects.count() == 1


def test_the_database_refuses_a_version_published_by_its_author(policy, everybody):
    given = {"policy": policy, "number": 2, "content": {}, "digest": "x"}
    with pytest.raises(IntegrityError, match="published_by_a_second_person"), transaction.atomic():
        PolicyVersion.objects.create(**given, authored_by=everybody.admin, published_by=everybody.admin)
    PolicyVersion.objects.create(**given, authored_by=everybody.admin, published_by=second_admin())


def test_the_second_person_reads_what_differs(admin, other, policy):
    admin.post(page_of(policy), {**over_20_000(form_of(admin, policy)), "otherwise": "review", "_propose": "1"})
    page = other.get(page_of(policy)).content.decode()
    assert "Publish what was handed over" in page
    assert "rule over-20-000-manager: not there → amount_base &gt; 20,000.00 → ask a person, managers" in page
    assert "otherwise: continue → ask a person" in page
    assert "rule flagged:" not in page


def test_a_draft_changed_after_it_was_handed_over_is_not_what_is_published(admin, other, policy):
    admin.post(page_of(policy), {**over_20_000(form_of(admin, policy)), "_propose": "1"})
    form = form_of(other, policy)
    changed = other.post(page_of(policy), {**form, "otherwise": "review", "_publish": "1"}, follow=True)
    assert "the draft was changed since admin handed it over" in changed.content.decode()
    assert PolicyVersion.objects.count() == 1
    other.post(page_of(policy), {**form_of(other, policy), "_propose": "1"})
    admin.post(page_of(policy), {**form_of(admin, policy), "_publish": "1"})
    latest = PolicyVersion.objects.order_by("number").last()
    assert (latest.number, latest.authored_by.username, latest.published_by.username) == (2, "other-admin", "admin")


def test_nothing_handed_over_is_nothing_to_publish(other, policy):
    refused = other.post(page_of(policy), {**form_of(other, policy), "_publish": "1"}, follow=True)
    assert "nothing was handed over to be published" in refused.content.decode()
