"""Parse XML that nobody vouches for: nothing is expanded, fetched or opened, and all is bounded before a tree is built.

The bytes are decoded here, strictly and by the one encoding they declare (XML 1.0, appendix F), so that what follows
sees UTF-8 alone. A first pass with expat, which keeps nothing, refuses a DOCTYPE before any entity could be declared,
XInclude, and whatever is too deep or too large. Only then does lxml build the tree.
"""

import codecs
import re
from xml.parsers import expat

from lxml import etree

MAX_BYTES = 16 * 1024 * 1024
MAX_NODES = 200_000  # elements and attributes
MAX_DEPTH = 64
MAX_TOKEN = 1024 * 1024  # bytes of one tag, with its attributes, or of one comment
CHUNK = 128 * 1024
XINCLUDE = "http://www.w3.org/2001/XInclude"

_BYTE_ORDER_MARKS = [(codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")]
_DECLARATION = re.compile(r"""\A<\?xml\s[^<>]{0,200}?\?>""")
_ENCODING = re.compile(r"""encoding\s*=\s*["']([A-Za-z][A-Za-z0-9._-]{0,39})["']""")
_SUPPORTED = re.compile(r"utf-8|utf-16(-[lb]e)?|ascii|iso8859-\d{1,2}|cp125\d")
_OTHER_FORMATS = [
    (b"%PDF-", "a PDF file"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a compressed (gzip) file"),
    (b"\x89PNG", "a picture (PNG)"),
    (b"\xff\xd8\xff", "a picture (JPEG)"),
    (b"{", "a JSON file"),
]


class Refused(ValueError):
    """The document must not be read any further. The message is for a clerk and quotes nothing of the document."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def parse(data: bytes) -> etree._Element:
    """Return the root element of `data`; comments and processing instructions are dropped. Raises Refused."""
    source = _without_declaration(decode(data)).encode()
    _scan(source)
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        return etree.fromstring(source, parser)
    except etree.XMLSyntaxError as error:
        # Well-formed, as the scan found: what is left are limits, such as ten million characters in one element.
        raise Refused(f"The file holds more than is read safely (line {error.lineno or 1}).") from None


def decode(data: bytes) -> str:
    """Return the text of an XML file in the encoding it declares. Raises Refused where bytes and declaration differ."""
    if not data.strip():
        raise Refused("The file is empty.")
    if len(data) > MAX_BYTES:
        raise Refused(f"The file has {len(data):,} bytes; at most {MAX_BYTES:,} are read.")
    _refuse_other_formats(data)
    encoding, start = _encoding_of(data)
    try:
        text = data[start:].decode(encoding)
    except UnicodeDecodeError as error:
        place = error.start + start
        raise Refused(f"The file says its characters are {encoding.upper()}, but byte {place:,} is not.") from None
    if encoding not in ("utf-8", "utf-16-le", "utf-16-be", "ascii") and _is_utf8_after_all(data):
        raise Refused(f"The file says its characters are {encoding.upper()}, but they are UTF-8.")
    return text


def _refuse_other_formats(data: bytes) -> None:
    start = data.lstrip()[:64].lower()
    if start.startswith((b"<!doctype html", b"<html")):
        raise Refused("The file is a web page (HTML), not an XML document.")
    for signature, name in _OTHER_FORMATS:
        if data.startswith(signature):
            raise Refused(f"The file is {name}, not an XML document.")


def _encoding_of(data: bytes) -> tuple[str, int]:
    """The codec of `data` and how many bytes of byte order mark precede the text."""
    marked, start = next(((name, len(mark)) for mark, name in _BYTE_ORDER_MARKS if data.startswith(mark)), (None, 0))
    if marked is None and data.startswith((b"<\x00", b"\x00<")):
        marked = "utf-16-le" if data.startswith(b"<\x00") else "utf-16-be"
    head = data[start : start + 512].decode(marked or "ascii", "replace")
    declaration = _DECLARATION.match(head)
    found = _ENCODING.search(declaration[0]) if declaration else None
    declared = _codec(found[1]) if found else None
    if marked is None:
        return declared or "utf-8", start
    if declared not in (None, marked) and not (declared == "utf-16" and marked.startswith("utf-16")):
        raise Refused(f"The file says its characters are {declared.upper()}, but they are {marked.upper()}.")
    return marked, start


def _codec(name: str) -> str:
    try:
        codec = codecs.lookup(name).name
    except LookupError:
        codec = ""
    if not _SUPPORTED.fullmatch(codec):
        raise Refused("The file declares a character encoding that is not supported. Ask for the file in UTF-8.")
    return codec


def _is_utf8_after_all(data: bytes) -> bool:
    """A single-byte text almost never happens to be valid UTF-8 with characters beyond ASCII."""
    try:
        return not data.decode("utf-8").isascii()
    except UnicodeDecodeError:
        return False


def _without_declaration(text: str) -> str:
    """Drop the XML declaration: its encoding no longer holds. Line breaks in it stay, so that line numbers hold."""
    found = _DECLARATION.match(text)
    return "\n" * found[0].count("\n") + text[found.end() :] if found else text


class _Scan:
    """Counts as expat goes; keeps nothing of the document."""

    def __init__(self) -> None:
        self.nodes = 0
        self.depth = 0

    def start(self, name: str, attributes: list[str]) -> None:
        self.nodes += 1 + len(attributes) // 2
        self.depth += 1
        if self.nodes > MAX_NODES:
            raise Refused(f"The file has more than {MAX_NODES:,} elements.")
        if self.depth > MAX_DEPTH:
            raise Refused(f"The file nests its elements deeper than {MAX_DEPTH} levels.")
        if name.startswith(XINCLUDE):
            raise Refused("The file asks for other files to be included (XInclude). Such files are never read.")

    def end(self, name: str) -> None:
        self.depth -= 1

    def doctype(self, *_: object) -> None:
        raise Refused(
            "The file carries a DOCTYPE, which can hide instructions to the reader. Such files are never read."
        )


def _scan(source: bytes) -> None:
    scan = _Scan()
    parser = expat.ParserCreate("utf-8", " ")
    parser.ordered_attributes = True
    parser.StartElementHandler = scan.start
    parser.EndElementHandler = scan.end
    parser.StartDoctypeDeclHandler = scan.doctype
    try:
        for start in range(0, len(source), CHUNK):
            parser.Parse(source[start : start + CHUNK], False)
            if start + CHUNK - parser.CurrentByteIndex > MAX_TOKEN:
                raise Refused(f"The file has a single tag or comment of more than {MAX_TOKEN:,} bytes.")
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        what = expat.ErrorString(error.code)
        raise Refused(f"The file is not well-formed XML (line {error.lineno}: {what}). It may be cut off.") from None
