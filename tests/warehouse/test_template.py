"""Rendering the statement: whatever is put in stays data."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from warehouse_rows import NOW, SQL, window

from clawback.warehouse.errors import WarehouseError
from clawback.warehouse.template import identifier, literal, render

DUCKDB = duckdb.connect()


def rendered(tmp_path: Path, template: str, **extras: object) -> str:
    path = tmp_path / "mine.sql"
    path.write_text(template, encoding="utf-8")
    return render(path, **window(**extras))


@pytest.mark.parametrize(
    ("value", "sql"),
    [
        ("it's", "'it''s'"),
        (None, "NULL"),
        (True, "TRUE"),
        (7, "7"),
        (Decimal("1E+2"), "100"),
        (date(2026, 1, 2), "'2026-01-02'"),
        (datetime(2026, 1, 2, 3, tzinfo=UTC), "'2026-01-02 03:00:00+00:00'"),
        (
            datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=-8))),
            "'2026-01-02 11:00:00+00:00'",
        ),
        (["a", "b'c"], "'a', 'b''c'"),
        ([], "NULL"),
    ],
)
def test_literal(value: object, sql: str) -> None:
    """Each kind of value becomes one literal that every dialect reads alike."""
    assert literal(value) == sql


def test_a_local_time_loses_its_zone() -> None:
    """For columns of local times, a time is written as the wall clock there shows it."""
    assert literal(NOW, "Europe/Berlin") == "'2026-11-23 01:00:00'"


@pytest.mark.parametrize(
    "value", ["a\\", "a\x00b", b"bytes", 1.5, object(), Decimal("NaN"), NOW.replace(tzinfo=None)]
)
def test_what_no_dialect_reads_alike_is_refused(value: object) -> None:
    """A backslash, which some dialects read as an escape, and odd types are refused."""
    with pytest.raises(WarehouseError, match="; "):
        literal(value)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.text())
def test_text_survives_as_data(value: str) -> None:
    """Any text that is let into a statement comes out of the database as it went in."""
    try:
        sql = literal(value)
        value.encode()
    except (WarehouseError, UnicodeEncodeError):
        return
    assert DUCKDB.execute(f"SELECT {sql}").fetchall() == [(value,)]


def test_values_are_quoted_without_a_filter(tmp_path: Path) -> None:
    """A template that forgets to quote is safe: every value is quoted, once."""
    sql = rendered(
        tmp_path, "{{ evil }} {{ evil | literal }} {{ window_end }}", evil="'; DROP TABLE x; --"
    )
    assert sql == ("'''; DROP TABLE x; --' '''; DROP TABLE x; --' '2026-11-23 00:00:00+00:00'")


def test_identifiers_are_quoted_by_part() -> None:
    """A table's name may have parts, and can hold no quote."""
    assert identifier("shop.returns") == '"shop"."returns"'
    for name in ('a"b', "a..b", "", "a\nb"):
        with pytest.raises(WarehouseError, match="no name"):
            identifier(name)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ nowhere }}", "mine.sql: 'nowhere' is undefined; set it in the program file"),
        ("SELECT\n{% if %}", "mine.sql, line 2: "),
        ("{{ window_start | nofilter }}", "nofilter"),
        ("{{ evil.attribute }}", "has no attribute"),
    ],
)
def test_a_broken_template_is_one_sentence(tmp_path: Path, template: str, said: str) -> None:
    """A template that is wrong, or wants what nobody gave, names its file and the mend."""
    with pytest.raises(WarehouseError) as caught:
        rendered(tmp_path, template, evil="x")
    assert said in str(caught.value)


def test_a_missing_template_is_named(tmp_path: Path) -> None:
    """A statement that is not there, or is no text, is named by its path."""
    with pytest.raises(WarehouseError, match=r"nowhere\.sql cannot be read"):
        render(tmp_path / "nowhere.sql", **window())
    (tmp_path / "binary.sql").write_bytes(b"\xff\xfe")
    with pytest.raises(WarehouseError, match="not UTF-8"):
        render(tmp_path / "binary.sql", **window())


@pytest.mark.parametrize("path", sorted(SQL.glob("*.sql")), ids=lambda path: path.name)
def test_every_statement_renders_both_ways(path: Path) -> None:
    """Each dialect's statement renders for a window and for a list of orders."""
    given: dict[str, Any] = window(returns_files="x.csv")
    assert "2026-11-21 00:00:00+00:00" in render(path, **given)
    assert "IN ('a', 'b')" in render(path, **given, order_ids=["a", "b"])
