"""Changes that come about in part, or beside another's: what is booked, and what is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx
import pytest

from clawback.ledger.changes import ChangeState
from clawback.ledger.tables import change_lines, changes, events, return_lines
from clawback.money import ZERO
from lab import Lab, Maker, action, back

SINGLY = {"learned": {"indexed_items": False}, "canary": 0}
"""A program whose account takes one item a request."""


def shop(lab_of: Maker, **settings: Any) -> Lab:
    lab = lab_of([action("O-1")], **settings)
    lab.choices |= SINGLY
    lab.rows = [back("O-1", "A", id="a"), back("O-1", "B", id="b")]
    return lab


def gone(lab: Lab) -> Decimal:
    """What has left the payout of the one action, that was 10.00 at first."""
    ((_, shown),) = lab.state().items()
    return Decimal("10.00") - Decimal(shown["Payout"])


def booked(lab: Lab) -> dict[str, Decimal]:
    """What the books count as recovered, by SKU."""
    sku = {row["id"]: row["sku"] for row in lab.table(return_lines)}
    rows = [row for row in lab.table(change_lines) if row["booked_run"]]
    found: Counter[str] = Counter()
    for row in rows:
        found[sku[row["line_id"]]] += row["payout"]
    return dict(found)


@pytest.mark.parametrize("database", ["sqlite"])
@pytest.mark.parametrize(
    "fault",
    [
        {"fault": "failed_submission", "contains": "Sku=B"},
        {"fault": "server_error", "status": 409, "contains": "Sku=B"},
        {"fault": "server_error", "status": 409, "contains": "Sku=A"},
        {"fault": "lost_submission", "contains": "Sku=B"},
    ],
    ids=["completed with an error", "refused at once", "the first refused", "lost"],
)
def test_the_part_that_took_effect_is_booked(lab_of: Maker, fault: dict[str, Any]) -> None:
    """Its lines are confirmed with their money; only the others are not."""
    lab = shop(lab_of)
    lab.strike({"kinds": ["modify"], **fault})
    books = lab.run()
    assert Decimal(books["commission_recovered"]) == gone(lab) == sum(booked(lab).values())
    outcomes = lab.outcomes()
    sent_first = fault["contains"] == "Sku=A"
    assert (outcomes["O-1", "A"] == "confirmed") is not sent_first
    assert outcomes["O-1", "B"] != "confirmed"


@pytest.mark.parametrize("database", ["sqlite"])
def test_a_part_is_awaited_before_the_rest_is_given_up(lab_of: Maker) -> None:
    """A refusal at once does not end a change while an accepted request is in the queue."""
    lab = shop(lab_of, queue_latency=3600.0)
    lab.strike({"fault": "server_error", "status": 409, "contains": "Sku=B", "kinds": ["modify"]})
    lab.choices["confirm"] = {"poll_seconds": 3, "deadline_minutes": 10}
    books = lab.run()
    assert books["outcomes"]["pending"]["lines"] == 2
    lab.pass_time(hours=2)
    lab.run()
    assert booked(lab) == {"A": gone(lab)} == {"A": Decimal("2.00")}


@pytest.mark.parametrize("database", ["sqlite"])
def test_what_was_refused_of_a_change_is_not_sent_again(lab_of: Maker) -> None:
    """The refusal of the rest is kept for the action as it stands after its part."""
    lab = shop(lab_of)
    lab.strike({"fault": "failed_submission", "contains": "Sku=B"})
    lab.run()
    writes = len(lab.writes)
    lab.strike()
    lab.pass_time(hours=24)
    books = lab.run()
    assert len(lab.writes) == writes == 2
    assert lab.outcomes()["O-1", "B"] == "rejected"
    assert books["commission_recovered"] == "0.00"
    states = sorted(row["state"] for row in lab.table(changes))
    assert states == [ChangeState.CONFIRMED, ChangeState.REJECTED]


def test_a_new_return_sends_the_rest_again(lab_of: Maker) -> None:
    """As soon as more comes back, the refused rest is asked for with it, and all is booked."""
    lab = shop(lab_of)
    lab.strike({"fault": "failed_submission", "contains": "Sku=B"})
    lab.run()
    lab.strike()
    lab.pass_time(hours=24)
    lab.rows.append(back("O-1", "A", id="c", at=lab.clock.now()))
    lab.run()
    assert lab.state().popitem()[1]["State"] == "REVERSED"
    assert sum(booked(lab).values()) == gone(lab) == 10


class Meanwhile(httpx.BaseTransport):
    """Lets another person act just before a change of ours reaches impact.com, or just after."""

    def __init__(self, lab: Lab, act: Callable[[], None], *, after: bool) -> None:
        self._lab, self._act, self._after = lab, act, after
        self._inner = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        write = request.method == "PUT"
        if write and not self._after:
            self._act()
        answer = self._inner.handle_request(request)
        if write and self._after:
            self._lab.pass_time(seconds=2)
            self._act()
        return answer

    def close(self) -> None:
        self._inner.close()


@pytest.mark.parametrize("database", ["sqlite"])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("what", ["lower", "reverse"])
def test_what_another_takes_meanwhile_is_not_ours(lab_of: Maker, what: str, *, after: bool) -> None:
    """Our share of a payout that two hands have lowered is what our own request took."""
    lab = lab_of([action("O-1")])
    lab.choices |= SINGLY
    lab.rows = [back("O-1", "A")]
    (mine,) = lab.state()
    acts: dict[str, Callable[[], None]] = {
        "lower": lambda: lab.act("modify", mine, fields={"Sku": "B", "Amount": "30.00"}),
        "reverse": lambda: lab.act("reverse", mine),
    }
    lab.run(client={"transport": Meanwhile(lab, acts[what], after=after)})
    lab.pass_time(hours=24)
    lab.run()
    ours = ZERO if what == "reverse" and not after else Decimal("2.00")
    assert sum(booked(lab).values(), ZERO) == ours
    assert gone(lab) == {"lower": 5, "reverse": 10}[what]
    told = [row["detail"] for row in lab.table(events) if row["became"] == "others_took"]
    assert [Decimal(one["payout"]) for one in told] in ([gone(lab) - ours], [])
