"""What probes are told, with and without a database and a broker."""

import pytest
from django.db import connection

from orchestrator import recovery

from .trail import happened


def test_liveness_asks_nobody(client):
    """No database is allowed in this test."""
    answer = client.get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok")


@pytest.mark.django_db
def test_readiness_tells_of_database_broker_workers_and_what_waits(client):
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (
        200,
        {"ready": True, "database": True, "broker": True, "workers": 0, "oldest_pending_seconds": None},
    )
    recovery.beat("worker-1")
    happened()
    told = client.get("/readyz").json()
    assert told["workers"] == 1
    assert told["oldest_pending_seconds"] >= 0


@pytest.mark.django_db
def test_a_broker_that_is_away_makes_it_unready(client, settings, tmp_path):
    settings.REDIS_URL, settings.BROKER_DIR = "", tmp_path / "gone"
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["ready"], answer.json()["broker"]) == (503, False, False)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert client.get("/readyz").status_code == 503


@pytest.mark.breaks_invariants  # there is no database to ask
@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_away_makes_it_unready(client, monkeypatch):
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "NAME", "/nowhere/at/all")
    monkeypatch.setitem(connection.settings_dict, "PORT", "1")
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"ready": False, "database": False, "broker": True})
    connection.close()


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_only_look(client, path):
    assert client.post(path).status_code == 405
