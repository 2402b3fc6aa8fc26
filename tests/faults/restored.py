"""F17, F18: the database is set back to a dump taken while work was under way, and the outside is not.

Then as the README says: before any worker starts, `after_restore` compares with the outside; an operator settles
what it found and tells people what was paid; another person releases the hold.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from tests.servers import postgres_binaries

from . import programs
from .people import People
from .world import World, patiently

DATABASE, BESIDE = "postgres", "template1"
ASKED, BY_STATEMENT = "booked", "strangers"
LOST = {ASKED: "bookings.forgotten", BY_STATEMENT: "runs.forgotten"}
BOOKINGS = {ASKED: 4, BY_STATEMENT: 8}  # what the outside is to do in the time that is lost
ENOUGH = 8.0  # seconds in which it does, or the machine is too slow for more
HELD = 2.0  # seconds in which the workers run and nothing may go out


def set_back(world: World, how: str) -> Iterator[float]:
    """ASKED: every run is in the dump, and the outside is asked for each key. BY_STATEMENT: runs begun after it are
    gone, and their requesters begin them anew; the outside says all it has booked."""
    people: People = world.people
    while not (people.started.is_set() or (how == BY_STATEMENT and len(people.runs) > len(people.wanted) // 3)):
        yield 0.05
    kept = {nonce for nonce, said in list(people.said.items()) if said.answers}
    dump(world)
    before = len(world.journal())
    for _ in range(int(ENOUGH / 0.1)):
        if len(world.journal()) >= before + BOOKINGS[how]:
            break
        yield 0.1
    world.stop_product()
    restore(world)
    found = compare(world, how)
    world.forgotten |= {booking["key"] for booking in found["booked"]} | set(found["strangers"])
    people.paid |= set(found["incidents"])
    if found[how]:
        world.note(LOST[how])
    booked = len(world.journal())
    world.start_product()
    people.forget(nonce for nonce in list(people.said) if nonce not in kept)
    yield HELD
    if len(world.journal()) > booked:
        world.complaints.append("F18 an effect went out before anybody released the hold")
    people.start_again(patiently(lambda: gone(people)))
    patiently(release)


def dump(world: World) -> None:
    """As an operator takes a backup: while everything works."""
    postgres_tool(world, "pg_dump", "--format=custom", f"--file={world.folder}/backup", DATABASE)


def restore(world: World) -> None:
    from django.db import connection

    connection.close()
    postgres_tool(world, "dropdb", "--force", f"--maintenance-db={BESIDE}", DATABASE)
    postgres_tool(world, "createdb", f"--maintenance-db={BESIDE}", f"--template={BESIDE}", DATABASE)
    postgres_tool(world, "pg_restore", "--exit-on-error", f"--dbname={DATABASE}", str(world.folder / "backup"))


def postgres_tool(world: World, name: str, *options: str) -> None:
    place = ["--host=127.0.0.1", f"--port={world.ports['postgres']}", "--username=app"]
    subprocess.run([str(postgres_binaries() / name), *place, *options], check=True, capture_output=True)


def compare(world: World, how: str) -> dict[str, Any]:
    """`manage.py after_restore`; the outside's statement is its journal."""
    command = [sys.executable, str(programs.PROJECT / "manage.py"), "after_restore", "--as", "admin", "--json"]
    if how == BY_STATEMENT:
        command += ["--statement", str(world.folder / "journal.jsonl")]
    environment = {**os.environ, **world.environment(), "FAULT_FOLDER": ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout or "{}")
    if done.returncode != int(bool(found["incidents"] or found["strangers"])):
        world.complaints.append(f"F18 after_restore ended with {done.returncode}: {done.stderr[-500:]}")
    return found


def gone(people: People) -> list[str]:
    from orchestrator.models import Run

    known = {str(pk) for pk in Run.objects.filter(pk__in=list(people.runs)).values_list("pk", flat=True)}
    return [pk for pk in list(people.runs) if pk not in known]


def release() -> None:
    from orchestrator import services
    from orchestrator.models import Hold
    from tests.cast import second_admin

    services.release_hold(hold_id=Hold.objects.get(released_at=None).pk, actor=second_admin())
