"""Runs in the ledger: opening and closing them, their request counts, and the event log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from clawback.errors import ClawbackError
from clawback.ledger.store import count_up, upsert
from clawback.ledger.tables import events, programs, request_counts, runs

_RUN = select(runs).where(runs.c.id == bindparam("wanted"))


class UnknownRunError(ClawbackError):
    """The ledger holds no such run."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run as the ledger holds it; times are aware UTC."""

    id: str
    program: str
    account: str
    kind: str
    dry_run: bool
    window_start: datetime
    window_end: datetime
    order_ids: tuple[str, ...]
    read_no: int | None
    opened_at: datetime
    closed_at: datetime | None
    deadline: datetime | None
    books: dict[str, Any] | None


def open_run(conn: Connection, run: Run, campaign_id: str) -> None:
    """Open a run and make its program known; a run that is open already stays as it is."""
    upsert(
        conn,
        programs,
        [{"name": run.program, "account": run.account, "campaign_id": campaign_id}],
        update=("account", "campaign_id"),
    )
    known = conn.scalar(select(runs.c.id).where(runs.c.id == run.id))
    if known is None:
        row = {name: getattr(run, name) for name in Run.__slots__}
        conn.execute(insert(runs).values(row | {"order_ids": list(run.order_ids)}))
        note(conn, run.id, run.opened_at, ("run", run.id), "", "open")


def get_run(conn: Connection, run_id: str) -> Run:
    """The run; raises UnknownRunError where preflight has not opened it."""
    row = conn.execute(_RUN, {"wanted": run_id}).mappings().one_or_none()
    if row is None:
        raise UnknownRunError(
            f"the ledger holds no run {run_id!r}; the preflight task opens it: check that it ran "
            "and that every task has the same CLAWBACK_LEDGER_URL"
        )
    return Run(**{**row, "order_ids": tuple(row["order_ids"])})


def watermark(conn: Connection, program: str) -> datetime | None:
    """The end of the program's last closed window."""
    return conn.scalar(select(programs.c.watermark).where(programs.c.name == program))


def set_watermark(conn: Connection, program: str, moment: datetime) -> None:
    conn.execute(update(programs).where(programs.c.name == program).values(watermark=moment))


def next_read(conn: Connection, program: str) -> int:
    """A number for an extract that begins; every attempt has its own."""
    row = update(programs).where(programs.c.name == program).values(reads=programs.c.reads + 1)
    return int(conn.execute(row.returning(programs.c.reads)).scalar_one())


def set_run(conn: Connection, run_id: str, **values: object) -> None:
    conn.execute(update(runs).where(runs.c.id == run_id).values(**values))


def count_requests(conn: Connection, run_id: str, kind: str, n: int = 1) -> None:
    """Add `n` requests of a kind to a run's count."""
    count_up(conn, request_counts, {"run_id": run_id, "kind": kind}, n)


def requests_of(conn: Connection, run_id: str) -> dict[str, int]:
    """How many requests of each kind a run has made."""
    rows = conn.execute(
        select(request_counts.c.kind, request_counts.c.n).where(request_counts.c.run_id == run_id)
    )
    return {row.kind: row.n for row in rows}


def note_new(
    conn: Connection, run_id: str, at: datetime, subjects: Iterable[tuple[str, str]], became: str
) -> None:
    """Append the first event of many subjects at once: each came to be in the same state."""
    rows = [
        {
            "at": at,
            "run_id": run_id,
            "subject": kind,
            "subject_id": identity,
            "was": "",
            "became": became,
            "detail": {},
        }
        for kind, identity in subjects
    ]
    if rows:
        conn.execute(insert(events), rows)


def note(  # noqa: PLR0913, PLR0917 - an event is these six things
    conn: Connection,
    run_id: str,
    at: datetime,
    subject: tuple[str, str],
    was: str,
    became: str,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Append an event: what passed from which state to which."""
    kind, identity = subject
    conn.execute(
        insert(events).values(
            at=at,
            run_id=run_id,
            subject=kind,
            subject_id=identity,
            was=was,
            became=became,
            detail=dict(detail or {}),
        )
    )


def last_run(conn: Connection, program: str) -> str | None:
    """The run of a program that was closed last."""
    newest = select(runs.c.id).where(runs.c.program == program, runs.c.closed_at.is_not(None))
    return conn.scalar(newest.order_by(runs.c.closed_at.desc(), func.length(runs.c.id)).limit(1))


def newest_run(conn: Connection, program: str) -> str:
    """The run of a program that was opened last; raises UnknownRunError where it has none."""
    newest = select(runs.c.id).where(runs.c.program == program)
    found = conn.scalar(newest.order_by(runs.c.opened_at.desc(), runs.c.id).limit(1))
    if found is None:
        raise UnknownRunError(f"the ledger holds no run of {program!r}; `clawback run` makes one")
    return str(found)
