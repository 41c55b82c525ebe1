"""The control API and the world's extensions: what tests steer a sandbox with."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from fastapi import HTTPException
from starlette.requests import Request

from clawback.sandbox.control import _loopback_only


def test_request_log(desk: Any) -> None:
    """The log says who asked what, when, and with which answer; counts go by kind."""
    desk.get("Actions/1000.4636.1")
    desk.put(Sku="A", Quantity="1")
    desk.put(None)
    log = desk.control("GET", "requests")
    assert log["by_kind"] == {"get_action": 1, "modify": 2}
    modify = log["requests"][1]
    assert modify | {"path": ""} == {
        "time": "2026-11-20T12:00:00+00:00",
        "user": desk.server.account_sid,
        "method": "PUT",
        "path": "",
        "query": "",
        "kind": "modify",
        "status": 200,
        "body": "ActionId=1000.4636.1&Reason=ORDER_UPDATE&Sku=A&Quantity=1",
        "faults": [],
    }
    assert log["requests"][2]["status"] == 400
    desk.control("DELETE", "requests")
    assert desk.control("GET", "requests") == {"total": 0, "by_kind": {}, "requests": []}


def test_the_log_holds_no_token(desk: Any) -> None:
    """The token shows neither in the log nor in the state."""
    desk.get("Campaigns")
    for path in ("requests", "state", "profile"):
        assert desk.server.auth_token not in json.dumps(desk.control("GET", path))
    assert desk.server.auth_token not in repr(desk.server.sandbox.settings)


def test_true_state(desk: Any) -> None:
    """The state shows every action's items now and as reported, also what the API hides."""
    desk.done(desk.put(Sku="A", Quantity="1"))
    state = desk.control("GET", "state?action_id=1000.4636.1")
    [shown] = state["actions"]
    assert [item["Quantity"] for item in shown["Items"]] == ["1", "1"]
    assert [item["Quantity"] for item in shown["_original"]] == ["2", "1"]
    assert (shown["_modifications"], shown["_locked"], shown["_visible"]) == (1, False, True)
    assert (state["total"], state["open_submissions"]) == (2, [])


def test_clock(desk: Any) -> None:
    """The clock can be set, moved and made to run, but not put back."""
    assert desk.control("GET", "clock") == {"now": "2026-11-20T12:00:00+00:00", "speed": 0.0}
    desk.control("POST", "clock", {"now": "2026-12-01T00:00:00Z"})
    assert desk.control("GET", "clock")["now"] == "2026-12-01T00:00:00+00:00"
    back = desk.http.post("/_sandbox/clock", json={"now": "2026-11-01T00:00:00Z"})
    assert (back.status_code, "cannot be put back" in back.text) == (400, True)
    desk.control("POST", "clock", {"speed": 1e6})
    assert desk.control("GET", "clock")["now"] > "2026-12-01T00:00:00+00:00"


def test_what_others_do(desk: Any) -> None:
    """Another person's changes take effect at once and leave updates, but no submission."""
    desk.act("modify", fields={"Sku": "A", "Quantity": "1", "Reason": "ORDER_ERROR"})
    assert desk.action()["Amount"] == "80.00"
    desk.act("reverse", code="CONS_FRAUD")
    assert desk.action()["State"] == "REVERSED"
    desk.act("restore")
    assert (desk.action()["State"], desk.action()["Amount"]) == ("PENDING", "100.00")
    desk.act("modify", fields={"Amount": "10.00"})
    desk.act("reset")
    assert desk.action()["Amount"] == "100.00"
    assert [row["Disposition"] for row in desk.updates()] == [
        "ORDER_ERROR",
        *["CONS_FRAUD"] * 2,
        *["RESET"] * 2,
        *["ORDER_UPDATE"] * 2,
        *["RESET"] * 2,
    ]
    assert desk.json("APISubmissions")["APISubmission"] == []


def test_lock_moves_the_locking_date(desk: Any) -> None:
    """An action can be locked now or at another date; lists and filters follow."""
    desk.act("lock", locking_date="2026-11-25T00:00:00Z")
    assert desk.action()["LockingDate"] == "2026-11-24T16:00:00-08:00"
    window = {"LockingDateStart": "2026-11-24T00:00:00Z", "LockingDateEnd": "2026-11-26T00:00:00Z"}
    assert len(desk.listed("Actions", **window)) == 1
    desk.act("lock")
    assert desk.action()["State"] == "APPROVED"


def test_a_conversion_is_added(desk: Any, make_action: Any) -> None:
    """A conversion that is added now is created now, and shows in every list."""
    line = make_action(3)
    del line["CreationDate"]
    assert desk.act("add", None, action=line)["action_id"] == "1000.4636.3"
    assert desk.action(3)["CreationDate"] == "2026-11-20T04:00:00-08:00"
    assert desk.listed("Actions")[0]["Id"] == "1000.4636.3"
    assert desk.listed("ActionUpdates")[0]["Sku"] == "B"
    desk.done(desk.put(3, Sku="A", Quantity="0"))


def test_an_action_refuses_until_told_otherwise(desk: Any) -> None:
    """Every write to an action can be made to end with an error of choice."""
    desk.act("refuse", error_type="Contract Error", error_reason="PARTNER_NOT_ACTIVE")
    assert desk.settled(desk.delete())["ErrorReason"] == "PARTNER_NOT_ACTIVE"
    desk.act("refuse")
    desk.done(desk.delete())


