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
from django.db.models.query import ModelIterable, get_related_populators  # type: ignore[attr-defined]
from django.db.models.sql import UpdateQuery

from audit.rows import is_taken_as_is

FIELDS = {UUID: models.UUIDField, int: models.BigIntegerField, str: models.TextField}


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

    def rows(self, given: Mapping[str, Any]) -> list[Sequence[Any]]:
        with connection.cursor() as cursor:
            self.run(cursor, given)
            found = cursor.fetchall()
        return list(self.converted(found)) if self.converted else found


def padded(keys: Collection[UUID]) -> list[UUID]:
    found = list(keys)
    return found + found[-1:] * ((1 << (len(found) - 1).bit_length()) - len(found))


def slots(number: int) -> list[Slot]:
    return [Slot("keys", models.UUIDField(), place) for place in range(number)]


def select(make: Callable[..., models.QuerySet], keys: Collection[UUID] = (), *fixed: Any) -> list[Sequence[Any]]:
    """The rows of `make(keys, *fixed)`, a module's function that gives a `values_list()`."""
    given = padded(keys) if keys else []
    statement = _selecting(make, len(given), fixed, connection.vendor)
    return statement.rows({"keys": given})


@cache
def _selecting(make: Callable[..., models.QuerySet], number: int, fixed: tuple[Any, ...], vendor: str) -> Statement:
    return _compiled(make(slots(number), *fixed))[0]


def _compiled(rows: models.QuerySet) -> tuple[Statement, Any]:
    compiler = rows.query.get_compiler(connection=connection)
    sql, params = compiler.as_sql()
    converters = compiler.get_converters([column for column, *_ in compiler.select])
    convert = (lambda rows: map(tuple, compiler.apply_converters(rows, converters))) if converters else None
    return Statement(sql, tuple(params), convert), compiler


def look_up(make: Callable[..., models.QuerySet], *fixed: Any, **values: Any) -> list[Any]:
    """What `make(*fixed, **values)` finds: rows of a `values_list()`, or instances with what they
    `select_related()` and `annotate()`. `values` are single keys: UUIDs, numbers or text."""
    types = tuple((name, type(value)) for name, value in values.items())
    statement, instance = _looking_up(make, fixed, types, connection.vendor)
    rows = statement.rows(values)
    return [instance(row) for row in rows] if instance else rows


@cache
def _looking_up(
    make: Callable[..., models.QuerySet], fixed: tuple[Any, ...], types: tuple[tuple[str, type], ...], vendor: str
) -> tuple[Statement, Callable[[Sequence[Any]], models.Model] | None]:
    rows = make(*fixed, **{name: Slot(name, FIELDS[kind]()) for name, kind in types})
    statement, compiler = _compiled(rows)
    return statement, _instances(compiler) if rows._iterable_class is ModelIterable else None


def _instances(compiler: Any) -> Callable[[Sequence[Any]], models.Model]:
    """As a queryset makes them of rows."""
    using, info = connection.alias, compiler.klass_info
    first, last = info["select_fields"][0], info["select_fields"][-1] + 1
    names = [column.target.attname for column, *_ in compiler.select[first:last]]
    related = get_related_populators(info, compiler.select, using)
    annotated = compiler.annotation_col_map.items()

    def instance(row: Sequence[Any]) -> models.Model:
        found = info["model"].from_db(using, names, row[first:last])
        for part in related:
            part.populate(row, found)
        for name, place in annotated:
            setattr(found, name, row[place])
        return found

    return instance


def update(
    model: type[models.Model], keys: Collection[UUID], where: tuple[str, tuple[str, ...]] | None = None, **values: Any
) -> int:
    """As `filter(pk__in=keys, FIELD__in=VALUES).update(**values)`, where `where` is (FIELD, VALUES) or None. How many
    changed; inside `pipelined()`, nobody knows yet."""
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
    where: tuple[str, tuple[str, ...]] | None,
    plain: tuple[str, ...],
    worked_out: tuple[tuple[str, Any], ...],
    vendor: str,
) -> Statement:
    rows = model._default_manager.filter(pk__in=slots(number))
    if where is not None:
        rows = rows.filter(**{f"{where[0]}__in": where[1]})
    query: Any = rows.query.chain(UpdateQuery)
    query.add_update_values({name: Slot(name, model._meta.get_field(name)) for name in plain} | dict(worked_out))
    sql, params = query.get_compiler(connection=connection).as_sql()
    return Statement(sql, tuple(params))
