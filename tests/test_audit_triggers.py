"""The database itself refuses to change or remove an event."""

from importlib import import_module

import pytest
from django.apps import apps
from django.db import DatabaseError, connection, transaction

from audit.models import Event
from tests.trail import happened

CHANGES = ["UPDATE audit_event SET kind = 'run.failed'", "DELETE FROM audit_event"]
OF_VENDOR = {
    "postgresql": ["TRUNCATE audit_event", "TRUNCATE audit_event CASCADE"],
    "sqlite": [
        "INSERT OR REPLACE INTO audit_event SELECT * FROM audit_event",
        "REPLACE INTO audit_event SELECT * FROM audit_event",
        "UPDATE OR IGNORE audit_event SET kind = 'run.failed'",
    ],
}


@pytest.mark.django_db
def test_no_statement_changes_or_removes_an_event():
    event = happened()
    for statement in [*CHANGES, *OF_VENDOR[connection.vendor]]:
        with pytest.raises(DatabaseError, match="audit_event is append-only"), transaction.atomic():
            run(statement)
    assert bytes(Event.objects.get().body) == event.body


@pytest.mark.django_db
def test_the_orm_does_not_change_or_remove_an_event():
    event = happened()
    event.kind = "run.failed"
    for change in (event.save, event.delete, Event.objects.all().delete, lambda: Event.objects.update(run="other")):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            change()
    assert Event.objects.get().kind == "run.started"


@pytest.mark.django_db(transaction=True)
def test_the_guard_can_be_taken_back_and_put_up_again():
    operation = import_module("audit.migrations.0002_append_only").Migration.operations[0]
    happened()
    with connection.schema_editor() as editor:
        operation.reverse_code(apps, editor)
    run(CHANGES[1])
    with connection.schema_editor() as editor:
        operation.code(apps, editor)
        operation.code(apps, editor)  # repeating it, as after a rebuilt table, is harmless
    happened()
    with pytest.raises(DatabaseError, match="append-only"):
        run(CHANGES[1])


def run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
