"""A user's own CSV or Parquet export, read through DuckDB."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest
from warehouse_rows import NOW, SQL

from clawback.warehouse.contract import BadRow, ReturnRow, parse_row
from clawback.warehouse.source import WarehouseError, from_files, read, render

STATEMENT = SQL / "returns.files.sql"
HEADER = (
    "return_id,order_id,sku,kind,quantity,amount,currency,reason,returned_at,updated_at,comment\n"
)
DAY = timedelta(days=1)


def rows_of(
    files: object,
    *,
    start: datetime = NOW - 2 * DAY,
    end: datetime = NOW,
    zone: str = "UTC",
    order_ids: list[str] | None = None,
) -> list[ReturnRow | BadRow]:
    """What a program reads of these files."""
    statement = render(
        STATEMENT,
        window_start=start,
        window_end=end,
        order_ids=order_ids,
        extras={"returns_files": files, "timezone": zone},
    )
    return [
        parse_row(row, timezone=ZoneInfo(zone), currency="EUR")
        for batch in read(from_files(), statement, name=STATEMENT.name)
        for row in batch
    ]


def csv(path: Path, *lines: str) -> str:
    path.write_text(HEADER + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def line(number: int, order: str, updated: str, quantity: str = "1", amount: str = "5.00") -> str:
    times = f"{updated},{updated}"
    return f"R{number},{order},S{number},return,{quantity},{amount},USD,late,{times},n/a"


def test_a_csv_yields_all_lines_of_touched_orders(tmp_path: Path) -> None:
    """Of a CSV with times in any ISO form come all lines of the orders touched in the window."""
    path = csv(
        tmp_path / "r.csv",
        line(1, "A", "2026-10-01T00:00:00Z"),
        line(2, "A", "2026-11-22 10:00:00"),
        line(3, "B", "2026-11-21T00:00:00+00:00"),
        line(4, "C", "2026-11-23 00:00:00"),
        line(5, "D", "2026-11-22"),
        line(6, "E", "2026-11-20T23:59:59.999Z"),
        line(7, "", "2026-11-22 10:00:00"),
    )
    assert sorted(row.return_id for row in rows_of(path)) == ["R1", "R2", "R3", "R5", "R7"]
    assert {row.return_id for row in rows_of(path, order_ids=["C", "it's"])} == {"R4"}


def test_a_bad_cell_makes_one_invalid_row_with_its_text(tmp_path: Path) -> None:
    """Cells of any nonsense reach the contract as text; no row fails the query or is lost."""
    path = csv(
        tmp_path / "r.csv",
        line(1, "A", "2026-11-22"),
        line(2, "B", "2026-11-22", quantity="two", amount="12,50".replace(",", ";")),
        line(3, "C", "last Tuesday"),
        line(4, "D", "2026-02-30"),
    )
    found = {row.return_id: row for row in rows_of(path)}
    assert isinstance(found["R1"], ReturnRow)
    bad = found["R2"]
    assert isinstance(bad, BadRow)
    assert [e.partition(":")[0] for e in bad.errors] == ["quantity", "amount"]
    assert '"two"' in bad.raw
    for number in ("R3", "R4"):
        never_lost = found[number]
        assert isinstance(never_lost, BadRow)
        assert "updated_at" in "".join(never_lost.errors)


def test_cells_keep_their_characters(tmp_path: Path) -> None:
    """Ids of a CSV keep leading zeros, blanks and quotes: nothing is guessed to be a number."""
    path = csv(
        tmp_path / "r.csv",
        'R1,007,"A ""x"", 1",return,1,5,USD,,2026-11-22,2026-11-22,',
        "R2,1e5, S ,return,1.0,0.10,,,2026-11-22,2026-11-22,",
    )
    found = {row.return_id: row for row in rows_of(path)}
    assert (found["R1"].order_id, found["R1"].sku) == ("007", 'A "x", 1')
    second = found["R2"]
    assert isinstance(second, ReturnRow)
    assert (second.order_id, second.sku, second.currency) == ("1e5", " S ", "EUR")
    assert (second.quantity, second.amount) == (1, Decimal("0.10"))


def test_columns_that_look_like_numbers_stay_text(tmp_path: Path) -> None:
    """Ids and amounts that are all digits keep every character on their way to the contract."""
    path = csv(
        tmp_path / "r.csv",
        *(f"R{n},{n}.50,10{n}.00,return,1,2.10,USD,,2026-11-22,2026-11-22," for n in range(5)),
    )
    assert {(row.order_id, row.sku) for row in rows_of(path)} == {
        (f"{n}.50", f"10{n}.00") for n in range(5)
    }


def test_local_times_of_a_csv_are_the_programs(tmp_path: Path) -> None:
    """Times without a zone count in the program's zone, for the window as for the contract."""
    path = csv(tmp_path / "r.csv", line(1, "A", "2026-11-22 00:30:00"))
    start = datetime(2026, 11, 21, 23, tzinfo=UTC)
    end = datetime(2026, 11, 22, 0, tzinfo=UTC)
    found = rows_of(path, start=start, end=end, zone="Europe/Berlin")
    assert [row.updated_at for row in found if isinstance(row, ReturnRow)] == [
        datetime(2026, 11, 21, 23, 30, tzinfo=UTC)
    ]
    assert rows_of(path, start=start, end=end) == []


def test_a_glob_reads_files_that_differ_in_columns(tmp_path: Path) -> None:
    """A glob of daily exports reads as one, although a later one has a further column."""
    csv(tmp_path / "1.csv", line(1, "A", "2026-11-22"))
    (tmp_path / "2.csv").write_text(
        HEADER.replace("comment", "voided") + line(2, "B", "2026-11-22").replace("n/a", "true")
    )
    found = {row.return_id: row for row in rows_of(str(tmp_path / "*.csv"))}
    assert set(found) == {"R1", "R2"}
    second = found["R2"]
    assert isinstance(second, ReturnRow)
    assert second.voided
    both = [str(tmp_path / "1.csv"), str(tmp_path / "2.csv")]
    assert len(rows_of(both)) == 2


