"""Every switch of the profile changes what its name says (reference §9)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, get_args

import pytest

from clawback.errors import ClawbackError
from clawback.sandbox.limits import RateLimit
from clawback.sandbox.profile import ErrorBody, Profile, load, names, parse

WINDOW = {
    "CampaignId": "1000",
    "ActionDateStart": "2026-11-01T00:00:00Z",
    "ActionDateEnd": "2026-11-20T00:00:00Z",
}
NONE = {**WINDOW, "State": "REVERSED"}
LOCKING_SOON = {
    "CampaignId": "1000",
    "LockingDateStart": "2026-12-01T00:00:00Z",
    "LockingDateEnd": "2026-12-20T00:00:00Z",
}
CASES: dict[str, Callable[..., None]] = {}
Make = Callable[..., Any]


def switch(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Registers the proof of a switch; each gets a maker of desks and one of actions and items."""

    def register(proof: Callable[..., None]) -> Callable[..., None]:
        CASES[name] = proof
        return proof

    return register


@pytest.mark.parametrize("name", sorted(Profile.model_fields))
def test_switch(name: str, desk_of: Make, make_action: Make, make_item: Make) -> None:
    """A switch changes what its name says."""

    def desk(value: Any, actions: Any = None, **more: Any) -> Any:
        return desk_of(actions, profile={name: value, **more})

    CASES[name](desk, make_action, make_item)


@switch("zone")
def _(desk: Make, *_: Any) -> None:
    assert desk("Europe/Berlin").action()["EventDate"] == "2026-11-15T11:00:00+01:00"


@switch("scalars")
def _(desk: Make, *_: Any) -> None:
    shown = desk("numbers").action()
    assert (shown["CampaignId"], shown["Amount"], shown["Id"]) == (1000, 100.0, "1000.4636.1")
    assert desk("numbers").items()["A"]["Quantity"] == "2"


@switch("envelope")
def _(desk: Make, *_: Any) -> None:
    page = desk("numbers").json("Actions", **WINDOW)
    assert (page["@page"], page["@total"], page["@nextpageuri"]) == (1, 2, "")


@switch("empty_list")
def _(desk: Make, *_: Any) -> None:
    assert desk("array").json("Actions", **NONE)["Actions"] == []
    assert desk("object").json("Actions", **NONE)["Actions"] == {}
    assert "Actions" not in desk("missing").json("Actions", **NONE)


@switch("single_row")
def _(desk: Make, action: Make, *_: Any) -> None:
    assert desk("object", [action(1)]).json("Actions", **WINDOW)["Actions"]["Oid"] == "ORDER-1"
    assert len(desk("object").json("Actions", **WINDOW)["Actions"]) == 2


@switch("absent")
def _(desk: Make, *_: Any) -> None:
    assert desk("empty").action()["ClearedDate"] == ""
    assert desk("null").action()["ClearedDate"] is None
    assert "ClearedDate" not in desk("missing").action()


@switch("error_body")
def _(desk: Make, *_: Any) -> None:
    bodies = {shape: desk(shape).get("Actions") for shape in get_args(ErrorBody)}
    assert {response.status_code for response in bodies.values()} == {400}
    wrong = {"Field": "CampaignId", "Message": "CampaignId is required"}
    failed = {"Status": "ERROR", "Message": "Validation Failed"}
    assert bodies["generic"].json() == {**failed, "Errors": [wrong]}
    assert bodies["errors_object"].json() == {**failed, "Errors": {"Error": wrong}}
    assert bodies["errors_empty"].json() == {**failed, "Errors": []}
    assert bodies["message"].json() == failed
    assert bodies["title"].json() == {"status": 400, "title": "Validation Failed"}
    low = [{"field": "CampaignId", "level": "ERROR", "message": "CampaignId is required"}]
    assert bodies["lower"].json() == {"Status": "ERROR", "errors": low}
    assert bodies["warnings"].json() == {"errors": low, "warnings": []}
    said = {"status": 400, "message": "Validation Failed"}
    assert bodies["legacy"].json() == {"error": "ERROR", **said}
    assert bodies["error_code"].json() == {"errorCode": "ERROR", **said}
    assert bodies["empty"].content == b""


@switch("unknown_id_status")
def _(desk: Make, *_: Any) -> None:
    for status in (400, 403, 404):
        assert desk(status).get("Actions/1000.4636.9").status_code == status


