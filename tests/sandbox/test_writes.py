"""What a PUT and a DELETE do to an action (reference §3)."""

from __future__ import annotations

from typing import Any

import pytest


def test_quantity_lowers_item_and_action(desk: Any) -> None:
    """§3.1: Quantity is the absolute remaining quantity; amount and payout follow."""
    desk.done(desk.put(Sku="A", Quantity="1"))
    assert desk.items()["A"] | {"Uri": ""} == desk.items(2)["A"] | {
        "Uri": "",
        "Quantity": "1",
        "SaleAmount": "20.00",
        "Payout": "2.00",
        "AdjustmentDate": "2026-11-20T04:00:05-08:00",
        "AdjustmentReason": "ORDER_UPDATE",
    }
    shown = desk.action()
    assert (shown["Amount"], shown["Payout"], shown["State"]) == ("80.00", "5.00", "PENDING")
    assert (shown["DeltaAmount"], shown["DeltaPayout"]) == ("-20.00", "-2.00")
    assert (shown["IntendedAmount"], shown["IntendedPayout"]) == ("100.00", "7.00")


def test_nothing_changes_before_the_latency(desk: Any) -> None:
    """§3.5: QUEUED is acceptance; the action changes only when its turn comes."""
    response = desk.put(Sku="A", Quantity="1")
    assert response.json()["Status"] == "QUEUED"
    assert desk.action()["Amount"] == "100.00"
    desk.pass_time(5)
    assert desk.action()["Amount"] == "80.00"


def test_amount_without_quantity(desk: Any) -> None:
    """§3.1: Sku and Amount alone set the line's total and leave its quantity."""
    desk.done(desk.put(Sku="B", Amount="45.50"))
    row = desk.items()["B"]
    assert (row["Quantity"], row["SaleAmount"], row["Payout"]) == ("1", "45.50", "2.28")


def test_amount_is_the_line_total(desk: Any) -> None:
    """§9.9: with both fields, Amount is the total of what remains, not a unit price."""
    desk.done(desk.put(Sku="A", Quantity="1", Amount="15.00"))
    assert desk.items()["A"]["SaleAmount"] == "15.00"


def test_delta_is_relative(desk: Any) -> None:
    """§3.1: ItemSubTotalDelta is the one relative field, so that a repeat subtracts twice."""
    desk.done(desk.put(Sku="B", ItemSubTotalDelta="-10.00"))
    desk.done(desk.put(Sku="B", ItemSubTotalDelta="-10.00"))
    assert desk.items()["B"]["SaleAmount"] == "40.00"


def test_delta_below_nothing_is_refused(desk: Any) -> None:
    """§3.1: no item's SaleAmount falls below 0."""
    assert desk.refused(desk.put(Sku="B", ItemSubTotalDelta="-60.01")) == "AMOUNT_OUT_OF_RANGE"


@pytest.mark.parametrize(
    "fields", [{"Quantity": "9" * 16}, {"Amount": "9" * 14, "Quantity": "1"}, {"Amount": "999"}]
)
def test_what_no_item_can_hold_is_refused(desk: Any, fields: dict[str, str]) -> None:
    """§1.3: amounts of more than 14 digits are refused, and the queue goes on."""
    desk.act("contract", None, rate="1e12")
    assert desk.refused(desk.put(Sku="B", **fields)) == "AMOUNT_OUT_OF_RANGE"
    assert desk.action()["Amount"] == "100.00"


def test_indexed_items(desk: Any) -> None:
    """§3.1: Sku2, Quantity2, Amount2 and so on change further items in the same call."""
    desk.done(desk.put(Sku="A", Quantity="1", Sku2="B", Quantity2="1", Amount2="30.00"))
    assert [row["SaleAmount"] for row in desk.items().values()] == ["20.00", "30.00"]
    assert desk.action()["Amount"] == "50.00"
    assert [row["Sku"] for row in desk.updates()] == ["A", "B"]


def test_category_per_item(desk: Any) -> None:
    """§3.1: Category names the item's new category."""
    desk.done(desk.put(Sku="A", Category="Garden"))
    assert desk.items()["A"]["Category"] == "Garden"


