"""The outside: a process with a journal of its own, written and flushed to disk before it answers, that can be told to
misbehave. `python -m tests.faults.erp --port N --journal FILE`.

It keeps the contract of the HTTP connector. `POST /control {"weights": {mode: n}, "forget_after": seconds, "seed": n}`
sets how it behaves, `GET /journal` tells what it has done.
"""

import argparse
import hashlib
import json
import os
import random
import socket
import struct
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TextIO

HANG_SECONDS = 2.0  # beyond the patience of the product in these trials
FOREVER = 1e12


def digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


class Outside:
    """The books. One lock: what is applied is in the journal, on disk, before anybody hears of it."""

    def __init__(self, journal: TextIO) -> None:
        self.file, self.lock = journal, threading.Lock()
        self.journal: list[dict[str, Any]] = []
        self.known: dict[str, tuple[dict[str, Any], float]] = {}  # key -> entry, when it was learnt
        self.weights: Mapping[str, int] = {"ok": 1}
        self.forget_after, self.random = FOREVER, random.Random(0)
        self.deduplicates = True

    def control(self, wanted: Mapping[str, Any]) -> None:
        with self.lock:
            self.weights = wanted.get("weights") or {"ok": 1}
            self.forget_after = float(wanted.get("forget_after") or FOREVER)
            self.deduplicates = bool(wanted.get("deduplicates", True))
            self.random = random.Random(wanted.get("seed", 0))

    def mode(self) -> str:
        with self.lock:
            return self.random.choices(list(self.weights), list(self.weights.values()))[0]

    def remembered(self, key: str) -> dict[str, Any] | None:
        entry, since = self.known.get(key, (None, 0.0))
        return entry if time.monotonic() - since < self.forget_after and self.deduplicates else None

    def apply(self, kind: str, key: str, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        with self.lock:
            earlier, seen = self.remembered(key), digest(body["payload"])
            if earlier is not None:
                return (200, {"ref": earlier["ref"]}) if earlier["digest"] == seen else (409, {})
            entry = {"kind": kind, "key": key, "business_key": body["business_key"], "payload": body["payload"]}
            entry |= {"digest": seen, "ref": f"ERP-{len(self.journal) + 1:06d}", "at": time.time()}
            self.file.write(json.dumps(entry) + "\n")
            self.file.flush()
            os.fsync(self.file.fileno())
            self.journal.append(entry)
            self.known[key] = (entry, time.monotonic())
            return 201, {"ref": entry["ref"]}

    def find(self, key: str) -> tuple[int, dict[str, Any]]:
        with self.lock:
            entry = self.remembered(key)
            return (200, {"ref": entry["ref"], "payload_digest": entry["digest"]}) if entry else (404, {})


class Handler(BaseHTTPRequestHandler):
    outside: Outside
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/journal":
            return self.answer(200, self.outside.journal)
        return self.answer(*self.outside.find(self.path.rsplit("/", 1)[-1]))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/control":
            self.outside.control(body)
            return self.answer(200, {})
        return getattr(self, f"answer_{self.outside.mode()}")(body)

    def apply(self, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        return self.outside.apply(self.path.rsplit("/", 1)[-1], self.headers["Idempotency-Key"], body)

    def answer_ok(self, body: Mapping[str, Any]) -> None:
        self.answer(*self.apply(body))

    def answer_fail_before(self, body: Mapping[str, Any]) -> None:
        self.answer(500, {})

    def answer_fail_after(self, body: Mapping[str, Any]) -> None:
        self.apply(body)
        self.answer(503, {})

    def answer_hang_before(self, body: Mapping[str, Any]) -> None:
        """Applied long after the caller has given up: the meanest of all."""
        time.sleep(HANG_SECONDS)
        self.answer(*self.apply(body))

    def answer_hang_after(self, body: Mapping[str, Any]) -> None:
        answer = self.apply(body)
        time.sleep(HANG_SECONDS)
        self.answer(*answer)

    def answer_reset(self, body: Mapping[str, Any]) -> None:
        self.apply(body)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.shutdown(socket.SHUT_RD)
        self.connection.close()
        self.close_connection = True

    def answer_twice(self, body: Mapping[str, Any]) -> None:
        answer = self.apply(body)
        self.answer(*answer)
        self.answer(*answer)

    def answer_wrong_ref(self, body: Mapping[str, Any]) -> None:
        self.apply(body)
        self.answer(200, {"ref": 17})

    def answer_garbage(self, body: Mapping[str, Any]) -> None:
        self.apply(body)
        self.answer(200, "\x00 no object")

    def answer_busy(self, body: Mapping[str, Any]) -> None:
        self.answer(429, {}, Retry_After="1")

    def answer_elsewhere(self, body: Mapping[str, Any]) -> None:
        """Whoever follows this pays somebody else."""
        self.answer(301, {}, Location=f"http://{self.headers['Host']}/effects/somebody-else")

    def answer(self, status: int, body: Any, **headers: str) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(raw)

    def handle(self) -> None:
        try:
            super().handle()
        except (OSError, ValueError):
            """Callers die here all the time."""

    def finish(self) -> None:
        try:
            super().finish()
        except (OSError, ValueError):
            """As above."""

    def log_message(self, format: str, *args: Any) -> None:
        """The journal is the log."""


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--journal", type=Path, required=True)
    given = parser.parse_args()
    with given.journal.open("a") as journal:
        handler = type("Bound", (Handler,), {"outside": Outside(journal)})
        Server(("127.0.0.1", given.port), handler).serve_forever()


if __name__ == "__main__":
    main()
