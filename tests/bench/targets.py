"""The targets that need no peer, one function each: what it measured, as plain data, with the limits beside it."""

import gzip
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import flows, product
from .cpu import percentile, resident_bytes, tree_pids
from .pages import p7_queue_page, p8_case, p8_queue_and_poll
from .past import p6_past_tasks
from .recording import p8_record
from .servers import Servers
from .workers import PROJECT, worker

MIB = 1024 * 1024
RULES = 100
RUNS = 300
BESIDE_PEERS = "the ratio to peers, which tests/bench/rounds.sh measures in rounds beside them"


@dataclass(frozen=True, slots=True)
class Bench:
    """What a target may use: the servers, a worker's process, and the ends of runs. `scale` 1 is the full size."""

    servers: Servers
    worker: subprocess.Popen[bytes]
    ends: product.Ends
    scale: float

    @property
    def pids(self) -> tuple[int, ...]:
        return (os.getpid(), self.worker.pid, *self.servers.pids)

    def sized(self, number: int) -> int:
        return max(20, round(number * self.scale))

    def measure(self, workflow: str, runs: int, in_flight: int) -> flows.Flow:
        return flows.measure(workflow, self.ends, self.pids, runs=self.sized(runs), in_flight=in_flight)


@contextmanager
def prepared(servers: Servers, scale: float) -> Iterator[Bench]:
    """The product with a worker that has finished its first runs."""
    product.set_up(servers)
    product.prepare()
    with worker(servers.var_dir / "worker.log") as process, product.Ends(servers.database_url) as ends:
        bench = Bench(servers, process, ends, scale)
        flows.measure("w1", ends, bench.pids, runs=20, in_flight=10)
        yield bench


def p2_cpu_per_step(bench: Bench) -> dict[str, Any]:
    """W1 with 100 in flight: CPU of all processes per durable step, and the rates beside it."""
    found = bench.measure("w1", RUNS, 100).as_json(steps=10)
    return {**found, "value": found["cpu_ms_per_step"], "unit": "ms", "must": 2.5, "aim": 1.2}


def p1_throughput(bench: Bench) -> dict[str, Any]:
    """W1 with 100 in flight: our own rate of a ratio to peers."""
    found = bench.measure("w1", RUNS, 100).as_json(steps=10)
    return {**found, "value": found["steps_per_s"], "unit": "steps/s", "not_measured": BESIDE_PEERS}


def p3_one_in_flight(bench: Bench) -> dict[str, Any]:
    """W1, one at a time: our own time of a ratio to a peer."""
    found = bench.measure("w1", 40, 1).as_json(steps=10)
    return {**found, "value": found["p50_ms"], "unit": "ms", "not_measured": BESIDE_PEERS}


def p4_fan(bench: Bench) -> dict[str, Any]:
    """W2: our own rate of a ratio to peers. Ten business steps and the join, which is not counted."""
    found = bench.measure("w2", 100, 100).as_json(steps=10)
    return {**found, "value": found["runs_per_s"], "unit": "runs/s", "not_measured": BESIDE_PEERS}


def p5_decision_latency(bench: Bench) -> dict[str, Any]:
    """W3: from a person's decision to the end of the step after it; the spread has a limit of its own."""
    taken = flows.decision_latencies(bench.ends, runs=bench.sized(200))
    p50, p95 = (percentile(taken, share) * 1000 for share in (0.5, 0.95))
    spread = round(p95 / p50, 2)
    found = {"p50_ms": round(p50, 2), "p95_ms": round(p95, 2), "not_measured": BESIDE_PEERS}
    return {**found, "value": spread, "unit": "p95/p50", "must": 3, "aim": 2}


def p10_policy_set(bench: Bench) -> dict[str, Any]:
    """A hundred compiled rules over one case, a quarter of which fire."""
    from orchestrator.policies.evaluate import PolicySet, Rule, evaluate_policy
    from orchestrator.policies.facts import Facts

    rules = tuple(Rule(f"r{n}", f"amount > {n * 10}.00 && known", "review", "{amount}", order=n) for n in range(RULES))
    policies = PolicySet("bench", 1, {"amount": "money", "known": "bool"}, rules, "continue")
    facts = Facts({"amount": 25_000, "known": True}, finished=frozenset({"amount", "known"}))
    taken = list(timed(lambda: evaluate_policy(policies, facts), 300))
    return {"rules": RULES, "value": round(percentile(taken, 0.5) * 1000, 3), "unit": "ms", "must": 2, "aim": 0.5}


def timed(act: Callable[[], object], times: int) -> Iterator[float]:
    for _ in range(times):
        began = time.perf_counter()
        act()
        yield time.perf_counter() - began


