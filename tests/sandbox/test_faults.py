"""Every fault happens: by rule, by turn and by seeded chance."""

from __future__ import annotations

import json
import time
from typing import Any, get_args

import httpx
import pytest

from clawback.errors import ClawbackError
from clawback.sandbox.faults import FaultName, FaultPlan, Kind, parse
from clawback.sandbox.limits import RateLimit
from clawback.sandbox.target import Target

LIST = {
    "CampaignId": "1000",
    "ActionDateStart": "2026-11-01T00:00:00Z",
    "ActionDateEnd": "2026-11-20T00:00:00Z",
}


def test_latency(desk: Any) -> None:
    """latency delays the answer and changes nothing else."""
    desk.strike({"fault": "latency", "seconds": 0.2, "times": 1})
    start = time.monotonic()
    assert desk.get("Actions/1000.4636.1").status_code == 200
    assert time.monotonic() - start >= 0.2


@pytest.mark.parametrize("headers", [True, False])
def test_rate_limited(desk: Any, headers: bool) -> None:
    """rate_limited answers 429, with the documented headers or without any."""
    desk.strike({"fault": "rate_limited", "headers": headers, "times": 1})
    response = desk.get("Actions/1000.4636.1")
    assert response.status_code == 429
    assert ("X-RateLimit-Reset" in response.headers) is headers
    assert desk.get("Actions/1000.4636.1").status_code == 200


def test_rate_limited_with_retry_after(desk: Any) -> None:
    """rate_limited can carry Retry-After, as the partner documents have it."""
    desk.strike({"fault": "rate_limited", "retry_after": True, "seconds": 7})
    assert desk.get("Actions/1000.4636.1").headers["Retry-After"] == "7"


@pytest.mark.parametrize("rate_headers", ["brand", "partner", "live"])
def test_rate_limited_tells_what_the_limit_would(desk_of: Any, rate_headers: str) -> None:
    """An injected 429 has the headers of a real one: nothing remains, under the profile's names."""
    profile = {"rate_headers": rate_headers, "retry_after": True}
    injected = desk_of(profile=profile, faults=[{"fault": "rate_limited"}]).get("Campaigns")
    spent = desk_of(profile=profile, rate_limit=RateLimit(1, 3600))
    spent.get("Campaigns")
    real = spent.get("Campaigns")
    told = [
        {n.lower(): v for n, v in answer.headers.items() if "limit" not in n or "remain" in n}
        for answer in (injected, real)
    ]
    assert told[0] == told[1]
    assert told[0]["retry-after"] == "3600"
    assert {v for n, v in told[0].items() if "remaining" in n} == {"0"}


@pytest.mark.parametrize(("rule", "told"), [(True, "7"), (False, None), (None, "3600")])
def test_rate_limited_can_differ_from_the_profile(desk_of: Any, rule: Any, told: Any) -> None:
    """retry_after of a rule goes before the profile's; left out, the profile's stands."""
    fault = {"fault": "rate_limited", "retry_after": rule, "seconds": 7}
    desk = desk_of(profile={"retry_after": True}, faults=[fault])
    assert desk.get("Campaigns").headers.get("Retry-After") == told


def test_rate_limited_costs_what_a_request_costs(desk_of: Any) -> None:
    """The budget goes on as if nothing had been said: only the answer claims that it is spent."""
    desk = desk_of(faults=[{"fault": "rate_limited", "times": 1}])
    answers = [desk.get("Campaigns") for _ in range(2)]
    assert [a.headers["X-RateLimit-Remaining"] for a in answers] == ["0", "998"]


@pytest.mark.parametrize(
    ("fault", "logged"),
    [
        ({"fault": "latency", "seconds": 0.01}, 200),
        ({"fault": "rate_limited"}, 429),
        ({"fault": "server_error", "status": 502, "body": "html"}, 502),
        ({"fault": "html"}, 200),
        ({"fault": "html", "html_status": 403}, 403),
        ({"fault": "truncated"}, 200),
        ({"fault": "reset"}, "reset"),
        ({"fault": "timeout_after", "seconds": 0.01}, "timeout"),
        ({"fault": "no_write_scope"}, 403),
        ({"fault": "lost_submission"}, 200),
    ],
)
def test_the_log_holds_what_was_sent(desk: Any, fault: dict[str, Any], logged: int | str) -> None:
    """The log has the status that went out, or what became of an answer that did not."""
    desk.strike({**fault, "times": 1})
    try:
        seen: int | str = desk.put(Sku="A", Quantity="1").status_code
    except httpx.TransportError:
        seen = logged
    [entry] = desk.control("GET", "requests")["requests"]
    assert entry["status"] == seen == logged
    assert entry["faults"] == [fault["fault"]]


