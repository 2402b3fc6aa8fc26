"""Append-only tables, held by the database itself, so that admin, shell and later code are covered too."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

SQLITE = {
    "update": "CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table}"
    " BEGIN SELECT RAISE(ABORT, '{table} is append-only: UPDATE refused'); END",
    "delete": "CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table}"
    " BEGIN SELECT RAISE(ABORT, '{table} is append-only: DELETE refused'); END",
    # INSERT OR REPLACE removes the old row without firing its DELETE trigger.
    "replace": "CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table}"
    " WHEN EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key})"
    " BEGIN SELECT RAISE(ABORT, '{table} is append-only: REPLACE refused'); END",
}
POSTGRES_FUNCTION = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$
"""
POSTGRES = {
    "change": "CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table}"
    " FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "truncate": "CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}"
    " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
}


def append_only(table: str, *, key: str = "id") -> migrations.RunPython:
    """A migration operation after which `table` (primary key column `key`) takes INSERT and nothing else.

    On SQLite a later migration that rebuilds the table loses its triggers: repeat `append_only(table)` after it.
    """

    def guard(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
        vendor = editor.connection.vendor
        if vendor == "postgresql":
            editor.execute(POSTGRES_FUNCTION, None)
        for name, statement in _triggers(vendor).items():
            _drop(editor, table, name)
            editor.execute(statement.format(table=table, key=key), None)

    def release(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
        for name in _triggers(editor.connection.vendor):
            _drop(editor, table, name)

    return migrations.RunPython(guard, release)


def _triggers(vendor: str) -> dict[str, str]:
    return {"postgresql": POSTGRES, "sqlite": SQLITE}[vendor]


def _drop(editor: BaseDatabaseSchemaEditor, table: str, name: str) -> None:
    where = f" ON {table}" if editor.connection.vendor == "postgresql" else ""
    editor.execute(f"DROP TRIGGER IF EXISTS {table}_no_{name}{where}", None)
