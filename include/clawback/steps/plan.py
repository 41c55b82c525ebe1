"""plan_changes: works out, order by order, what each line comes to and which changes are due."""

from __future__ import annotations

import hashlib
import math
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, case, delete, func, insert, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite

from clawback.ledger import actions as stock
from clawback.ledger import runs
from clawback.ledger.changes import ChangeState, Step, forget_submissions, move
from clawback.ledger.codec import desired_to_json, items_to_json
from clawback.ledger.lines import lines_read
from clawback.ledger.runs import Run
from clawback.ledger.store import chunks
from clawback.ledger.tables import change_lines, changes, return_lines, run_lines
from clawback.reconcile.facts import Learned, LineVerdict, OrderPlan, PlannedChange
from clawback.reconcile.outcomes import Outcome, combine
from clawback.reconcile.plan import plan_order
from clawback.steps import scope
from clawback.steps.known import what_is_known
from clawback.steps.load import Loaded, Loader
from clawback.steps.runtime import Runtime

_BUCKETS = 720720  # divides evenly by every shard count up to 16
_SHOWN = (Outcome.PENDING, Outcome.ALREADY_SETTLED)
_ASIDE = {
    "superseded": "a newer row with this order_id, return_id and sku counts",
    "duplicate": "the same row was read twice; one counts",
}


def plan(rt: Runtime) -> dict[str, Any]:
    """Plan every order in scope; returns the shards to map over and counts.

    Planning twice gives the same changes: what this run planned before and has not sent is
    dropped first, and so is what another run has planned for the same actions and not sent.
    """
    run, now = rt.run(), rt.clock.now()
    with rt.ledger.read() as conn:
        keys = scope.order_keys(conn, run, rt.program)
        covered = stock.covered(conn, run.account, rt.program.campaign_id)
        cursor = stock.cursor_of(conn, run.account, rt.program.campaign_id)
        known = what_is_known(conn, rt, run.account)
    with rt.ledger.begin() as conn:
        _start_over(conn, run, now)
        _aside(conn, run)
    writer = Writer(rt, run, now, known)
    loader = Loader(run, rt.program, covered, now if cursor is None else cursor["listed_to"])
    for some in chunks(keys):
        with rt.ledger.begin() as conn:
            loaded = list(loader.load(conn, some))
            writer.write(conn, loaded)
            if not run.dry_run:
                _saw(conn, run, loaded)
    with rt.ledger.begin() as conn:
        shards = _shards(conn, rt, run)
    return {
        "orders": len(keys),
        "changes": writer.changes,
        "shards": [] if run.dry_run else list(range(shards)),
        "outcomes": dict(writer.outcomes),
        "urgent": writer.urgent,
    }


