"""The page that walks one loss through every pass: one test, as its examples share names."""

import doctest
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "replay.md"


def test_the_page_of_replay_is_as_it_says():
    found = doctest.testfile(str(PAGE), module_relative=False, encoding="utf-8")
    assert found.attempted > 40
    assert found.failed == 0
