"""Every setting is documented, and production starts with nothing the whole world knows."""

import ast
import os
import re
import subprocess
import sys

import pytest

from tests.services import PROJECT_DIR

ROW = re.compile(r"^\| `([A-Z_]+)`", re.MULTILINE)
PRODUCTION = {"DATABASE_URL": "postgresql://app@127.0.0.1/app", "ALLOWED_HOSTS": "countersign.example.com"}
SECRET = {"SECRET_KEY": "Rk3vN8qLw2ZxT7bYc5HdJ9mPs4GfQ6aEu1XoVi0KzWnBtCrMyS"}
BEHIND_TLS = {"SECURE_PROXY_HEADER": "HTTP_X_FORWARDED_PROTO"}


def names_read() -> set[str]:
    """The first argument of every `env(...)`, `env.bool(...)` and so on in the settings."""
    tree = ast.parse((PROJECT_DIR / "orchestrator" / "settings.py").read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {ast.literal_eval(call.args[0]) for call in calls if call.args and is_environment(call.func)}


def is_environment(function: ast.expr) -> bool:
    name = function.value if isinstance(function, ast.Attribute) else function
    return isinstance(name, ast.Name) and name.id == "env"


def documented() -> list[str]:
    return ROW.findall((PROJECT_DIR / "README.md").read_text(encoding="utf-8"))


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "VAR_DIR")}
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=PROJECT_DIR, env=kept | environment, capture_output=True, text=True, timeout=300)


def test_every_setting_that_is_read_is_listed_in_the_readme() -> None:
    assert names_read() - set(documented()) == set()


def test_the_readme_lists_no_setting_twice_and_none_that_is_not_read() -> None:
    assert sorted(documented()) == sorted(names_read())


@pytest.mark.parametrize("name", ["DATABASE_URL", "ALLOWED_HOSTS"])
def test_production_refuses_the_default_secret_key(name: str) -> None:
    refused = manage("check", **{name: PRODUCTION[name]})
    assert refused.returncode != 0
    assert "SECRET_KEY: the default is known to everyone" in refused.stderr


def test_a_laptop_needs_no_secret_key() -> None:
    assert manage("diffsettings").returncode == 0


def test_production_behind_tls_passes_the_deployment_check() -> None:
    checked = manage("check", "--deploy", "--fail-level", "WARNING", **PRODUCTION, **SECRET, **BEHIND_TLS)
    assert checked.returncode == 0, checked.stderr


def test_options_in_the_database_url_win_over_ours() -> None:
    shown = manage("diffsettings", **SECRET, DATABASE_URL="postgresql:///app?prepare_threshold=7&host=/run/here")
    assert "'prepare_threshold': 7" in shown.stdout
    assert "'host': '/run/here'" in shown.stdout
    assert "'server_side_binding': True" in shown.stdout
