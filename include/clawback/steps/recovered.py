"""Checks that what the books count as recovered is what left the payouts that were read back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from clawback.ledger.runs import Run
from clawback.ledger.tables import change_lines, changes
from clawback.money import ZERO, minor_unit
from clawback.reconcile.books import money_text


def unexplained_money(conn: Connection, run: Run, books: Mapping[str, Any]) -> dict[str, str]:
    """By how much the money of some books is off, by currency; empty where it is not.

    The payouts read back before and after each change whose shares these books count must be what
    its shares come to, to a minor unit a change; and what the books say was recovered must be the
    sum of the shares that they count.
    """
    booked: dict[str, Decimal] = defaultdict(Decimal)
    off: dict[str, Decimal] = defaultdict(Decimal)
    for row, (mine, shared) in _changes(conn, run):
        currency = row["currency"]
        booked[currency] += mine
        wrong = shared - (row["before_payout"] - row["after_payout"])
        if abs(wrong) > minor_unit(currency):
            off[currency] += abs(wrong)
    for currency, recovered in _recovered(books).items():
        off[currency] += abs(recovered - booked.pop(currency, ZERO))
    for currency, left in booked.items():
        off[currency] += abs(left)
    return {c: money_text(amount, c) for c, amount in sorted(off.items()) if amount}


def _changes(conn: Connection, run: Run) -> list[tuple[RowMapping, tuple[Decimal, Decimal]]]:
    """The changes that a run's books count: what they count of it, and all its shares."""
    counted = select(change_lines.c.change_id).where(change_lines.c.booked_run == run.id).distinct()
    mine: dict[str, Decimal] = defaultdict(Decimal)
    shared: dict[str, Decimal] = defaultdict(Decimal)
    for row in conn.execute(select(change_lines).where(change_lines.c.change_id.in_(counted))):
        shared[row.change_id] += row.payout or ZERO
        if row.booked_run == run.id:
            mine[row.change_id] += row.payout or ZERO
    names = ("id", "currency", "before_payout", "after_payout")
    rows = conn.execute(
        select(*(changes.c[name] for name in names)).where(changes.c.id.in_(counted))
    ).mappings()
    return [(row, (mine[row["id"]], shared[row["id"]])) for row in rows]


def _recovered(books: Mapping[str, Any]) -> dict[str, Decimal]:
    """What some books say was recovered, by currency."""
    others = books["other_currencies"]
    found = {c: Decimal(others[c]["commission_recovered"]) for c in others}
    found[books["currency"]] = Decimal(books["commission_recovered"])
    return found
