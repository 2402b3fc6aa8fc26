"""Requests to addresses that people write into configuration: the one way out for connectors and webhooks.

Only https on listed ports to addresses of the public Internet; the operator's own ERP_BASE_URL is trusted as written,
to its exact scheme, host and port. The name is resolved once, every address is checked, and the connection goes to the
checked address, so that a name that answers differently the second time gains nothing. Redirects are not followed,
answers are capped in bytes and in time, nothing is decompressed. Errors name no part of the address.
"""

import ipaddress
import json
import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import SplitResult, urlsplit

import httpcore
from django.conf import settings

from orchestrator import timeouts

CONNECT_SECONDS = 3.0
TOTAL_SECONDS = 20.0  # well under half a lease
MAX_BODY = 64_000  # bytes of an answer that are read
PORTS = frozenset({443, 8443})
TRANSLATED = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: an IPv4 address inside an IPv6 one
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class AddressRefused(Exception):
    """The address may not be reached; nothing was sent."""


class NoAnswer(Exception):
    """Something may have been sent, and no usable answer came."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and body, at most MAX_BODY bytes."""

    status: int
    body: bytes

    def json(self) -> dict[str, Any]:
        """The JSON object in the body; NoAnswer for anything else."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            raise NoAnswer("the answer is not JSON") from None
        if not isinstance(found, dict):
            raise NoAnswer("the answer is not a JSON object")
        return found


def call(
    method: str, url: str, *, headers: Mapping[str, str], body: bytes = b"", seconds: float = TOTAL_SECONDS
) -> Answer:
    """One request, within the time of the step that makes it. AddressRefused before anything is sent, NoAnswer
    afterwards."""
    trusted, seconds = check_url(url), max(0.0, min(seconds, timeouts.left()))
    backend = _CheckedBackend(trusted, time.monotonic() + seconds)
    limits = {"connect": CONNECT_SECONDS, "read": seconds, "write": seconds, "pool": seconds}
    sent = [*({"Accept-Encoding": "identity"} | dict(headers)).items()]
    try:
        with (
            httpcore.ConnectionPool(ssl_context=_tls(), network_backend=backend) as pool,
            pool.stream(method, url, headers=sent, content=body, extensions={"timeout": limits}) as response,
        ):
            return Answer(response.status, _read(response))
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
        raise NoAnswer(f"no usable answer: {type(error).__name__}") from None


def _read(response: httpcore.Response) -> bytes:
    if any(name.lower() == b"content-encoding" and value != b"identity" for name, value in response.headers):
        raise NoAnswer("the answer is compressed, which was not asked for")
    raw = b""
    for chunk in response.iter_stream():
        raw += chunk
        if len(raw) > MAX_BODY:
            raise NoAnswer("the answer is too long")
    return raw


def check_url(url: str) -> bool:
    """True where the operator named exactly this scheme, host and port; AddressRefused where it may not be called."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise AddressRefused("the address is malformed") from None
    if parts.username is not None or parts.password is not None or not parts.hostname:
        raise AddressRefused("the address has no host, or credentials in it")
    if _origin(parts) == _origin(urlsplit(settings.ERP_BASE_URL)):
        return True
    if parts.scheme != "https" or (port or 443) not in PORTS:
        raise AddressRefused(f"only https on ports {', '.join(map(str, sorted(PORTS)))} is allowed")
    return False


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def checked_addresses(host: str, port: int, *, trusted: bool) -> list[str]:
    """What the name stands for; AddressRefused unless all of it may be reached."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NoAnswer("the name is not known") from None
    addresses = list(dict.fromkeys(str(item[4][0]) for item in found))
    if not trusted and not all(is_public(ipaddress.ip_address(address.split("%")[0])) for address in addresses):
        raise AddressRefused("the address is not one of the public Internet")
    return addresses


def is_public(address: Address) -> bool:
    """Neither private, loopback, link-local, reserved nor multicast, also not inside a translated address."""
    if isinstance(address, ipaddress.IPv6Address):
        inside = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if address in TRANSLATED:
            inside = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inside is not None:
            return is_public(inside)
    return address.is_global and not address.is_multicast


class _CheckedBackend(httpcore.NetworkBackend):
    """Connects to checked addresses only, and to nothing after `end` (monotonic seconds)."""

    def __init__(self, trusted: bool, end: float):
        self.trusted, self.end, self.plain = trusted, end, httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        failed: Exception = NoAnswer("the name has no address")
        for address in checked_addresses(host, port, trusted=self.trusted)[:4]:
            try:
                stream = self.plain.connect_tcp(address, port, _left(timeout, self.end), local_address, socket_options)
                return _BoundStream(stream, self.end)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed


class _BoundStream(httpcore.NetworkStream):
    """A stream whose every read and write ends with the request's own deadline: a byte a second does not hold us."""

    def __init__(self, stream: httpcore.NetworkStream, end: float):
        self.stream, self.end = stream, end

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self.stream.read(max_bytes, _left(timeout, self.end))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.stream.write(buffer, _left(timeout, self.end))

    def close(self) -> None:
        self.stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _BoundStream(self.stream.start_tls(ssl_context, server_hostname, _left(timeout, self.end)), self.end)

    def get_extra_info(self, info: str) -> Any:
        return self.stream.get_extra_info(info)


def _left(timeout: float | None, end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the request took too long")
    return left if timeout is None else min(timeout, left)


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
