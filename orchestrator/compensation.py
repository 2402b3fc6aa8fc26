"""Taking back what was confirmed, the last effect first, before a run that was stopped may end.

Each is an effect of its own under its own key, done one after the other. Nothing named that takes an effect back, or a
refusal by the outside: an incident, which a person settles with a reason. Callers hold the run's lock.
"""

from datetime import datetime

from . import tasks
from .definitions import Step
from .models import Effect, Run, Task
from .pinned import definition_of


def owed(run: Run) -> Step | None:
    """The step that takes back the newest confirmed effect which nobody has taken back or waived; None: all are."""
    definition = definition_of(run.version_id)
    settled = set(run.tasks.filter(status__in=Task.DONE).values_list("step", flat=True))
    for effect in run.effects.filter(state=Effect.State.CONFIRMED).order_by("-ended_at", "-id"):
        step = definition.undo_of(effect.step)
        if step is not None and step.name not in settled:
            return step
    return None


def open_next(run: Run, now: datetime) -> bool:
    """Opens the step that is owed next. False: nothing is left to take back."""
    step = owed(run)
    if step is None:
        return False
    row = run.tasks.filter(step=step.name).first()
    if row is None or row.status in tasks.CLOSED:
        tasks.open_step(run, step, row, now)
    return True
