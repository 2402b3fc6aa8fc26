"""From a query to the bytes of a file, in flat memory and as of one moment."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from types import ModuleType

from django.db import connection, transaction

from ..models import EventQuerySet

CHUNK = 2000  # events


def stream(events: EventQuerySet, form: ModuleType) -> Iterator[tuple[bytes, int]]:
    """The file in pieces, oldest event first, each with the number of events in it. `form` is a module of FORMATS."""
    yield form.HEADER, 0
    with snapshot():
        rows = events.oldest_first().values_list(*form.COLUMNS).iterator(chunk_size=CHUNK)
        while chunk := list(islice(rows, CHUNK)):
            yield form.encode(chunk), len(chunk)


@contextmanager
def snapshot() -> Iterator[None]:
    """One state of the database for all that is read inside.

    On SQLite one SELECT is one state already, and a transaction would keep writers out. Within a transaction of the
    caller, whose isolation is set, the caller's view holds.
    """
    if connection.vendor == "sqlite" or connection.in_atomic_block:
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")  # whoever reads may have a slow line
            cursor.execute("SET LOCAL statement_timeout = 0")  # and what they read may be long
        yield
