"""Read a document nobody vouches for: in a child process of its own, within limits, and never with an exception.

One child reads one document and ends: what a file does to its reader dies with it. XML up to `IN_PROCESS_XML` bytes is
read here instead: `xml_safe` bounds depth, nodes and size and refuses entities before a tree exists, so a child would
add its start-up time and no safety.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from .layout import PageText
from .media_type import READABLE, REFUSALS, Refused, malware_verdict, sniff
from .reading import Reading

MAX_BYTES = 25_000_000
MAX_SECONDS = 30.0
MAX_RSS_MB = 512
MAX_ANSWER = 40_000_000  # bytes
IN_PROCESS_XML = 1_000_000
BUSY = 0.6  # share of the time for which a reader that is too slow by itself had the processor
LOOK_EVERY = 0.02  # seconds between two looks at the child's memory

# What a document needs to pass without a person: docs/reading.md tells how these were chosen.
PASS_CONFIDENCE = {"invoice": 0.85, "receipt": 0.85}

CHILD = Path(__file__).with_name("sandbox_child.py")


class ReadResult(BaseModel):
    """A reading with the pages it was read from and what it took. `needs_ocr`: the document is a picture, and the
    caller asked for no recognition. `quarantined`: malware was found; the file must not be handed out. `starved`: the
    time was over though the reader had hardly been given any, which tells of the machine and not of the file.
    `image_hash`: of a recognised first page, near for pictures that look alike."""

    model_config = ConfigDict(extra="forbid")

    reading: Reading
    media_type: str = "unknown"
    pages: list[PageText] = []
    page_count: int = 0
    needs_ocr: bool = False
    quarantined: bool = False
    starved: bool = False
    image_hash: str | None = None
    seconds: float = 0.0
    peak_rss_mb: float = 0.0


def read_document(
    data: bytes, *, name: str = "", expected: Literal["invoice", "receipt"] = "invoice", ocr: bool = True
) -> ReadResult:
    """Read a document of any type. Never raises for what the file is: `reading.refusal` then says why, for a clerk.

    `name` is never trusted and only kept out of the way: the type is that of the content.
    """
    started = time.monotonic()
    result = _read(data, expected, ocr)
    result.seconds = round(time.monotonic() - started, 3)
    return result


def _read(data: bytes, expected: str, ocr: bool) -> ReadResult:
    if len(data) > MAX_BYTES:
        limit = f"{MAX_BYTES // 10**6} MB"
        return _refused("unknown", f"The file has {len(data) / 1e6:.1f} MB; at most {limit} are accepted.")
    threat = malware_verdict(data)
    if threat:
        refused = _refused(sniff(data), f"The file contains malware ({threat}). It was put into quarantine.")
        refused.quarantined = True
        return refused
    media_type = sniff(data)
    if media_type not in READABLE:
        return _refused(media_type, REFUSALS[media_type])
    if media_type == "application/xml" and len(data) <= IN_PROCESS_XML:
        return read_xml(data)
    order = {"do": "read", "media_type": media_type, "expected": expected, "ocr": ocr}
    try:
        answer, peak = run_child(order, data)
        result = ReadResult.model_validate_json(answer)
    except (Refused, ValueError) as refusal:
        reason = str(refusal) if isinstance(refusal, Refused) else UNREADABLE
        peak = getattr(refusal, "peak_rss_mb", 0.0)
        result = _refused(media_type, reason)
        result.starved = isinstance(refusal, Starved)
    result.peak_rss_mb = peak
    return result


def read_xml(data: bytes) -> ReadResult:
    """An electronic invoice with its text view as the one page."""
    from .einvoice import read_einvoice, text_view

    reading = read_einvoice(data)
    lines = [] if reading.refusal else text_view(data)
    pages = [PageText(number=1, width=0, height=0, text="\n".join(lines))] if lines else []
    return ReadResult(
        reading=reading, media_type="application/xml", pages=pages, page_count=len(pages), peak_rss_mb=peak_rss()
    )


def render_document_page(data: bytes, number: int, width: int = 1240) -> bytes:
    """Page `number` (from 1) as WebP, rendered in a child. Raises Refused with words for a clerk."""
    if sniff(data) not in READABLE - {"application/xml"}:
        raise Refused("Only PDF files and pictures can be shown as pages.")
    return run_child({"do": "render", "number": number, "width": width}, data)[0]


def _refused(media_type: str, reason: str) -> ReadResult:
    return ReadResult(reading=Reading(refusal=reason), media_type=media_type, peak_rss_mb=peak_rss())


TOO_SLOW = f"Reading the file took longer than {MAX_SECONDS:.0f} seconds and was stopped. Ask for a simpler copy."
TOO_BIG = f"Reading the file needs more than {MAX_RSS_MB} MB of memory and was stopped: it unpacks to far too much."
UNREADABLE = "The file broke its reader and cannot be read. Ask the sender for a new copy."


class Starved(Refused):
    """The wall clock ran out while others had the processor: to be tried again."""


@dataclass
class _Watched:
    process: subprocess.Popen
    deadline: float
    peak: float = 0.0

    def answer(self) -> bytes:
        """All the child says until it ends; raise Refused as soon as a limit is broken."""
        pipe = self.process.stdout
        assert pipe is not None
        chunks: list[bytes] = []
        while True:
            if select.select([pipe], [], [], LOOK_EVERY)[0]:
                chunk = os.read(pipe.fileno(), 1 << 20)
                if not chunk:
                    return b"".join(chunks)
                chunks.append(chunk)
            self.peak = max(self.peak, peak_rss(self.process.pid))
            if self.peak > MAX_RSS_MB:
                raise Refused(TOO_BIG)
            if sum(map(len, chunks)) > MAX_ANSWER:
                raise Refused(TOO_SLOW)
            if time.monotonic() > self.deadline:
                raise (Starved if cpu_seconds(self.process.pid) < BUSY * MAX_SECONDS else Refused)(TOO_SLOW)


def run_child(order: dict, data: bytes) -> tuple[bytes, float]:
    """The child's answer to one order and its peak memory in MB. Raises Refused, with `peak_rss_mb` set on it."""
    with _in_memory(json.dumps(order).encode() + b"\n" + data) as question:
        process = subprocess.Popen(
            [sys.executable, "-I", str(CHILD)],
            stdin=question,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )
    watched = _Watched(process, time.monotonic() + MAX_SECONDS)
    try:
        answer = watched.answer()
        status, peak, body = _parse(answer, _exit_code(watched), watched.peak)
        watched.peak = max(watched.peak, peak)
        if status == "refused":
            raise Refused(body.decode())
        return body, watched.peak
    except Refused as refusal:
        refusal.peak_rss_mb = watched.peak  # type: ignore[attr-defined]
        raise
    finally:
        _end(process)


