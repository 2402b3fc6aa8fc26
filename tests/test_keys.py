"""Shortcuts are a person's own: they may sit on other keys, never two on one."""

import json
import re

import pytest
from django.test import Client

from reviews.keys import KEYS, bindings, objections, translation
from reviews.models import Preference

from .cast import person
from .desk import signed_in, text_of

LIKED = {"theme": "system", "density": "roomy", "mail": "each", "undo_seconds": "10", "single_keys": "on"}


def test_no_two_shortcuts_share_a_key_at_first():
    assert len({key.default for key in KEYS}) == len(KEYS)
    assert list(objections({})) == []


def test_a_moved_shortcut_leaves_its_usual_key_without_meaning():
    assert translation({"approve": "y"}) == {"a": "", "y": "a"}


def test_two_shortcuts_may_change_places():
    assert translation({"approve": "r", "reject": "a"}) == {"r": "a", "a": "r"}
    assert list(objections({"approve": "r", "reject": "a"})) == []


@pytest.mark.parametrize(("key", "why"), [("r", "already on"), ("3", "goes to a difference"), (" ", "not a single")])
def test_a_key_that_is_taken_fixed_or_none_is_refused(key, why):
    [(name, objection)] = objections({"approve": key})
    assert name in ("approve", "reject")
    assert why in objection


def test_what_no_longer_exists_is_passed_over():
    assert [one.on for one in bindings({"dance": "y"})] == [key.default for key in KEYS]


@pytest.fixture
def client(db) -> Client:
    return signed_in(person("clerk", "clerks"))


def test_moved_keys_are_kept_shown_and_told_to_the_page(client):
    assert client.post("/me/", LIKED | {"key-approve": "Y"}).status_code == 302
    assert Preference.objects.get().keymap == {"approve": "y"}
    told = re.search(r'data-keymap="([^"]*)"', text_of(client.get("/queue/"))).group(1)
    assert json.loads(told.replace("&quot;", '"')) == {"a": "", "y": "a"}
    assert "<dt><kbd>Y</kbd></dt><dd>approve</dd>" in text_of(client.get("/help/keys/"))
    assert client.post("/me/", LIKED | {"key-approve": ""}).status_code == 302
    assert "data-keymap" not in text_of(client.get("/queue/"))


def test_a_key_used_twice_is_an_error_at_its_field_and_nothing_is_saved(client):
    response = client.post("/me/", LIKED | {"theme": "dark", "key-approve": "r"})
    assert response.status_code == 422
    assert 'href="#id_key-reject"' in text_of(response)
    assert not Preference.objects.exists()


def test_rows_can_be_dense(client):
    client.post("/me/", LIKED | {"density": "dense"})
    assert 'data-density="dense"' in text_of(client.get("/queue/"))
