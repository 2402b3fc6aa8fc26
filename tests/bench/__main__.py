"""`python -m tests.bench [ID …] [--scale S]`: one JSON line per target, in the order they are measured."""

import argparse
import json
import os
from typing import Any

from .servers import private_servers
from .targets import TARGETS, Bench, prepared


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
    with private_servers() as servers, prepared(servers, options.scale) as bench:
        for name in options.targets or TARGETS:
            print(json.dumps(line(name, bench)), flush=True)


def line(name: str, bench: Bench) -> dict[str, Any]:
    """One target's line. `load` is the machine's, one minute's mean: above its cores, times say little."""
    found = TARGETS[name](bench)
    if "must" in found or "must_least" in found:
        found["holds"] = found["value"] <= found.get("must", found["value"])
        found["holds"] = found["holds"] and found["value"] >= found.get("must_least", found["value"])
    return {"target": name, **found, "scale": bench.scale, "load": round(os.getloadavg()[0], 2)}


if __name__ == "__main__":
    main()
