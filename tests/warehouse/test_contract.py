"""The contract: what a row may say, what it may not, and what each refusal tells its reader."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from clawback.warehouse.contract import (
    BadRow,
    ReturnLine,
    ReturnRow,
    contract_columns,
    markdown_table,
    parse_row,
)

# ruff: noqa: DTZ001, DTZ901 - times without a zone are what some columns hold
BERLIN = ZoneInfo("Europe/Berlin")
GOOD: dict[str, Any] = {
    "return_id": "R1",
    "order_id": "O1",
    "sku": "S1",
    "kind": "return",
    "quantity": 2,
    "amount": Decimal("12.50"),
    "currency": "USD",
    "reason": "too_small",
    "returned_at": datetime(2026, 11, 1, 8, tzinfo=UTC),
    "updated_at": datetime(2026, 11, 2, 9, tzinfo=UTC),
}


def parse(zone: ZoneInfo = BERLIN, **cells: object) -> ReturnRow | BadRow:
    return parse_row({**GOOD, **cells}, timezone=zone, currency="EUR")


def good(**cells: object) -> ReturnRow:
    row = parse(**cells)
    assert isinstance(row, ReturnRow), row
    return row


def errors(**cells: object) -> str:
    row = parse(**cells)
    assert isinstance(row, BadRow), row
    return "\n".join(row.errors)


def test_a_good_row_arrives_in_native_types() -> None:
    """A row that keeps the contract arrives whole: decimals, aware UTC times, empty optionals."""
    row = good()
    assert (row.quantity, row.amount, row.currency) == (2, Decimal("12.50"), "USD")
    assert row.returned_at == datetime(2026, 11, 1, 8, tzinfo=UTC)
    assert (row.ordered_at, row.ordered_quantity, row.ordered_amount) == (None, None, None)
    assert (row.voided, row.parent_sku) == (False, "")


def test_the_optional_columns_arrive_too() -> None:
    """What was sold, voided and parent_sku are read where they are given."""
    row = good(
        ordered_at="2026-10-01T00:00:00Z",
        ordered_quantity="3",
        ordered_amount="18.75",
        voided="true",
        parent_sku="BUNDLE",
    )
    assert row.ordered_at == datetime(2026, 10, 1, tzinfo=UTC)
    assert (row.ordered_quantity, row.ordered_amount) == (3, Decimal("18.75"))
    assert (row.voided, row.parent_sku) == (True, "BUNDLE")


def short(value: object) -> str:
    """A test's name for a cell; pytest's own would print numbers of thousands of digits."""
    return value[:20] if isinstance(value, str) else type(value).__name__


RULES: list[tuple[str, dict[str, Any], str | None]] = [
    ("units came back", {}, None),
    ("a return may leave its amount out", {"amount": None}, None),
    ("a return needs its units", {"quantity": None}, "quantity: is empty"),
    ("no unit is no return", {"quantity": 0}, "quantity: 0 is not positive"),
    ("negative units", {"quantity": -1}, "quantity: -1 is negative"),
    ("half a unit", {"quantity": 1.5}, "quantity: 1.5 is not whole"),
    ("half a unit as text", {"quantity": "0.5"}, "quantity: '0.5' is not whole"),
    ("negative money", {"amount": -1}, "amount: -1 is negative"),
    ("an amount off the whole order", {"sku": "", "quantity": None}, None),
    ("the same with units", {"sku": ""}, None),
    ("a refund of shipping", {"sku": "", "quantity": None, "amount": None}, "shipping"),
    ("units of nothing", {"sku": "", "amount": None}, "sku: is empty and so is amount"),
    (
        "units of an order whose sale is known",
        {"sku": "", "amount": None, "ordered_quantity": 4, "ordered_amount": 40},
        None,
    ),
    ("goodwill", {"kind": "adjustment", "quantity": None}, None),
    ("goodwill of nothing", {"kind": "adjustment", "quantity": None, "amount": 0}, None),
    ("goodwill on an order", {"kind": "adjustment", "quantity": None, "sku": ""}, None),
    ("goodwill with units", {"kind": "adjustment"}, "quantity: an adjustment has none"),
    (
        "goodwill without money",
        {"kind": "adjustment", "quantity": None, "amount": None},
        "amount: is empty",
    ),
    (
        "negative goodwill",
        {"kind": "adjustment", "quantity": None, "amount": "-5"},
        "amount: -5 is negative",
    ),
    (
        "a cancellation",
        {"kind": "cancellation", "sku": "", "quantity": None, "amount": None},
        None,
    ),
    (
        "a cancellation that names its money",
        {"kind": "cancellation", "sku": "", "quantity": None},
        None,
    ),
    (
        "a cancelled item",
        {"kind": "cancellation", "quantity": None},
        "sku: a cancellation is of the whole order",
    ),
    (
        "cancelled units",
        {"kind": "cancellation", "sku": ""},
        "quantity: a cancellation is of the whole order",
    ),
    ("a kind of one's own", {"kind": "refund"}, "kind: 'refund' is none of return, adjustment"),
    ("no kind", {"kind": None}, "kind: is empty"),
    ("no order", {"order_id": None}, "order_id: is empty"),
    ("no return id", {"return_id": "  "}, "return_id: is empty"),
    ("no time of return", {"returned_at": None}, "returned_at: is empty"),
    ("no time of update", {"updated_at": ""}, "updated_at: is empty"),
    ("nothing was sold", {"ordered_quantity": 0}, "ordered_quantity: 0 units"),
    ("sold for less than nothing", {"ordered_amount": -1}, "ordered_amount: -1 is negative"),
]


@pytest.mark.parametrize(("cells", "problem"), [r[1:] for r in RULES], ids=[r[0] for r in RULES])
def test_rule(cells: dict[str, Any], problem: str | None) -> None:
    """Each rule of the contract admits or refuses, and a refusal names column and mend."""
    if problem is None:
        good(**cells)
    else:
        said = errors(**cells)
        assert problem in said
        assert "; " in said, "an error says how to mend it"


def test_every_bad_cell_is_named() -> None:
    """A row with several bad cells is told all of them at once."""
    said = errors(quantity=-1, amount="abc", returned_at="yesterday", currency="dollars")
    assert [line.partition(":")[0] for line in said.splitlines()] == [
        "quantity",
        "amount",
        "currency",
        "returned_at",
    ]


@pytest.mark.parametrize("empty", [None, "", "  ", "\t", float("nan"), Decimal("NaN")])
@pytest.mark.parametrize(
    "column", ["ordered_quantity", "ordered_amount", "ordered_at", "amount", "parent_sku", "reason"]
)
def test_null_nan_and_blank_are_alike(column: str, empty: object) -> None:
    """NULL, NaN and blank text are all an empty cell."""
    assert good(**{column: empty}) == good(**{column: None})


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (" A-1 ", " A-1 "),
        ("ß/ü€", "ß/ü€"),
        ("x" * 255, "x" * 255),
        (12345678901234567890, "12345678901234567890"),
        (Decimal("42.000"), "42"),
        (7.0, "7"),
        (UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        ("'; DROP TABLE returns; --", "'; DROP TABLE returns; --"),
    ],
)
def test_ids_keep_their_characters(cell: object, text: str) -> None:
    """Ids are kept as they are, blanks included; numbers and UUIDs become their text."""
    assert good(order_id=cell).order_id == text


@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        ("x" * 256, "256 characters"),
        ("a\x00b", "control characters"),
        ("a\nb", "control characters"),
        ("\ud800", "control characters"),
        (1.5, "is not text"),
        (True, "is not text"),
        (b"bytes", "is not text"),
        (["list"], "a list is not text"),
        (2.0**60, "lost digits"),
        (10**5000, "more than 40 digits"),
    ],
    ids=short,
)
@pytest.mark.parametrize("column", ["order_id", "return_id", "sku"])
def test_unusable_ids_are_invalid(column: str, cell: object, problem: str) -> None:
    """What cannot be stored or compared as an id is invalid, and the column is named."""
    assert problem in errors(**{column: cell})
    assert errors(**{column: cell}).startswith(f"{column}: ")


@pytest.mark.parametrize(
    ("cell", "amount"),
    [
        (0.1, "0.1"),
        (0.1 + 0.2, "0.3"),
        (5, "5"),
        ("1234.50", "1234.50"),
        (" 7.5 ", "7.5"),
        ("1e2", "100"),
        (Decimal("3.1000000000"), "3.1"),
        (Decimal("1E+3"), "1000"),
        ("999999999999.999999", "999999999999.999999"),
        (-0.0, "0"),
    ],
)
def test_amounts_are_exact(cell: object, amount: str) -> None:
    """Amounts become exact decimals; a float counts by its shortest text."""
    found = good(amount=cell).amount
    assert found == Decimal(amount)
    assert "E" not in str(found)


@pytest.mark.parametrize(
    "cell",
    [
        "1,234.50",
        "$5",
        "1_000",
        "٣",
        "abc",
        "Infinity",
        float("inf"),
        Decimal("Infinity"),
        Decimal("sNaN"),
        True,
        b"1",
        10**12,
        "1e99",
        Decimal("1E+999999"),
        Decimal("0.0000001"),
        "0.1234567",
        10**5000,
        "9" * 10**6,
    ],
    ids=short,
)
def test_unusable_amounts_are_invalid(cell: object) -> None:
    """What is no plain finite amount of money is invalid under its column's name."""
    if isinstance(cell, Decimal) and cell.is_nan():
        assert good(amount=cell).amount is None
    else:
        assert errors(amount=cell).startswith("amount: ")


