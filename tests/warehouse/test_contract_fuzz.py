"""The contract under fire: no cell, however hostile, raises or is lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

import pytest
import pytz
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clawback.warehouse.contract import BadRow, ReturnRow, contract_columns, judge_row, parse_row
from clawback.warehouse.quick import quick_row

COLUMNS = [column.name for column in contract_columns()]


class Hostile:
    """An object whose every method raises."""

    def _refuse(self, *_: object) -> NoReturn:
        raise RuntimeError("do not touch me")

    __str__ = __repr__ = __eq__ = __hash__ = __bool__ = __len__ = __format__ = _refuse  # type: ignore[assignment]
    __int__ = __float__ = __index__ = __iter__ = __getattr__ = _refuse

    @property
    def __class__(self) -> Any:
        raise RuntimeError("nor ask who I am")


class HostileText(str):
    __slots__ = ()

    def __str__(self) -> str:
        raise RuntimeError("not even text")

    strip = lower = upper = __str__


class HostileZone(tzinfo):
    """A zone that knows nothing."""

    def utcoffset(self, _: datetime | None) -> timedelta:
        raise ValueError("no offset")


class Stamp(datetime):
    """A subclass of datetime, as pandas and pendulum have them."""


class NaTType(Stamp):
    """What pandas gives for a missing time: a datetime that is none."""


HOSTILE: dict[str, Callable[[], object]] = {
    "hostile_text": lambda: HostileText("abc"),
    "hostile_blank": lambda: HostileText("  "),
    "hostile_zone": lambda: datetime(2026, 1, 1, tzinfo=HostileZone()),
    "stamp_in_hostile_zone": lambda: Stamp(2026, 1, 1, tzinfo=HostileZone()),
    "not_a_time": lambda: NaTType(2026, 1, 1),
    "object": object,
    "class": lambda: Hostile,
    "memoryview": lambda: memoryview(b"abc"),
    "dict": lambda: {"a": [1, 2]},
    "tuple": lambda: ("x",),
    "complex": lambda: complex(1, 2),
    "timedelta": lambda: timedelta(days=1),
    "huge_int": lambda: 10**100_000,
    "huge_negative_int": lambda: -(10**100_000),
    "surrogates": lambda: "\ud800\udfff\x00",
    "null_bytes": lambda: "S\x00-1",
    "nan": lambda: float("nan"),
    "nan_text": lambda: "NaN",
    "signalling_nan": lambda: Decimal("sNaN"),
    "infinity": lambda: Decimal("-Infinity"),
    "last_year": lambda: datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    "last_year_text": lambda: "9999-12-31T23:59:59-12:00",
    "first_year": lambda: datetime(1, 1, 1, tzinfo=pytz.FixedOffset(14 * 60)),
    "statement": lambda: "'; DROP TABLE return_lines; --",
    "template": lambda: "{{ macros.os }} ${jndi:ldap://x} %s {0.__class__}",
    "formula": lambda: '=HYPERLINK("//x";A1)',
}
EXTREME: dict[str, Callable[[], object]] = {
    "hostile": Hostile,  # too hostile for hypothesis itself
    "ten_million_digits": lambda: "9" * 10_000_000,
    "ten_million_bytes": lambda: b"\xff" * 10_000_000,
}
cells = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.decimals(),
    st.text(st.characters()),
    st.text("0123456789.,-+eE_ ", max_size=12),
    st.datetimes(),
    st.datetimes(timezones=st.timezones()),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.uuids(),
    st.binary(),
    st.lists(st.integers()),
    st.dictionaries(st.text(), st.integers()),
    st.sampled_from(("return", "adjustment", "cancellation", "RETURN ", "USD", "true")),
    st.sampled_from(sorted(HOSTILE)).map(lambda name: HOSTILE[name]()),
)
FINE: dict[str, object] = {
    "return_id": "R1",
    "order_id": "O1",
    "sku": "S1",
    "kind": "return",
    "quantity": 1,
    "returned_at": datetime(2026, 1, 1, tzinfo=UTC),
    "updated_at": datetime(2026, 1, 1, tzinfo=UTC),
}


def check(row: Mapping[str, object]) -> None:
    parsed = parse_row(row, timezone=ZoneInfo("America/New_York"), currency="USD")
    if isinstance(parsed, ReturnRow):
        sound(parsed)
    else:
        named(parsed)
    again = parse_row(row, timezone=ZoneInfo("America/New_York"), currency="USD")
    assert again.content == parsed.content


def sound(row: ReturnRow) -> None:
    assert row.order_id
    assert row.return_id
    assert row.returned_at.tzinfo is UTC
    assert row.quantity is None or 0 < row.quantity <= 10**9
    assert row.amount is None or 0 <= row.amount < 10**12
    assert row.quantity is not None or row.amount is not None or row.kind == "cancellation"


def named(row: BadRow) -> None:
    assert row.errors
    for error in row.errors:
        assert error.partition(":")[0] in COLUMNS, error
        assert len(error) < 400
    for text in (row.order_id, row.return_id, row.sku, row.raw, *row.errors):
        text.encode()
        assert "\x00" not in text
    assert max(len(row.order_id), len(row.return_id), len(row.sku)) <= 255
    assert len(row.raw.encode()) <= 4096
    assert set(json.loads(row.raw)) == set(COLUMNS)


@settings(
    max_examples=300,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(COLUMNS, cells)))
def test_any_row_is_read_or_named(row: dict[str, object]) -> None:
    """Whatever the cells hold, a row is either sound or a bad row that names its columns."""
    check(row)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.sampled_from(COLUMNS), cells)
def test_any_single_cell_is_read_or_named(column: str, cell: object) -> None:
    """A good row with one strange cell is sound, or bad in that column."""
    check({**FINE, column: cell})


EARLY, LATE = datetime.fromisoformat("1999-12-01"), datetime.fromisoformat("2101-02-01")
plain = st.one_of(
    st.none(),
    st.integers(-1, 3),
    st.sampled_from(("", " ", "a", "a b", "S-1", "x" * 100, "ü", "\u2003", "usd", "EUR", "7")),
    st.sampled_from(("return", "adjustment", "cancellation", "Return")),
    st.sampled_from(("12.50", "0", "007.10", "1.1234567", "2026-03-29 02:30:00")),
    st.decimals(-1, 1000, places=4),
    st.booleans(),
    st.datetimes(EARLY, LATE),
    st.datetimes(
        EARLY,
        LATE,
        timezones=st.sampled_from((UTC, pytz.UTC, ZoneInfo("Etc/UTC"), ZoneInfo("Asia/Tokyo"))),
    ),
)
some_columns = st.dictionaries(st.sampled_from(COLUMNS), plain, max_size=4)


@settings(max_examples=1000, derandomize=True, deadline=None)
@given(some_columns, st.sampled_from(("USD", "usd", "")))
def test_the_quick_look_reads_what_the_contract_reads(
    changed: dict[str, object], currency: str
) -> None:
    """A row that the quick look takes is the row that the contract's own readers give."""
    row, zone = {**FINE, **changed}, ZoneInfo("America/New_York")
    quick = quick_row(row, zone, currency)
    if quick is not None:
        judged = judge_row(row, timezone=zone, currency=currency)
        assert judged == ReturnRow(*quick)
        assert isinstance(judged, ReturnRow)
        assert (judged.returned_at.tzinfo, quick[8].tzinfo) == (UTC, UTC)


