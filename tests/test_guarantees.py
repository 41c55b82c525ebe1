"""The guarantees name tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs/guarantees.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)))


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_a_guarantee_is_shown_by_a_test_that_exists(path: str, name: str) -> None:
    """Every `path::name` in docs/guarantees.md is a test."""
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    found = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert name in found


def test_every_promise_names_a_test() -> None:
    """No row of a table of promises stands without one."""
    promised = TEXT.partition("## Figures")[0].splitlines()
    rows = [line for line in promised if line.startswith("| ") and "promise" not in line]
    assert len(rows) > 20
    assert [row for row in rows if "`tests/" not in row] == []
