"""Taking back what another run did, after that run has ended: the step `run.take_back` of a run whose input names the
decision that is to be reversed. It has a part for each effect of the other run, the last first; each part is an
effect of this run, proposed to people, authorised and sent like any other. The run that has ended stays as it is."""

from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext_noop as _

from .definitions import PART, TAKES_BACK, Step
from .models import Decision, Effect, Run
from .pinned import definition_of

DECISION = "decision"  # the field of the input that names it
QUESTIONS = REVERSE, AGAIN, CLOSE, STOP = (
    _("Reverse this decision on {what}? Nothing was done outside."),
    _("Start {what} once more?"),
    _("Close this? Nothing of the decision on {what} stands any more."),
    _("Stop {what}, and take back what it has done?"),
)


def decision_reversed(given: dict[str, Any]) -> Decision | None:
    """The decision that the input of such a run names; None where it names none."""
    try:
        return Decision.objects.select_related("run").filter(pk=UUID(str(given.get(DECISION)))).first()
    except ValueError:
        return None


def reverses(run: Run) -> bool:
    """Whether this run is there to take back what another did."""
    return any(step.target == TAKES_BACK for step in definition_of(run.version_id).steps.values())


def case_reversed(run: Run) -> UUID | None:
    """The task whose answer this run is there to reverse; None where it is there for something else."""
    decision = decision_reversed(run.input) if reverses(run) else None
    return decision.task_id if decision else None


def parts_of(run: Run, step: Step) -> list[Step]:
    """The effects of one step: itself, but for one that takes back what another run did and nobody else has taken
    back. Nothing of a run that is still under way or that did not succeed: its own effects are taken back before it
    ends."""
    if step.target != TAKES_BACK:
        return [step]
    decision = decision_reversed(run.input)
    if decision is None or decision.run.status != Run.Status.SUCCEEDED:
        return []
    done = decision.run.effects.filter(state=Effect.State.CONFIRMED).order_by("-ended_at", "-id")
    ours = run.effects.values("takes_back")
    return [_part(step, effect) for effect in done.filter(Q(taken_back_at=None) | Q(pk__in=ours))]


def _part(step: Step, effect: Effect) -> Step:
    """Its target is empty where nothing is named that takes the effect back."""
    undo = definition_of(effect.run.version_id).undo_of(effect.step)
    target, title = (undo.target, undo.title) if undo else ("", f"Take back: {effect.step}")
    name = f"{step.name}{PART}{effect.step}"[:60]
    return Step(name, "effect", target, title, retry=step.retry, config={"takes_back": str(effect.pk)})


def effect_of(step: Step) -> Effect | None:
    """The effect of another run that this part takes back."""
    taken = step.config.get("takes_back")
    return Effect.objects.get(pk=taken) if taken else None


def question_of(run: Run) -> str:
    """What an approval means where nothing has to be taken back outside, by how the other run stands now; empty for a
    run that reverses nothing."""
    decision = decision_reversed(run.input) if reverses(run) else None
    if decision is None:
        return ""
    earlier = decision.run
    what = earlier.subject or definition_of(earlier.version_id).title
    if earlier.status in (Run.Status.SUCCEEDED, Run.Status.REJECTED):
        form = REVERSE if earlier.status == Run.Status.SUCCEEDED else AGAIN
    else:
        form = CLOSE if earlier.status in Run.ENDED else STOP
    return form.format(what=what)