@switch("window_error_status")
def _(desk: Make, *_: Any) -> None:
    broken = [
        {"StartDate": "2026-11-01T00:00:00Z"},
        {"EndDate": "2026-11-01T00:00:00Z"},
        {"StartDate": "2026-09-01T00:00:00Z", "EndDate": "2026-11-01T00:00:00Z"},
        {"StartDate": "2020-09-01T00:00:00Z", "EndDate": "2020-09-02T00:00:00Z"},
        {"PageSize": "10"},
    ]
    malformed = [{"StartDate": "yesterday"}, {"PageSize": "all"}, {"CampaignId": ""}]
    for value in (400, 402, 403, 422):
        here = desk(value)
        asked = [here.get("Actions", **{"CampaignId": "1000", **params}) for params in broken]
        assert {response.status_code for response in asked} == {value}
        assert asked[0].json()["Message"] == "Validation Failed"
        others = [here.get("Actions", **{"CampaignId": "1000", **params}) for params in malformed]
        assert {response.status_code for response in others} == {400}


@switch("window_inclusive")
def _(desk: Make, *_: Any) -> None:
    exact = {"StartDate": "2026-10-06T00:00:00Z", "EndDate": "2026-11-20T00:00:00Z"}
    less = {**exact, "EndDate": "2026-11-19T23:59:59Z"}
    for value, status in ((True, 200), (False, 400)):
        here = desk(value)
        assert here.get("Actions", CampaignId="1000", **exact).status_code == status
        assert here.get("Actions", CampaignId="1000", **less).status_code == 200


@switch("other_windows_alone")
def _(desk: Make, *_: Any) -> None:
    both = {**WINDOW, "StartDate": "2026-11-10T00:00:00Z", "EndDate": "2026-11-20T00:00:00Z"}
    for value, status in ((True, 200), (False, 400)):
        here = desk(value)
        for window in (WINDOW, LOCKING_SOON):
            for resource in ("Actions", "ActionUpdates"):
                assert here.get(resource, **window).status_code == status
        assert here.get("Actions", **both).status_code == 200
        assert here.get("Actions", CampaignId="1000").status_code == 200


@switch("date_bounds")
def _(desk: Make, *_: Any) -> None:
    at, other = "2026-11-15T10:00:00Z", {"StartDate": "2026-11-15T10:05:00Z"}
    before = {"ActionDateStart": "2026-11-14T00:00:00Z", "ActionDateEnd": at}
    after = {"ActionDateStart": at, "ActionDateEnd": "2026-11-16T00:00:00Z"}
    updates = {**other, "EndDate": "2026-11-16T00:00:00Z"}
    found = {"inclusive": (2, 2, 4), "half_open": (0, 2, 4), "exclusive": (0, 0, 0)}
    for value, counts in found.items():
        here = desk(value)
        lists = [here.listed("Actions", CampaignId="1000", **w) for w in (before, after)]
        lists.append(here.listed("ActionUpdates", CampaignId="1000", **updates))
        assert tuple(map(len, lists)) == counts


@switch("state_details")
def _(desk: Make, action: Make, *_: Any) -> None:
    world = [
        action(1, LockingDate=""),
        action(2),
        action(3, LockingDate="2026-11-18T00:00:00Z"),
        action(4, LockingDate="2026-11-18T00:00:00Z", ClearedDate="2026-11-19T00:00:00Z"),
    ]
    for value, details in ((True, ["OPEN", "", "PAYMENT_PENDING", "PAID"]), (False, [""] * 4)):
        rows = desk(value, world).listed("ActionUpdates")
        shown = {row["ActionId"]: row for row in rows}
        assert [shown[f"1000.4636.{n}"]["StateDetail"] for n in (1, 2, 3, 4)] == details
        assert all(bool(r["StateDetail"]) == bool(r["StateDetailDescription"]) for r in rows)


@switch("version_query")
def _(desk: Make, *_: Any) -> None:
    for value in ("IrVersion", "IR-Version", "both"):
        here = desk(value)
        for name in ("IrVersion", "IR-Version"):
            shown = here.json("Actions/1000.4636.1", **{name: "11"})
            assert ("ClientCost" in shown) is (value not in (name, "both"))
        header = {**here.json_headers, "IR-Version": "11"}
        asked = here.http.get(f"{here.root}/Actions/1000.4636.1", headers=header)
        assert "ClientCost" not in asked.json()


