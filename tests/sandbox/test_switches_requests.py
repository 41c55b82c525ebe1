"""Switches about how writes are taken, and how many requests: each changes what its name says."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from clawback.sandbox.limits import RateLimit
from clawback.sandbox.switches_requests import Requests

WINDOW = {
    "CampaignId": "1000",
    "ActionDateStart": "2026-11-01T00:00:00Z",
    "ActionDateEnd": "2026-11-20T00:00:00Z",
}
NONE = {**WINDOW, "State": "REVERSED"}
Make = Callable[..., Any]


def test_method_override(switched: Make) -> None:
    """§9.16: POST with _method stands for a DELETE, or is 405."""
    form = {"ActionId": "1000.4636.1", "DispositionCode": "REJECTED"}
    for value, status in ((True, 200), (False, 405)):
        here = switched(value)
        sent = here.http.post(f"{here.root}/Actions?_method=DELETE", data=form)
        assert sent.status_code == status


def test_json_bodies(switched: Make) -> None:
    """§9.16: a JSON body is read, or 400."""
    body = {"ActionId": "1000.4636.1", "Reason": "ORDER_UPDATE", "Sku": "A", "Quantity": 1}
    for value, status in ((True, 200), (False, 400)):
        here = switched(value)
        sent = here.http.put(f"{here.root}/Actions.json", json=body)
        assert sent.status_code == status


def test_delete_query(switched: Make) -> None:
    """§9.16: DELETE reads the query string, or only its body."""
    query = {"ActionId": "1000.4636.1", "DispositionCode": "REJECTED"}
    for value, status in ((True, 200), (False, 400)):
        here = switched(value)
        assert here.http.delete(f"{here.root}/Actions", params=query).status_code == status


def test_missing_parameter(switched: Make) -> None:
    """§9.2: a malformed write is 400 at once, or fails in its submission."""
    form = {"ActionId": "1000.4636.1"}
    assert switched("at_once").send("PUT", form).status_code == 400
    later = switched("submission")
    assert later.refused(later.send("PUT", form)) == "MALFORMED"


def test_refused_write(switched: Make) -> None:
    """§9.2: a refused write is 400 at once, or fails in its submission."""
    at_once = switched("at_once")
    response = at_once.put(Sku="NONE", Quantity="0")
    assert (response.status_code, response.json()["Errors"][0]["Field"]) == (400, "Sku")
    assert at_once.json("APISubmissions")["APISubmission"] == []
    later = switched("submission")
    assert later.refused(later.put(Sku="NONE", Quantity="0")) == "ITEM_NOT_FOUND"


def test_refusal_timing(switched: Make) -> None:
    """§9.2: each cause can be refused at once, with its own status, or later."""
    here = switched({"locked": "at_once", "unknown_sku": 404, "malformed": 402})
    assert here.put(Sku="NONE", Quantity="0").status_code == 404
    assert here.send("PUT", {"ActionId": "1000.4636.1"}).status_code == 402
    assert here.refused(here.put(9, Sku="A", Quantity="0")) == "ACTION_NOT_FOUND"
    here.act("lock")
    response = here.put(Sku="A", Quantity="0")
    assert (response.status_code, response.json()["Errors"][0]["Field"]) == (400, "ActionId")
    later = switched({"unknown_sku": "submission"}, refused_write="at_once")
    assert later.refused(later.put(Sku="NONE", Quantity="0")) == "ITEM_NOT_FOUND"
    assert later.put(9, Sku="A", Quantity="0").status_code == 400


def test_error_texts(switched: Make) -> None:
    """§9.2: a refusal says what the account was told to say."""
    here = switched({"locked": ("Contract Error", "TOO_LATE")})
    here.act("lock")
    submission = here.settled(here.delete())
    assert (submission["ErrorType"], submission["ErrorReason"]) == ("Contract Error", "TOO_LATE")


def test_write_order(switched: Make) -> None:
    """§9.15: queued writes take effect as they were accepted, or out of turn."""
    reasons = ["OTHER", "ORDER_ERROR", "ITEM_RETURNED", "CONS_FRAUD", "TEST_ACTION"]
    found = {}
    for value in ("accepted", "shuffled"):
        here = switched(value)
        sent = [here.put(Sku="A", Quantity="1", Reason=reason) for reason in reasons]
        here.pass_time(10)
        assert all(here.settled(response)["ErrorType"] == "" for response in sent)
        found[value] = [row["Disposition"] for row in here.updates()]
    assert found["accepted"] == reasons
    assert found["shuffled"] != reasons
    assert sorted(found["shuffled"]) == sorted(reasons)


def test_queued_path(switched: Make) -> None:
    """§3.5: whatever folder a QueuedUri names, its last part is the submission's id."""
    for value in ("APISubmissions", "QueuedStatus", "BatchSummaries"):
        here = switched(value)
        uri = here.put(Sku="A", Quantity="1").json()["QueuedUri"]
        folder, batch_id = uri.removeprefix(here.root + "/").split("/")
        assert folder == value
        assert here.json(f"APISubmissions/{batch_id}")["BatchId"] == batch_id


