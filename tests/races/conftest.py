import pytest


@pytest.fixture(autouse=True)
def locks_of_rows(services):
    """SQLite has one writer at a time: nobody can meet inside. tests/test_reviews_races.py runs there too."""
    if services.vendor != "postgresql":
        pytest.skip("SQLite has one writer and no locks of rows to meet at")
