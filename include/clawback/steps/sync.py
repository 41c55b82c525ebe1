"""sync_actions: lists impact.com's actions and updates into the ledger; it looks no order up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, select, update

from clawback.impact.client import ImpactClient
from clawback.impact.errors import MalformedAnswer, Refused
from clawback.impact.models import ActionItem
from clawback.impact.windows import WindowField, merge_windows, reach_of, subtract, union
from clawback.ledger import actions as stock
from clawback.ledger import runs
from clawback.ledger.changes import ever_sent
from clawback.ledger.runs import Run
from clawback.ledger.store import chunks
from clawback.ledger.tables import actions
from clawback.reconcile import facts
from clawback.reconcile.facts import ActionState, Item
from clawback.reconcile.originals import merge_items
from clawback.steps import scope
from clawback.steps.listing import Lister
from clawback.steps.load import load_action
from clawback.steps.runtime import Runtime

OVERLAP = timedelta(minutes=30)
"""How far an incremental listing reaches back before the last one: clocks and queues differ."""


def sync(rt: Runtime, client: ImpactClient) -> dict[str, Any]:
    """List the event dates that this run's orders need, then all that was updated since last.

    Coverage and cursor move only after a listing has ended, and coverage leaves out the dates of
    rows that could not be read; one that breaks off leaves both as they were. Raises what the
    client raises.
    """
    run, now = rt.run(), rt.clock.now()
    counts: Counter[str] = Counter(windows=0, actions=0, updates=0, moved=0, items_read=0)
    first = not refresh(rt, client, counts)
    with rt.ledger.read() as conn:
        spans = union(scope.order_spans(conn, run, rt.program, now))
        covered = stock.covered(conn, run.account, rt.program.campaign_id)
    for window in merge_windows(spans, covered=covered, earliest=reach_of(now) + OVERLAP):
        listing = rt.listing(run.account, rt.clock.now())
        lister = Lister(rt, client, listing, counts)
        lister.take(window)
        covered = union([*covered, *subtract([window.span], lister.unread)])
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
    listing is now covered up to this one. Where a row could not be read neither holds: the next
    listing begins where this one began. Returns False, and does nothing, before the first sync.
    """
    run, now = rt.run(), rt.clock.now()
    campaign = rt.program.campaign_id
    with rt.ledger.read() as conn:
        cursor = stock.cursor_of(conn, run.account, campaign)
    if cursor is None:
        return False
    listing, before = rt.listing(run.account, now), cursor["listed_to"]
    lister = Lister(rt, client, listing, counts if counts is not None else Counter())
    for window in merge_windows([(before - OVERLAP, now)], field=WindowField.UPDATED):
        lister.take(window)
    with rt.ledger.begin() as conn:
        if lister.unread:
            stock.set_fresh(conn, run.account, campaign, now)
            return True
        spans = stock.covered(conn, run.account, campaign)
        reached = [(start, now if end >= before else end) for start, end in spans]
        stock.cover(conn, listing, campaign, union(reached))
        stock.set_cursor(conn, run.account, campaign, now)
    return True


def read_items(rt: Runtime, client: ImpactClient, run: Run, counts: Counter[str]) -> None:
    """Read the Items of actions in scope whose update rows leave doubt; some may not be shown."""
    with rt.ledger.read() as conn:
        keys = scope.order_keys(conn, run, rt.program)
        doubtful = list(_stale(conn, run, rt.program.campaign_id, keys))
    for action_id in doubtful:
        counts["items_read"] += try_items_of(rt, client, run, action_id)


def try_items_of(rt: Runtime, client: ImpactClient, run: Run, action_id: str) -> bool:
    """Read one action's Items if impact.com shows them; what it says instead is an event.

    The action then stays in doubt: it is read again by the next run, and nothing is sent for it.
    """
    try:
        read_items_of(rt, client, run.account, action_id)
    except (Refused, MalformedAnswer) as error:
        subject, told = ("action", action_id), {"said": str(error)}
        with rt.ledger.begin() as conn:
            runs.note(conn, run.id, rt.clock.now(), subject, "", "items_unread", told)
        return False
    return True


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
        ours = ever_sent(conn, rt.program.name, account, action_id)
        stock.save_items(conn, account, {action_id: merge_items(known, listed, ours=ours)})
        here = (actions.c.account == account) & (actions.c.id == action_id)
        conn.execute(update(actions).where(here).values(stale=False))


def read_back(
    rt: Runtime, client: ImpactClient, account: str, action_id: str
) -> facts.Action | None:
    """The action and its items as impact.com holds them at this moment."""
    found = client.get_action(action_id)
    with rt.ledger.begin() as conn:
        stock.save_actions(conn, rt.listing(account, rt.clock.now()), [found])
    read_items_of(rt, client, account, action_id)
    with rt.ledger.read() as conn:
        return load_action(conn, account, action_id)


def _item(row: ActionItem) -> Item:
    return Item(
        sku=row.sku,
        quantity=row.quantity,
        amount=row.sale_amount,
        original_quantity=None,
        original_amount=None,
        touched=row.adjustment_date is not None or bool(row.adjustment_reason),
    )
