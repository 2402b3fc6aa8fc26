"""Emptying the database between tests, which the append-only guards rightly refuse to everyone else."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from django.db import connection
from django.test import TransactionTestCase


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


def lift_guards_while_emptying() -> None:
    """Makes Django's own clean-up after a transactional test pass the guards, and nothing else."""
    TransactionTestCase._fixture_teardown = lifting(TransactionTestCase._fixture_teardown)


def lifting(teardown: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(teardown)
    def with_guards_lifted(case: TransactionTestCase) -> None:
        with guards_lifted():
            teardown(case)

    return with_guards_lifted
