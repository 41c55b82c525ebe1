"""sync_actions: lists impact.com's actions and updates into the ledger, and never looks one up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, select, update

from clawback.impact.client import ImpactClient
from clawback.impact.errors import TooManyPages, Unavailable
from clawback.impact.models import Action, ActionItem, ActionUpdate, BadRow, Page
from clawback.impact.windows import Window, WindowField, halve, merge_windows, reach_of, union
from clawback.ledger import actions as stock
from clawback.ledger import bulk, runs
from clawback.ledger.actions import Listing
from clawback.ledger.runs import Run
from clawback.ledger.standing import has_moved, set_worked_out, standing
from clawback.ledger.store import chunks
from clawback.ledger.tables import actions
from clawback.reconcile.facts import ActionState, Item
from clawback.reconcile.originals import merge_items
from clawback.steps import scope
from clawback.steps.ahead import uncollected
from clawback.steps.rebuild import Subject, work_out
from clawback.steps.runtime import Runtime

SLICE = 5_000
"""So many rows of a page are written at once; others may write in between."""
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
        with uncollected():
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
        with uncollected():
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
    """List one window's updates, then its actions; a window that is too much is halved."""
    counts["windows"] += 1
    touched: set[str] = set()
    try:
        for page in client.list_action_updates(window):
            touched |= _keep_updates(rt, listing, page, counts)
    except (TooManyPages, Unavailable) as error:
        for half in _halves(window, error):
            _list(rt, client, listing, half, counts)
        _catch_up(rt, listing, touched)
        return
    for actions_page in _pages(client, window, counts):
        _keep_actions(rt, listing, actions_page, touched, counts)
    _catch_up(rt, listing, touched)


def _pages(client: ImpactClient, window: Window, counts: Counter[str]) -> Iterator[Page[Action]]:
    """The pages of a window's actions; rows may come again where it had to be halved."""
    try:
        yield from client.list_actions(window)
    except (TooManyPages, Unavailable) as error:
        for half in _halves(window, error):
            counts["windows"] += 1
            yield from _pages(client, half, counts)


def _halves(window: Window, error: TooManyPages | Unavailable) -> tuple[Window, Window]:
    """The halves of a window that was too much; raises the error if it is not that, or final."""
    gateway = isinstance(error, Unavailable) and (error.status or 0) >= _SERVER_FAULT
    if not (gateway or isinstance(error, TooManyPages)):
        raise error
    try:
        return halve(window)
    except ValueError:
        raise error from None


def _keep_updates(
    rt: Runtime, listing: Listing, page: Page[ActionUpdate], counts: Counter[str]
) -> set[str]:
    touched: set[str] = set()
    for some in chunks(page.rows, SLICE):
        with rt.ledger.begin() as conn, bulk.roomy(conn):
            touched |= stock.save_updates(conn, listing.account, some)
    _tell_bad(rt, listing, page.bad)
    counts.update(updates=len(page.rows), bad_rows=len(page.bad))
    return touched


def _keep_actions(
    rt: Runtime, listing: Listing, page: Page[Action], touched: set[str], counts: Counter[str]
) -> None:
    """Keep a page of actions, and work out those that moved or were `touched` by an update."""
    for some in chunks(page.rows, SLICE):
        with rt.ledger.begin() as conn, bulk.roomy(conn):
            counts["moved"] += _keep_some(conn, listing, some, touched)
    _tell_bad(rt, listing, page.bad)
    counts.update(actions=len(page.rows), bad_rows=len(page.bad))


def _keep_some(
    conn: Connection, listing: Listing, found: Sequence[Action], touched: set[str]
) -> int:
    before = standing(conn, listing.account, [a.id for a in found], lock=True)
    subjects = {}
    for action in found:
        was = before.get(action.id)
        if has_moved(action, was) or action.id in touched or (was is not None and was.stale):
            subjects[action.id] = Subject(action.amount, action.creation_date, was)
    told = work_out(conn, listing.account, subjects)
    moved = stock.save_actions(conn, listing, found, before, told)
    touched.difference_update(subjects)
    return len(moved)


def _catch_up(rt: Runtime, listing: Listing, touched: set[str]) -> None:
    """Work out actions that have new updates and were not listed beside them."""
    for some in chunks(sorted(touched), SLICE):
        with rt.ledger.begin() as conn:
            known = standing(conn, listing.account, some, lock=True)
            subjects = {i: Subject(was.amount, was.created_at, was) for i, was in known.items()}
            told = work_out(conn, listing.account, subjects)
            set_worked_out(conn, listing.account, told)


def _tell_bad(rt: Runtime, listing: Listing, bad: Sequence[BadRow]) -> None:
    """Name each row of an answer that could not be read; the listing goes on without it."""
    if not bad:
        return
    subject = ("account", listing.account)
    with rt.ledger.begin() as conn:
        for row in bad:
            told = {"row": str(row)}
            runs.note(conn, listing.run_id, listing.at, subject, "", "bad_row", told)


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
