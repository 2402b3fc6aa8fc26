"""The operator of a trial: settles incidents with a reason, by what the outside's own journal says."""

from collections.abc import Mapping
from typing import Any

from orchestrator import services
from orchestrator.models import Effect, Incident, Run
from orchestrator.resolving import choices_for

GIVEN_UP = ("effect-not-authorised",)


def settle_incidents(actor: Any, booked: Mapping[str, str], *, by_evidence: bool = False) -> int:
    """Resolves every open incident of runs that have not ended. `booked`: effect key -> the outside's reference.
    `by_evidence`: an effect in doubt is declared, not repeated: the outside would not know it again."""
    rows = Incident.objects.filter(resolved_at=None).exclude(run__status__in=Run.ENDED).select_related("run", "effect")
    settled = 0
    for incident in rows:
        choice, ref = choose(incident, booked, by_evidence=by_evidence)
        try:
            services.resolve_incident(
                incident_id=incident.pk,
                resolution=choice,
                reason="looked at the outside's journal",
                actor=actor,
                ref=ref,
            )
        except services.Conflict:
            continue
        settled += 1
    return settled


def choose(incident: Incident, booked: Mapping[str, str], *, by_evidence: bool) -> tuple[str, str]:
    effect, choices = incident.effect, choices_for(incident)
    if "retry" not in choices and "fail" in choices:
        return "fail", ""
    if effect is not None and effect.state == Effect.State.UNKNOWN:
        if not by_evidence:
            return "retry", ""
        return ("confirmed", booked[effect.key]) if effect.key in booked else ("failed", "")
    poisoned = incident.kind == "crash-loop" and incident.run.input.get("poison")
    if (poisoned or incident.kind in GIVEN_UP) and "fail" in choices:
        return "fail", ""
    return "retry", ""
