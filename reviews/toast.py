"""The last act of this browser, while it may be taken back, and for a while after. In a signed cookie: a session would
be written for it with every answer."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from math import ceil

from django.conf import settings
from django.core import signing
from django.http import HttpResponse
from django.utils import timezone

from orchestrator.http import Request

COOKIE = "toast"
AFTER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Toast:
    """What was done, and until when it may be undone. Either a decision or a batch of them. `settled`: after that time
    its reversal may be asked for."""

    what: str
    until: datetime
    decision: str = ""
    batch: str = ""
    settled: bool = False

    @property
    def seconds(self) -> int:
        """How long it may still be taken back."""
        return max(0, ceil((self.until - timezone.now()).total_seconds()))

    @property
    def kept(self) -> int:
        """How long it is still spoken of, in seconds."""
        until = self.until + AFTER if self.settled else self.until
        return max(0, ceil((until - timezone.now()).total_seconds()))


def leave(request: Request, toast: Toast | None) -> None:
    """For this page and, with sent(), for the next ones; None: there is nothing to take back any more."""
    request.toast = toast


def current(request: Request) -> Toast | None:
    toast = request.toast if hasattr(request, "toast") else _read(request)
    return toast if toast and toast.kept else None


def sent(request: Request, response: HttpResponse) -> HttpResponse:
    toast = current(request)
    if toast is None:
        response.delete_cookie(COOKIE, samesite="Lax")
        return response
    kept = {**asdict(toast), "until": toast.until.isoformat()}
    value = signing.dumps(kept, salt=_salt(request), compress=True)
    secure = settings.SESSION_COOKIE_SECURE
    response.set_cookie(COOKIE, value, toast.kept, httponly=True, samesite="Lax", secure=secure)
    return response


def _read(request: Request) -> Toast | None:
    try:
        kept = signing.loads(request.COOKIES.get(COOKIE, ""), salt=_salt(request))
        return Toast(**kept | {"until": datetime.fromisoformat(kept["until"])})
    except signing.BadSignature:
        return None


def _salt(request: Request) -> str:
    """Whoever signs in next at this browser is not shown it."""
    return f"{COOKIE}:{request.user.pk}"