class Writer:
    """Writes the plans of orders to the ledger, batch by batch."""

    def __init__(self, rt: Runtime, run: Run, now: datetime, known: Learned) -> None:
        self._run, self._now, self._known = run, now, known
        self._rules = rt.rules(run.account)
        self.outcomes: Counter[str] = Counter()
        self.changes = 0
        self.urgent = 0

    def write(self, conn: Connection, orders: Sequence[Loaded]) -> None:
        """Plan some orders and write what comes of them."""
        plans = [
            (some, plan_order(some.order, self._rules, self._known, self._now)) for some in orders
        ]
        planned = [self._change(some, change) for some, made in plans for change in made.changes]
        won = self._save_changes(conn, planned)
        lines = [row for some, made in plans for row in self._lines(some, made, won)]
        if lines:
            conn.execute(insert(run_lines), lines)

    def _change(self, some: Loaded, change: PlannedChange) -> dict[str, Any]:
        order = some.order
        order_key = next(iter(some.rows.values()))["order_key"]
        action = next(a for a in order.actions if a.id == change.action_id)
        return {
            "id": self._change_id(change.identity),
            "account": self._run.account,
            "program": self._run.program,
            "run_id": self._run.id,
            "action_id": change.action_id,
            "order_key": order_key,
            "verb": change.verb.value,
            "desired": desired_to_json(change.desired),
            "reason": change.reason,
            "reasons": list(change.reasons),
            "currency": change.currency,
            "before_amount": change.before_amount,
            "before_payout": change.before_payout,
            "before_items": items_to_json(action.items),
            "expected_amount": change.expected_amount,
            "expected_payout": change.expected_payout,
            "locking_at": change.locking_at,
            "urgent": change.urgent,
            "generation": change.generation,
            "shard": zlib.crc32(change.action_id.encode()) % _BUCKETS,
            "canary": False,
            "approved": None,
            "state": (ChangeState.DRY if self._run.dry_run else ChangeState.PLANNED).value,
            "attempts": 0,
            "error": None,
            "hold": None,
            "created_at": self._now,
            "sent_at": None,
            "lines": list(zip(change.line_ids, change.line_amounts, strict=True)),
        }

    def _change_id(self, identity: str) -> str:
        if not self._run.dry_run:
            return identity
        mark = hashlib.sha256(self._run.id.encode()).hexdigest()[:12]
        return f"dry-{mark}-{identity}"

    def _save_changes(self, conn: Connection, planned: Sequence[dict[str, Any]]) -> set[str]:
        """Keep the changes that are free to be planned; returns their ids."""
        if not planned:
            return set()
        if not self._run.dry_run:
            self._supersede(conn, [row["action_id"] for row in planned])
        rows = [{k: v for k, v in row.items() if k != "lines"} for row in planned]
        dialect = sqlite if conn.dialect.name == "sqlite" else postgresql
        conn.execute(dialect.insert(changes).on_conflict_do_nothing(), rows)
        again = self._reopen(conn, rows)
        won = self._mine(conn, [row["id"] for row in rows])
        conn.execute(delete(change_lines).where(change_lines.c.change_id.in_(won)))
        covered = [
            {"change_id": row["id"], "line_id": line_id, "amount": amount}
            for row in planned
            if row["id"] in won
            for line_id, amount in row["lines"]
        ]
        if covered:
            conn.execute(insert(change_lines), covered)
        self._tell(conn, won - again)
        self.changes += len(won)
        self.urgent += sum(row["urgent"] for row in rows if row["id"] in won)
        return won

    def _supersede(self, conn: Connection, action_ids: Sequence[str]) -> None:
        """Drop what was planned for these actions before and has not been sent."""
        for some in chunks(action_ids):
            here = select(changes.c.id, changes.c.run_id).where(
                changes.c.account == self._run.account,
                changes.c.action_id.in_(some),
                changes.c.state == ChangeState.PLANNED,
            )
            for row in conn.execute(here).all():
                move(conn, row.id, self._step(ChangeState.PLANNED, ChangeState.DROPPED))

    def _tell(self, conn: Connection, new: set[str]) -> None:
        became = ChangeState.DRY if self._run.dry_run else ChangeState.PLANNED
        subjects = [("change", change_id) for change_id in sorted(new)]
        runs.note_new(conn, self._run.id, self._now, subjects, became)

    def _reopen(self, conn: Connection, rows: Sequence[dict[str, Any]]) -> set[str]:
        """Plan again a change of the same identity that was dropped or refused before."""
        by_id = {row["id"]: row for row in rows}
        again = (ChangeState.DROPPED, ChangeState.REFUSED, ChangeState.REJECTED)
        found = conn.execute(
            select(changes.c.id, changes.c.state).where(
                changes.c.id.in_(list(by_id)), changes.c.state.in_(again)
            )
        ).all()
        for row in found:
            kept = {k: v for k, v in by_id[row.id].items() if k not in {"id", "state"}}
            kept |= dict.fromkeys(("settled_at", "after_amount", "after_payout"))
            move(conn, row.id, self._step(ChangeState(row.state), ChangeState.PLANNED), **kept)
            forget_submissions(conn, row.id)
        return {row.id for row in found}

    def _mine(self, conn: Connection, ids: Sequence[str]) -> set[str]:
        wanted = ChangeState.DRY if self._run.dry_run else ChangeState.PLANNED
        here = select(changes.c.id).where(
            changes.c.id.in_(ids), changes.c.run_id == self._run.id, changes.c.state == wanted
        )
        return set(conn.scalars(here))

    def _step(self, was: ChangeState, became: ChangeState) -> Step:
        return Step(self._run.id, self._now, was, became)

    def _lines(self, some: Loaded, made: OrderPlan, won: set[str]) -> Iterable[dict[str, Any]]:
        """The run's rows of the lines that are in its scope."""
        by_action = {c.action_id: self._change_id(c.identity) for c in made.changes}
        grouped: dict[int, list[LineVerdict]] = {}
        for verdict in made.verdicts:
            grouped.setdefault(verdict.line_id, []).append(verdict)
        for line_id, verdicts in grouped.items():
            row = some.rows[line_id]
            outcome = _whole(verdicts)
            was = Outcome(row["outcome"]) if row["outcome"] else None
            read = line_id in some.read
            if not read and was is not None and was.final and (outcome.final or was is outcome):
                continue
            self.outcomes[outcome.value] += 1
            for verdict in verdicts:
                yield self._line(some, verdict, by_action, won) | {"carried": not read}

    def _line(
        self, some: Loaded, verdict: LineVerdict, by_action: dict[str, str], won: set[str]
    ) -> dict[str, Any]:
        outcome, change_id = verdict.outcome, None
        if outcome is Outcome.PLANNED:
            change_id = by_action[verdict.action_id]
            if change_id not in won:
                outcome, change_id = Outcome.PENDING, None
        elif outcome in _SHOWN and (opened := some.open.get(verdict.action_id)):
            # The lists may show its effect before the change is confirmed: it is the change's.
            if verdict.line_id in some.open_lines.get(opened["id"], ()):
                outcome, change_id = Outcome.PENDING, opened["id"]
        elif outcome is Outcome.ALREADY_SETTLED:
            change_id = some.confirmed.get((verdict.line_id, verdict.action_id))
        return {
            "run_id": self._run.id,
            "line_id": verdict.line_id,
            "action_id": verdict.action_id,
            "change_id": change_id,
            "outcome": outcome.value,
            "hold": verdict.hold.value if verdict.hold else None,
            "note": verdict.note,
            "amount": verdict.amount,
            "payout": verdict.payout,
            "currency": verdict.currency or some.rows[verdict.line_id]["currency"],
        }