@pytest.mark.parametrize(
    ("act", "status"),
    [
        ({"act": "lock", "action_id": "none"}, 404),
        ({"act": "add"}, 400),
        ({"act": "add", "action": {"Id": "x", "Items": []}}, 400),
        ({"act": "modify", "action_id": "1000.4636.1", "fields": {"Sku": "NONE"}}, 409),
        ({"act": "modify", "action_id": "1000.4636.1", "fields": {"Amount": "x"}}, 400),
        ({"act": "dance"}, 422),
    ],
)
def test_acts_that_cannot_be(desk: Any, act: dict[str, Any], status: int) -> None:
    """An act that is incomplete, unknown or refused says so."""
    assert desk.http.post("/_sandbox/act", json=act).status_code == status


@pytest.mark.parametrize("host", ["192.0.2.7", "2001:db8::1", "testclient", ""])
def test_loopback_only(host: str) -> None:
    """The control API is closed to every address but loopback."""
    with pytest.raises(HTTPException, match="loopback only"):
        _loopback_only(Request({"type": "http", "headers": [], "client": (host, 1)}))
    for own in ("127.0.0.1", "127.9.9.9", "::1"):
        _loopback_only(Request({"type": "http", "headers": [], "client": (own, 1)}))


def test_control_can_be_left_out(desk_of: Any) -> None:
    """Without the control API its paths are not there."""
    desk = desk_of(control=False)
    assert desk.http.get("/_sandbox/state").status_code == 404


def test_world_refuses(desk_of: Any, make_action: Any) -> None:
    """`_refuse`: writes to the action end as a Complete submission with that error."""
    refusal = {"ErrorType": "Validation", "ErrorReason": "NO_REFUNDS"}
    desk = desk_of([make_action(1, _refuse=refusal), make_action(2)])
    assert desk.refused(desk.put(Sku="A", Quantity="0")) == "NO_REFUNDS"
    form = {"OrderId": "ORDER-1", "ActionTrackerId": "2240"}
    assert desk.refused(desk.delete(None, **form)) == "NO_REFUNDS"
    desk.done(desk.put(2, Sku="A", Quantity="0"))


def test_world_visible_from(desk_of: Any, make_action: Any) -> None:
    """`_visible_from`: the conversion is reported only then, and created then."""
    desk = desk_of([make_action(1, _visible_from="2026-11-21T00:00:00Z"), make_action(2)])
    assert desk.get("Actions/1000.4636.1").status_code == 404
    assert [row["Id"] for row in desk.listed("Actions")] == ["1000.4636.2"]
    assert {row["ActionId"] for row in desk.listed("ActionUpdates")} == {"1000.4636.2"}
    assert desk.get("ActionUpdates/1000.4636.1.10000000").status_code == 404
    assert desk.refused(desk.put(Sku="A", Quantity="1")) == "ACTION_NOT_FOUND"
    desk.pass_time(86400)
    assert desk.action()["CreationDate"] == "2026-11-20T16:00:00-08:00"
    assert desk.listed("Actions")[0]["Id"] == "1000.4636.1"


def test_world_already_modified(desk_of: Any, make_action: Any, make_item: Any) -> None:
    """`_original` and `_updates`: an action that stands modified when the world begins."""
    now = [make_item("A", 1, "20.00", "2.00"), make_item("B", 1, "60.00", "3.00")]
    first = [make_item("A", 2, "40.00", "4.00"), make_item("B", 1, "60.00", "3.00")]
    update = {
        "UpdateDate": "2026-11-18T10:00:00Z",
        "Disposition": "ORDER_UPDATE",
        "Sku": "A",
        "Quantity": "1",
        "DeltaAmount": "-20.00",
        "DeltaPayout": "-2.00",
    }
    desk = desk_of([make_action(1, now, _original=first, _updates=[update])])
    shown = desk.action()
    assert [shown[n] for n in ("Amount", "IntendedAmount", "DeltaAmount")] == [
        "80.00",
        "100.00",
        "-20.00",
    ]
    [row] = desk.updates()
    assert (row["Sku"], row["UpdateDate"]) == ("A", "2026-11-18T02:00:00-08:00")
    window = {"StartDate": "2026-11-17T00:00:00Z", "EndDate": "2026-11-19T00:00:00Z"}
    assert len(desk.listed("Actions", **window)) == 1
    desk.done(desk.put(Reason="RESET"))
    assert desk.action()["Amount"] == "100.00"


def test_world_of_numbers_and_gaps(desk_of: Any, make_action: Any, tmp_path: Any) -> None:
    """A line may hold numbers, nulls and no amounts, and the file may be gzipped."""
    line = make_action(1, CampaignId=1000, ClearedDate=None, LockingDate=None)
    line["Items"] = [{"Sku": "A", "Quantity": 2, "SaleAmount": 40.5, "Payout": 4.05}]
    path = tmp_path / "plain-name"
    path.write_bytes(gzip.compress(json.dumps(line).encode()))
    desk = desk_of(world=path)
    shown = desk.action()
    assert (shown["Amount"], shown["Payout"], shown["IntendedPayout"]) == ("40.5", "4.05", "4.05")
    assert (shown["LockingDate"], shown["ClearedDate"]) == ("", "")
    desk.done(desk.put(Sku="A", Quantity="1"))
    assert desk.action()["Amount"] == "20.25"
    desk.pass_time(731 * 86400)
    assert desk.action()["State"] == "APPROVED"


def test_generated_world(desk_of: Any) -> None:
    """Without a world file the sandbox generates one from its seed."""
    pytest.importorskip("clawback.sandbox.seed")
    from clawback.sandbox.core import Sandbox
    from clawback.sandbox.settings import Settings

    desk = desk_of()
    now = desk.server.sandbox.settings.now
    sandbox = Sandbox(Settings(orders=50, now=now, port=0))
    assert len(sandbox.world.store) > 0
    assert sandbox.campaign_id