def test_rate_limited_in_the_middle_of_paging(desk: Any) -> None:
    """min_page lets the first page through and stops the second."""
    desk.strike({"fault": "rate_limited", "min_page": 2})
    assert desk.get("Actions", **LIST).status_code == 200
    assert desk.get("Actions", **LIST, Page=2).status_code == 429


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("body", ["error", "html", "empty"])
def test_server_error(desk: Any, status: int, body: str) -> None:
    """server_error answers any 5xx, with the API's error body, a page of HTML or nothing."""
    desk.strike({"fault": "server_error", "status": status, "body": body})
    response = desk.get("Actions", **LIST)
    assert response.status_code == status
    expected = {"error": "{", "html": "<!DOCTYPE html>", "empty": ""}[body]
    assert response.text.startswith(expected)
    assert bool(response.text) is (body != "empty")


def test_an_error_before_the_write_has_no_effect(desk: Any) -> None:
    """server_error on a write strikes before anything is queued."""
    desk.strike({"fault": "server_error", "kinds": ["modify"], "times": 1})
    assert desk.put(Sku="A", Quantity="1").status_code == 503
    desk.pass_time(60)
    assert desk.action()["Amount"] == "100.00"
    assert desk.json("APISubmissions")["APISubmission"] == []


def test_reset(desk: Any) -> None:
    """reset drops the connection without an answer; the write never happened."""
    desk.strike({"fault": "reset", "kinds": ["modify"]})
    with pytest.raises(httpx.TransportError):
        desk.put(Sku="A", Quantity="1")
    assert desk.json("APISubmissions")["APISubmission"] == []


def test_timeout_after_the_write_took_effect(desk: Any) -> None:
    """timeout_after says nothing, although the write was taken."""
    desk.strike({"fault": "timeout_after", "seconds": 0.1})
    with pytest.raises(httpx.TransportError):
        desk.put(Sku="A", Quantity="1")
    desk.pass_time(10)
    assert desk.action()["Amount"] == "80.00"


@pytest.mark.parametrize("lost", ["missing", "stuck"])
def test_lost_submission(desk: Any, lost: str) -> None:
    """lost_submission answers QUEUED, and nothing ever comes of it."""
    desk.strike({"fault": "lost_submission", "lost": lost})
    uri = desk.put(Sku="A", Quantity="1").json()["QueuedUri"]
    desk.pass_time(86400)
    response = desk.get(uri.removeprefix(desk.root + "/"))
    if lost == "missing":
        assert response.status_code == 404
    else:
        assert response.json()["Status"] == "In Progress"
    assert desk.action()["Amount"] == "100.00"


def test_failed_submission(desk: Any) -> None:
    """failed_submission is Complete with an error and without an effect."""
    desk.strike(
        {"fault": "failed_submission", "error_type": "Contract Error", "error_reason": "NO_ITEM"}
    )
    submission = desk.settled(desk.put(Sku="A", Quantity="1"))
    shown = [submission[name] for name in ("Status", "ErrorType", "ErrorReason")]
    assert shown == ["Complete", "Contract Error", "NO_ITEM"]
    assert desk.action()["Amount"] == "100.00"


def test_delayed_update(desk: Any) -> None:
    """delayed_update is Complete at once, and takes effect an hour later."""
    desk.strike({"fault": "delayed_update", "seconds": 3600})
    answers = [desk.put(number, Sku="A", Quantity="1") for number in (1, 2)]
    for answer in answers:
        desk.done(answer)
    assert [desk.action(number)["Amount"] for number in (1, 2)] == ["100.00", "100.00"]
    desk.pass_time(3600)
    assert [desk.action(number)["Amount"] for number in (1, 2)] == ["80.00", "80.00"]


@pytest.mark.parametrize(("same_id", "ids"), [(True, 1), (False, 2)])
def test_duplicate_rows(desk: Any, same_id: bool, ids: int) -> None:
    """duplicate_rows writes an update twice, under one Id or under two."""
    desk.strike({"fault": "duplicate_rows", "same_id": same_id})
    desk.done(desk.put(Sku="A", Quantity="1"))
    assert len(desk.updates()) == 2
    assert len({row["Id"] for row in desk.updates()}) == ids


