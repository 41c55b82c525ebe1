"""Which orders a run is about, and the span of dates in which their conversions may lie."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, func, select, union

from clawback.impact.windows import Span, reach_of, subtract
from clawback.ledger.decisions import newly_decided
from clawback.ledger.lines import lines_read
from clawback.ledger.runs import Run
from clawback.ledger.tables import actions, reads, return_lines, runs
from clawback.program import Program
from clawback.reconcile.outcomes import Outcome

_CARRIED = [o.value for o in Outcome if o.carried and o is not Outcome.NOT_ATTRIBUTED]
_DAY = timedelta(days=1)
_GONE = _DAY
"""After this long, a run that is still open belongs to a process that is gone."""


def order_keys(conn: Connection, run: Run, program: Program) -> list[str]:
    """The orders in scope, sorted: read in this run, left open, decided on, or moved since."""
    every = union(*_scopes(conn, run, program), *_moved(run, program))
    return list(conn.scalars(every.order_by("order_key")))


def _scopes(conn: Connection, run: Run, program: Program) -> Iterator[Select[Any]]:
    """Orders whose dates must be listed: read, left open or behind, watched, or decided on."""
    mine = return_lines.c.program == run.program
    key = return_lines.c.order_key
    read = return_lines.c.id.in_(lines_read(run.program, run.read_no))
    yield select(key).where(mine, read).distinct()
    if run.order_ids:
        return
    yield select(key).where(mine, return_lines.c.outcome.in_(_CARRIED)).distinct()
    untold = return_lines.c.outcome.is_(None) & (return_lines.c.status == "valid")
    yield select(key).where(mine, untold, return_lines.c.id.in_(_left_behind(run))).distinct()
    watched_since = run.window_end - timedelta(days=program.watch_days)
    yield (
        select(key)
        .where(
            mine,
            return_lines.c.outcome == Outcome.NOT_ATTRIBUTED.value,
            func.coalesce(return_lines.c.ordered_at, return_lines.c.returned_at) >= watched_since,
        )
        .distinct()
    )
    decided = newly_decided(conn, run.program).subquery()
    yield select(key).where(mine, key.in_(select(decided.c.order_key))).distinct()


def _left_behind(run: Run) -> Select[tuple[int]]:
    """The lines that runs have read which died before their books: no later one need read them.

    What they read may have gone from the warehouse since, or lie outside of the next window. A dry
    run leaves nothing behind.
    """
    return (
        select(reads.c.line_id)
        .join(runs, (runs.c.program == reads.c.program) & (runs.c.read_no == reads.c.read_no))
        .where(
            runs.c.program == run.program,
            runs.c.id != run.id,
            runs.c.closed_at.is_(None),
            runs.c.dry_run.is_(False),
            runs.c.opened_at <= run.opened_at - _GONE,
        )
    )


def _moved(run: Run, program: Program) -> Iterator[Select[Any]]:
    """Orders that are known and whose action has moved since a plan last saw it.

    Whoever saw it move: this run, one that listed after it had planned, or a dry run.
    """
    if run.order_ids:
        return
    mine = return_lines.c.program == run.program
    key = return_lines.c.order_key
    yield (
        select(key)
        .join(actions, (actions.c.order_key == key) & (actions.c.account == run.account))
        .where(
            mine,
            actions.c.planned_generation.is_distinct_from(actions.c.generation),
            actions.c.campaign_id == program.campaign_id,
            return_lines.c.outcome.is_not(None),  # what has none was read now, or left behind
        )
        .distinct()
    )


def order_spans(conn: Connection, run: Run, program: Program, now: datetime) -> Iterator[Span]:
    """The spans of event dates that must be listed for the orders of this run, order by order."""
    for scope in _scopes(conn, run, program):
        orders = scope.subquery()
        rows = conn.execute(
            select(
                func.min(return_lines.c.ordered_at),
                func.max(return_lines.c.ordered_at),
                func.min(return_lines.c.returned_at),
                func.max(return_lines.c.returned_at),
            )
            .where(
                return_lines.c.program == run.program,
                return_lines.c.status == "valid",
                return_lines.c.order_key.in_(select(orders.c.order_key)),
            )
            .group_by(return_lines.c.order_key)
        )
        for first_order, last_order, first_return, last_return in rows:
            yield span_of(program, (first_order, last_order), (first_return, last_return), now)


def span_of(
    program: Program,
    ordered: tuple[datetime | None, datetime | None],
    returned: tuple[datetime, datetime],
    now: datetime,
) -> Span:
    """The dates in which an order's conversion may have been reported, up to now.

    From a day before the order to `event_date_slack_days` after it; without an order date,
    `lookback_days` before the first return.
    """
    first, last = ordered
    if first is None or last is None:
        start = returned[0] - timedelta(days=program.lookback_days)
        end = returned[1]
    else:
        start, end = first - _DAY, last + timedelta(days=program.event_date_slack_days)
    end = min(end, now)
    return min(start, end), end


def listed(span: Span, covered: Iterable[Span], now: datetime) -> bool:
    """Whether a whole span has been listed, as far as impact.com still lists it."""
    return span[0] >= reach_of(now) and not subtract([span], covered)
