"""What a run is pinned to: its workflow version and policy version, parsed once per process."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID

from .definitions import Definition, from_json
from .models import PolicyVersion, Run, WorkflowVersion
from .policies.evaluate import PolicySet


@lru_cache(maxsize=512)
def definition_of(version_id: UUID) -> Definition:
    """The definition of a published version. Versions never change, so it is parsed once."""
    return from_json(WorkflowVersion.objects.values_list("definition", flat=True).get(pk=version_id))


@lru_cache(maxsize=512)
def policy_set_of(version_id: UUID) -> PolicySet:
    """The policy set of a published policy version."""
    return PolicySet.from_json(PolicyVersion.objects.values_list("content", flat=True).get(pk=version_id))


@lru_cache(maxsize=512)
def sample_percent_of(version_id: UUID) -> Decimal:
    """The share of runs this policy version draws for the quality sample."""
    return PolicyVersion.objects.values_list("sample_percent", flat=True).get(pk=version_id)


@dataclass(frozen=True, slots=True)
class Pinned:
    """What the engine needs to know of a run besides its data."""

    run_id: UUID
    version_id: UUID
    policy_version_id: UUID | None
    started_by_id: int
    input: Mapping[str, Any]
    round: int
    priority: int = 0
    parent_id: UUID | None = None
    spent: Mapping[str, Any] | None = None
    control: bool | None = None

    @property
    def definition(self) -> Definition:
        return definition_of(self.version_id)

    @property
    def policies(self) -> PolicySet | None:
        return policy_set_of(self.policy_version_id) if self.policy_version_id else None

    @classmethod
    def of(cls, run: Run) -> "Pinned":
        return cls(*(getattr(run, name) for name in ("pk", *PINNED[1:])))


PINNED = tuple(field.name for field in fields(Pinned))
