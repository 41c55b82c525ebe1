"""sync_actions: lists impact.com's actions and updates into the ledger, and never looks one up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, select, update

from clawback.impact.client import ImpactClient
from clawback.impact.errors import TooManyPages, Unavailable
from clawback.impact.models import ActionItem, BadRow
from clawback.impact.windows import Window, WindowField, halve, merge_windows, reach_of, union
from clawback.ledger import actions as stock
from clawback.ledger import runs
from clawback.ledger.actions import Listing
from clawback.ledger.runs import Run
from clawback.ledger.store import chunks
from clawback.ledger.tables import actions
from clawback.reconcile.facts import ActionState, Item
from clawback.reconcile.originals import UpdateRow, items_from_updates, merge_items
from clawback.steps import scope
from clawback.steps.runtime import Runtime

OVERLAP = timedelta(minutes=30)
"""How far an incremental listing reaches back before the last one: clocks and queues differ."""
_SERVER_FAULT = 500


def sync(rt: Runtime, client: ImpactClient) -> dict[str, Any]:
    """List the event dates that this run's orders need, then all that was updated since last.

    Coverage and cursor move only after a listing has ended; one that breaks off leaves both as
    they were. Raises what the client raises.
    """
    run, now = rt.run(), rt.clock.now()
    counts: Counter[str] = Counter(windows=0, actions=0, updates=0, moved=0, items_read=0)
    first = not refresh(rt, client, counts)
    with rt.ledger.read() as conn:
        spans = union(scope.order_spans(conn, run, rt.program, now))
        covered = stock.covered(conn, run.account, rt.program.campaign_id)
    for window in merge_windows(spans, covered=covered, earliest=reach_of(now) + OVERLAP):
        listing = rt.listing(run.account, rt.clock.now())
        _list(rt, client, listing, window, counts)
        covered = union([*covered, window.span])
        with rt.ledger.begin() as conn:
            stock.cover(conn, listing, rt.program.campaign_id, covered)
    if first:
        with rt.ledger.begin() as conn:
            stock.set_cursor(conn, run.account, rt.program.campaign_id, now)
    read_items(rt, client, run, counts)
    return dict(counts)


def refresh(rt: Runtime, client: ImpactClient, counts: Counter[str] | None = None) -> bool:
    """List what was updated since the cursor, and move the cursor to now.

    A conversion that is reported is an update of its action, so what was covered up to the last
    listing is now covered up to this one. Returns False, and does nothing, before the first sync.
    """
    run, now = rt.run(), rt.clock.now()
    campaign = rt.program.campaign_id
    with rt.ledger.read() as conn:
        cursor = stock.cursor_of(conn, run.account, campaign)
    if cursor is None:
        return False
    listing, before = rt.listing(run.account, now), cursor["listed_to"]
    told = counts if counts is not None else Counter[str]()
    for window in merge_windows([(before - OVERLAP, now)], field=WindowField.UPDATED):
        _list(rt, client, listing, window, told)
    with rt.ledger.begin() as conn:
        spans = stock.covered(conn, run.account, campaign)
        reached = [(start, now if end >= before else end) for start, end in spans]
        stock.cover(conn, listing, campaign, union(reached))
        stock.set_cursor(conn, run.account, campaign, now)
    return True


def _list(
    rt: Runtime, client: ImpactClient, listing: Listing, window: Window, counts: Counter[str]
) -> None:
    """List one window's actions and updates; a window that is too much is halved."""
    try:
        _list_whole(rt, client, listing, window, counts)
    except (TooManyPages, Unavailable) as error:
        gateway = isinstance(error, Unavailable) and (error.status or 0) >= _SERVER_FAULT
        if not (gateway or isinstance(error, TooManyPages)):
            raise
        try:
            halves = halve(window)
        except ValueError:
            raise error from None
        for half in halves:
            _list(rt, client, listing, half, counts)


