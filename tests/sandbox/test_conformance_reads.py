"""Walks the reference's sections on reading (§1, §2, §4-§6): forms, fields, order, limits."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from clawback.sandbox.limits import RateLimit

EVENT = {
    "CampaignId": "1000",
    "ActionDateStart": "2026-11-01T00:00:00Z",
    "ActionDateEnd": "2026-11-20T00:00:00Z",
}
# §2.5, the type column of the schemas' table: what turns into a number under scalars=numbers.
INTEGERS = {"CampaignId", "ActionTrackerId", "MediaPartnerId", "AdId"}
MONEY = "ClientCost Payout DeltaPayout IntendedPayout Amount DeltaAmount IntendedAmount"
DATES = ("ReferringDate", "EventDate", "CreationDate", "LockingDate", "ClearedDate")
REFERRING = """CLICK_COOKIE CLICK_FINGERPRINT CALL PROMOCODE ACTION REPORTED_PARTNER_ID
    IMPRESSION_COOKIE IMPRESSION_FINGERPRINT ACTION_INQUIRY"""


def test_1_1_the_singular_is_a_slip(desk: Any) -> None:
    """§1.1: the root is /Advertisers; neither the singular nor another root is served."""
    sid = desk.server.account_sid
    for root in (f"/Advertiser/{sid}", f"/Mediapartners/{sid}", "/Advertisers", ""):
        assert desk.http.get(f"{root}/CompanyInformation.json").status_code == 404


def test_1_2_a_disabled_token_cannot_write(desk: Any) -> None:
    """§1.2: outside its scopes a token is answered 403, and may still read."""
    desk.strike({"fault": "no_write_scope"})
    assert (desk.delete().status_code, desk.get("Campaigns").status_code) == (403, 200)


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/x-www-form-urlencoded", "ActionId=1000.4636.1&Reason=OTHER", 200),
        (
            "application/x-www-form-urlencoded;charset=UTF-8",
            "ActionId=1000.4636.1&Reason=OTHER",
            200,
        ),
        ("application/json", '{"ActionId": "1000.4636.1", "Reason": "OTHER"}', 200),
        ("multipart/form-data; boundary=x", "--x--", 400),
        ("text/plain", "ActionId=1000.4636.1&Reason=OTHER", 400),
        ("application/json", "[1]", 400),
        ("application/x-www-form-urlencoded", "ActionId=%FF", 400),
    ],
)
def test_1_3_bodies(desk: Any, content_type: str, body: str, status: int) -> None:
    """§1.3: forms and, by the generic page, JSON; nothing else on Actions."""
    headers = {**desk.json_headers, "Content-Type": content_type}
    sent = desk.http.put(f"{desk.root}/Actions", content=body, headers=headers)
    assert sent.status_code == status, sent.text


def test_1_3_percent_encoded_utf_8(desk_of: Any, make_action: Any, make_item: Any) -> None:
    """§1.3: names in UTF-8 are found percent-encoded, in paths and in bodies."""
    desk = desk_of([make_action(1, [make_item("Größe/L", 2, "40.00", "4.00")])])
    assert desk.get("Actions/1000.4636.1/Items/Gr%C3%B6%C3%9Fe%2FL").json()["Quantity"] == "2"
    desk.done(desk.put(Sku="Größe/L", Quantity="1"))


@pytest.mark.parametrize(
    ("suffix", "accept", "json"),
    [
        ("", "application/json", True),
        ("", "application/json; q=0.9, text/xml", True),
        ("", "*/*", False),
        ("", "text/xml", False),
        (".json", "text/xml", True),
        (".xml", "application/json", False),
    ],
)
def test_1_4_form_of_the_answer(desk: Any, suffix: str, accept: str, json: bool) -> None:
    """§1.4: XML unless Accept or the suffix asks for JSON; the suffix goes first."""
    answer = desk.http.get(f"{desk.root}/Campaigns{suffix}", headers={"Accept": accept})
    assert answer.headers["Content-Type"].startswith("application/json" if json else "text/xml")


@pytest.mark.parametrize("version", ["12", "13", "14"])
def test_1_5_the_same_since_version_12(desk: Any, version: str) -> None:
    """§1.5: actions, updates and submissions are the same in versions 12, 13 and 14."""
    desk.put(Sku="A", Quantity="1")
    for path in ("Actions", "ActionUpdates"):
        assert desk.listed(path, **EVENT, IrVersion=version) == desk.listed(path)
    assert desk.json("APISubmissions", IrVersion=version)["APISubmission"]


def test_1_5_the_header_goes_first(desk: Any) -> None:
    """§1.5: header IR-Version, else the query, else the newest."""
    url = f"{desk.root}/Actions/1000.4636.1?IrVersion=11"
    shown = [
        desk.http.get(url, headers={**desk.json_headers, **header}).json()
        for header in ({}, {"IR-Version": "14"})
    ]
    assert ["EventCode" in one for one in shown] == [False, True]
    assert "EventCode" in desk.action()


def test_2_1_pages_by_default(desk: Any) -> None:
    """§2.1, §2.3-5: Page 1 of 20,000 rows if nothing is said; other lists 1,000 (§2.4)."""
    for path in ("Actions", "ActionUpdates"):
        page = desk.json(path, **EVENT)
        assert (page["@page"], page["@pagesize"]) == ("1", "20000")
    for path in ("Actions/1000.4636.1/Items", "APISubmissions", "Campaigns"):
        assert desk.json(path)["@pagesize"] == "1000"


def test_2_3_a_state_transition_is_no_update(desk: Any) -> None:
    """§2.3, §5: locking shows neither through StartDate/EndDate nor as an ActionUpdate."""
    desk.control("POST", "clock", {"now": "2026-12-15T12:00:00Z"})
    assert desk.action()["State"] == "APPROVED"
    around = {"StartDate": "2026-12-14T00:00:00Z", "EndDate": "2026-12-16T00:00:00Z"}
    for path in ("Actions", "ActionUpdates"):
        assert desk.listed(path, CampaignId="1000", **around) == []
    locked = {"LockingDateStart": "2026-12-14T00:00:00Z", "LockingDateEnd": "2026-12-16T00:00:00Z"}
    assert len(desk.listed("Actions", CampaignId="1000", **locked)) == 2


def test_2_3_a_modification_moves_the_update_date(desk: Any) -> None:
    """§2.1, §2.3: StartDate/EndDate find an action by its last update, not by its first."""
    desk.done(desk.put(Sku="A", Quantity="1"))
    now = {"StartDate": "2026-11-20T12:00:00Z", "EndDate": "2026-11-20T13:00:00Z"}
    created = {"StartDate": "2026-11-15T00:00:00Z", "EndDate": "2026-11-16T00:00:00Z"}
    found = [desk.listed("Actions", CampaignId="1000", **window) for window in (now, created)]
    assert [[row["Oid"] for row in rows] for rows in found] == [["ORDER-1"], ["ORDER-2"]]


def test_2_4_newest_creation_first(desk_of: Any, make_action: Any) -> None:
    """§2.4: by CreationDate and not by event; of two in one second the later one first."""
    days = {1: "2026-11-16", 2: "2026-11-18", 3: "2026-11-17", 4: "2026-11-18"}
    world = [make_action(n, CreationDate=f"{day}T10:00:00Z") for n, day in days.items()]
    desk = desk_of(world)
    assert [row["Oid"][-1] for row in desk.listed("Actions")] == ["4", "2", "3", "1"]
    assert [row["Sku"] + row["Oid"][-1] for row in desk.listed("ActionUpdates")] == [
        *("B4", "A4", "B2", "A2"),
        *("B3", "A3", "B1", "A1"),
    ]


def test_2_4_end_of_data(desk: Any) -> None:
    """§2.4: on the last page @nextpageuri is "" and @page is @numpages; past it there is no row."""
    last, past = desk.json("Actions", **EVENT), desk.json("Actions", **EVENT, Page=2)
    assert (last["@nextpageuri"], last["@page"], last["@numpages"]) == ("", "1", "1")
    assert (past["Actions"], past["@nextpageuri"], past["@total"]) == ([], "", "2")


def test_2_5_types(desk_of: Any) -> None:
    """§2.5: strings all over; under scalars=numbers the integers and numbers of the document."""
    typed = desk_of(profile={"scalars": "numbers"}).action()
    kinds = {name: type(value) for name, value in typed.items()}
    assert {name for name, kind in kinds.items() if kind is int} == INTEGERS
    assert {name for name, kind in kinds.items() if kind is float} == set(MONEY.split())


def test_2_5_dates_and_ids(desk: Any) -> None:
    """§2.5: dates with an offset, ClearedDate empty until paid; Oid is what writes call OrderId."""
    shown = desk.action()
    assert [shown[name][-6:] for name in DATES] == ["-08:00"] * 4 + [""]
    assert shown["Id"].split(".")[0] == shown["CampaignId"]
    desk.done(desk.delete(None, ActionTrackerId=shown["ActionTrackerId"], OrderId=shown["Oid"]))
    assert (desk.action()["State"], shown["State"]) == ("REVERSED", "PENDING")


@pytest.mark.parametrize("kind", REFERRING.split())
def test_2_5_referring_types(desk_of: Any, make_action: Any, kind: str) -> None:
    """§2.5: every ReferringType of the enum is shown as it was reported."""
    assert desk_of([make_action(1, ReferringType=kind)]).action()["ReferringType"] == kind


def test_2_6_delta_and_intended(desk: Any) -> None:
    """§2.6: Delta is the full value, then the latest change; Intended what was before any."""
    names = ("Amount", "DeltaAmount", "IntendedAmount", "Payout", "DeltaPayout", "IntendedPayout")
    assert [desk.action()[name] for name in names] == ["100.00"] * 3 + ["7.00"] * 3
    desk.done(desk.put(Sku="A", Quantity="1"))
    after = ["80.00", "-20.00", "100.00", "5.00", "-2.00", "7.00"]
    assert [desk.action()[name] for name in names] == after


def test_2_7_items(desk: Any) -> None:
    """§2.7: in recorded order, Adjustment* empty until touched; keyed by Sku alone."""
    desk.done(desk.put(Sku="B", Quantity="0", Reason="ITEM_RETURNED"))
    page = desk.json("Actions/1000.4636.1/Items")
    rows = page["ActionItems"]
    assert [row["Sku"] for row in rows] == ["A", "B"]
    assert [row["AdjustmentReason"] for row in rows] == ["", "ITEM_RETURNED"]
    assert [row["AdjustmentDate"] for row in rows] == ["", "2026-11-20T04:00:05-08:00"]
    assert (page["@total"], page["@end"]) == ("2", "1")
    assert desk.json("Actions/1000.4636.1/Items/B") == rows[1]


def test_4_no_filters(desk: Any) -> None:
    """§4: APISubmissions takes no filter; one that is sent changes nothing."""
    for number in (1, 2):
        desk.done(desk.put(number, Sku="A", Quantity="1"))
    asked = {"CampaignId": "7", "Status": "Queued", "StartDate": "nonsense"}
    assert desk.json("APISubmissions", **asked)["@total"] == "2"


def test_5_creation_records(desk: Any) -> None:
    """§5: one record per item when an action is tracked, dated by its CreationDate."""
    action = desk.action()
    rows = [row for row in desk.listed("ActionUpdates") if row["ActionId"] == action["Id"]]
    assert {row["Disposition"] for row in rows} == {"IR_BLANK"}
    same = {
        "UpdateDate": "CreationDate",
        "ActionDate": "EventDate",
        "LockingDate": "LockingDate",
        "ClearingDate": "ClearedDate",
        "EventTypeId": "ActionTrackerId",
        "EventTypeName": "ActionTrackerName",
        "ActionUri": "Uri",
    }
    for row in rows:
        assert {name: row[name] for name in same} == {n: action[of] for n, of in same.items()}
        assert row["Id"].rpartition(".")[0] == action["Id"]
        assert row["Id"].rpartition(".")[2].isdecimal()
        assert desk.json(f"ActionUpdates/{row['Id']}") == row
    deltas = [(row["Sku"], row["Quantity"], row["DeltaAmount"], row["DeltaPayout"]) for row in rows]
    assert deltas == [("B", "1", "60.00", "3.00"), ("A", "2", "40.00", "4.00")]


def test_5_no_filter_by_action_or_order(desk: Any) -> None:
    """§5, §2.1: neither ActionId nor OrderId filters a list."""
    for path in ("Actions", "ActionUpdates"):
        everything = desk.listed(path)
        asked = {"ActionId": "1000.4636.1", "OrderId": "ORDER-1", "Oid": "x", "MediaPartnerId": "7"}
        assert desk.listed(path, **EVENT, **asked) == everything


def test_6_a_thousand_an_hour(desk: Any) -> None:
    """§6: 1,000 requests an hour, reads and writes together, whatever the resource."""
    assert RateLimit() == RateLimit(1000, 3600)
    told = [
        answer.headers["X-RateLimit-Remaining"]
        for answer in (desk.get("Campaigns"), desk.put(), desk.delete(), desk.get("Actions"))
    ]
    assert told == ["999", "998", "997", "996"]


def test_6_over_the_limit_is_429_with_a_body(desk_of: Any) -> None:
    """§6, §3.7: over the limit is 429, in the form that was asked for; nothing is done."""
    desk = desk_of(rate_limit=RateLimit(1, 3600))
    desk.get("Campaigns")
    answer = desk.delete()
    assert (answer.status_code, answer.json()["Message"]) == (429, "Too Many Requests")
    plain = httpx.get(f"{desk.server.base_url}{desk.root}/Campaigns", auth=desk.auth)
    assert (plain.status_code, "<Status>ERROR</Status>" in plain.text) == (429, True)
    desk.pass_time(4000)
    assert desk.action()["State"] == "PENDING"
