"""What the two validators object to, in the reader's language, by the kind of objection. In the language of the source
it is the library's own sentence, and so is what has none here."""

from collections.abc import Mapping
from typing import Any

import jsonschema
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

SHOWN = 60  # characters of a value in an objection

# By pydantic's types of error, with what it tells of them.
PYDANTIC = {
    "missing": _("Field required"),
    "extra_forbidden": _("Extra inputs are not permitted"),
    "none_required": _("Input should be None"),
    "model_type": _("Input should be a valid dictionary"),
    "model_attributes_type": _("Input should be a valid dictionary"),
    "dict_type": _("Input should be a valid dictionary"),
    "list_type": _("Input should be a valid list"),
    "too_short": _("should have at least {min_length} items, not {actual_length}"),
    "too_long": _("should have at most {max_length} items, not {actual_length}"),
    "string_type": _("Input should be a valid string"),
    "string_too_short": _("String should have at least {min_length} characters"),
    "string_too_long": _("String should have at most {max_length} characters"),
    "string_pattern_mismatch": _("String should match pattern '{pattern}'"),
    "literal_error": _("Input should be {expected}"),
    "enum": _("Input should be {expected}"),
    "bool_type": _("Input should be a valid boolean"),
    "bool_parsing": _("Input should be a valid boolean, unable to interpret input"),
    "int_type": _("Input should be a valid integer"),
    "int_parsing": _("Input should be a valid integer, unable to parse string as an integer"),
    "int_from_float": _("Input should be a valid integer, got a number with a fractional part"),
    "float_type": _("Input should be a valid number"),
    "float_parsing": _("Input should be a valid number, unable to parse string as a number"),
    "finite_number": _("Input should be a finite number"),
    "decimal_type": _("Decimal input should be an integer, float, string or Decimal object"),
    "decimal_parsing": _("Input should be a valid decimal"),
    "decimal_max_digits": _("Decimal input should have no more than {max_digits} digits in total"),
    "decimal_max_places": _("Decimal input should have no more than {decimal_places} decimal places"),
    "greater_than": _("Input should be greater than {gt}"),
    "greater_than_equal": _("Input should be greater than or equal to {ge}"),
    "less_than": _("Input should be less than {lt}"),
    "less_than_equal": _("Input should be less than or equal to {le}"),
    "date_type": _("Input should be a valid date"),
    "date_parsing": _("Input should be a valid date in the format YYYY-MM-DD, {error}"),
    "date_from_datetime_parsing": _("Input should be a valid date or datetime, {error}"),
    "datetime_type": _("Input should be a valid datetime"),
    "datetime_parsing": _("Input should be a valid datetime, {error}"),
    "datetime_from_date_parsing": _("Input should be a valid datetime or date, {error}"),
    "uuid_type": _("UUID input should be a string, bytes or UUID object"),
    "uuid_parsing": _("Input should be a valid UUID, {error}"),
    "value_error": _("Value error, {error}"),
}
# By JSON Schema's keywords: `given` is what was given, `wanted` what the schema says.
JSON_SCHEMA = {
    "required": _("is a required property"),
    "type": _("{given} is not of type {wanted}"),
    "enum": _("{given} is not one of {wanted}"),
    "const": _("{wanted} was expected"),
    "minimum": _("{given} is less than the minimum of {wanted}"),
    "maximum": _("{given} is greater than the maximum of {wanted}"),
    "exclusiveMinimum": _("{given} is less than or equal to the minimum of {wanted}"),
    "exclusiveMaximum": _("{given} is greater than or equal to the maximum of {wanted}"),
    "multipleOf": _("{given} is not a multiple of {wanted}"),
    "minLength": _("{given} is too short; {wanted} characters at least"),
    "maxLength": _("is too long; {wanted} characters at most"),
    "pattern": _("{given} does not match {wanted}"),
    "format": _("{given} is not a {wanted}"),
    "minItems": _("has too few items; {wanted} at least"),
    "maxItems": _("has too many items; {wanted} at most"),
    "uniqueItems": _("has items that stand there twice"),
    "additionalProperties": _("has fields that nobody expects"),
}
TYPES = {
    "string": _("a text"),
    "number": _("a number"),
    "integer": _("a whole number"),
    "boolean": _("yes or no"),
    "array": _("a list"),
    "object": _("a map of fields"),
    "null": _("nothing"),
}


def unfit(found: Mapping[str, Any]) -> str:
    """One of pydantic's errors, as `errors()` lists them."""
    form = PYDANTIC.get(found["type"], "")
    about = dict(found.get("ctx") or {})
    if "expected" in about:  # 'a', 'b' or 'c'
        about["expected"] = gettext(" or ").join(str(about["expected"]).rsplit(" or ", 1))
    return _said(form, about, found["msg"])


def unfit_for_schema(error: jsonschema.ValidationError) -> str:
    """One of jsonschema's errors."""
    wanted = error.validator_value
    if error.validator == "type":
        wanted = gettext(" or ").join(
            gettext(TYPES[name]) for name in ([wanted] if isinstance(wanted, str) else wanted)
        )
    elif isinstance(wanted, list):
        wanted = ", ".join(map(str, wanted))
    about = {"given": repr(error.instance)[:SHOWN], "wanted": wanted}
    return _said(JSON_SCHEMA.get(str(error.validator), ""), about, error.message)


def _said(form: str, about: Mapping[str, Any], otherwise: str) -> str:
    """`otherwise` where the form has no words in the reader's language, or wants what was not told."""
    words = gettext(form) if form else ""
    try:
        return words.format_map(about) if words != form else otherwise
    except KeyError:
        return otherwise
