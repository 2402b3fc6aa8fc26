"""Finding cases by their words: title, number, vendor, values, the text of their documents and the rules that stopped
them. Words are kept the same way they are asked for, so neither database's own idea of a word matters."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from django.db.models import BooleanField, F, Func, QuerySet, Value

from orchestrator.models import DocumentPage, Run

from .models import CaseWords

WORD = re.compile(r"[^\W_]+")
LONGEST, MOST = 60, 20_000  # letters of a word, words of a case
RULE = ":"  # begins the word that stands for a rule: no search by text can mean it


def words_in(text: str) -> list[str]:
    """The words of a text without case, accents and punctuation."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    bare = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return [word[:LONGEST] for word in WORD.findall(bare)]


def words_of(packet: Mapping[str, Any], pages: Iterable[str]) -> str:
    """What a case can be found by, each word once."""
    rules = {f"{RULE}{reason['rule']}" for reason in packet["reasons"]}
    joined = {"".join(words_in(packet["number"]))[:LONGEST]} - {""}
    found = {word: None for text in (*texts_of(packet), *pages) for word in words_in(text)}
    return " ".join(sorted({*rules, *joined, *islice(found, MOST)}))


def texts_of(packet: Mapping[str, Any]) -> Iterator[str]:
    yield from (packet["title"], packet["number"], packet["vendor"], packet["question"])
    yield from (str(item.get("value") or "") for item in packet["values"])
    yield from (str(item.get("message") or "") for item in packet["differences"])


def remember_words(*, task_id: Any, run: Run, packet: Mapping[str, Any]) -> None:
    """Keeps the words of a case as it is put before people. Inside the transaction that opens the round."""
    shas = run.rundocument_set.values("document__sha256")
    pages = DocumentPage.objects.filter(sha256__in=shas).values_list("text", flat=True)
    CaseWords.objects.update_or_create(task_id=task_id, defaults={"words": words_of(packet, pages)})


class Holds(Func):
    """The condition that a row of CaseWords has all the words of a query, in the database's full-text index."""

    output_field = BooleanField()
    conditional = True

    def as_sql(self, compiler: Any, connection: Any, *_: Any, **__: Any) -> Any:
        (words, _), (key, _), (asked, params) = map(compiler.compile, self.source_expressions)
        if connection.vendor == "postgresql":
            return f"{VECTOR.format(words)} @@ ({asked})::tsquery", params
        table = f"{CaseWords._meta.db_table}_fts"
        return f"{key} IN (SELECT rowid FROM {table} WHERE {table} MATCH {asked})", params  # noqa: S608 - names of ours


VECTOR = "array_to_tsvector(string_to_array({}, ' '))"


def cases_with(vendor: str, beginnings: Sequence[str], rules: Sequence[str] = ()) -> QuerySet[CaseWords]:
    """Cases that have a word beginning with each of `beginnings`, and were stopped by each of `rules`. `vendor`: of the
    database. Every word is quoted, and letters, digits and hyphens are all that can be in one."""
    if vendor == "postgresql":
        parts = [f"'{word}':*" for word in beginnings] + [f"'{RULE}{rule}'" for rule in rules]
        query = " & ".join(parts)
    else:
        parts = [f'"{word}"*' for word in beginnings] + [f'"{RULE}{rule}"' for rule in rules]
        query = " AND ".join(parts)
    return CaseWords.objects.filter(Holds(F("words"), F("pk"), Value(query)))