def test_a_plain_row_needs_no_longer_look() -> None:
    """Rows as a warehouse gives them are read the quick way, whatever their kind."""
    money = {"quantity": None, "amount": Decimal("1.00"), "kind": "adjustment"}
    whole = {"quantity": None, "sku": None, "kind": "cancellation"}
    stamped = {
        name: datetime(2026, 1, 1, tzinfo=pytz.UTC) for name in ("returned_at", "updated_at")
    }
    for changed in ({}, money, whole, stamped, {"updated_at": "2026-01-01 10:00:00"}):
        assert quick_row({**FINE, **changed}, ZoneInfo("UTC"), "USD") is not None


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("cell", [*HOSTILE, *EXTREME])
def test_hostile_cells_are_named(column: str, cell: str) -> None:
    """Objects that refuse every method, and fields of ten million characters, are only named."""
    check({**FINE, column: (HOSTILE | EXTREME)[cell]()})


def test_any_mapping_will_do() -> None:
    """A row may be any mapping, such as a driver's own row type."""

    class Row(Mapping[str, object]):
        def __getitem__(self, key: str) -> object:
            return FINE[key]

        def __iter__(self) -> Iterator[str]:
            return iter(FINE)

        def __len__(self) -> int:
            return len(FINE)

    assert isinstance(parse_row(Row(), timezone=ZoneInfo("UTC"), currency="USD"), ReturnRow)
