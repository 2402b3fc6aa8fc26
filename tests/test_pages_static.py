"""What the pages are made of: sizes that are promised, and nothing inline, so that the strict policy holds."""

import gzip
import re
from pathlib import Path

import pytest
from django.conf import settings

from reviews.keys import KEYS

STATIC = Path(settings.BASE_DIR) / "static"
TEMPLATES = sorted((Path(settings.BASE_DIR) / "templates").rglob("*.html"))
BUDGETS = {"desk.css": (32_000, 9_000), "desk.js": (8_192, 3_000), "icons.svg": (5_000, 1_500)}


@pytest.mark.parametrize("name", BUDGETS)
def test_a_static_file_stays_within_its_budget(name):
    data, (raw, packed) = (STATIC / name).read_bytes(), BUDGETS[name]
    assert len(data) <= raw
    assert len(gzip.compress(data, 9)) <= packed


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_has_nothing_inline(path):
    text = path.read_text()
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|hx-on|js:", text)
    assert not re.search(r"<script(?![^>]*\ssrc=)", text)


def test_every_icon_a_template_names_exists():
    sheet = (STATIC / "icons.svg").read_text()
    named = {name for path in TEMPLATES for name in re.findall(r'{% icon "([a-z]+)" %}', path.read_text())}
    assert named
    assert all(f'id="{name}"' in sheet for name in named)


def test_every_class_of_key_on_a_page_is_in_the_list_of_keys():
    pages = " ".join(path.read_text() for path in TEMPLATES)
    keys = set(re.findall(r'data-key="([a-z?/.])"', pages))
    assert keys <= {key.default for key in KEYS}
