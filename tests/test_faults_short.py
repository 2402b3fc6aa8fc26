"""The short set of the fault trials: real processes, killed and cut off; the books must agree afterwards."""

import os
import re
import subprocess
import sys

import pytest

from tests.services import PROJECT_DIR

pytestmark = [pytest.mark.slow, pytest.mark.processes]
SECONDS = 1500  # the set takes two minutes on a machine of its own; a busy one may take its time, and still be right


def test_nothing_is_lost_doubled_or_paid_against_a_refusal_whatever_dies(services):
    if services.vendor != "postgresql":
        pytest.skip("the trials start a PostgreSQL of their own; once is enough")
    environment = {name: value for name, value in os.environ.items() if name not in ("LONG", "DJANGO_SETTINGS_MODULE")}
    played = subprocess.run(
        [sys.executable, "-m", "tests.faults"],
        cwd=PROJECT_DIR,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    last = played.stdout.strip().rpartition("\n")[2]
    assert re.fullmatch(r"\d+ trials, 0 violations, \d+ s", last), f"{last}\n{played.stderr[-5000:]}"
    assert played.returncode == 0
