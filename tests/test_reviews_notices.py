"""Who is told what about a case."""

import pytest

from reviews.models import Notice
from reviews.notices import notify

from .cast import cast, waiting_bill

pytestmark = pytest.mark.django_db


def test_a_notice_is_left_for_somebody_else_and_never_for_oneself():
    everybody = cast()
    task = waiting_bill(everybody).task
    notify(everybody.second, "review.delegated", task, everybody.clerk)
    assert notify(everybody.clerk, "review.delegated", task, everybody.clerk) is None
    notice = Notice.objects.get()
    assert (notice.person, notice.actor, notice.read_at) == (everybody.second, everybody.clerk, None)
