"""Switches about what a write makes of an action: each changes what its name says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clawback.sandbox.switches_writing import Writing

WINDOW = {
    "CampaignId": "1000",
    "ActionDateStart": "2026-11-01T00:00:00Z",
    "ActionDateEnd": "2026-11-20T00:00:00Z",
}
NONE = {**WINDOW, "State": "REVERSED"}
Make = Callable[..., Any]


def test_quantity_rescales(switched: Make) -> None:
    """§9.9: Quantity alone changes SaleAmount, or leaves it."""
    for value, amount in ((True, "20.00"), (False, "40.00")):
        here = switched(value)
        here.done(here.put(Sku="A", Quantity="1"))
        assert here.items()["A"]["SaleAmount"] == amount


def test_amount_meaning(switched: Make) -> None:
    """§9.9: Amount beside Quantity is the line's total, or the price of one."""
    for value, amount in (("line_total", "15.00"), ("unit_price", "30.00")):
        here = switched(value)
        here.done(here.put(Sku="A", Quantity="2", Amount="15.00"))
        assert here.items()["A"]["SaleAmount"] == amount


def test_amount_currency(switched: Make, make_action: Make) -> None:
    """§9.18: the Amount of a PUT is in its action's currency, or in the account's, converted."""
    euros = [make_action(1, Currency="EUR"), make_action(2)]
    for value, amounts in (("action", ("33.00", "55.00")), ("account", ("30.00", "50.00"))):
        here = switched(value, euros, exchange_rates={"EUR": "1.10"})
        here.done(here.put(Sku="A", Amount="33"))
        assert here.items()["A"]["SaleAmount"] == amounts[0]
        assert here.items()["A"]["Payout"] == ("3.30" if value == "action" else "3.00")
        here.done(here.put(Amount="55"))
        assert (here.action()["Amount"], here.action()["Currency"]) == (amounts[1], "EUR")
        here.done(here.put(2, Sku="A", Amount="33"))
        assert here.items(2)["A"]["SaleAmount"] == "33.00"


def test_exchange_rates(switched: Make, make_action: Make, make_item: Make) -> None:
    """§9.18: the rate says what a unit of the action's currency is worth in the account's."""
    yen = [make_action(1, [make_item("A", 1, "1000", "100")], Currency="JPY")]
    for rates, amount in (({}, "600"), ({"JPY": "0.006"}, "900"), ({"EUR": "2"}, "600")):
        here = switched(rates, yen, amount_currency="account")
        change = {"Amount": "600"} if amount == "600" else {"ItemSubTotalDelta": "-0.6"}
        here.done(here.put(Sku="A", **change))
        assert here.items()["A"]["SaleAmount"] == amount


def test_indexed_items(switched: Make) -> None:
    """§9.12: Sku2 is honoured, or ignored."""
    for value, amount in ((True, "0.00"), (False, "60.00")):
        here = switched(value)
        here.done(here.put(Sku="A", Quantity="1", Sku2="B", Quantity2="0"))
        assert here.items()["B"]["SaleAmount"] == amount


def test_indexed_amounts(switched: Make) -> None:
    """§9.12: Amount2 is honoured, or ignored."""
    for value, amount in ((True, "10.00"), (False, "60.00")):
        here = switched(value)
        here.done(here.put(Sku="A", Quantity="1", Sku2="B", Amount2="10.00"))
        assert here.items()["B"]["SaleAmount"] == amount


def test_first_index_one(switched: Make) -> None:
    """§9.12: Sku1 stands for Sku, or for nothing."""
    for value, amount in ((True, "20.00"), (False, "40.00")):
        here = switched(value)
        here.settled(here.put(Sku1="A", Quantity1="1"))
        assert here.items()["A"]["SaleAmount"] == amount


def test_max_items_per_call(switched: Make) -> None:
    """§9.12: more items than the limit are 400."""
    form = {"Sku": "A", "Quantity": "1", "Sku2": "B", "Quantity2": "0"}
    assert switched(1).put(**form).status_code == 400
    assert switched(None).put(**form).status_code == 200


def test_partial_failure(switched: Make) -> None:
    """§9.12: one bad item spoils the write, or only itself."""
    for value, amount in (("refuse_all", "40.00"), ("apply_valid", "20.00")):
        here = switched(value)
        form = {"Sku": "A", "Quantity": "1", "Sku2": "NONE", "Quantity2": "0"}
        assert here.refused(here.put(**form)) == "ITEM_NOT_FOUND"
        assert here.items()["A"]["SaleAmount"] == amount


def test_duplicate_sku(switched: Make, make_action: Make, make_item: Make) -> None:
    """§9.11: a Sku on two lines names the first, both, or is refused."""
    twice = [make_action(1, [make_item("A", 1, "10.00", "1.00")] * 2)]
    for value, amount in (("first", "10.00"), ("all", "0.00")):
        here = switched(value, twice)
        here.done(here.put(Sku="A", Quantity="0"))
        assert here.action()["Amount"] == amount
    refusing = switched("refused", twice)
    assert refusing.refused(refusing.put(Sku="A", Quantity="0")) == "ITEM_AMBIGUOUS"