def p11_worker_memory(bench: Bench) -> dict[str, Any]:
    """Resident memory of the largest process of a worker at rest, after it has worked."""
    largest = max(resident_bytes(pid) for pid in tree_pids(bench.worker.pid))
    return {"value": round(largest / MIB, 1), "unit": "MiB", "must": 150, "aim": 110}


def p9_export(bench: Bench) -> dict[str, Any]:
    """Rows per second of a JSONL export against COPY of the same rows, in the same order. The median of three, taken
    in turn."""
    from django.core.management import call_command

    call_command("seed_bench", events=bench.sized(200_000), verbosity=0)
    pairs = [(copied(), exported(bench.servers.var_dir / "trail.jsonl")) for _ in range(3)]
    share = percentile((ours / theirs for theirs, ours in pairs), 0.5)
    rates = {"rows_per_s": round(pairs[-1][1]), "copy_rows_per_s": round(pairs[-1][0])}
    return {**rates, "value": round(share, 3), "unit": "ratio", "must_least": 0.3, "aim_least": 0.5}


def copied() -> float:
    """Rows per second of COPY of what a JSONL export holds."""
    from django.db import connection

    from audit.models import Event

    rows, copy = Event.objects.count(), "COPY (SELECT body FROM audit_event ORDER BY at, id) TO STDOUT"
    began = time.perf_counter()
    with connection.cursor() as cursor, cursor.copy(copy) as pieces:
        for _ in pieces:
            pass
    return rows / (time.perf_counter() - began)


def exported(target: Path) -> float:
    """Rows per second of the export as the command makes it, without starting Python."""
    from audit.filters import Filters
    from audit.management.commands.export_trail import export

    began = time.perf_counter()
    with target.open("wb") as file:
        rows = export("jsonl", Filters(), file)
    return rows / (time.perf_counter() - began)


def p11_export_memory(bench: Bench) -> dict[str, Any]:
    """Peak memory of the export of a trail, against that of one a tenth as long."""
    from django.core.management import call_command

    peaks = []
    for number in (bench.sized(100_000), bench.sized(900_000)):
        call_command("seed_bench", events=number, verbosity=0)
        peaks.append(peak_of_export(bench.servers.var_dir / "trail.jsonl"))
    growth = round(peaks[1] / peaks[0], 3)
    return {"peak_mib": [round(peak / MIB, 1) for peak in peaks], "value": growth, "unit": "ratio", "must": 1.2}


def peak_of_export(target: Path) -> int:
    """Bytes. The child reports its own peak as it ends: from outside it would be gone."""
    code = (
        "import resource, sys; from django.core.management import execute_from_command_line as run; "
        "run(sys.argv[1:]); print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, file=sys.stderr)"
    )
    command = ["manage.py", "export_trail", "--format", "jsonl", "--output", str(target)]
    done = subprocess.run([sys.executable, "-c", code, *command], cwd=PROJECT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"export_trail: ended with {done.returncode}: {done.stderr[-500:]}")
    return int(done.stderr.split()[-1])


def p12_page_weight(bench: Bench) -> dict[str, Any]:
    """What a browser loads besides the page: our own style and scripts, plain and as gzip sends them."""
    style = b"".join(path.read_bytes() for path in sorted((PROJECT / "static").rglob("*.css")))
    scripts = [path for path in sorted((PROJECT / "static").rglob("*.js")) if "vendor" not in path.parts]
    own = b"".join(path.read_bytes() for path in scripts if "htmx" not in path.name)
    sizes = {
        "css": len(style),
        "css_gzip": len(gzip.compress(style)),
        "js": len(own),
        "js_gzip": len(gzip.compress(own)),
    }
    limits = {"css": 32_000, "css_gzip": 9 * 1024, "js": 8_192, "js_gzip": 3 * 1024}
    most = max(sizes[name] / limits[name] for name in limits)
    return {**sizes, "value": round(most, 3), "unit": "share of the limit", "must": 1}


def p9_verification(bench: Bench) -> dict[str, Any]:
    return {"not_measured": "the trail has no verifier yet"}


# What makes the database large comes last.
TARGETS: Mapping[str, Callable[[Bench], dict[str, Any]]] = {
    "P1": p1_throughput,
    "P2": p2_cpu_per_step,
    "P3": p3_one_in_flight,
    "P4": p4_fan,
    "P5": p5_decision_latency,
    "P10": p10_policy_set,
    "P11-worker": p11_worker_memory,
    "P12": p12_page_weight,
    "P6": p6_past_tasks,
    "P9": p9_export,
    "P9-verify": p9_verification,
    "P8-record": p8_record,
    "P7": p7_queue_page,
    "P8": p8_queue_and_poll,
    "P8-case": p8_case,
    "P11-export": p11_export_memory,
}
