"""impact.com's actions in the ledger: what was listed, what moved, which dates are covered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from clawback.impact.models import Action, ActionUpdate
from clawback.impact.windows import Span
from clawback.ledger import bulk
from clawback.ledger.standing import WORKED_OUT, Standing, WorkedOut, has_moved, standing
from clawback.ledger.store import alone, chunks, upsert
from clawback.ledger.tables import actions, coverage, cursors, items, updates
from clawback.reconcile.facts import Item, Source

_LISTED = (
    *("campaign_id", "tracker_id", "partner_id", "partner_name", "oid", "order_key", "state"),
    *("amount", "payout", "currency", "event_at", "created_at", "locking_at", "cleared_at"),
    *("generation", "moved_run", "seen_at"),
)
_ITEM = (
    *("account", "action_id", "position", "sku", "quantity", "amount"),
    *("original_quantity", "original_amount", "source", "touched"),
)
_UPDATE = (
    *("account", "id", "action_id", "sku", "quantity"),
    *("delta_amount", "delta_payout", "disposition", "updated_at"),
)


@dataclass(frozen=True, slots=True)
class Listing:
    """Who lists, for which run, and when: what every saved action is stamped with."""

    account: str
    run_id: str
    at: datetime
    order_key: Callable[[str], str]


def save_actions(
    conn: Connection,
    listing: Listing,
    found: Sequence[Action],
    before: Mapping[str, Standing] | None = None,
    told: Mapping[str, WorkedOut] | None = None,
) -> set[str]:
    """Keep what a page says of its actions; returns the ids of those that are new or moved.

    Every observed move raises the action's generation, so that a change that was planned on what
    the action held before is known to be stale. `before` is what `standing` gave, with `lock`, in
    this transaction; `told` is what has been worked out of some of them.
    """
    if before is None:
        before = standing(conn, listing.account, [a.id for a in found], lock=True)
    told = told or {}
    rows, moved = [], set()
    for action in found:
        was = before.get(action.id)
        if fresh := has_moved(action, was):
            moved.add(action.id)
        rows.append(_listed(listing, action, was, told.get(action.id), moved=fresh))
    names = ("account", "id", *_LISTED, *WORKED_OUT)
    bulk.insert_rows(conn, actions, names, rows, on_conflict=(*_LISTED, *WORKED_OUT))
    return moved


def _listed(
    listing: Listing, action: Action, was: Standing | None, told: WorkedOut | None, *, moved: bool
) -> tuple[Any, ...]:
    """A row of the actions, in the order of _LISTED and WORKED_OUT."""
    generation = 0 if was is None else was.generation + moved
    moved_run = was.moved_run if was is not None and not moved else listing.run_id
    if told is None:
        known = (False, 0, None, None) if was is None else was[-4:]
        told = WorkedOut(moved or bool(known[0]), *known[1:])
    return (
        listing.account,
        action.id,
        action.campaign_id,
        action.tracker_id,
        action.partner_id,
        action.partner_name[:255],
        action.oid[:255],
        listing.order_key(action.oid)[:255],
        action.state.value,
        action.amount,
        action.payout,
        action.currency[:3].upper(),
        action.event_date,
        action.creation_date,
        action.locking_date,
        action.cleared_date,
        generation,
        moved_run,
        listing.at,
        *told[:4],
    )


def save_updates(conn: Connection, account: str, found: Sequence[ActionUpdate]) -> set[str]:
    """Keep update rows, each once; returns the ids of the actions that have new ones.

    Those actions are stale until their items are worked out anew.
    """
    alone(conn, account)
    ids = [update.id for update in found]
    here = select(updates.c.id).where(
        updates.c.account == account, bulk.among(conn, updates.c.id, ids)
    )
    known = set(conn.scalars(here))
    new = {u.id: u for u in found if u.id not in known}
    rows = (
        (
            *(account, u.id, u.action_id, u.sku[:255], u.quantity),
            *(u.delta_amount, u.delta_payout, u.disposition[:64], u.update_date),
        )
        for u in new.values()
    )
    bulk.insert_rows(conn, updates, _UPDATE, rows)
    touched = {u.action_id for u in new.values()}
    if touched:
        mine = (actions.c.account == account) & bulk.among(conn, actions.c.id, sorted(touched))
        conn.execute(update(actions).where(mine).values(stale=True))
    return touched


def action_rows(
    conn: Connection, account: str, ids: Sequence[str], *, lock: bool = False
) -> dict[str, RowMapping]:
    """The ledger's rows of some actions, by ActionId.

    With `lock`, no other process moves them before this transaction ends: what is written from
    what was read here then overwrites nothing newer. Rows are locked in the order of their ids.
    """
    if lock:
        alone(conn, account)
    found: dict[str, RowMapping] = {}
    for some in chunks(sorted(ids) if lock else ids):
        here = select(actions).where(actions.c.account == account, actions.c.id.in_(some))
        if lock:
            here = here.order_by(actions.c.id).with_for_update()
        found.update({row["id"]: row for row in conn.execute(here).mappings()})
    return found


def update_rows(conn: Connection, account: str, ids: Sequence[str]) -> dict[str, list[RowMapping]]:
    """The update rows of some actions, oldest first, by ActionId."""
    found: dict[str, list[RowMapping]] = {}
    for some in chunks(ids):
        here = select(updates).where(updates.c.account == account, updates.c.action_id.in_(some))
        ordered = here.order_by(updates.c.action_id, updates.c.updated_at, updates.c.id)
        for row in conn.execute(ordered).mappings():
            found.setdefault(row["action_id"], []).append(row)
    return found


def items_of(conn: Connection, account: str, ids: Sequence[str]) -> dict[str, tuple[Item, ...]]:
    """The items of some actions, in recorded order, by ActionId."""
    found: dict[str, list[Item]] = {}
    for some in chunks(ids):
        here = select(items).where(items.c.account == account, items.c.action_id.in_(some))
        ordered = here.order_by(items.c.action_id, items.c.position)
        for row in conn.execute(ordered):
            found.setdefault(row.action_id, []).append(item_of(row))
    return {action_id: tuple(rows) for action_id, rows in found.items()}


def item_of(row: Any) -> Item:
    return Item(
        sku=row.sku,
        quantity=row.quantity,
        amount=row.amount,
        original_quantity=row.original_quantity,
        original_amount=row.original_amount,
        source=Source(row.source) if row.source else None,
        touched=row.touched,
    )


def save_items(
    conn: Connection,
    account: str,
    found: Mapping[str, Sequence[Item]],
    new: AbstractSet[str] = frozenset(),
) -> None:
    """Replace the items of the given actions; those that are `new` have none yet."""
    alone(conn, account)
    old = [action_id for action_id in found if action_id not in new]
    if old:
        mine = (items.c.account == account) & bulk.among(conn, items.c.action_id, old)
        conn.execute(delete(items).where(mine))
    rows = (
        (
            *(account, action_id, position, item.sku[:255], item.quantity, item.amount),
            *(item.original_quantity, item.original_amount),
            *(item.source.value if item.source else None, item.touched),
        )
        for action_id, listed in found.items()
        for position, item in enumerate(listed)
    )
    bulk.insert_rows(conn, items, _ITEM, rows)


def set_action(conn: Connection, account: str, action_id: str, **values: object) -> None:
    here = (actions.c.account == account) & (actions.c.id == action_id)
    conn.execute(update(actions).where(here).values(**values))


def covered(conn: Connection, account: str, campaign_id: str) -> list[Span]:
    """The spans of event dates that have been listed whole."""
    here = (coverage.c.account == account) & (coverage.c.campaign_id == campaign_id)
    rows = conn.execute(select(coverage.c.start_at, coverage.c.end_at).where(here))
    return [(row.start_at, row.end_at) for row in rows]


def cover(conn: Connection, listing: Listing, campaign_id: str, spans: Iterable[Span]) -> None:
    """Say that spans of event dates have been listed whole; they replace what was said before."""
    here = (coverage.c.account == listing.account) & (coverage.c.campaign_id == campaign_id)
    conn.execute(delete(coverage).where(here))
    rows = [
        {
            "account": listing.account,
            "campaign_id": campaign_id,
            "start_at": start,
            "end_at": end,
            "listed_at": listing.at,
        }
        for start, end in spans
    ]
    if rows:
        conn.execute(insert(coverage), rows)


def cursor_of(conn: Connection, account: str, campaign_id: str) -> RowMapping | None:
    """How far the incremental listing has come, and who repeats it; None before the first."""
    here = (cursors.c.account == account) & (cursors.c.campaign_id == campaign_id)
    return conn.execute(select(cursors).where(here)).mappings().one_or_none()


def set_cursor(conn: Connection, account: str, campaign_id: str, to: datetime) -> None:
    """Say that everything updated until `to` has been listed, just now."""
    row = {"account": account, "campaign_id": campaign_id, "listed_to": to, "fresh_at": to}
    upsert(conn, cursors, [row], update=("listed_to", "fresh_at"))


def set_fresh(conn: Connection, account: str, campaign_id: str, at: datetime) -> None:
    """Say that what was updated has been listed just now, and not all of it could be read."""
    here = (cursors.c.account == account) & (cursors.c.campaign_id == campaign_id)
    conn.execute(update(cursors).where(here).values(fresh_at=at))


def lease_cursor(
    conn: Connection, key: tuple[str, str], holder: str, span: tuple[datetime, datetime]
) -> bool:
    """Take the lease to repeat the incremental listing; false while another holds it."""
    account, campaign_id = key
    now, until = span
    free = (cursors.c.lease == "") | (cursors.c.lease == holder) | (cursors.c.lease_until < now)
    taken = (
        update(cursors)
        .where(cursors.c.account == account, cursors.c.campaign_id == campaign_id, free)
        .values(lease=holder, lease_until=until)
    )
    return conn.execute(taken).rowcount == 1


def release_cursor(conn: Connection, key: tuple[str, str], holder: str) -> None:
    account, campaign_id = key
    here = (cursors.c.account == account) & (cursors.c.campaign_id == campaign_id)
    mine = update(cursors).where(here, cursors.c.lease == holder)
    conn.execute(mine.values(lease="", lease_until=None))
