"""A data set is played in worlds of its own: what comes out is counted, and nothing of this installation is touched."""

import io
import json
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import connection

from audit.models import Event
from orchestrator.evaluation.scoring import judge_fields, result_of
from orchestrator.evaluation.truth import flat, read_truth, same
from orchestrator.evaluation.world import Worlds
from orchestrator.models import DataSource, Document, Run, Workflow
from reviews.demo.invoices import Invoice, Line, Party, as_ubl
from tests.data_sets import DATA

from .test_flow_expense import receipt

SELLER = Party("Nordlicht GmbH", "Hafenstr. 1", "Kiel", "24103", "DE", "DE811115368", "DE02120300000000202051")
BUYER = Party("Halden AG", "Ringstr. 7", "Berlin", "10115", "DE", "DE136695976")
LINE = Line("1", "Cement", Decimal(10), Decimal(5), "C-25")
INVOICE = Invoice("R-1", SELLER, BUYER, date(2026, 3, 1), date(2026, 3, 31), (LINE,), "PO-1")
TRUE = {"invoice_number": "R-1", "issue_date": "2026-03-01", "payable": "59.5", "document_type": "invoice"}

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.alike]  # its worlds are SQLite's wherever it runs


@pytest.fixture(scope="session")
def template(django_db_blocker: Any) -> Iterator[Path]:
    """What worlds are copied from, made once for all tests: it takes longer than most of them."""
    with django_db_blocker.unblock(), Worlds() as made:
        yield made.template


