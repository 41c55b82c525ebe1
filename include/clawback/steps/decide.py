"""Decisions: a person's answer to a hold, checked against what the ledger knows of the order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from clawback.errors import ClawbackError
from clawback.ledger import decisions as book
from clawback.ledger import runs
from clawback.ledger.store import Ledger
from clawback.ledger.tables import actions, programs, return_lines
from clawback.program import Program
from clawback.reconcile.outcomes import Hold, Outcome
from clawback.reconcile.resolve import normalise
from clawback.steps.verbs import VERBS, WITHDRAW

__all__ = ["VERBS", "WITHDRAW", "DecisionError", "decide", "decide_all", "decide_held"]

BASELINES = ("impact", "warehouse")
_OPPOSITE = {"retry": "stand_back", "stand_back": "retry"}
IGNORE = "ignore"
_REFUSED = (
    "a change that a person refused stays held, whatever is ignored: answer retry to let it go "
    "after all, or ignore with the return id as the value to count the return no more"
)
_SHOWN = 20


class DecisionError(ClawbackError):
    """A decision that does not fit the order; the message says what would."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What the ledger knows of the order that is decided on."""

    program: str
    order_id: str
    order_key: str
    returns: frozenset[str]
    trackers: dict[str, str]
    """Action tracker by ActionId."""


def decide(  # noqa: PLR0913 - a decision is these things
    ledger: Ledger,
    program: Program,
    order_id: str,
    verb: str,
    value: str = "",
    *,
    reason: str,
    by: str,
    now: datetime,
) -> dict[str, Any]:
    """Keep a person's decision on an order; the next run takes it up.

    `verb` is one of VERBS, or "withdraw" with the verb to take back as its value (empty: all). A
    decision replaces those that it contradicts. Raises DecisionError where the order is not
    known, the value names nothing of it, or reason or name are missing.
    """
    [kept] = decide_all(ledger, program, [order_id], verb, value, reason=reason, by=by, now=now)
    return kept


def decide_all(  # noqa: PLR0913 - as decide, for several orders
    ledger: Ledger,
    program: Program,
    order_ids: Iterable[str],
    verb: str,
    value: str = "",
    *,
    reason: str,
    by: str,
    now: datetime,
    dry_run: bool = False,
) -> list[dict[str, Any]]:
    """The same decision on each of some orders, on all of them or on none.

    A dry run checks all of them and keeps nothing. Raises DecisionError as decide does.
    """
    _need("a reason (--reason)", reason)
    _need("who decides (--by)", by)
    answer, why = (verb, value.strip()), (reason, by)
    orders = list(dict.fromkeys(order_ids))
    if dry_run:
        with ledger.read() as conn:
            return [_Answer.to(conn, program, order, answer).told(why) for order in orders]
    with ledger.begin() as conn:
        found = [_Answer.to(conn, program, order, answer) for order in orders]
        return [one.told(why) | {"id": one.keep(conn, why, now)} for one in found]


@dataclass(frozen=True, slots=True)
class _Answer:
    """A decision on an order that was checked, and the decisions that it takes the place of."""

    known: _Known
    verb: str
    value: str
    ids: list[int]

    @classmethod
    def to(
        cls, conn: Connection, program: Program, order_id: str, answer: tuple[str, str]
    ) -> _Answer:
        verb, value = answer
        known = _known(conn, program, order_id)
        standing = book.standing(conn, known.program, [known.order_key]).get(known.order_key, [])
        if verb == WITHDRAW:
            return cls(known, verb, value, _to_withdraw(standing, value, order_id))
        value = _checked(known, verb, value)
        ids = [row["id"] for row in _contradicted(known, standing, verb, value)]
        return cls(known, verb, value, ids)

    def keep(self, conn: Connection, why: tuple[str, str], now: datetime) -> int | None:
        """Write it into the ledger; the decision's number, None where one was taken back."""
        decision = None
        if self.verb != WITHDRAW:
            decision = book.add(conn, _row(self.known, (self.verb, self.value), why, now))
        book.withdraw(conn, self.ids, why[1], now)
        subject = ("order", self.known.order_key)
        runs.note(conn, "", now, subject, "", "decided", self._said(why))
        return decision

    def told(self, why: tuple[str, str]) -> dict[str, Any]:
        named = {"program": self.known.program, "order_id": self.known.order_id}
        return self._said(why) | {"id": None} | named

    def _said(self, why: tuple[str, str]) -> dict[str, Any]:
        said = {"verb": self.verb, "value": self.value, "reason": why[0], "by": why[1]}
        return said | {"withdrawn": self.ids}


def decide_held(  # noqa: PLR0913 - as decide, for all orders of one hold
    ledger: Ledger,
    program: Program,
    hold: str,
    verb: str,
    value: str = "",
    *,
    reason: str,
    by: str,
    now: datetime,
    dry_run: bool = False,
) -> list[dict[str, Any]]:
    """The same decision on every order that has a line held for one reason, all or none.

    Raises DecisionError for a hold that is none, or where no order is held so.
    """
    hold = _one_of(hold, [h.value for h in Hold], "the hold reasons are")
    here = select(return_lines.c.order_id).where(
        return_lines.c.program == program.name,
        return_lines.c.outcome == Outcome.HELD.value,
        return_lines.c.hold == hold,
    )
    with ledger.read() as conn:
        orders = conn.scalars(here.distinct().order_by(return_lines.c.order_id)).all()
    if not orders:
        raise DecisionError(f"program {program.name!r} has no order that is held as {hold}")
    if hold == Hold.APPROVAL_REFUSED and verb == IGNORE:
        raise DecisionError(_REFUSED)
    who: dict[str, Any] = {"reason": reason, "by": by, "now": now, "dry_run": dry_run}
    return decide_all(ledger, program, orders, verb, value, **who)


