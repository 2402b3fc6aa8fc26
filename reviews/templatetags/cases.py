"""How a case speaks of groups and rounds."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django import template
from django.utils import formats
from django.utils.timezone import localtime
from django.utils.translation import gettext

from orchestrator import taking_back
from orchestrator.connectors.actions import questions
from orchestrator.stored import MISSING, NOT_KNOWN, retold
from orchestrator.templatetags.parts import words
from orchestrator.words import later as _
from reviews import lookalikes, why
from reviews.choices import VERDICTS
from reviews.packet import GO_ON
from reviews.policies import REASONS

register = template.Library()
USUAL = {words for codes in REASONS.values() for _code, words in codes}
STATES = {
    "fired": _("Fired"),
    "not_fired": _("Not fired"),
    "error": _("Error"),
    "not_yet": _("Not yet"),
}
ACRONYM = 3  # letters: cfo, cto, hr


@register.filter
def signer(group: str) -> str:
    """Who of a group signs, in words: `cfo` is the CFO, `managers` a manager, `tax-team` somebody of the tax team."""
    name = str(group).replace("-", " ").replace("_", " ").strip()
    if not name:
        return gettext("another reviewer")
    if len(name) <= ACRONYM:
        return gettext("the %(group)s") % {"group": name.upper()}
    if " " in name or not name.endswith("s"):
        named = gettext("somebody of %(group)s") if name[:1].isupper() else gettext("somebody of the %(group)s")
        return named % {"group": name}
    one = gettext("an %(group)s") if name[0].lower() in "aeiou" else gettext("a %(group)s")
    return one % {"group": name[:-1]}


@register.filter
def question(text: str) -> str:
    """What a packet asks, in the reader's language."""
    return retold(text, [*questions(), *taking_back.QUESTIONS, GO_ON], again)


def again(name: str, said: str) -> str:
    """What was put into a place of a question: what is missing in words, amounts and days as the reader writes them."""
    if said in (*MISSING.values(), NOT_KNOWN):
        return gettext(said)
    try:
        if name == "amount":
            return formats.number_format(Decimal(said.replace(",", "")), 2, force_grouping=True)
        return formats.date_format(date.fromisoformat(said)) if name == "date" else said
    except (InvalidOperation, ValueError):
        return said  # as the document has it


@register.filter
def stated(item: Mapping[str, str]) -> str:
    """What was said with a run; of a reversal, the answer it is about with reason and time as the reader says it."""
    label, said = item["label"], item["value"]
    if label == "Answer" and said in VERDICTS:
        return str(VERDICTS[said][-1])
    if label == "Decided at":
        return when(said)
    return gettext(said) if label == "Reason" and said in USUAL else visible(said)


def when(said: str) -> str:
    """A moment as it is stored, in the reader's time and form."""
    try:
        return formats.date_format(localtime(datetime.fromisoformat(said)), "DATETIME_FORMAT")
    except ValueError:
        return visible(said)


@register.filter
def rule_state(rule: Mapping[str, Any]) -> str:
    """How a rule came out, in words."""
    return str(STATES.get(rule["state"], words(rule["state"])))


@register.filter
def gist(text: str) -> str:
    """Of a rule's reason what belongs to this case: what it says after its first sentence, where it does."""
    first, others = why.parted(visible(text))
    return others or first


@register.filter
def visible(text: str) -> str:
    """Text from outside, with a marker for every character nobody can see."""
    return lookalikes.visible(str(text or ""))
