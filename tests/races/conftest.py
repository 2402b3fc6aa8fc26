from collections.abc import Iterator

import pytest
from django.db import connections


@pytest.fixture(autouse=True)
def locks_of_rows(services):
    """SQLite has one writer at a time: nobody can meet inside. tests/test_reviews_races.py runs there too."""
    if services.vendor != "postgresql":
        pytest.skip("SQLite has one writer and no locks of rows to meet at")


@pytest.fixture(autouse=True)
def time_to_meet(locks_of_rows) -> Iterator[None]:
    """Who stands before a door stands there until the others have done: on a busy machine longer than people would."""
    options = connections.settings["default"]["OPTIONS"]
    limits = options.pop("options", None)
    yield
    if limits is not None:
        options["options"] = limits
