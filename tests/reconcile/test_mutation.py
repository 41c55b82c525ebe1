"""The list of mutants that may survive speaks of the code that there is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from mutation import LISTED, Mutant, Reason, listed, rate, render

ROOM = Path(__file__).resolve().parents[2] / "include" / "clawback" / "reconcile"


def functions(module: str) -> Iterator[tuple[str, str]]:
    """Each function of a module by its name in the list, with its text."""
    source = (ROOM / f"{module}.py").read_text()
    for node in ast.parse(source).body:
        inner = node.body if isinstance(node, ast.ClassDef) else [node]
        for each in inner:
            if isinstance(each, ast.FunctionDef):
                before = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
                yield before + each.name, ast.get_source_segment(source, each) or ""


@pytest.mark.parametrize("reason", listed(), ids=lambda reason: reason.why[:40])
def test_a_survivor_is_a_line_of_its_function(reason: Reason) -> None:
    """Code that has changed takes its survivors off the list."""
    assert reason.why.endswith(".")
    for said in reason.mutants:
        where, _, change = said.partition(": ")
        module, _, name = where.partition(".")
        texts = [text for found, text in functions(module) if found == name]
        before = change.partition(" => ")[0]
        assert any(_holds(text, before) for text in texts), f"{LISTED.name}: {said}"


def _holds(text: str, before: str) -> bool:
    return before in " ".join(line.strip() for line in text.splitlines())


def test_no_survivor_stands_twice() -> None:
    """A mutant has one reason."""
    said = [each for reason in listed() for each in reason.mutants]
    assert len(said) == len(set(said))


def test_the_document_names_every_survivor() -> None:
    """Figures by module, then the survivors by reason."""
    tried = [
        Mutant("diff._cover", "a < b", "a <= b", killed=False),
        Mutant("diff._cover", "a + b", "a - b", killed=True),
        Mutant("plan.plan_order", "x", "None", killed=True),
    ]
    text = render(tried, [Reason("No matter.", ("diff._cover: a < b => a <= b", "gone"))])
    assert "| diff | 2 | 1 | 1 | 50.0 |" in text
    assert "| all | 3 | 2 | 1 | 66.7 |" in text
    assert "### No matter.\n\n- `diff._cover: a < b => a <= b`\n" in text
    assert "gone" not in text
    assert rate(tried[2:]) == 100
