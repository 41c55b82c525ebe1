"""What a run has to say: its summary as data and as a message, and which alerts are due."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, select

from clawback.ledger import runs
from clawback.ledger.changes import ChangeState
from clawback.ledger.runs import Run
from clawback.ledger.tables import changes, events
from clawback.money import ZERO, minor_unit
from clawback.program import Alerts, Program
from clawback.reconcile.books import money_text
from clawback.reconcile.evidence import payout_surprise
from clawback.steps.approve import APPROVED, ASKED, REFUSED, TIMED_OUT
from clawback.steps.close import balanced
from clawback.steps.forecast import forecast
from clawback.steps.runtime import Runtime

NAMED = 10
SAID = "alert posted"
UNKNOWN = "the ledger has no books of it: open the first red task, its log ends with the mend"
_UNTIL_LOCKING = 7
"""Days looked ahead where the program asks for no alert about it."""


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that a person should know; `name` is its heading in docs/runbook.md."""

    name: str
    level: str
    said: str


def summary(
    rt: Runtime,
    failed_tasks: Sequence[str] = (),
    links: Mapping[str, str] | None = None,
    *,
    late: bool = False,
) -> dict[str, Any]:
    """A run's books, what locks soon, what surprised, what needs a person, and its alerts.

    `links` are addresses by name (run, books, order …) that the caller knows; `late` says that
    the run has missed its deadline. Small JSON; a run that is still open has no books and says so.
    """
    run, alerts = rt.run(), rt.program.alerts
    days = _UNTIL_LOCKING if alerts.locking_days is None else alerts.locking_days
    with rt.ledger.read() as conn:
        surprises = _surprises(conn, run, rt.program.tolerance_units)
        timed_out, asked = _timed_out(conn, run), _asked(conn, run)
    told: dict[str, Any] = {
        "program": run.program,
        "run_id": run.id,
        "kind": run.kind,
        "dry_run": run.dry_run,
        "currency": rt.program.currency,
        "opened_at": run.opened_at.isoformat(),
        "closed_at": run.closed_at.isoformat() if run.closed_at else None,
        "failed_tasks": list(failed_tasks),
        "books": _figures(run.books) if run.books else None,
        "locking": forecast(rt, days),
        "surprises": surprises,
        "approval_timed_out": timed_out,
        "approval_asked": asked,
        "late_hours": alerts.deadline_hours if late else None,
        "links": dict(links or {}),
    }
    told["needs_a_person"] = list(_needs(told))
    told["alerts"] = [asdict(alert) for alert in due_alerts(told, alerts)]
    return told


def bare_summary(
    program: Program, run_id: str, failed_tasks: Sequence[str], links: Mapping[str, str]
) -> dict[str, Any]:
    """The summary of a run of which the ledger knows nothing, or cannot be asked.

    It failed, or without a failed task has missed its deadline.
    """
    late = None if failed_tasks else program.alerts.deadline_hours
    told: dict[str, Any] = {
        "program": program.name,
        "run_id": run_id,
        "dry_run": False,
        "currency": program.currency,
        "failed_tasks": list(failed_tasks),
        "books": None,
        "late_hours": late,
        "links": dict(links),
        "needs_a_person": [UNKNOWN],
    }
    return told | {"alerts": [asdict(alert) for alert in _broken(told)]}


def due_alerts(told: Mapping[str, Any], limits: Alerts) -> list[Alert]:
    """Which alerts a summary calls for, the worst first; pure."""
    return list(_alerts(told, limits))


def _alerts(told: Mapping[str, Any], limits: Alerts) -> Iterator[Alert]:
    books = told["books"]
    if books is not None and not books["balanced"]:
        money = [f"{off} {currency}" for currency, off in books["unexplained_money"].items()]
        what = " and ".join([f"{books['unexplained']} lines", *money])
        said = f"{what} are unexplained; nothing of this run can be believed"
        yield Alert("books_do_not_balance", "critical", said)
    yield from _broken(told)
    if told["dry_run"]:
        return
    if books is not None:
        yield from _too_many(books, limits)
    yield from _locking(told, limits)
    if told["approval_timed_out"] is not None:
        n = told["approval_timed_out"]
        said = f"nobody answered; {n} changes stay planned, and the next run asks again"
        yield Alert("approval_timed_out", "warning", said)
    yield from _surprised(told, limits)


def _broken(told: Mapping[str, Any]) -> Iterator[Alert]:
    if told["failed_tasks"]:
        yield Alert("run_failed", "critical", f"failed: {', '.join(told['failed_tasks'])}")
    if told["late_hours"] is not None and told["books"] is None:
        said = f"still open {told['late_hours']:g} hours after it was queued"
        yield Alert("deadline_missed", "warning", said)


def _too_many(books: Mapping[str, Any], limits: Alerts) -> Iterator[Alert]:
    for name, limit in (("rejected", limits.rejected), ("held", limits.held)):
        lines = books["lines_by_outcome"].get(name, 0)
        if limit is not None and lines >= limit:
            reasons = ", ".join(f"{hold} {n}" for hold, n in books["held"].items())
            more = f" ({reasons})" if name == "held" and reasons else ""
            yield Alert(f"{name}_lines", "warning", f"{lines} lines are {name}{more}")


