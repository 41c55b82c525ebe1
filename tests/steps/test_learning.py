"""Whether an amount follows its quantity is learned from one change, and used thereafter."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from clawback.ledger.tables import learned, submissions
from clawback.steps.explain import explain
from lab import Lab, Maker, action, back, counted

ORDERS = [f"O-{n}" for n in range(6)]


@pytest.fixture
def world() -> list[dict[str, Any]]:
    return [action(order) for order in ORDERS]


def facts(lab: Lab) -> dict[str, bool]:
    return {row["fact"]: row["value"] for row in lab.table(learned)}


def alone(lab: Lab) -> list[dict[str, str]]:
    """The forms that were sent with a quantity and no amount."""
    forms = [row["form"] for row in lab.table(submissions)]
    return [form for form in forms if form.get("Quantity", "0") != "0" and "Amount" not in form]


@pytest.mark.parametrize("database", ["sqlite"])
@pytest.mark.parametrize("follows", [True, False])
def test_one_probe_teaches_what_the_next_run_sends(
    lab_of: Maker, world: list[dict[str, Any]], *, follows: bool
) -> None:
    """One change of the canary goes without its amount; where that does not follow, it is asked
    again in full, every change comes out right, and the next run sends what was learned."""
    lab = lab_of(world, profile={"quantity_rescales": follows})
    lab.rows = [back(order) for order in ORDERS[:4]]
    assert counted(lab.run()) == {"confirmed": 4}
    assert facts(lab)["amount_follows_quantity"] is follows
    assert len(alone(lab)) == 1
    assert len(lab.writes) == (4 if follows else 5)
    lab.rows += [back(order) for order in ORDERS[4:]]
    lab.pass_time(hours=1)
    assert counted(lab.run())["confirmed"] == 2
    assert len(alone(lab)) == (3 if follows else 1)
    told = " ".join(str(entry) for entry in explain(lab.ledger, ORDERS[0]))
    assert f"amount_follows_quantity = {follows}" in told
    for one in world:
        assert lab.items(one["Id"])["A"] == (1, Decimal("20.00"))
