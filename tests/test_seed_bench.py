"""`seed_bench`: content for measurements has what it was asked to have, in the shape real work leaves behind."""

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from guardian.models import UserObjectPermission

from audit.models import Event, Pending
from orchestrator.models import Decision, Run, Task
from reviews.models import Review

from .cast import cast, waiting_bill

pytestmark = [pytest.mark.django_db, pytest.mark.breaks_invariants]  # bulk rows tell no story


def seeded(**wanted: int) -> None:
    call_command("seed_bench", verbosity=0, **wanted)


def test_as_many_rows_are_made_as_were_asked_for():
    seeded(reviews=120, tasks=25, events=30, grants=150)
    assert Review.objects.filter(status="open").count() == 120
    assert Task.objects.filter(status="succeeded").count() == Decision.objects.count() == 25
    assert Event.objects.count() == Pending.objects.count() == 30
    assert UserObjectPermission.objects.count() == 150


def test_a_second_call_adds_to_the_first():
    seeded(reviews=10, tasks=10, grants=100)
    seeded(reviews=10, tasks=10, grants=200)
    assert (Review.objects.count(), Decision.objects.count(), UserObjectPermission.objects.count()) == (20, 20, 200)


def test_a_granted_person_finds_the_reviews_on_the_queue_page(client):
    seeded(reviews=60, grants=100)
    client.force_login(get_user_model().objects.get(username="bench-00000"))
    page = client.get("/queue/").content.decode()
    assert page.count("INV-00000") >= 50  # a page holds fifty


def test_a_seeded_review_can_be_read_as_a_case(client):
    seeded(reviews=1, grants=100)
    client.force_login(get_user_model().objects.get(username="bench-00000"))
    review = Review.objects.get()
    assert review.number in client.get(f"/cases/{review.task_id}/").content.decode()
    assert review.run.status == Run.Status.WAITING


def test_a_database_in_which_somebody_works_is_left_alone():
    waiting_bill(cast())
    before = Review.objects.count()
    with pytest.raises(CommandError, match="DATABASE_URL"):
        seeded(reviews=1)
    assert Review.objects.count() == before
