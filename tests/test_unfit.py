"""What the validators object to is said in the reader's language, and in the library's own words in English."""

from decimal import Decimal
from typing import Annotated, Literal

import jsonschema
import pytest
from django.utils import translation
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orchestrator.unfit import PYDANTIC, unfit, unfit_for_schema


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid")
    number: Annotated[str, Field(min_length=2, max_length=4)] = "A1"
    lines: Annotated[int, Field(ge=1, lt=100)] = 1
    price: Annotated[Decimal, Field(gt=0, decimal_places=2)] = Decimal(1)
    currency: Literal["EUR", "USD"] = "EUR"
    items: Annotated[list[str], Field(max_length=1)] = []


@pytest.mark.parametrize(
    ("given", "german"),
    [
        ({"number": 7}, "erwartet wird ein Text"),
        ({"number": "A"}, "zu kurz; mindestens 2 Zeichen"),
        ({"number": "ABCDE"}, "zu lang; höchstens 4 Zeichen"),
        ({"lines": "x"}, "erwartet wird eine ganze Zahl; der Text ist keine"),
        ({"lines": 1.5}, "erwartet wird eine ganze Zahl, ohne Nachkommastellen"),
        ({"lines": 0}, "muss mindestens 1 sein"),
        ({"lines": 100}, "muss kleiner als 100 sein"),
        ({"price": "0"}, "muss größer als 0 sein"),
        ({"price": "1.234"}, "höchstens 2 Nachkommastellen"),
        ({"currency": "GBP"}, "erwartet wird 'EUR' oder 'USD'"),
        ({"items": ["a", "b"]}, "erwartet werden höchstens 1 Einträge, nicht 2"),
        ({"colour": "red"}, "wird hier nicht erwartet"),
    ],
)
def test_an_objection_of_pydantic_follows_the_reader(given, german):
    with pytest.raises(ValidationError) as wrong:
        Order.model_validate(given)
    (found,) = wrong.value.errors()
    assert found["type"] in PYDANTIC
    assert unfit(found) == found["msg"], "the library's words in English"
    with translation.override("de"):
        assert unfit(found) == german


SCHEMA = {
    "properties": {
        "number": {"type": "string", "maxLength": 4, "pattern": "^[A-Z]"},
        "lines": {"type": ["integer", "null"], "minimum": 1},
        "currency": {"enum": ["EUR", "USD"]},
        "day": {"type": "string", "format": "date"},
    },
    "required": ["number"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("given", "german"),
    [
        ({}, "fehlt"),
        ({"number": 7}, "ist 7; erwartet wird ein Text"),
        ({"number": "ABCDE"}, "ist zu lang; höchstens 4 Zeichen"),
        ({"number": "a"}, "ist 'a'; passt nicht zum Muster ^[A-Z]"),
        ({"number": "A", "lines": "x"}, "ist 'x'; erwartet wird eine ganze Zahl oder nichts"),
        ({"number": "A", "lines": 0}, "ist 0; mindestens 1"),
        ({"number": "A", "currency": "GBP"}, "ist 'GBP'; erwartet wird eines von: EUR, USD"),
        ({"number": "A", "day": "soon"}, "ist 'soon'; erwartet wird die Form „date“"),
        ({"number": "A", "colour": "red"}, "hat Felder, die niemand erwartet"),
    ],
)
def test_an_objection_of_a_schema_follows_the_reader(given, german):
    validator = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())
    (error,) = validator.iter_errors(given)
    assert unfit_for_schema(error) == error.message, "the library's words in English"
    with translation.override("de"):
        assert unfit_for_schema(error) == german


def test_what_has_no_words_in_the_readers_language_keeps_the_librarys():
    found = {"type": "frozen_set_type", "msg": "Input should be a valid frozenset", "ctx": {}}
    lacking = {"type": "greater_than", "msg": "Input should be greater than 0"}
    with translation.override("de"):
        assert unfit(found) == found["msg"]
        assert unfit(lacking) == lacking["msg"], "what it wants was not told"
