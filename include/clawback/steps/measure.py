"""The figures of a run that monitoring draws: what it came to, and how long the money took."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import Any

from sqlalchemy import Connection, select

from clawback.ledger.budget import left_of
from clawback.ledger.tables import change_lines, changes, return_lines
from clawback.steps.runtime import Runtime

PREFIX = "clawback"
_TENTHS = 10


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure, by the name it is sent under; money in units of the tag `currency`."""

    name: str
    value: float
    tags: Mapping[str, str]


def measures(rt: Runtime, books: Mapping[str, Any]) -> list[Measure]:
    """Everything that a closed run is measured by; what is not known of it is left out."""
    run = rt.run()
    with rt.ledger.read() as conn:
        left = left_of(conn, run.account, rt.clock.now(), rt.program.budget.reserve_share)
        ages = _ages(conn, rt.run_id)
    plain = {"program": str(books["program"])}
    priced = plain | {"currency": str(books["currency"])}
    return [
        *(Measure(f"{PREFIX}.{name}", value, plain) for name, value in _counts(books, left)),
        *(Measure(f"{PREFIX}.{name}", value, plain) for name, value in _times(ages)),
        *(Measure(f"{PREFIX}.{name}", value, priced) for name, value in _money(books)),
    ]


def _counts(books: Mapping[str, Any], left: int) -> Iterator[tuple[str, float]]:
    for outcome, part in books["outcomes"].items():
        yield f"lines.{outcome}", part["lines"]
    for state, n in books["changes"].items():
        yield f"changes.{state}", n
    yield "unexplained", books["unexplained"]
    yield "requests", books["requests"]["total"]
    if books["requests_per_confirmed_change"] is not None:
        yield "requests_per_confirmed_change", books["requests_per_confirmed_change"]
    yield "budget_left", left


def _times(ages: Sequence[timedelta]) -> Iterator[tuple[str, float]]:
    """Seconds from the return to the proof that its commission is right."""
    if not ages:
        return
    seconds = sorted(age.total_seconds() for age in ages)
    yield "seconds_to_confirmation.median", median(seconds)
    yield "seconds_to_confirmation.p90", seconds[(len(seconds) - 1) * 9 // _TENTHS]
    yield "seconds_to_confirmation.longest", seconds[-1]


def _money(books: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name in ("commission_recovered", "commission_lost_to_locking"):
        yield name, float(books[name])


def _ages(conn: Connection, run_id: str) -> list[timedelta]:
    """How long each line that this run's books count as recovered has taken."""
    here = (
        select(return_lines.c.returned_at, changes.c.settled_at)
        .join(change_lines, change_lines.c.line_id == return_lines.c.id)
        .join(changes, changes.c.id == change_lines.c.change_id)
        .where(
            change_lines.c.booked_run == run_id,
            return_lines.c.returned_at.is_not(None),
            changes.c.settled_at.is_not(None),
        )
    )
    return [settled - returned for returned, settled in conn.execute(here)]
