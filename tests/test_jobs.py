"""Celery's entry points outlive a database that went away."""

import pytest
from django.db import OperationalError, connection, connections

from orchestrator import jobs

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("job", [jobs.work, jobs.work_slowly, jobs.sweep])
def test_a_job_that_lost_its_connection_leaves_the_next_one_a_new_one(job, services):
    if services.vendor != "postgresql":
        pytest.skip("SQLite has no connection to lose")
    job.run()
    cut_off()
    with pytest.raises(OperationalError):
        job.run()
    job.run()


def cut_off() -> None:
    """The server ends this process's connection, as it does when it is stopped."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        mine = cursor.fetchone()[0]
    other = connections["default"].copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [mine])
    other.close()
