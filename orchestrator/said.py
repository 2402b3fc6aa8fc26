"""Sentences of modules that know no Django: text in the language of the source that still knows what it was made of,
so that a page can say it in its reader's (`stored.told`). As `_`, by which `make messages` finds the forms. Pure."""

from collections.abc import Mapping


class Said(str):
    """`form` is the sentence with its places, `values` what stands in them."""

    form: str
    values: Mapping[str, object]


def said(form: str, **values: object) -> Said:
    """`said("has %(n)s rules", n=3)` is `has 3 rules`."""
    made = Said(form % values if values else form)
    made.form, made.values = form, values
    return made


def said_by(error: Exception) -> str:
    """What an error was made with: as text it has forgotten its form."""
    return error.args[0] if error.args and isinstance(error.args[0], str) else str(error)
