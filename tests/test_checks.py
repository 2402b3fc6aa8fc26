"""What is misconfigured is named by the system checks, with the setting, its value and what to do."""

from pathlib import Path

import pytest
from django.core.checks import CheckMessage, run_checks
from pytest_django.fixtures import Settings

from orchestrator import checks


def ids(messages: list[CheckMessage]) -> list[str | None]:
    return [message.id for message in messages]


def test_the_shipped_settings_pass_every_check() -> None:
    functions = [checks.check_dotted_paths, checks.check_document_dir, checks.check_base_currency]
    assert [message for function in functions for message in function()] == []


def test_manage_py_check_runs_them(settings: Settings) -> None:
    settings.BASE_CURRENCY = "euro"
    assert "countersign.E005" in ids(run_checks())


@pytest.mark.parametrize(
    ("setting", "value", "number"),
    [
        ("STEP_HANDLERS", {"agent": "orchestrator.steps.nothing.AgentStep"}, "E001"),
        ("AGENT_MODULES", ["orchestrator.agents.nobody"], "E002"),
        ("AUDIT_VISIBLE_SCOPES", "orchestrator.settings.nothing_of_the_kind", "E003"),
        ("SWEEPERS", {"dust": "orchestrator.settings.broom"}, "E006"),
        ("QUEUE_NAMES", "nowhere.queue_names", "E007"),
    ],
)
def test_a_dotted_path_that_cannot_be_imported_is_an_error(
    settings: Settings, setting: str, value: str | list[str] | dict[str, str], number: str
) -> None:
    setattr(settings, setting, value)
    (message,) = [message for message in checks.check_dotted_paths() if setting in message.msg]
    assert message.id == f"countersign.{number}"
    assert checks.dotted_paths(value)[0] in message.msg
    assert message.hint


def test_a_document_directory_below_a_file_is_an_error(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings.DOCUMENT_DIR = tmp_path / "file" / "documents"
    assert ids(checks.check_document_dir()) == ["countersign.E004"]


@pytest.mark.parametrize("code", ["euro", "EU", "", "eur", "EUR "])
def test_a_base_currency_that_is_no_iso_code_is_an_error(settings: Settings, code: str) -> None:
    settings.BASE_CURRENCY = code
    assert ids(checks.check_base_currency()) == ["countersign.E005"]