def decisions_of(ledger: Ledger, program: Program, order_id: str) -> list[dict[str, Any]]:
    """The decisions that stand on an order, oldest first."""
    key = normalise(order_id, program.order_ids.rules())
    with ledger.read() as conn:
        rows = book.standing(conn, program.name, [key]).get(key, [])
    names = ("id", "verb", "value", "reason", "decided_by")
    return [{n: row[n] for n in names} | {"at": row["decided_at"].isoformat()} for row in rows]


def _need(what: str, given: str) -> None:
    if not given.strip():
        raise DecisionError(f"a decision needs {what}: it is kept in the ledger for whoever asks")


def _row(
    known: _Known, answer: tuple[str, str], why: tuple[str, str], now: datetime
) -> dict[str, object]:
    return {
        "program": known.program,
        "order_id": known.order_id,
        "order_key": known.order_key,
        "verb": answer[0],
        "value": answer[1],
        "reason": why[0],
        "decided_by": why[1][:255],
        "decided_at": now,
    }


def _known(conn: Connection, program: Program, order_id: str) -> _Known:
    key = normalise(order_id, program.order_ids.rules())[:255]
    here = (return_lines.c.program == program.name) & (return_lines.c.order_key == key)
    lines = conn.execute(select(return_lines.c.order_id, return_lines.c.return_id).where(here))
    rows = lines.all()
    if not rows:
        raise DecisionError(
            f"program {program.name!r} has no return line of order {order_id!r} in the ledger; "
            "check its spelling, and that --program names the right program"
        )
    return _Known(
        program=program.name,
        order_id=rows[0].order_id,
        order_key=key,
        returns=frozenset(row.return_id for row in rows),
        trackers=_trackers(conn, program, key),
    )


def _trackers(conn: Connection, program: Program, key: str) -> dict[str, str]:
    account = select(programs.c.account).where(programs.c.name == program.name)
    here = select(actions.c.id, actions.c.tracker_id).where(
        actions.c.account == account.scalar_subquery(),
        actions.c.campaign_id == program.campaign_id,
        actions.c.order_key == key,
    )
    return {row.id: row.tracker_id for row in conn.execute(here)}


def _checked(known: _Known, verb: str, value: str) -> str:
    """The value as it is kept; raises DecisionError where it says nothing that the order has."""
    if verb not in VERBS:
        raise DecisionError(f"{verb!r} is no decision; take one of {', '.join(VERBS)}, {WITHDRAW}")
    if verb == "accept_baseline":
        return _one_of(value or BASELINES[0], BASELINES, "accept_baseline takes as its value")
    if verb == IGNORE:
        if not value:
            return value
        if value == Hold.APPROVAL_REFUSED:
            raise DecisionError(_REFUSED)
        allowed = (*sorted(known.returns), *(hold.value for hold in Hold))
        return _one_of(value, allowed, f"order {known.order_id} has as returns and holds")
    if not value and verb != "pick_action":
        return value
    if not known.trackers:
        raise DecisionError(
            f"the ledger knows no action of order {known.order_id}, so there is none to "
            f"{verb.replace('_', ' ')}; wait until a run has listed it"
        )
    return _one_of(value, sorted(known.trackers), f"the actions of order {known.order_id} are")


def _one_of(value: str, allowed: Sequence[str], what: str) -> str:
    if value not in allowed:
        shown = ", ".join(allowed[:_SHOWN])
        raise DecisionError(f"{value!r} does not fit: {what} {shown}; give one of them as --value")
    return value


def _contradicted(
    known: _Known, standing: Iterable[RowMapping], verb: str, value: str
) -> Iterator[RowMapping]:
    """The decisions that stand and that a new one replaces."""
    for row in standing:
        same = row["verb"] == verb
        if same and (row["value"] == value or verb == "accept_baseline"):
            yield row
        elif same and verb == "pick_action":
            if known.trackers.get(row["value"]) == known.trackers[value]:
                yield row
        elif row["verb"] == _OPPOSITE.get(verb) and _overrules(verb, value, row["value"]):
            yield row


def _overrules(verb: str, value: str, earlier: str) -> bool:
    """Whether a retry or stand_back of `value` takes back the opposite of `earlier`.

    Where both stand, standing back wins; so a retry of one action needs no order-wide one of it.
    """
    return value in {"", earlier} or (verb == "retry" and not earlier)


def _to_withdraw(standing: Sequence[RowMapping], verb: str, order_id: str) -> list[int]:
    ids = [row["id"] for row in standing if not verb or row["verb"] == verb]
    if not ids:
        there = ", ".join(sorted({row["verb"] for row in standing})) or "none"
        raise DecisionError(
            f"order {order_id!r} has no decision {verb or 'at all'} to withdraw; standing: {there}"
        )
    return ids
