"""Each row of the decision table holds, and docs/rules.md says what the table says."""

from __future__ import annotations

from pathlib import Path

import pytest
from render_rules import ORDERED, render
from table import Row

RULES_MD = Path(__file__).resolve().parents[2] / "docs" / "rules.md"


@pytest.mark.parametrize("row", ORDERED, ids=lambda row: f"{row.section}: {row.rule}")
def test_rule(row: Row) -> None:
    """What is given leads to what the table says."""
    assert row.run() == row.expect


def test_no_rule_stands_twice() -> None:
    """A row is named once in its section."""
    names = [(row.section, row.rule) for row in ORDERED]
    assert len(names) == len(set(names))


def test_the_document_is_the_table() -> None:
    """docs/rules.md is what `python tests/reconcile/render_rules.py` writes."""
    assert RULES_MD.read_text() == render(), "run: python tests/reconcile/render_rules.py"
