"""confirm_changes: proves from impact.com's own lists that every sent change took effect."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping

from clawback.impact.budget import BudgetSpent
from clawback.impact.client import ImpactClient
from clawback.impact.errors import RateLimited, Refused
from clawback.impact.models import Submission
from clawback.ledger import changes as book
from clawback.ledger import runs
from clawback.ledger.changes import ChangeState, Step
from clawback.ledger.runs import Run
from clawback.ledger.store import alone
from clawback.reconcile.facts import Action, Judgement, Reply
from clawback.steps import settle
from clawback.steps.known import what_is_known
from clawback.steps.part import Part, book_part, may_be_in_part, part_of
from clawback.steps.runtime import Progress, Runtime
from clawback.steps.seen import agrees, as_listed, was_undone
from clawback.steps.sender import ACCEPTED, Sender
from clawback.steps.sync import read_back, read_items_of, refresh

UNKNOWN = "unknown"
"""What is kept of a submission that impact.com says it does not know."""
ABANDONED = timedelta(minutes=30)
"""After this long, an intent without an answer belongs to a process that is gone."""


def confirm(rt: Runtime, client: ImpactClient, only: Sequence[str] | None = None) -> Progress:
    """Look once at impact.com's lists and settle every sent change that they show.

    Takes up what earlier runs have left pending. Not done while changes are awaited and the
    deadline has not passed; what is not seen by then stays pending for the next run. `only`
    limits it to some changes.
    """
    run = _with_deadline(rt)
    looker = Looker(rt, client, run)
    try:
        return looker.look(only)
    except BudgetSpent as spent:
        return looker.later(spent.until, "budget")
    except RateLimited as limited:
        return looker.later(limited.retry_at + rt.clock.offset, "budget")


def _with_deadline(rt: Runtime) -> Run:
    """The run, with the absolute time until which confirmation is awaited."""
    run = rt.run()
    if run.deadline is not None:
        return run
    deadline = rt.clock.now() + timedelta(minutes=rt.program.confirm.deadline_minutes)
    with rt.ledger.begin() as conn:
        runs.set_run(conn, run.id, deadline=deadline)
    return replace(run, deadline=deadline)


class Looker:
    """One look at the lists, and what follows from it for each awaited change."""

    def __init__(self, rt: Runtime, client: ImpactClient, run: Run) -> None:
        self._rt, self._client, self._run = rt, client, run
        self._now = rt.clock.now()
        self._rules = rt.rules(run.account)
        self.counts: Counter[str] = Counter(confirmed=0, rejected=0, waiting=0)

    def look(self, only: Sequence[str] | None) -> Progress:
        if only is None:
            self._take_up()
        waiting = self._awaited(only)
        if waiting:
            refresh(self._rt, self._client)
            self._now = self._rt.clock.now()
            silent = [row for row in waiting if not self._settle(row)]
            newest = self._newest_seen(waiting, silent)
            for row in silent:
                self._ask(row, newest)
            waiting = self._awaited(only)
        self.counts["waiting"] = len(waiting)
        if not waiting or self._late:
            return Progress(done=True, counts=dict(self.counts))
        return self.later(self._next_look(waiting), "evidence")

    def _take_up(self) -> None:
        """Read back what a process that died has left between intent and answer."""
        account, long_ago = self._run.account, self._now - ABANDONED
        with self._rt.ledger.read() as conn:
            known = what_is_known(conn, self._rt, account)
            rows = book.doubtful(conn, account, self._run.program, self._run.id, long_ago)
        Sender(self._rt, self._client, self._run, known).resolve(rows)

    def later(self, until: datetime, why: str) -> Progress:
        """Not done, unless the deadline comes first."""
        deadline = self._run.deadline or until
        if until >= deadline and self._late:
            return Progress(done=True, counts=dict(self.counts))
        moment = self._rt.clock.real(min(until, deadline))
        return Progress(done=False, counts=dict(self.counts), wait_until=moment, waiting_for=why)

    @property
    def _late(self) -> bool:
        return self._run.deadline is not None and self._rt.clock.now() >= self._run.deadline

    def _awaited(self, only: Sequence[str] | None) -> list[RowMapping]:
        with self._rt.ledger.read() as conn:
            rows = book.awaiting(conn, self._run.account, self._run.program)
        return [row for row in rows if only is None or row["id"] in only]

    def _settle(self, row: RowMapping, reply: Reply | None = None) -> bool:
        """Judge one change by what the ledger now holds of its action; returns whether it ended."""
        action, seen = self._seen(row)
        if action is None:
            return False
        verdict = self._judge(row, action, reply, seen=seen)
        if verdict is Judgement.DOUBT:
            action, verdict = self._look_closely(row, reply)
        if verdict in {Judgement.WAITING, Judgement.DOUBT} or action is None:
            return False
        part = None if verdict is Judgement.CONFIRMED else self._partly(row)
        if part is not None and not (part.whole or self._late):
            return False
        return self._end(row, action, verdict, reply, part)

    def _seen(self, row: RowMapping) -> tuple[Action | None, bool]:
        with self._rt.ledger.read() as conn:
            return as_listed(conn, row, self._rt.program.tolerance_units)

    def _partly(self, row: RowMapping) -> Part | None:
        """What of a change that is to end took effect, read back anew; None if it is one thing.

        Not `whole` also where the action has moved between its own reading and that of its items.
        """
        with self._rt.ledger.read() as conn:
            sent = book.submissions_of(conn, [row["id"]]).get(row["id"], [])
        if not may_be_in_part(row, sent):
            return None
        try:
            action = read_back(self._rt, self._client, self._run.account, row["action_id"])
        except Refused:
            action = None
        if action is None:
            return None
        units = self._rt.program.tolerance_units
        part = part_of(row, sent, action, units)
        agreed = agrees(row, action, action.items, units)
        return replace(part, whole=part.whole and agreed)

    def _look_closely(
        self, row: RowMapping, reply: Reply | None
    ) -> tuple[Action | None, Judgement]:
        """Judge one change by its action's Items; it goes on waiting where they are not shown."""
        try:
            read_items_of(self._rt, self._client, self._run.account, row["action_id"])
        except Refused:
            return None, Judgement.WAITING
        action, _ = self._seen(row)
        if action is None:
            return None, Judgement.WAITING
        return action, self._judge(row, action, reply, seen=True)

    def _judge(
        self, row: RowMapping, action: Action, reply: Reply | None, *, seen: bool
    ) -> Judgement:
        view = settle.View(seen, self._late, self._rt.program.tolerance_units)
        return settle.judged(row, action, view, reply)

    def _end(
        self,
        row: RowMapping,
        action: Action,
        verdict: Judgement,
        reply: Reply | None,
        part: Part | None,
    ) -> bool:
        step = Step(self._run.id, self._now, ChangeState.QUEUED, ChangeState.CONFIRMED)
        with self._rt.ledger.begin() as conn:
            if verdict is Judgement.CONFIRMED:
                self.counts["confirmed"] += settle.confirm(conn, step, row, action)
                return True
            if verdict is Judgement.NO_EFFECT and was_undone(conn, row):
                self.counts["contested"] += settle.contest(conn, step, row)
                return True
            error = ("no_effect", "impact.com completed the submission and changed nothing")
            if verdict is not Judgement.NO_EFFECT and reply is not None:
                error = (reply.error_type, reply.error_reason)
            ended = settle.reject(conn, step, row, error)
            if ended is not None and part:
                self.counts["confirmed"] += book_part(conn, ended, row, part, self._rules)
            elif ended is not None:
                settle.tell_part(conn, ended, row)
            self.counts["rejected"] += ended is not None
        return True

    def _newest_seen(
        self, waiting: Sequence[RowMapping], silent: Sequence[RowMapping]
    ) -> datetime | None:
        """When the latest change was sent that the lists have already shown."""
        quiet = {row["id"] for row in silent}
        return max((row["sent_at"] for row in waiting if row["id"] not in quiet), default=None)

    def _ask(self, row: RowMapping, newest: datetime | None) -> None:
        """Ask for the submission of a change that the lists do not show though they should."""
        patience = timedelta(seconds=2 * self._rt.program.confirm.poll_seconds)
        overdue = self._now - row["sent_at"] >= patience or self._late
        overtaken = newest is not None and newest >= row["sent_at"]
        if not (overdue or overtaken):
            return
        with self._rt.ledger.read() as conn:
            sent = book.submissions_of(conn, [row["id"]]).get(row["id"], [])
        replies = [self._poll(s) for s in sent if s["state"] == "refused" or _accepted(s)]
        if replies and all(replies):
            self._settle(row, _together([r for r in replies if r is not None]))
        elif self._lost(row):
            self._drop(row)

    def _lost(self, row: RowMapping) -> bool:
        """Whether a change that nothing shows will not come any more.

        impact.com does not know its submission though that is long ago, or has kept it in the
        queue for longer than the program waits. What counts is when it was last sent.
        """
        with self._rt.ledger.read() as conn:
            sent = book.submissions_of(conn, [row["id"]]).get(row["id"], [])
        last = max((s["sent_at"] for s in sent), default=row["sent_at"])
        pace, age = self._rt.program.confirm, self._now - last
        if age < timedelta(minutes=pace.deadline_minutes):
            return False
        unknown = any(s["error_type"] == UNKNOWN for s in sent)
        return unknown or age >= timedelta(hours=pace.give_up_hours)

    def _drop(self, row: RowMapping) -> None:
        """Give a lost change up: absolute values may be sent again without harm."""
        step = Step(self._run.id, self._now, ChangeState.QUEUED, ChangeState.DROPPED)
        part = self._partly(row)
        with self._rt.ledger.begin() as conn:
            alone(conn, row["account"])
            sent = book.submissions_of(conn, [row["id"]]).get(row["id"], [])
            for submission in sent:
                book.set_submission(conn, submission["id"], state="lost")
            if book.move(conn, row["id"], step, error=_LOST) and part:
                self.counts["confirmed"] += book_part(conn, step, row, part, self._rules)

    def _poll(self, sent: RowMapping) -> Reply | None:
        """A submission's reply once it is complete; asked less and less often until then."""
        if sent["state"] in {"complete", "refused"}:
            return Reply(True, sent["error_type"], sent["error_reason"])
        age = self._now - sent["sent_at"]
        polled = sent["polled_at"]
        if polled is not None and self._now - polled < age / 4 and not self._late:
            return None
        values: dict[str, Any] = {"polled_at": self._now, "error_type": None}
        try:
            reply = _reply(self._client.get_submission(sent["batch_id"]))
        except Refused:
            reply = None
            values["error_type"] = UNKNOWN
        if reply is not None:
            values["state"] = "complete"
            values |= {"error_type": reply.error_type, "error_reason": reply.error_reason}
        with self._rt.ledger.begin() as conn:
            book.set_submission(conn, sent["id"], **values)
        return reply

    def _next_look(self, waiting: Sequence[RowMapping]) -> datetime:
        """Sooner at first, later the longer it takes; the pace is the program's."""
        pace = self._rt.program.confirm
        youngest = max(row["sent_at"] for row in waiting)
        age = (self._now - youngest).total_seconds()
        seconds = min(max(pace.poll_seconds, age / 2), pace.poll_seconds_most)
        return self._now + timedelta(seconds=seconds)


_LOST = "its submission was lost; it is planned anew"


def _accepted(sent: RowMapping) -> bool:
    return bool(sent["batch_id"]) and sent["state"] in ACCEPTED


def _reply(found: Submission) -> Reply | None:
    if not found.status.is_final:
        return None
    return Reply(True, found.error_type, found.error_reason)


def _together(replies: Sequence[Reply]) -> Reply:
    """The replies to all requests of one change as one: the first error counts."""
    failed = [r for r in replies if r.error_type or r.error_reason]
    return failed[0] if failed else replies[0]
