"""Object permissions, given and taken with an event that says by whom."""

from django.contrib.auth.models import AbstractBaseUser, Group
from django.db import models, transaction
from guardian.shortcuts import assign_perm, remove_perm

from audit.log import person, record


@transaction.atomic
def give(codename: str, to: AbstractBaseUser | Group, obj: models.Model, *, actor: AbstractBaseUser) -> None:
    """Grants one permission on one object."""
    assign_perm(codename, to, obj)
    _told("grant.given", codename, to, obj, actor)


@transaction.atomic
def take(codename: str, to: AbstractBaseUser | Group, obj: models.Model, *, actor: AbstractBaseUser) -> None:
    """Takes it away again; it holds from the next check on."""
    remove_perm(codename, to, obj)
    _told("grant.revoked", codename, to, obj, actor)


def _told(kind: str, codename: str, to: AbstractBaseUser | Group, obj: models.Model, actor: AbstractBaseUser) -> None:
    holder = ("group", to.name) if isinstance(to, Group) else ("person", str(to.pk))
    data = {"permission": codename, "object": [obj._meta.model_name, str(obj.pk)], "to": list(holder)}
    record(kind, subject=holder, actor=person(actor), data=data)
