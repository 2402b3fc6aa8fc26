"""Canonical JSON: one value, one sequence of bytes, and nothing that could be read in two ways."""

import json
import string
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum, StrEnum
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.canonical import digest, encode, plain

KEYS = st.text(string.ascii_lowercase + string.digits + "_", min_size=1, max_size=8)
SCALARS = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4))
ORDINARY = st.recursive(
    SCALARS
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.uuids()
    | st.dates()
    | st.datetimes(timezones=st.just(UTC)),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(KEYS, inner, max_size=4)
        | st.dictionaries(st.text(), inner, max_size=4)
    ),
)


class Verdict(StrEnum):
    APPROVE = "approve"


class Level(IntEnum):
    SECOND = 2


def keys_in_order(pairs):
    assert [key for key, _ in pairs] == sorted({key for key, _ in pairs})
    return dict(pairs)


@given(VALUES)
def test_reading_the_bytes_gives_the_value_back(value):
    assert json.loads(encode(value)) == value


@given(VALUES)
def test_keys_are_in_order_and_there_is_no_space_outside_text(value):
    text = encode(value).decode()
    assert json.loads(text, object_pairs_hook=keys_in_order) == value
    assert text == json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))


@given(VALUES)
def test_encoding_what_was_read_gives_the_same_bytes(value):
    assert encode(json.loads(encode(value))) == encode(value)


@given(ORDINARY)
def test_ordinary_data_made_plain_can_be_encoded_and_stays_plain(value):
    made = plain(value)
    assert json.loads(encode(made)) == made
    assert plain(made) == made


def test_the_bytes_are_exactly_these():
    value = {"b": [1, -2, True, None], "a_1": {"z": 'é "\\\n\t\x7f\u2028', "0": {}}, "_": []}
    assert encode(value) == '{"_":[],"a_1":{"0":{},"z":"é \\"\\\\\\n\\t\x7f\u2028"},"b":[1,-2,true,null]}'.encode()
    assert digest({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ({"a": [1, {"b": 0.5}]}, TypeError, r"\$\.a\[1\]\.b: float 0\.5"),
        ({"a": Decimal("1.10")}, TypeError, r"\$\.a: Decimal"),
        ({"a": (1,)}, TypeError, r"\$\.a: tuple"),
        ({"a": {"/total": 1}}, TypeError, r"\$\.a: key '/total'; expected lower-case"),
        ({"A": 1}, TypeError, r"\$: key 'A'"),
        ({"": 1}, TypeError, r"\$: key ''"),
        ({"a\n": 1}, TypeError, r"\$: key 'a\\n'"),
        ({1: 1}, TypeError, r"\$: key 1"),
        ([2**53], ValueError, r"\$\[0\]: 9007199254740992"),
        ([-(2**53)], ValueError, r"\$\[0\]"),
        ("\ud800", ValueError, r"ud800"),
    ],
)
def test_what_has_no_canonical_form_is_refused_by_its_path(value, error, message):
    with pytest.raises(error, match=message):
        encode(value)


@pytest.mark.parametrize(
    ("value", "made"),
    [
        (Decimal("50000.00"), "50000.00"),
        (0.1, "0.1"),
        (2**53, "9007199254740992"),
        (datetime(2026, 11, 20, 14, 5, tzinfo=timezone(timedelta(hours=1))), "2026-11-20T13:05:00Z"),
        (date(2026, 11, 20), "2026-11-20"),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        ((1, (2,)), [1, [2]]),
        ({"b", "a"}, ["a", "b"]),
        (Verdict.APPROVE, "approve"),
        (Level.SECOND, 2),
        ({Verdict.APPROVE: 1}, {"approve": 1}),
        ({"/b": 1, "/a": {"x": Decimal("1.5")}}, [["/a", {"x": "1.5"}], ["/b", 1]]),
    ],
)
def test_ordinary_data_becomes_plain(value, made):
    assert plain(value) == made
    assert type(plain(value)) is type(made)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ({"a": [object()]}, TypeError, r"\$\.a\[0\]: object"),
        ({"a": b"bytes"}, TypeError, r"\$\.a: bytes"),
        ({"a": {1: 2}}, TypeError, r"\$\.a: key 1 is int"),
        (datetime(2026, 11, 20), ValueError, "2026-11-20T00:00:00: expected a time with a zone"),
    ],
)
def test_what_cannot_be_made_plain_is_refused_by_its_path(value, error, message):
    with pytest.raises(error, match=message):
        plain(value)