@switch("method_override")
def _(desk: Make, *_: Any) -> None:
    form = {"ActionId": "1000.4636.1", "DispositionCode": "REJECTED"}
    for value, status in ((True, 200), (False, 405)):
        here = desk(value)
        sent = here.http.post(f"{here.root}/Actions?_method=DELETE", data=form)
        assert sent.status_code == status


@switch("default_days")
def _(desk: Make, action: Make, *_: Any) -> None:
    old = action(1, CreationDate="2026-11-01T00:00:00Z")
    for days, found in ((7, 0), (30, 1)):
        assert len(desk(days, [old]).listed("Actions", CampaignId="1000")) == found


@switch("window_days")
def _(desk: Make, *_: Any) -> None:
    for days, status in ((45, 200), (10, 400)):
        assert desk(days).get("Actions", **WINDOW).status_code == status


@switch("history_days")
def _(desk: Make, *_: Any) -> None:
    old = {
        "CampaignId": "1000",
        "StartDate": "2024-11-01T00:00:00Z",
        "EndDate": "2024-11-02T00:00:00Z",
    }
    for days, status in ((None, 200), (750, 200), (749, 400)):
        assert desk(days).get("Actions", **old).status_code == status
    older = {**old, "StartDate": "2023-11-20T12:00:00Z", "EndDate": "2023-11-21T00:00:00Z"}
    assert desk(None).get("Actions", **older).status_code == 200
    assert desk(750).get("Actions", **older).status_code == 400


@switch("cap_all_windows")
def _(desk: Make, *_: Any) -> None:
    wide = {**WINDOW, "ActionDateStart": "2026-09-01T00:00:00Z"}
    assert desk(True).get("Actions", **wide).status_code == 400
    assert desk(False).get("Actions", **wide).status_code == 200


@switch("naive_dates")
def _(desk: Make, *_: Any) -> None:
    # The actions' events are at 10:00 UTC, which is 02:00 in the account's zone.
    naive = {
        "CampaignId": "1000",
        "ActionDateStart": "2026-11-15T09:00:00",
        "ActionDateEnd": "2026-11-15T11:00:00",
    }
    assert len(desk("utc").listed("Actions", **naive)) == 2
    assert len(desk("account").listed("Actions", **naive)) == 0
    assert desk("error").get("Actions", **naive).status_code == 400


@switch("small_page")
def _(desk: Make, *_: Any) -> None:
    assert desk("error").get("Actions", **WINDOW, PageSize=10).status_code == 400
    assert desk("clamp").json("Actions", **WINDOW, PageSize=10)["@pagesize"] == "2000"


@switch("max_page_size")
def _(desk: Make, *_: Any) -> None:
    assert desk(5000).json("Actions", **WINDOW, PageSize=9000)["@pagesize"] == "5000"
    assert desk(None).json("Actions", **WINDOW, PageSize=90000)["@pagesize"] == "90000"


@switch("oid_filter")
def _(desk: Make, *_: Any) -> None:
    assert len(desk(True).listed("Actions", **WINDOW, Oid="ORDER-2")) == 1
    assert len(desk(False).listed("Actions", **WINDOW, Oid="ORDER-2")) == 2


@switch("missing_parameter")
def _(desk: Make, *_: Any) -> None:
    form = {"ActionId": "1000.4636.1"}
    assert desk("at_once").send("PUT", form).status_code == 400
    later = desk("submission")
    assert later.refused(later.send("PUT", form)) == "MALFORMED"


@switch("refused_write")
def _(desk: Make, *_: Any) -> None:
    at_once = desk("at_once")
    response = at_once.put(Sku="NONE", Quantity="0")
    assert (response.status_code, response.json()["Errors"][0]["Field"]) == (400, "Sku")
    assert at_once.json("APISubmissions")["APISubmission"] == []
    later = desk("submission")
    assert later.refused(later.put(Sku="NONE", Quantity="0")) == "ITEM_NOT_FOUND"


@switch("quantity_rescales")
def _(desk: Make, *_: Any) -> None:
    for value, amount in ((True, "20.00"), (False, "40.00")):
        here = desk(value)
        here.done(here.put(Sku="A", Quantity="1"))
        assert here.items()["A"]["SaleAmount"] == amount


