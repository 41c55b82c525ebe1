"""prove_account: sends a small canary of each shape that is not known to work, and proves it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping, select, update

from clawback.impact.budget import BudgetSpent
from clawback.impact.client import ImpactClient
from clawback.impact.errors import RateLimited, Refused
from clawback.ledger import changes as book
from clawback.ledger.changes import ChangeState, Step
from clawback.ledger.codec import desired_from_json
from clawback.ledger.knowledge import SHAPE, facts_of, save_facts
from clawback.ledger.runs import Run
from clawback.ledger.store import alone
from clawback.ledger.tables import changes
from clawback.money import minor_unit
from clawback.reconcile.evidence import learn
from clawback.reconcile.facts import Learned, Observed, Request, Verb
from clawback.reconcile.outcomes import Hold
from clawback.reconcile.shapes import ITEM, QUANTITY, canary_requests, probe_request
from clawback.steps.confirm import confirm
from clawback.steps.fresh import ListingBusyError, keep_fresh
from clawback.steps.known import what_is_known
from clawback.steps.load import load_action
from clawback.steps.runtime import Progress, Runtime
from clawback.steps.sender import ACCEPTED, MAX_ATTEMPTS, Sender
from clawback.steps.settle import action_before
from clawback.steps.sync import read_items_of

_HELD = (
    "the canary of this kind of request did not do what it should; look at its change with "
    "`clawback explain`, then pin what is true of the account in the program file"
)


def prove(rt: Runtime, client: ImpactClient) -> Progress:
    """Send the canary, wait for its proof, and learn from it; the rest is sent only afterwards.

    The incremental listing is repeated first, for this and for the shards that follow. Done at
    once where every shape that this run needs is known to work. Where a shape's canary fails, the
    changes of that shape are held as canary_failed; where it is not seen by the deadline, the
    rest stays planned.
    """
    run = rt.run()
    if run.dry_run:
        return Progress(done=True)
    prover = Prover(rt, client, run)
    try:
        return prover.go()
    except ListingBusyError as busy:
        return prover.later(busy.until, "listing")
    except BudgetSpent as spent:
        return prover.later(spent.until)
    except RateLimited as limited:
        return prover.later(limited.retry_at + rt.clock.offset)


class Prover:
    """One pass over a run's canary."""

    def __init__(self, rt: Runtime, client: ImpactClient, run: Run) -> None:
        self._rt, self._client, self._run = rt, client, run
        with rt.ledger.read() as conn:
            self._known = what_is_known(conn, rt, run.account)
            self._facts = facts_of(conn, run.account)
        self._sender = Sender(rt, client, run, self._known)

    def later(self, until: datetime, why: str = "budget") -> Progress:
        """Not done: to be called again, when the budget holds or the listing is there."""
        return self._sender.later(until, why)

    def go(self) -> Progress:
        if self._sender.due(None):
            keep_fresh(self._rt, self._client, self._run, timedelta())
        canary = self._canary() or self._choose()
        if not canary:
            return Progress(done=True)
        ids = [row["id"] for row in canary]
        self._sender.probe = self._probe(canary)
        self._sender.finish(None)
        for row in self._sender.due(None, ids):
            self._sender.send(row)
        self._sender.plan_again()
        looked = confirm(self._rt, self._client, ids)
        for row in self._canary():
            self._study(row)
        if not looked.done:
            return looked
        self._conclude(self._canary())
        return Progress(done=True, counts=looked.counts | {"canary": len(ids)})

    def _canary(self) -> list[RowMapping]:
        with self._rt.ledger.read() as conn:
            here = select(changes).where(changes.c.run_id == self._run.id, changes.c.canary)
            return list(conn.execute(here.order_by(changes.c.id)).mappings())

    def _choose(self) -> list[RowMapping]:
        """Mark the canary: of every shape that is not proved a few, the least money first."""
        by_shape = self._unproved(self._sender.due(None))
        chosen: list[str] = []
        while len(chosen) < self._rt.program.canary and any(by_shape.values()):
            for rows in by_shape.values():
                if rows and len(chosen) < self._rt.program.canary:
                    chosen.append(rows.pop(0)["id"])
        with self._rt.ledger.begin() as conn:
            alone(conn, self._run.account)
            conn.execute(update(changes).where(changes.c.id.in_(chosen)).values(canary=True))
        return self._canary()

    def _unproved(self, rows: Sequence[RowMapping]) -> dict[str, list[RowMapping]]:
        """The changes of each shape that is not known to work, those that teach most first."""
        found: dict[str, list[tuple[tuple[object, ...], RowMapping]]] = defaultdict(list)
        for row in rows:
            (shape,) = {request.shape for request in self._merged(row)}
            if not self._facts.get(SHAPE + shape):
                priced = sum(t.quantity != 0 for t in desired_from_json(row["desired"]).items)
                rank = (-min(priced, 2), row["before_payout"] - row["expected_payout"], row["id"])
                found[shape].append((rank, row))
        return {
            shape: [row for _, row in sorted(ranked, key=lambda pair: pair[0])]
            for shape, ranked in sorted(found.items())
        }

    def _merged(self, row: RowMapping) -> tuple[Request, ...]:
        with self._rt.ledger.read() as conn:
            action = load_action(conn, self._run.account, row["action_id"])
        desired, verb = desired_from_json(row["desired"]), Verb(row["verb"])
        return canary_requests(desired, row["action_id"], row["reason"], verb, action)

    def _probe(self, canary: Sequence[RowMapping]) -> str | None:
        """The change that shows whether amounts follow quantities; none where that is known.

        One of several of its shape, so that the others prove the full form in the same canary.
        """
        known = self._known.amount_follows_quantity is not None
        if known or any(row["attempts"] for row in canary):
            return None
        fit = [row["id"] for row in canary if self._may_probe(row)]
        return fit[0] if len(fit) > 1 else None

    def _may_probe(self, row: RowMapping) -> bool:
        with self._rt.ledger.read() as conn:
            action = load_action(conn, self._run.account, row["action_id"])
        desired, verb = desired_from_json(row["desired"]), Verb(row["verb"])
        return bool(probe_request(desired, row["action_id"], row["reason"], verb, action))

    def _study(self, row: RowMapping) -> None:
        """Learn from one change of the canary what its action's Items now say."""
        state = ChangeState(row["state"])
        with self._rt.ledger.read() as conn:
            sent = book.submissions_of(conn, [row["id"]]).get(row["id"], [])
        complete = bool(sent) and all(s["state"] == "complete" for s in sent)
        ended = state is ChangeState.CONFIRMED or (state is ChangeState.QUEUED and complete)
        if not ended or row["verb"] != Verb.MODIFY or not desired_from_json(row["desired"]).items:
            return
        try:
            read_items_of(self._rt, self._client, self._run.account, row["action_id"])
        except Refused:
            return  # an action that is not shown any more teaches nothing
        self._learn(row, sent)
        partial = False in {self._known.indexed_items, self._known.indexed_amounts}
        partial = partial or sent[-1]["shape"] == QUANTITY
        if partial and state is ChangeState.QUEUED and row["attempts"] < MAX_ATTEMPTS:
            self._sender.probe = None
            self._sender.resend(row)

    def _learn(self, row: RowMapping, sent: Sequence[RowMapping]) -> None:
        with self._rt.ledger.begin() as conn:
            action = load_action(conn, self._run.account, row["action_id"])
            if action is None:
                return
            before = action_before(row, action)
            seen = Observed(
                action.state, action.amount, action.payout, action.items, items_current=True
            )
            forms = [
                Request(Verb(s["verb"]), tuple(s["form"].items()), s["shape"])
                for s in sent
                if s["state"] in ACCEPTED
            ]
            tolerance = self._rt.program.tolerance_units * minor_unit(row["currency"])
            after = learn(self._known, forms, before, seen, tolerance)
            self._keep(conn, row, after)
        self._known = after
        self._sender.known(after)

    def _keep(self, conn: Connection, row: RowMapping, after: Learned) -> None:
        was = asdict(self._known)
        news = {k: v for k, v in asdict(after).items() if v is not None and v != was[k]}
        if news:
            evidence = {"change": row["id"], "action": row["action_id"]}
            save_facts(conn, self._run.account, news, evidence, self._rt.clock.now())

    def _conclude(self, canary: Sequence[RowMapping]) -> None:
        """Keep which shapes are proved; hold, or leave planned, what depends on the others."""
        ended: dict[str, set[ChangeState]] = defaultdict(set)
        with self._rt.ledger.read() as conn:
            sent = book.submissions_of(conn, [row["id"] for row in canary])
        for row in canary:
            for submission in sent.get(row["id"], [])[:1]:
                ended[submission["shape"]].add(ChangeState(row["state"]))
        now = self._rt.clock.now()
        for shape, states in ended.items():
            if ChangeState.CONFIRMED in states:
                with self._rt.ledger.begin() as conn:
                    proved = {SHAPE + shape: True}
                    save_facts(conn, self._run.account, proved, {"run": self._run.id}, now)
                if shape == QUANTITY and self._known.amount_follows_quantity is None:
                    self._hold(ITEM)  # the amount came out neither as it was nor as it should
            elif states & {ChangeState.REJECTED, ChangeState.LOCKED}:
                self._hold(shape)
            elif states & {ChangeState.QUEUED, ChangeState.SENDING}:
                self._leave_planned()

    def _hold(self, shape: str) -> None:
        for row in self._sender.due(None):
            if {request.shape for request in self._merged(row)} == {shape}:
                step = Step(
                    self._run.id,
                    self._rt.clock.now(),
                    ChangeState.PLANNED,
                    ChangeState.REFUSED,
                )
                with self._rt.ledger.begin() as conn:
                    held = Hold.CANARY_FAILED.value
                    book.move(conn, row["id"], step, hold=held, error=_HELD)

    def _leave_planned(self) -> None:
        """Take the approval back: the next run goes on when the canary has been seen."""
        with self._rt.ledger.begin() as conn:
            alone(conn, self._run.account)
            mine = (changes.c.run_id == self._run.id) & (changes.c.state == ChangeState.PLANNED)
            conn.execute(update(changes).where(mine).values(approved=False))