def test_submission_visible_after(switched: Make) -> None:
    """§9.15: a submission is 404 for a while after QUEUED."""
    here = switched(3)
    uri = here.put(Sku="A", Quantity="1").json()["QueuedUri"].removeprefix(here.root + "/")
    assert here.get(uri).status_code == 404
    here.pass_time(3)
    assert here.get(uri).status_code == 200


def test_submission_days(switched: Make) -> None:
    """§9.15: past its days a submission is an unknown id and in no list, or is kept for ever."""
    for value, days, kept in ((90, 91, False), (30, 31, False), (30, 30, True), (None, 400, True)):
        here = switched(value)
        uri = here.put(Sku="A", Quantity="1").json()["QueuedUri"].removeprefix(here.root + "/")
        here.pass_time(days * 86400)
        assert here.get(uri).status_code == (200 if kept else 404)
        assert len(here.json("APISubmissions")["APISubmission"]) == kept


def test_rate_headers(switched: Make) -> None:
    """§9.17: the limits are told under the names of each of the three sources."""
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
        sent = switched(value).get("CompanyInformation").headers
        assert {name.lower() for name in sent if "limit" in name.lower()} == headers


def test_rate_reset(switched: Make) -> None:
    """§9.17: the reset is told in seconds, or as an epoch."""
    assert switched("seconds").get("Campaigns").headers["X-RateLimit-Reset"] == "3600"
    assert switched("epoch").get("Campaigns").headers["X-RateLimit-Reset"] == "1795179600"


def test_retry_after(switched: Make) -> None:
    """§9.17: a 429 says when to come again, or not."""
    for value in (True, False):
        here = switched(value)
        here.server.sandbox.budget.limit = type(here.server.sandbox.budget.limit)(1, 60.0)
        here.get("Campaigns")
        assert ("Retry-After" in here.get("Campaigns").headers) is value


def test_rate_buckets(switched: Make) -> None:
    """§9.17: a budget is the account's, each user's, or each verb's."""
    rest = {"account": ["1", "0", "429"], "verb": ["1", "1", "0"], "user": ["1", "0", "1"]}
    for value, told in rest.items():
        here = switched(value)
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


def test_concurrency_limit(switched: Make) -> None:
    """§9.17: one request too many at a time is 429."""
    names = ("X-Ratelimit-Concurrentlimit", "X-Ratelimit-Concurrentremaining")
    here = switched(2)
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
    assert names[0] not in switched(None).get("Campaigns").headers


def test_each_has_its_proof() -> None:
    """There is a test here for every switch of this kind, named after it."""
    assert [name for name in Requests.model_fields if f"test_{name}" not in globals()] == []
