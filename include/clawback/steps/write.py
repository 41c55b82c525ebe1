"""Writes planned changes and the run's lines to the ledger, some thousand orders at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, select

from clawback.ledger.bulk import among, encode_rows, fetch, insert_rows, update_rows
from clawback.ledger.changes import ChangeState, Step, forget_submissions, move
from clawback.ledger.runs import Run
from clawback.ledger.store import alone
from clawback.ledger.tables import actions, change_lines, changes, events, run_lines
from clawback.ledger.values import Row
from clawback.steps.columns import (
    ACTION_ID,
    CHANGE,
    CHANGE_LINE,
    RUN_LINE,
    SEEN,
    SEEN_KEY,
    URGENT,
    Sheet,
)
from clawback.steps.sheet import lost

_EVENT = ("subject_id", "at", "run_id", "subject", "was", "became", "detail")
_SINCE = ("settled_at", "after_amount", "after_payout")
_KEPT = tuple(n for n, name in enumerate(CHANGE) if name not in {"id", "state"})


class Writer:
    """Writes sheets and counts what was planned.

    At most one change of an action is open: what another run has planned for it and not sent gives
    way, what is sent stays, and the lines of the new change are then pending.
    """

    def __init__(self, run: Run, now: datetime) -> None:
        self._run, self._now = run, now
        self._became = ChangeState.DRY if run.dry_run else ChangeState.PLANNED
        self.outcomes: Counter[str] = Counter()
        self.changes = 0
        self.urgent = 0

    def write(self, conn: Connection, sheet: Sheet) -> None:
        """Write a sheet, whose rows are encoded."""
        alone(conn, self._run.account)
        rows = sheet.changes
        new = insert_rows(conn, changes, CHANGE, rows, on_conflict="nothing", encoded=True)
        covered, lines = sheet.change_lines, sheet.lines
        made = {row[0] for row in rows}
        if new < len(rows):
            won, made = self._contest(conn, rows)
            covered = [row for row in covered if row[0] in won]
            lost_ids = {row[0] for row in rows} - won
            lines = [lost(row) if row[3] in lost_ids else row for row in lines]
            rows = [row for row in rows if row[0] in won]
        insert_rows(conn, change_lines, CHANGE_LINE, covered, encoded=True)
        insert_rows(conn, run_lines, RUN_LINE, lines, encoded=True)
        update_rows(conn, actions, SEEN_KEY, SEEN, sheet.seen, encoded=True)
        self._tell(conn, sorted(made))
        self.changes += len(rows)
        self.urgent += sum(1 for row in rows if row[URGENT])
        self.outcomes.update(sheet.outcomes)

    def _contest(self, conn: Connection, rows: Sequence[Row]) -> tuple[set[str], set[str]]:
        """Settle the changes that met one that was there: the ids that are won, and the new ones.

        What was planned and not sent gives way. A change of the same identity that was dropped or
        refused before is planned again.
        """
        made = self._mine(conn, [row[0] for row in rows])
        rest = [row for row in rows if row[0] not in made]
        if not self._run.dry_run:
            self._supersede(conn, [row[ACTION_ID] for row in rest])
        insert_rows(conn, changes, CHANGE, rest, on_conflict="nothing", encoded=True)
        again = self._reopen(conn, rest)
        won = self._mine(conn, [row[0] for row in rows])
        gone = delete(change_lines).where(among(conn, change_lines.c.change_id, sorted(won)))
        conn.execute(gone)
        return won, won - again

    def _mine(self, conn: Connection, ids: Sequence[str]) -> set[str]:
        here = select(changes.c.id).where(
            among(conn, changes.c.id, ids),
            changes.c.run_id == self._run.id,
            changes.c.state == self._became,
        )
        return {change_id for (change_id,) in fetch(conn, here)}

    def _supersede(self, conn: Connection, action_ids: Sequence[str]) -> None:
        """Drop what was planned for these actions before and has not been sent."""
        here = select(changes.c.id).where(
            changes.c.account == self._run.account,
            among(conn, changes.c.action_id, action_ids),
            changes.c.state == ChangeState.PLANNED,
        )
        for (change_id,) in list(fetch(conn, here)):
            move(conn, change_id, self._step(ChangeState.PLANNED, ChangeState.DROPPED))

    def _reopen(self, conn: Connection, rows: Sequence[Row]) -> set[str]:
        """Plan again a change of the same identity that was dropped or refused before."""
        by_id = {row[0]: row for row in rows}
        again = (ChangeState.DROPPED, ChangeState.REFUSED, ChangeState.REJECTED)
        here = select(changes.c.id, changes.c.state).where(
            among(conn, changes.c.id, list(by_id)), changes.c.state.in_(again)
        )
        reopened = set()
        for change_id, state in list(fetch(conn, here)):
            step = self._step(ChangeState(state), ChangeState.PLANNED)
            if move(conn, change_id, step, run_id=self._run.id):
                forget_submissions(conn, change_id)
                reopened.add(change_id)
        anew = [(one, *(by_id[one][n] for n in _KEPT), None, None, None) for one in reopened]
        names = (*(CHANGE[n] for n in _KEPT), *_SINCE)
        update_rows(conn, changes, ("id",), names, anew, encoded=True)
        return reopened

    def _step(self, was: ChangeState, became: ChangeState) -> Step:
        return Step(self._run.id, self._now, was, became)

    def _tell(self, conn: Connection, new: Sequence[str]) -> None:
        """Write the first event of changes that came to be."""
        one: Row = ("", self._now, self._run.id, "change", "", self._became.value, {})
        ((_, *same),) = encode_rows(conn.dialect, events, _EVENT, [one])
        insert_rows(conn, events, _EVENT, [(name, *same) for name in new], encoded=True)
