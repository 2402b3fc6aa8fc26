"""The way outside: no address but those allowed, no redirects, caps in bytes and time, no secrets; and what the
conformance test makes of an outside."""

import json
import logging
import socket
import threading
import time
from contextlib import contextmanager

import pytest
from django.core.management import call_command

from orchestrator.connectors import outbound
from orchestrator.connectors.base import Confirmed, InDoubt, Refused, Sent
from orchestrator.connectors.http import HttpConnector
from orchestrator.connectors.outbound import AddressRefused, NoAnswer, call
from orchestrator.digests import digest
from orchestrator.models import ConnectorCheck

from .outside import outside_running

PAYLOAD = {"amount": "5.00"}
SENT = Sent("key-1", "test.book", "V1/7", PAYLOAD, digest(PAYLOAD))


@pytest.fixture
def outside(settings):
    with outside_running() as running:
        settings.ERP_BASE_URL = running.url
        yield running


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "[::1]", "0.0.0.0", "169.254.169.254", "10.1.2.3", "192.168.0.1", "172.16.0.1", "100.64.0.1",
        "[::ffff:127.0.0.1]", "2130706433", "0177.0.0.1", "0x7f000001", "127.1", "localhost", "localhost.",
        "[fe80::1]", "[fc00::1]", "224.0.0.1", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "255.255.255.255",
    ],
)  # fmt: skip
def test_h01_addresses_that_are_not_public_are_refused_before_anything_is_sent(host):
    with pytest.raises((AddressRefused, NoAnswer), match=r"public Internet|not known"):
        call("GET", f"https://{host}/", headers={})


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "gopher://example.org/", "ftp://example.org/", "unix:/run/x", "http://example.org/",
        "https://user:word@example.org/", "https://example.org:22/", "https://example.org:6379/", "https://", "https://[",
        "https://example.org:99999/",
    ],
)  # fmt: skip
def test_h04_schemes_ports_and_credentials_that_are_not_listed_are_refused(url):
    with pytest.raises(AddressRefused):
        call("GET", url, headers={})


def test_only_the_exact_origin_of_the_operator_is_trusted(outside, settings):
    assert call("GET", f"{outside.url}/effects/none", headers={}).status == 404
    port = int(outside.url.rpartition(":")[2])
    with pytest.raises(AddressRefused):
        call("GET", f"http://127.0.0.1:{port + 1}/", headers={})
    with pytest.raises(AddressRefused):
        call("GET", f"https://127.0.0.1:{port}/", headers={})


def test_h02_the_connection_goes_to_the_address_that_was_checked(monkeypatch):
    """A name that is public when asked first and private when asked again: it is asked once."""
    answers = iter([[(2, 1, 6, "", ("93.184.216.34", 443))], [(2, 1, 6, "", ("127.0.0.1", 443))]])
    asked, connected = [], []
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: asked.append(host) or next(answers))

    def connect(self, host, *rest):
        connected.append(host)
        raise outbound.httpcore.ConnectError("not in a test")

    monkeypatch.setattr(outbound.httpcore.SyncBackend, "connect_tcp", connect)
    with pytest.raises(NoAnswer):
        call("GET", "https://rebinding.example/", headers={})
    assert (asked, connected) == (["rebinding.example"], ["93.184.216.34"])


@contextmanager
def raw_server(answer):
    """A server that writes what `answer(connection)` writes."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                try:
                    answer(connection)
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def drip(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    for _ in range(100):
        connection.sendall(b"X-A: b\r\n")
        time.sleep(0.05)


ENDLESS = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000
FLOOD = b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"y" * 1000) for n in range(500)) + b"\r\n"
GZIPPED = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"


@pytest.mark.parametrize("raw", [ENDLESS, FLOOD, GZIPPED, b"", b"no http"])
def test_h05_answers_are_capped_and_never_unpacked(settings, raw):
    with raw_server(lambda connection: connection.sendall(raw)) as url:
        settings.ERP_BASE_URL = url
        with pytest.raises(NoAnswer):
            call("GET", f"{url}/", headers={})


def test_h05_a_slow_answer_ends_at_the_deadline_of_the_whole_request(settings):
    with raw_server(drip) as url:
        settings.ERP_BASE_URL = url
        started = time.monotonic()
        with pytest.raises(NoAnswer):
            call("GET", f"{url}/", headers={}, seconds=0.4)
        assert time.monotonic() - started < 4  # it would drip for 5


def test_h06_a_self_signed_certificate_is_refused_even_for_the_operators_host(settings, outside):
    settings.ERP_BASE_URL = outside.url.replace("http:", "https:")
    with pytest.raises(NoAnswer):
        call("GET", settings.ERP_BASE_URL, headers={})


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("ok", Confirmed("R-1")),
        ("refuse", Refused("refused with 422")),
        ("lose", InDoubt("answer 500")),
        ("redirect", InDoubt("answer 302")),
        ("garbage", InDoubt("the answer is not JSON")),
    ],
)
def test_what_each_answer_means(outside, mode, expected):
    outside.modes = [mode]
    assert HttpConnector().send(SENT) == expected
    assert [path for _, path in outside.calls] == ["/effects/test.book"]


@pytest.mark.django_db
def test_nobody_listening_is_in_doubt_and_an_address_that_may_not_be_reached_is_refused(settings):
    settings.ERP_BASE_URL = "http://127.0.0.1:9"
    assert isinstance(HttpConnector().send(SENT), InDoubt)
    assert isinstance(HttpConnector("https://10.0.0.1").send(SENT), Refused)


@pytest.mark.django_db
def test_h09_no_part_of_the_address_is_in_errors_or_logs(settings, caplog):
    caplog.set_level(logging.INFO)
    settings.ERP_BASE_URL = "http://127.0.0.1:9/secret-token"
    reply = HttpConnector().send(SENT)
    assert "secret-token" not in repr(reply) + caplog.text


def checked(capsys):
    with pytest.raises(SystemExit) as ended:
        call_command("check_connector", "--json")
    return json.loads(capsys.readouterr().out), ended.value.code


@pytest.mark.django_db
def test_h12_an_outside_that_keeps_its_promise_is_of_class_k(outside, capsys):
    call_command("check_connector", "--json")
    found = json.loads(capsys.readouterr().out)
    assert (found["class"], all(row["ok"] for row in found["findings"])) == ("K", True)
    assert outside.kinds() == ["countersign.check"]
    assert HttpConnector().klass == "K"


@pytest.mark.django_db
def test_h12_an_outside_that_books_the_same_key_twice_is_not_repeated_any_more(outside, capsys):
    outside.deduplicates = False
    found, code = checked(capsys)
    assert (found["class"], code) == ("Q", 1)
    assert HttpConnector().klass == "Q"
    assert ConnectorCheck.objects.get().detail[1]["found"] == "201 with the same ref"


def test_h03_a_redirect_is_an_answer_and_never_followed(outside):
    outside.modes = ["redirect"]
    answer = call("POST", f"{outside.url}/effects/test.book", headers={}, body=json.dumps({"payload": {}}).encode())
    assert answer.status == 302
    assert outside.calls == [("POST", "/effects/test.book")]
    assert isinstance(HttpConnector().send(SENT), Confirmed)


def test_h10_what_may_not_be_reached_and_what_does_not_answer_tell_no_port_apart(settings):
    """There is no test button: check_connector is a command, and what it says names no part of the address."""
    said = set()
    for port in (22, 80, 6379, 9):
        with pytest.raises(AddressRefused) as refused:
            call("GET", f"https://127.0.0.1:{port}/", headers={})
        said.add(str(refused.value))
    assert len(said) == 1