@pytest.mark.parametrize("kind", ["TIMESTAMP", "TIMESTAMPTZ", "VARCHAR", "DATE"])
def test_a_parquet_of_any_time_type(tmp_path: Path, kind: str) -> None:
    """Parquet columns of every type of time are looked at in the window and read."""
    path = str(tmp_path / "returns.PARQUET")
    duckdb.sql(
        f"""
        SET TimeZone = 'UTC';
        COPY (
            SELECT
                'R' || i AS return_id, i AS order_id, 'S' AS sku, 'return' AS kind, 1 AS quantity,
                2.5 AS amount, 'USD' AS currency, NULL AS reason,
                TIMESTAMPTZ '2026-11-22 00:00:00Z' - INTERVAL 1 DAY * i AS t,
                CAST(t AS {kind}) AS updated_at, updated_at AS returned_at
            FROM generate_series(0, 4) AS g(i)
        ) TO '{path}' (FORMAT parquet)
        """  # noqa: S608 - a path of ours
    )
    found = rows_of(path)
    assert all(isinstance(row, ReturnRow) for row in found), found
    assert {row.order_id for row in found} == {"0", "1"}
    assert {row.order_id for row in rows_of(path, order_ids=["4"])} == {"4"}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("gone.csv", None, "No files found that match the pattern .*; check the path"),
        ("gone.parquet", None, "No files found that match the pattern .*; check the path"),
        ("short.csv", "return_id,order_id,updated_at\n1,2,3\n", "it yields no column sku, kind"),
        ("untimed.csv", "return_id,order_id\n1,2\n", "updated_at"),
        ("fake.parquet", "no parquet at all", "the warehouse says"),
    ],
)
def test_an_unusable_file_is_one_sentence(
    tmp_path: Path, name: str, content: str | None, said: str
) -> None:
    """A file that is missing, of another kind or without a column is named with the mend."""
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    with pytest.raises(WarehouseError, match=said) as caught:
        rows_of(str(path))
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("returns.files.sql: ")


@pytest.mark.parametrize("before", [1, 5000])
@pytest.mark.parametrize(
    "broken",
    [
        "R9,short",
        line(9, "X", "2026-11-22") + ",more",
        'R9,"open,S,return,1,5,USD,,2026-11-22',
        "é",
    ],
)
def test_a_broken_line_fails_and_is_never_skipped(tmp_path: Path, before: int, broken: str) -> None:
    """A line with cells too few or too many, an open quote or another encoding is refused."""
    lines = [line(number, "A", "2026-11-22") for number in range(before)]
    path = Path(csv(tmp_path / "r.csv", *lines, broken, line(1, "B", "2026-11-22")))
    path.write_bytes(path.read_text(encoding="utf-8").encode("latin-1"))
    with pytest.raises(WarehouseError, match="mend the file: UTF-8, as many cells") as caught:
        rows_of(str(path))
    assert "\n" not in str(caught.value)


def test_nothing_about_a_csv_is_guessed(tmp_path: Path) -> None:
    """Ids that begin with a # are no comments; another delimiter is used only where it is named."""
    path = csv(tmp_path / "r.csv", "#1,#7,a;b;c,return,1,5,USD,,2026-11-22,2026-11-22,")
    assert [(row.return_id, row.order_id, row.sku) for row in rows_of(path)] == [
        ("#1", "#7", "a;b;c")
    ]
    text = Path(path).read_text(encoding="utf-8").replace(";", " ").replace(",", ";")
    Path(path).write_text(text, encoding="utf-8")
    statement = render(
        STATEMENT,
        window_start=NOW - 2 * DAY,
        window_end=NOW,
        extras={"returns_files": path, "csv_delimiter": ";"},
    )
    assert [row["sku"] for batch in read(from_files(), statement) for row in batch] == ["a b c"]


def test_a_program_without_files_is_told(tmp_path: Path) -> None:
    """A program that uses this statement and names no files is told so."""
    with pytest.raises(WarehouseError, match="returns_files"):
        render(STATEMENT, window_start=NOW, window_end=NOW)
    with pytest.raises(WarehouseError, match="returns_files"):
        rows_of("")
    assert list(tmp_path.iterdir()) == []


def test_the_same_rows_as_csv_and_as_parquet_are_the_same(tmp_path: Path) -> None:
    """A table exported as CSV and as Parquet reads as one and the same, content hash included."""
    duckdb.sql(
        f"""
        CREATE OR REPLACE TEMP TABLE t AS SELECT
            'R' || i AS return_id, 'O' || i % 7 AS order_id, 'S' || i AS sku, 'return' AS kind,
            i % 3 + 1 AS quantity, CAST(i * 1.25 AS DECIMAL(12, 2)) AS amount, 'USD' AS currency,
            'late' AS reason, i % 5 = 0 AS voided, 4 AS ordered_quantity,
            TIMESTAMP '2026-11-21 08:00:00' + INTERVAL 1 MINUTE * i AS returned_at,
            returned_at AS updated_at
            FROM generate_series(1, 500) AS g(i);
        COPY t TO '{tmp_path}/t.csv';
        COPY t TO '{tmp_path}/t.parquet';
        """  # noqa: S608 - a path of ours
    )
    one, other = (rows_of(f"{tmp_path}/t.{kind}") for kind in ("csv", "parquet"))
    assert len(one) == 500
    assert {row.content for row in one} == {row.content for row in other}
    assert len({row.content for row in one}) == 500
