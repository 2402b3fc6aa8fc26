"""How a case speaks of groups and rounds."""

from django import template

from reviews import lookalikes

register = template.Library()
ACRONYM = 3  # letters: cfo, cto, hr


@register.filter
def signer(group: str) -> str:
    """Who of a group signs, in words: `cfo` is the CFO, `managers` a manager, `tax-team` somebody of the tax team."""
    words = str(group).replace("-", " ").replace("_", " ").strip()
    if not words:
        return "another reviewer"
    if len(words) <= ACRONYM:
        return f"the {words.upper()}"
    if " " in words or not words.endswith("s"):
        return f"somebody of {words}" if words[:1].isupper() else f"somebody of the {words}"
    return f"{'an' if words[0].lower() in 'aeiou' else 'a'} {words[:-1]}"


@register.filter
def visible(text: str) -> str:
    """Text from outside, with a marker for every character nobody can see."""
    return lookalikes.visible(str(text or ""))
