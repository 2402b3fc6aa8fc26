"""Those who use the product while it is hurt: they start bills, decide cases and take answers back over the API, and
repeat whatever got no definite answer, under the same key or nonce. An operator settles what is left over."""

import random
import threading
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

DEFINITE = (200, 201, 403, 404, 409, 422)
PACE = 0.12  # seconds between two bills
PATIENCE = 240.0  # seconds after which an unanswered call is a failure of the product; generous: machines are busy


@dataclass(frozen=True, slots=True)
class Bill:
    """What is to become of one run. `wish` is what the first person to see it does."""

    number: str
    input: Mapping[str, Any]
    wish: str  # approve, reject, undo, cancel; "" where nobody is asked

    @property
    def effect_expected(self) -> bool:
        return self.wish in ("", "approve")


def bills(trial: str, count: int, *, seed: int = 0) -> list[Bill]:
    """A mix: some are paid unseen, most are looked at, a few are refused, taken back, stopped, or sent in twice."""
    chance, made = random.Random(f"{trial}/{seed}"), []
    for index in range(count):
        wish = chance.choices(("", "approve", "reject", "undo", "cancel"), (30, 48, 9, 6, 7))[0]
        twin = index > 3 and chance.random() < 0.04
        number = made[-1].number if twin else f"{trial}-{seed}-{index}"
        amount = f"{chance.randrange(100, 20_000)}.{chance.randrange(100):02d}"
        differences = int(bool(wish) and wish != "cancel")
        made.append(Bill(number, {"amount": amount, "number": number, "differences": differences}, wish))
    return made


@dataclass
class Said:
    """One nonce: every definite answer it got."""

    review: str
    verdict: str
    answers: list[tuple[int, Any]] = field(default_factory=list)


class Caller:
    """One person's program. Every call is repeated until it has a definite answer."""

    def __init__(self, url: str, token: str, stopping: threading.Event) -> None:
        self.client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=5)
        self.stopping = stopping
        self.repeats = 0

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                answer = self.client.request(method, f"/api/v1{path}", json=body, headers=headers)
                if answer.status_code in DEFINITE:
                    return answer.status_code, answer.json()
            except (httpx.HTTPError, ValueError):
                pass
            self.repeats += 1
            if self.stopping.wait(0.2):
                break
        raise TimeoutError(f"{method} {path}: no definite answer")


class People:
    """The requester, two clerks, and what they did. Threads; `stop()` joins them."""

    def __init__(self, url: str, tokens: Mapping[str, str], wanted: Sequence[Bill]) -> None:
        self.url, self.tokens, self.wanted = url, tokens, wanted
        self.runs: dict[str, Bill] = {}  # run id -> bill
        self.said: dict[str, Said] = {}  # nonce -> what was said
        self.paid: set[str] = set()  # run ids that an operator has told them are paid already
        self.failures: list[str] = []
        self.stopping = threading.Event()
        self.started = threading.Event()
        self.callers: list[Caller] = []
        acts = [self.start_all, lambda: self.decide_all("clerk"), lambda: self.decide_all("second")]
        self.threads = [threading.Thread(target=self.guarded, args=(act,), daemon=True) for act in acts]

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join(PATIENCE)

    def guarded(self, act: Any) -> None:
        try:
            act()
        except TimeoutError as error:
            if not self.stopping.is_set():
                self.failures.append(str(error))
        except Exception as error:
            self.failures.append(f"{type(error).__name__}: {error}")
        finally:
            self.started.set()

    def caller(self, name: str) -> Caller:
        self.callers.append(Caller(self.url, self.tokens[name], self.stopping))
        return self.callers[-1]

    @property
    def repeats(self) -> int:
        return sum(caller.repeats for caller in self.callers)

    def start_all(self) -> None:
        self.submit(self.wanted)
        self.started.set()

    def start_again(self, lost: Iterable[str]) -> None:
        """Runs of which nobody knows any more are begun anew."""
        self.submit([self.runs.pop(pk) for pk in lost])

    def forget(self, nonces: Iterable[str]) -> None:
        """What was answered to them is not known any more."""
        for nonce in nonces:
            self.said.pop(nonce, None)

    def submit(self, wanted: Sequence[Bill]) -> None:
        requester = self.caller("requester")
        for bill in wanted:
            body = {"workflow": "pay-under-faults", "input": dict(bill.input)}
            key = uuid.uuid4().hex
            status, run = requester.call("POST", "/runs", body, **{"Idempotency-Key": key})
            if status not in (200, 201):
                self.failures.append(f"a run could not be started: {status} {run}")
                continue
            self.runs[run["id"]] = bill
            if bill.wish == "cancel":
                requester.call("POST", f"/runs/{run['id']}/cancel", {"reason": "not wanted"})
            self.stopping.wait(PACE)

    def decide_all(self, name: str) -> None:
        """Looks at the inbox again and again; the two clerks often answer the same case."""
        caller, chance = self.caller(name), random.Random(name)
        while not self.stopping.is_set():
            _, found = caller.call("GET", "/reviews?status=open&limit=50")
            fresh = [item for item in found["items"] if item["run"] in self.runs]
            chance.shuffle(fresh)
            for item in fresh[:20]:
                if self.stopping.is_set():
                    return
                self.decide(caller, name, item)
            self.stopping.wait(0.1 if fresh else 0.3)

    def decide(self, caller: Caller, name: str, item: Mapping[str, Any]) -> None:
        bill = self.runs.get(item["run"])
        if bill is None:
            return
        if item["run"] in self.paid:
            bill = replace(bill, wish="approve")
        verdict = "reject" if bill.wish == "reject" or (bill.wish == "undo" and item["round"] > 1) else "approve"
        status, answer = self.say(caller, name, item, verdict)
        if status == 200 and bill.wish == "undo" and verdict == "approve":
            caller.call("POST", f"/decisions/{answer['decision']}/undo")
        if status == 422:  # the same invoice is paid by another run already
            self.say(caller, name, item, "reject")

    def say(self, caller: Caller, name: str, item: Mapping[str, Any], verdict: str) -> tuple[int, Any]:
        """One answer, posted once more after it was received: browsers do that."""
        nonce = uuid.uuid4().hex
        body = {"verdict": verdict, "digest": item["digest"], "nonce": nonce, "reason": "other", "comment": name}
        said = self.said[nonce] = Said(item["id"], verdict)
        for _ in range(2):
            said.answers.append(caller.call("POST", f"/reviews/{item['id']}/decide", body))
        return said.answers[0]
