"""Audit: every planted drift is found and named by its cause; nothing is written or planned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from clawback.ledger.tables import actions, changes, events
from clawback.steps.audit import audit
from lab import NOW, Lab, action, back, counted, stamp

Maker = Callable[..., Lab]
both = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)


def audited(lab: Lab, days: float = 30, *, warehouse: bool = True) -> dict[str, Any]:
    rt = lab.runtime()
    with lab.client(rt) as client:
        return audit(rt, client, days, lab.connect if warehouse else None)


def found(told: dict[str, Any]) -> dict[str, list[str]]:
    return {cause: part["order_ids"] for cause, part in told["drift"].items() if part["count"]}


def settled(
    lab_of: Maker, orders: int = 8, more: Sequence[dict[str, Any]] = (), **settings: Any
) -> tuple[Lab, dict[str, str]]:
    """A lab whose orders O-0, O-1 … are all settled; gives the ActionIds by order."""
    sold = [action(f"O-{n}", ("A", 2, "40.00"), ("B", 1, "60.00")) for n in range(orders)]
    lab = lab_of([*sold, *more], **settings)
    lab.rows = [back(f"O-{n}") for n in range(orders)]
    assert counted(lab.run()) == {"confirmed": orders}
    lab.pass_time(hours=1)
    return lab, {one["Oid"]: one["Id"] for one in sold}


def test_a_settled_account_has_no_drift(lab_of: Maker) -> None:
    """Nothing was touched: nothing is found, in two requests."""
    lab, _ = settled(lab_of)
    told = audited(lab)
    assert told["drifted"] == 0
    assert (told["orders_compared"], told["actions_compared"]) == (8, 8)
    assert told["requests"] == 2


@both
def test_planted_drifts_are_found_by_their_cause(lab_of: Maker) -> None:
    """Raised, lowered, reset, repriced, locked, missing, vanished: each is named with its order."""
    late = action("O-9", LockingDate=stamp(NOW + timedelta(days=1)))
    lab, ids = settled(lab_of, more=[late])
    lab.rows.append(back("O-9"))
    lab.choices["approval"] = {"changes": 0}
    waiting = lab.run(world=lab.world(approved_by=None))
    assert counted(waiting) == {"already_settled": 8, "planned": 1}
    lab.act("modify", ids["O-0"], fields={"Sku": "A", "Quantity": "2", "Amount": "35.00"})
    lab.act("modify", ids["O-1"], fields={"Sku": "B", "Quantity": "0", "Amount": "0"})
    lab.act("reset", ids["O-2"])
    lab.act("contract", ids["O-3"], factor="1.5")
    lab.act("modify", ids["O-3"], fields={"Sku": "B", "Quantity": "1", "Amount": "60.00"})
    missing(lab, "O-4")
    lab.rows = [row for row in lab.rows if row["order_id"] != "O-5"]
    lab.pass_time(days=2)
    told = audited(lab)
    assert found(told) == {
        "changed_by_someone_else": ["O-0", "O-1"],
        "reset": ["O-2"],
        "contract_change": ["O-3"],
        "missing_at_impact": ["O-4"],
        "locked": ["O-9"],
        "vanished_from_warehouse": ["O-5"],
    }
    assert told["drift"]["reset"] | {"order_ids": []} == {
        "count": 1,
        "orders": 1,
        "amount": "20.00",
        "payout": "2.00",
        "order_ids": [],
    }
    assert sorted(told["order_ids"]) == ["O-0", "O-1", "O-2", "O-3", "O-4", "O-5", "O-9"]
    kept = [row["became"] for row in lab.table(events) if row["became"].startswith("drift")]
    assert len(kept) == told["drifted"] == 7


def missing(lab: Lab, order: str) -> None:
    """Put an action into the ledger that impact.com does not list."""
    (row,) = [dict(r) for r in lab.table(actions) if r["oid"] == order]
    with lab.ledger.begin() as conn:
        conn.execute(insert(actions).values(row | {"id": "9.9.9", "tracker_id": "7777"}))


def test_an_audit_writes_nothing_and_leaves_the_next_run_its_work(lab_of: Maker) -> None:
    """No write, no change, no view of an action altered: what moved still comes into scope."""
    lab, ids = settled(lab_of, 2)
    lab.act("modify", ids["O-0"], fields={"Sku": "A", "Quantity": "2", "Amount": "40.00"})
    lab.pass_time(hours=1)
    before = (lab.table(actions), lab.table(changes), len(lab.writes))
    audited(lab)
    assert (lab.table(actions), lab.table(changes), len(lab.writes)) == before
    lab.rows = []
    assert lab.run()["held"] == {"contested": 1}


@pytest.mark.parametrize("rows", ["changed", "all", "per_action", "none"])
def test_a_reset_is_told_from_a_change_however_it_is_recorded(lab_of: Maker, rows: str) -> None:
    """Whatever update rows a reset writes, it is named a reset."""
    lab, ids = settled(lab_of, 2, profile={"reset_rows": rows})
    lab.act("reset", ids["O-1"])
    lab.pass_time(hours=1)
    assert found(audited(lab)) == {"reset": ["O-1"]}


def test_a_change_of_ours_on_its_way_is_no_drift(lab_of: Maker) -> None:
    """What is sent and not yet seen is left to the run that sent it."""
    lab = lab_of([action("O-1")], queue_latency=10_000)
    lab.rows = [back("O-1")]
    lab.choices["confirm"] = {"deadline_minutes": 1, "poll_seconds": 3}
    assert counted(lab.run()) == {"pending": 1}
    lab.pass_time(hours=4)
    assert found(audited(lab)) == {}


def test_only_the_asked_depth_is_read(lab_of: Maker) -> None:
    """Actions older than the depth are neither read nor missed; longer spans take more windows."""
    lab, _ = settled(lab_of, 2)
    assert audited(lab, 5)["actions_compared"] == 0
    assert audited(lab, 100)["requests"] == 6


def test_without_the_warehouse_no_row_is_called_vanished(lab_of: Maker) -> None:
    """The comparison with impact.com alone stands by itself."""
    lab, _ = settled(lab_of, 2)
    lab.rows = []
    assert audited(lab, warehouse=False)["drifted"] == 0
    assert found(audited(lab)) == {"vanished_from_warehouse": ["O-0", "O-1"]}
