"""Loads whole orders from the ledger in the form that the rules read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, and_, exists, select, text

from clawback.impact.windows import Span, union
from clawback.ledger import changes as book
from clawback.ledger.bulk import among, fetch
from clawback.ledger.changes import SENT, ChangeState
from clawback.ledger.codec import desired_from_json
from clawback.ledger.decisions import in_force
from clawback.ledger.resets import OPEN, open_resets
from clawback.ledger.runs import Run
from clawback.ledger.tables import (
    OPEN_CHANGE,
    actions,
    changes,
    decisions,
    items,
    reads,
    resets,
    return_lines,
)
from clawback.ledger.values import Row
from clawback.program import Program
from clawback.reconcile.facts import (
    Action,
    ActionState,
    Decision,
    Item,
    Kind,
    Line,
    LineKey,
    Order,
    Source,
)
from clawback.steps.scope import listed, span_of

_KINDS = {kind.value: kind for kind in Kind}
_STATES = {state.value: state for state in ActionState}
_SOURCES = {source.value: source for source in Source}
_LINE = [
    return_lines.c[name]
    for name in (
        *("order_key", "id", "order_id", "return_id", "sku", "kind", "quantity", "amount"),
        *("currency", "reason", "returned_at", "ordered_at", "ordered_quantity", "ordered_amount"),
        *("voided", "vanished", "parent_sku", "outcome", "final_run"),
    )
]
_ACTION = [
    actions.c[name]
    for name in (
        *("order_key", "id", "tracker_id", "partner_id", "state", "amount", "payout", "currency"),
        *("created_at", "locking_at", "cleared_at", "original_amount", "original_payout"),
        *("modifications", "generation", "settled", "refused", "planned_generation"),
    )
]
_ITEM = [
    items.c[name]
    for name in (
        *("action_id", "sku", "quantity", "amount", "original_quantity", "original_amount"),
        *("source", "touched"),
    )
]
_key = itemgetter(0)


@dataclass(frozen=True, slots=True)
class Loaded:
    """An order, what the ledger says of its lines, and the changes that concern them.

    `rows` gives order_id, currency and outcome of each line. `read` are the lines that
    this run has read. `open` are changes that are sent and not yet seen, by ActionId (of other
    orders, too). `confirmed`
    are changes that were confirmed and whose lines no books have counted yet: their run was closed
    or died before it saw them; `unbooked` are those whose share of a line no books have
    counted, of withdrawn lines alone. `unseen` are the actions whose generation no live plan has
    seen.
    """

    order: Order
    order_key: str
    rows: dict[int, Mapping[str, Any]]
    read: frozenset[int] = frozenset()
    open: Mapping[str, str] = field(default_factory=dict)
    open_lines: Mapping[str, frozenset[int]] = field(default_factory=dict)
    confirmed: Mapping[tuple[int, str], str] = field(default_factory=dict)
    unbooked: Mapping[tuple[int, str], str] = field(default_factory=dict)
    unseen: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Around:
    """What is known around some orders, for few of them."""

    opened: Mapping[str, str]
    open_lines: Mapping[str, frozenset[int]]
    busy: frozenset[str]
    confirmed: Mapping[tuple[int, str], str]
    unbooked: Mapping[tuple[int, str], str]
    decided: Mapping[str, tuple[Decision, ...]]


class Loader:
    """Loads orders as they stand for one run; `listed_to` is when impact.com was last listed."""

    def __init__(
        self, run: Run, program: Program, covered: Sequence[Span], listed_to: datetime
    ) -> None:
        self._run, self._program, self._listed_to = run, program, listed_to
        self._covered = union(covered)

    def load(self, conn: Connection, keys: Sequence[str]) -> Iterator[Loaded]:
        """The orders with the given keys; an order without a valid line is left out."""
        lines = _grouped(fetch(conn, self._lines(conn, keys)))
        found = _grouped(fetch(conn, self._actions(conn, keys)))
        ids = [row[1] for rows in found.values() for row in rows]
        held = items_of(conn, self._run.account, ids)
        around = self._around(conn, keys, lines, ids)
        for key in keys:
            if key in lines:
                yield self._loaded(key, lines[key], found.get(key, ()), held, around)

    def _loaded(
        self,
        key: str,
        lines: Sequence[Row],
        found: Sequence[Row],
        held: Mapping[str, tuple[Item, ...]],
        around: _Around,
    ) -> Loaded:
        order = Order(
            lines[0][2],
            tuple([_line(row) for row in lines]),
            tuple([_action(row, held.get(row[1], ()), row[1] in around.busy) for row in found]),
            bool(found) or self._span_listed(lines),
            around.decided.get(key, ()),
        )
        rows: dict[int, Mapping[str, Any]] = {
            row[1]: {"order_id": row[2], "currency": row[8], "outcome": row[17]} for row in lines
        }
        read = frozenset([row[1] for row in lines if row[-1] is not None])
        unseen = tuple([row[1] for row in found if row[-1] != row[14]])
        return Loaded(
            *(order, key, rows, read, around.opened, around.open_lines),
            *(around.confirmed, around.unbooked, unseen),
        )

    def _lines(self, conn: Connection, keys: Sequence[str]) -> Any:
        run, row = self._run, return_lines.c
        read = and_(
            reads.c.program == run.program,
            reads.c.read_no == run.read_no,
            reads.c.line_id == row.id,
        )
        return (
            select(*_LINE, reads.c.line_id)
            .outerjoin_from(return_lines, reads, read)
            .where(
                row.program == run.program,
                among(conn, row.order_key, keys),
                row.status == "valid",
            )
            .order_by(row.order_key, row.id)
        )

    def _actions(self, conn: Connection, keys: Sequence[str]) -> Any:
        here = select(*_ACTION).where(
            actions.c.account == self._run.account,
            actions.c.campaign_id == self._program.campaign_id,
            among(conn, actions.c.order_key, keys),
        )
        if self._program.action_trackers:
            here = here.where(actions.c.tracker_id.in_(self._program.action_trackers))
        return here.order_by(actions.c.order_key, actions.c.created_at, actions.c.id)

    def _around(
        self,
        conn: Connection,
        keys: Sequence[str],
        lines: Mapping[str, Sequence[Row]],
        ids: Sequence[str],
    ) -> _Around:
        """What only few orders have; where the ledger holds none of a kind it is not looked for."""
        account, program = self._run.account, self._run.program
        opened = _sent(conn, account, ids)
        covers = book.lines_of(conn, list(opened.values()))
        resetting = exists().where(resets.c.account == account, resets.c.state.in_(OPEN))
        proved = exists().where(
            changes.c.account == account,
            changes.c.program == program,
            changes.c.state == ChangeState.CONFIRMED,
        )
        answered = exists().where(
            decisions.c.program == program, decisions.c.withdrawn_at.is_(None)
        )
        there = conn.execute(select(resetting, proved, answered)).one()
        uncounted = [row[1] for rows in lines.values() for row in rows if row[18] is None]
        withdrawn = [row[1] for rows in lines.values() for row in rows if row[14] or row[15]]
        return _Around(
            opened,
            {one: frozenset(r["line_id"] for r in rows) for one, rows in covers.items()},
            frozenset(opened.keys() | (open_resets(conn, account, ids) if there[0] else set())),
            book.confirmed_of(conn, uncounted) if there[1] else {},
            book.unbooked_of(conn, withdrawn) if there[1] and withdrawn else {},
            in_force(conn, program, keys) if there[2] else {},
        )

    def _span_listed(self, lines: Sequence[Row]) -> bool:
        ordered = [row[11] for row in lines if row[11] is not None]
        returned = [row[10] for row in lines]
        span = span_of(
            self._program,
            (min(ordered, default=None), max(ordered, default=None)),
            (min(returned), max(returned)),
            self._listed_to,
        )
        return listed(span, self._covered, self._listed_to)


def _grouped(rows: Iterator[Row]) -> dict[str, list[Row]]:
    """Rows that come sorted, by their first column."""
    return {key: list(some) for key, some in groupby(rows, _key)}


def _sent(conn: Connection, account: str, ids: Sequence[str]) -> dict[str, str]:
    """The ids of changes of some actions that are sent and not yet seen, by ActionId."""
    here = select(changes.c.action_id, changes.c.id, changes.c.state).where(
        changes.c.account == account,
        among(conn, changes.c.action_id, ids),
        text(OPEN_CHANGE),  # word for word as in the index, or SQLite does not use it
    )
    return {action_id: one for action_id, one, state in fetch(conn, here) if state in SENT}


def items_of(conn: Connection, account: str, ids: Sequence[str]) -> dict[str, tuple[Item, ...]]:
    """The items of some actions, in recorded order, by ActionId."""
    here = select(*_ITEM).where(items.c.account == account, among(conn, items.c.action_id, ids))
    rows = fetch(conn, here.order_by(items.c.action_id, items.c.position))
    return {
        action_id: tuple(
            [
                Item(
                    sku, quantity, amount, had, cost, _SOURCES[source] if source else None, touched
                )
                for _, sku, quantity, amount, had, cost, source, touched in some
            ]
        )
        for action_id, some in groupby(rows, _key)
    }


def _line(row: Row) -> Line:
    _, line_id, order_id, return_id, sku, kind, quantity, amount, currency, reason, *more = row
    returned_at, ordered_at, ordered_quantity, ordered_amount, voided, vanished, parent, *_ = more
    return Line(
        line_id,
        LineKey(order_id, return_id, sku),
        _KINDS[kind],
        quantity,
        amount,
        currency,
        reason or "",
        returned_at,
        ordered_at,
        ordered_quantity,
        ordered_amount,
        voided,
        vanished,
        parent,
    )


def _action(row: Row, held: tuple[Item, ...], opened: bool) -> Action:
    _, action_id, tracker, partner, state, amount, payout, currency, created_at, *more = row
    locking_at, cleared_at, original, original_payout, modifications, generation, *last = more
    settled, refused = last[0], last[1] or {}
    final = bool(refused.get("final")) and refused.get("generation") == generation
    return Action(
        action_id,
        tracker,
        partner,
        _STATES[state],
        amount,
        payout,
        currency,
        created_at,
        locking_at,
        cleared_at,
        held,
        original,
        original_payout,
        modifications,
        generation,
        desired_from_json(settled) if settled else None,
        opened,
        final,
        "" if final else refused.get("identity", ""),
        "" if final else refused.get("error", ""),
    )


def load_action(conn: Connection, account: str, action_id: str) -> Action | None:
    """One action as the ledger holds it; None if it was never listed."""
    here = select(*_ACTION).where(actions.c.account == account, actions.c.id == action_id)
    rows = list(fetch(conn, here))
    if not rows:
        return None
    held = items_of(conn, account, [action_id]).get(action_id, ())
    return _action(rows[0], held, opened=False)
