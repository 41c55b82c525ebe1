"""The rules on data that nobody wrote for this project: TPC-DS web returns."""

from __future__ import annotations

import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pytest
from reconcile_makers import apply

from clawback.clock import parse_time
from clawback.reconcile.facts import (
    Action,
    ActionState,
    Item,
    Kind,
    Learned,
    Line,
    LineKey,
    Order,
    OrderPlan,
    Rules,
)
from clawback.reconcile.outcomes import Hold, Outcome
from clawback.reconcile.plan import plan_order

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "tpcds-web"
NOW = datetime(2026, 11, 23, tzinfo=UTC)
RULES = Rules(account="IRtest", currency="USD")

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="the TPC-DS case is not beside this repository (../shared/data)"
)


class Case(NamedTuple):
    orders: dict[str, Order]
    plans: dict[str, OrderPlan]
    after: dict[str, Action]


def rows(name: str) -> list[dict[str, Any]]:
    with duckdb.connect() as db:
        found = db.execute(f"SELECT * FROM '{DATA / name}'")  # noqa: S608 - a path of our own
        columns = [column[0] for column in found.description]
        return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]


def lines() -> Iterator[Line]:
    for number, row in enumerate(rows("returns.parquet")):
        yield Line(
            id=number,
            key=LineKey(row["order_id"], row["return_id"], row["sku"]),
            kind=Kind(row["kind"]),
            quantity=row["quantity"],
            amount=row["amount"],
            currency=row["currency"],
            reason=row["reason"],
            returned_at=row["returned_at"].replace(tzinfo=UTC),
            ordered_at=row["ordered_at"].replace(tzinfo=UTC),
            ordered_quantity=row["ordered_quantity"],
            ordered_amount=row["ordered_amount"],
            voided=row["voided"],
        )


def action(raw: dict[str, Any]) -> Action:
    return Action(
        id=raw["Id"],
        tracker_id=raw["ActionTrackerId"],
        partner_id=raw["MediaPartnerId"],
        state=ActionState(raw["State"]),
        amount=Decimal(raw["Amount"]),
        payout=Decimal(raw["Payout"]),
        currency=raw["Currency"],
        created_at=parse_time(raw["CreationDate"]),
        locking_at=parse_time(raw["LockingDate"]),
        items=tuple(
            Item(i["Sku"], int(i["Quantity"]), Decimal(i["SaleAmount"]), None, None)
            for i in raw["Items"]
        ),
    )


def load() -> dict[str, Order]:
    returned: dict[str, list[Line]] = defaultdict(list)
    for line in lines():
        returned[line.key.order_id].append(line)
    actions: dict[str, list[Action]] = defaultdict(list)
    with gzip.open(DATA / "world.jsonl.gz", "rt") as file:
        for text in file:
            raw = json.loads(text)
            actions[raw["Oid"]].append(action(raw))
    return {oid: Order(oid, tuple(held), tuple(actions[oid])) for oid, held in returned.items()}


@pytest.fixture(scope="module")
def case() -> Case:
    orders = load()
    plans = {oid: plan_order(order, RULES, Learned(), NOW) for oid, order in orders.items()}
    after = {a.id: a for order in orders.values() for a in order.actions}
    for made in plans.values():
        for change in made.changes:
            after[change.action_id] = apply(after[change.action_id], change)
    return Case(orders, plans, after)


def test_every_item_ends_as_expected(case: Case) -> None:
    """Every item of every returned order ends as the data set's own answer says, to the cent."""
    wrong = []
    for row in rows("expected.parquet"):
        if row["action_id"] not in case.after:
            assert row["expected"] == row["original"]
            continue
        held = {i.sku: i for i in case.after[row["action_id"]].items}[row["sku"]]
        close = abs(held.amount - row["expected_amount"]) <= Decimal("0.01")
        if held.quantity != row["expected"] or not close:
            wrong.append((row, held))
    assert not wrong


def test_one_change_an_action(case: Case) -> None:
    """The plan needs exactly the floor of writes, and none on a locked action."""
    changed = [change.action_id for made in case.plans.values() for change in made.changes]
    assert len(changed) == len(set(changed)) == 1349


def test_every_line_has_one_outcome(case: Case) -> None:
    """The counts of the data set's own description come out: over-returned, unattributed."""
    outcomes = Counter(v.outcome for made in case.plans.values() for v in made.verdicts)
    holds = Counter(v.hold for made in case.plans.values() for v in made.verdicts if v.hold)
    assert sum(outcomes.values()) == 6671
    assert outcomes[Outcome.NOT_ATTRIBUTED] == 6671 - 2300
    assert holds == {Hold.OVER_RETURNED: 19}
    assert outcomes[Outcome.LOCKED] > 0
    assert set(outcomes) == {
        Outcome.NOT_ATTRIBUTED,
        Outcome.HELD,
        Outcome.LOCKED,
        Outcome.PLANNED,
    }


def test_a_second_plan_is_empty(case: Case) -> None:
    """Once the changes have taken effect, planning again asks for nothing."""
    for oid, order in case.orders.items():
        settled = Order(oid, order.lines, tuple(case.after[a.id] for a in order.actions))
        assert plan_order(settled, RULES, Learned(), NOW).changes == ()
