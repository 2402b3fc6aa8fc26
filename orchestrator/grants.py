"""Object permissions, given and taken with an event that says by whom."""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser, Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import models, transaction
from guardian.models import GroupObjectPermission, UserObjectPermission

from audit.log import person, record

Holder = AbstractBaseUser | Group


@transaction.atomic
def give(codename: str, to: Holder, obj: models.Model, *, actor: AbstractBaseUser) -> bool:
    """Grants one permission on one object. False: it was granted already, and nothing is recorded."""
    rows, values = _rows(codename, to, obj)
    _, made = rows.get_or_create(**values)
    if made:
        _told("grant.given", codename, to, obj, actor)
    return made


@transaction.atomic
def take(codename: str, to: Holder, obj: models.Model, *, actor: AbstractBaseUser) -> bool:
    """Takes it away again; it holds from the next check on. False: it was not granted."""
    rows, values = _rows(codename, to, obj)
    taken, _ = rows.filter(**values).delete()
    if taken:
        _told("grant.revoked", codename, to, obj, actor)
    return bool(taken)


def _rows(codename: str, to: Holder, obj: models.Model) -> tuple[models.Manager, dict[str, Any]]:
    """Guardian's table for that kind of holder, and what the grant looks like in it."""
    kind = ContentType.objects.get_for_model(obj)
    permission = Permission.objects.get(content_type=kind, codename=codename)
    values: dict[str, Any] = {"permission": permission, "content_type": kind, "object_pk": str(obj.pk)}
    if isinstance(to, Group):
        return GroupObjectPermission.objects, values | {"group": to}
    return UserObjectPermission.objects, values | {"user": to}


def _told(kind: str, codename: str, to: Holder, obj: models.Model, actor: AbstractBaseUser) -> None:
    holder = ("group", to.name) if isinstance(to, Group) else ("person", str(to.pk))
    data = {"permission": codename, "object": [obj._meta.model_name, str(obj.pk)], "to": list(holder)}
    record(kind, subject=holder, actor=person(actor), data=data)
