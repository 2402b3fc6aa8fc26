"""The trail as a file: exact records, safe cells, one moment, and an event that says it left."""

import csv
import io
import json
import sys
import threading

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from audit.canonical import encode
from audit.export import FORMATS
from audit.export import csv as csv_export
from audit.export import stream as streaming
from audit.export.stream import stream
from audit.log import Actor, person
from audit.models import Event
from audit.scopes import Scopes
from tests.desk import signed_in
from tests.trail import NOON, every_minute, happened

MARA = Actor("person", "7", "Mara Lindholm")
pytestmark = pytest.mark.django_db


def exported(name: str) -> bytes:
    return b"".join(piece for piece, _ in stream(Event.objects.all(), FORMATS[name]))


def export_trail(capsys, *arguments: str) -> dict[str, object]:
    call_command("export_trail", *arguments, "--json")
    return json.loads(capsys.readouterr().out)


def test_a_line_of_jsonl_is_the_record_byte_for_byte_oldest_first():
    events = [*every_minute(3), happened("review.rejected", at=NOON, data={"reason": "line one\nline two \u2028"})]
    events.sort(key=lambda event: (event.at, event.pk))
    assert exported("jsonl") == b"".join(event.body + b"\n" for event in events)


def test_csv_is_rfc_4180_with_utc_times_and_the_data_as_json():
    happened("review.rejected", actor=MARA, subject=("review", "9"), queue="ap", data={"reason": 'say "no",\r\nplease'})
    raw = exported("csv")
    assert raw.count(b"\r\n") == raw.count(b"\n") == 2
    rows = list(csv.DictReader(io.StringIO(raw.decode(), newline="")))
    assert [rows[0][name] for name in ("at", "actor_label", "queue")] == [
        "2026-11-20T12:00:00.000Z",
        "Mara Lindholm",
        "ap",
    ]
    assert json.loads(rows[0]["data"]) == {"reason": 'say "no",\r\nplease'}


def test_csv_holds_the_data_however_much_it_looks_like_the_rest_of_a_record():
    data = {"id": "x", "data": [{"id": "y", "kind": "z", "data": ',"data":', "v": [',"id":"']}], "at": ',"id":"'}
    happened(actor=Actor("person", ',"data":', ',"data":'), subject=(',"id":"', ',"id":"'), run=',"id":"', data=data)
    assert json.loads(next(csv.DictReader(io.StringIO(exported("csv").decode(), newline="")))["data"]) == data


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
def test_a_spreadsheet_never_runs_a_cell_as_a_formula(start):
    text = f'{start}cmd|"/c calc"!A1'
    happened(actor=Actor("person", text, text), subject=(text, text), run=text, workflow=text, queue=text)
    cells = next(csv.DictReader(io.StringIO(exported("csv").decode(), newline="")))
    of_outside = ["actor_id", "actor_label", "subject_type", "subject_id", "run", "workflow", "queue"]
    assert [cells[name] for name in of_outside] == [f"'{text}"] * 7
    assert not any(cell.startswith(csv_export.FORMULA_STARTS) for cell in cells.values())


def test_an_export_is_read_in_pieces(monkeypatch):
    monkeypatch.setattr(streaming, "CHUNK", 2)
    every_minute(5)
    assert [events for _, events in stream(Event.objects.all(), FORMATS["csv"])] == [0, 2, 2, 1]


@pytest.mark.django_db(transaction=True)
def test_an_export_shows_one_moment_although_others_write_meanwhile(monkeypatch):
    monkeypatch.setattr(streaming, "CHUNK", 2)
    every_minute(4)
    pieces = stream(Event.objects.all(), FORMATS["jsonl"])
    seen = [next(pieces), next(pieces)]

    def write() -> None:
        try:
            every_minute(4)
        finally:
            connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    writer.join()
    assert sum(events for _, events in [*seen, *pieces]) == 4
    assert Event.objects.count() == 8


