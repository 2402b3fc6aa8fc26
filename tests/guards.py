"""Emptying the database between tests, which the append-only guards rightly refuse to everyone else."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction
from django.test import TransactionTestCase

KEPT = {"django_content_type", "auth_permission", "orchestrator_connector"}  # as `migrate` made them


@contextmanager
def guards_lifted() -> Iterator[None]:
    """Without triggers on the default connection, as only the owner of the database could arrange it."""
    lifted = postgres_guards_lifted if connection.vendor == "postgresql" else sqlite_guards_lifted
    with lifted():
        yield


@contextmanager
def postgres_guards_lifted() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = DEFAULT")


@contextmanager
def sqlite_guards_lifted() -> Iterator[None]:
    """SQLite cannot switch triggers off: they are dropped, and made again from their own text."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        triggers = cursor.fetchall()
        for name, _ in triggers:
            cursor.execute(f'DROP TRIGGER "{name}"')
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            for _, text in triggers:
                cursor.execute(text)


def empty_quickly() -> None:
    """Makes the clean-up after a transactional test pass the guards, and touch only what the test has filled: Django
    would truncate every table there is, and make what is KEPT here anew."""
    TransactionTestCase._fixture_teardown = lambda case: empty()


def empty() -> None:
    with transaction.atomic(), guards_lifted(), connection.cursor() as cursor:
        for table in filled(cursor):
            cursor.execute(f'DELETE FROM "{table}"')


def filled(cursor: Any) -> list[str]:
    """The tables of our models that have rows."""
    tables = set(connection.introspection.django_table_names(include_views=False)) - KEPT
    looks = [f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM \"{table}\")" for table in sorted(tables)]
    cursor.execute(" UNION ALL ".join(looks))
    return [table for (table,) in cursor.fetchall()]
