"""What the plans of some orders come to, as rows for the ledger."""

from __future__ import annotations

import hashlib
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from clawback.impact.windows import Span
from clawback.ledger.changes import ChangeState
from clawback.ledger.codec import desired_to_json, items_to_json
from clawback.ledger.runs import Run
from clawback.ledger.values import Row
from clawback.program import Program
from clawback.reconcile.facts import Learned, LineVerdict, OrderPlan, PlannedChange
from clawback.reconcile.outcomes import Outcome, combine
from clawback.reconcile.plan import plan_order
from clawback.steps.brisk import Brisk
from clawback.steps.columns import BUCKETS, RUN_LINE, Sheet
from clawback.steps.load import Loaded, Loader, Raw

_SHOWN = (Outcome.PENDING, Outcome.ALREADY_SETTLED)
_PLANNED = Outcome.PLANNED


@dataclass(frozen=True, slots=True)
class Brief:
    """All that planning needs besides the ledger; it travels to other processes."""

    run: Run
    program: Program
    known: Learned
    now: datetime
    covered: Sequence[Span]
    listed_to: datetime


class Planner:
    """Plans orders of one run and writes down what comes of them."""

    def __init__(self, brief: Brief) -> None:
        self._run, self._now, self._known = brief.run, brief.now, brief.known
        self._rules = brief.program.rules(brief.run.account)
        self._most = brief.program.shards.most
        self._loader = Loader(brief.run, brief.program, brief.covered, brief.listed_to)
        self._state = (ChangeState.DRY if brief.run.dry_run else ChangeState.PLANNED).value
        mark = hashlib.sha256(brief.run.id.encode()).hexdigest()[:12]
        self._prefix = f"dry-{mark}-" if brief.run.dry_run else ""
        self._brisk: Brisk | None = None

    def sheet(self, conn: Connection, keys: Sequence[str], *, many: bool = False) -> Sheet:
        """The plan of the orders with these keys, encoded for the connection's database.

        `many` says that the run has changes enough for every shard there may be, so that a
        change's shard is certain.
        """
        buckets = self._most if many else BUCKETS
        raw = self._loader.rows(conn, keys)
        if self._brisk is None:
            more = (self._run, self._rules, self._now, conn.dialect, self._state, self._prefix)
            self._brisk = Brisk(*more)
        made, rest = self._brisk.sheet(raw, keys, buckets)
        return made.and_then(self._generally(conn, raw, rest, buckets).encoded(conn.dialect))

    def _generally(self, conn: Connection, raw: Raw, keys: Sequence[str], buckets: int) -> Sheet:
        """What the rules make of some orders, as rows that are not encoded."""
        made = Sheet()
        for some in self._loader.made_of(conn, raw, keys):
            plan = plan_order(some.order, self._rules, self._known, self._now)
            for change in plan.changes:
                made.changes.append(self._change(some, change, buckets))
                covered = zip(change.line_ids, change.line_amounts, strict=True)
                name = self._prefix + change.identity
                made.change_lines += [(name, line_id, amount) for line_id, amount in covered]
            made.lines += self._lines(some, plan, made.outcomes)
            if some.unseen and not self._run.dry_run and not _late(some):
                made.seen += self._seen(some)
        return made

    def _seen(self, some: Loaded) -> Iterator[Row]:
        """Which generation of each action is planned on."""
        for action in some.order.actions:
            if action.id in some.unseen:
                yield self._run.account, action.id, action.generation

    def _change(self, some: Loaded, change: PlannedChange, buckets: int) -> Row:
        run, action_id = self._run, change.action_id
        action = next(a for a in some.order.actions if a.id == action_id)
        return (
            self._prefix + change.identity,
            run.account,
            run.program,
            run.id,
            action_id,
            some.order_key,
            change.verb.value,
            desired_to_json(change.desired),
            change.reason,
            change.reasons,
            change.currency,
            change.before_amount,
            change.before_payout,
            items_to_json(action.items),
            change.expected_amount,
            change.expected_payout,
            change.locking_at,
            change.urgent,
            change.generation,
            zlib.crc32(action_id.encode()) % BUCKETS % buckets,
            *(False, None, self._state, 0, None, None, self._now, None),
        )

    def _lines(self, some: Loaded, made: OrderPlan, counts: Counter[str]) -> Iterator[Row]:
        """The run's rows of the lines that are in its scope."""
        by_action = {c.action_id: self._prefix + c.identity for c in made.changes}
        for line_id, found in _by_line(made.verdicts):
            verdicts = _with_money(some, line_id, found)
            row = some.rows[line_id]
            was, carried = row["outcome"], line_id not in some.read
            outcome = _whole(verdicts)
            if carried and was and Outcome(was).final and (outcome.final or was == outcome):
                continue
            counts[outcome.value] += 1
            for verdict in verdicts:
                yield self._line(some, verdict, by_action, carried)

    def _line(
        self, some: Loaded, verdict: LineVerdict, by_action: dict[str, str], carried: bool
    ) -> Row:
        line_id, action_id, outcome = verdict.line_id, verdict.action_id, verdict.outcome
        change_id = None
        if outcome is _PLANNED:
            change_id = by_action[action_id]
        elif outcome in _SHOWN and (opened := some.open.get(action_id)):
            # The lists may show its effect before the change is confirmed: it is the change's.
            if line_id in some.open_lines.get(opened, ()):
                outcome, change_id = Outcome.PENDING, opened
        elif outcome is Outcome.ALREADY_SETTLED:
            known = (line_id, action_id)
            change_id = some.confirmed.get(known) or some.unbooked.get(known)
        return (
            self._run.id,
            line_id,
            action_id,
            change_id,
            outcome.value,
            verdict.hold.value if verdict.hold else None,
            verdict.note,
            verdict.amount,
            verdict.payout,
            verdict.currency or some.rows[line_id]["currency"],
            carried,
        )


