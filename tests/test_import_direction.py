"""Imports go one way: audit <- orchestrator <- reviews, and inside an app from the models upwards."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
MAY_IMPORT = {"audit": {"audit"}, "orchestrator": {"audit", "orchestrator"}, "reviews": set()}
MAY_IMPORT["reviews"] = {"audit", "orchestrator", "reviews"}
EXEMPT = {"orchestrator.settings", "orchestrator.urls"}
PURE = ["orchestrator.definitions", "orchestrator.policies.cel", "reviews.policies"]
PURE += ["audit.canonical", "audit.merkle", "audit.verify"]
PAGES = {"views", "pages", "api", "admin", "jobs", "management", "urls"}
LAYERS = [{"models", "querysets"}, {"transitions"}, set(), PAGES]
MIDDLE = 2  # services, engine and everything else that is not named in LAYERS


def modules() -> dict[str, Path]:
    found = {}
    for app in MAY_IMPORT:
        for path in (PROJECT / app).rglob("*.py"):
            parts = path.relative_to(PROJECT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return {name: path for name, path in found.items() if ".migrations" not in name}


MODULES = modules()


@cache
def imports(name: str) -> frozenset[str]:
    """Every module `name` imports, at its head or inside a function; ours are resolved to the module itself."""
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    package = name if MODULES[name].name == "__init__.py" else name.rpartition(".")[0]
    return frozenset(target for node in ast.walk(tree) for target in targets(node, package))


def targets(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        steps_up = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
        base = ".".join([*steps_up, *([node.module] if node.module else [])])
        for alias in node.names:
            yield f"{base}.{alias.name}" if f"{base}.{alias.name}" in MODULES else base


def is_pure(name: str) -> bool:
    """Neither Django nor anything of ours that is not pure itself."""
    return all(is_pure(target) if target in MODULES else target.split(".")[0] != "django" for target in imports(name))


def stands_alone(name: str) -> bool:
    """Rests on nothing of ours that does not stand alone itself: any layer may import it, no circle can come of it."""
    return layer(name) == MIDDLE and all(stands_alone(target) for target in imports(name) if target in MODULES)


def layer(name: str) -> int:
    parts = {part.split("_")[0] for part in name.split(".")[1:]}  # views_case is a part of the views
    return next((rank for rank, names in enumerate(LAYERS) if parts & names), MIDDLE)


@pytest.mark.parametrize("name", sorted(MODULES.keys() - EXEMPT))
def test_an_app_imports_only_what_is_below_it(name: str) -> None:
    app = name.split(".")[0]
    foreign = {target for target in imports(name) if target.split(".")[0] in MAY_IMPORT.keys() - MAY_IMPORT[app]}
    assert not foreign, f"{name} imports {sorted(foreign)}"


@pytest.mark.parametrize("name", sorted(MODULES.keys() - EXEMPT))
def test_a_lower_layer_never_imports_a_higher_one(name: str) -> None:
    app = name.split(".")[0]
    siblings = {target for target in imports(name) if target in MODULES and target.split(".")[0] == app}
    higher = {target for target in siblings if layer(target) > layer(name) and not stands_alone(target)}
    assert not higher, f"{name} imports {sorted(higher)}"


@pytest.mark.parametrize("name", [name for name in PURE if name in MODULES])
def test_the_pure_modules_do_without_django(name: str) -> None:
    assert is_pure(name), sorted(imports(name))
