"""Rows are loaded into a source all together or not at all, by key, and a bad one is named."""

import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from audit.models import Event
from orchestrator.import_formats import ImportRefused, canonical, read_rows
from orchestrator.importing import Counts, import_rows
from orchestrator.models import DataSource, SourceRow

VENDORS = (
    b"vendor_id,name,vat_id,iban,flagged\nV1,Nordlicht GmbH,DE 811115368,,false\nV2,Caf\xc3\xa9 Sol,,DE02 1203,true\n"
)
UBL = "urn:oasis:names:specification:ubl:schema:xsd:"


def ubl(kind: str, body: str) -> bytes:
    spaces = f'xmlns="{UBL}{kind}-2" xmlns:cac="{UBL}CommonAggregateComponents-2"'
    return f'<{kind} {spaces} xmlns:cbc="{UBL}CommonBasicComponents-2">{body}</{kind}>'.encode()


def order_line(quantity: str) -> str:
    return (
        f"<cac:OrderLine><cac:LineItem><cbc:ID>1</cbc:ID><cbc:Quantity>{quantity}</cbc:Quantity>"
        "<cac:Item><cbc:Name>Cement</cbc:Name></cac:Item></cac:LineItem></cac:OrderLine>"
    )


def objections(data: bytes, filename: str = "rows.csv", source: str = "vendor-master", key: str = "vendor_id") -> list:
    with pytest.raises(ImportRefused) as refused:
        read_rows(data, filename, source=source, key_field=key)
    return [(bad.line, bad.field) for bad in refused.value.bad]


def test_csv_is_read_with_truth_values_and_one_spelling_of_identifiers() -> None:
    first, second = read_rows(VENDORS, "vendors.csv", source="vendor-master", key_field="vendor_id")
    assert first.data == {
        "vendor_id": "V1",
        "name": "Nordlicht GmbH",
        "name_key": "nordlicht gmbh",
        "vat_id": "DE811115368",
        "flagged": False,
    }
    assert (second.data["iban"], second.data["flagged"], second.data["name_key"]) == ("DE021203", True, "cafe sol")


def test_semicolons_and_a_byte_order_mark_are_understood() -> None:
    [row] = read_rows(b"\xef\xbb\xbfvendor_id;name\nV1;A, B\n", "x.csv", source="vendor-master", key_field="vendor_id")
    assert row.data["name"] == "A, B"


def test_json_lines_keep_amounts_as_they_are_written() -> None:
    [row] = read_rows(b'{"payment_id": 7, "gross_total": 12.60}\n', "p.jsonl", source="h", key_field="payment_id")
    assert (row.key, row.data["gross_total"]) == ("7", "12.60")


def test_every_bad_row_is_named_with_its_line_and_field() -> None:
    data = b"vendor_id,gross_total\nV1,1.5\n,2\nV1,3\nV2,twelve\nV3,4,5\n"
    assert objections(data) == [(3, "vendor_id"), (4, "vendor_id"), (5, "gross_total"), (6, "row")]


@pytest.mark.parametrize(
    ("data", "filename", "expected"),
    [
        (b"", "x.csv", (0, "file")),
        (b"vendor_id\nV1\nV\xff\n", "x.csv", (3, "file")),
        (b"a,a\n1,2\n", "x.csv", (1, "a")),
        (b'{"vendor_id": NaN}\n', "x.jsonl", (1, "row")),
        (b"[1]\n", "x.jsonl", (1, "row")),
        (b"<html/>", "x.xml", (0, "file")),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>', "x.xml", (0, "file")),
    ],
)
def test_a_file_that_is_no_table_is_refused(data: bytes, filename: str, expected: tuple[int, str]) -> None:
    assert expected in objections(data, filename)


def test_an_order_that_is_no_order_is_named_by_the_place_in_it() -> None:
    data = b'{"number": "PO-1", "lines": [{"quantity": "1"}]}\n'
    assert objections(data, "o.jsonl", "purchase-orders", "number") == [(1, "lines.0.id")]


def test_names_are_found_whatever_their_spelling() -> None:
    assert canonical({"name": "MÜLLER & Co."})["name_key"] == canonical({"name": "Muller  & co"})["name_key"]


@pytest.fixture
def vendors(db: None) -> DataSource:
    return DataSource.objects.create(name="vendor-master", title="Vendors", key_field="vendor_id")


@pytest.fixture
def orders(db: None) -> DataSource:
    return DataSource.objects.create(name="purchase-orders", title="Orders", key_field="number")


def test_an_import_adds_changes_and_leaves_alone_and_says_so_in_the_trail(vendors: DataSource) -> None:
    assert import_rows(source=vendors, data=VENDORS, filename="v.csv") == Counts(added=2)
    changed = VENDORS.replace(b"Nordlicht GmbH", b"Nordlicht AG")
    assert import_rows(source=vendors, data=changed, filename="v.csv") == Counts(changed=1, unchanged=1)
    assert SourceRow.objects.get(key="V1").data["name"] == "Nordlicht AG"
    assert Event.objects.filter(kind="source.imported").count() == 2


def test_one_bad_row_keeps_all_others_out(vendors: DataSource) -> None:
    with pytest.raises(ImportRefused):
        import_rows(source=vendors, data=VENDORS + b",nameless,,,\n", filename="v.csv")
    assert not SourceRow.objects.exists()


def test_a_ubl_order_is_loaded_and_a_change_revises_it(orders: DataSource) -> None:
    import_rows(source=orders, data=ubl("Order", f"<cbc:ID>PO-1</cbc:ID>{order_line('120')}"), filename="o.xml")
    body = "<cbc:ID>C-1</cbc:ID><cac:OrderReference><cbc:ID>PO-1</cbc:ID></cac:OrderReference>"
    import_rows(source=orders, data=ubl("OrderChange", body + order_line("240")), filename="c.xml")
    row = SourceRow.objects.get()
    assert (row.key, row.data["lines"][0]["quantity"]) == ("PO-1", "240")


def test_a_change_of_an_order_nobody_knows_is_refused(orders: DataSource) -> None:
    body = "<cbc:ID>C-1</cbc:ID><cac:OrderReference><cbc:ID>PO-9</cbc:ID></cac:OrderReference>"
    with pytest.raises(ImportRefused, match="PO-9"):
        import_rows(source=orders, data=ubl("OrderChange", body + order_line("240")), filename="c.xml")
    assert not SourceRow.objects.exists()


def test_the_command_prints_counts_and_exits_2_on_bad_input(vendors: DataSource, tmp_path: Path) -> None:
    file = tmp_path / "vendors.csv"
    file.write_bytes(VENDORS)
    out = io.StringIO()
    call_command("import_source", "vendor-master", str(file), "--json", stdout=out)
    assert json.loads(out.getvalue()) == {"source": "vendor-master", "added": 2, "changed": 0, "unchanged": 0}
    for name, path, words in (
        ("vendors", str(file), "vendors"),
        ("vendor-master", str(tmp_path / "none"), "none"),
    ):
        with pytest.raises(CommandError, match=words) as refused:
            call_command("import_source", name, path)
        assert refused.value.returncode == 2
