"""`make bench`: a line for every target, and one that hangs does not keep the others from being measured."""

import time

import pytest

from .bench.__main__ import at_most
from .bench.targets import TARGETS


def test_every_target_has_a_line():
    assert {name.partition("-")[0] for name in TARGETS} == {f"P{number}" for number in range(1, 13)}


def test_a_target_that_hangs_is_given_up():
    with pytest.raises(TimeoutError, match=r"took longer than 0\.001 minutes"), at_most(0.001):
        time.sleep(5)


def test_what_comes_after_a_target_is_not_cut_short():
    with at_most(0.001):
        pass
    time.sleep(0.1)
