"""What stops a case in one sentence, and where a reason's first sentence ends."""

import pytest

from orchestrator.agents.findings import MAX_FINDING, Discrepancy, stopping
from orchestrator.documents.reading import Check
from reviews.templatetags.cases import gist
from reviews.why import parted


def differing(title: str, severity: str = "stop", message: str = "3 invoiced, 2 ordered.") -> Discrepancy:
    return Discrepancy(kind="quantity", severity=severity, title=title, message=message)  # type: ignore[arg-type]


def test_what_is_a_note_stops_nothing() -> None:
    assert stopping([differing("Quantity", "note")]) == {"stops": 0, "finding": ""}


def test_the_first_that_stops_is_told_and_the_others_are_counted() -> None:
    found = [differing("Freight", "note"), differing("Quantity, line 1"), differing("Price, line 2"), differing("Day")]
    assert stopping(found) == {"stops": 3, "finding": "Quantity, line 1: 3 invoiced, 2 ordered. And 2 more."}


def test_a_check_that_fails_is_told_in_its_own_words() -> None:
    check = Check(id="BR-CO-15", severity="stop", message="The total is not the sum of its parts.")
    assert stopping([check])["finding"] == "The total is not the sum of its parts."


def test_a_finding_is_no_longer_than_a_reader_can_bear() -> None:
    told = stopping([differing("Name", message="x" * 5000)])["finding"]
    assert told == f"{('Name: ' + 'x' * 5000)[:MAX_FINDING]} …"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Drawn for the quality sample.", ("Drawn for the quality sample.", "")),
        ("It differs. Quantity: 3. And 1 more.", ("It differs.", "Quantity: 3. And 1 more.")),
        ("Is it one? The same shop.", ("Is it one?", "The same shop.")),
        ("60,000.00 EUR is more than 50,000.00: sign. Once.", ("60,000.00 EUR is more than 50,000.00: sign.", "Once.")),
        ("Halden Works B.V. Rotterdam is blocked.", ("Halden Works B.V. Rotterdam is blocked.", "")),
    ],
)
def test_a_reason_is_parted_after_its_first_sentence(text: str, parts: tuple[str, str]) -> None:
    assert parted(text) == parts


def test_a_list_shows_of_a_reason_what_belongs_to_the_case() -> None:
    assert gist("It differs. Quantity: 3.") == "Quantity: 3."
    assert gist("Drawn for the sample.") == "Drawn for the sample."