@pytest.mark.parametrize(
    ("cell", "quantity"), [(2.0, 2), ("3", 3), ("3.0", 3), (Decimal(4), 4), (10**9, 10**9)]
)
def test_whole_quantities_of_any_type(cell: object, quantity: int) -> None:
    """A whole number is one in whatever type the driver gives it."""
    assert good(quantity=cell).quantity == quantity


def test_a_quantity_beyond_reason_is_invalid() -> None:
    """More than a billion units is a mistake, whatever its type."""
    assert "too large" in errors(quantity=10**9 + 1)
    assert "too large" in errors(quantity="9999999999")


@pytest.mark.parametrize(
    ("cell", "moment"),
    [
        (datetime(2026, 7, 1, 12), datetime(2026, 7, 1, 10, tzinfo=UTC)),
        (datetime(2026, 12, 1, 12), datetime(2026, 12, 1, 11, tzinfo=UTC)),
        (date(2026, 7, 1), datetime(2026, 6, 30, 22, tzinfo=UTC)),
        ("2026-07-01", datetime(2026, 6, 30, 22, tzinfo=UTC)),
        ("2026-07-01 12:00:00", datetime(2026, 7, 1, 10, tzinfo=UTC)),
        ("2026-07-01T12:00:00Z", datetime(2026, 7, 1, 12, tzinfo=UTC)),
        ("2026-07-01T12:00:00.25-07:00", datetime(2026, 7, 1, 19, 0, 0, 250000, tzinfo=UTC)),
        (
            datetime(2026, 7, 1, 12, tzinfo=timezone(timedelta(hours=-8))),
            datetime(2026, 7, 1, 20, tzinfo=UTC),
        ),
        (datetime(2026, 3, 29, 2, 30), datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
        (datetime(2028, 2, 29), datetime(2028, 2, 28, 23, tzinfo=UTC)),
    ],
)
def test_times_without_a_zone_are_the_programs(cell: object, moment: datetime) -> None:
    """A time without a zone is the wall clock's of the program's zone; all become UTC."""
    found = good(returned_at=cell).returned_at
    assert found == moment
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    "cell",
    [
        datetime(1999, 12, 31, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59),
        datetime.min,
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-14))),
        "2101-01-01",
        "2026-02-30",
        "yesterday",
        "2026-07-01T25:00:00",
        1767225600,
        "x" * 10**6,
        b"2026-07-01",
    ],
    ids=short,
)
def test_unusable_times_are_invalid(cell: object) -> None:
    """What is no time between 2000 and 2100 is invalid under its column's name."""
    assert errors(updated_at=cell).startswith("updated_at: ")


