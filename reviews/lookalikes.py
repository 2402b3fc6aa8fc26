"""Text that is not what it looks like: characters that turn, hide or imitate others. Pure.

Names come from outside. What cannot be seen is made visible, and what imitates is named, so that a person decides by
what stands there and not by what it looks like.
"""

import re
import unicodedata
from collections.abc import Iterator

from django.utils.translation import gettext

# Bidirectional controls, zero-width and other invisible characters, and the rest of the controls.
HIDDEN = re.compile(
    "[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e"
    "\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e007f]"
)
WORD = re.compile(r"[^\W\d_]{2,}")
PILED = re.compile(
    r"([\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff])[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]{2,}"
)
LOOKALIKE = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE")


def visible(text: str) -> str:
    """The text with a marker for every character nobody can see, and no more than two marks piled on a letter."""
    shown = HIDDEN.sub(lambda found: f"[U+{ord(found[0]):04X}]", text)
    return PILED.sub(lambda found: f"{found[1]}[+{len(found[0]) - 1}]", shown)


def objections(text: str) -> list[str]:
    """What is wrong with how the text is written, in words; empty for ordinary text."""
    return list(_objections(text))


def _objections(text: str) -> Iterator[str]:
    if found := sorted({f"U+{ord(char):04X}" for char in HIDDEN.findall(text)}):
        yield gettext("contains characters that cannot be seen (%(found)s)") % {"found": ", ".join(found)}
    for word in WORD.findall(text):
        scripts = {script for char in word if (script := script_of(char)) in LOOKALIKE}
        if len(scripts) > 1:
            yield gettext("mixes %(names)s letters in “%(word)s”") % {
                "names": " and ".join(sorted(name.capitalize() for name in scripts)),
                "word": visible(word),
            }
    if PILED.search(text):
        yield gettext("has accents piled on its letters")
    if any(unicodedata.east_asian_width(char) == "F" and char.isalnum() for char in text):
        yield gettext("uses full-width letters or digits")


def script_of(char: str) -> str:
    return unicodedata.name(char, "").partition(" ")[0]