@switch("amount_meaning")
def _(desk: Make, *_: Any) -> None:
    for value, amount in (("line_total", "15.00"), ("unit_price", "30.00")):
        here = desk(value)
        here.done(here.put(Sku="A", Quantity="2", Amount="15.00"))
        assert here.items()["A"]["SaleAmount"] == amount


@switch("indexed_items")
def _(desk: Make, *_: Any) -> None:
    for value, amount in ((True, "0.00"), (False, "60.00")):
        here = desk(value)
        here.done(here.put(Sku="A", Quantity="1", Sku2="B", Quantity2="0"))
        assert here.items()["B"]["SaleAmount"] == amount


@switch("indexed_amounts")
def _(desk: Make, *_: Any) -> None:
    for value, amount in ((True, "10.00"), (False, "60.00")):
        here = desk(value)
        here.done(here.put(Sku="A", Quantity="1", Sku2="B", Amount2="10.00"))
        assert here.items()["B"]["SaleAmount"] == amount


@switch("first_index_one")
def _(desk: Make, *_: Any) -> None:
    for value, amount in ((True, "20.00"), (False, "40.00")):
        here = desk(value)
        here.settled(here.put(Sku1="A", Quantity1="1"))
        assert here.items()["A"]["SaleAmount"] == amount


@switch("max_items_per_call")
def _(desk: Make, *_: Any) -> None:
    form = {"Sku": "A", "Quantity": "1", "Sku2": "B", "Quantity2": "0"}
    assert desk(1).put(**form).status_code == 400
    assert desk(None).put(**form).status_code == 200


@switch("partial_failure")
def _(desk: Make, *_: Any) -> None:
    for value, amount in (("refuse_all", "40.00"), ("apply_valid", "20.00")):
        here = desk(value)
        form = {"Sku": "A", "Quantity": "1", "Sku2": "NONE", "Quantity2": "0"}
        assert here.refused(here.put(**form)) == "ITEM_NOT_FOUND"
        assert here.items()["A"]["SaleAmount"] == amount


@switch("duplicate_sku")
def _(desk: Make, action: Make, item: Make) -> None:
    twice = [action(1, [item("A", 1, "10.00", "1.00"), item("A", 1, "10.00", "1.00")])]
    for value, amount in (("first", "10.00"), ("all", "0.00")):
        here = desk(value, twice)
        here.done(here.put(Sku="A", Quantity="0"))
        assert here.action()["Amount"] == amount
    refusing = desk("refused", twice)
    assert refusing.refused(refusing.put(Sku="A", Quantity="0")) == "ITEM_AMBIGUOUS"


@switch("order_amount_spread")
def _(desk: Make, *_: Any) -> None:
    for value, amounts in (("proportional", ["32.00", "48.00"]), ("first", ["20.00", "60.00"])):
        here = desk(value)
        here.done(here.put(Amount="80.00"))
        assert [row["SaleAmount"] for row in here.items().values()] == amounts


@switch("all_zero_reverses")
def _(desk: Make, *_: Any) -> None:
    for value, state in ((True, "REVERSED"), (False, "PENDING")):
        here = desk(value)
        here.done(here.put(Sku="A", Quantity="0", Sku2="B", Amount2="0"))
        assert here.action()["State"] == state


@switch("put_on_reversed")
def _(desk: Make, *_: Any) -> None:
    refusing, restoring = desk("refuse"), desk("restore")
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
        here = desk("restore")
        here.done(here.delete())
        here.done(here.put(**form))
        assert (here.action()["State"], here.action()["Amount"]) == ("PENDING", amount)
        assert [row["Quantity"] for row in here.items().values()] == quantities


@switch("put_on_approved")
def _(desk: Make, action: Make, *_: Any) -> None:
    approved = [action(1, State="APPROVED")]
    changing, refusing = desk("change", approved), desk("refuse", approved)
    changing.done(changing.put(Sku="A", Quantity="1"))
    assert changing.action()["State"] == "PENDING"
    assert refusing.refused(refusing.put(Sku="A", Quantity="1")) == "ACTION_APPROVED"


