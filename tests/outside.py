"""An outside system with a journal of its own, over real HTTP, that can be told to fail; and effects that use it.

Modes, one per request and then `ok`: ok, refuse (422), lose (500 before booking), swallow (500 after booking),
redirect, garbage (200 without JSON), hang (no answer until `hung` is set).
"""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from orchestrator.connectors.actions import action


class Outside:
    """`journal` lists (kind, key, payload) in the order booked; `calls` every request as (method, path)."""

    def __init__(self) -> None:
        self.journal: list[tuple[str, str, Any]] = []
        self.calls: list[tuple[str, str]] = []
        self.modes: list[str] = []
        self.hung = threading.Event()
        self.url = ""
        self.deduplicates = True

    def book(self, kind: str, key: str, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        known = [payload for _, other, payload in self.journal if other == key]
        if known and self.deduplicates:
            return (200, {"ref": self.ref(key)}) if known[0] == body["payload"] else (409, {})
        self.journal.append((kind, key, body["payload"]))
        return 201, {"ref": self.ref(key)}

    def ref(self, key: str) -> str:
        return f"R-{[k for _, k, _ in self.journal].index(key) + 1}"

    def find(self, key: str) -> tuple[int, dict[str, Any]]:
        found = [payload for _, other, payload in self.journal if other == key]
        if not found:
            return 404, {}
        text = json.dumps(found[0], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return 200, {"ref": self.ref(key), "payload_digest": hashlib.sha256(text.encode()).hexdigest()}

    def kinds(self) -> list[str]:
        return [kind for kind, _, _ in self.journal]


class Handler(BaseHTTPRequestHandler):
    outside: Outside

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.outside.calls.append(("POST", self.path))
        mode = self.outside.modes.pop(0) if self.outside.modes else "ok"
        answers = {"refuse": (422, {}), "lose": (500, {}), "redirect": (302, {}), "garbage": (200, None)}
        if mode == "hang":  # until the caller has hung up
            self.outside.hung.wait(30)
            self.connection.close()
            return None
        if mode in answers:
            return self.answer(*answers[mode])
        status, answer = self.outside.book(self.path.rsplit("/", 1)[-1], self.headers["Idempotency-Key"], body)
        return self.answer(500, {}) if mode == "swallow" else self.answer(status, answer)

    def do_GET(self) -> None:
        self.outside.calls.append(("GET", self.path))
        self.answer(*self.outside.find(self.path.rsplit("/", 1)[-1]))

    def answer(self, status: int, body: dict[str, Any] | None) -> None:
        raw = b"no json" if body is None else json.dumps(body).encode()
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "http://169.254.169.254/")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are in `calls`; the console stays quiet."""


@contextmanager
def outside_running() -> Iterator[Outside]:
    outside = Outside()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"outside": outside}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    outside.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield outside
    finally:
        outside.hung.set()
        server.shutdown()
        server.server_close()


@action("test.reserve", title="Reserve", question="Reserve {what}?", required=("what",))
def reserve(data: Mapping[str, Any]) -> dict[str, str | None]:
    return {"what": f"room {data['s0']['n']}"}


@action("test.book", title="Book", question="Book {what}?", required=("what",))
def book(data: Mapping[str, Any]) -> dict[str, str | None]:
    return {"what": f"flight {data['s0']['n']}"}


@action("test.unbook", title="Take the booking back", question="Take {what} back?", required=("what", "reverses"))
def unbook(data: Mapping[str, Any]) -> dict[str, str | None]:
    done = data["confirmed-effect"]
    return {"what": done["payload"]["what"], "reverses": done["ref"]}


JOURNEY = """
workflow: journey
title: Journey
input: {works_at: integer?}
steps:
  s0: {agent: test.count}
  ok: {review: clerks, needs: [s0]}
  room: {effect: test.reserve, needs: [ok], compensate: test.unbook, retry: {max_attempts: 3, backoff_seconds: 0}}
  flight: {effect: test.book, needs: [room], compensate: test.unbook, retry: {max_attempts: 3, backoff_seconds: 0}}
  last: {agent: test.broken, needs: [flight]}
"""
