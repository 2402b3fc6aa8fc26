"""A readable text of an XML document, one line an element, to which passages point by line number."""

from lxml import etree

MAX_TEXT = 600  # characters of one value that are shown
MAX_ATTRIBUTE = 80
MAX_INDENT = 24


class View:
    """The lines of a document and on which of them each element stands."""

    def __init__(self, root: etree._Element) -> None:
        self.lines: list[str] = []
        self.numbers: dict[etree._Element, int] = {}
        depth = 0
        for event, node in etree.iterwalk(root, events=("start", "end")):
            if event == "end":
                depth -= 1
                continue
            self.lines.append("  " * min(depth, MAX_INDENT) + _describe(node))
            self.numbers[node] = len(self.lines)
            depth += 1


def shown(value: str) -> str:
    """White space collapsed, control characters taken out, cut off at MAX_TEXT: as it stands in the view."""
    words = " ".join(value[: MAX_TEXT * 4].split())
    plain = "".join(char for char in words if char.isprintable())
    return plain if len(plain) <= MAX_TEXT else plain[: MAX_TEXT - 1] + "…"


def _describe(node: etree._Element) -> str:
    name = etree.QName(node).localname
    marks = [f"{etree.QName(key).localname} {shown(value)[:MAX_ATTRIBUTE]}" for key, value in node.attrib.items()]
    label = f"{name} ({', '.join(marks)})" if marks else name
    if "BinaryObject" in name:
        return f"{label}: attachment, {len(node.text or ''):,} characters, not shown"
    value = shown(node.text or "")
    return f"{label}: {value}" if value else label
