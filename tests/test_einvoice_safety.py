"""XML that nobody vouches for is refused before it can do anything, with words a clerk understands."""

import json
import time
import tracemalloc

import pytest

from orchestrator.documents.einvoice import read_einvoice, text_view
from orchestrator.documents.xml_safe import MAX_BYTES, Refused, decode, parse
from tests.data_sets import DATA

DOCTYPES = {
    "an entity bomb": '<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;">]><a>&y;</a>',
    "an external entity": '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>',
    "an external subset": '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><a/>',
    "a parameter entity": '<!DOCTYPE a [<!ENTITY % p SYSTEM "http://127.0.0.1:9/p"> %p;]><a/>',
}
OTHERS = {
    "nothing": (b"", "empty"),
    "white space": (b" \n ", "empty"),
    "a web page": (b"<!DOCTYPE html><html></html>", "web page"),
    "a PDF": (b"%PDF-1.7", "PDF"),
    "cut off": (b"<a><b>", "well-formed"),
    "a bare ampersand": (b"<a>R&D</a>", "well-formed"),
    "XInclude": (b'<a xmlns:i="http://www.w3.org/2001/XInclude"><i:include href="/etc/hostname"/></a>', "included"),
    "another encoding than declared": ('<?xml version="1.0" encoding="US-ASCII"?><a>ü</a>'.encode(), "ASCII"),
    "UTF-8 declared as Latin-1": ('<?xml version="1.0" encoding="ISO-8859-1"?><a>ü</a>'.encode(), "are UTF-8"),
    "Latin-1 without declaration": ("<a>ü</a>".encode("latin-1"), "UTF-8"),
    "UTF-16 declared as UTF-8": ('<?xml version="1.0" encoding="UTF-8"?><a/>'.encode("utf-16"), "UTF-16"),
    "an unknown encoding": (b'<?xml version="1.0" encoding="EBCDIC-X"?><a/>', "not supported"),
    "a codec that is no encoding": (b'<?xml version="1.0" encoding="zlib"?><a/>', "not supported"),
    "too many bytes": (b"<a>" + b"x" * MAX_BYTES + b"</a>", "bytes"),
    "too deep": (b"<a>" * 100 + b"</a>" * 100, "deeper"),
    "too many elements": (b"<a>" + b"<b/>" * 300_000 + b"</a>", "elements"),
    "too many attributes": (b"<a " + b" ".join(b'a%d=""' % n for n in range(300_000)) + b"/>", "tag"),
}


@pytest.mark.parametrize("text", DOCTYPES.values(), ids=DOCTYPES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_doctype_is_refused_in_any_encoding(text: str, encoding: str) -> None:
    with pytest.raises(Refused, match="DOCTYPE"):
        parse(text.encode(encoding))


@pytest.mark.parametrize(("data", "reason"), OTHERS.values(), ids=OTHERS)
def test_what_is_no_safe_xml_is_refused_quickly_and_in_little_memory(data: bytes, reason: str) -> None:
    tracemalloc.start()
    started = time.process_time()
    reading = read_einvoice(data)
    seconds = time.process_time() - started
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert reason in (reading.refusal or "")
    assert seconds < 2
    assert peak < 100 * 1024 * 1024
    assert text_view(data) == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "iso-8859-1", "cp1252"])
def test_text_is_read_in_the_encoding_it_declares(encoding: str) -> None:
    declared = {"utf-8-sig": "UTF-8", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16"}.get(encoding, encoding)
    assert parse(f'<?xml version="1.0" encoding="{declared}"?><a>Müller</a>'.encode(encoding)).text == "Müller"


def test_a_long_attachment_is_no_reason_to_refuse() -> None:
    assert len(parse(b"<a>" + b"QUJD" * 2_000_000 + b"</a>").text or "") == 8_000_000


def test_a_refusal_quotes_nothing_of_the_document() -> None:
    reading = read_einvoice(b'<script xmlns="x">alert(1)</script>')
    assert "alert" not in (reading.refusal or "")
    assert len(read_einvoice(b"<" + b"x" * 5000 + b"/>").refusal or "") < 200


def test_the_text_view_hides_attachments_and_cuts_long_values() -> None:
    lines = text_view(
        b"<a><EmbeddedDocumentBinaryObject>QUJD</EmbeddedDocumentBinaryObject><b>" + b"y" * 9000 + b"</b></a>"
    )
    assert lines[1] == "  EmbeddedDocumentBinaryObject: attachment, 4 characters, not shown"
    assert len(lines[2]) < 700


@pytest.mark.parametrize("folder", ["hostile_files", "einvoice_xml"])
def test_hostile_files_of_the_shared_data_are_refused(folder: str) -> None:
    truth = DATA / folder / "truth.jsonl"
    if not truth.exists():
        pytest.skip(f"{truth} is absent: set COUNTERSIGN_DATA")
    for row in map(json.loads, truth.read_text().splitlines()):
        refused = row["truth"].get("route") == "refuse" or row["truth"].get("expect") == "refuse"
        if row["files"][0].endswith(".xml") and refused:
            started = time.process_time()
            assert read_einvoice((DATA / folder / row["files"][0]).read_bytes()).refusal, row["id"]
            assert time.process_time() - started < 2


def test_decoding_keeps_the_text_as_it_is() -> None:
    assert decode(b"\xef\xbb\xbf<a>\xc3\xbc</a>") == "<a>ü</a>"
