"""Which rows a list holds: open-ended locking, the clock, three years, rows on the move."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clawback.sandbox.profile import Profile
from clawback.sandbox.query import earliest

EVENT = {"ActionDateStart": "2026-11-01T00:00:00Z", "ActionDateEnd": "2026-11-20T00:00:00Z"}
# The automatic lock of an event on 2026-11-15 10:00 UTC, 730 days on.
AUTOMATIC = {"LockingDateStart": "2028-11-14T00:00:00Z", "LockingDateEnd": "2028-11-15T00:00:00Z"}
WITH_CAMPAIGN = {"CampaignId": "1000", **EVENT}
RESOURCES = ["Actions", "ActionUpdates"]


def numbers(desk: Any, resource: str, **params: str) -> set[int]:
    """The actions that a list shows, or whose updates it shows."""
    key = "Id" if resource == "Actions" else "ActionId"
    rows = desk.listed(resource, **{"CampaignId": "1000", **params})
    return {int(row[key].rsplit(".", 1)[-1]) for row in rows}


@pytest.fixture(name="open_ended")
def _open_ended(desk_of: Any, make_action: Any) -> Any:
    """Actions 1 and 2 have no LockingDate, action 3 has one; 1 has been modified."""
    desk = desk_of([make_action(1, LockingDate=""), make_action(2, LockingDate=""), make_action(3)])
    desk.done(desk.put(1, Sku="A", Quantity="1"))
    return desk


@pytest.mark.parametrize("resource", RESOURCES)
def test_open_ended_locking_shows_no_date(open_ended: Any, resource: str) -> None:
    """§8: an action whose locking is open-ended shows no LockingDate, modified or not."""
    shown = {row["LockingDate"] for row in open_ended.listed(resource, **WITH_CAMPAIGN)}
    assert shown == {"", "2026-12-15T00:00:00-08:00"}
    assert [open_ended.action(number)["LockingDate"] for number in (1, 2)] == ["", ""]


@pytest.mark.parametrize("resource", RESOURCES)
def test_open_ended_locking_is_not_found_by_date(open_ended: Any, resource: str) -> None:
    """§2.1, §8: what shows no LockingDate lies in no LockingDate window."""
    assert numbers(open_ended, resource, **AUTOMATIC) == set()
    every = {"LockingDateStart": "2026-11-01T00:00:00Z"}
    assert numbers(open_ended, resource, **every) == {3}


@pytest.mark.parametrize("resource", RESOURCES)
def test_the_automatic_lock_is_found_by_its_date(open_ended: Any, resource: str) -> None:
    """§8: after 730 days the action is locked, and shows and is found by that date."""
    numbers(open_ended, resource, **AUTOMATIC)  # asked before as well: the answer is not kept
    open_ended.pass_time(731 * 86400)
    assert numbers(open_ended, resource, **AUTOMATIC) == {1, 2}
    rows = open_ended.listed(resource, CampaignId="1000", **AUTOMATIC)
    assert {row["LockingDate"] for row in rows} == {"2028-11-14T02:00:00-08:00"}
    assert open_ended.action(2)["State"] == "APPROVED"


@pytest.mark.parametrize("resource", RESOURCES)
def test_a_date_set_later_ends_open_ended_locking(open_ended: Any, resource: str) -> None:
    """A locking date that somebody sets shows and filters like any other."""
    open_ended.act("lock", 2, locking_date="2026-12-01T00:00:00Z")
    window = {"LockingDateStart": "2026-11-30T00:00:00Z", "LockingDateEnd": "2026-12-02T00:00:00Z"}
    assert numbers(open_ended, resource, **window) == {2}
    assert open_ended.action(2)["LockingDate"] == "2026-11-30T16:00:00-08:00"


def test_a_skewed_update_appears_in_time(desk: Any) -> None:
    """An update that clock_skew dates ahead is listed in time, even if asked for before."""
    desk.strike({"fault": "clock_skew", "seconds": 7200, "times": 1})
    desk.done(desk.put(Sku="A", Quantity="1"))
    window = {"StartDate": "2026-11-20T00:00:00Z", "EndDate": "2026-11-21T00:00:00Z"}
    assert desk.listed("ActionUpdates", CampaignId="1000", **window) == []
    desk.pass_time(7200)
    [row] = desk.listed("ActionUpdates", CampaignId="1000", **window)
    assert row["UpdateDate"] == "2026-11-20T06:00:05-08:00"
    assert desk.get(f"ActionUpdates/{row['Id']}").status_code == 200


@pytest.mark.parametrize(
    ("now", "first"),
    [
        (
            "2026-11-20T12:00:00+00:00",
            "2023-11-20T12:00:00+00:00",
        ),  # a leap day between: 1,096 days
        ("2028-02-20T12:00:00+00:00", "2025-02-20T12:00:00+00:00"),  # none: 1,095 days
        ("2028-02-29T12:00:00+00:00", "2025-02-28T12:00:00+00:00"),  # there was no 29th
        ("2026-11-01T12:00:00+00:00", "2023-11-01T11:00:00+00:00"),  # summer time ended later then
    ],
)
def test_three_years_go_by_the_calendar(now: str, first: str) -> None:
    """§2.3-1: three years back is the same local day and hour, however many days that were."""
    at = datetime.fromisoformat(now).timestamp()
    assert datetime.fromtimestamp(earliest(Profile(), at), UTC).isoformat() == first


@pytest.mark.parametrize("pair", ["", "ActionDate", "LockingDate"])
@pytest.mark.parametrize("resource", RESOURCES)
def test_both_sides_of_three_years(desk: Any, resource: str, pair: str) -> None:
    """§2.3-1: exactly three years back is answered, a second more is refused, for every pair."""
    first, last = (pair + "Start", pair + "End") if pair else ("StartDate", "EndDate")
    edge = datetime(2023, 11, 20, 12, tzinfo=UTC)
    for start, status in ((edge, 200), (edge - timedelta(seconds=1), 400)):
        window = {first: start.isoformat(), last: "2023-12-01T00:00:00Z"}
        assert desk.get(resource, CampaignId="1000", **window).status_code == status


# Rows on the move

TOTAL = 6000


@pytest.fixture(name="many", scope="module")
def _many(make_action: Any) -> list[dict[str, Any]]:
    return [json.loads(json.dumps(make_action(n))) for n in range(TOTAL)]


def walk(desk: Any) -> list[str]:
    """The Ids of all pages, as a client reads them: until there is no next page."""
    found, page = [], 1
    while True:
        answer = desk.json("Actions", **WITH_CAMPAIGN, PageSize=2000, Page=page)
        found += [row["Id"] for row in answer["Actions"]]
        if not answer["@nextpageuri"]:
            return found
        page += 1


def test_a_row_that_slides_over_the_edge_is_seen_twice(desk_of: Any, many: Any) -> None:
    """shifted_rows at one edge: its last rows come again, and nothing after it is lost."""
    desk = desk_of(many)
    desk.strike({"fault": "shifted_rows", "rows": 3, "times": 1})
    found = walk(desk)
    assert (len(found), len(set(found))) == (TOTAL + 3, TOTAL)
    assert found[1997:2000] == found[2000:2003]


def test_rows_slide_at_every_edge(desk_of: Any, many: Any) -> None:
    """Each strike moves the rows once more; a full last page only makes one page more."""
    desk = desk_of(many)
    desk.strike({"fault": "shifted_rows"})
    found = walk(desk)
    assert (len(found), len(set(found))) == (TOTAL + 3, TOTAL)  # the third edge opens a fourth page
    assert [row for at, row in enumerate(found) if row in found[:at][-2000:]] == [
        found[1999],
        found[3999],
        found[5999],
    ]


def test_rows_that_fall_out_are_missed_once(desk_of: Any, many: Any) -> None:
    """Below 0 rows fell out: as many are missed at that edge, none later."""
    desk = desk_of(many)
    desk.strike({"fault": "shifted_rows", "rows": -2, "times": 1})
    found = walk(desk)
    assert len(found) == len(set(found)) == TOTAL - 2
    everything = walk(desk)  # the first page is read again: all is as it was
    assert sorted(set(everything) - set(found)) == sorted(everything[2000:2002])


def test_the_move_is_seeded(desk_of: Any, many: Any) -> None:
    """With a probability the same seed moves the same edges, and another seed others."""

    def found(seed: int) -> list[str]:
        rule = {"fault": "shifted_rows", "probability": 0.5, "rows": 5}
        return walk(desk_of(many[:], faults=[rule], seed=seed))

    runs = [found(seed) for seed in (1, 1, 2, 3)]
    assert runs[0] == runs[1]
    assert len({tuple(rows) for rows in runs}) > 1
    assert {len(set(rows)) for rows in runs} == {TOTAL}