def _list_whole(
    rt: Runtime, client: ImpactClient, listing: Listing, window: Window, counts: Counter[str]
) -> None:
    counts["windows"] += 1
    touched: set[str] = set()
    for page in client.list_actions(window):
        with rt.ledger.begin() as conn:
            moved = stock.save_actions(conn, listing, page.rows)
            _tell_bad(conn, listing, page.bad)
        touched |= moved
        counts.update(actions=len(page.rows), moved=len(moved), bad_rows=len(page.bad))
    for updates in client.list_action_updates(window):
        with rt.ledger.begin() as conn:
            touched |= stock.save_updates(conn, listing.account, updates.rows)
            _tell_bad(conn, listing, updates.bad)
        counts.update(updates=len(updates.rows), bad_rows=len(updates.bad))
    for some in chunks(sorted(touched)):
        with rt.ledger.begin() as conn:
            rebuild(conn, listing.account, some)


def _tell_bad(conn: Connection, listing: Listing, bad: Sequence[BadRow]) -> None:
    """Name each row of an answer that could not be read; the listing goes on without it."""
    for row in bad:
        subject = ("account", listing.account)
        runs.note(conn, listing.run_id, listing.at, subject, "", "bad_row", {"row": str(row)})


def rebuild(conn: Connection, account: str, action_ids: Sequence[str]) -> None:
    """Work out the items of some actions from their update rows.

    Where the rows do not add up to the action's amount, or leave a quantity open, the action
    stays marked stale, and its Items are read if an order in scope needs them.
    """
    rows = stock.action_rows(conn, account, action_ids)
    history = stock.update_rows(conn, account, list(rows))
    known = stock.items_of(conn, account, list(rows))
    rebuilt: dict[str, tuple[Item, ...]] = {}
    values: dict[str, dict[str, object]] = {}
    for action_id, row in rows.items():
        told = [_update(u) for u in history.get(action_id, ())]
        found = items_from_updates(told, row["amount"], row["created_at"])
        whole = found.adds_up and not found.unknown and bool(found.items)
        rebuilt[action_id] = found.items if whole else known.get(action_id) or found.items
        first = found if found.original_amount is not None else None
        values[action_id] = {
            "modifications": found.modifications,
            "stale": not whole,
            "original_amount": first.original_amount if first else row["original_amount"],
            "original_payout": first.original_payout if first else row["original_payout"],
        }
    stock.set_actions(conn, account, values)
    stock.save_items(conn, account, rebuilt)


def _update(row: Any) -> UpdateRow:
    return UpdateRow(
        id=row["id"],
        sku=row["sku"],
        quantity=row["quantity"],
        delta_amount=row["delta_amount"],
        delta_payout=row["delta_payout"],
        disposition=row["disposition"],
        at=row["updated_at"],
    )


def read_items(rt: Runtime, client: ImpactClient, run: Run, counts: Counter[str]) -> None:
    """Read the Items of actions in scope whose update rows leave doubt."""
    with rt.ledger.read() as conn:
        keys = scope.order_keys(conn, run, rt.program)
        doubtful = list(_stale(conn, run, rt.program.campaign_id, keys))
    for action_id in doubtful:
        read_items_of(rt, client, run.account, action_id)
        counts["items_read"] += 1


def _stale(conn: Connection, run: Run, campaign_id: str, keys: Sequence[str]) -> Iterable[str]:
    for some in chunks(keys):
        yield from conn.scalars(
            select(actions.c.id).where(
                actions.c.account == run.account,
                actions.c.campaign_id == campaign_id,
                actions.c.order_key.in_(some),
                actions.c.stale,
                actions.c.state != ActionState.REVERSED.value,
            )
        )


def read_items_of(rt: Runtime, client: ImpactClient, account: str, action_id: str) -> None:
    """Read one action's Items into the ledger, keeping the originals that are known."""
    listed = [_item(row) for row in client.list_items(action_id)]
    with rt.ledger.begin() as conn:
        known = stock.items_of(conn, account, [action_id]).get(action_id, ())
        stock.save_items(conn, account, {action_id: merge_items(known, listed)})
        here = (actions.c.account == account) & (actions.c.id == action_id)
        conn.execute(update(actions).where(here).values(stale=False))


def _item(row: ActionItem) -> Item:
    return Item(
        sku=row.sku,
        quantity=row.quantity,
        amount=row.sale_amount,
        original_quantity=None,
        original_amount=None,
        touched=row.adjustment_date is not None or bool(row.adjustment_reason),
    )
