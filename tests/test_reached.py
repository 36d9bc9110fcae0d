"""The README's table of what months demand is what was measured."""

from __future__ import annotations

from tests.reached import table
from tests.readme import told


def test_the_readme_says_what_was_measured_of_months() -> None:
    assert told("tests.reached") == table(), "run python -m tests.reached, and commit both"