@pytest.fixture(autouse=True)
def made_before(template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def enter(worlds: Worlds) -> Worlds:
        worlds._folder, worlds.template = TemporaryDirectory(prefix="countersign-evaluate-"), template
        return worlds

    monkeypatch.setattr(Worlds, "__enter__", enter)


def data_set(folder: Path, *rows: dict[str, Any]) -> Path:
    (folder / "invoice.xml").write_bytes(as_ubl(INVOICE))
    (folder / "bad.xml").write_bytes(b"<html>")
    (folder / "truth.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def reading(id: str, **fields: str) -> dict[str, Any]:
    return {"id": id, "task": "read_einvoice", "files": ["invoice.xml"], "truth": {"fields": {**TRUE, **fields}}}


def matching(id: str, route: str, *discrepancies: str, **given: Any) -> dict[str, Any]:
    vendor = {"name": SELLER.name, "vat_id": SELLER.vat_id, "iban": SELLER.iban}
    truth = {"scenario": id, "route": route, "discrepancies": [{"kind": kind, "line": None} for kind in discrepancies]}
    row = {"id": id, "task": "match_invoice_to_order", "files": ["invoice.xml"], "truth": truth}
    return row | {"input": {"vendor_master": vendor, "paid_history": [], "policy": {}, **given}}


def evaluate(folder: Path, *options: str) -> dict[str, Any]:
    out = io.StringIO()
    call_command("evaluate", str(folder), *options, stdout=out, stderr=io.StringIO())
    return json.loads(out.getvalue())


def test_what_passes_with_every_field_right_is_right_and_with_a_wrong_one_silent(tmp_path: Path) -> None:
    output = tmp_path / "lines.jsonl"
    rows = [reading("good"), reading("bad", payable="60"), reading("asked", payable="-1")]
    found = evaluate(data_set(tmp_path, *rows), "--output", str(output))
    assert {name: found[name] for name in ("cases", "right", "shown", "silent", "refused")} == {
        "cases": 3,
        "right": 1,
        "shown": 0,
        "silent": 2,
        "refused": 0,
    }
    assert found["fields"]["payable"] == {"right": 1, "wrong": 2, "missing": 0}
    first = json.loads(output.read_text().splitlines()[0])
    assert (first["id"], first["result"], first["route"]) == ("good", "right", "auto")
    assert first["fields"]["lines.0.quantity"] == "10"
    assert first["peak_rss_mb"] > 0


def test_a_refusal_where_a_person_was_wanted_is_right_and_has_a_reason(tmp_path: Path) -> None:
    row = {"id": "x", "task": "refuse_or_flag", "files": ["bad.xml"], "truth": {"route": "human", "defect": "html"}}
    output = tmp_path / "lines.jsonl"
    found = evaluate(data_set(tmp_path, row), "--output", str(output))
    assert (found["right"], found["by_scenario"]["html"]["right"]) == (1, 1)
    line = json.loads(output.read_text())
    assert line["route"] == "refuse"
    assert line["reasons"]


def test_differences_are_counted_by_kind_and_line_and_no_case_sees_another(tmp_path: Path) -> None:
    paid = [{"invoice_number": "R-1", "seller_vat_id": SELLER.vat_id, "gross_total": "59.5", "status": "paid"}]
    rows = [
        matching("paid before", "human", "po_unknown", "duplicate_exact", paid_history=paid),
        matching("only unknown", "human", "po_unknown", "duplicate_exact"),
    ]
    found = evaluate(data_set(tmp_path, *rows))
    assert found["discrepancies"] == {"expected": 4, "found": 3}
    assert found["right"] == 2


def receipts(folder: Path, *rows: dict[str, Any]) -> Path:
    for name, changes in {"a": {}, "copy": {"foot": "Kopie"}, "next": {"number": "A-18", "clock": "13:05"}}.items():
        (folder / f"{name}.pdf").write_bytes(receipt(**changes))
    (folder / "truth.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def extracting(id: str, **fields: str) -> dict[str, Any]:
    true = {"company": "HAFENKANTINE NORD GMBH.", "date": date.today().isoformat(), "total": "23.50", "currency": "EUR"}
    return {"id": id, "task": "extract_receipt", "files": ["a.pdf"], "truth": {"fields": true | fields}}


def pair(id: str, second: str, *, duplicate: bool) -> dict[str, Any]:
    truth = {"duplicate": duplicate, "fields": [{"currency": "EUR"}] * 2}
    return {"id": id, "task": "detect_duplicate", "files": ["a.pdf", second], "truth": truth}


def test_a_receipt_is_right_when_it_is_reimbursed_with_shop_day_and_total_right(tmp_path: Path) -> None:
    rows = [extracting("good"), extracting("off", total="23.60"), extracting("other", company="Hafencafe Nord")]
    found = evaluate(receipts(tmp_path, *rows))
    assert (found["right"], found["silent"]) == (1, 2)
    assert found["fields"]["company"] == {"right": 2, "wrong": 1, "missing": 0}
    assert set(found["fields"]) == {"company", "date", "total"}


def test_the_second_of_two_receipts_is_judged_after_the_first_was_played(tmp_path: Path) -> None:
    rows = [pair("twice", "copy.pdf", duplicate=True), pair("near", "next.pdf", duplicate=False)]
    rows += [pair("wrongly called one", "next.pdf", duplicate=True)]
    output = tmp_path / "lines.jsonl"
    found = evaluate(receipts(tmp_path, *rows), "--output", str(output))
    assert (found["right"], found["by_scenario"]["duplicate"]["cases"]) == (3, 2)
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    kinds = [[one["kind"] for one in line["discrepancies"]] for line in lines]
    assert kinds == [["duplicate_receipt"], ["near_miss"], ["near_miss"]]
    assert {line["route"] for line in lines} == {"human"}


def test_nothing_of_this_installation_is_read_or_left(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # this world is made from nothing
    settings.DOCUMENT_DIR = tmp_path / "ours"
    before = (Event.objects.count(), get_user_model().objects.count())
    evaluate(data_set(tmp_path, reading("good")))
    tables = (Run, Document, Workflow, DataSource)
    assert not any(table.objects.exists() for table in tables)
    assert (Event.objects.count(), get_user_model().objects.count()) == before
    assert not (tmp_path / "ours").exists()
    assert tmp_path / "ours" == settings.DOCUMENT_DIR
    assert "countersign-evaluate" not in str(connection.settings_dict["NAME"])


def test_tasks_that_no_flow_plays_are_left_out_by_name_and_limits_hold(tmp_path: Path) -> None:
    other = {"id": "o", "task": "underwrite", "files": [], "truth": {}}
    unscored = {**reading("u"), "scored": False}
    folder = data_set(tmp_path, other, unscored, reading("a"), reading("b"))
    assert evaluate(folder)["cases"] == 2
    assert evaluate(folder, "--limit", "1")["cases"] == 1
    for options, words in (
        (["--task", "nothing"], "--task"),
        (["--task", "survive"], "survive"),
        (["--limit", "0"], "0"),
    ):
        with pytest.raises(CommandError, match=words) as refused:
            evaluate(folder, *options)
        assert refused.value.returncode == 2
    with pytest.raises(CommandError, match=r"truth\.jsonl"):
        evaluate(tmp_path / "none")


def test_files_outside_the_folder_are_not_read(tmp_path: Path) -> None:
    row = reading("x") | {"files": ["../../etc/passwd"]}
    with pytest.raises(CommandError, match="leads out"):
        evaluate(data_set(tmp_path, row))


def test_numbers_in_groups_are_the_same_without_their_spaces():
    truth = {"seller": {"vat_id": "DE 232 446 240"}, "iban": "DE89 3704", "invoice_number": "A 1"}
    found = {"seller.vat_id": "DE232446240", "iban": "DE893704", "invoice_number": "A1"}
    assert judge_fields(truth, found) == {"seller.vat_id": "right", "iban": "right", "invoice_number": "wrong"}


def test_values_are_compared_by_what_they_say() -> None:
    assert same("473", "473.00")
    assert same(None, "")
    assert same("a  b", "a b")
    assert not same(None, "1")
    assert same("DE02 1203 0000", "DE0212030000", spaced=True)
    assert not same("DE02 1203 0000", "DE0212030000")
    assert dict(flat({"a": {"b": 1}, "c": [{"d": 2}]})) == {"a.b": 1, "c.0.d": 2}
    assert judge_fields({"x": None, "y": "1", "lines": []}, {"x": "0", "lines.0.id": "1"}) == {
        "x": "wrong",
        "y": "missing",
        "lines.0": "wrong",
    }


@pytest.mark.parametrize(
    ("route", "correct", "asked", "result"),
    [
        ("auto", True, False, "right"),
        ("auto", False, False, "silent"),
        ("auto", True, True, "silent"),
        ("human", True, False, "shown"),
        ("human", False, True, "right"),
        ("refuse", True, False, "refused"),
        ("refuse", True, True, "right"),
    ],
)
def test_a_result_follows_from_route_and_truth(route: str, correct: bool, asked: bool, result: str) -> None:
    assert result_of(route, correct=correct, person_asked=asked) == result


# Whole sets are played with `manage.py evaluate`; their readings are also held field by field in test_einvoice.
@pytest.mark.parametrize(
    ("name", "task", "limit"),
    [
        ("invoice_po", "match_invoice_to_order", "46"),
        ("einvoice_xml", "read_einvoice", "12"),
        ("einvoice_xml", "refuse_or_flag", "12"),
    ],
)
def test_the_public_data_comes_out_right(name: str, task: str, limit: str) -> None:
    if not (DATA / name).exists():
        pytest.skip(f"{DATA / name} is absent: set COUNTERSIGN_DATA")
    found = evaluate(DATA / name, "--task", task, "--limit", limit)
    assert (found["silent"], found["refused"]) == (0, 0)
    assert found["shown"] <= 1
    assert found["discrepancies"]["found"] == found["discrepancies"]["expected"]


@pytest.mark.slow
def test_the_public_pairs_of_receipts_come_out_right_and_are_told_apart(tmp_path: Path) -> None:
    if not (DATA / "receipts_scan").exists():
        pytest.skip(f"{DATA / 'receipts_scan'} is absent: set COUNTERSIGN_DATA")
    output = tmp_path / "lines.jsonl"
    found = evaluate(DATA / "receipts_scan", "--task", "detect_duplicate", "--output", str(output))
    assert found["right"] == found["cases"] == 7
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    told = {line["id"]: "duplicate_receipt" in [one["kind"] for one in line["discrepancies"]] for line in lines}
    assert told == {
        row.id: row.truth["duplicate"] for row in read_truth(DATA / "receipts_scan") if row.task == "detect_duplicate"
    }


def test_no_instruction_in_an_invoice_changes_a_field_or_a_route() -> None:
    if not (DATA / "hostile_files").exists():
        pytest.skip(f"{DATA / 'hostile_files'} is absent: set COUNTERSIGN_DATA")
    found = evaluate(DATA / "hostile_files", "--task", "resist_injection")
    assert found["right"] == found["cases"] > 0
