"""Bulk inserts for the hot path: compiling an INSERT through the ORM costs more than running it."""

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from operator import attrgetter
from typing import Any, NamedTuple

from django.db import connection, models

TEXT = (models.CharField, models.TextField)
NUMBERS = (models.FloatField, models.PositiveIntegerField, models.PositiveSmallIntegerField, models.BigIntegerField)
# What the driver takes as Python has it, column by column. SQLite has no type for times, UUIDs and decimals.
TAKEN_AS_IS = {
    "sqlite": frozenset((*TEXT, *NUMBERS)),
    "postgresql": frozenset(
        (*TEXT, *NUMBERS, models.UUIDField, models.DateTimeField, models.DecimalField, models.BinaryField)
    ),
}


class Insert(NamedTuple):
    """How rows of one model are written: their values in column order, and the columns that need converting."""

    statement: str
    values: Callable[[models.Model], Any]
    converted: tuple[tuple[int, models.Field], ...]


@functools.cache
def insert_statement(model: type[models.Model], vendor: str) -> Insert:
    """The INSERT of `model`, made once for each kind of database. Quoting is the same on PostgreSQL and SQLite."""
    fields = [field for field in model._meta.concrete_fields if not field.generated]
    quote = connection.ops.quote_name
    columns = ", ".join(quote(field.column) for field in fields)
    marks = ", ".join(["%s"] * len(fields))
    names = [field.attname for field in fields]
    return Insert(
        f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES ({marks})",  # noqa: S608
        # attrgetter of a single name gives a bare value; asking for it twice gives a tuple, cut again below.
        attrgetter(*names, names[0]),
        tuple((place, field) for place, field in enumerate(fields) if not is_taken_as_is(field, vendor)),
    )


def is_taken_as_is(field: models.Field, vendor: str) -> bool:
    """A foreign key is what it points to."""
    column = field.target_field if isinstance(field, models.ForeignKey) else field
    return type(column) in TAKEN_AS_IS[vendor]


@contextmanager
def pipelined() -> Iterator[None]:
    """Statements of the block are sent without waiting for the answer to each, so none may depend on another's. An
    error shows at the latest at the end of the block. psycopg's pipeline mode; SQLite has no distance to save."""
    if connection.vendor != "postgresql":
        yield
        return
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.pipeline():
        yield


def insert_rows(rows: Sequence[models.Model]) -> None:
    """Insert rows of one model whose keys are known, in one `executemany`, as part of the caller's transaction.

    Unlike `bulk_create()` it fills in nothing: no `auto_now`, no database defaults, no signals.
    """
    if not rows:
        return
    insert = insert_statement(type(rows[0]), connection.vendor)
    prepared = []
    for row in rows:
        values = list(insert.values(row))
        values.pop()
        for place, field in insert.converted:
            values[place] = field.get_db_prep_save(values[place], connection)
        prepared.append(values)
        row._state.adding = False
    with connection.cursor() as cursor:
        if len(prepared) == 1:  # executemany() sets up a pipeline, which is dearer than the row
            cursor.execute(insert.statement, prepared[0])
        else:
            cursor.executemany(insert.statement, prepared)