@pytest.mark.parametrize(("rows", "seen"), [(1, 2001), (-1, 2001)])
def test_shifted_rows(desk_of: Any, make_action: Any, rows: int, seen: int) -> None:
    """shifted_rows lets a row appear on two pages, or on none."""
    desk = desk_of([make_action(n) for n in range(2002)])
    desk.strike({"fault": "shifted_rows", "rows": rows})
    pages = [desk.json("Actions", **LIST, PageSize=2000, Page=page)["Actions"] for page in (1, 2)]
    found = [row["Id"] for page in pages for row in page]
    assert len(set(found)) == (2002 if rows > 0 else seen)
    assert len(found) == (2003 if rows > 0 else seen)


@pytest.mark.parametrize("status", [200, 403])
def test_html(desk: Any, status: int) -> None:
    """html is a page for people where JSON was asked for."""
    desk.strike({"fault": "html", "html_status": status})
    response = desk.get("Actions", **LIST)
    assert response.status_code == status
    assert response.headers["Content-Type"].startswith("text/html")
    with pytest.raises(json.JSONDecodeError):
        response.json()


def test_truncated_json(desk: Any) -> None:
    """truncated is half of the body, well delivered."""
    desk.strike({"fault": "truncated"})
    response = desk.get("Actions", **LIST)
    assert response.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        response.json()


def test_truncated_on_the_wire(desk: Any) -> None:
    """truncated with cut=wire breaks the connection off in the middle of the body."""
    desk.strike({"fault": "truncated", "cut": "wire"})
    with pytest.raises(httpx.RemoteProtocolError):
        desk.get("Actions", **LIST)


def test_no_write_scope(desk: Any) -> None:
    """no_write_scope lets a token read and forbids it to write (§1.2)."""
    desk.strike({"fault": "no_write_scope"})
    assert desk.get("Actions", **LIST).status_code == 200
    assert desk.put(Sku="A", Quantity="1").status_code == 403
    assert desk.delete().status_code == 403


def test_clock_skew(desk: Any) -> None:
    """clock_skew writes a change down under another time than the one it happened at."""
    desk.strike({"fault": "clock_skew", "seconds": -7200})
    desk.done(desk.put(Sku="A", Quantity="1"))
    assert desk.updates()[0]["UpdateDate"] == "2026-11-20T02:00:05-08:00"


def test_contract_change(desk: Any) -> None:
    """contract_change lets the payout move by more than the change itself."""
    desk.strike({"fault": "contract_change", "factor": 1.5})
    desk.done(desk.put(Sku="A", Quantity="1"))
    assert desk.items()["A"]["Payout"] == "3.00"


def test_locked_meanwhile(desk: Any) -> None:
    """locked_meanwhile locks the action between a client's plan and its write."""
    desk.strike({"fault": "locked_meanwhile"})
    assert desk.refused(desk.put(Sku="A", Quantity="1")) == "ACTION_LOCKED"
    assert desk.action()["State"] == "APPROVED"


@pytest.mark.parametrize(
    ("person", "amount"), [("lower", "80.00"), ("raise", "120.00"), ("reverse", "0.00")]
)
def test_other_person(desk: Any, person: str, amount: str) -> None:
    """other_person changes the action just before the write is accepted."""
    desk.strike({"fault": "other_person", "person": person, "times": 1})
    desk.put(Sku="B", Quantity="1")
    assert desk.action()["Amount"] == amount
    assert desk.updates()[0]["Disposition"] == "OTHER"


