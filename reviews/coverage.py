"""Cases nobody could decide (settings.POLICY_CHECKS): found before one of them waits for ever."""

from collections.abc import Collection, Iterator, Mapping

from django.contrib.auth.models import Group

from orchestrator.models import AgentAccount, Workflow
from orchestrator.permissions import holders
from orchestrator.pinned import definition_of

from .models import Queue, ReviewLevel

Finding = tuple[str, str]  # (what it is about, what is wrong with it)


def uncovered() -> Iterator[Finding]:
    """Queues with too few people, levels without members, and requesters whose own cases nobody else could decide."""
    deciders = {queue.name: people_of(queue) for queue in Queue.objects.all()}
    for queue in Queue.objects.select_related("policy"):
        if len(deciders[queue.name]) < queue.policy.quorum:
            count = len(deciders[queue.name])
            yield f"queue {queue.name}", f"{count} people may decide; its policy asks for {queue.policy.quorum}"
    for level in ReviewLevel.objects.select_related("policy", "group"):
        if not members_of(level.group):
            yield f"review policy {level.policy}", f"its level {level.group} has no active member"
    for workflow in Workflow.objects.filter(is_active=True, current__isnull=False):
        yield from requesters_alone(workflow, deciders)


def people_of(queue: Queue) -> set[str]:
    return set(holders("decide", queue).values_list("username", flat=True))


def members_of(group: Group) -> set[str]:
    people = group.user_set.filter(is_active=True)
    return set(people.exclude(pk__in=AgentAccount.objects.values("user")).values_list("username", flat=True))


def requesters_alone(workflow: Workflow, deciders: Mapping[str, Collection[str]]) -> Iterator[Finding]:
    """Nobody decides what he asked for: without the requester there must still be enough people."""
    starters = holders("start_run", workflow).values_list("username", flat=True)
    steps = definition_of(workflow.current_id).steps.values()
    queues = Queue.objects.select_related("policy").filter(name__in={step.queue for step in steps if step.queue})
    for queue in queues:
        enough = len(deciders[queue.name]) >= queue.policy.quorum
        for starter in starters:
            if enough and len({*deciders[queue.name]} - {starter}) < queue.policy.quorum:
                why = f"{starter} may start it, and too few others may decide in queue {queue.name}"
                yield f"workflow {workflow.name}", why
