"""The plan of a run, a page at a time: sorted as the reader likes where it is not too large."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, case, func, select, type_coerce

from clawback.ledger.runs import Run
from clawback.ledger.tables import actions, changes
from clawback.ledger.types import Money
from clawback.monitor.runs import COUNTED

PAGE = 100
_SALES = type_coerce(changes.c.before_amount - changes.c.expected_amount, Money())
_STAKE = type_coerce(changes.c.before_payout - changes.c.expected_payout, Money())
_OPEN_END = case((changes.c.locking_at.is_(None), 1), else_=0)
_ORDER = func.coalesce(actions.c.oid, changes.c.order_key)
SORTS: Mapping[str, Sequence[ColumnElement[Any]]] = {
    "locks": (_OPEN_END, changes.c.locking_at),
    "order": (_ORDER,),
    "action": (changes.c.action_id,),
    "partner": (actions.c.partner_name,),
    "what": (changes.c.verb, changes.c.reason),
    "sales": (_SALES,),
    "commission": (_STAKE,),
    "state": (changes.c.state,),
}
"""What a plan can be sorted by."""
FIRST = "locks"


@dataclass(frozen=True, slots=True)
class Planned:
    """A change of a plan; money in `currency`, `after` is what is expected of impact.com."""

    order_id: str
    action_id: str
    partner: str
    verb: str
    code: str
    sales_before: Decimal
    sales_after: Decimal
    commission_before: Decimal
    commission_after: Decimal
    currency: str
    locks: datetime | None
    urgent: bool
    state: str


@dataclass(frozen=True, slots=True)
class Which:
    """Which page (from 1) of a plan a reader wants to see, and sorted how."""

    sort: str = FIRST
    down: bool = False
    page: int = 1


@dataclass(frozen=True, slots=True)
class PlanPage:
    """A page of a plan. A plan that is not `sortable` stands in the order in which it is sent."""

    rows: Sequence[Planned]
    total: int
    page: int
    sort: str
    down: bool
    sortable: bool

    @property
    def pages(self) -> int:
        """How many pages can be leafed through."""
        return max(1, -(-min(self.total, COUNTED) // PAGE))

    @property
    def first(self) -> int:
        return (self.page - 1) * PAGE + 1


def plan_page(conn: Connection, run: Run, total: int, which: Which) -> PlanPage:
    """A page of a run's plan of `total` changes; a sort that is not known is the first.

    A plan of more than COUNTED changes is not sorted: a reader does not wait for that.
    """
    by = which.sort if which.sort in SORTS else FIRST
    shown = PlanPage((), total, which.page, by, which.down, total <= COUNTED)
    shown = replace(shown, page=min(which.page, shown.pages))
    here = _sorted(run, shown) if shown.sortable else _as_sent(conn, run, shown)
    return replace(shown, rows=[Planned(**row) for row in conn.execute(here).mappings()])


def _sorted(run: Run, shown: PlanPage) -> Select[Any]:
    columns = [(c.desc() if shown.down else c.asc()) for c in SORTS[shown.sort]]
    here = _rows().where(changes.c.run_id == run.id)
    here = here.order_by(*columns, _STAKE.desc(), changes.c.id)
    return here.limit(PAGE).offset(shown.first - 1)


def _as_sent(conn: Connection, run: Run, shown: PlanPage) -> Select[Any]:
    """By shard alone, as the index has them: nothing is sorted, and few rows are looked at."""
    here = select(changes.c.id).where(changes.c.run_id == run.id).order_by(changes.c.shard)
    ids = list(conn.scalars(here.limit(PAGE).offset(shown.first - 1)))
    return _rows().where(changes.c.id.in_(ids)).order_by(changes.c.shard, changes.c.id)


def _rows() -> Select[Any]:
    same = (actions.c.account == changes.c.account) & (actions.c.id == changes.c.action_id)
    return select(
        _ORDER.label("order_id"),
        changes.c.action_id,
        func.coalesce(actions.c.partner_name, "").label("partner"),
        changes.c.verb,
        changes.c.reason.label("code"),
        changes.c.before_amount.label("sales_before"),
        changes.c.expected_amount.label("sales_after"),
        changes.c.before_payout.label("commission_before"),
        changes.c.expected_payout.label("commission_after"),
        changes.c.currency,
        changes.c.locking_at.label("locks"),
        changes.c.urgent,
        changes.c.state,
    ).outerjoin(actions, same)
