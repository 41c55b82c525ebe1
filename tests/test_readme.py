"""The README says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from clawback.reconcile.outcomes import Outcome
from clawback.warehouse.contract import markdown_table

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _between(mark: str) -> str:
    found = re.search(rf"<!-- {mark}:begin -->\n(.*?)<!-- {mark}:end -->", README, re.DOTALL)
    assert found, f"README.md has lost its {mark} marks"
    return found.group(1)


def test_the_contract_table_is_the_one_the_model_renders() -> None:
    """The columns in the README are those of the contract, word for word."""
    assert _between("contract").strip() == markdown_table().strip()


def test_every_outcome_is_named() -> None:
    """A reader finds every outcome that a line can end in."""
    assert [o for o in Outcome if f"`{o}`" not in README] == []


def test_every_command_exists() -> None:
    """Each make command that the README names is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)\b", README)) <= targets


def test_every_file_exists() -> None:
    """Each file or folder that the README links to is there."""
    links = re.findall(r"\]\((?!http)([^)]+)\)", README)
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_asset_is_the_one_that_the_books_are_announced_on() -> None:
    """The example's Dag would start: asset and figures bear the names that close_books gives."""
    books = (ROOT / "plugins" / "impact_provider" / "books.py").read_text(encoding="utf-8")
    [name] = re.findall(r'Asset\("(\w+)_shop"\)', README)
    assert f'Asset(name=f"{name}_{{program}}")' in books
    figures = set(re.findall(r'event\.extra\["(\w+)"\]', README))
    assert figures
    assert [figure for figure in figures if f'"{figure}"' not in books] == []
