"""Sends changes one by one, each with its intent in the ledger before it leaves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping

from clawback.impact.budget import BudgetSpent
from clawback.impact.client import ImpactClient
from clawback.impact.errors import ImpactError, MalformedAnswer, Refused, Unavailable
from clawback.ledger import actions as stock
from clawback.ledger import changes as book
from clawback.ledger import runs
from clawback.ledger.changes import ChangeState, Step
from clawback.ledger.codec import desired_from_json
from clawback.ledger.runs import Run
from clawback.reconcile.facts import Action, Learned, Request, Verb
from clawback.reconcile.shapes import canary_requests, probe_request, requests_for
from clawback.steps.again import plan_again, stale_actions
from clawback.steps.fresh import MAX_AGE, keep_fresh
from clawback.steps.load import load_action
from clawback.steps.runtime import Progress, Runtime
from clawback.steps.settle import reject
from clawback.steps.still import has_locked, is_stale, never_up, said_of, stands
from clawback.steps.sync import read_back, try_items_of

MAX_ATTEMPTS = 3
ACCEPTED = frozenset({"queued", "complete"})


class Sender:
    """Sends changes one by one; every state it passes through is committed before it goes on."""

    def __init__(self, rt: Runtime, client: ImpactClient, run: Run, known: Learned) -> None:
        self._rt, self._client, self._run, self._known = rt, client, run, known
        self.counts: Counter[str] = Counter(sent=0, dropped=0, rejected=0, in_doubt=0)
        self.probe: str | None = None
        """The change that is sent as its quantity alone, for what it teaches."""
        self._moved: dict[str, int] = {}
        """Orders whose changes were dropped, and the shard to plan them again in."""

    def known(self, learned: Learned) -> None:
        """Go on with what has just been learned of the account."""
        self._known = learned

    def later(self, until: datetime, why: str = "budget") -> Progress:
        """Not done: to be called again, when the budget holds or the listing is there."""
        moment = self._rt.clock.real(until)
        return Progress(done=False, counts=dict(self.counts), wait_until=moment, waiting_for=why)

    def due(self, shard: int | None, ids: Sequence[str] | None = None) -> list[RowMapping]:
        """The approved changes that are still to be sent."""
        with self._rt.ledger.read() as conn:
            rows = book.in_state(conn, self._run.id, [ChangeState.PLANNED], shard=shard)
        return [row for row in rows if row["approved"] and (ids is None or row["id"] in ids)]

    def send_due(self, shard: int | None, *, urgent: bool = False) -> None:
        """Send what is due, listing anew whenever the listing has become old.

        The order of a change that was dropped is planned again at once, to be sent next time.
        """
        for row in self.due(shard):
            if row["urgent"] or not urgent:
                keep_fresh(self._rt, self._client, self._run, MAX_AGE)
                self.send(row)
            self.plan_again()

    def plan_again(self) -> None:
        """Plan the orders anew whose changes were dropped, on items that are read anew."""
        if not self._moved:
            return
        for action_id in stale_actions(self._rt, self._run, self._moved):
            try_items_of(self._rt, self._client, self._run, action_id)
        moved, self._moved = self._moved, {}
        plan_again(self._rt, self._run, moved)

    def send(self, row: RowMapping) -> None:
        """Send one change, unless its action has moved or locked since it was planned.

        Nor if the items of its action are older than its listing: nobody knows what they hold.
        """
        now = self._rt.clock.now()
        with self._rt.ledger.begin() as conn:
            mine = book.get_change(conn, row["id"])
            if mine["run_id"] != self._run.id or not mine["approved"]:
                return
            action = load_action(conn, self._run.account, row["action_id"])
            moved = is_stale(row, action) or self._in_doubt(conn, row)
            if moved or has_locked(action, now):
                self._drop(conn, row, ChangeState.PLANNED)
                return
            sending = self._step(ChangeState.PLANNED, ChangeState.SENDING)
            values = {"attempts": row["attempts"] + 1, "sent_at": now, "run_id": self._run.id}
            if not book.move(conn, row["id"], sending, **values):
                return
        self._push(row, action)

    def _in_doubt(self, conn: Connection, row: RowMapping) -> bool:
        rows = stock.action_rows(conn, self._run.account, [row["action_id"]])
        return any(stored["stale"] for stored in rows.values())

    def resend(self, row: RowMapping) -> None:
        """Send what the merged form of a canary did not bring about, in the form that is known."""
        now = self._rt.clock.now()
        with self._rt.ledger.begin() as conn:
            action = load_action(conn, self._run.account, row["action_id"])
            again = self._step(ChangeState.QUEUED, ChangeState.SENDING)
            attempts = row["attempts"] + 1
            if has_locked(action, now) or not book.move(conn, row["id"], again, attempts=attempts):
                return
        self._push(row, action)

    def finish(self, shard: int | None) -> None:
        """Bring to an end what an earlier attempt of this run left between intent and answer."""
        with self._rt.ledger.read() as conn:
            rows = book.in_state(conn, self._run.id, [ChangeState.SENDING], shard=shard)
        self.resolve(rows)

    def resolve(self, rows: Sequence[RowMapping]) -> None:
        """Read back what is in doubt, and send again only what is not there.

        A change of which nothing was accepted is dropped, to be planned anew, if its action has
        locked or moved, since it was planned on what is no longer so, and if it has been in doubt
        for longer than the program waits; of any other it is awaited what becomes of it. One of a
        line that was withdrawn since is not sent again. One whose action impact.com does not show
        any more is rejected.
        """
        for row in rows:
            try:
                action = read_back(self._rt, self._client, self._run.account, row["action_id"])
            except Refused as error:
                self._refused(row, error)
                continue
            hopeless = self._hopeless(row, action)
            if (action is not None and stands(row, action)) or (hopeless and self._accepted(row)):
                self._pass(row, ChangeState.SENDING, ChangeState.QUEUED)
            elif hopeless:
                with self._rt.ledger.begin() as conn:
                    self._drop(conn, row, ChangeState.SENDING)
            elif row["attempts"] < MAX_ATTEMPTS and not self._unwanted(row):
                self._pass(row, ChangeState.SENDING, ChangeState.SENDING, row["attempts"] + 1)
                self._push(row, action)

    def _drop(self, conn: Connection, row: RowMapping, was: ChangeState) -> None:
        """Give a change up that is not what its action needs any more; its order is due again."""
        if book.move(conn, row["id"], self._step(was, ChangeState.DROPPED)):
            self.counts["dropped"] += 1
            self._moved[row["order_key"]] = row["shard"]

    def _hopeless(self, row: RowMapping, action: Action | None) -> bool:
        now = self._rt.clock.now()
        if has_locked(action, now) or (is_stale(row, action) and not self._accepted(row)):
            return True
        pace, age = self._rt.program.confirm, now - row["sent_at"]
        if age >= timedelta(minutes=pace.deadline_minutes) and self._unwanted(row):
            return True
        return bool(row["attempts"] >= MAX_ATTEMPTS and age >= timedelta(hours=pace.give_up_hours))

    def _unwanted(self, row: RowMapping) -> bool:
        """Whether a line of a change was withdrawn before anything of it was accepted."""
        with self._rt.ledger.read() as conn:
            withdrawn = book.covers_withdrawn(conn, row["id"])
        return withdrawn and not self._accepted(row)

    def _accepted(self, row: RowMapping) -> list[dict[str, str]]:
        """The forms of a change that impact.com has accepted."""
        with self._rt.ledger.read() as conn:
            past = book.submissions_of(conn, [row["id"]]).get(row["id"], [])
        return [s["form"] for s in past if s["state"] in ACCEPTED]

    def _push(self, row: RowMapping, action: Action | None) -> None:
        """Send the requests of a change that have not been accepted yet."""
        accepted = self._accepted(row)
        for request in self._requests(row, action):
            if dict(request.form) in accepted:
                continue
            if not self._request(row, request):
                return
        self._pass(row, ChangeState.SENDING, ChangeState.QUEUED)
        self.counts["sent"] += 1

    def _requests(self, row: RowMapping, action: Action | None) -> tuple[Request, ...]:
        desired, verb = never_up(desired_from_json(row["desired"]), action), Verb(row["verb"])
        if not (desired.reverse or desired.items or desired.amount is not None):
            return ()  # it has come to stand there since
        if row["id"] == self.probe:
            alone = probe_request(desired, row["action_id"], row["reason"], verb, action)
            if alone is not None:
                return (alone,)
        if row["canary"] and self._known.indexed_items is None:
            return canary_requests(desired, row["action_id"], row["reason"], verb, action)
        return requests_for(desired, row["action_id"], row["reason"], verb, self._known, action)

    def _request(self, row: RowMapping, request: Request) -> bool:
        """Send one request; returns whether it was accepted."""
        with self._rt.ledger.begin() as conn:
            now = self._rt.clock.now()
            submission = book.begin_submission(conn, row["id"], self._run.id, request, now)
        form = dict(request.form)
        try:
            write = self._client.reverse if request.verb is Verb.REVERSE else self._client.modify
            receipt = write(form)
        except Refused as error:
            self._refused(row, error, submission)
            return False
        except (Unavailable, MalformedAnswer) as error:
            return self._failed(row, submission, error)
        except (ImpactError, BudgetSpent):
            self._unsent(row, submission)
            raise
        with self._rt.ledger.begin() as conn:
            book.set_submission(conn, submission, state="queued", batch_id=receipt.batch_id)
        return True

    def _refused(self, row: RowMapping, error: Refused, submission: int | None = None) -> None:
        """End a change that impact.com will not make, with what it said.

        Where it has accepted another request of the change, that one is awaited first.
        """
        said = said_of(error)
        if submission is not None:
            with self._rt.ledger.begin() as conn:
                values = {"error_type": str(error.status), "error_reason": said}
                book.set_submission(conn, submission, state="refused", **values)
            if self._accepted(row):
                self._pass(row, ChangeState.SENDING, ChangeState.QUEUED)
                self.counts["sent"] += 1
                return
        with self._rt.ledger.begin() as conn:
            step = self._step(ChangeState.SENDING, ChangeState.REJECTED)
            self.counts["rejected"] += reject(conn, step, row, ("", said)) is not None

    def _failed(
        self, row: RowMapping, submission: int, error: Unavailable | MalformedAnswer
    ) -> bool:
        """The answer did not come, or cannot be read: in doubt, unless it certainly never left."""
        if isinstance(error, Unavailable) and not error.sent:
            self._unsent(row, submission)
            raise error
        self.counts["in_doubt"] += 1
        subject, told = ("change", row["id"]), {"said": str(error)}
        with self._rt.ledger.begin() as conn:
            now = self._rt.clock.now()
            runs.note(conn, self._run.id, now, subject, ChangeState.SENDING, "in_doubt", told)
        return False

    def _unsent(self, row: RowMapping, submission: int) -> None:
        """Take back an intent whose request certainly changed nothing."""
        with self._rt.ledger.begin() as conn:
            book.set_submission(conn, submission, state="unsent")
            others = book.submissions_of(conn, [row["id"]]).get(row["id"], [])
            if not any(s["state"] in ACCEPTED or s["state"] == "sending" for s in others):
                back = self._step(ChangeState.SENDING, ChangeState.PLANNED)
                book.move(conn, row["id"], back)

    def _pass(
        self, row: RowMapping, was: ChangeState, became: ChangeState, attempts: int | None = None
    ) -> None:
        values = {} if attempts is None else {"attempts": attempts}
        with self._rt.ledger.begin() as conn:
            book.move(conn, row["id"], self._step(was, became), **values)

    def _step(self, was: ChangeState, became: ChangeState) -> Step:
        return Step(self._run.id, self._rt.clock.now(), was, became)