def _saw(conn: Connection, run: Run, loaded: Sequence[Loaded]) -> None:
    """Remember which generation of each action was planned on."""
    seen = {a.id: {"planned_generation": a.generation} for o in loaded for a in o.order.actions}
    stock.set_actions(conn, run.account, seen)


def _whole(verdicts: Sequence[LineVerdict]) -> Outcome:
    """A line's outcome over its actions."""
    return verdicts[0].outcome if len(verdicts) == 1 else combine(v.outcome for v in verdicts)


def _start_over(conn: Connection, run: Run, now: datetime) -> None:
    """Drop what an earlier attempt of this run has planned and not sent."""
    conn.execute(delete(run_lines).where(run_lines.c.run_id == run.id))
    planned = select(changes.c.id).where(
        changes.c.run_id == run.id, changes.c.state == ChangeState.PLANNED
    )
    for change_id in conn.scalars(planned).all():
        move(conn, change_id, Step(run.id, now, ChangeState.PLANNED, ChangeState.DROPPED))
    dry = select(changes.c.id).where(changes.c.run_id == run.id, changes.c.state == ChangeState.DRY)
    conn.execute(delete(change_lines).where(change_lines.c.change_id.in_(dry)))
    conn.execute(
        delete(changes).where(changes.c.run_id == run.id, changes.c.state == ChangeState.DRY)
    )


def _aside(conn: Connection, run: Run) -> None:
    """The rows that were read and do not count: invalid, superseded, duplicate."""
    row = return_lines.c
    outcome = case((row.status == "invalid", Outcome.INVALID.value), else_=Outcome.IGNORED.value)
    said = case(*((row.status == status, text) for status, text in _ASIDE.items()), else_="")
    rows = select(
        literal(run.id),
        row.id,
        literal(""),
        literal(False),
        outcome,
        said,
        row.amount,
        func.coalesce(row.currency, ""),
    ).where(
        row.program == run.program,
        row.id.in_(lines_read(run.program, run.read_no)),
        row.status != "valid",
    )
    names = ("run_id", "line_id", "action_id", "carried", "outcome", "note")
    conn.execute(insert(run_lines).from_select([*names, "amount", "currency"], rows))


def _shards(conn: Connection, rt: Runtime, run: Run) -> int:
    """Cut the run's changes into shards by a hash of their ActionId; returns how many."""
    here = (changes.c.run_id == run.id) & (changes.c.state == ChangeState.PLANNED)
    n = int(conn.scalar(select(func.count()).select_from(changes).where(here)) or 0)
    size = rt.program.shards
    count = min(size.most, math.ceil(n / size.size))
    if count:
        conn.execute(update(changes).where(here).values(shard=changes.c.shard % count))
    return count
