"""The books of a run: totals of a stream, in the form of books.json."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

from reconcile_makers import money

from clawback.reconcile.books import Head, Row, balance
from clawback.reconcile.outcomes import Hold, Outcome

HEAD = Head(
    program="demo",
    run_id="r1",
    start=datetime(2026, 11, 1, tzinfo=UTC),
    end=datetime(2026, 11, 23, 6, tzinfo=UTC),
    currency="USD",
    read=3,
    carried_in=1,
)
ROWS = [
    Row(Outcome.CONFIRMED, None, money("10.00"), money("1.00"), "USD", counted=True),
    Row(Outcome.CONFIRMED, None, money("5.50"), money("0.55"), "USD"),
    Row(Outcome.LOCKED, None, money("2.00"), money("0.20"), "USD", counted=True, carried=True),
    Row(Outcome.HELD, Hold.UNKNOWN_SKU, None, None, "USD"),
]
CHANGES = {"planned": 2, "submitted": 2, "confirmed": 2}
REQUESTS = {"list_actions": 1, "modify": 2, "reverse": 1}


def test_the_books_say_what_the_issue_asks() -> None:
    """Every key of books.json stands there, in order, money as decimal strings."""
    books = balance(HEAD, ROWS, changes=CHANGES, requests=REQUESTS)
    assert books.balances
    told = books.to_json()
    assert list(told) == [
        *("program", "run_id", "window", "lines", "read", "carried_in", "outcomes", "held"),
        *("unexplained", "changes", "requests", "requests_per_confirmed_change", "currency"),
        *("commission_recovered", "commission_lost_to_locking", "lines_without_money"),
        "other_currencies",
    ]
    assert told["window"] == {"start": "2026-11-01T00:00:00Z", "end": "2026-11-23T06:00:00Z"}
    assert (told["program"], told["run_id"], told["currency"]) == ("demo", "r1", "USD")
    assert (told["lines"], told["read"], told["carried_in"]) == (4, 3, 1)
    assert list(told["outcomes"]) == [outcome.value for outcome in Outcome]
    assert told["outcomes"]["confirmed"] == {"lines": 2, "amount": "15.50", "payout": "1.55"}
    assert told["outcomes"]["locked"] == {"lines": 1, "amount": "2.00", "payout": "0.20"}
    assert told["outcomes"]["held"] == {"lines": 1, "amount": "0.00", "payout": "0.00"}
    assert told["outcomes"]["invalid"] == {"lines": 0, "amount": "0.00", "payout": "0.00"}
    assert told["held"] == {"unknown_sku": 1}
    assert told["unexplained"] == 0
    assert told["changes"] == {"planned": 2, "submitted": 2, "confirmed": 2, "rejected": 0}
    assert told["requests"]["total"] == 4
    assert list(told["requests"]["by_kind"]) == [
        *("list_actions", "list_action_updates", "list_items"),
        *("modify", "reverse", "get_submission"),
    ]
    assert told["requests_per_confirmed_change"] == 2.0
    assert told["commission_recovered"] == "1.00"
    assert told["commission_lost_to_locking"] == "0.20"
    assert told["lines_without_money"] == 1
    assert told["other_currencies"] == {}
    assert json.loads(json.dumps(told)) == told


def test_nothing_confirmed_has_no_ratio() -> None:
    """Requests per confirmed change is null where nothing was confirmed."""
    told = balance(HEAD, ROWS, changes={}, requests=REQUESTS).to_json()
    assert told["requests_per_confirmed_change"] is None
    ratio = balance(HEAD, ROWS, changes={"confirmed": 3}, requests=REQUESTS)
    assert ratio.requests_per_confirmed_change == 1.33


def test_money_counts_once() -> None:
    """Only lines that became final in this run count as recovered or lost."""
    rows = [row._replace(counted=False) for row in ROWS]
    told = balance(HEAD, rows, changes={}, requests={}).to_json()
    assert (told["commission_recovered"], told["commission_lost_to_locking"]) == ("0.00", "0.00")
    odd = [ROWS[3]._replace(counted=True, payout=money(9)), *ROWS[:3]]
    assert balance(HEAD, odd, changes={}, requests={}).own.recovered == money(1)


def test_a_line_without_outcome_is_unexplained() -> None:
    """A row without an outcome unbalances the books, and its money counts nowhere."""
    books = balance(HEAD, [*ROWS[:3], Row(None, amount=money(7))], changes={}, requests={})
    assert books.unexplained == 1
    assert not books.balances
    assert sum(o["lines"] for o in books.to_json()["outcomes"].values()) == 3


def test_lines_that_no_row_speaks_of_are_unexplained() -> None:
    """A line read and lost on the way is noticed; so is one that came from nowhere."""
    assert balance(HEAD, ROWS[1:], changes={}, requests={}).unexplained == 1
    assert balance(HEAD, [*ROWS, *ROWS[:2]], changes={}, requests={}).unexplained == 2
    swapped = [ROWS[0]._replace(carried=True), *ROWS[1:]]
    books = balance(HEAD, swapped, changes={}, requests={})
    assert books.unexplained == 2
    assert not books.balances


def test_another_currency_stands_apart() -> None:
    """Money in another currency is never added to the program's; its lines are."""
    rows = [
        *ROWS[:3],
        Row(Outcome.CONFIRMED, None, money(900), money(90), "JPY", counted=True),
    ]
    told = balance(HEAD, rows, changes={}, requests={}).to_json()
    assert told["outcomes"]["confirmed"] == {"lines": 3, "amount": "15.50", "payout": "1.55"}
    assert told["commission_recovered"] == "1.00"
    assert told["other_currencies"] == {
        "JPY": {
            "outcomes": {"confirmed": {"lines": 1, "amount": "900", "payout": "90"}},
            "commission_recovered": "90",
            "commission_lost_to_locking": "0",
        }
    }


def test_the_money_of_a_second_action_adds_no_line() -> None:
    """A line on two actions is one line with two sums."""
    rows = [
        *ROWS,
        Row(Outcome.CONFIRMED, None, None, money("0.45"), "USD", counted=True, own=False),
    ]
    books = balance(HEAD, rows, changes={}, requests={})
    told = books.to_json()
    assert books.balances
    assert told["outcomes"]["confirmed"] == {"lines": 2, "amount": "15.50", "payout": "2.00"}
    assert told["commission_recovered"] == "1.45"
    assert told["lines_without_money"] == 1


def test_rows_are_taken_as_a_stream() -> None:
    """The books keep totals, never the rows: any iterator will do."""

    def stream() -> Iterator[Row]:
        yield from ROWS

    assert balance(HEAD, stream(), changes={}, requests={}).balances


def test_a_row_without_currency_counts_no_money_elsewhere() -> None:
    """An invalid row may have no currency; it is a line all the same."""
    rows = [*ROWS[:3], Row(Outcome.INVALID)]
    told = balance(HEAD, rows, changes={}, requests={}).to_json()
    assert told["outcomes"]["invalid"]["lines"] == 1
    assert told["other_currencies"] == {}
    assert told["lines_without_money"] == 1


def test_a_hold_counts_only_for_held_lines() -> None:
    """Hold reasons are counted for lines that are held."""
    rows = [*ROWS[:3], Row(Outcome.PLANNED, Hold.CONTESTED)]
    assert balance(HEAD, rows, changes={}, requests={}).to_json()["held"] == {}