@switch("repeated_delete")
def _(desk: Make, *_: Any) -> None:
    refusing, ignoring = desk("refuse"), desk("ignore")
    for here in (refusing, ignoring):
        here.done(here.delete())
    assert refusing.refused(refusing.delete()) == "ACTION_REVERSED"
    ignoring.done(ignoring.delete())
    assert len(ignoring.updates()) == 2
    for value, modifications in (("ignore", 1), ("count", 2)):
        here = desk(value)
        here.done(here.delete())
        here.done(here.delete())
        [shown] = here.control("GET", "state?action_id=1000.4636.1")["actions"]
        assert shown["_modifications"] == modifications


@switch("reason_optional")
def _(desk: Make, *_: Any) -> None:
    form = {"Reason": "", "DispositionCode": "ORDER_UPDATE", "Sku": "A", "Quantity": "1"}
    assert desk(False).put(**form).status_code == 400
    here = desk(True)
    here.done(here.put(**form))
    assert here.updates()[0]["Disposition"] == "ORDER_UPDATE"


@switch("json_bodies")
def _(desk: Make, *_: Any) -> None:
    body = {"ActionId": "1000.4636.1", "Reason": "ORDER_UPDATE", "Sku": "A", "Quantity": 1}
    for value, status in ((True, 200), (False, 400)):
        here = desk(value)
        sent = here.http.put(f"{here.root}/Actions.json", json=body)
        assert sent.status_code == status


@switch("delete_query")
def _(desk: Make, *_: Any) -> None:
    query = {"ActionId": "1000.4636.1", "DispositionCode": "REJECTED"}
    for value, status in ((True, 200), (False, 400)):
        here = desk(value)
        assert here.http.delete(f"{here.root}/Actions", params=query).status_code == status


@switch("payout_rounding")
def _(desk: Make, action: Make, item: Make) -> None:
    tenth = [action(1, [item("A", 2, "0.50", "0.05")])]
    for value, payout in (("half_even", "0.02"), ("half_up", "0.03"), ("down", "0.02")):
        here = desk(value, tenth)
        here.done(here.put(Sku="A", Quantity="1"))
        assert here.action()["Payout"] == payout


@switch("max_modifications")
def _(desk: Make, *_: Any) -> None:
    here = desk(1)
    here.done(here.put(Sku="A", Quantity="1"))
    assert here.refused(here.put(Sku="A", Quantity="0")) == "MAX_MODIFICATIONS_REACHED"


@switch("modifying_codes")
def _(desk: Make, *_: Any) -> None:
    here = desk(["SIZE_SWAP"])
    here.done(here.put(Sku="A", Quantity="1", DispositionCode="SIZE_SWAP"))
    assert here.updates()[0]["Disposition"] == "SIZE_SWAP"
    wrong = here.put(Sku="A", Quantity="0", DispositionCode="size_swap")
    assert here.refused(wrong) == "DISPOSITION_CODE_NOT_FOUND"


@switch("rejecting_codes")
def _(desk: Make, *_: Any) -> None:
    for codes, error in (([], "Validation"), (["WE_REJECT"], "")):
        here = desk(codes)
        assert here.settled(here.delete(DispositionCode="WE_REJECT"))["ErrorType"] == error


@switch("approving_codes")
def _(desk: Make, *_: Any) -> None:
    plain, approving = desk([]), desk(["APPROVED"])
    assert plain.refused(plain.put(Reason="APPROVED")) == "DISPOSITION_CODE_NOT_FOUND"
    approving.done(approving.put(Reason="APPROVED"))
    assert approving.action()["State"] == "APPROVED"


@switch("customer_statuses")
def _(desk: Make, *_: Any) -> None:
    here = desk(["GOLD"])
    here.done(here.put(CustomerStatus="GOLD"))
    assert here.action()["CustomerStatus"] == "GOLD"


@switch("update_quantity")
def _(desk: Make, action: Make, item: Make) -> None:
    five = [action(1, [item("A", 5, "50.00", "5.00")])]
    for value, shown in (("new", "2"), ("difference", "-3")):
        here = desk(value, five)
        here.done(here.put(Sku="A", Quantity="2"))
        assert here.updates()[0]["Quantity"] == shown


@switch("delete_rows")
def _(desk: Make, *_: Any) -> None:
    for value, skus in (("per_item", ["A", "B"]), ("per_action", [""])):
        here = desk(value)
        here.done(here.delete())
        assert [row["Sku"] for row in here.updates()] == skus
        assert sum(float(row["DeltaAmount"]) for row in here.updates()) == -100


