"""Legal moves, held by the database itself: triggers made from the tables of transitions, so that admin, shell and
later code are covered too. An update that leaves the status alone fires nothing, a legal one pays a comparison.

On SQLite a later migration that rebuilds a table loses its triggers: repeat `guard()` after it.
"""

from collections.abc import Iterator, Mapping

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

POSTGRES_FUNCTION = """
CREATE OR REPLACE FUNCTION refuse_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%: % refused', TG_TABLE_NAME, TG_ARGV[0] USING ERRCODE = 'restrict_violation';
END $$
"""
POSTGRES = (
    "CREATE TRIGGER {table}_{name} BEFORE {event} ON {table} FOR EACH ROW"
    " WHEN ({condition}) EXECUTE FUNCTION refuse_move('{what}')"
)
SQLITE = (
    "CREATE TRIGGER {table}_{name} BEFORE {event} ON {table} FOR EACH ROW"
    " WHEN {condition} BEGIN SELECT RAISE(ABORT, '{table}: {what} refused'); END"
)
QUESTION = """
CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF {found} THEN
        RAISE EXCEPTION '{table}: {what} refused' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$
"""


def guard_moves(table: str, column: str, moves: Mapping[str, frozenset[str]]) -> migrations.RunPython:
    """After this operation `column` of `table` moves only as the table of moves says."""
    return _operation(table, {"legal_moves": (f"UPDATE OF {column}", illegal(column, moves), "illegal move")})


def guard_growth(table: str, column: str) -> migrations.RunPython:
    """After this operation `column` never becomes smaller."""
    shrinks = f"NEW.{column} < OLD.{column}"
    return _operation(table, {f"{column}_grows": (f"UPDATE OF {column}", shrinks, f"smaller {column}")})


def illegal(column: str, moves: Mapping[str, frozenset[str]]) -> str:
    """The condition under which an update is refused. Comparing first keeps other updates cheap."""
    arms = " ".join(
        f"WHEN '{source}' THEN NEW.{column} NOT IN ({_list(targets)})" if targets else f"WHEN '{source}' THEN {{true}}"
        for source, targets in sorted(moves.items())
    )
    return f"NEW.{column} <> OLD.{column} AND CASE OLD.{column} {arms} ELSE {{true}} END"


def _list(values: frozenset[str]) -> str:
    return ", ".join(f"'{value}'" for value in sorted(values))


def _operation(table: str, triggers: Mapping[str, tuple[str, str, str]]) -> migrations.RunPython:
    def guard(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
        if editor.connection.vendor == "postgresql":
            editor.execute(POSTGRES_FUNCTION, None)
        for name in triggers:
            _drop(editor, table, name)
        for statement in _statements(editor.connection.vendor, table, triggers):
            editor.execute(statement, None)

    def release(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
        for name in triggers:
            _drop(editor, table, name)

    return migrations.RunPython(guard, release)


def _statements(vendor: str, table: str, triggers: Mapping[str, tuple[str, str, str]]) -> Iterator[str]:
    form, true = (POSTGRES, "true") if vendor == "postgresql" else (SQLITE, "1")
    for name, (event, condition, what) in triggers.items():
        yield form.format(table=table, name=name, event=event, what=what, condition=condition.format(true=true))


def _drop(editor: BaseDatabaseSchemaEditor, table: str, name: str) -> None:
    where = f" ON {table}" if editor.connection.vendor == "postgresql" else ""
    editor.execute(f"DROP TRIGGER IF EXISTS {table}_{name}{where}", None)


def no_approval_by_the_requester() -> migrations.RunPython:
    """After this operation whoever started a run cannot approve it, on whatever way the row is written."""
    own = (
        "EXISTS (SELECT 1 FROM reviews_review v JOIN orchestrator_run r ON r.id = v.run_id"
        " WHERE v.id = NEW.review_id AND r.started_by_id = NEW.reviewer_id)"
    )
    return _asked(
        "reviews_approval",
        "not_the_requester",
        event="INSERT",
        when="NEW.verdict = 'approve'",
        found=own,
        what="approval by the requester",
        function="refuse_own_approval",
    )


def nothing_is_called_taken_back() -> migrations.RunPython:
    """After this operation an effect counts as taken back, which frees its business key, only once another that takes
    it back was confirmed, and from then on."""
    done = "SELECT 1 FROM orchestrator_effect e WHERE e.takes_back_id = NEW.id AND e.state = 'confirmed'"
    return _asked(
        "orchestrator_effect",
        "taken_back",
        event="UPDATE OF taken_back_at",
        when="(OLD.taken_back_at IS NOT NULL OR NEW.taken_back_at IS NOT NULL)",
        found=f"OLD.taken_back_at IS NOT NULL OR NOT EXISTS ({done})",
        what="untrue taking back",
        function="refuse_untrue_taking_back",
    )


def no_effect_of_a_control_case() -> migrations.RunPython:
    """After this operation a run that was planted with a known answer has no effects, whatever asks for one."""
    return _asked(
        "orchestrator_effect",
        "not_of_a_control_case",
        event="INSERT",
        when="NEW.run_id IS NOT NULL",
        found="EXISTS (SELECT 1 FROM orchestrator_run r WHERE r.id = NEW.run_id AND r.control)",
        what="effect of a control case",
        function="refuse_effect_of_control_case",
    )


def _asked(
    table: str, name: str, *, event: str, when: str, found: str, what: str, function: str
) -> migrations.RunPython:
    """A guard that has to look at other rows, which on PostgreSQL only a function may."""

    def guard(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
        _drop(editor, table, name)
        if editor.connection.vendor == "postgresql":
            editor.execute(QUESTION.format(function=function, found=found, table=table, what=what), None)
            editor.execute(
                f"CREATE TRIGGER {table}_{name} BEFORE {event} ON {table} FOR EACH ROW"
                f" WHEN ({when}) EXECUTE FUNCTION {function}()",
                None,
            )
            return
        condition = f"{when} AND ({found})"
        editor.execute(SQLITE.format(table=table, name=name, event=event, condition=condition, what=what), None)

    def release(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
        _drop(editor, table, name)

    return migrations.RunPython(guard, release)


def lift_approval_guard() -> migrations.RunPython:
    """Before a migration that rebuilds the table of reviews on SQLite, which the trigger reads: put it back with
    `no_approval_by_the_requester()`."""
    guard = no_approval_by_the_requester()
    return migrations.RunPython(guard.reverse_code, guard.code)
