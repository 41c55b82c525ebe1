"""Rows and answers of a listing that cannot be read: nothing is concluded from what is missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from clawback.ledger.tables import events
from lab import Lab, Maker, action, back, stamp

pytestmark = pytest.mark.parametrize("database", ["sqlite"])
Row = dict[str, Any]


class Spoilt(httpx.BaseTransport):
    """A network that does something to the rows of some actions, wherever they are shown."""

    def __init__(self, oid: str, spoil: Callable[[Row], None], *, alone: bool = True) -> None:
        self._oid, self._spoil, self._alone = oid, spoil, alone
        self._inner = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._inner.handle_request(request)
        answer.read()
        if "/Actions" not in request.url.path or request.method != "GET":
            return answer
        found = answer.json()
        rows = found.get("Actions", [found] if self._alone else [])
        for row in rows:
            if row.get("Oid") == self._oid:
                self._spoil(row)
        return httpx.Response(answer.status_code, content=json.dumps(found).encode())

    def close(self) -> None:
        self._inner.close()


def shop(lab_of: Maker) -> Lab:
    lab = lab_of([action("O-1"), action("O-2")])
    lab.rows = [back("O-1"), back("O-2"), back("O-3", ordered_at=None)]
    return lab


def no_amount(row: Row) -> None:
    row["Amount"] = "many"


def no_amount_and_no_date(row: Row) -> None:
    row |= {"Amount": "many", "EventDate": "?"}


def named(lab: Lab) -> list[str]:
    return [row["detail"]["row"] for row in lab.table(events) if row["became"] == "bad_row"]


def test_a_row_that_its_action_alone_shows_well_is_mended_at_once(lab_of: Maker) -> None:
    """A bad row is read once more by its Id; the order is settled in the same run."""
    lab = shop(lab_of)
    lab.run(client={"transport": Spoilt("O-1", no_amount, alone=False)})
    assert lab.outcomes()["O-1", "A"] == "confirmed"
    assert "Amount is no amount" in named(lab)[0] or "Amount" in named(lab)[0]


@pytest.mark.parametrize("spoil", [no_amount, no_amount_and_no_date])
def test_an_order_behind_a_bad_row_is_not_said_to_be_unattributed(
    lab_of: Maker, spoil: Callable[[Row], None]
) -> None:
    """It is held while the row is bad, and settled as soon as the row can be read."""
    lab = shop(lab_of)
    lab.run(client={"transport": Spoilt("O-1", spoil)})
    assert lab.outcomes()["O-1", "A"] == "held: outside_lookback"
    assert lab.outcomes()["O-2", "A"] == "confirmed"
    lab.pass_time(hours=24)
    lab.run(client={"transport": Spoilt("O-1", spoil)})
    assert lab.outcomes()["O-1", "A"] == "held: outside_lookback"
    lab.pass_time(hours=24)
    lab.run()
    assert lab.outcomes()["O-1", "A"] == "confirmed"
    assert lab.outcomes()["O-3", "A"] == "not_attributed"


def test_an_update_that_could_not_be_read_is_listed_again(lab_of: Maker) -> None:
    """The cursor stays before a bad row, so that a conversion that is reported late is found."""
    lab = lab_of([action("O-2")])
    lab.rows = [back("O-1"), back("O-2")]
    lab.run()
    assert lab.outcomes()["O-1", "A"] == "not_attributed"
    lab.pass_time(hours=24)
    lab.act("add", action=action("O-1", CreationDate=stamp(lab.clock.now())))
    lab.run(client={"transport": Spoilt("O-1", no_amount)})
    assert lab.outcomes()["O-1", "A"] != "confirmed"
    lab.pass_time(hours=24 * 5)
    lab.run()
    assert lab.outcomes()["O-1", "A"] == "confirmed"


def test_items_that_are_not_shown_stop_nothing(lab_of: Maker) -> None:
    """One action's Items answer 404: that is told, nothing is sent for it, the rest is settled."""
    lab = lab_of([action("O-1"), action("O-2")])
    lab.rows = [back("O-1"), back("O-2")]
    for action_id in lab.state():
        lab.act("modify", action_id, fields={"Amount": "90.00"})
    lab.rows = [back("O-1"), back("O-2")]
    bad = next(i for i, shown in lab.state().items() if shown["Oid"] == "O-1")
    lab.strike({"fault": "server_error", "status": 404, "contains": f"{bad}/Items"})
    lab.run()
    assert lab.outcomes()["O-2", "A"] == "confirmed"
    assert lab.outcomes()["O-1", "A"] != "confirmed"
    told = [row for row in lab.table(events) if row["became"] == "items_unread"]
    assert {row["subject_id"] for row in told} == {bad}
    assert not [w for w in lab.writes if bad in w["body"]]
    lab.strike()
    lab.pass_time(hours=24)
    lab.run()
    assert lab.outcomes()["O-1", "A"] == "confirmed"