@pytest.mark.django_db(transaction=True)
def test_x03_whoever_leaves_in_the_middle_leaves_no_transaction_and_no_cursor_behind(monkeypatch):
    monkeypatch.setattr(streaming, "CHUNK", 2)
    client = signed_in(get_user_model().objects.create_user("ada"))
    monkeypatch.setattr("audit.views.visible_scopes", lambda user: Scopes(everything=True))
    every_minute(4)
    answered = client.post("/audit/export/?", {"format": "jsonl"})
    pieces = iter(answered.streaming_content)
    assert [len(next(pieces).splitlines()) for _ in range(2)] == [0, 2]
    answered.close()
    assert not connection.in_atomic_block
    every_minute(4)


def test_the_command_writes_a_file_and_records_that_it_did(tmp_path, capsys):
    every_minute(3)
    target = tmp_path / "trail.jsonl"
    made = export_trail(capsys, "--format", "jsonl", "--output", str(target), "--workflow", "")
    assert made == {"format": "jsonl", "output": str(target), "events": 4}
    lines = target.read_bytes().splitlines()
    kinds = [json.loads(line)["kind"] for line in lines]
    assert sorted(kinds) == ["run.started"] * 3 + ["trail.exported"]
    assert all(encode(json.loads(line)) == line for line in lines)
    assert Event.objects.get(kind="trail.exported").subject_id == "jsonl"
    assert list(tmp_path.iterdir()) == [target]


def test_the_command_filters_by_run_workflow_actor_and_time(tmp_path, capsys):
    mara = get_user_model().objects.create(username="mara", first_name="Mara", last_name="Lindholm")
    happened(run="run-1", workflow="invoice-to-pay", actor=person(mara))
    happened(run="run-2", workflow="invoice-to-pay")
    happened(run="run-3", workflow="vendor-onboarding")

    def count(*arguments: str) -> object:
        return export_trail(capsys, "--format", "csv", "--output", str(tmp_path / "t.csv"), *arguments)["events"]

    assert count("--run", "run-1", "--run", "run-3") == 2
    assert count("--workflow", "invoice-to-pay") == 2
    assert count("--actor", "mara") == count("--actor", "Mara Lindholm") == count("--actor", str(mara.pk)) == 1
    assert count("--actor", "system", "--until", "2026-11-20") == 2
    assert count("--since", "2026-11-20T12:00:00Z", "--until", "2026-11-20", "--workflow", "vendor-onboarding") == 1
    assert count("--until", "2026-11-20T12:00:00Z") == count("--since", "2026-11-21", "--until", "2026-11-21") == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "xlsx", "--output", "x"], "--format: 'xlsx'; expected one of jsonl, csv"),
        (["--format", "csv", "--output", "x", "--since", "soon"], "--since: 'soon'; expected a day"),
        (["--format", "csv", "--output", "x", "--until", "2026-02-30"], "--until: '2026-02-30'"),
        (["--format", "csv", "--output", "/nowhere/x.csv"], "--output: '/nowhere/x.csv' cannot be written"),
        (["--format", "csv", "--output", "-", "--json"], "--json: the export itself goes to standard output"),
    ],
)
def test_bad_input_is_named_and_ends_in_exit_code_2(arguments, message):
    with pytest.raises(CommandError, match=message) as error:
        call_command("export_trail", *arguments)
    assert error.value.returncode == 2
    assert not Event.objects.exists()


def test_a_failed_export_leaves_no_file_behind(tmp_path, monkeypatch):
    happened()

    def fail(rows: list[tuple[bytes]]) -> bytes:
        raise OSError("no space left")

    monkeypatch.setattr(FORMATS["jsonl"], "encode", fail)
    with pytest.raises(OSError, match="no space left"):
        call_command("export_trail", "--format", "jsonl", "--output", str(tmp_path / "trail.jsonl"))
    assert list(tmp_path.iterdir()) == []


def test_standard_output_gets_the_file_itself(monkeypatch):
    event = happened()
    out = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(sys, "stdout", out)
    call_command("export_trail", "--format", "jsonl", "--output", "-", "--until", "2026-11-20")
    assert out.buffer.getvalue() == event.body + b"\n"


def test_within_a_transaction_of_the_caller_the_callers_view_holds():
    with transaction.atomic(), streaming.snapshot():
        happened()
        assert Event.objects.count() == 1