def test_order_amount_spread(switched: Make) -> None:
    """§9.8: Amount without Sku is spread by worth, or taken from the first item."""
    for value, amounts in (("proportional", ["32.00", "48.00"]), ("first", ["20.00", "60.00"])):
        here = switched(value)
        here.done(here.put(Amount="80.00"))
        assert [row["SaleAmount"] for row in here.items().values()] == amounts


def test_all_zero_reverses(switched: Make) -> None:
    """§9.10: an action whose items are all at 0 is REVERSED, or stays PENDING."""
    for value, state in ((True, "REVERSED"), (False, "PENDING")):
        here = switched(value)
        here.done(here.put(Sku="A", Quantity="0", Sku2="B", Amount2="0"))
        assert here.action()["State"] == state


def test_item_amount_zero(switched: Make) -> None:
    """§9.10: Amount=0 beside a Sku empties that item, or the action."""
    for value, standing in (("item", ("PENDING", "60.00")), ("action", ("REVERSED", "0.00"))):
        here = switched(value)
        here.done(here.put(Sku="A", Amount="0"))
        assert (here.action()["State"], here.action()["Amount"]) == standing


def test_put_on_reversed(switched: Make) -> None:
    """§9.14, §9.25: a PUT on a reversed action is refused, or restores what it names."""
    refusing, restoring = switched("refuse"), switched("restore")
    for here in (refusing, restoring):
        here.done(here.delete())
    assert refusing.refused(refusing.put(Sku="A", Quantity="1")) == "ACTION_REVERSED"
    restoring.done(restoring.put(Sku="A", Quantity="1"))
    assert (restoring.action()["State"], restoring.action()["Amount"]) == ("PENDING", "20.00")
    for form, quantities, amount in (
        ({"Sku": "A", "Amount": "30"}, ["2", "0"], "30.00"),
        ({"Sku": "B", "ItemSubTotalDelta": "5"}, ["0", "1"], "5.00"),
        ({"Amount": "50"}, ["2", "1"], "50.00"),
        ({"CustomerStatus": "EXISTING"}, ["2", "1"], "100.00"),
    ):
        here = switched("restore")
        here.done(here.delete())
        here.done(here.put(**form))
        assert (here.action()["State"], here.action()["Amount"]) == ("PENDING", amount)
        assert [row["Quantity"] for row in here.items().values()] == quantities


def test_put_on_approved(switched: Make, make_action: Make) -> None:
    """§9.14, §9.19: an approved action that is not locked can be changed, or not."""
    approved = [make_action(1, State="APPROVED")]
    changing, refusing = switched("change", approved), switched("refuse", approved)
    changing.done(changing.put(Sku="A", Quantity="1"))
    assert changing.action()["State"] == "PENDING"
    assert refusing.refused(refusing.put(Sku="A", Quantity="1")) == "ACTION_APPROVED"


def test_repeated_delete(switched: Make) -> None:
    """§9.14: a second DELETE is refused, does nothing, or only counts."""
    refusing, ignoring = switched("refuse"), switched("ignore")
    for here in (refusing, ignoring):
        here.done(here.delete())
    assert refusing.refused(refusing.delete()) == "ACTION_REVERSED"
    ignoring.done(ignoring.delete())
    assert len(ignoring.updates()) == 2
    for value, modifications in (("ignore", 1), ("count", 2)):
        here = switched(value)
        here.done(here.delete())
        here.done(here.delete())
        [shown] = here.control("GET", "state?action_id=1000.4636.1")["actions"]
        assert shown["_modifications"] == modifications


def test_reason_optional(switched: Make) -> None:
    """§9.13: a DispositionCode alone is refused, or enough."""
    form = {"Reason": "", "DispositionCode": "ORDER_UPDATE", "Sku": "A", "Quantity": "1"}
    assert switched(False).put(**form).status_code == 400
    here = switched(True)
    here.done(here.put(**form))
    assert here.updates()[0]["Disposition"] == "ORDER_UPDATE"


def test_disposition_required(switched: Make) -> None:
    """§3.1: Reason alone is enough, or a DispositionCode must stand beside it."""
    for value, status in ((False, 200), (True, 400)):
        here = switched(value)
        assert here.put(Sku="A", Quantity="1").status_code == status
        here.done(here.put(Sku="A", Quantity="1", DispositionCode="ORDER_UPDATE"))


