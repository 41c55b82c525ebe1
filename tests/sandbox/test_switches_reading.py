"""Switches about what is read (values, lists, windows, pages): each changes what its name says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

from clawback.sandbox.switches_reading import ErrorBody, Reading

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
Make = Callable[..., Any]


def test_zone(switched: Make) -> None:
    """§2.2: dates are written in the account's zone."""
    assert switched("Europe/Berlin").action()["EventDate"] == "2026-11-15T11:00:00+01:00"


def test_scalars(switched: Make) -> None:
    """§9.1: ids and money are strings, or numbers as the OpenAPI document types them."""
    shown = switched("numbers").action()
    assert (shown["CampaignId"], shown["Amount"], shown["Id"]) == (1000, 100.0, "1000.4636.1")
    assert switched("numbers").items()["A"]["Quantity"] == "2"


def test_envelope(switched: Make) -> None:
    """§9.1: the @ keys are strings, or numbers where they count."""
    page = switched("numbers").json("Actions", **WINDOW)
    assert (page["@page"], page["@total"], page["@nextpageuri"]) == (1, 2, "")


def test_empty_list(switched: Make) -> None:
    """§9.1: a list without rows is [], {} or not there."""
    assert switched("array").json("Actions", **NONE)["Actions"] == []
    assert switched("object").json("Actions", **NONE)["Actions"] == {}
    assert "Actions" not in switched("missing").json("Actions", **NONE)


def test_single_row(switched: Make, make_action: Make) -> None:
    """§9.1: a lone row stands in a list, or by itself."""
    for value, kind in (("object", dict), ("array", list)):
        lone = switched(value, [make_action(1)]).json("Actions", **WINDOW)["Actions"]
        assert type(lone) is kind
    assert len(switched("object").json("Actions", **WINDOW)["Actions"]) == 2


def test_absent(switched: Make) -> None:
    """§9.1: what is absent is "", null or not there."""
    assert switched("empty").action()["ClearedDate"] == ""
    assert switched("null").action()["ClearedDate"] is None
    assert "ClearedDate" not in switched("missing").action()


def test_error_body(switched: Make) -> None:
    """§3.7, §9.3: a refusal has any of the shapes that are known."""
    bodies = {shape: switched(shape).get("Actions") for shape in get_args(ErrorBody)}
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


def test_unknown_id_status(switched: Make) -> None:
    """§9.3: an unknown id is 404, 400 or 403."""
    for status in (400, 403, 404):
        assert switched(status).get("Actions/1000.4636.9").status_code == status


def test_window_error_status(switched: Make) -> None:
    """§9.4: the rules of windows and pages answer with their status, malformed ones with 400."""
    broken = [
        {"StartDate": "2026-11-01T00:00:00Z"},
        {"EndDate": "2026-11-01T00:00:00Z"},
        {"StartDate": "2026-09-01T00:00:00Z", "EndDate": "2026-11-01T00:00:00Z"},
        {"StartDate": "2020-09-01T00:00:00Z", "EndDate": "2020-09-02T00:00:00Z"},
        {"PageSize": "10"},
    ]
    malformed = [{"StartDate": "yesterday"}, {"PageSize": "all"}, {"CampaignId": ""}]
    for value in (400, 402, 403, 422):
        here = switched(value)
        asked = [here.get("Actions", **{"CampaignId": "1000", **params}) for params in broken]
        assert {response.status_code for response in asked} == {value}
        assert asked[0].json()["Message"] == "Validation Failed"
        others = [here.get("Actions", **{"CampaignId": "1000", **params}) for params in malformed]
        assert {response.status_code for response in others} == {400}


def test_default_days(switched: Make, make_action: Make) -> None:
    """§2.3: without dates the last 7 days are listed, or as many as are set."""
    old = make_action(1, CreationDate="2026-11-01T00:00:00Z")
    for days, found in ((7, 0), (30, 1)):
        assert len(switched(days, [old]).listed("Actions", CampaignId="1000")) == found


def test_window_days(switched: Make) -> None:
    """§2.3: a longer window than is set is refused."""
    for days, status in ((45, 200), (10, 400)):
        assert switched(days).get("Actions", **WINDOW).status_code == status


def test_window_inclusive(switched: Make) -> None:
    """§9.5: a window of exactly 45 days is taken or refused."""
    exact = {"StartDate": "2026-10-06T00:00:00Z", "EndDate": "2026-11-20T00:00:00Z"}
    less = {**exact, "EndDate": "2026-11-19T23:59:59Z"}
    for value, status in ((True, 200), (False, 400)):
        here = switched(value)
        assert here.get("Actions", CampaignId="1000", **exact).status_code == status
        assert here.get("Actions", CampaignId="1000", **less).status_code == 200


