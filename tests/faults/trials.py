"""The trials: what is done to the product while people work with it.

Each fault is a generator over a running world. It yields how many seconds to wait; between its steps the world is
tended. It ends when it has done its worst.
"""

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import points, programs, restored
from .proxy import CUTS, STALL
from .world import World

Fault = Callable[[World], Iterator[float]]
SQLITE, OWN_CLOCK = "sqlite", "postgres on its own clock"
GIVE_UP = 20.0  # seconds after which an armed fault that nobody met is not waited for


@dataclass(frozen=True)
class Trial:
    """One cell: `runs` bills in the short and in the long set (0: not in it), and how the world is set up."""

    name: str
    fault: Fault
    short: int = 0
    long: int = 40
    product: Mapping[str, Any] = field(default_factory=dict)  # for World.start_product
    erp: Mapping[str, Any] = field(default_factory=dict)
    poison: int = 0
    hanging: int = 0
    by_evidence: bool = False
    disk: int = 0  # megabytes of a database disk of its own
    database: str = ""  # SQLITE or OWN_CLOCK; else PostgreSQL as it is
    happens: str = ""  # the point or deed that must have been seen, or the trial proves nothing


def armed(point: str, *actions: str, times: int = 5) -> Fault:
    """The same point again and again, one process at a time, with each of the actions in turn."""

    def fault(world: World) -> Iterator[float]:
        for number in range(times):
            path = world.arming.arm(point, actions[number % len(actions)])
            yield from until_gone(world, path)
            yield 0.4

    return fault


def until_gone(world: World, path: Path) -> Iterator[float]:
    """Until somebody has taken it; not for ever, and not when all work is done."""
    waited = 0.0
    while path.exists() and waited < GIVE_UP and not world.over:
        yield 0.1
        waited += 0.1


def calm(world: World) -> Iterator[float]:
    """No fault: what the others are compared with."""
    yield 0.0


def flushed(world: World) -> Iterator[float]:
    """F09."""
    for _ in range(4):
        yield 0.8
        world.redis_says("FLUSHALL")
        world.note("redis.flushed")


def broker_killed(world: World) -> Iterator[float]:
    """F10: three seconds without a broker, which comes back empty."""
    yield 1.0
    world.redis.kill()
    world.note("redis.killed")
    yield 3.0
    world.redis.start()


def database_stopped(world: World) -> Iterator[float]:
    """F14: immediate stop, four times."""
    for _ in range(4):
        yield 1.5
        world.postgres.send(signal.SIGQUIT)
        while world.postgres.is_alive():
            yield 0.05
        world.note("postgres.stopped")
        world.postgres.start()
        while not programs.postgres_answers(world.ports["postgres"]):
            yield 0.1


def cut_at_commit(times: int) -> Fault:
    """F15: every other time the server has committed and nobody hears of it."""

    def fault(world: World) -> Iterator[float]:
        for number in range(times):
            path = world.arming.arm(CUTS[number % 2], "cut")
            yield from until_gone(world, path)
            yield 0.15

    return fault


def half_open(world: World) -> Iterator[float]:
    """F16: connections that lead nowhere for 20 seconds, held by whoever happens to use them."""
    for _ in range(4):
        yield from until_gone(world, world.arming.arm(STALL, "stall"))
        yield 2.0


def two_schedulers(world: World) -> Iterator[float]:
    """F06: both tick; one is killed, then the other."""
    environment = world.environment()
    both = [programs.scheduler(number, world.folder, environment) for number in (1, 2)]
    for program in both:
        world.add(program)
    yield 5.0
    for program in both:
        program.kill()  # tended: it is started again
        world.note("scheduler.killed")
        yield 2.0


def bad_messages(world: World) -> Iterator[float]:
    """F12: real messages a hundred times over, and what no program of ours ever sent."""
    for round_ in range(3):
        yield 0.7
        message = newest_message(world)
        for body in (*[message] * 100, *malformed(message)):
            world.redis_says("LPUSH", "engine", body)
        world.note(f"messages.pushed-{round_}")


def newest_message(world: World) -> bytes:
    """A real one, made by the product itself in a queue that no worker looks into."""
    from orchestrator import dispatch

    dispatch.app.send_task(dispatch.WORK, queue="copies", ignore_result=True)
    answer = world.redis_says("LPOP", "copies")
    return answer.split(b"\r\n", 1)[1].rsplit(b"\r\n", 1)[0]


def malformed(message: bytes) -> list[bytes]:
    """Parsable envelopes with nonsense in them: unknown job, other arguments, no body, another type."""
    return [
        b"no message at all",
        message.replace(b"countersign.work", b"countersign.shirk"),
        message.replace(b'"body": "', b'"body": "AAAA'),
        message.replace(b"application/json", b"application/x-python-serialize"),
        message.replace(b'"retries": 0', b'"retries": "many"'),
    ]


def frozen_web(world: World) -> Iterator[float]:
    """F39: a web process is frozen with a run's row locked."""
    yield from armed("decide.after_lock", "freeze", times=2)(world)


def wrong_clocks(world: World) -> Iterator[float]:
    """F07: the workers' clocks are hours off. A library that was not loaded would prove nothing."""
    yield 0.5
    if all("libfaketime" in Path(f"/proc/{program.pid}/maps").read_text() for program in world.workers):
        world.note("clocks.wrong")


def database_clock_jumps(world: World) -> Iterator[float]:
    """F08: the clock of the database's host jumps ahead, twice: every lease there is ends at once."""
    for ahead in (30, 90):
        yield 2.0
        world.set_clock(ahead)
        world.note("clock.jumped")
    yield 3.0


