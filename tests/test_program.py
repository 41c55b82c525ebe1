"""A program file is read whole or refused in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from clawback.program import PROGRAMS_ENV, SQL_ENV, Program, ProgramError, find_program

PLAIN: dict[str, Any] = {"name": "shop", "campaign_id": 1000, "currency": "USD"}


def written(folder: Path, **more: Any) -> Path:
    path = folder / "shop.yaml"
    path.write_text(yaml.safe_dump(PLAIN | more), "utf-8")
    return path


def test_three_keys_are_enough(tmp_path: Path) -> None:
    """Name, campaign and currency make a program; all else has a default."""
    program = Program.load(written(tmp_path))
    assert (program.campaign_id, program.overlap_days, program.lookback_days) == ("1000", 3, 90)
    assert program.statement.name == "returns.duckdb.sql"
    assert program.statement.is_file()


def test_the_demo_program_is_sound() -> None:
    """The file that comes along can be loaded, and its statement is there."""
    program = Program.load(find_program("demo"))
    assert program.name == "demo"
    assert program.statement.is_file()


def test_what_is_written_reaches_the_rules(tmp_path: Path) -> None:
    """Choices of the file are choices of the rules."""
    path = written(
        tmp_path,
        unknown_sku="amount",
        tolerance_units=3,
        skus={"case": "upper", "mapping": {"x": "Y"}},
        reasons={"map": {"broken": {"modify": "ITEM_RETURNED"}}, "ignore": ["swap"]},
        safety_margin_minutes=30,
        learned={"indexed_items": True},
    )
    program = Program.load(path)
    rules = program.rules("IR1")
    assert (rules.account, rules.unknown_sku, rules.tolerance_units) == ("IR1", "amount", 3)
    assert (rules.skus.case, rules.sku_map) == ("upper", {"x": "Y"})
    assert rules.reasons["broken"] == ("ITEM_RETURNED", "ITEM_RETURNED")
    assert rules.ignored_reasons == {"swap"}
    assert rules.safety_margin.total_seconds() == 1800
    assert (program.pinned.indexed_items, program.pinned.indexed_amounts) == (True, None)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"currency": "dollars"}, "currency: "),
        ({"timezone": "Mars/Base"}, "timezone: 'Mars/Base' is no time zone; write one like"),
        ({"overlap_dyas": 4}, "overlap_dyas: no such key; take it out or correct its spelling"),
        ({"name": None}, "name: "),
        ({"lookback_days": -1}, "lookback_days: "),
        ({"budget": {"reserve_share": 1.5}}, "budget.reserve_share: "),
        ({"reasons": {"map": {"x": {"modify": "RESET"}}}}, "RESET"),
        ({"reasons": {"map": {"x": {"reverse": "item_returned"}}}}, "item_returned"),
        ({"name": "Shop No. 1"}, "name: "),
    ],
)
def test_a_wrong_key_is_named(tmp_path: Path, more: dict[str, Any], said: str) -> None:
    """The error is one line with the file, the key and what is wrong."""
    path = written(tmp_path, **more)
    with pytest.raises(ProgramError) as caught:
        Program.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("missing", ["name", "campaign_id", "currency"])
def test_a_missing_key_is_named(tmp_path: Path, missing: str) -> None:
    """Each of the three required keys is told when it is absent."""
    path = tmp_path / "shop.yaml"
    path.write_text(yaml.safe_dump({k: v for k, v in PLAIN.items() if k != missing}), "utf-8")
    with pytest.raises(ProgramError, match=f"{missing}: is missing; add it"):
        Program.load(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [("name: [", "is not YAML"), ("- a\n- b\n", "must be a mapping"), ("", "must be a mapping")],
)
def test_what_is_no_program_is_told(tmp_path: Path, content: str, said: str) -> None:
    """Broken YAML and other documents are refused in one line."""
    path = tmp_path / "shop.yaml"
    path.write_text(content, "utf-8")
    with pytest.raises(ProgramError, match=said) as caught:
        Program.load(path)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    """A binary file is refused, not a traceback."""
    path = tmp_path / "shop.yaml"
    path.write_bytes(b"\xff\xfe\x00name")
    with pytest.raises(ProgramError, match=r"cannot be read|is not YAML"):
        Program.load(path)


def test_a_missing_file_names_those_that_are_there(tmp_path: Path) -> None:
    """A misspelt program is answered with the ones beside it."""
    written(tmp_path)
    with pytest.raises(ProgramError, match=r"no such program file; .*shop\.yaml"):
        Program.load(tmp_path / "shpo.yaml")


def test_programs_are_found_by_name_or_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path is taken as it is; a name is looked up in the programs' folder."""
    path = written(tmp_path)
    monkeypatch.setenv(PROGRAMS_ENV, str(tmp_path))
    assert find_program(str(path)) == find_program("shop") == find_program("shop.yaml") == path


def test_statements_may_lie_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CLAWBACK_SQL names another folder; an absolute path is taken as it is."""
    monkeypatch.setenv(SQL_ENV, str(tmp_path))
    assert Program.load(written(tmp_path)).statement == tmp_path / "returns.duckdb.sql"
    own = written(tmp_path, warehouse={"statement": "/sql/own.sql"})
    assert Program.load(own).statement == Path("/sql/own.sql")