ADDRESSES = [
    {"ActionId": "1000.4636.1"},
    {"ActionTrackerId": "2240", "OrderId": "ORDER-1"},
    {"EventTypeId": "2240", "OrderId": "ORDER-1"},
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_faults_find_the_action_however_it_is_named(desk: Any, address: dict[str, str]) -> None:
    """What others do in between befalls writes by OrderId as it does those by ActionId (§3.6)."""
    desk.strike({"fault": "contract_change", "factor": 2})
    desk.done(desk.put(None, **address, Sku="B", Quantity="1"))
    assert desk.items()["B"]["Payout"] == "6.00"
    desk.strike({"fault": "other_person", "person": "lower", "times": 1})
    desk.done(desk.put(None, **address, Sku="B", Quantity="1"))
    assert desk.items()["A"]["Quantity"] == "1"
    desk.strike({"fault": "locked_meanwhile"})
    assert desk.refused(desk.put(None, **address, Sku="A", Quantity="0")) == "ACTION_LOCKED"


def test_a_contract_that_pays_nothing(desk: Any) -> None:
    """A factor of 0 is a contract that pays nothing, as a fault and as an act."""
    desk.strike({"fault": "contract_change", "factor": 0})
    desk.done(desk.put(1, Sku="A", Quantity="1"))
    assert desk.action(1)["Payout"] == "0.00"
    desk.strike()
    desk.act("contract", 2, factor="0")
    desk.done(desk.put(2, Sku="A", Quantity="1"))
    assert desk.action(2)["Payout"] == "0.00"


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"fault": "gremlins"}, get_args(FaultName)),
        ({"fault": "latency", "kinds": ["modfy"]}, get_args(Kind)),
        ({"fault": "latency", "kinds": ["other"]}, get_args(Kind)),
        ({"fault": "delayed_update", "kinds": ["modify", "get_action"]}, ("modify", "reverse")),
        ({"fault": "shifted_rows", "kinds": ["get_item"]}, ("list_actions", "list_items")),
    ],
)
def test_a_rule_that_would_never_strike(rule: dict[str, Any], said: tuple[str, ...]) -> None:
    """A kind of fault or of request that there is not is refused with the list of those."""
    with pytest.raises(ClawbackError, match="faults here: ") as refused:
        parse([rule], "here")
    assert all(name in str(refused.value) for name in said)


@pytest.mark.parametrize("kind", get_args(Kind))
def test_kinds_are_those_of_requests(kind: str) -> None:
    """Every kind that a rule may name is one that requests have, and the other way round."""
    resources = ("Actions", "ActionUpdates", "APISubmissions", "Campaigns", "CompanyInformation")
    tails = ("", "/1", "/1/Items", "/1/Items/A")
    found = set()
    for path in (f"/Advertisers/X/{name}{tail}" for name in resources for tail in tails):
        target = Target.parse(path)
        assert target is not None
        found |= {target.kind(method) for method in ("GET", "PUT", "DELETE")}
    assert kind in found
    assert found - {None} <= set(get_args(Kind))


def test_every_fault_has_a_test_here() -> None:
    """No fault is without a test that shows it."""
    here = set(globals())
    missing = [n for n in get_args(FaultName) if not any(t.startswith(f"test_{n}") for t in here)]
    assert missing == []


def test_rules_choose_by_turn(desk: Any) -> None:
    """after, every and times pick requests by their turn, contains by what they say."""
    desk.strike(
        {"fault": "server_error", "after": 1, "every": 2, "times": 2, "contains": "1000.4636.1"}
    )
    statuses = [desk.get("Actions/1000.4636.1").status_code for _ in range(6)]
    assert statuses == [200, 503, 200, 503, 200, 200]
    assert desk.get("Actions/1000.4636.2").status_code == 200
    assert desk.control("GET", "faults")[0]["struck"] == 2


def test_chance_is_seeded() -> None:
    """The same seed and the same requests meet the same faults; another seed meets others."""
    rules = parse([{"fault": "reset", "probability": 0.3}], "here")

    def struck(seed: int) -> list[bool]:
        plan = FaultPlan(rules, seed)
        return [bool(plan.strike("list_actions", "", 1)) for _ in range(1000)]

    assert struck(1) == struck(1) != struck(2)
    assert 250 < sum(struck(1)) < 350


def test_faults_stand_from_the_start(desk_of: Any) -> None:
    """A rule given at the start strikes without the control API; the log says which."""
    desk = desk_of(faults=[{"fault": "server_error", "times": 1}])
    assert desk.get("Actions/1000.4636.1").status_code == 503
    [logged] = desk.control("GET", "requests")["requests"]
    assert logged["faults"] == ["server_error"]


@pytest.mark.parametrize(
    "rules", [[{"fault": "gremlins"}], [{"fault": "reset", "contains": "("}], {"fault": "reset"}]
)
def test_a_malformed_rule_is_named(desk: Any, rules: Any) -> None:
    """A rule that does not exist is refused with a sentence, and the old ones stay."""
    response = desk.http.post("/_sandbox/faults", json=rules)
    assert response.status_code == 400
    assert response.json()["detail"].startswith("faults of the request")