def six_processes(world: World) -> Iterator[float]:
    """F42: two of the web and four workers write to one file, and are killed in the middle of it."""
    for point in ("record.before_commit", "decide.before_commit", "grant.after_commit", "record.after_commit"):
        yield from armed(point, "kill", times=2)(world)


def deaf_parent(world: World) -> Iterator[float]:
    """F04: a worker's parent is alive and answers nothing; its children run. The others finish."""
    for program in world.workers[:1]:
        yield 1.0
        program.send(signal.SIGSTOP)
        world.note("parent.stopped")
        yield 8.0
        program.send(signal.SIGCONT)


def disk_filled(world: World) -> Iterator[float]:
    """F19: no byte is free for three seconds, twice; a database that gave up is started again."""
    for _ in range(2):
        yield 2.0
        ballast = fill(world.database_folder)
        world.note("disk.filled")
        yield 3.0
        ballast.unlink()
        yield 0.5
        while not programs.postgres_answers(world.ports["postgres"]):
            if not world.postgres.is_alive():
                world.postgres.start()
            yield 0.2


def fill(folder: Path) -> Path:
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return ballast


def restored_from(how: str) -> Fault:
    """F17, F18."""
    return lambda world: restored.set_back(world, how)


def everything(world: World) -> Iterator[float]:
    """Soak: kills, freezes and a misbehaving outside at once."""
    yield from (wait for pair in zip_faults(world) for wait in pair)


def zip_faults(world: World) -> Iterator[Iterator[float]]:
    for number, point in enumerate((*points.WORKER, *points.WEB)):
        action = ("kill", "kill-group", "freeze")[number % 3] if point in points.WORKER else "kill"
        yield armed(point, action, times=1)(world)


MISBEHAVIOUR = {
    "ok": 4,
    "fail_before": 2,
    "fail_after": 2,
    "hang_before": 1,
    "hang_after": 1,
    "reset": 2,
    "twice": 1,
    "wrong_ref": 1,
    "garbage": 1,
    "busy": 1,
}


def worker_trials() -> list[Trial]:
    """F01, F02, F03: every point, killed alone, killed with all around it, and frozen past the lease."""
    briefly = {"grant.after_commit": 10, "call.after_send": 10, "record.before_commit": 10}
    found = []
    for point in points.WORKER:
        killed = armed(point, "kill", "kill-group", times=6)
        found.append(Trial(f"kill at {point}", killed, briefly.get(point, 0), happens=point))
    for point in points.WORKER[:1] + points.WORKER[2:7]:
        short = 10 if point == "call.after_response" else 0
        frozen = armed(point, "freeze", "freeze-group", times=2)
        found.append(Trial(f"freeze at {point}", frozen, short, happens=point))
    return found


def web_trials() -> list[Trial]:
    """F05."""
    short = {"decide.after_commit": 10}
    return [
        Trial(f"web killed at {point}", armed(point, "kill", times=5), short.get(point, 0), happens=point)
        for point in points.WEB
    ]


CLOCKS = ("+3600", "-7200", "+86400")

TRIALS: Sequence[Trial] = (
    Trial("calm", calm),
    *worker_trials(),
    *web_trials(),
    Trial("web frozen with a lock", frozen_web, happens="decide.after_lock"),
    Trial("child killed", armed("grant.after_commit", "kill", times=10), happens="grant.after_commit"),
    Trial("worker's parent is deaf", deaf_parent, happens="parent.stopped"),
    Trial("two schedulers", two_schedulers, happens="scheduler.killed"),
    Trial("redis flushed", flushed, 10, happens="redis.flushed"),
    Trial("redis killed", broker_killed, 10, happens="redis.killed"),
    Trial("postgres stopped four times", database_stopped, 10, happens="postgres.stopped"),
    Trial("cut at commit", cut_at_commit(40), 12, product={"by_proxy": True}, happens="commit.unanswered"),
    Trial("half-open connection", half_open, product={"by_proxy": True}, happens=STALL),
    Trial("disk full", disk_filled, disk=160, happens="disk.filled"),
    Trial("wrong clocks", wrong_clocks, 10, product={"clocks": CLOCKS}, happens="clocks.wrong"),
    Trial("database's clock jumps", database_clock_jumps, database=OWN_CLOCK, happens="clock.jumped"),
    Trial("SQLite, six processes", six_processes, database=SQLITE, happens="record.before_commit"),
    Trial("bad messages", bad_messages, 10, happens="messages.pushed-2"),
    Trial("poison", calm, 8, poison=1),
    Trial("functions that never return", calm, hanging=12),
    Trial("outside misbehaves", calm, 12, 60, erp={"weights": MISBEHAVIOUR, "seed": 7}),
    Trial(
        "outside forgets keys",
        armed("call.after_response", "kill", times=4),
        product={"FAULT_RETENTION": "2"},
        erp={"weights": {"ok": 3, "fail_after": 1, "reset": 1}, "forget_after": 2.0},
        by_evidence=True,
        happens="call.after_response",
    ),
    *(
        Trial(f"database restored, {words}", restored_from(how), happens=restored.LOST[how])
        for how, words in ((restored.ASKED, "keys asked"), (restored.BY_STATEMENT, "by statement"))
    ),
    Trial("outside sends us elsewhere", calm, erp={"weights": {"ok": 6, "elsewhere": 1}}),
    *(
        Trial(f"everything at once, {number}", everything, 0, 60, erp={"weights": MISBEHAVIOUR, "seed": number})
        for number in (1, 2, 3)
    ),
)


def chosen(long: bool) -> list[Trial]:
    return [trial for trial in TRIALS if (trial.long if long else trial.short)]