def test_order_total_is_spread(desk: Any) -> None:
    """§3.1, §9.8: Amount without Sku is the order's new total, shared by amount."""
    desk.done(desk.put(Amount="50.00"))
    assert [row["SaleAmount"] for row in desk.items().values()] == ["20.00", "30.00"]
    assert (desk.action()["Amount"], desk.action()["Payout"]) == ("50.00", "3.50")


def test_order_total_of_nothing_reverses(desk: Any) -> None:
    """§3.1: Amount 0 on an action that was worth something reverses it."""
    desk.done(desk.put(Amount="0"))
    assert (desk.action()["State"], desk.action()["Amount"]) == ("REVERSED", "0.00")


def test_worthless_action_needs_delete(desk_of: Any, make_action: Any, make_item: Any) -> None:
    """§8: where the original amount is 0, Amount=0 is a modification, not a reversal."""
    desk = desk_of([make_action(1, [make_item("LEAD", 1, "0.00", "5.00")])])
    desk.done(desk.put(Amount="0"))
    assert desk.action()["State"] == "PENDING"
    desk.done(desk.delete())
    assert (desk.action()["State"], desk.action()["Payout"]) == ("REVERSED", "0.00")


def test_item_reversal(desk: Any) -> None:
    """Help: an item is reversed by Quantity=0; the rest of the action stays."""
    desk.done(desk.put(Sku="A", Quantity="0"))
    assert desk.items()["A"]["SaleAmount"] == "0.00"
    assert (desk.action()["State"], desk.action()["Amount"]) == ("PENDING", "60.00")


def test_delete_reverses(desk: Any) -> None:
    """§3.2: DELETE makes the action REVERSED and worth nothing."""
    desk.done(desk.delete())
    shown = desk.action()
    assert (shown["State"], shown["Amount"], shown["Payout"]) == ("REVERSED", "0.00", "0.00")
    assert {row["Disposition"] for row in desk.updates()} == {"ITEM_RETURNED"}


def test_customer_status(desk: Any) -> None:
    """§3.1: CustomerStatus changes if it is a configured one, else the write is refused."""
    desk.done(desk.put(CustomerStatus="EXISTING"))
    assert desk.action()["CustomerStatus"] == "EXISTING"
    assert desk.refused(desk.put(CustomerStatus="SOMETIMES")) == "CUSTOMER_STATUS_NOT_FOUND"


def test_reset_restores_before_locking(desk: Any) -> None:
    """§3.3: RESET puts a modified or reversed action back, and says so in its updates."""
    desk.done(desk.put(Sku="A", Quantity="0"))
    desk.done(desk.delete())
    desk.done(desk.put(Reason="RESET"))
    shown = desk.action()
    assert (shown["State"], shown["Amount"], shown["Payout"]) == ("PENDING", "100.00", "7.00")
    assert desk.items()["A"]["Quantity"] == "2"
    reset = [row for row in desk.updates() if row["Disposition"] == "RESET"]
    assert [(row["Sku"], row["DeltaAmount"]) for row in reset] == [("A", "40.00"), ("B", "60.00")]


@pytest.mark.parametrize(
    ("change", "skus"),
    [
        ({"Sku": "A", "Category": "Garden"}, ["A"]),
        ({"Sku": "B", "Quantity": "0"}, ["B"]),
        ({"CustomerStatus": "EXISTING"}, ["A", "B"]),
    ],
)
def test_reset_writes_what_it_puts_back(desk: Any, change: dict[str, str], skus: list[str]) -> None:
    """§3.3, §9.24: a RESET leaves an update per item it changes, whatever had been changed."""
    desk.done(desk.put(**change))
    desk.done(desk.put(Reason="RESET"))
    rows = [row for row in desk.updates() if row["Disposition"] == "RESET"]
    assert [row["Sku"] for row in rows] == skus
    assert desk.items()["A"]["Category"] == "Sports"
    assert desk.action()["CustomerStatus"] == "NEW"


def test_reset_writes_a_payout_that_had_moved(desk: Any) -> None:
    """§3.3, §8: an item whose commission alone had changed is put back, and says so."""
    desk.act("contract", None, factor="2")
    desk.done(desk.put(Sku="A", Quantity="1"))
    desk.done(desk.put(Reason="RESET"))
    rows = [row for row in desk.updates() if row["Disposition"] == "RESET"]
    assert [(row["Sku"], row["DeltaPayout"]) for row in rows] == [("A", "0.00"), ("B", "-3.00")]
    assert desk.items()["B"]["AdjustmentReason"] == "RESET"


