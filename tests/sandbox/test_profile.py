"""Every switch of the profile changes what its name says (reference §9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from clawback.errors import ClawbackError
from clawback.sandbox.profile import Profile, load, names, parse

WINDOW = {
    "CampaignId": "1000",
    "ActionDateStart": "2026-11-01T00:00:00Z",
    "ActionDateEnd": "2026-11-20T00:00:00Z",
}
NONE = {**WINDOW, "State": "REVERSED"}
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
    bodies = {
        shape: desk(shape).get("Actions")
        for shape in ("generic", "errors_object", "title", "lower", "legacy", "empty")
    }
    assert {response.status_code for response in bodies.values()} == {400}
    wrong = {"Field": "CampaignId", "Message": "CampaignId is required"}
    failed = {"Status": "ERROR", "Message": "Validation Failed"}
    assert bodies["generic"].json() == {**failed, "Errors": [wrong]}
    assert bodies["errors_object"].json() == {**failed, "Errors": {"Error": wrong}}
    assert bodies["title"].json() == {"status": 400, "title": "Validation Failed"}
    assert bodies["lower"].json()["errors"][0]["field"] == "CampaignId"
    assert bodies["legacy"].json()["error"] == "ERROR"
    assert bodies["empty"].content == b""


@switch("unknown_id_status")
def _(desk: Make, *_: Any) -> None:
    for status in (400, 403, 404):
        assert desk(status).get("Actions/1000.4636.9").status_code == status


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
    for days, status in ((3 * 366, 200), (365, 400)):
        assert desk(days).get("Actions", **old).status_code == status


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
