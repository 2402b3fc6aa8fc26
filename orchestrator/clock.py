"""The database's clock inside a query, for comparing with stored times."""

from typing import Any

from django.db.models.functions import Now


class Clock(Now):
    """Now, as stored times are written. SQLite compares them as text and gives three digits of a second where Django
    stores six: with `Now()` a time of this very millisecond would still lie in the future."""

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        template = "STRFTIME('%%%%Y-%%%%m-%%%%d %%%%H:%%%%M:%%%%f000', 'NOW')"
        return self.as_sql(compiler, connection, template=template, **extra)