@switch("reset_rows")
def _(desk: Make, *_: Any) -> None:
    shapes = {"changed": ["A"], "all": ["A", "B"], "per_action": [""], "none": []}
    for value, skus in shapes.items():
        here = desk(value)
        here.done(here.put(Sku="A", Quantity="1"))
        here.done(here.put(Reason="RESET"))
        assert [row["Sku"] for row in here.updates()[1:]] == skus


@switch("untouched_rows")
def _(desk: Make, *_: Any) -> None:
    for value, deltas in ((False, ["-20.00"]), (True, ["-20.00", "0.00"])):
        here = desk(value)
        here.done(here.put(Sku="A", Quantity="1"))
        assert [row["DeltaAmount"] for row in here.updates()] == deltas


@switch("submission_visible_after")
def _(desk: Make, *_: Any) -> None:
    here = desk(3)
    uri = here.put(Sku="A", Quantity="1").json()["QueuedUri"].removeprefix(here.root + "/")
    assert here.get(uri).status_code == 404
    here.pass_time(3)
    assert here.get(uri).status_code == 200


@switch("error_texts")
def _(desk: Make, *_: Any) -> None:
    here = desk({"locked": ("Contract Error", "TOO_LATE")})
    here.act("lock")
    submission = here.settled(here.delete())
    assert (submission["ErrorType"], submission["ErrorReason"]) == ("Contract Error", "TOO_LATE")


@switch("refusal_timing")
def _(desk: Make, *_: Any) -> None:
    here = desk({"locked": "at_once", "unknown_sku": 404, "malformed": 402})
    assert here.put(Sku="NONE", Quantity="0").status_code == 404
    assert here.send("PUT", {"ActionId": "1000.4636.1"}).status_code == 402
    assert here.refused(here.put(9, Sku="A", Quantity="0")) == "ACTION_NOT_FOUND"
    here.act("lock")
    response = here.put(Sku="A", Quantity="0")
    assert (response.status_code, response.json()["Errors"][0]["Field"]) == (400, "ActionId")
    later = desk({"unknown_sku": "submission"}, refused_write="at_once")
    assert later.refused(later.put(Sku="NONE", Quantity="0")) == "ITEM_NOT_FOUND"
    assert later.put(9, Sku="A", Quantity="0").status_code == 400


@switch("write_order")
def _(desk: Make, *_: Any) -> None:
    reasons = ["OTHER", "ORDER_ERROR", "ITEM_RETURNED", "CONS_FRAUD", "TEST_ACTION"]
    found = {}
    for value in ("accepted", "shuffled"):
        here = desk(value)
        sent = [here.put(Sku="A", Quantity="1", Reason=reason) for reason in reasons]
        here.pass_time(10)
        assert all(here.settled(response)["ErrorType"] == "" for response in sent)
        found[value] = [row["Disposition"] for row in here.updates()]
    assert found["accepted"] == reasons
    assert found["shuffled"] != reasons
    assert sorted(found["shuffled"]) == sorted(reasons)


@switch("item_amount_zero")
def _(desk: Make, *_: Any) -> None:
    for value, standing in (("item", ("PENDING", "60.00")), ("action", ("REVERSED", "0.00"))):
        here = desk(value)
        here.done(here.put(Sku="A", Amount="0"))
        assert (here.action()["State"], here.action()["Amount"]) == standing


@switch("reason_conflict")
def _(desk: Make, *_: Any) -> None:
    form = {"Reason": "ITEM_RETURNED", "DispositionCode": "SWAP", "Sku": "A", "Quantity": "1"}
    shown = {
        "both": ("SWAP", "ITEM_RETURNED"),
        "reason": ("ITEM_RETURNED", "ITEM_RETURNED"),
        "disposition": ("SWAP", "SWAP"),
    }
    for value, codes in shown.items():
        here = desk(value, modifying_codes=["SWAP"])
        here.done(here.put(**form))
        [row] = here.updates()
        assert (row["Disposition"], here.items()["A"]["AdjustmentReason"]) == codes
    refusing = desk("refused", modifying_codes=["SWAP"])
    assert refusing.refused(refusing.put(**form)) == "DISPOSITION_CODE_NOT_FOUND"