def test_reset_after_locking_is_refused(desk: Any) -> None:
    """§3.3: RESET works only before the locking date."""
    desk.done(desk.put(Sku="A", Quantity="0"))
    desk.act("lock")
    assert desk.refused(desk.put(Reason="RESET")) == "ACTION_LOCKED"


@pytest.mark.parametrize("verb", ["put", "delete"])
def test_locked_action_is_immutable(desk: Any, verb: str) -> None:
    """§3.6: nothing is modified or reversed after the LockingDate."""
    desk.pass_time(30 * 86400)
    assert desk.action()["State"] == "APPROVED"
    assert desk.refused(getattr(desk, verb)()) == "ACTION_LOCKED"
    assert desk.action()["Amount"] == "100.00"


def test_lock_counts_when_the_write_takes_effect(desk: Any) -> None:
    """§9.15: a write that was queued before the lock and falls due after it is refused."""
    desk.act("lock", locking_date="2026-11-20T12:00:03Z")
    assert desk.refused(desk.put(Sku="A", Quantity="1")) == "ACTION_LOCKED"


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ({"ActionId": "1000.4636.99"}, "ACTION_NOT_FOUND"),
        ({"OrderId": "NO-SUCH", "ActionTrackerId": "2240"}, "ACTION_NOT_FOUND"),
        ({"OrderId": "ORDER-1", "ActionTrackerId": "9"}, "ACTION_NOT_FOUND"),
        ({"ActionId": "1000.4636.1", "Sku": "NONE", "Quantity": "0"}, "ITEM_NOT_FOUND"),
        ({"ActionId": "1000.4636.1", "Reason": "order_update"}, "DISPOSITION_CODE_NOT_FOUND"),
        ({"ActionId": "1000.4636.1", "DispositionCode": "MINE"}, "DISPOSITION_CODE_NOT_FOUND"),
    ],
)
def test_refusals_end_in_the_submission(desk: Any, form: dict[str, str], reason: str) -> None:
    """§3.5, §9.2: by default a refused write is QUEUED, and Complete with an error."""
    assert desk.refused(desk.put(None, **form)) == reason


@pytest.mark.parametrize(
    ("method", "form", "field"),
    [
        ("PUT", {"Reason": "ORDER_UPDATE"}, "ActionId"),
        ("PUT", {"ActionId": "1000.4636.1"}, "Reason"),
        ("PUT", {"OrderId": "ORDER-1", "Reason": "ORDER_UPDATE"}, "ActionTrackerId"),
        ("PUT", {"ActionTrackerId": "2240", "Reason": "ORDER_UPDATE"}, "OrderId"),
        ("PUT", {"ActionId": "1", "Reason": "OTHER", "Sku": "A", "Quantity": "-1"}, "Quantity"),
        ("PUT", {"ActionId": "1", "Reason": "OTHER", "Sku": "A", "Quantity": "1.5"}, "Quantity"),
        ("PUT", {"ActionId": "1", "Reason": "OTHER", "Sku": "A", "Amount": "ten"}, "Amount"),
        ("PUT", {"ActionId": "1", "Reason": "OTHER", "Amount": "-1"}, "Amount"),
        ("PUT", {"ActionId": "1", "Reason": "OTHER", "Sku": ""}, "Sku"),
        ("PUT", {"ActionId": "1", "Reason": "OTHER", "Sku2": "B", "Quantity2": "0"}, "Sku"),
        ("PUT", {"ActionId": "1", "Reason": "OTHER", "Sku": "x" * 256}, "Sku"),
        ("DELETE", {"DispositionCode": "REJECTED"}, "ActionId"),
        ("DELETE", {"ActionId": "1000.4636.1"}, "DispositionCode"),
        ("DELETE", {"ActionId": "1000.4636.1", "Reason": "REJECTED"}, "DispositionCode"),
    ],
)
def test_malformed_forms_are_400(desk: Any, method: str, form: dict[str, str], field: str) -> None:
    """§3.7: a missing or malformed parameter is answered 400 at once, with its name."""
    response = desk.send(method, form)
    assert response.status_code == 400
    assert response.json()["Errors"][0]["Field"] == field


