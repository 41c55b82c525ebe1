"""What impact.com lists is kept once, and every move of an action is noticed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from threading import Barrier, Thread

import pytest
from ledger_rows import ACCOUNT, AT

from clawback.impact.models import Action, ActionState, ActionUpdate
from clawback.ledger import actions as stock
from clawback.ledger.actions import Listing
from clawback.ledger.store import Ledger
from clawback.reconcile.facts import Item

KEY = (ACCOUNT, "1000")


def listing(run_id: str = "run-1") -> Listing:
    return Listing(ACCOUNT, run_id, AT, str.lower)


def action(number: int = 1, **more: object) -> Action:
    plain = Action(
        id=f"1000.1.{number}",
        campaign_id="1000",
        tracker_id="2240",
        state=ActionState.PENDING,
        amount=Decimal(100),
        payout=Decimal(10),
        currency="USD",
        event_date=AT - timedelta(days=2),
        creation_date=AT - timedelta(days=2),
        oid=f"O-{number}",
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def update(number: int = 1, **more: object) -> ActionUpdate:
    plain = ActionUpdate(
        id=f"1000.1.1.{number}",
        action_id="1000.1.1",
        update_date=AT - timedelta(days=2),
        sku="A",
        quantity=2,
        delta_amount=Decimal(100),
        delta_payout=Decimal(10),
        disposition="IR_BLANK",
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def generation(ledger: Ledger) -> int:
    with ledger.read() as conn:
        return int(stock.action_rows(conn, ACCOUNT, ["1000.1.1"])["1000.1.1"]["generation"])


def test_only_new_and_moved_actions_are_told(ledger: Ledger) -> None:
    """A page names the actions that it shows for the first time or otherwise than before."""
    with ledger.begin() as conn:
        page = [action(1), action(2)]
        assert stock.save_actions(conn, listing(), page) == {"1000.1.1", "1000.1.2"}
        assert stock.save_actions(conn, listing("run-2"), page) == set()
        moved = [action(1, amount=Decimal(80)), action(2)]
        assert stock.save_actions(conn, listing("run-3"), moved) == {"1000.1.1"}
        rows = stock.action_rows(conn, ACCOUNT, ["1000.1.1", "1000.1.2"])
    assert {i: r["generation"] for i, r in rows.items()} == {"1000.1.1": 1, "1000.1.2": 0}
    assert {r["moved_run"] for r in rows.values()} == {"run-1", "run-3"}
    assert rows["1000.1.1"]["order_key"] == "o-1"


@pytest.mark.parametrize(
    "change",
    [
        {"state": ActionState.REVERSED},
        {"amount": Decimal("99.99")},
        {"payout": Decimal("9.99")},
        {"locking_date": AT},
        {"cleared_date": AT},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_observed_move_raises_the_generation(
    ledger: Ledger, change: dict[str, object]
) -> None:
    """A change planned on what an action held before can be known to be stale."""
    with ledger.begin() as conn:
        stock.save_actions(conn, listing(), [action()])
        stock.save_actions(conn, listing(), [action(**change)])
    assert generation(ledger) == 1


def test_a_listing_keeps_what_only_we_know(ledger: Ledger) -> None:
    """Listing an action again leaves its originals and what we settled as they are."""
    settled = {"reverse": False, "items": [], "amount": "80"}
    with ledger.begin() as conn:
        stock.save_actions(conn, listing(), [action()])
        stock.set_action(
            conn, ACCOUNT, "1000.1.1", original_amount=Decimal(120), settled=settled, generation=5
        )
        stock.save_actions(conn, listing(), [action()])
        row = stock.action_rows(conn, ACCOUNT, ["1000.1.1"])["1000.1.1"]
    assert (row["original_amount"], row["settled"], row["generation"]) == (120, settled, 5)


@pytest.mark.parametrize("database", ["postgresql"])
def test_two_listings_at_once_lose_no_generation(ledger: Ledger) -> None:
    """A listing that saw an action before another process moved it does not put it back."""
    with ledger.begin() as conn:
        stock.save_actions(conn, listing(), [action()])
    start = Barrier(4)

    def settle() -> None:
        start.wait()
        for _ in range(10):
            with ledger.begin() as conn:
                row = stock.action_rows(conn, ACCOUNT, ["1000.1.1"], lock=True)["1000.1.1"]
                raised = row["generation"] + 1
                stock.set_action(conn, ACCOUNT, "1000.1.1", generation=raised)

    def look() -> None:
        start.wait()
        for _ in range(10):
            with ledger.begin() as conn:
                stock.save_actions(conn, listing(), [action()])

    threads = [Thread(target=work) for work in (settle, look, settle, look)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert generation(ledger) == 20


def test_update_rows_are_kept_once(ledger: Ledger) -> None:
    """A row that is listed again is known; only new ones name their action."""
    with ledger.begin() as conn:
        assert stock.save_updates(conn, ACCOUNT, [update(1), update(1)]) == {"1000.1.1"}
        assert stock.save_updates(conn, ACCOUNT, [update(1)]) == set()
        assert stock.save_updates(conn, ACCOUNT, [update(1), update(2)]) == {"1000.1.1"}
        rows = stock.update_rows(conn, ACCOUNT, ["1000.1.1"])["1000.1.1"]
    assert [row["id"] for row in rows] == ["1000.1.1.1", "1000.1.1.2"]


def test_items_are_replaced_whole_and_in_order(ledger: Ledger) -> None:
    """Saving an action's items leaves none of the old ones, and other actions' alone."""
    first = [Item("B", 1, Decimal(60), 1, Decimal(60)), Item("A", 2, Decimal(40), None, None)]
    with ledger.begin() as conn:
        stock.save_items(conn, ACCOUNT, {"1": first, "2": first})
        stock.save_items(conn, ACCOUNT, {"1": first[:1]})
        found = stock.items_of(conn, ACCOUNT, ["1", "2"])
    assert found == {"1": (first[0],), "2": tuple(first)}


def test_coverage_is_replaced_and_belongs_to_a_campaign(ledger: Ledger) -> None:
    """What is said to be covered replaces what was said before, of that campaign alone."""
    span = (AT - timedelta(days=9), AT)
    with ledger.begin() as conn:
        stock.cover(conn, listing(), "1000", [span])
        stock.cover(conn, listing(), "2000", [span])
        stock.cover(conn, listing(), "1000", [])
        assert stock.covered(conn, ACCOUNT, "1000") == []
        assert stock.covered(conn, ACCOUNT, "2000") == [span]


def test_one_holds_the_lease_until_it_ends(ledger: Ledger) -> None:
    """The second asker waits until the lease is given back or runs out; the holder may renew it."""
    later = AT + timedelta(minutes=5)
    with ledger.begin() as conn:
        stock.set_cursor(conn, *KEY, AT)
        assert stock.lease_cursor(conn, KEY, "one", (AT, later))
        assert stock.lease_cursor(conn, KEY, "one", (AT, later))
        assert not stock.lease_cursor(conn, KEY, "two", (AT, later))
        stock.release_cursor(conn, KEY, "two")
        assert not stock.lease_cursor(conn, KEY, "two", (AT, later))
        after = later + timedelta(seconds=1)
        assert stock.lease_cursor(conn, KEY, "two", (after, after))
        stock.release_cursor(conn, KEY, "two")
        assert stock.lease_cursor(conn, KEY, "three", (AT, later))
