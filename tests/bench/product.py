"""The product, made ready to be measured: schema, three rules in force, the trail on, workflows W1, W2 and W3."""

import os
import uuid
from collections.abc import Iterator
from typing import Any

from .servers import Servers

HISTORY_RUNS = 2_000  # an empty database has plans that no installation in use ever sees
POLICY = """
policy: bench
title: Measured
vocabulary: {confidence: float, asked: bool}
otherwise: continue
rules:
  - {name: asked, when: asked, route: review, reason: A person was asked for.}
  - {name: unsure, when: confidence < 0.5, route: review, reason: "Only {confidence} sure."}
  - {name: lost, when: confidence < 0.1, route: escalate, reason: "Only {confidence} sure."}
"""
HEAD = "workflow: {name}\ntitle: Measured\ninput: {{asked: boolean}}\npolicies: bench\n"
HEAD += "facts: {{confidence: {{confidence: s0}}, asked: input.asked}}\nsteps:\n"


def steps(name: str, rows: dict[str, str]) -> str:
    """A workflow's YAML from its steps."""
    return HEAD.format(name=name) + "".join(f"  {step}: {{{row}}}\n" for step, row in rows.items())


def line(length: int) -> str:
    rows = {f"s{n}": f"agent: test.count, needs: [{f's{n - 1}' if n else ''}]" for n in range(length)}
    return steps("w1", rows)


def fan(width: int) -> str:
    branches = [f"p{n}" for n in range(width)]
    rows = {"s0": "agent: test.count", **dict.fromkeys(branches, "agent: test.count, needs: [s0]")}
    return steps("w2", rows | {"j": f"join: all, needs: [{', '.join(branches)}]", "z": "agent: test.count, needs: [j]"})


def with_review() -> str:
    rows = {"s0": "agent: test.count", "s1": "agent: test.count, needs: [s0]", "r": "review: bench, needs: [s1]"}
    return steps("w3", rows | {"s3": "agent: test.count, needs: [r]"})


def set_up(servers: Servers) -> None:
    """Points this process at the servers and loads Django. Once, before anything of the product is imported."""
    os.environ.update(servers.as_environment())
    import django

    django.setup()


def prepare() -> None:
    """Schema, people, policy, queue, workflows and a little history."""
    from django.core.management import call_command

    take_as_long_as_it_takes()
    call_command("migrate", verbosity=0)
    from orchestrator import services
    from reviews.models import Queue, ReviewPolicy

    services.save_policy(source=POLICY, actor=people()["requester"], second=people()["reviewer"])
    alone = ReviewPolicy.objects.create(name="bench", quorum=1, undo_seconds=0)
    queue = Queue.objects.create(name="bench", title="Measured", policy=alone)
    for source in (line(10), fan(8), with_review()):
        services.save_workflow(source=source, actor=people()["requester"], second=people()["reviewer"])
    let_decide(people()["reviewer"], queue)
    call_command("seed_bench", tasks=HISTORY_RUNS * 10, events=HISTORY_RUNS * 20, verbosity=0)
    announce_ends()


def people() -> dict[str, Any]:
    """Who starts the runs and who decides them: never the same person."""
    from django.contrib.auth import get_user_model

    names = ("requester", "reviewer")
    return {name: get_user_model().objects.get_or_create(username=f"bench-{name}")[0] for name in names}


def let_decide(person: Any, queue: Any) -> None:
    from guardian.shortcuts import assign_perm

    for permission in ("reviews.view_queue", "reviews.decide"):
        assign_perm(permission, person, queue)


def take_as_long_as_it_takes() -> None:
    """As commands may: this process loads and clears up. The worker keeps the limits it has in production."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")


def announce_ends() -> None:
    """The finishing line: a trigger of this database tells the key of a run once its end is committed."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("""
            CREATE OR REPLACE FUNCTION bench_ended() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN PERFORM pg_notify('bench_ended', NEW.key); RETURN NULL; END $$""")
        cursor.execute("""
            CREATE OR REPLACE TRIGGER bench_ended AFTER UPDATE OF ended_at ON orchestrator_run
            FOR EACH ROW WHEN (OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL) EXECUTE FUNCTION bench_ended()""")


class Ends:
    """Hears the keys of runs that have ended."""

    def __init__(self, database_url: str) -> None:
        import psycopg

        self.connection = psycopg.connect(database_url, autocommit=True)
        self.connection.execute("LISTEN bench_ended")

    def __enter__(self) -> "Ends":
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def heard(self, timeout: float = 60.0) -> Iterator[str]:
        """Keys as they come; ends when none came for `timeout` seconds."""
        while True:
            came = list(self.connection.notifies(timeout=timeout, stop_after=1))
            if not came:
                return
            yield from (notice.payload for notice in came)


class Starter:
    """Starts runs of one workflow under keys that tell, when they end, which number it was."""

    def __init__(self, workflow: str, *, asked: bool = False) -> None:
        self.workflow, self.input, self.requester = workflow, {"asked": asked}, people()["requester"]

    def start(self, number: int) -> Any:
        from orchestrator import services

        key = f"{uuid.uuid4().hex}/{number}"
        return services.start_run(workflow=self.workflow, input=self.input, actor=self.requester, key=key)[0]
