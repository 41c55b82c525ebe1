"""The request budget, its headers and the clock they go by (reference §6)."""

from __future__ import annotations

from typing import Any

import pytest

from clawback.errors import ClawbackError
from clawback.sandbox.limits import Budget, RateLimit


def test_over_the_limit(desk_of: Any) -> None:
    """The request after the last of the hour is 429; the next hour opens anew."""
    desk = desk_of(rate_limit=RateLimit(3, 3600))
    answers = [desk.get("Campaigns") for _ in range(4)]
    assert [r.status_code for r in answers] == [200, 200, 200, 429]
    assert [r.headers["X-RateLimit-Remaining"] for r in answers] == ["2", "1", "0", "0"]
    assert {r.headers["X-RateLimit-Limit"] for r in answers} == {"3"}
    desk.pass_time(1800)
    later = desk.get("Campaigns")
    assert (later.status_code, later.headers["X-RateLimit-Reset"]) == (429, "1800")
    desk.pass_time(1800)
    assert desk.get("Campaigns").status_code == 200


def test_reads_and_writes_share_the_budget(desk_of: Any) -> None:
    """One budget per account, whatever the request; a refused write is counted as well."""
    desk = desk_of(rate_limit=RateLimit(2, 3600))
    desk.get("Campaigns")
    assert desk.put(None).status_code == 400
    assert desk.put(Sku="A", Quantity="1").status_code == 429
    desk.pass_time(4000)
    assert desk.action()["Amount"] == "100.00"


def test_strangers_cost_nothing(desk_of: Any) -> None:
    """A request without good credentials does not use up the account's budget."""
    desk = desk_of(rate_limit=RateLimit(1, 3600))
    for _ in range(3):
        desk.http.get(f"{desk.root}/Campaigns", auth=("no", "body"))
    assert desk.get("Campaigns").status_code == 200


def test_the_control_api_costs_nothing(desk_of: Any) -> None:
    """What a test asks of the control API is neither counted nor logged."""
    desk = desk_of(rate_limit=RateLimit(1, 3600))
    for _ in range(3):
        desk.control("GET", "clock")
    assert desk.get("Campaigns").status_code == 200
    assert desk.control("GET", "requests")["total"] == 1


def test_a_fast_clock_shortens_the_wait(desk_of: Any) -> None:
    """At speed 1000 an hour's budget is back in 3.6 s, and the header says so in real seconds."""
    desk = desk_of(rate_limit=RateLimit(1, 3600), speed=1000.0)
    assert desk.get("Campaigns").headers["X-RateLimit-Reset"] == "4"


@pytest.mark.parametrize("text", ["", "many", "0/3600", "10/0", "10/x", "-1/5"])
def test_malformed_limit(text: str) -> None:
    """A limit that is none is refused with the way to write it."""
    with pytest.raises(ClawbackError, match="1000/3600"):
        RateLimit.parse(text)


def test_limit_text() -> None:
    """A limit is written requests/seconds; an hour if the seconds are left out."""
    assert RateLimit.parse("500/60") == RateLimit(500, 60)
    assert RateLimit.parse("1000") == RateLimit(1000, 3600)


def test_windows_do_not_overlap() -> None:
    """A window opens with its first request and closes when its seconds are over."""
    budget = Budget(RateLimit(1, 10))
    taken = [budget.take(now).allowed for now in (100, 105, 109.9, 110, 119, 125)]
    assert taken == [True, False, False, True, False, True]
