"""People's answers to holds: kept with who gave them, withdrawn but never deleted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, RowMapping, Select, func, insert, or_, select, update

from clawback.ledger.store import chunks
from clawback.ledger.tables import decisions, return_lines, run_lines, runs
from clawback.reconcile.facts import Decision
from clawback.reconcile.outcomes import Outcome

RETRY = "retry"
"""The one verb that is used up: it asks for one more try, not for a standing rule."""
_LOOKED_AT = 100


def add(conn: Connection, row: Mapping[str, object]) -> int:
    """Keep a decision; returns its id."""
    done = conn.execute(insert(decisions).values(**row).returning(decisions.c.id))
    return int(done.scalar_one())


def withdraw(conn: Connection, ids: Sequence[int], by: str, at: datetime) -> int:
    """Take decisions back from `at` on; returns how many stood."""
    here = decisions.c.id.in_(ids) & decisions.c.withdrawn_at.is_(None)
    done = conn.execute(update(decisions).where(here).values(withdrawn_by=by, withdrawn_at=at))
    return done.rowcount


def standing(conn: Connection, program: str, keys: Sequence[str]) -> dict[str, list[RowMapping]]:
    """The decisions on some orders that are not withdrawn, oldest first, by order key."""
    found: dict[str, list[RowMapping]] = {}
    for some in chunks(keys):
        here = select(decisions).where(
            decisions.c.program == program,
            decisions.c.order_key.in_(some),
            decisions.c.withdrawn_at.is_(None),
        )
        for row in conn.execute(here.order_by(decisions.c.id)).mappings():
            found.setdefault(row["order_key"], []).append(row)
    return found


def in_force(
    conn: Connection, program: str, keys: Sequence[str]
) -> dict[str, tuple[Decision, ...]]:
    """The decisions on some orders as the rules read them, by order key.

    A retry counts until a live run has closed that took it up and left nothing of the order
    planned: asked once, it does not override later holds.
    """
    found = standing(conn, program, keys)
    asked = [key for key, rows in found.items() if any(r["verb"] == RETRY for r in rows)]
    used = _used(conn, program, asked) if asked else {}
    return {
        key: tuple(
            Decision(row["verb"], row["value"], row["reason"], row["decided_by"])
            for row in rows
            if row["verb"] != RETRY or (limit := used.get(key)) is None or row["decided_at"] > limit
        )
        for key, rows in found.items()
    }


def _used(conn: Connection, program: str, keys: Sequence[str]) -> dict[str, datetime]:
    """Up to when the retries on some orders have had their run."""
    planned = set(_with_planned_lines(conn, program, keys))
    taken, own = taken_up(conn, program), _last_runs(conn, program, keys)
    used: dict[str, datetime] = {}
    for key in keys:
        known = [moment for moment in (taken, own.get(key)) if moment is not None]
        if known and key not in planned:
            used[key] = max(known)
    return used


def _with_planned_lines(conn: Connection, program: str, keys: Sequence[str]) -> Iterable[str]:
    for some in chunks(keys):
        yield from conn.scalars(
            select(return_lines.c.order_key)
            .where(
                return_lines.c.program == program,
                return_lines.c.order_key.in_(some),
                return_lines.c.outcome == Outcome.PLANNED.value,
            )
            .distinct()
        )


def _last_runs(conn: Connection, program: str, keys: Sequence[str]) -> dict[str, datetime]:
    """When the last closed live run was opened that had lines of each of some orders."""
    found: dict[str, datetime] = {}
    for some in chunks(keys):
        rows = conn.execute(
            select(return_lines.c.order_key, func.max(runs.c.opened_at))
            .join(run_lines, run_lines.c.line_id == return_lines.c.id)
            .join(runs, runs.c.id == run_lines.c.run_id)
            .where(
                return_lines.c.program == program,
                return_lines.c.order_key.in_(some),
                runs.c.closed_at.is_not(None),
                runs.c.dry_run.is_(False),
            )
            .group_by(return_lines.c.order_key)
        )
        found.update((key, moment) for key, moment in rows)
    return found


def taken_up(conn: Connection, program: str) -> datetime | None:
    """When the last closed live run over all orders was opened: it took up every older decision."""
    here = select(runs.c.opened_at, runs.c.order_ids).where(
        runs.c.program == program,
        runs.c.closed_at.is_not(None),
        runs.c.dry_run.is_(False),
        runs.c.read_no.is_not(None),
    )
    newest = conn.execute(here.order_by(runs.c.opened_at.desc()).limit(_LOOKED_AT))
    return next((row.opened_at for row in newest if not row.order_ids), None)


def newly_decided(conn: Connection, program: str) -> Select[tuple[str]]:
    """The order keys with a decision, or one withdrawn, that no run over all orders has seen."""
    here = select(decisions.c.order_key).where(decisions.c.program == program).distinct()
    since = taken_up(conn, program)
    if since is None:
        return here
    return here.where(or_(decisions.c.decided_at > since, decisions.c.withdrawn_at > since))