def test_the_programs_currency_stands_in() -> None:
    """A row that names no currency has the program's; others are made upper case."""
    assert good(currency=None).currency == "EUR"
    assert good(currency=" usd ").currency == "USD"
    assert "no currency" in errors(currency="US")
    assert "no currency" in errors(currency="€€€")


@pytest.mark.parametrize("yes", [True, 1, "t", "TRUE", "yes", Decimal(1), 1.0])
@pytest.mark.parametrize("no", [False, 0, "f", "False", "no", None, "", Decimal(0)])
def test_voided_takes_any_truth_value(yes: object, no: object) -> None:
    """Voided is read from every usual way of saying yes and no."""
    assert good(voided=yes).voided is True
    assert good(voided=no).voided is False


@pytest.mark.parametrize("cell", [2, "maybe", 0.5, [], b"1"])
def test_an_unclear_voided_is_invalid(cell: object) -> None:
    """What is neither yes nor no is invalid."""
    assert errors(voided=cell).startswith("voided: ")


def test_equal_content_has_equal_hash_however_written() -> None:
    """The same row as numbers, as text and from another driver has one content hash."""
    row = good(quantity=2, amount=Decimal("12.5"))
    same = good(quantity="2.0", amount=12.5, returned_at="2026-11-01T09:00:00+01:00")
    assert row.content == same.content
    assert good(updated_at="2026-11-03T00:00:00Z").content == row.content


@pytest.mark.parametrize(
    "change", [{"quantity": 1}, {"amount": "12.51"}, {"reason": "late"}, {"voided": True}]
)
def test_other_content_has_another_hash(change: dict[str, object]) -> None:
    """Any difference in what a row says shows in its content hash."""
    assert good(**change).content != good().content


def test_a_bad_row_keeps_what_can_be_read() -> None:
    """A bad row keeps its key, its cells as JSON of bounded size, and a hash of its own."""
    row = parse(order_id="O\x00" + "9" * 300, quantity=-1, reason="r" * 10**7)
    assert isinstance(row, BadRow)
    assert row.order_id.startswith("O\ufffd99")
    assert len(row.order_id) == 255
    assert (row.return_id, row.sku) == ("R1", "S1")
    assert len(row.raw.encode()) <= 4096
    assert "\x00" not in row.raw
    assert row.content != parse(quantity=-2).content
    assert parse(quantity=-1).content == parse(quantity=-1).content


def test_the_table_names_every_column_of_the_model() -> None:
    """The contract's table for people lists exactly the columns of the model."""
    names = [column.name for column in contract_columns()]
    assert names == list(ReturnLine.model_fields)
    assert [c.name for c in contract_columns() if not c.required] == [
        "ordered_at",
        "ordered_quantity",
        "ordered_amount",
        "voided",
        "parent_sku",
    ]
    table = markdown_table().splitlines()
    assert [line.split("`")[1] for line in table[2:]] == names
    assert all(column.meaning for column in contract_columns())