@switch("reset_payout")
def _(desk: Make, *_: Any) -> None:
    for value, payout in (("original", "7.00"), ("contract", "14.00")):
        here = desk(value)
        here.act("contract", None, factor="2")
        here.done(here.put(Sku="A", Quantity="1"))
        here.done(here.put(Reason="RESET"))
        assert (here.action()["Payout"], here.action()["Amount"]) == (payout, "100.00")
        changed = [row["DeltaPayout"] for row in here.updates() if row["Disposition"] == "RESET"]
        assert sum(map(float, changed)) == float(here.action()["DeltaPayout"])


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


@switch("locking_instant")
def _(desk: Make, action: Make, *_: Any) -> None:
    noon = [action(1, LockingDate="2026-12-15T20:00:00Z")]
    _locks_at(desk("day_start", noon), "2026-12-15T07:59:59Z", "2026-12-15T08:00:00Z")
    _locks_at(desk("exact", noon), "2026-12-15T19:59:59Z", "2026-12-15T20:00:00Z")
    late = desk("day_end", noon)
    _locks_at(late, "2026-12-16T07:59:59Z", "2026-12-16T08:00:00Z")
    late.act("add", None, action=action(2))
    late.act("lock", 2)
    assert late.action(2)["State"] == "APPROVED"


@switch("locking_zone")
def _(desk: Make, action: Make, *_: Any) -> None:
    noon = [action(1, LockingDate="2026-12-15T20:00:00Z")]
    _locks_at(desk("UTC", noon), "2026-12-15T11:59:59Z", "2026-12-15T12:00:00Z")
    _locks_at(desk(None, noon), "2026-12-15T19:59:59Z", "2026-12-15T20:00:00Z")


@switch("locking_grace")
def _(desk: Make, action: Make, *_: Any) -> None:
    noon = [action(1, LockingDate="2026-12-15T20:00:00Z")]
    patient = desk(3600, noon)
    _locks_at(patient, "2026-12-15T20:59:59Z", "2026-12-15T21:00:00Z")
    assert patient.action()["LockingDate"] == "2026-12-15T12:00:00-08:00"
    other = desk(3600)
    other.strike({"fault": "locked_meanwhile"})
    assert other.refused(other.put(Sku="A", Quantity="1")) == "ACTION_LOCKED"


@switch("approval_rows")
def _(desk: Make, *_: Any) -> None:
    for value, skus in (("none", []), ("per_item", ["A", "B"]), ("per_action", [""])):
        here = desk(value, approving_codes=["APPROVED"])
        here.done(here.put(Reason="APPROVED"))
        assert [row["Sku"] for row in here.updates()] == skus
        assert {row["DeltaAmount"] for row in here.updates()} <= {"0.00"}
        assert {row["State"] for row in here.updates()} <= {"APPROVED"}


@switch("update_state")
def _(desk: Make, *_: Any) -> None:
    for value, state in (("current", "APPROVED"), ("written", "PENDING")):
        here = desk(value)
        here.done(here.put(Sku="A", Quantity="1"))
        here.act("lock")
        assert here.updates()[0]["State"] == state
        found = here.listed("ActionUpdates", **WINDOW, State="APPROVED")
        assert len(found) == (3 if value == "current" else 0)


@switch("delta_meaning")
def _(desk: Make, *_: Any) -> None:
    for value, delta in (("latest", ("-10.00", "-0.50")), ("total", ("-30.00", "-2.50"))):
        here = desk(value)
        here.done(here.put(Sku="A", Quantity="1"))
        here.done(here.put(Sku="B", Amount="50"))
        assert (here.action()["DeltaAmount"], here.action()["DeltaPayout"]) == delta
        assert here.action(2)["DeltaAmount"] == "100.00"


@switch("intended_meaning")
def _(desk: Make, *_: Any) -> None:
    meanings = {"original": "100.00", "before_latest": "80.00", "current": "70.00"}
    for value, amount in meanings.items():
        here = desk(value)
        here.done(here.put(Sku="A", Quantity="1"))
        here.done(here.put(Sku="B", Amount="50"))
        assert here.action()["IntendedAmount"] == amount
        assert here.action(2)["IntendedPayout"] == "7.00"


