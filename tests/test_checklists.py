"""The checklists of the desk name the tests that hold them."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_test_the_checklists_name_is_there():
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs/checklists.md").read_text()))
    there = set(re.findall(r"^def (test_\w+)", "\n".join(p.read_text() for p in ROOT.glob("tests/**/*.py")), re.M))
    assert named
    assert named <= there, sorted(named - there)