def _by_line(verdicts: Sequence[LineVerdict]) -> Iterable[tuple[int, Sequence[LineVerdict]]]:
    """The verdicts of each line, over its actions."""
    if len(verdicts) == 1:
        return ((verdicts[0].line_id, verdicts),)
    grouped: dict[int, list[LineVerdict]] = {}
    for verdict in verdicts:
        grouped.setdefault(verdict.line_id, []).append(verdict)
    return grouped.items()


def _with_money(
    some: Loaded, line_id: int, verdicts: Sequence[LineVerdict]
) -> Sequence[LineVerdict]:
    """The verdicts of a line; a withdrawn one is its change's until its money has been counted.

    What was taken off for a line is in the books even where the line was withdrawn before anybody
    saw the effect. What the withdrawal means is said by the next run.
    """
    if not (some.open or some.unbooked) or not _withdrawn(some, line_id):
        return verdicts
    there = [a for a, c in some.open.items() if line_id in some.open_lines.get(c, ())]
    there += [a for line, a in some.unbooked if line == line_id and a not in there]
    settled = replace(verdicts[0], outcome=Outcome.ALREADY_SETTLED, hold=None)
    return [replace(settled, action_id=action_id) for action_id in there] or verdicts


def _late(some: Loaded) -> bool:
    """Whether an order is to be planned once more: the money of a withdrawn line comes first."""
    return any(line_id in some.rows for line_id, _ in some.unbooked)


def _withdrawn(some: Loaded, line_id: int) -> bool:
    return any(x.id == line_id and (x.voided or x.vanished) for x in some.order.lines)


def _whole(verdicts: Sequence[LineVerdict]) -> Outcome:
    """A line's outcome over its actions."""
    return verdicts[0].outcome if len(verdicts) == 1 else combine(v.outcome for v in verdicts)


def lost(row: Row) -> Row:
    """A run's line whose change another run's open change stands in the way of."""
    values: dict[str, Any] = dict(zip(RUN_LINE, row, strict=True))
    return tuple((values | {"outcome": Outcome.PENDING.value, "change_id": None}).values())
