"""Switches about locking, and what is told of it afterwards: each changes what its name says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clawback.sandbox.switches_records import Records

WINDOW = {
    "CampaignId": "1000",
    "ActionDateStart": "2026-11-01T00:00:00Z",
    "ActionDateEnd": "2026-11-20T00:00:00Z",
}
LOCKING_SOON = {
    "CampaignId": "1000",
    "LockingDateStart": "2026-12-01T00:00:00Z",
    "LockingDateEnd": "2026-12-20T00:00:00Z",
}
Make = Callable[..., Any]


def _locks_at(here: Any, before: str, after: str) -> None:
    """The action is PENDING and changes at the one time, and is locked at the other."""
    here.control("POST", "clock", {"now": before})
    here.act("modify", fields={"Sku": "A", "Quantity": "1"})
    approved = {**LOCKING_SOON, "State": "APPROVED"}
    assert (here.action()["State"], here.listed("Actions", **approved)) == ("PENDING", [])
    here.control("POST", "clock", {"now": after})
    assert here.action()["State"] == "APPROVED"
    assert len(here.listed("Actions", **approved)) == 1
    assert here.control("GET", "state")["actions"][0]["_locked"] is True
    assert here.refused(here.put(Sku="A", Quantity="0")) == "ACTION_LOCKED"


def test_locking_instant(switched: Make, make_action: Make) -> None:
    """§9.19: an action locks at its LockingDate, or at that day's start or end."""
    noon = [make_action(1, LockingDate="2026-12-15T20:00:00Z")]
    _locks_at(switched("day_start", noon), "2026-12-15T07:59:59Z", "2026-12-15T08:00:00Z")
    _locks_at(switched("exact", noon), "2026-12-15T19:59:59Z", "2026-12-15T20:00:00Z")
    late = switched("day_end", noon)
    _locks_at(late, "2026-12-16T07:59:59Z", "2026-12-16T08:00:00Z")
    late.act("add", None, action=make_action(2))
    late.act("lock", 2)
    assert late.action(2)["State"] == "APPROVED"


def test_locking_zone(switched: Make, make_action: Make) -> None:
    """§9.19: the locking date is reckoned in the zone that is set."""
    noon = [make_action(1, LockingDate="2026-12-15T20:00:00Z")]
    _locks_at(switched("UTC", noon), "2026-12-15T11:59:59Z", "2026-12-15T12:00:00Z")
    _locks_at(switched(None, noon), "2026-12-15T19:59:59Z", "2026-12-15T20:00:00Z")


def test_locking_grace(switched: Make, make_action: Make) -> None:
    """§9.19: an action locks so many seconds after the date that shows."""
    noon = [make_action(1, LockingDate="2026-12-15T20:00:00Z")]
    patient = switched(3600, noon)
    _locks_at(patient, "2026-12-15T20:59:59Z", "2026-12-15T21:00:00Z")
    assert patient.action()["LockingDate"] == "2026-12-15T12:00:00-08:00"
    other = switched(3600)
    other.strike({"fault": "locked_meanwhile"})
    assert other.refused(other.put(Sku="A", Quantity="1")) == "ACTION_LOCKED"


def test_update_quantity(switched: Make, make_action: Make, make_item: Make) -> None:
    """§9.24: an update's Quantity is the new one, or the difference."""
    five = [make_action(1, [make_item("A", 5, "50.00", "5.00")])]
    for value, shown in (("new", "2"), ("difference", "-3")):
        here = switched(value, five)
        here.done(here.put(Sku="A", Quantity="2"))
        assert here.updates()[0]["Quantity"] == shown


def test_delete_rows(switched: Make) -> None:
    """§9.24: a reversal writes a row for each item, or one for the action."""
    for value, skus in (("per_item", ["A", "B"]), ("per_action", [""])):
        here = switched(value)
        here.done(here.delete())
        assert [row["Sku"] for row in here.updates()] == skus
        assert sum(float(row["DeltaAmount"]) for row in here.updates()) == -100