@pytest.mark.parametrize("verb", ["PUT", "DELETE"])
@pytest.mark.parametrize(
    "address", [{"ActionId": "1000.4636.1"}, {"ActionTrackerId": "2240", "OrderId": "ORDER-1"}]
)
def test_a_refused_code_leaves_the_submission_its_ids(
    desk: Any, verb: str, address: dict[str, str]
) -> None:
    """§4: a submission names campaign, event type, partner and order, also one that was refused."""
    form = {**address, "Reason": "NO_SUCH", "DispositionCode": "NO_SUCH"}
    submission = desk.settled(desk.send(verb, form))
    names = ("CampaignId", "ActionTrackerId", "MediaPartnerId", "OrderId", "ErrorReason")
    assert [submission[name] for name in names] == [
        *("1000", "2240", "10000", "ORDER-1"),
        "DISPOSITION_CODE_NOT_FOUND",
    ]


def test_order_id_hits_the_newest_action(desk_of: Any, make_action: Any) -> None:
    """§3.6: a write by OrderId goes to the newest action of that order and event type."""
    older = make_action(1, Oid="SAME", CreationDate="2026-11-14T10:00:00Z")
    newer = make_action(2, Oid="SAME")
    desk = desk_of([newer, older])
    desk.done(desk.put(None, ActionTrackerId="2240", OrderId="SAME", Sku="A", Quantity="0"))
    assert [desk.action(n)["Amount"] for n in (1, 2)] == ["100.00", "60.00"]


def test_modifications_are_limited(desk_of: Any, make_action: Any) -> None:
    """§3.6: at most 1,000 modifications per action."""
    desk = desk_of([make_action(1, _modifications=999)])
    desk.done(desk.put(Sku="A", Quantity="1"))
    assert desk.refused(desk.put(Sku="A", Quantity="0")) == "MAX_MODIFICATIONS_REACHED"


def test_a_second_reversal_is_refused(desk: Any) -> None:
    """§9.14: by default, what is reversed can be neither reversed nor modified."""
    desk.done(desk.delete())
    assert desk.refused(desk.delete()) == "ACTION_REVERSED"
    assert desk.refused(desk.put(Sku="A", Quantity="1")) == "ACTION_REVERSED"


def test_payout_follows_the_contract_in_force(desk: Any) -> None:
    """§8: a modification recomputes the commission by the terms of that moment."""
    desk.act("contract", None, factor="2")
    desk.done(desk.put(Sku="A", Quantity="1"))
    assert desk.items()["A"]["Payout"] == "4.00"
    desk.act("contract", None, media_partner_id="10000", rate="0.5")
    desk.done(desk.put(Sku="A", Quantity="1"))
    assert desk.items()["A"]["Payout"] == "10.00"


def test_items_left_alone_are_paid_by_the_contract_too(desk: Any) -> None:
    """§8: any modification recomputes the action's commission, so also that of its other items."""
    desk.act("contract", None, factor="2")
    desk.done(desk.put(Sku="A", Quantity="1"))
    rows = desk.items()
    assert [row["Payout"] for row in rows.values()] == ["4.00", "6.00"]
    assert rows["B"]["AdjustmentReason"] == "ORDER_UPDATE"
    assert [(row["Sku"], row["DeltaPayout"]) for row in desk.updates()] == [
        ("A", "0.00"),
        ("B", "3.00"),
    ]
    shown = desk.action()
    assert (shown["Payout"], shown["DeltaPayout"], shown["ClientCost"]) == (
        "10.00",
        "3.00",
        "10.00",
    )


@pytest.mark.parametrize("fields", [{"CustomerStatus": "EXISTING"}, {"Amount": "100"}])
def test_any_modification_recomputes_the_commission(desk: Any, fields: dict[str, str]) -> None:
    """§8: so does one that names no item."""
    desk.act("contract", None, factor="2")
    desk.done(desk.put(**fields))
    assert desk.action()["Payout"] == "14.00"


def test_every_item_of_a_change_leaves_an_update(desk: Any) -> None:
    """§5: updates are per item and carry disposition, deltas and quantity."""
    desk.done(desk.put(Sku="A", Quantity="1", Reason="ITEM_RETURNED"))
    [row] = desk.updates()
    assert row["Id"].startswith("1000.4636.1.")
    assert {
        k: row[k] for k in ("Disposition", "Sku", "Quantity", "DeltaAmount", "DeltaPayout")
    } == {
        "Disposition": "ITEM_RETURNED",
        "Sku": "A",
        "Quantity": "1",
        "DeltaAmount": "-20.00",
        "DeltaPayout": "-2.00",
    }
    assert desk.json(f"ActionUpdates/{row['Id']}") == row


