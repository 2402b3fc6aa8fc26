"""What must hold after any test that has moved a run."""


def assert_invariants() -> None:
    """Fails with every violation there is; asks nothing where no run was started."""
    from orchestrator.invariants import check
    from orchestrator.models import Run

    violations = check() if Run.objects.exists() else []
    assert not violations, "\n".join(map(str, violations))
