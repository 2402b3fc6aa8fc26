"""Objections of modules that know no Django are text in the language of the source, and said anew in the reader's."""

import copy
import json
import pickle

import pytest
from django.utils import translation

from orchestrator.definitions import DefinitionError, parse
from orchestrator.import_formats import ImportRefused, read_rows
from orchestrator.policies.evaluate import PolicySet, Rule
from orchestrator.said import said
from orchestrator.stored import told


def in_german(text: str) -> str:
    with translation.override("de"):
        return told(text)


def test_a_sentence_is_text_and_stays_so_wherever_it_is_kept():
    made = said("has %(n)s rules", n=3)
    assert (made, json.dumps([made]), f"{made}.") == ("has 3 rules", '["has 3 rules"]', "has 3 rules.")
    for again in (copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert (again, again.form, again.values) == (made, "has %(n)s rules", {"n": 3})


def test_other_text_is_told_as_it_stands():
    assert in_german("has 3 rules") == "has 3 rules"
    assert in_german(said("100 % of what nobody translated")) == "100 % of what nobody translated"


@pytest.mark.parametrize(
    ("condition", "english", "german"),
    [
        ("", "the condition is empty", "die Bedingung ist leer"),
        (
            "amont > 5",
            "column 1: there is no fact 'amont'; did you mean 'amount'?",
            "Spalte 1: eine Tatsache 'amont' gibt es nicht; meinten Sie 'amount'?",
        ),
        ("late &&", "the condition breaks off here", "die Bedingung bricht hier ab"),
        (
            "amount > 50.000",
            "'50.000' could be 50 or 50000; write 50.00 or 50,000",
            "'50.000' kann 50 oder 50000 heißen; schreiben Sie 50.00 oder 50,000",
        ),
    ],
)
def test_what_is_wrong_with_a_condition_follows_the_reader(condition, english, german):
    rule = Rule(name="r", when=condition, route="review", reason="")
    [(place, message)] = PolicySet("p", 1, {"amount": "money", "late": "bool"}, (rule,)).objections()
    assert place == "rules.r.when"
    assert message.endswith(english)
    assert in_german(message).endswith(german)


@pytest.mark.parametrize(
    ("source", "place", "german"),
    [
        ("workflow: w\nsteps: {a: {agent: x, retries: 3}}", "steps.a.retries", "ist kein bekannter Schlüssel"),
        ("workflow: w\nsteps: {a: {agent: x, needs: [b]}}", "steps.a.needs[0]", "nennt 'b', das kein Schritt ist"),
        ("workflow: w\nsteps: {a: {agent: x, timeout: soon}}", "steps.a.timeout", "'soon' ist keine Dauer"),
        ("a: 1\na: 2", "line 2", "der Schlüssel 'a' steht zweimal da"),
    ],
)
def test_what_is_wrong_with_a_definition_follows_the_reader(source, place, german):
    with pytest.raises(DefinitionError) as wrong:
        parse(source)
    said_ = {at: in_german(why) for at, why in wrong.value.errors}
    assert said_[place].startswith(german)


def test_what_is_wrong_with_a_file_of_rows_follows_the_reader():
    with pytest.raises(ImportRefused) as refused:
        read_rows(b"name,code\nred,1\nred,2\n", "colours.csv", source="colours", key_field="name")
    [bad] = refused.value.bad
    assert str(bad) == "line 3, name: 'red' stands in line 2 already"
    assert in_german(bad.words) == "Zeile 3, name: 'red' steht schon in Zeile 2"
