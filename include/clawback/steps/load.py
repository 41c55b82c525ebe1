"""Loads whole orders from the ledger in the form that the rules read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from clawback.impact.windows import Span
from clawback.ledger import actions as stock
from clawback.ledger import changes as book
from clawback.ledger.changes import SENT
from clawback.ledger.codec import desired_from_json
from clawback.ledger.decisions import in_force
from clawback.ledger.lines import lines_read
from clawback.ledger.resets import open_resets
from clawback.ledger.runs import Run
from clawback.ledger.store import chunks
from clawback.ledger.tables import actions, reads, return_lines
from clawback.program import Program
from clawback.reconcile.facts import Action, ActionState, Item, Kind, Line, LineKey, Order
from clawback.steps.scope import listed, span_of


@dataclass(frozen=True, slots=True)
class Loaded:
    """An order, the ledger's rows of its lines, and the changes that concern them.

    `read` are the lines that this run has read. `confirmed` are changes that were confirmed and
    whose lines no books have counted yet: their run was closed or died before it saw them.
    """

    order: Order
    rows: dict[int, RowMapping]
    read: frozenset[int] = frozenset()
    open: dict[str, RowMapping] = field(default_factory=dict)
    open_lines: dict[str, frozenset[int]] = field(default_factory=dict)
    confirmed: dict[tuple[int, str], str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Loader:
    """Loads orders as they stand for one run; `listed_to` is when impact.com was last listed."""

    run: Run
    program: Program
    covered: Sequence[Span]
    listed_to: datetime

    def load(self, conn: Connection, keys: Sequence[str]) -> Iterator[Loaded]:
        """The orders with the given keys; an order without a valid line is left out."""
        lines = self._lines(conn, keys)
        by_order, ids = self._actions(conn, keys)
        items = stock.items_of(conn, self.run.account, ids)
        opened = {
            action_id: row
            for action_id, row in book.open_changes(conn, self.run.account, ids).items()
            if row["state"] in SENT
        }
        read = self._read(conn, [row["id"] for rows in lines.values() for row in rows])
        uncounted = [r["id"] for rows in lines.values() for r in rows if r["final_run"] is None]
        confirmed = book.confirmed_of(conn, uncounted)
        covers = book.lines_of(conn, [row["id"] for row in opened.values()])
        decided = in_force(conn, self.run.program, keys)
        busy = opened.keys() | open_resets(conn, self.run.account, ids)
        for key in keys:
            if key not in lines:
                continue
            rows = {row["id"]: row for row in lines[key]}
            mine = by_order.get(key, [])
            yield Loaded(
                order=Order(
                    order_id=lines[key][0]["order_id"],
                    lines=tuple(_line(row) for row in lines[key]),
                    actions=tuple(
                        _action(row, items.get(row["id"], ()), row["id"] in busy) for row in mine
                    ),
                    span_listed=self._listed(lines[key]),
                    decisions=decided.get(key, ()),
                ),
                rows=rows,
                read=frozenset(read & rows.keys()),
                open={row["id"]: opened[row["id"]] for row in mine if row["id"] in opened},
                confirmed={at: change for at, change in confirmed.items() if at[0] in rows},
                open_lines={
                    change["id"]: frozenset(r["line_id"] for r in covers.get(change["id"], ()))
                    for row in mine
                    if (change := opened.get(row["id"])) is not None
                },
            )

    def _read(self, conn: Connection, ids: Sequence[int]) -> set[int]:
        """Those of some lines that this run has read."""
        found: set[int] = set()
        for some in chunks(ids):
            mine = lines_read(self.run.program, self.run.read_no)
            found.update(conn.scalars(mine.where(reads.c.line_id.in_(some))))
        return found

    def _lines(self, conn: Connection, keys: Sequence[str]) -> dict[str, list[RowMapping]]:
        here = select(return_lines).where(
            return_lines.c.program == self.run.program,
            return_lines.c.order_key.in_(keys),
            return_lines.c.status == "valid",
        )
        found: dict[str, list[RowMapping]] = defaultdict(list)
        for row in conn.execute(here.order_by(return_lines.c.id)).mappings():
            found[row["order_key"]].append(row)
        return found

    def _actions(
        self, conn: Connection, keys: Sequence[str]
    ) -> tuple[dict[str, list[RowMapping]], list[str]]:
        here = select(actions).where(
            actions.c.account == self.run.account,
            actions.c.campaign_id == self.program.campaign_id,
            actions.c.order_key.in_(keys),
        )
        if self.program.action_trackers:
            here = here.where(actions.c.tracker_id.in_(self.program.action_trackers))
        found: dict[str, list[RowMapping]] = defaultdict(list)
        ids = []
        for row in conn.execute(here.order_by(actions.c.created_at, actions.c.id)).mappings():
            found[row["order_key"]].append(row)
            ids.append(row["id"])
        return found, ids

    def _listed(self, rows: Sequence[RowMapping]) -> bool:
        ordered = [row["ordered_at"] for row in rows if row["ordered_at"] is not None]
        returned = [row["returned_at"] for row in rows]
        span = span_of(
            self.program,
            (min(ordered, default=None), max(ordered, default=None)),
            (min(returned), max(returned)),
            self.listed_to,
        )
        return listed(span, self.covered, self.listed_to)


def _line(row: RowMapping) -> Line:
    return Line(
        id=row["id"],
        key=LineKey(row["order_id"], row["return_id"], row["sku"]),
        kind=Kind(row["kind"]),
        quantity=row["quantity"],
        amount=row["amount"],
        currency=row["currency"],
        reason=row["reason"] or "",
        returned_at=row["returned_at"],
        ordered_at=row["ordered_at"],
        ordered_quantity=row["ordered_quantity"],
        ordered_amount=row["ordered_amount"],
        voided=row["voided"],
        vanished=row["vanished"],
        parent_sku=row["parent_sku"],
    )


def _action(row: RowMapping, items: Sequence[Item], opened: bool) -> Action:
    refused: dict[str, Any] = row["refused"] or {}
    final = bool(refused.get("final")) and refused.get("generation") == row["generation"]
    return Action(
        id=row["id"],
        tracker_id=row["tracker_id"],
        partner_id=row["partner_id"],
        state=ActionState(row["state"]),
        amount=row["amount"],
        payout=row["payout"],
        currency=row["currency"],
        created_at=row["created_at"],
        locking_at=row["locking_at"],
        cleared_at=row["cleared_at"],
        items=tuple(items),
        original_amount=row["original_amount"],
        original_payout=row["original_payout"],
        modifications=row["modifications"],
        generation=row["generation"],
        settled_by_us=desired_from_json(row["settled"]) if row["settled"] else None,
        open_change=opened,
        refused_final=final,
        rejected_identity="" if final else refused.get("identity", ""),
        rejected="" if final else refused.get("error", ""),
    )


def load_action(conn: Connection, account: str, action_id: str) -> Action | None:
    """One action as the ledger holds it; None if it was never listed."""
    row = stock.action_rows(conn, account, [action_id]).get(action_id)
    if row is None:
        return None
    items = stock.items_of(conn, account, [action_id]).get(action_id, ())
    return _action(row, items, opened=False)