def test_item_reasons(switched: Make) -> None:
    """§3.1: items are changed for any Reason, or for ORDER_UPDATE alone; orders for any."""
    for value, error in (("all", ""), ("order_update", "DISPOSITION_CODE_NOT_FOUND")):
        here = switched(value)
        returned = here.put(Sku="A", Quantity="1", Reason="ITEM_RETURNED")
        assert here.settled(returned)["ErrorReason"] == error
        here.done(here.put(Sku="A", Quantity="0"))
        here.done(here.put(Amount="10", Reason="ITEM_RETURNED"))


def test_quantity_required(switched: Make) -> None:
    """§3.1: an item's Amount may come alone, or needs its Quantity."""
    for value, status in ((False, 200), (True, 400)):
        here = switched(value)
        assert here.put(Sku="A", Amount="10").status_code == status
        assert here.put(Sku="A", Quantity="1", Sku2="B", Amount2="5").status_code == status
        here.done(here.put(Sku="A", Quantity="1", Amount="10"))
        here.done(here.put(Amount="5"))


def test_reason_conflict(switched: Make) -> None:
    """§9.13: of two codes that differ both count, either one, or neither."""
    form = {"Reason": "ITEM_RETURNED", "DispositionCode": "SWAP", "Sku": "A", "Quantity": "1"}
    shown = {
        "both": ("SWAP", "ITEM_RETURNED"),
        "reason": ("ITEM_RETURNED", "ITEM_RETURNED"),
        "disposition": ("SWAP", "SWAP"),
    }
    for value, codes in shown.items():
        here = switched(value, modifying_codes=["SWAP"])
        here.done(here.put(**form))
        [row] = here.updates()
        assert (row["Disposition"], here.items()["A"]["AdjustmentReason"]) == codes
    refusing = switched("refused", modifying_codes=["SWAP"])
    assert refusing.refused(refusing.put(**form)) == "DISPOSITION_CODE_NOT_FOUND"


def test_payout_rounding(switched: Make, make_action: Make, make_item: Make) -> None:
    """§9.18: half a cent of payout goes to the even one, up, or away."""
    tenth = [make_action(1, [make_item("A", 2, "0.50", "0.05")])]
    for value, payout in (("half_even", "0.02"), ("half_up", "0.03"), ("down", "0.02")):
        here = switched(value, tenth)
        here.done(here.put(Sku="A", Quantity="1"))
        assert here.action()["Payout"] == payout


def test_reset_payout(switched: Make) -> None:
    """§3.3: a RESET brings back the reported payout, or reckons it by the contract."""
    for value, payout in (("original", "7.00"), ("contract", "14.00")):
        here = switched(value)
        here.act("contract", None, factor="2")
        here.done(here.put(Sku="A", Quantity="1"))
        here.done(here.put(Reason="RESET"))
        assert (here.action()["Payout"], here.action()["Amount"]) == (payout, "100.00")
        changed = [row["DeltaPayout"] for row in here.updates() if row["Disposition"] == "RESET"]
        assert sum(map(float, changed)) == float(here.action()["DeltaPayout"])


def test_max_modifications(switched: Make) -> None:
    """§3.6: one modification more than the limit is refused."""
    here = switched(1)
    here.done(here.put(Sku="A", Quantity="1"))
    assert here.refused(here.put(Sku="A", Quantity="0")) == "MAX_MODIFICATIONS_REACHED"


def test_modifying_codes(switched: Make) -> None:
    """§3.4: a configured code modifies, in its own spelling only."""
    here = switched(["SIZE_SWAP"])
    here.done(here.put(Sku="A", Quantity="1", DispositionCode="SIZE_SWAP"))
    assert here.updates()[0]["Disposition"] == "SIZE_SWAP"
    wrong = here.put(Sku="A", Quantity="0", DispositionCode="size_swap")
    assert here.refused(wrong) == "DISPOSITION_CODE_NOT_FOUND"


def test_rejecting_codes(switched: Make) -> None:
    """§3.4: a code reverses where it is configured."""
    for codes, error in (([], "Validation"), (["WE_REJECT"], "")):
        here = switched(codes)
        assert here.settled(here.delete(DispositionCode="WE_REJECT"))["ErrorType"] == error


def test_approving_codes(switched: Make) -> None:
    """§3.3: APPROVED works only where it is configured."""
    plain, approving = switched([]), switched(["APPROVED"])
    assert plain.refused(plain.put(Reason="APPROVED")) == "DISPOSITION_CODE_NOT_FOUND"
    approving.done(approving.put(Reason="APPROVED"))
    assert approving.action()["State"] == "APPROVED"


def test_customer_statuses(switched: Make) -> None:
    """§3.1: a configured customer status is taken."""
    here = switched(["GOLD"])
    here.done(here.put(CustomerStatus="GOLD"))
    assert here.action()["CustomerStatus"] == "GOLD"


def test_each_has_its_proof() -> None:
    """There is a test here for every switch of this kind, named after it."""
    assert [name for name in Writing.model_fields if f"test_{name}" not in globals()] == []
