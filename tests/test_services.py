"""A run that names PostgreSQL, Redis and a browser really uses them."""

import os

import pytest
import redis
from django.conf import settings
from django.db import connection

from tests.conftest import Services


def test_the_database_is_the_one_this_run_was_asked_for(db: None, services: Services) -> None:
    assert connection.vendor == services.vendor
    with connection.cursor() as cursor:
        cursor.execute("SELECT sqlite_version()" if services.vendor == "sqlite" else "SHOW server_version_num")
        assert cursor.fetchone()[0]


def test_the_broker_is_redis_exactly_when_the_database_is_postgresql(services: Services) -> None:
    assert bool(services.redis_url) == (services.vendor == "postgresql")
    assert services.redis_url == settings.REDIS_URL


def test_redis_answers_a_ping(services: Services) -> None:
    if not services.redis_url:
        pytest.skip("this run is the one on SQLite and the embedded broker")
    assert redis.Redis.from_url(services.redis_url).ping() is True


def test_nothing_is_written_into_the_project(services: Services) -> None:
    for place in (settings.VAR_DIR, settings.DOCUMENT_DIR, settings.STATIC_ROOT):
        assert not place.resolve().is_relative_to(settings.BASE_DIR), place
        assert place.is_relative_to(services.var_dir), place


def test_each_parallel_worker_has_a_database_and_a_broker_of_its_own(db: None, services: Services) -> None:
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None:
        pytest.skip("this run is not parallel")
    assert str(connection.settings_dict["NAME"]).endswith(f"_{worker}")
    assert services.var_dir.name == worker


def test_the_browser_shows_the_sign_in_page(page, live_server) -> None:
    page.goto(f"{live_server.url}/accounts/login/")
    assert "Countersign" in page.title()


@pytest.mark.django_db(transaction=True)
def test_a_worker_process_is_ready_on_this_broker(celery_worker_process) -> None:
    assert celery_worker_process.poll() is None


@pytest.mark.django_db(transaction=True)
def test_the_append_only_guards_stand_in_transactional_tests_too() -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT count(*) FROM sqlite_master WHERE type = 'trigger'")
        else:
            cursor.execute("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'O'")
        assert cursor.fetchone()[0] > 0
        if connection.vendor == "postgresql":
            cursor.execute("SHOW session_replication_role")
            assert cursor.fetchone()[0] == "origin"
