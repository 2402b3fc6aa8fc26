"""Statements of the hot path, made by the ORM once: compiling a query costs more than running it.

A statement is kept per kind of database and number of keys. Keys are padded to a power of two by repeating the last
one, so that few statements differ and the database keeps them prepared.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from django.db import connection, models
from django.db.models.expressions import Expression
from django.db.models.sql import UpdateQuery

from audit.rows import is_taken_as_is


class Slot(Expression):
    """The place of a value that each execution brings: of `name`, or of one of the keys (`place`)."""

    def __init__(self, name: str, output_field: Any, place: int | None = None) -> None:
        super().__init__(output_field=output_field)
        self.name, self.place = name, place

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        return "%s", [self]

    def value(self, given: Mapping[str, Any]) -> Any:
        value = given[self.name] if self.place is None else given[self.name][self.place]
        if value is None or is_taken_as_is(self.output_field, connection.vendor):
            return value
        return self.output_field.get_db_prep_save(value, connection)


@dataclass(frozen=True, slots=True)
class Statement:
    """`params` are values and slots, in order."""

    sql: str
    params: tuple[Any, ...]
    converted: Callable[[Sequence[tuple]], Iterator[Sequence[Any]]] | None = None

    def run(self, cursor: Any, given: Mapping[str, Any]) -> None:
        cursor.execute(self.sql, [p.value(given) if isinstance(p, Slot) else p for p in self.params])


def padded(keys: Collection[UUID]) -> list[UUID]:
    found = list(keys)
    return found + found[-1:] * ((1 << (len(found) - 1).bit_length()) - len(found))


def slots(number: int) -> list[Slot]:
    return [Slot("keys", models.UUIDField(), place) for place in range(number)]


def select(make: Callable[..., models.QuerySet], keys: Collection[UUID] = (), *fixed: Any) -> list[Sequence[Any]]:
    """The rows of `make(keys, *fixed)`, a module's function that gives a `values_list()`."""
    given = padded(keys) if keys else []
    statement = _selecting(make, len(given), fixed, connection.vendor)
    with connection.cursor() as cursor:
        statement.run(cursor, {"keys": given})
        rows = cursor.fetchall()
    return list(statement.converted(rows)) if statement.converted else rows


@cache
def _selecting(make: Callable[..., models.QuerySet], number: int, fixed: tuple[Any, ...], vendor: str) -> Statement:
    compiler = make(slots(number), *fixed).query.get_compiler(connection=connection)
    sql, params = compiler.as_sql()
    converters = compiler.get_converters([column for column, *_ in compiler.select])
    convert = (lambda rows: compiler.apply_converters(rows, converters)) if converters else None
    return Statement(sql, tuple(params), convert)


def update(model: type[models.Model], keys: Collection[UUID], where: tuple[str, tuple[str, ...]], **values: Any) -> int:
    """As `filter(pk__in=keys, FIELD__in=VALUES).update(**values)`, where `where` is (FIELD, VALUES). How many changed;
    inside `pipelined()`, nobody knows yet."""
    if not keys:
        return 0
    given, plain = padded(keys), {n: v for n, v in values.items() if not hasattr(v, "resolve_expression")}
    worked_out = tuple((name, value) for name, value in values.items() if name not in plain)
    statement = _updating(model, len(given), where, tuple(plain), worked_out, connection.vendor)
    with connection.cursor() as cursor:
        statement.run(cursor, {"keys": given, **plain})
        return cursor.rowcount


@cache
def _updating(
    model: type[models.Model],
    number: int,
    where: tuple[str, tuple[str, ...]],
    plain: tuple[str, ...],
    worked_out: tuple[tuple[str, Any], ...],
    vendor: str,
) -> Statement:
    field, among = where
    rows = model._default_manager.filter(pk__in=slots(number), **{f"{field}__in": among})
    query: Any = rows.query.chain(UpdateQuery)
    query.add_update_values({name: Slot(name, model._meta.get_field(name)) for name in plain} | dict(worked_out))
    sql, params = query.get_compiler(connection=connection).as_sql()
    return Statement(sql, tuple(params))
