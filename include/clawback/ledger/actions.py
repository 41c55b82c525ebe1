"""impact.com's actions in the ledger: what was listed, what moved, which dates are covered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, delete, insert, select, update

from clawback.impact.models import Action, ActionUpdate
from clawback.impact.windows import Span
from clawback.ledger.store import chunks, upsert
from clawback.ledger.tables import actions, coverage, cursors, items, updates
from clawback.reconcile.facts import Item, Source

_OBSERVED = ("state", "amount", "payout", "locking_at", "cleared_at")
_LISTED = (
    *("campaign_id", "tracker_id", "partner_id", "partner_name", "oid", "order_key", "state"),
    *("amount", "payout", "currency", "event_at", "created_at", "locking_at", "cleared_at"),
    *("generation", "moved_run", "seen_at", "stale"),
)


@dataclass(frozen=True, slots=True)
class Listing:
    """Who lists, for which run, and when: what every saved action is stamped with."""

    account: str
    run_id: str
    at: datetime
    order_key: Callable[[str], str]


def save_actions(conn: Connection, listing: Listing, found: Sequence[Action]) -> set[str]:
    """Keep what a page says of its actions; returns the ids of those that are new or moved.

    Every observed move raises the action's generation, so that a change that was planned on what
    the action held before is known to be stale.
    """
    known = action_rows(conn, listing.account, [a.id for a in found], lock=True)
    moved: set[str] = set()
    rows = []
    for action in found:
        row = _listed(listing, action)
        before = known.get(action.id)
        if before is None or any(row[name] != before[name] for name in _OBSERVED):
            moved.add(action.id)
            row["generation"] = 0 if before is None else before["generation"] + 1
            row |= {"moved_run": listing.run_id, "stale": True}
        else:
            row |= {name: before[name] for name in ("generation", "moved_run", "stale")}
        rows.append(row)
    upsert(conn, actions, rows, update=_LISTED)
    return moved


def _listed(listing: Listing, action: Action) -> dict[str, Any]:
    return {
        "account": listing.account,
        "id": action.id,
        "campaign_id": action.campaign_id,
        "tracker_id": action.tracker_id,
        "partner_id": action.partner_id,
        "partner_name": action.partner_name[:255],
        "oid": action.oid[:255],
        "order_key": listing.order_key(action.oid)[:255],
        "state": action.state.value,
        "amount": action.amount,
        "payout": action.payout,
        "currency": action.currency[:3].upper(),
        "event_at": action.event_date,
        "created_at": action.creation_date,
        "locking_at": action.locking_date,
        "cleared_at": action.cleared_date,
        "modifications": 0,
        "seen_at": listing.at,
    }


def save_updates(conn: Connection, account: str, found: Sequence[ActionUpdate]) -> set[str]:
    """Keep update rows, each once; returns the ids of the actions that have new ones."""
    known: set[str] = set()
    for some in chunks([u.id for u in found]):
        here = select(updates.c.id).where(updates.c.account == account, updates.c.id.in_(some))
        known.update(conn.scalars(here))
    new = {u.id: u for u in found if u.id not in known}
    if new:
        conn.execute(insert(updates), [_update_row(account, u) for u in new.values()])
    return {u.action_id for u in new.values()}


def _update_row(account: str, row: ActionUpdate) -> dict[str, Any]:
    return {
        "account": account,
        "id": row.id,
        "action_id": row.action_id,
        "sku": row.sku[:255],
        "quantity": row.quantity,
        "delta_amount": row.delta_amount,
        "delta_payout": row.delta_payout,
        "disposition": row.disposition[:64],
        "updated_at": row.update_date,
    }


def action_rows(
    conn: Connection, account: str, ids: Sequence[str], *, lock: bool = False
) -> dict[str, RowMapping]:
    """The ledger's rows of some actions, by ActionId.

    With `lock`, no other process moves them before this transaction ends: what is written from
    what was read here then overwrites nothing newer. Rows are locked in the order of their ids.
    """
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


def save_items(conn: Connection, account: str, found: Mapping[str, Sequence[Item]]) -> None:
    """Replace the items of the given actions."""
    for some in chunks(list(found)):
        conn.execute(delete(items).where(items.c.account == account, items.c.action_id.in_(some)))
    rows = [
        {
            "account": account,
            "action_id": action_id,
            "position": position,
            "sku": item.sku[:255],
            "quantity": item.quantity,
            "amount": item.amount,
            "original_quantity": item.original_quantity,
            "original_amount": item.original_amount,
            "source": item.source.value if item.source else None,
            "touched": item.touched,
        }
        for action_id, listed in found.items()
        for position, item in enumerate(listed)
    ]
    if rows:
        conn.execute(insert(items), rows)


def set_action(conn: Connection, account: str, action_id: str, **values: object) -> None:
    here = (actions.c.account == account) & (actions.c.id == action_id)
    conn.execute(update(actions).where(here).values(**values))


def set_actions(conn: Connection, account: str, values: Mapping[str, Mapping[str, object]]) -> None:
    """Set columns of many actions at once, by ActionId; the same columns of each."""
    if not values:
        return
    names = list(next(iter(values.values())))
    here = (actions.c.account == account) & (actions.c.id == bindparam("at_id"))
    conn.execute(
        update(actions).where(here).values({name: bindparam(f"new_{name}") for name in names}),
        [
            {"at_id": action_id, **{f"new_{name}": row[name] for name in names}}
            for action_id, row in values.items()
        ],
    )


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
