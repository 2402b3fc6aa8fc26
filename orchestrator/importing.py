"""Loading rows into a table source: all of them or none, each by its key."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from audit.log import SYSTEM, person, record

from .digests import digest
from .documents.ubl_orders import Order, apply_change
from .import_formats import BadRow, ImportRefused, Row, canonical, read_rows
from .models import DataSource, SourceRow
from .said import said as _

BATCH = 500


@dataclass(frozen=True, slots=True)
class Counts:
    """What an import did."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0

    def as_json(self) -> dict[str, int]:
        return asdict(self)


def import_rows(
    *, source: DataSource, data: bytes, filename: str = "", actor: AbstractBaseUser | None = None
) -> Counts:
    """Upserts every row of the file by key. ImportRefused names the bad ones, and then nothing is loaded."""
    rows = read_rows(data, filename, source=source.name, key_field=source.key_field)
    return _store(source, rows, actor, file=digest(data.decode("latin-1")), name=filename)


def save_rows(*, source: DataSource, rows: Sequence[dict[str, Any]], actor: AbstractBaseUser | None = None) -> Counts:
    """The same for rows that are at hand."""
    kept = [Row(line, str(row[source.key_field]), canonical(row)) for line, row in enumerate(rows, start=1)]
    return _store(source, kept, actor)


@transaction.atomic
def _store(source: DataSource, rows: Sequence[Row], actor: AbstractBaseUser | None, **about: str) -> Counts:
    known = _known(source, [row.key for row in rows])
    wanted = {row.key: revised(row, known.get(row.key)) for row in rows}
    digests = {key: digest(data) for key, data in wanted.items()}
    changed = [key for key in wanted if key in known and known[key].digest != digests[key]]
    added = [key for key in wanted if key not in known]
    for key in changed:
        known[key].data, known[key].digest = wanted[key], digests[key]
        known[key].save(update_fields=["data", "digest", "updated_at"])
    SourceRow.objects.bulk_create(
        (SourceRow(source=source, key=key, data=wanted[key], digest=digests[key]) for key in added), batch_size=BATCH
    )
    counts = Counts(len(added), len(changed), len(wanted) - len(added) - len(changed))
    by = person(actor) if actor else SYSTEM
    record("source.imported", subject=("source", source.name), actor=by, data={**counts.as_json(), **about})
    return counts


def _known(source: DataSource, keys: Sequence[str]) -> dict[str, SourceRow]:
    found: dict[str, SourceRow] = {}
    for start in range(0, len(keys), BATCH):
        rows = SourceRow.objects.filter(source=source, key__in=keys[start : start + BATCH])
        found |= {row.key: row for row in rows}
    return found


def revised(row: Row, known: SourceRow | None) -> dict[str, Any]:
    """The row to store: as it is, or the known order with a change applied."""
    if row.change is None:
        return row.data
    if known is None:
        raise ImportRefused(
            [BadRow(row.line, "OrderReference", _("changes order %(key)s, which is not known", key=row.key))]
        )
    return canonical(apply_change(Order.model_validate(known.data), row.change).model_dump())
