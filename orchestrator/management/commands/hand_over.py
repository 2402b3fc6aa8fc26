"""Hand over policies and workflows from their YAML files, to be put in force by somebody else."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.urls import reverse

from orchestrator import publishing, safe_yaml
from orchestrator.definitions import DefinitionError
from orchestrator.models import Policy, Workflow
from orchestrator.permissions import may
from orchestrator.policies.evaluate import PolicyError

BAD_INPUT = 2
OF_A_RULE = ("name", "when", "route", "reason")


class Command(BaseCommand):
    help = "Hands over policies and workflows, such as those that ship: another person puts them in force in the admin."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE", help="a policy or a workflow in YAML")
        parser.add_argument("--as", dest="user", required=True, metavar="USER", help="who answers for what it says")

    def handle(self, *args: Any, files: list[str], user: str, **options: Any) -> None:
        actor = get_user_model().objects.filter(username=user, is_active=True).first()
        if actor is None:
            raise CommandError(f"--as: {user!r} is no active account", returncode=BAD_INPUT)
        for file in files:
            row, is_new = handed_over(file, actor)
            page = reverse(f"admin:orchestrator_{row._meta.model_name}_change", args=[row.pk])
            self.stdout.write(
                f"{row}: another person puts it in force at {page}" if is_new else f"{row}: in force as it is"
            )


def handed_over(file: str, actor: AbstractUser) -> tuple[Policy | Workflow, bool]:
    """What the file describes; False where it is in force already."""
    try:
        source = Path(file).read_text(encoding="utf-8")
        found = safe_yaml.load(source)
    except (OSError, ValueError) as error:
        raise CommandError(f"{file}: cannot be read: {error}", returncode=BAD_INPUT) from None
    is_policy = isinstance(found, Mapping) and "policy" in found
    if not may(actor, "write", Policy() if is_policy else Workflow()):
        raise CommandError(f"--as: {actor} may not write what {file} describes", returncode=BAD_INPUT)
    try:
        return propose_policy(found, actor) if is_policy else publishing.propose_workflow(source=source, actor=actor)
    except (DefinitionError, PolicyError) as error:
        raise CommandError(f"{file} cannot be put in force here:\n{error}", returncode=BAD_INPUT) from None


@transaction.atomic
def propose_policy(found: Mapping[str, Any], actor: AbstractUser) -> tuple[Policy, bool]:
    if objections := list(malformed(found)):
        raise PolicyError(objections)
    policy = publishing.draft_policy(found)
    return policy, publishing.propose_policy(policy=policy, actor=actor)


def malformed(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    rules = found.get("rules", [])
    for name, kind in (("policy", str), ("title", str), ("vocabulary", Mapping)):
        if not isinstance(found.get(name), kind):
            yield name, f"is {found.get(name)!r}; expected {'text' if kind is str else 'facts with their types'}"
    if not isinstance(rules, list) or not all(isinstance(rule, Mapping) for rule in rules):
        yield "rules", "expected a list of rules"
        return
    for number, rule in enumerate(rules):
        for name in OF_A_RULE:
            if name not in rule:
                yield f"rules.{number}.{name}", "is missing"
