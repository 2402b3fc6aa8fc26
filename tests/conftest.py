"""Fixtures every test may use: the services of this run, a browser, a real worker process."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from django.utils import translation

from tests.guards import empty_quickly
from tests.invariants import assert_invariants
from tests.servers import running, wait_until
from tests.services import KINDS, PROJECT_DIR, chosen_kind, process_environment

# Playwright's synchronous API runs an event loop in the test's thread, where Django would refuse the database.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
empty_quickly()

OUTCOMES: pytest.StashKey[dict[str, bool]] = pytest.StashKey()
QUIET = ["--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
MARKED_BY_FIXTURE = {"page": "browser", "celery_worker_process": "processes"}

BY_SERVICES = {"django_db", "db", "transactional_db", "live_server", "services", "broker", *MARKED_BY_FIXTURE.values()}


@dataclass(frozen=True)
class Services:
    """Which real services this run uses."""

    vendor: str  # what connection.vendor must say
    database_url: str
    redis_url: str  # empty: the embedded broker
    var_dir: Path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for fixture, marker in MARKED_BY_FIXTURE.items():
            if fixture in getattr(item, "fixturenames", ()) or marker in item.path.parts:
                item.add_marker(marker)
        marked = {marker.name for marker in item.iter_markers()} | set(getattr(item, "fixturenames", ()))
        if not marked & BY_SERVICES:
            item.add_marker("alike")
    items.sort(key=lambda item: "slow" not in item.keywords)  # so that nobody waits for the longest one at the end


@pytest.fixture(autouse=True)
def language_of_the_source() -> None:
    """The page a test before this one asked for has left its language to whatever comes after it in this thread."""
    translation.deactivate()


@pytest.fixture(autouse=True)
def invariants_hold(request: pytest.FixtureRequest) -> Iterator[None]:
    """What must be true of a database is true after every test that has one, unless the test is there to break it."""
    yield
    marked = {marker.name for marker in request.node.iter_markers()}
    if "django_db" in marked and "breaks_invariants" not in marked and not failed(request.node):
        assert_invariants()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    item.stash.setdefault(OUTCOMES, {})[report.when] = report.passed
    return report


def failed(item: pytest.Item) -> bool:
    """A test that failed has said what is wrong."""
    return not item.stash.get(OUTCOMES, {}).get("call", False)


@pytest.fixture
def one_day() -> None:
    """What the test does, it does on one day: what is left of this one is waited for where it is less than a minute."""
    now = datetime.now(UTC)
    left = datetime.combine(now.date() + timedelta(days=1), time.min, UTC) - now
    if left < timedelta(minutes=1):
        sleep(left.total_seconds() + 0.1)


@pytest.fixture(scope="session")
def services() -> Services:
    return Services(
        vendor=KINDS[chosen_kind()],
        database_url=os.environ["DATABASE_URL"],
        redis_url=os.environ.get("REDIS_URL", ""),
        var_dir=Path(os.environ["VAR_DIR"]),
    )


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """The system's Chromium; `make test` installs it where it is missing."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    arguments = [*QUIET, "--no-first-run", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    return {**browser_type_launch_args, "executable_path": executable, "args": arguments}


@pytest.fixture
def celery_worker_process(transactional_db: None, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A real worker on the test's database and broker; it is ready when the test begins."""
    command = [sys.executable, "-m", "celery", "-A", "orchestrator", "--workdir", str(PROJECT_DIR), "worker"]
    options = ["-P", "threads", "-c", "2", "-l", "INFO", "--without-gossip", "--without-mingle"]
    log = tmp_path / "worker.log"
    with running([*command, *options], log, signal.SIGTERM, env=process_environment()) as process:
        wait_until(lambda: " ready." in log.read_text(errors="replace"), "the Celery worker", process, log)
        yield process
