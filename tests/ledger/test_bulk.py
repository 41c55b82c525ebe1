"""Bulk writes and reads: the same rows as through SQLAlchemy, on each database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from clawback.ledger import bulk
from clawback.ledger.store import Ledger
from clawback.ledger.tables import actions, learned, reads, return_lines

AT = datetime(2026, 11, 20, 12, 30, 15, 123456, tzinfo=UTC)
EAST = timezone(timedelta(hours=2))
COLUMNS = [c.name for c in actions.columns if c.name not in {"moved_run", "planned_generation"}]


def action(number: int, **more: Any) -> dict[str, Any]:
    row = {
        "account": "A",
        "id": f"1.2.{number}",
        "campaign_id": "1",
        "tracker_id": "2",
        "partner_id": "3",
        "partner_name": "Ödön \u2028 '\"\\",
        "oid": f"O-{number}",
        "order_key": f"O-{number}",
        "state": "PENDING",
        "amount": Decimal("12.34"),
        "payout": Decimal("0.000001"),
        "currency": "USD",
        "event_at": AT,
        "created_at": AT.astimezone(EAST),
        "locking_at": None,
        "cleared_at": AT.replace(microsecond=0),
        "original_amount": None,
        "original_payout": Decimal(-5),
        "modifications": 3,
        "generation": 0,
        "settled": {"reverse": False, "items": [["S", 1, "2.00"]], "amount": None},
        "refused": None,
        "stale": True,
        "seen_at": AT,
    }
    return row | more


def values(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in COLUMNS)


def shown(conn: Connection) -> list[tuple[Any, ...]]:
    here = select(*(actions.c[name] for name in COLUMNS)).order_by(actions.c.id)
    return [tuple(row) for row in conn.execute(here)]


def test_bulk_rows_are_the_rows_that_sqlalchemy_writes(ledger: Ledger) -> None:
    """A row that is written in bulk reads as the same row does that SQLAlchemy wrote."""
    with ledger.begin() as conn:
        conn.execute(insert(actions), [action(1)])
        bulk.insert_rows(conn, actions, COLUMNS, [values(action(2))])
        one, two = shown(conn)
        raw = conn.exec_driver_sql(
            "SELECT amount, payout, event_at, created_at, cleared_at, original_payout, stale, "
            "original_amount FROM actions ORDER BY id"
        ).all()
    assert raw[0] == raw[1]
    assert one[3:6] == two[3:6]
    assert one[8:] == two[8:]


def test_fetch_reads_what_sqlalchemy_reads(ledger: Ledger) -> None:
    """Rows that are fetched in bulk are SQLAlchemy's rows as tuples, in their order."""
    rows = [action(n, amount=Decimal(n) / 8, locking_at=AT if n % 2 else None) for n in range(50)]
    with ledger.begin() as conn:
        conn.execute(insert(actions), rows)
    here = select(*(actions.c[name] for name in COLUMNS)).order_by(actions.c.id)
    with ledger.read() as conn:
        expected = [tuple(row) for row in conn.execute(here)]
        found = list(bulk.fetch(conn, here, batch=7))
    assert found == expected
    assert [str(row[9]) for row in found] == [str(row[9]) for row in expected]


@settings(
    derandomize=True,
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    amount=st.decimals(min_value=-(10**12), max_value=10**12, places=6),
    moment=st.datetimes(
        min_value=datetime(1900, 1, 2),  # noqa: DTZ001 - hypothesis adds the zone
        timezones=st.sampled_from([UTC, EAST]),
    ),
)
def test_values_keep_their_exact_worth(ledger: Ledger, amount: Decimal, moment: datetime) -> None:
    """Money to the millionth and times to the microsecond come back as SQLAlchemy gives them."""
    columns = ["account", "fact", "value", "evidence", "at"]
    row = action(1, amount=amount, created_at=moment)
    with ledger.begin() as conn:
        conn.execute(actions.delete())
        conn.execute(learned.delete())
        bulk.insert_rows(conn, actions, COLUMNS, [values(row)])
        bulk.insert_rows(conn, learned, columns, [("A", "f", True, [str(amount), 1.5], moment)])
        here = select(actions.c.amount, actions.c.created_at)
        assert list(bulk.fetch(conn, here)) == [tuple(r) for r in conn.execute(here)]
        assert list(bulk.fetch(conn, here)) == [(amount, moment)]
        known = select(learned.c.value, learned.c.evidence, learned.c.at)
        assert list(bulk.fetch(conn, known)) == [(True, [str(amount), 1.5], moment)]


def test_the_hour_that_comes_twice_is_kept_apart(ledger: Ledger) -> None:
    """Two times that a clock set back shows alike are an hour apart in the ledger."""
    berlin = ZoneInfo("Europe/Berlin")
    twice = [datetime(2026, 10, 25, 2, 30, tzinfo=berlin, fold=fold) for fold in (0, 1)]
    with ledger.begin() as conn:
        rows = [values(action(n, seen_at=moment)) for n, moment in enumerate(twice)]
        bulk.insert_rows(conn, actions, COLUMNS, rows)
        found = list(bulk.fetch(conn, select(actions.c.seen_at).order_by(actions.c.id)))
    assert found == [(moment.astimezone(UTC),) for moment in twice]


def test_a_time_without_a_zone_never_reaches_the_ledger(ledger: Ledger) -> None:
    """A naive time is refused, as it is elsewhere."""
    naive = AT.replace(tzinfo=None)
    with ledger.begin() as conn, pytest.raises(ValueError, match="without a zone"):
        bulk.insert_rows(conn, actions, COLUMNS, [values(action(1, seen_at=naive))])