def _locking(told: Mapping[str, Any], limits: Alerts) -> Iterator[Alert]:
    locking = told["locking"]
    if limits.locking_days is None or not locking["lines"]:
        return
    if Decimal(locking["payout"]) < limits.locking_payout:
        return
    yield Alert(
        "locking_soon",
        "warning",
        f"{locking['lines']} lines of {locking['orders']} orders are unsettled and lock within "
        f"{locking['days']} days: {locking['payout']} {locking['currency']} of commission",
    )


def _surprised(told: Mapping[str, Any], limits: Alerts) -> Iterator[Alert]:
    surprises = told["surprises"]
    if limits.payout_surprise is None or not surprises["changes"]:
        return
    if Decimal(surprises["off"]) > limits.payout_surprise:
        yield Alert(
            "payout_surprise",
            "warning",
            f"the commission of {surprises['changes']} actions moved otherwise than planned, by "
            f"{surprises['off']} {told['currency']} in all",
        )


def _figures(books: Mapping[str, Any]) -> dict[str, Any]:
    """What of the books goes into a message."""
    outcomes = books["outcomes"]
    names = ("lines", "read", "carried_in", "held", "unexplained", "changes", "requests")
    return {
        **{name: books[name] for name in names},
        "unexplained_money": books.get("unexplained_money") or {},
        "balanced": balanced(books),
        "window": books["window"],
        "lines_by_outcome": {o: part["lines"] for o, part in outcomes.items() if part["lines"]},
        "commission_recovered": books["commission_recovered"],
        "commission_lost_to_locking": books["commission_lost_to_locking"],
    }


def _needs(told: Mapping[str, Any]) -> Iterator[str]:
    """What a person should do, a sentence each."""
    books = told["books"]
    if books is None:
        asked = told["approval_asked"]
        waits = f": {asked:,} changes wait at approve_changes for an answer" if asked else ""
        yield f"the run is still open{waits}"
        return
    for hold, n in books["held"].items():
        yield f"{n} lines are held as {hold}: see docs/runbook.md#{hold}"
    for outcome, mend in (
        ("rejected", "impact.com refused them: see why with `clawback explain`"),
        ("invalid", "mend the rows in the warehouse"),
    ):
        if n := books["lines_by_outcome"].get(outcome, 0):
            yield f"{n} lines are {outcome}: {mend}"


def _surprises(conn: Connection, run: Run, tolerance_units: int) -> dict[str, Any]:
    """The run's confirmed changes whose payout did not end where the plan expected it."""
    here = select(changes).where(
        changes.c.run_id == run.id, changes.c.state == ChangeState.CONFIRMED
    )
    off: list[tuple[Decimal, str, str]] = []
    currency = ""
    for row in conn.execute(here).mappings():
        slack = tolerance_units * minor_unit(row["currency"])
        found = payout_surprise(
            row["expected_payout"], row["after_payout"], row["before_payout"], slack
        )
        if found is not None:
            currency = row["currency"]
            off.append((abs(found), row["order_key"], row["action_id"]))
    off.sort(reverse=True)
    total = sum((amount for amount, _, _ in off), ZERO)
    return {
        "changes": len(off),
        "off": money_text(total, currency or "USD"),
        "largest": [
            {"order": order, "action_id": action_id, "off": money_text(amount, currency)}
            for amount, order, action_id in off[:NAMED]
        ],
    }


def _timed_out(conn: Connection, run: Run) -> int | None:
    """How many changes nobody answered for; None if nobody was asked or somebody answered."""
    here = select(events.c.detail).where(
        events.c.run_id == run.id, events.c.subject == "run", events.c.became == TIMED_OUT
    )
    detail = conn.scalar(here.order_by(events.c.id.desc()).limit(1))
    return None if detail is None else int(detail["waiting"])


def _asked(conn: Connection, run: Run) -> int:
    """How many changes a person is being asked about."""
    words = (ASKED, TIMED_OUT, APPROVED, REFUSED)
    here = select(events.c.became, events.c.detail).where(
        events.c.run_id == run.id, events.c.subject == "run", events.c.became.in_(words)
    )
    last = conn.execute(here.order_by(events.c.id.desc()).limit(1)).first()
    return int(last.detail["changes"]) if last is not None and last.became == ASKED else 0


def unsaid(rt: Runtime, told: Mapping[str, Any]) -> bool:
    """Whether a summary has an alert that its connection has not been told of the run before."""
    here = select(events.c.detail).where(
        events.c.run_id == rt.run_id, events.c.subject == "run", events.c.became == SAID
    )
    with rt.ledger.read() as conn:
        said = [d for d in conn.scalars(here) if d["connection"] == rt.program.alerts.connection]
    before = {name for detail in said for name in detail["alerts"]}
    return any(alert["name"] not in before for alert in told["alerts"])


def say(rt: Runtime, told: Mapping[str, Any]) -> None:
    """Note in the ledger that a summary has been posted."""
    names = [alert["name"] for alert in told["alerts"]]
    detail = {"alerts": names, "connection": rt.program.alerts.connection}
    with rt.ledger.begin() as conn:
        runs.note(conn, rt.run_id, rt.clock.now(), ("run", rt.run_id), "", SAID, detail)