def test_creation_is_an_update(desk: Any) -> None:
    """§5: the creation record has the disposition IR_BLANK and the whole value of its item."""
    rows = [r for r in desk.listed("ActionUpdates") if r["ActionId"] == "1000.4636.1"]
    assert [(r["Disposition"], r["Sku"], r["DeltaAmount"]) for r in rows] == [
        ("IR_BLANK", "B", "60.00"),
        ("IR_BLANK", "A", "40.00"),
    ]
    assert {r["UpdateDate"] for r in rows} == {desk.action()["CreationDate"]}


def test_locking_writes_no_update(desk: Any) -> None:
    """§5, §2.3: a state transition is not an update."""
    desk.pass_time(30 * 86400)
    window = {"StartDate": "2026-12-10T00:00:00Z", "EndDate": "2026-12-21T00:00:00Z"}
    assert desk.action()["State"] == "APPROVED"
    for path in ("Actions", "ActionUpdates"):
        assert desk.listed(path, **window) == []


def test_amounts_keep_the_currency(desk_of: Any, make_action: Any, make_item: Any) -> None:
    """§1.3: amounts have the minor unit of their currency."""
    items = [make_item("A", 2, "1000", "100")]
    desk = desk_of([make_action(1, items, Currency="JPY", CampaignName="Tokyo")])
    desk.done(desk.put(Sku="A", Quantity="1"))
    assert (desk.items()["A"]["SaleAmount"], desk.items()["A"]["Payout"]) == ("500", "50")


APPROVING = {"approving_codes": ["APPROVED", "WE_APPROVE"]}


@pytest.mark.parametrize(
    "codes",
    [
        {"Reason": "APPROVED"},
        {"Reason": "WE_APPROVE"},
        {"Reason": "OTHER", "DispositionCode": "WE_APPROVE"},
        {"Reason": "ORDER_UPDATE", "DispositionCode": "APPROVED"},
    ],
)
def test_a_configured_code_approves(desk_of: Any, codes: dict[str, str]) -> None:
    """§3.3, §3.4: an approving code works as Reason and as DispositionCode where it is set up."""
    desk = desk_of(profile=APPROVING)
    desk.done(desk.put(**codes))
    assert (desk.action()["State"], desk.action()["Amount"]) == ("APPROVED", "100.00")


def test_an_approving_code_is_for_put_and_for_its_own_account(desk: Any, desk_of: Any) -> None:
    """§3.4: an approving code does not reject, and an account without it refuses it."""
    own = desk_of(profile=APPROVING)
    assert own.refused(own.delete(DispositionCode="WE_APPROVE")) == "DISPOSITION_CODE_NOT_FOUND"
    other = desk.put(DispositionCode="WE_APPROVE")
    assert desk.refused(other) == "DISPOSITION_CODE_NOT_FOUND"


def test_an_approval_is_no_update(desk_of: Any) -> None:
    """§2.3: a state transition is not an update, so StartDate does not find an approval."""
    desk = desk_of(profile=APPROVING)
    desk.pass_time(86400)
    since = {"StartDate": "2026-11-20T00:00:00Z", "EndDate": "2026-11-30T00:00:00Z"}
    desk.done(desk.put(Reason="APPROVED"))
    assert desk.listed("Actions", CampaignId="1000", **since) == []
    assert desk.updates() == []
    desk.done(desk.put(Sku="A", Quantity="1"))
    assert len(desk.listed("Actions", CampaignId="1000", **since)) == 1


def test_approve_brings_a_reversed_action_back(desk_of: Any) -> None:
    """§3.3: Approve on a reversed action returns it to pending, as it was reported."""
    desk = desk_of(profile=APPROVING)
    desk.done(desk.delete())
    desk.done(desk.put(Reason="APPROVED"))
    shown = desk.action()
    assert (shown["State"], shown["Amount"], shown["Payout"]) == ("PENDING", "100.00", "7.00")
    assert {row["Disposition"] for row in desk.updates()} == {"ITEM_RETURNED", "APPROVED"}