@switch("rate_headers")
def _(desk: Make, *_: Any) -> None:
    expected = {
        "brand": {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"},
        "partner": {"x-ratelimit-limit-hour", "x-ratelimit-remaining-hour", "ratelimit-reset"},
        "live": {
            "x-ratelimit-limit-hour",
            "x-ratelimit-remaining-hour",
            "x-ratelimit-limit",
            "x-ratelimit-remaining",
            "x-ratelimit-reset",
        },
    }
    for value, headers in expected.items():
        sent = desk(value).get("CompanyInformation").headers
        assert {name.lower() for name in sent if "limit" in name.lower()} == headers


@switch("rate_reset")
def _(desk: Make, *_: Any) -> None:
    assert desk("seconds").get("Campaigns").headers["X-RateLimit-Reset"] == "3600"
    assert desk("epoch").get("Campaigns").headers["X-RateLimit-Reset"] == "1795179600"


@switch("retry_after")
def _(desk: Make, *_: Any) -> None:
    for value in (True, False):
        here = desk(value)
        here.server.sandbox.budget.limit = type(here.server.sandbox.budget.limit)(1, 60.0)
        here.get("Campaigns")
        assert ("Retry-After" in here.get("Campaigns").headers) is value


@switch("rate_buckets")
def _(desk_of: Make, *_: Any) -> None:
    rest = {"account": ["1", "0", "429"], "verb": ["1", "1", "0"], "user": ["1", "0", "1"]}
    for value, told in rest.items():
        here = desk_of(value)
        here.server.sandbox.budget.limit = RateLimit(2, 3600)
        agency = f"/Agencies/{here.server.agency_sid}{here.root}/Campaigns"
        answers = [here.get("Campaigns")]
        answers.append(here.put(Sku="A", Quantity="1"))
        as_agency = (here.server.agency_sid, here.server.auth_token)
        answers.append(here.http.get(agency, auth=as_agency))
        seen = [
            a.headers["X-RateLimit-Remaining"] if a.status_code == 200 else str(a.status_code)
            for a in answers
        ]
        assert seen == told


@switch("concurrency_limit")
def _(desk: Make, *_: Any) -> None:
    names = ("X-Ratelimit-Concurrentlimit", "X-Ratelimit-Concurrentremaining")
    here = desk(2)
    alone = here.get("Campaigns")
    assert [alone.headers[name] for name in names] == ["2", "1"]
    here.strike({"fault": "latency", "seconds": 1.5, "kinds": ["list_items"]})
    slow = "Actions/1000.4636.1/Items"
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(here.get, slow) for _ in range(2)]
        while here.control("GET", "requests?kind=list_items")["by_kind"].get("list_items", 0) < 2:
            assert not any(one.done() for one in waiting)
        over = here.get("Campaigns")
        assert [one.result().status_code for one in waiting] == [200, 200]
    assert (over.status_code, over.headers[names[1]]) == (429, "0")
    assert over.headers["X-RateLimit-Remaining"] == "997"
    assert here.get("Campaigns").status_code == 200
    assert names[0] not in desk(None).get("Campaigns").headers


def test_every_switch_names_its_source() -> None:
    """Each switch says what it settles and where the reference leaves that open."""
    silent = [
        name
        for name, field in Profile.model_fields.items()
        if not field.description or "§" not in field.description
    ]
    assert silent == []


def test_named_profiles_load() -> None:
    """The profiles that come along are valid, and the default one is the default."""
    assert set(names()) >= {"default", "literal", "numbers", "partner", "strict"}
    assert load("default") == load(None) == Profile()
    assert all(load(name) for name in names())


def test_profile_file(tmp_path: Any) -> None:
    """A file names the switches that differ from the default."""
    path = tmp_path / "mine.yaml"
    path.write_text("scalars: numbers\nmodifying_codes: [SWAP]\n", "utf-8")
    assert load(str(path)) == Profile(scalars="numbers", modifying_codes=("SWAP",))


def test_unknown_switch_is_named() -> None:
    """A misspelt switch, value or name is refused with a sentence."""
    with pytest.raises(ClawbackError, match="scalar: Extra inputs"):
        parse({"scalar": "numbers"}, "here")
    with pytest.raises(ClawbackError, match="zone"):
        parse({"zone": "Mars/Olympus"}, "here")
    with pytest.raises(ClawbackError, match="no such profile or file"):
        load("nowhere")