def test_reset_rows(switched: Make) -> None:
    """§9.24: a RESET writes rows for what changed, for all, for the action, or none."""
    shapes = {"changed": ["A"], "all": ["A", "B"], "per_action": [""], "none": []}
    for value, skus in shapes.items():
        here = switched(value)
        here.done(here.put(Sku="A", Quantity="1"))
        here.done(here.put(Reason="RESET"))
        assert [row["Sku"] for row in here.updates()[1:]] == skus


def test_untouched_rows(switched: Make) -> None:
    """§9.24: items that a change left alone have no row, or one of 0."""
    for value, deltas in ((False, ["-20.00"]), (True, ["-20.00", "0.00"])):
        here = switched(value)
        here.done(here.put(Sku="A", Quantity="1"))
        assert [row["DeltaAmount"] for row in here.updates()] == deltas


def test_approval_rows(switched: Make) -> None:
    """§9.20: an approval writes no row, one for each item, or one for the action."""
    for value, skus in (("none", []), ("per_item", ["A", "B"]), ("per_action", [""])):
        here = switched(value, approving_codes=["APPROVED"])
        here.done(here.put(Reason="APPROVED"))
        assert [row["Sku"] for row in here.updates()] == skus
        assert {row["DeltaAmount"] for row in here.updates()} <= {"0.00"}
        assert {row["State"] for row in here.updates()} <= {"APPROVED"}


def test_update_state(switched: Make) -> None:
    """§9.20: an update shows its action's State of today, or the one it brought."""
    for value, state in (("current", "APPROVED"), ("written", "PENDING")):
        here = switched(value)
        here.done(here.put(Sku="A", Quantity="1"))
        here.act("lock")
        assert here.updates()[0]["State"] == state
        found = here.listed("ActionUpdates", **WINDOW, State="APPROVED")
        assert len(found) == (3 if value == "current" else 0)


def test_state_details(switched: Make, make_action: Make) -> None:
    """§9.20: an update tells why an action stands as it does, or nothing."""
    world = [
        make_action(1, LockingDate=""),
        make_action(2),
        make_action(3, LockingDate="2026-11-18T00:00:00Z"),
        make_action(4, LockingDate="2026-11-18T00:00:00Z", ClearedDate="2026-11-19T00:00:00Z"),
    ]
    for value, details in ((True, ["OPEN", "", "PAYMENT_PENDING", "PAID"]), (False, [""] * 4)):
        rows = switched(value, world).listed("ActionUpdates")
        shown = {row["ActionId"]: row for row in rows}
        assert [shown[f"1000.4636.{n}"]["StateDetail"] for n in (1, 2, 3, 4)] == details
        assert all(bool(r["StateDetail"]) == bool(r["StateDetailDescription"]) for r in rows)


def test_delta_meaning(switched: Make) -> None:
    """§9.20: Delta* is the latest change, or all of them."""
    for value, delta in (("latest", ("-10.00", "-0.50")), ("total", ("-30.00", "-2.50"))):
        here = switched(value)
        here.done(here.put(Sku="A", Quantity="1"))
        here.done(here.put(Sku="B", Amount="50"))
        assert (here.action()["DeltaAmount"], here.action()["DeltaPayout"]) == delta
        assert here.action(2)["DeltaAmount"] == "100.00"


def test_intended_meaning(switched: Make) -> None:
    """§9.20: Intended* is as reported, as before the latest change, or as it stands."""
    meanings = {"original": "100.00", "before_latest": "80.00", "current": "70.00"}
    for value, amount in meanings.items():
        here = switched(value)
        here.done(here.put(Sku="A", Quantity="1"))
        here.done(here.put(Sku="B", Amount="50"))
        assert here.action()["IntendedAmount"] == amount
        assert here.action(2)["IntendedPayout"] == "7.00"


def test_each_has_its_proof() -> None:
    """There is a test here for every switch of this kind, named after it."""
    assert [name for name in Records.model_fields if f"test_{name}" not in globals()] == []