def test_a_number_too_long_for_the_quick_encoder_is_kept(ledger: Ledger) -> None:
    """JSON that the quick encoder refuses is written by the other."""
    columns = ["account", "fact", "value", "evidence", "at"]
    with ledger.begin() as conn:
        bulk.insert_rows(conn, learned, columns, [("A", "f", False, {"n": 2**70}, AT)])
        (found,) = bulk.fetch(conn, select(learned.c.evidence))
    assert found == ({"n": 2**70},)


def test_a_key_that_is_there_raises_is_left_or_is_changed(ledger: Ledger) -> None:
    """Without a word on conflicts a double key raises; else the row stays, or is set anew."""
    with ledger.begin() as conn:
        assert bulk.insert_rows(conn, actions, COLUMNS, [values(action(1))]) == 1
    with pytest.raises((IntegrityError, psycopg.IntegrityError)), ledger.begin() as conn:
        bulk.insert_rows(conn, actions, COLUMNS, [values(action(1))])
    new = [values(action(n, state="REVERSED", amount=Decimal(9))) for n in (1, 2)]
    with ledger.begin() as conn:
        assert bulk.insert_rows(conn, actions, COLUMNS, new, on_conflict="nothing") == 1
        here = select(actions.c.state, actions.c.amount).order_by(actions.c.id)
        assert list(bulk.fetch(conn, here)) == [
            ("PENDING", Decimal("12.34")),
            ("REVERSED", Decimal(9)),
        ]
        new = [values(action(n, state="APPROVED", amount=Decimal(n))) for n in (1, 2, 3)]
        bulk.insert_rows(conn, actions, COLUMNS, new, on_conflict=["state"])
        assert list(bulk.fetch(conn, here)) == [
            ("APPROVED", Decimal("12.34")),
            ("APPROVED", Decimal(9)),
            ("APPROVED", Decimal(3)),
        ]


def test_rows_are_updated_by_their_key(ledger: Ledger) -> None:
    """An update in bulk sets the named columns of the rows that are there, and says how many."""
    with ledger.begin() as conn:
        bulk.insert_rows(conn, actions, COLUMNS, [values(action(n)) for n in range(3)])
        rows = [("A", f"1.2.{n}", 7, Decimal(n)) for n in (0, 2, 9)]
        set_rows = bulk.update_rows(
            conn, actions, ["account", "id"], ["planned_generation", "amount"], rows
        )
        here = select(actions.c.planned_generation, actions.c.amount).order_by(actions.c.id)
        assert set_rows == 2
        assert list(bulk.fetch(conn, here)) == [
            (7, Decimal(0)),
            (None, Decimal("12.34")),
            (7, Decimal(2)),
        ]


def test_rows_may_come_encoded(ledger: Ledger) -> None:
    """Rows that were encoded elsewhere are the rows that are encoded on the way in."""
    with ledger.begin() as conn:
        rows = bulk.encode_rows(conn.dialect, actions, COLUMNS, [values(action(1))])
        bulk.insert_rows(conn, actions, COLUMNS, rows, encoded=True)
        bulk.insert_rows(conn, actions, COLUMNS, [values(action(2))])
        one, two = shown(conn)
    assert one[8:] == two[8:]


def test_nothing_is_kept_of_a_transaction_that_fails(ledger: Ledger) -> None:
    """Bulk writes belong to the transaction of the connection."""
    rows = [values(action(1)), values(action(2, state=None))]
    with pytest.raises((IntegrityError, psycopg.IntegrityError)), ledger.begin() as conn:
        bulk.insert_rows(conn, actions, COLUMNS, rows)
    with ledger.begin() as conn:
        assert not shown(conn)
        assert bulk.insert_rows(conn, actions, COLUMNS, []) == 0


def test_many_rows_go_through_in_batches(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """More rows than a batch holds are all written and all read, each once."""
    monkeypatch.setattr(bulk, "_BATCH", 10)
    rows = (("p", 1, n) for n in range(95))
    with ledger.begin() as conn:
        names = ("program", "read_no", "line_id")
        assert bulk.insert_rows(conn, reads, names, rows, on_conflict="nothing") == 95
        found = list(bulk.fetch(conn, select(reads.c.line_id).order_by(reads.c.line_id), batch=10))
    assert found == [(n,) for n in range(95)]


def test_a_list_of_texts_is_a_table_to_join(ledger: Ledger) -> None:
    """A join with a list finds its rows, whatever characters the texts hold, and none for none."""
    odd = ["O-1", 'quote"', "comma,{}", "back\\slash", "Ödön"]
    with ledger.begin() as conn:
        rows = [values(action(n, order_key=key)) for n, key in enumerate([*odd, "other"])]
        bulk.insert_rows(conn, actions, COLUMNS, rows)
        for wanted in (odd, []):
            keys = bulk.listed(conn.dialect, wanted)
            joined = select(actions.c.order_key).join(keys, keys.c.value == actions.c.order_key)
            within = select(actions.c.order_key).where(
                bulk.among(conn, actions.c.order_key, wanted)
            )
            for here in (joined, within):
                assert sorted(key for (key,) in bulk.fetch(conn, here)) == sorted(wanted)


def test_a_large_cache_is_given_back(ledger: Ledger) -> None:
    """The memory that SQLite was lent for a large run is as it was afterwards."""
    with ledger.read() as conn:
        if conn.dialect.name != "sqlite":
            with bulk.roomy(conn):
                assert list(bulk.fetch(conn, select(return_lines.c.id))) == []
            return
        before = conn.exec_driver_sql("PRAGMA cache_size").scalar()
        with bulk.roomy(conn, 16):
            assert conn.exec_driver_sql("PRAGMA cache_size").scalar() == -16384
        assert conn.exec_driver_sql("PRAGMA cache_size").scalar() == before
