"""The child that reads one document: limits itself, reads, answers, ends. Started by `sandbox.run_child` only."""

import json
import os
import resource
import sys
import types
from pathlib import Path

MB = 1024 * 1024
LIMITS = {
    resource.RLIMIT_CPU: 30,  # seconds, for a child whose parent is gone
    resource.RLIMIT_DATA: 448 * MB,  # with the mapped code below the 512 MB of resident memory that are allowed
    resource.RLIMIT_AS: 2048 * MB,  # address space: the engine for recognition reserves far more than it touches
    resource.RLIMIT_FSIZE: 0,  # writes no file
    resource.RLIMIT_NOFILE: 64,
    resource.RLIMIT_CORE: 0,
}


def main() -> None:
    _limit()
    _stand_in_for_package()
    header = sys.stdin.buffer.readline()
    answer = _answer(json.loads(header), sys.stdin.buffer.read())
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()
    os._exit(0)  # nothing to tidy up, and destructors of native code have nothing more to say


def _limit() -> None:
    for name, value in LIMITS.items():
        resource.setrlimit(name, (value, value))
    import ctypes

    libc = ctypes.CDLL(None)
    libc.prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL: do not outlive the worker
    libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS


def _stand_in_for_package() -> None:
    """The project's package imports Celery and Django, which a reader has no use for: half its start-up time."""
    root = Path(__file__).resolve().parents[1]
    package = types.ModuleType("orchestrator")
    package.__path__ = [str(root)]
    sys.modules["orchestrator"] = package


def _answer(order: dict, data: bytes) -> bytes:
    from orchestrator.documents.media_type import Refused
    from orchestrator.documents.sandbox import TOO_BIG, UNREADABLE, peak_rss

    try:
        status, body = "done", _obey(order, data)
    except Refused as refusal:
        status, body = "refused", str(refusal).encode()
    except MemoryError:
        status, body = "refused", TOO_BIG.encode()
    except Exception as error:  # a reader that fails is a refusal, never silence
        print(repr(error), file=sys.stderr)
        status, body = "refused", UNREADABLE.encode()
    head = json.dumps({"status": status, "peak_rss_mb": peak_rss()}).encode()
    return head + b"\n" + body


def _obey(order: dict, data: bytes) -> bytes:
    if order["do"] == "render":
        from orchestrator.documents.render import render_page

        return render_page(data, order["number"], order["width"])
    from orchestrator.documents.sandbox_read import read_untrusted

    return read_untrusted(data, order["media_type"], order["expected"], order["ocr"]).model_dump_json().encode()


if __name__ == "__main__":
    main()
