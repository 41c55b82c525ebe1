"""Forecast: the commission that will be lost to locking if nothing settles it first."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, func, or_, select

from clawback.ledger.tables import actions, programs, return_lines, run_lines, runs
from clawback.money import ZERO
from clawback.reconcile.books import money_text
from clawback.reconcile.forecast import AtStake, locking_soon
from clawback.reconcile.outcomes import Outcome
from clawback.steps.runtime import Runtime

SHOWN = 50
_OPEN = [outcome.value for outcome in Outcome if not outcome.final]


def forecast(rt: Runtime, days: float) -> dict[str, Any]:
    """What locks within `days` while it is unsettled, by day and with the orders at stake.

    Lines count as the last closed live run left them; money in the program's currency, that in
    others is in `by_day` alone. At most SHOWN orders are named, those that lock first first.
    """
    now, within = rt.clock.now(), timedelta(days=days)
    with rt.ledger.read() as conn:
        rows = _at_stake(conn, rt, now + within)
    stakes = [
        AtStake(Outcome(r["outcome"]), r["locking_at"], r["payout"], r["currency"]) for r in rows
    ]
    by_day = locking_soon(stakes, now, within)
    soon = [row for row in rows if row["locking_at"] > now]
    currency = rt.program.currency
    payout = sum((day.payout for day in by_day if day.currency == currency), ZERO)
    return {
        "program": rt.program.name,
        "days": days,
        "currency": currency,
        "lines": len(soon),
        "orders": len({row["order_id"] for row in soon}),
        "payout": money_text(payout, currency),
        "by_outcome": _by_outcome(soon, currency),
        "by_day": [
            {
                "day": day.day.isoformat(),
                "currency": day.currency,
                "lines": day.lines,
                "payout": money_text(day.payout, day.currency),
            }
            for day in by_day
        ],
        "first": [_named(row) for row in soon[:SHOWN]],
    }


def _at_stake(conn: Connection, rt: Runtime, until: Any) -> list[RowMapping]:
    """The open lines whose action locks by then, with the commission their last run told."""
    account = select(programs.c.account).where(programs.c.name == rt.program.name)
    last = (
        select(run_lines.c.line_id, func.max(runs.c.closed_at).label("closed_at"))
        .join(runs, runs.c.id == run_lines.c.run_id)
        .where(
            runs.c.program == rt.program.name,
            runs.c.closed_at.is_not(None),
            runs.c.dry_run.is_(False),
            run_lines.c.line_id.in_(_open_lines(rt)),
        )
        .group_by(run_lines.c.line_id)
        .subquery()
    )
    here = (
        select(
            *(return_lines.c[name] for name in ("order_id", "return_id", "sku", "hold", "outcome")),
            *(actions.c[name] for name in ("locking_at",)),
            run_lines.c.line_id,
            run_lines.c.action_id,
            run_lines.c.payout,
            run_lines.c.currency,
        )
        .join(last, last.c.line_id == return_lines.c.id)
        .join(runs, (runs.c.closed_at == last.c.closed_at) & (runs.c.program == rt.program.name))
        .join(
            run_lines,
            (run_lines.c.run_id == runs.c.id) & (run_lines.c.line_id == return_lines.c.id),
        )
        .join(
            actions,
            (actions.c.account == account.scalar_subquery())
            & or_(actions.c.id == run_lines.c.action_id, _unplaced(rt)),
        )
        .where(actions.c.locking_at <= until)
        .order_by(actions.c.locking_at, return_lines.c.id)
    )
    return _once(conn.execute(here).mappings())


def _unplaced(rt: Runtime) -> ColumnElement[bool]:
    """A line that could not be told to one action is about any that carries its order."""
    same_order = actions.c.order_key == return_lines.c.order_key
    here = actions.c.campaign_id == rt.program.campaign_id
    return (run_lines.c.action_id == "") & same_order & here


def _once(rows: Iterable[RowMapping]) -> list[RowMapping]:
    """Each line once an action; one without its own action at the first date that it may lock."""
    found: dict[tuple[int, str], RowMapping] = {}
    for row in rows:
        found.setdefault((row["line_id"], row["action_id"]), row)
    return list(found.values())


def _open_lines(rt: Runtime) -> Any:
    return select(return_lines.c.id).where(
        return_lines.c.program == rt.program.name, return_lines.c.outcome.in_(_OPEN)
    )


def _by_outcome(rows: list[RowMapping], currency: str) -> dict[str, dict[str, Any]]:
    totals: dict[str, tuple[int, Decimal]] = {}
    for row in rows:
        lines, payout = totals.get(row["outcome"], (0, ZERO))
        mine = row["payout"] or ZERO if row["currency"] == currency else ZERO
        totals[row["outcome"]] = (lines + 1, payout + mine)
    return {
        outcome: {"lines": lines, "payout": money_text(payout, currency)}
        for outcome, (lines, payout) in sorted(totals.items())
    }


def _named(row: RowMapping) -> dict[str, Any]:
    return {
        "order_id": row["order_id"],
        "return_id": row["return_id"],
        "sku": row["sku"],
        "action_id": row["action_id"],
        "locking_at": row["locking_at"].isoformat(),
        "outcome": row["outcome"],
        "hold": row["hold"],
        "payout": None if row["payout"] is None else money_text(row["payout"], row["currency"]),
        "currency": row["currency"],
    }
