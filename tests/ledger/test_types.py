"""Money is exact and times are aware on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, func, insert, select
from sqlalchemy.exc import StatementError

from clawback.ledger.store import Ledger
from clawback.ledger.types import Money, Utc, plain

samples = Table(
    "samples",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("money", Money),
    Column("at", Utc),
)


@pytest.fixture(autouse=True)
def _table(ledger: Ledger) -> None:
    with ledger.begin() as conn:
        samples.create(conn)


def kept(ledger: Ledger, **values: object) -> object:
    """What one column gives back after it was written."""
    with ledger.begin() as conn:
        conn.execute(insert(samples).values(**values))
    with ledger.read() as conn:
        return conn.execute(select(samples.c[next(iter(values))])).scalar_one()


@pytest.mark.parametrize(
    "text",
    ["0", "0.01", "-0.01", "12.34", "-12.345678", "0.000001", "-999999999999.999999", "1000"],
)
def test_money_comes_back_to_the_last_digit(ledger: Ledger, text: str) -> None:
    """An amount with up to six places is the same after it was kept, whatever its sign or size."""
    found = kept(ledger, money=Decimal(text))
    assert isinstance(found, Decimal)
    assert found == Decimal(text)


def test_money_adds_up_without_loss(ledger: Ledger) -> None:
    """The database's own sum of many cents is exact."""
    with ledger.begin() as conn:
        conn.execute(insert(samples), [{"money": Decimal("0.01")} for _ in range(1000)])
    with ledger.read() as conn:
        assert conn.scalar(select(func.sum(samples.c.money))) == Decimal(10)


def test_money_may_be_unknown(ledger: Ledger) -> None:
    """No amount stays no amount, and is not zero."""
    assert kept(ledger, money=None) is None


@pytest.mark.parametrize(
    ("amount", "text"),
    [("12.340000", "12.34"), ("12", "12.00"), ("0.001", "0.001"), ("1E+3", "1000.00")],
)
def test_money_is_shown_with_two_places_or_as_many_as_it_needs(amount: str, text: str) -> None:
    """Zeros that a database appends are not shown."""
    assert str(plain(Decimal(amount))) == text


def test_times_come_back_in_utc(ledger: Ledger) -> None:
    """A time in another zone is the same instant afterwards, said in UTC."""
    zone = timezone(timedelta(hours=-7))
    found = kept(ledger, at=datetime(2026, 11, 1, 1, 30, 0, 123456, tzinfo=zone))
    assert found == datetime(2026, 11, 1, 8, 30, 0, 123456, tzinfo=UTC)
    assert isinstance(found, datetime)
    assert found.utcoffset() == timedelta(0)


def test_a_time_without_a_zone_is_refused(ledger: Ledger) -> None:
    """A naive time never reaches the ledger."""
    with pytest.raises(StatementError, match="without a zone"):
        kept(ledger, at=datetime(2026, 11, 1, 1, 30))  # noqa: DTZ001 - that is the point
