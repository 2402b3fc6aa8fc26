"""W1, W2 and W3: runs kept in flight, and how long they, their CPU time and a person's decision take."""

import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from .cpu import Spent, percentile
from .product import Ends, Starter, people


class Stalled(RuntimeError):
    """No run ended for a minute."""

    def __init__(self, done: int, wanted: int) -> None:
        super().__init__(f"stalled: {done} of {wanted} runs have ended")


@dataclass(frozen=True, slots=True)
class Flow:
    """What one workload took. `seconds` are the runs' own times, in the order they ended."""

    wall: float
    cpu: float
    seconds: list[float]

    def as_json(self, *, steps: int) -> dict[str, Any]:
        """Rates, times in ms and CPU per step, for runs of `steps` steps."""
        runs = len(self.seconds)
        return {
            "runs": runs,
            "runs_per_s": round(runs / self.wall, 1),
            "steps_per_s": round(runs * steps / self.wall, 1),
            "p50_ms": round(percentile(self.seconds, 0.5) * 1000, 2),
            "p95_ms": round(percentile(self.seconds, 0.95) * 1000, 2),
            "cpu_ms_per_step": round(self.cpu * 1000 / runs / steps, 3),
        }


def drive(start: Callable[[int], Any], ends: Ends, *, runs: int, in_flight: int) -> list[float]:
    """Keeps `in_flight` runs open until `runs` have ended; their times in seconds. Stalled."""
    began: dict[int, float] = {}
    taken: list[float] = []

    def begin(number: int) -> None:
        began[number] = time.perf_counter()
        start(number)

    for number in range(min(in_flight, runs)):
        begin(number)
    for key in ends.heard():
        taken.append(time.perf_counter() - began.pop(int(key.rpartition("/")[2])))
        if len(began) + len(taken) < runs:
            begin(len(began) + len(taken))
        if len(taken) == runs:
            return taken
    raise Stalled(len(taken), runs)


def measure(workflow: str, ends: Ends, pids: tuple[int, ...], *, runs: int, in_flight: int) -> Flow:
    """One workload, with the CPU time of every process that takes part."""
    starter = Starter(workflow)
    with Spent(pids) as spent:
        seconds = drive(starter.start, ends, runs=runs, in_flight=in_flight)
    return Flow(spent.wall, spent.cpu, seconds)


def waiting_reviews(starter: Starter, runs: int, seconds: float = 60.0) -> Iterator[Any]:
    """Starts runs of W3 and gives their reviews once all of them wait for a person. Stalled."""
    from reviews.models import Review

    ids = [starter.start(number).pk for number in range(runs)]
    deadline, reviews = time.monotonic() + seconds, Review.objects.filter(run__in=ids, status="open")
    while (found := reviews.count()) < runs:
        if time.monotonic() > deadline:
            raise Stalled(found, runs)
        time.sleep(0.01)
    return reviews.iterator()


def decide(review: Any, reviewer: Any) -> None:
    """A person's approval, through the service that page and API call."""
    from reviews import services

    nonce = uuid.uuid4().hex
    services.decide(review_id=review.pk, actor=reviewer, verdict="approve", digest=review.packet_digest, nonce=nonce)


def latencies(reviews: Iterable[Any], reviewer: Any, ends: Ends) -> Iterator[float]:
    """Seconds from the decision to the end of the step after it, one by one. Stalled."""
    heard = ends.heard()
    for review in reviews:
        began = time.perf_counter()
        decide(review, reviewer)
        if next(heard, None) is None:
            raise Stalled(0, 1)
        yield time.perf_counter() - began


def decision_latencies(ends: Ends, *, runs: int) -> list[float]:
    """The same for so many runs of W3 that wait for a person."""
    reviews = waiting_reviews(Starter("w3", asked=True), runs)
    return list(latencies(reviews, people()["reviewer"], ends))
