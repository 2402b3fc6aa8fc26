"""The services a test run uses, named in the environment before Django reads its settings.

Loaded with `-p tests.services`: pytest-django reads the settings before any conftest.py, and a suite that sets
DATABASE_URL there passes on SQLite while it claims PostgreSQL. `TEST_DB=postgres` starts a private PostgreSQL and
Redis; without it everything runs on a SQLite file and the embedded broker. Under pytest-xdist the main process starts
the servers, each worker inherits their addresses and takes its own database, Redis number and directory.
"""

import atexit
import os
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from tests.servers import private_postgres, private_redis, temporary_directory

KINDS = {"sqlite": "sqlite", "postgres": "postgresql"}  # TEST_DB -> connection.vendor
PROJECT_DIR = Path(__file__).resolve().parent.parent
# What a developer may have exported for another purpose must not decide what the tests see.
FOREIGN = ("DEBUG", "ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS", "SECURE_PROXY_HEADER", "BASE_CURRENCY", "TIME_ZONE")
FOREIGN += ("ERP_BASE_URL", "EMAIL_URL", "LLM_PROVIDER", "LLM_BASE_URL", "LLM_MODEL", "LLM_API_KEY")
FOREIGN += (
    "METRICS_TOKEN",
    "DATABASE_LIMITS",
    "DOCUMENT_DIR",
    "DOCUMENT_MAX_BYTES",
    "AUDIT_SIGNING_KEY_FILE",
    "AUDIT_ORIGIN",
    "DJANGO_SETTINGS_MODULE",
)


def chosen_kind() -> str:
    kind = os.environ.get("TEST_DB") or "sqlite"
    if kind not in KINDS:
        raise ValueError(f"TEST_DB: {kind!r} is neither of {', '.join(KINDS)}")
    return kind


def start_services() -> None:
    """For the main process: servers that live until it ends, and a directory for all files."""
    stack = ExitStack()
    atexit.register(stack.close)
    for name in (*FOREIGN, "REDIS_URL"):
        os.environ.pop(name, None)
    var_dir = stack.enter_context(temporary_directory("countersign-tests-"))
    os.environ["VAR_DIR"] = str(var_dir)
    os.environ["SECRET_KEY"] = "known-to-everyone-and-good-for-tests-alone-0123456789"
    if chosen_kind() == "postgres":
        os.environ["DATABASE_URL"] = stack.enter_context(private_postgres())
        os.environ["REDIS_URL"] = stack.enter_context(private_redis()) + "/0"
    else:
        os.environ["DATABASE_URL"] = f"sqlite:///{var_dir / 'countersign.sqlite3'}"


def take_share(worker: str) -> None:
    """For worker `gwN` of pytest-xdist; its database name gets a suffix from pytest-django."""
    os.environ["VAR_DIR"] = str(Path(os.environ["VAR_DIR"]) / worker)
    if broker := os.environ.get("REDIS_URL"):
        number = int(worker.removeprefix("gw")) + 1
        os.environ["REDIS_URL"] = f"{broker.rpartition('/')[0]}/{number}"


def database_url() -> str:
    """The URL of the test database, for processes a test starts; valid once the database exists."""
    from django.db import connection

    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}"))


def process_environment(**changes: str) -> dict[str, str]:
    """The environment in which a process started by a test sees the same database, broker and files."""
    return {**os.environ, "DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "orchestrator.settings", **changes}


if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    take_share(worker)
else:
    start_services()
