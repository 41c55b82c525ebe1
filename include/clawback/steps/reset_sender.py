"""Sends resets and follows them to their end, each step written to the ledger first."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping

from clawback.impact.budget import BudgetSpent
from clawback.impact.client import ImpactClient
from clawback.impact.codes import RESET
from clawback.impact.errors import (
    ImpactError,
    MalformedAnswer,
    Refused,
    Unavailable,
)
from clawback.impact.models import Action, ActionState
from clawback.ledger import actions as stock
from clawback.ledger import changes as book
from clawback.ledger import resets, runs
from clawback.ledger.changes import ChangeState, Step
from clawback.ledger.resets import OPEN, ResetState
from clawback.ledger.runs import Run
from clawback.money import minor_unit
from clawback.steps.reset_guard import Candidate, ResetError, fingerprint_of
from clawback.steps.runtime import Progress, Runtime
from clawback.steps.sync import read_items_of

MAX_ATTEMPTS = 3


class ResetSender:
    """Sends resets and follows them to their end."""

    def __init__(self, rt: Runtime, client: ImpactClient, run: Run) -> None:
        self._rt, self._client, self._run = rt, client, run
        self.counts: Counter[str] = Counter()

    def later(self, until: datetime, why: str) -> Progress:
        """Not done; `until` is in real time."""
        return Progress(done=False, counts=dict(self.counts), wait_until=until, waiting_for=why)

    def send_all(self, found: Sequence[Candidate], reason: str, by: str, seen: str) -> None:
        """Send every reset that may be made; raises ResetError if they are not as shown."""
        with self._rt.ledger.read() as conn:
            begun = bool(resets.of_run(conn, self._run.id))
        if seen and not begun and seen != fingerprint_of(found):
            raise ResetError(
                "the actions are not as they were when this reset was shown; nothing was sent: "
                "look at them again"
            )
        may = [candidate for candidate in found if not candidate.why]
        if self._run.dry_run:
            self.counts["would_reset"] = len(may)
            return
        for candidate in may:
            self.send(candidate, reason, by)

    def send(self, candidate: Candidate, reason: str, by: str) -> None:
        """Write the intent and send; an action that this run has reset already is left alone."""
        row = self._row(candidate, reason, by)
        with self._rt.ledger.begin() as conn:
            known = {r["id"]: r for r in resets.of_run(conn, self._run.id)}.get(row["id"])
            if known is None:
                self._drop_planned(conn, candidate.now.id)
                resets.add(conn, row)
            elif not resets.set_reset(
                conn, row["id"], [ResetState.UNSENT], state=ResetState.SENDING.value
            ):
                return
            self._note(conn, candidate.now.id, "", "reset sending", {"by": by, "reason": reason})
        self._push(row["id"], candidate.now.id)

    def _row(self, candidate: Candidate, reason: str, by: str) -> dict[str, Any]:
        now = candidate.now
        identity = f"{self._run.account}\x1d{now.id}\x1d{self._run.id}"
        return {
            "id": hashlib.sha256(identity.encode()).hexdigest()[:32],
            "account": self._run.account,
            "program": self._run.program,
            "run_id": self._run.id,
            "action_id": now.id,
            "order_key": candidate.row["order_key"],
            "reason": reason,
            "requested_by": by[:255],
            "currency": now.currency,
            "before_state": now.state.value,
            "before_amount": now.amount,
            "before_payout": now.payout,
            "original_amount": candidate.original,
            "state": ResetState.SENDING.value,
            "attempts": 1,
            "sent_at": self._rt.clock.now(),
        }

    def _drop_planned(self, conn: Any, action_id: str) -> None:
        """What was planned on the action as it stands will not fit it afterwards."""
        planned = book.open_changes(conn, self._run.account, [action_id]).get(action_id)
        if planned is not None and planned["state"] == ChangeState.PLANNED:
            step = Step(
                self._run.id, self._rt.clock.now(), ChangeState.PLANNED, ChangeState.DROPPED
            )
            book.move(conn, planned["id"], step)

    def _push(self, reset_id: str, action_id: str) -> None:
        try:
            receipt = self._client.modify({"ActionId": action_id, "Reason": RESET})
        except Refused as error:
            self._end(reset_id, action_id, ResetState.REFUSED, error.body or str(error))
            return
        except (Unavailable, MalformedAnswer) as error:
            if isinstance(error, Unavailable) and not error.sent:
                self._unsent(reset_id)
                raise
            self.counts["in_doubt"] += 1
            return
        except (ImpactError, BudgetSpent):
            self._unsent(reset_id)
            raise
        with self._rt.ledger.begin() as conn:
            queued = {"state": ResetState.QUEUED.value, "batch_id": receipt.batch_id}
            resets.set_reset(conn, reset_id, [ResetState.SENDING], **queued)
        self.counts["sent"] += 1

    def _unsent(self, reset_id: str) -> None:
        with self._rt.ledger.begin() as conn:
            state = ResetState.UNSENT.value
            resets.set_reset(conn, reset_id, [ResetState.SENDING], state=state)

    def settle(self, row: RowMapping) -> bool:
        """Whether a reset has come to its end: seen, refused, or out of time."""
        found = self._client.get_action(row["action_id"])
        if _undone(row, found):
            self._done(row, found)
            return True
        if self._refused(row):
            return True
        waited = self._rt.clock.now() - row["sent_at"]
        if waited >= timedelta(minutes=self._rt.program.confirm.deadline_minutes):
            said = "impact.com accepted the reset and never showed its effect"
            self._end(row["id"], row["action_id"], ResetState.LOST, said)
            return True
        patience = timedelta(seconds=4 * self._rt.program.confirm.poll_seconds)
        doubtful = row["state"] == ResetState.SENDING and waited >= patience
        if doubtful and row["attempts"] < MAX_ATTEMPTS:
            with self._rt.ledger.begin() as conn:
                again = {"attempts": row["attempts"] + 1, "sent_at": self._rt.clock.now()}
                resets.set_reset(conn, row["id"], [ResetState.SENDING], **again)
            self._push(row["id"], row["action_id"])
        return False

    def _refused(self, row: RowMapping) -> bool:
        """Whether the submission says that the reset was refused."""
        if not row["batch_id"]:
            return False
        try:
            found = self._client.get_submission(row["batch_id"])
        except Refused:
            return False
        if not found.failed:
            return False
        said = f"{found.error_type}: {found.error_reason}"
        self._end(row["id"], row["action_id"], ResetState.REFUSED, said)
        return True

    def _done(self, row: RowMapping, found: Action) -> None:
        """Take the action as it now stands, and forget what we had brought it to."""
        account, action_id, now = self._run.account, row["action_id"], self._rt.clock.now()
        with self._rt.ledger.begin() as conn:
            stock.save_actions(conn, self._rt.listing(account, now), [found])
        read_items_of(self._rt, self._client, account, action_id)
        with self._rt.ledger.begin() as conn:
            ended = {
                "state": ResetState.DONE.value,
                "after_amount": found.amount,
                "after_payout": found.payout,
                "settled_at": now,
            }
            if not resets.set_reset(conn, row["id"], OPEN, **ended):
                return
            known = stock.action_rows(conn, account, [action_id])[action_id]
            raised = known["generation"] + 1
            forgotten = {"settled": None, "refused": None, "generation": raised, "stale": False}
            stock.set_action(conn, account, action_id, **forgotten)
            told = {"amount": str(found.amount), "payout": str(found.payout)}
            self._note(conn, action_id, "reset sending", "reset", told)
        self.counts["reset"] += 1

    def _end(self, reset_id: str, action_id: str, state: ResetState, said: str) -> None:
        with self._rt.ledger.begin() as conn:
            ended = {"state": state.value, "error": said, "settled_at": self._rt.clock.now()}
            if resets.set_reset(conn, reset_id, OPEN, **ended):
                self._note(conn, action_id, "reset sending", f"reset {state.value}", {"said": said})
                self.counts[state.value] += 1

    def _note(self, conn: Any, action_id: str, was: str, became: str, detail: Any) -> None:
        at, subject = self._rt.clock.now(), ("action", action_id)
        runs.note(conn, self._run.id, at, subject, was, became, detail)


def _undone(row: RowMapping, found: Action) -> bool:
    """Whether an action stands as it was first reported."""
    if found.state is ActionState.REVERSED:
        return False
    if row["original_amount"] is None:
        before = (row["before_state"], row["before_amount"])
        return (found.state.value, found.amount) != before and found.amount >= before[1]
    off = abs(found.amount - row["original_amount"])
    return bool(off <= minor_unit(found.currency))
