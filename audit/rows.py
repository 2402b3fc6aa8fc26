"""Bulk inserts for the hot path: compiling an INSERT through the ORM costs more than running it."""

import functools
from collections.abc import Sequence

from django.db import connection, models


@functools.cache
def insert_statement(model: type[models.Model]) -> tuple[tuple[models.Field, ...], str]:
    """The fields of `model` that are written, and its INSERT. Quoting is the same on PostgreSQL and SQLite."""
    fields = tuple(field for field in model._meta.concrete_fields if not field.generated)
    quote = connection.ops.quote_name
    columns = ", ".join(quote(field.column) for field in fields)
    marks = ", ".join(["%s"] * len(fields))
    return (
        fields,
        f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES ({marks})",
    )


def insert_rows(rows: Sequence[models.Model]) -> None:
    """Insert rows of one model whose keys are known, in one `executemany`, as part of the caller's transaction.

    Unlike `bulk_create()` it fills in nothing: no `auto_now`, no database defaults, no signals.
    """
    if not rows:
        return
    fields, statement = insert_statement(type(rows[0]))
    prepare = [(field.attname, field.get_db_prep_save) for field in fields]
    values = [[convert(getattr(row, name), connection) for name, convert in prepare] for row in rows]
    with connection.cursor() as cursor:
        cursor.executemany(statement, values)
    for row in rows:
        row._state.adding = False
