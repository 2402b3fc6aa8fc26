"""`python -m tests.bench [ID …] [--scale S]`: one JSON line per target, in the order they are measured."""

import argparse
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from . import product
from .servers import private_servers
from .targets import TARGETS, Bench, prepared

MINUTES = 30  # for one target, filling the database included


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="ID", help=f"of {', '.join(TARGETS)} (default: all)")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="share of the full sizes, for a quick look (default: 1)"
    )
    options = parser.parse_args()
    if unknown := [name for name in options.targets if name not in TARGETS]:
        parser.error(f"ID: {', '.join(unknown)}: expected some of {', '.join(TARGETS)}")
    if options.scale <= 0:
        parser.error(f"--scale: {options.scale} is not above 0")
    failed = False
    with private_servers() as servers, prepared(servers, options.scale) as bench:
        for name in options.targets or TARGETS:
            found = line(name, bench)
            failed |= "error" in found
            print(json.dumps(found), flush=True)
    sys.exit(failed)


def line(name: str, bench: Bench) -> dict[str, Any]:
    """One target's line. `load` is the machine's, one minute's mean: above its cores, times say little."""
    began = time.monotonic()
    found = measured(name, bench)
    if "must" in found or "must_least" in found:
        found["holds"] = found["value"] <= found.get("must", found["value"])
        found["holds"] = found["holds"] and found["value"] >= found.get("must_least", found["value"])
    machine = {"load": round(os.getloadavg()[0], 2), "seconds": round(time.monotonic() - began)}
    return {"target": name, **found, "scale": bench.scale, **machine}


def measured(name: str, bench: Bench) -> dict[str, Any]:
    """What the target found. One that fails, or takes too long, leaves the others to be measured."""
    from django.db import connection

    try:
        with at_most(MINUTES):
            return TARGETS[name](bench)
    except Exception as error:
        traceback.print_exc()
        connection.close()  # whatever it was in the middle of
        product.take_as_long_as_it_takes()
        return {"not_measured": "it failed", "error": f"{type(error).__name__}: {error}"}


@contextmanager
def at_most(minutes: float) -> Iterator[None]:
    """TimeoutError inside the block once it has taken longer."""

    def too_late(*_: object) -> None:
        raise TimeoutError(f"took longer than {minutes} minutes")

    signal.signal(signal.SIGALRM, too_late)
    signal.setitimer(signal.ITIMER_REAL, minutes * 60)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


if __name__ == "__main__":
    main()
