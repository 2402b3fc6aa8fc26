"""What a file is, by its content: names and declared types are claims of the sender and are not looked at."""

import re


class Refused(Exception):
    """A file that is not going to be read. The message is for a clerk: what is wrong and what to do."""


HEAD = 1024  # bytes: PDF readers accept the header this late (ISO 32000-1, annex H.3.4.1)


def _(text: str) -> str:
    """Marks what is stored as it stands, and translated where somebody is told of it at once."""
    return text


REFUSALS = {
    "empty": _("The file is empty. Ask the sender for it again."),
    "text/html": _("This is a web page, not a document. Web pages can carry active content and are not accepted."),
    "image/svg+xml": _("This is an SVG drawing. It can carry scripts and is not accepted; ask for a PDF."),
    "application/zip": _("This is an archive (zip or office file). Unpack it and upload the invoice itself."),
    "message/rfc822": _("This is an e-mail. Upload the invoice attached to it instead."),
    "image/gif": _("This is a GIF picture. Upload the scan as PDF, JPEG, PNG, WebP or TIFF."),
    "image/x-icon": _("This is an icon, not a document."),
    "polyglot": _(
        "The file claims to be two types at once (a PDF with a web page or an archive in front). Not accepted."
    ),
    "unknown": _("The type of this file is not known. Accepted are PDF, XML, JPEG, PNG, WebP and TIFF."),
}

READABLE = {"application/pdf", "application/xml", "image/jpeg", "image/png", "image/webp", "image/tiff"}

_MAGIC = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"GIF8", "image/gif"),
    (b"\x00\x00\x01\x00", "image/x-icon"),
    (b"PK\x03\x04", "application/zip"),
    (b"PK\x05\x06", "application/zip"),
    (b"PK\x07\x08", "application/zip"),
    (b"\x1f\x8b", "application/zip"),
    (b"7z\xbc\xaf", "application/zip"),
    (b"Rar!", "application/zip"),
)
_HTML = re.compile(rb"<(?:!doctype\s+html|html|head|body|script|iframe|meta|img)\b", re.IGNORECASE)
_MAIL = re.compile(rb"^(?:[A-Za-z][A-Za-z0-9-]*:[^\n]*\r?\n(?:[ \t][^\n]*\r?\n)*){2,}", re.MULTILINE)
_MAIL_FIELDS = re.compile(rb"^(?:from|received|mime-version|message-id|return-path):", re.IGNORECASE | re.MULTILINE)

EICAR = re.compile(rb"X5O!P%@AP\[4\\PZX54\(P\^\)7CC\)7\}\$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!\$H\+H\*")
EICAR_BASE64 = re.compile(
    rb"(?:WDVPIVAlQEFQWzRcUFpYNTQoUF4pN0NDKTd9JEVJQ0FS|g1TyFQJUBBUFs0XFBaWDU0KFBeKTdDQyk3fSRFSUNBU)"
)


def sniff(data: bytes) -> str:
    """The media type of the content, or `empty`, `polyglot`, `unknown`."""
    if not data.strip(b"\x00\t\r\n "):
        return "empty"
    for magic, media_type in _MAGIC:
        if data.startswith(magic):
            return media_type
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if b"%PDF-" in data[:HEAD]:
        return _pdf_or_polyglot(data)
    return _text_type(data)


def _pdf_or_polyglot(data: bytes) -> str:
    prefix = data[: data.index(b"%PDF-")]
    return "polyglot" if _HTML.search(prefix) or b"PK\x03\x04" in prefix else "application/pdf"


def _text_type(data: bytes) -> str:
    head = _decoded(data[: 8 * HEAD]).lstrip()
    lowered = head.lower()
    if re.search(rb"<(?:[a-z0-9]+:)?svg\b", lowered):
        return "image/svg+xml"
    root = re.sub(rb"<\?.*?\?>|<!--.*?-->", b"", lowered, flags=re.DOTALL).lstrip()
    if _HTML.match(root):
        return "text/html"
    if lowered.startswith(b"<?xml") or re.match(rb"<[a-z_!][\w:.-]*", root):
        return "application/xml"
    if _HTML.search(lowered):
        return "text/html"
    if _MAIL.match(head) and _MAIL_FIELDS.search(head):
        return "message/rfc822"
    return "unknown"


def _decoded(head: bytes) -> bytes:
    """The head as UTF-8 bytes: XML may come as UTF-16 with or without a byte order mark (XML 1.0, appendix F)."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head.decode("utf-16", "replace").encode()
    if head.startswith(b"<\x00"):
        return head.decode("utf-16-le", "replace").encode()
    if head.startswith(b"\x00<"):
        return head.decode("utf-16-be", "replace").encode()
    return head.removeprefix(b"\xef\xbb\xbf")


def malware_verdict(data: bytes) -> str | None:
    """The name of the threat, or None. Knows the EICAR test string, plain or in base64, so that the path of a
    quarantined file is exercised; a scanner of the installation's choice is asked by the caller."""
    return "EICAR test file" if EICAR.search(data) or EICAR_BASE64.search(data) else None
