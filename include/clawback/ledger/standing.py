"""How impact.com's actions stand in the ledger, and what is worked out of their updates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from sqlalchemy import Connection, select

from clawback.impact.models import Action
from clawback.ledger import bulk
from clawback.ledger.store import alone
from clawback.ledger.tables import actions, updates
from clawback.reconcile.facts import Item
from clawback.reconcile.originals import UpdateRow

WORKED_OUT = ("stale", "modifications", "original_amount", "original_payout")


class Standing(NamedTuple):
    """An action as the ledger holds it, as far as a listing needs it."""

    id: str
    state: str
    amount: Decimal
    payout: Decimal
    locking_at: datetime | None
    cleared_at: datetime | None
    generation: int
    moved_run: str | None
    created_at: datetime
    stale: bool
    modifications: int
    original_amount: Decimal | None
    original_payout: Decimal | None


class WorkedOut(NamedTuple):
    """What an action's update rows tell of it; stale where they leave doubt about its items."""

    stale: bool
    modifications: int
    original_amount: Decimal | None
    original_payout: Decimal | None
    items: Sequence[Item] = ()


def standing(
    conn: Connection, account: str, ids: Sequence[str], *, lock: bool = False
) -> dict[str, Standing]:
    """What the ledger knows of some actions, by ActionId; `lock` as in `actions.action_rows`."""
    here = select(*[actions.c[name] for name in Standing._fields]).where(
        actions.c.account == account, bulk.among(conn, actions.c.id, ids)
    )
    if lock:
        alone(conn, account)
        here = here.order_by(actions.c.id).with_for_update()
    return {row[0]: Standing(*row) for row in bulk.fetch(conn, here)}


def has_moved(action: Action, before: Standing | None) -> bool:
    """Whether an action is new or stands otherwise than the ledger has it."""
    return before is None or before[1:6] != (
        action.state.value,
        action.amount,
        action.payout,
        action.locking_date,
        action.cleared_date,
    )


def histories(
    conn: Connection, account: str, ids: Sequence[str]
) -> Iterator[tuple[str, list[UpdateRow]]]:
    """ActionIds with their update rows, oldest first, as the rules read them."""
    names = ("id", "sku", "quantity", "delta_amount", "delta_payout", "disposition", "updated_at")
    here = select(updates.c.action_id, *[updates.c[name] for name in names]).where(
        updates.c.account == account, bulk.among(conn, updates.c.action_id, ids)
    )
    ordered = here.order_by(updates.c.action_id, updates.c.updated_at, updates.c.id)
    for action_id, rows in groupby(bulk.fetch(conn, ordered), key=itemgetter(0)):
        yield action_id, [UpdateRow(*row[1:]) for row in rows]


def set_worked_out(conn: Connection, account: str, told: Mapping[str, WorkedOut]) -> None:
    """Keep what has been worked out of actions that stand in the ledger."""
    rows = ((account, action_id, *one[:4]) for action_id, one in told.items())
    bulk.update_rows(conn, actions, ("account", "id"), WORKED_OUT, rows)