@contextlib.contextmanager
def _in_memory(question: bytes) -> Iterator[int]:
    """A file descriptor to read the question from: a pipe would need a thread to be filled while limits are watched."""
    descriptor = os.memfd_create("document")
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(question)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


def _exit_code(watched: _Watched) -> int:
    try:
        return watched.process.wait(timeout=max(0.1, watched.deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise Refused(TOO_SLOW) from None


def _parse(answer: bytes, returncode: int, peak: float) -> tuple[str, float, bytes]:
    """An answer is one line of JSON with status and peak memory, then the body. Anything else is a broken reader."""
    head, newline, body = answer.partition(b"\n")
    if returncode == 0 and newline and len(answer) <= MAX_ANSWER:
        with contextlib.suppress(ValueError, KeyError):
            said = json.loads(head)
            return said["status"], float(said["peak_rss_mb"]), body
    if returncode == -signal.SIGXCPU:
        raise Refused(TOO_SLOW)
    ended_for_memory = returncode < 0 and peak > MAX_RSS_MB / 2  # native code aborts where an allocation fails
    raise Refused(TOO_BIG if ended_for_memory else UNREADABLE)


def _end(process: subprocess.Popen) -> None:
    """Kill the child's whole group, whatever it started, and collect it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout:
        process.stdout.close()


def cpu_seconds(pid: int) -> float:
    """Processor time a process has had, in user and kernel."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_rss(pid: int | str = "self") -> float:
    """The most memory a process has held, in MB (VmHWM; unlike ru_maxrss it starts anew at exec)."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) / 1024, 1)
    except (OSError, ValueError):
        pass
    return 0.0
