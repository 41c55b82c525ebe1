"""Loads whole orders from the ledger in the form that the rules read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from itertools import chain, groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, Dialect, Select, and_, exists, select, text

from clawback.impact.windows import Span, union
from clawback.ledger import changes as book
from clawback.ledger.bulk import among, decode_rows, fetch, fetch_plain
from clawback.ledger.changes import SENT, ChangeState
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
from clawback.reconcile import quick
from clawback.reconcile.facts import (
    Action,
    Decision,
    Item,
    Order,
)
from clawback.reconcile.record import record
from clawback.steps.made import action_of, item_of, line_of
from clawback.steps.scope import listed, span_of

_LINE = [return_lines.c[name] for name in (*quick.LINE, "outcome", "final_run")]
_READ = [*_LINE, reads.c.line_id]
_ACTION = [actions.c[name] for name in (*quick.ACTION, "planned_generation")]
_ITEM = [items.c[name] for name in quick.ITEM]
_key = itemgetter(0)


@record
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


@record
class Raw:
    """Rows of some orders as `fetch_plain` gives them, and what only few of the orders have.

    `lines` and `actions` are by order key, `items` by ActionId. `opened` are changes that are sent
    and not yet seen, by ActionId; `busy` are the actions with such a change, or a reset.
    """

    lines: Mapping[str, list[Row]]
    actions: Mapping[str, list[Row]]
    items: Mapping[str, list[Row]]
    opened: Mapping[str, str]
    busy: frozenset[str]
    decided: Mapping[str, tuple[Decision, ...]]


@record
class _Around:
    """What is known around the lines of some orders, for few of them."""

    open_lines: Mapping[str, frozenset[int]]
    confirmed: Mapping[tuple[int, str], str]
    unbooked: Mapping[tuple[int, str], str]


class Loader:
    """Loads orders as they stand for one run; `listed_to` is when impact.com was last listed."""

    def __init__(
        self, run: Run, program: Program, covered: Sequence[Span], listed_to: datetime
    ) -> None:
        self._run, self._program, self._listed_to = run, program, listed_to
        self._covered = union(covered)

    def load(self, conn: Connection, keys: Sequence[str]) -> Iterator[Loaded]:
        """The orders with the given keys; an order without a valid line is left out."""
        return self.made_of(conn, self.rows(conn, keys), keys)

    def rows(self, conn: Connection, keys: Sequence[str]) -> Raw:
        """What the ledger holds of some orders, as it stands there."""
        account, program = self._run.account, self._run.program
        lines = _grouped(fetch_plain(conn, self._lines(conn, keys)))
        found = _grouped(fetch_plain(conn, self._actions(conn, keys)))
        ids = [row[1] for rows in found.values() for row in rows]
        held = _grouped(fetch_plain(conn, _items(conn, account, ids)))
        opened = _sent(conn, account, ids)
        resetting = exists().where(resets.c.account == account, resets.c.state.in_(OPEN))
        answered = exists().where(
            decisions.c.program == program, decisions.c.withdrawn_at.is_(None)
        )
        there = conn.execute(select(resetting, answered)).one()
        busy = opened.keys() | (open_resets(conn, account, ids) if there[0] else set())
        decided = in_force(conn, program, keys) if there[1] else {}
        return Raw(lines, found, held, opened, frozenset(busy), decided)

    def made_of(self, conn: Connection, raw: Raw, keys: Iterable[str]) -> Iterator[Loaded]:
        """The orders with the given keys, made of their rows."""
        mine = [key for key in keys if key in raw.lines]
        dialect = conn.dialect
        lines = _decoded(dialect, _READ, (raw.lines[key] for key in mine))
        found = _decoded(dialect, _ACTION, (raw.actions.get(key, ()) for key in mine))
        ids = [row[1] for rows in found.values() for row in rows]
        held = _decoded(dialect, _ITEM, (raw.items.get(one, ()) for one in ids))
        made = {action_id: tuple(map(item_of, rows)) for action_id, rows in held.items()}
        around = self._around(conn, raw, lines)
        for key in mine:
            yield self._loaded(key, lines[key], found.get(key, ()), made, raw, around)

    def _loaded(  # noqa: PLR0913, PLR0917 - the rows of one order, and what lies around them
        self,
        key: str,
        lines: Sequence[Row],
        found: Sequence[Row],
        held: Mapping[str, tuple[Item, ...]],
        raw: Raw,
        around: _Around,
    ) -> Loaded:
        order = Order(
            lines[0][2],
            tuple([line_of(row) for row in lines]),
            tuple([action_of(row, held.get(row[1], ()), row[1] in raw.busy) for row in found]),
            bool(found) or self._span_listed(lines),
            raw.decided.get(key, ()),
        )
        rows: dict[int, Mapping[str, Any]] = {
            row[1]: {"order_id": row[2], "currency": row[8], "outcome": row[17]} for row in lines
        }
        read = frozenset([row[1] for row in lines if row[-1] is not None])
        unseen = tuple([row[1] for row in found if row[-1] != row[14]])
        return Loaded(
            *(order, key, rows, read, raw.opened, around.open_lines),
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
            select(*_READ)
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

    def _around(self, conn: Connection, raw: Raw, lines: Mapping[str, Sequence[Row]]) -> _Around:
        """What only few lines have; where the ledger holds none of a kind it is not looked for."""
        covers = book.lines_of(conn, list(raw.opened.values()))
        proved = exists().where(
            changes.c.account == self._run.account,
            changes.c.program == self._run.program,
            changes.c.state == ChangeState.CONFIRMED,
        )
        there = bool(lines) and conn.execute(select(proved)).scalar_one()
        uncounted = [row[1] for rows in lines.values() for row in rows if row[18] is None]
        withdrawn = [row[1] for rows in lines.values() for row in rows if row[14] or row[15]]
        return _Around(
            {one: frozenset(r["line_id"] for r in rows) for one, rows in covers.items()},
            book.confirmed_of(conn, uncounted) if there else {},
            book.unbooked_of(conn, withdrawn) if there and withdrawn else {},
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


def _grouped(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows that come sorted, by their first column."""
    return {key: list(some) for key, some in groupby(rows, _key)}


def _decoded(
    dialect: Dialect, columns: Sequence[ColumnElement[Any]], groups: Iterable[Iterable[Row]]
) -> dict[str, list[Row]]:
    """Groups of plain rows with their values decoded, by their first column."""
    return _grouped(decode_rows(dialect, columns, list(chain.from_iterable(groups))))


def _sent(conn: Connection, account: str, ids: Sequence[str]) -> dict[str, str]:
    """The ids of changes of some actions that are sent and not yet seen, by ActionId."""
    here = select(changes.c.action_id, changes.c.id, changes.c.state).where(
        changes.c.account == account,
        among(conn, changes.c.action_id, ids),
        text(OPEN_CHANGE),  # word for word as in the index, or SQLite does not use it
    )
    return {action_id: one for action_id, one, state in fetch(conn, here) if state in SENT}


def _items(conn: Connection, account: str, ids: Sequence[str]) -> Select[Any]:
    here = select(*_ITEM).where(items.c.account == account, among(conn, items.c.action_id, ids))
    return here.order_by(items.c.action_id, items.c.position)


def load_action(conn: Connection, account: str, action_id: str) -> Action | None:
    """One action as the ledger holds it; None if it was never listed."""
    here = select(*_ACTION).where(actions.c.account == account, actions.c.id == action_id)
    rows = list(fetch(conn, here))
    if not rows:
        return None
    held = tuple(map(item_of, fetch(conn, _items(conn, account, [action_id]))))
    return action_of(rows[0], held, opened=False)