def test_history_days(switched: Make) -> None:
    """§9.21: a window begins three years back at most, or as many days as are set."""
    old = {
        "CampaignId": "1000",
        "StartDate": "2024-11-01T00:00:00Z",
        "EndDate": "2024-11-02T00:00:00Z",
    }
    for days, status in ((None, 200), (750, 200), (749, 400)):
        assert switched(days).get("Actions", **old).status_code == status
    older = {**old, "StartDate": "2023-11-20T12:00:00Z", "EndDate": "2023-11-21T00:00:00Z"}
    assert switched(None).get("Actions", **older).status_code == 200
    assert switched(750).get("Actions", **older).status_code == 400


def test_cap_all_windows(switched: Make) -> None:
    """§9.5: the 45 days bind ActionDate* too, or only StartDate."""
    wide = {**WINDOW, "ActionDateStart": "2026-09-01T00:00:00Z"}
    assert switched(True).get("Actions", **wide).status_code == 400
    assert switched(False).get("Actions", **wide).status_code == 200


def test_other_windows_alone(switched: Make) -> None:
    """§9.5: ActionDate* and LockingDate* stand alone, or only beside StartDate."""
    both = {**WINDOW, "StartDate": "2026-11-10T00:00:00Z", "EndDate": "2026-11-20T00:00:00Z"}
    for value, status in ((True, 200), (False, 400)):
        here = switched(value)
        for window in (WINDOW, LOCKING_SOON):
            for resource in ("Actions", "ActionUpdates"):
                assert here.get(resource, **window).status_code == status
        assert here.get("Actions", **both).status_code == 200
        assert here.get("Actions", CampaignId="1000").status_code == 200


def test_date_bounds(switched: Make) -> None:
    """§9.5: a row at the very bound of a window is in it or not."""
    at, other = "2026-11-15T10:00:00Z", {"StartDate": "2026-11-15T10:05:00Z"}
    before = {"ActionDateStart": "2026-11-14T00:00:00Z", "ActionDateEnd": at}
    after = {"ActionDateStart": at, "ActionDateEnd": "2026-11-16T00:00:00Z"}
    updates = {**other, "EndDate": "2026-11-16T00:00:00Z"}
    found = {"inclusive": (2, 2, 4), "half_open": (0, 2, 4), "exclusive": (0, 0, 0)}
    for value, counts in found.items():
        here = switched(value)
        lists = [here.listed("Actions", CampaignId="1000", **w) for w in (before, after)]
        lists.append(here.listed("ActionUpdates", CampaignId="1000", **updates))
        assert tuple(map(len, lists)) == counts


def test_naive_dates(switched: Make) -> None:
    """§9.5: a time without offset is the account's, UTC's, or refused."""
    # The actions' events are at 10:00 UTC, which is 02:00 in the account's zone.
    naive = {
        "CampaignId": "1000",
        "ActionDateStart": "2026-11-15T09:00:00",
        "ActionDateEnd": "2026-11-15T11:00:00",
    }
    assert len(switched("utc").listed("Actions", **naive)) == 2
    assert len(switched("account").listed("Actions", **naive)) == 0
    assert switched("error").get("Actions", **naive).status_code == 400


def test_small_page(switched: Make) -> None:
    """§9.4: PageSize below 2,000 is refused, or raised to it."""
    assert switched("error").get("Actions", **WINDOW, PageSize=10).status_code == 400
    assert switched("clamp").json("Actions", **WINDOW, PageSize=10)["@pagesize"] == "2000"


def test_max_page_size(switched: Make) -> None:
    """§9.6: a larger page than the maximum is cut to it."""
    assert switched(5000).json("Actions", **WINDOW, PageSize=9000)["@pagesize"] == "5000"
    assert switched(None).json("Actions", **WINDOW, PageSize=90000)["@pagesize"] == "90000"


def test_oid_filter(switched: Make) -> None:
    """§9.7: Oid filters actions, or is ignored."""
    assert len(switched(True).listed("Actions", **WINDOW, Oid="ORDER-2")) == 1
    assert len(switched(False).listed("Actions", **WINDOW, Oid="ORDER-2")) == 2


def test_version_query(switched: Make) -> None:
    """§9.23: a version is asked for by the one name, the other, or both, and always by header."""
    for value in ("IrVersion", "IR-Version", "both"):
        here = switched(value)
        for name in ("IrVersion", "IR-Version"):
            shown = here.json("Actions/1000.4636.1", **{name: "11"})
            assert ("ClientCost" in shown) is (value not in (name, "both"))
        header = {**here.json_headers, "IR-Version": "11"}
        asked = here.http.get(f"{here.root}/Actions/1000.4636.1", headers=header)
        assert "ClientCost" not in asked.json()


def test_each_has_its_proof() -> None:
    """There is a test here for every switch of this kind, named after it."""
    assert [name for name in Reading.model_fields if f"test_{name}" not in globals()] == []
