"""What must hold after every step of a campaign, and when it has come to rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl

from inside import InsideLab, vars_of
from sqlalchemy import select

from clawback.ledger.changes import SENT
from clawback.ledger.tables import actions, change_lines, changes, return_lines, runs
from clawback.steps.close import balanced

ZERO = Decimal(0)
State = dict[str, dict[str, Any]]


_BOOKS = select(runs.c.books)
_SHARES = (
    select(changes.c.action_id, change_lines.c.payout)
    .join(changes, changes.c.id == change_lines.c.change_id)
    .where(change_lines.c.booked_run.is_not(None))
)
_LOCKING = select(actions.c.id, actions.c.locking_at)


class Promises:
    """Watches a campaign: `begin` before a run, `look` after each of its steps."""

    def __init__(self, lab: InsideLab) -> None:
        self._lab = lab
        self._sold: dict[str, Decimal] = {}
        """What each action was paid when it was first reported."""
        self._others: Counter[str] = Counter()
        """By how much others have lowered each payout."""
        self._before: State = {}
        self._seen = 0

    def begin(self) -> None:
        """Remember how everything stands before a run."""
        self._before = self._state()

    def _state(self) -> State:
        state = self._lab.state()
        for action_id, shown in state.items():
            self._sold.setdefault(action_id, Decimal(shown["Payout"]))
        return state

    @contextmanager
    def somebody_else(self, action_id: str) -> Iterator[None]:
        """What is done to an action in here is not our doing.

        What raises it again before anybody has read our effect undoes that effect: nothing was
        recovered, and nothing is theirs.
        """
        before = Decimal(self._state()[action_id]["Payout"])
        yield
        after = self._state()[action_id]
        lowered = before - Decimal(after["Payout"])
        self._others[action_id] += lowered + min(
            self._unread(action_id, before), max(-lowered, ZERO)
        )
        self._before[action_id] = after

    def _unread(self, action_id: str, payout: Decimal) -> Decimal:
        """What a change on its way has taken off an action, that now pays `payout`."""
        here = select(changes.c.before_payout).where(
            changes.c.action_id == action_id, changes.c.state.in_(SENT)
        )
        with self._lab.ledger.read() as conn:
            before = conn.scalar(here)
        return ZERO if before is None else max(before - payout, ZERO)

    def look(self) -> None:
        """All that must hold at any time."""
        self._nothing_raised()
        self._log()
        self._books()

    def _nothing_raised(self) -> None:
        """No run of ours has raised an amount, a quantity, or brought an action back."""
        for action_id, now in self._state().items():
            was = self._before.get(action_id)
            if was is None:
                continue
            assert Decimal(now["Amount"]) <= Decimal(was["Amount"]), (action_id, was, now)
            assert not (was["State"] == "REVERSED" != now["State"]), action_id
            for old, new in zip(was["Items"], now["Items"], strict=True):
                assert int(new["Quantity"]) <= int(old["Quantity"]), (action_id, old, new)
                assert Decimal(new["SaleAmount"]) <= Decimal(old["SaleAmount"]), (action_id, new)

    def _log(self) -> None:
        """No write to an action that the ledger knew to be locked; no request over the limit."""
        log = self._lab.sandbox.log
        new = [vars_of(entry) for entry in islice(log, self._seen, None)]
        ours = self._lab.server.account_sid
        with self._lab.ledger.read() as conn:
            locking = {row.id: row.locking_at for row in conn.execute(_LOCKING)}
        for entry in new:
            if entry["user"] != ours:
                continue
            if entry["kind"] in {"modify", "reverse"}:
                action_id = dict(parse_qsl(entry["body"]))["ActionId"]
                lock = locking.get(action_id)
                assert lock is None or entry["time"] < lock.timestamp(), entry
            if entry["status"] == 429:
                assert "rate_limited" in entry["faults"] or self._spent_by_others(entry), entry
        self._seen = len(log)

    def _spent_by_others(self, refused: dict[str, Any]) -> bool:
        """Whether another tool has used the account in the two hours before a request."""
        ours = self._lab.server.account_sid
        return any(
            entry.user != ours and refused["time"] - 7200 < entry.time <= refused["time"]
            for entry in self._lab.sandbox.log
        )

    def _books(self) -> None:
        """All closed books balance, and what they recovered is what changes have booked."""
        with self._lab.ledger.read() as conn:
            closed = [books for (books,) in conn.execute(_BOOKS) if books]
        for books in closed:
            assert balanced(books), books
        recovered = sum((Decimal(books["commission_recovered"]) for books in closed), ZERO)
        assert recovered == sum(self._booked().values(), ZERO), (recovered, self._booked())

    def _booked(self) -> dict[str, Decimal]:
        """What the books have counted as recovered, by action."""
        booked: dict[str, Decimal] = {}
        with self._lab.ledger.read() as conn:
            for action_id, payout in conn.execute(_SHARES):
                booked[action_id] = booked.get(action_id, ZERO) + payout
        return booked

    def at_rest(self) -> None:
        """What holds once nothing is on its way: the money of each action, a word on each line."""
        booked = self._booked()
        for action_id, now in self._state().items():
            gone = self._sold[action_id] - Decimal(now["Payout"]) - self._others[action_id]
            assert booked.get(action_id, ZERO) == gone, (action_id, booked, gone)
        lines = [row for row in self._lab.table(return_lines) if row["status"] == "valid"]
        assert [row for row in lines if row["outcome"] is None] == []
