"""What must hold after any test that has moved a run."""

from orchestrator.invariants import check


def assert_invariants() -> None:
    """Fails with every violation there is."""
    violations = check()
    assert not violations, "\n".join(map(str, violations))
