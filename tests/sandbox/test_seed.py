"""The seeded world: the same for a seed, true to the API's shape, and with every story in it."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest

from clawback.errors import ClawbackError
from clawback.sandbox import fields
from clawback.sandbox.seed import NO_RETURN, STORIES, SeededWorld, generate
from clawback.warehouse.contract import BadRow, parse_row

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
WORLD = generate(seed=7, orders=2000, now=NOW)
INVALID = {
    "shipping_refund": "sku",
    "negative_quantity": "quantity",
    "fractional_quantity": "quantity",
    "unknown_kind": "kind",
    "no_order": "order_id",
}


def actions_by_story(world: SeededWorld) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Story → order → its actions."""
    found: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for action in world.actions:
        found[world.expectations[action["Oid"]]][action["Oid"]].append(action)
    return found


def rows_by_story(world: SeededWorld) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Story → order → its rows."""
    found: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for row in world.returns:
        order = row["order_id"] or ""
        found[world.expectations[order]][order].append(row)
    return found


ACTIONS = actions_by_story(WORLD)
ROWS = rows_by_story(WORLD)


def test_a_seed_makes_one_world() -> None:
    """Equal arguments make the same world to the last character; another seed another one."""
    again = generate(seed=7, orders=2000, now=NOW)
    assert json.dumps(again.actions) == json.dumps(WORLD.actions)
    assert repr(again.returns) == repr(WORLD.returns)
    assert again == WORLD
    assert generate(seed=8, orders=2000, now=NOW).actions != WORLD.actions


def test_the_zone_of_now_makes_no_difference() -> None:
    """Now is an instant: the same one in another zone makes the same world."""
    assert generate(seed=7, orders=2000, now=NOW.astimezone(ZoneInfo("Asia/Tokyo"))) == WORLD


def test_the_size_of_the_world() -> None:
    """2,000 orders, a third of them driven by partners, and about 600 return lines."""
    assert len(WORLD.expectations) == 2000
    assert len({action["Oid"] for action in WORLD.actions}) == 666
    assert 570 <= len(WORLD.returns) <= 680
    assert WORLD.campaign_id == "1000"
    assert {action["CampaignId"] for action in WORLD.actions} == {"1000"}


@pytest.mark.parametrize("orders", [42, 100, 500, 3000])
def test_every_story_is_told_in_a_world_of_any_size(orders: int) -> None:
    """Smaller and larger worlds tell every story too, in as many orders as asked for."""
    world = generate(seed=1, orders=orders, now=NOW)
    assert len(world.expectations) == orders
    told = set(world.expectations.values()) - {NO_RETURN}
    assert told == {story.__name__ for story, _ in STORIES}


def test_too_few_orders_are_refused() -> None:
    """A world too small for its stories is refused with the least size."""
    with pytest.raises(ClawbackError, match=r"41 orders are too few .*; ask for 42 or more"):
        generate(seed=1, orders=41, now=NOW)


@pytest.mark.parametrize("seed", range(5))
def test_actions_have_the_apis_shape(seed: int) -> None:
    """Actions and items hold the API's fields as strings, and their sums add up."""
    for action in generate(seed=seed, orders=300, now=NOW).actions:
        known = set(fields.ACTION.names) | {"Items", "_refuse", "_visible_from"}
        assert set(action) <= known | {"_original", "_updates"}
        scalars = {k: v for k, v in action.items() if not k.startswith("_") and k != "Items"}
        assert all(isinstance(value, str) for value in scalars.values())
        for item in action["Items"]:
            assert set(item) == set(fields.ITEM.names) - {"Uri"}
            assert all(isinstance(value, str) for value in item.values())
        for total, part in (("Amount", "SaleAmount"), ("Payout", "Payout")):
            assert Decimal(action[total]) == sum(Decimal(i[part]) for i in action["Items"])


def test_times_follow_each_other() -> None:
    """Click, event and creation follow each other; actions lock 30 to 60 days on, at midnight."""
    for action in WORLD.actions:
        referred, event, created, locking = (
            datetime.fromisoformat(action[f"{name}Date"])
            for name in ("Referring", "Event", "Creation", "Locking")
        )
        assert referred < event < created
        assert event <= NOW
        assert created <= NOW or "_visible_from" in action
        assert timedelta(days=28) < locking - event <= timedelta(days=61)
        local = locking.astimezone(ZoneInfo("America/Los_Angeles"))
        assert (local.hour, local.minute, local.second) == (0, 0, 0)


def test_partners_pay_their_rate() -> None:
    """Each partner's untouched items earn one rate of their amount, to the cent."""
    rates = defaultdict(set)
    for action in WORLD.actions:
        for item in action.get("_original", action["Items"]):
            if (amount := Decimal(item["SaleAmount"])) > 100:
                rates[action["MediaPartnerId"]].add(round(Decimal(item["Payout"]) / amount, 3))
    assert len(rates) == 6
    assert all(len(rate) == 1 for rate in rates.values()), rates


def test_offsets_follow_the_accounts_zone_but_for_some() -> None:
    """Dates carry the account's offset, in summer -07:00; some carry -08:00 then, too."""
    offsets = Counter(
        action["EventDate"][-6:] for action in WORLD.actions if action["EventDate"] < "2026-10-31"
    )
    assert set(offsets) <= {"-07:00", "-08:00"}
    for actions in ACTIONS["other_offset"].values():
        assert all(action["LockingDate"].endswith("-08:00") for action in actions)


def test_rows_are_recent_and_in_order() -> None:
    """Every row was updated within the last 30 days, after its return, in the order given."""
    updates = [row["updated_at"] for row in WORLD.returns]
    assert updates == sorted(updates)
    assert updates[0] >= NOW - timedelta(days=30)
    assert updates[-1] < NOW
    for row in WORLD.returns:
        assert row["returned_at"] is None or row["returned_at"] <= row["updated_at"]
        assert row["ordered_at"] < row["updated_at"]


def test_only_the_broken_stories_break_the_contract() -> None:
    """A row breaks the contract exactly where its story says so, and in that column."""
    for story, orders in ROWS.items():
        for row in (row for rows in orders.values() for row in rows):
            parsed = parse_row(row, timezone=ZoneInfo("UTC"), currency="USD")
            assert isinstance(parsed, BadRow) == (story in INVALID), (story, parsed)
            if isinstance(parsed, BadRow):
                assert parsed.errors[0].startswith(f"{INVALID[story]}: ")


def test_most_rows_say_what_was_sold() -> None:
    """Ordered figures are there for most rows and agree with the action, but in one story."""
    told = [row for row in WORLD.returns if row["ordered_quantity"] is not None]
    assert len(told) > 0.85 * len(WORLD.returns)
    for story, orders in ROWS.items():
        for order, rows in orders.items():
            sold = sold_of(ACTIONS[story][order])
            for row in rows:
                if row["sku"] in sold and row["ordered_quantity"] is not None:
                    agrees = row["ordered_quantity"] == sold[row["sku"]]
                    assert agrees == (story != "baseline_conflict"), (story, order)


def sold_of(actions: list[dict[str, Any]]) -> dict[str, int]:
    """SKU → units, as reported, of the actions of an order; of twins one counts."""
    sold: dict[str, int] = {}
    for action in actions:
        items: Counter[str] = Counter()
        for item in action.get("_original", action["Items"]):
            items[item["Sku"]] += int(item["Quantity"])
        sold.update(items)
    return sold


def left_of(actions: list[dict[str, Any]], rows: list[dict[str, Any]]) -> dict[str, float]:
    """SKU → units sold less those that came back."""
    left: dict[str, float] = dict(sold_of(actions))
    for row in rows:
        if row["quantity"] and not row["voided"]:
            left[row["sku"]] = left.get(row["sku"], 0) - row["quantity"]
    return left


class Case(NamedTuple):
    """An order that tells a story: its actions `a` and its rows `r`."""

    a: list[dict[str, Any]]
    r: list[dict[str, Any]]


Check = Callable[[Case], bool]


def locks(action: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(action["LockingDate"])


TOLD: dict[str, Check] = {
    "organic": lambda c: not c.a and bool(c.r),
    "partial_return": lambda c: all(n > 0 for n in left_of(c.a, c.r).values()) and len(c.r) == 1,
    "one_of_several": lambda c: len(left_of(c.a, c.r)) > 1 and any(left_of(c.a, c.r).values()),
    "several_skus": lambda c: len({x["sku"] for x in c.r}) > 1 and any(left_of(c.a, c.r).values()),
    "repeated_sku": lambda c: len({x["sku"] for x in c.r}) == 1 and len(c.r) > 1,
    "full_return": lambda c: not any(left_of(c.a, c.r).values()),
    "full_in_steps": lambda c: not any(left_of(c.a, c.r).values()) and len(c.r) > 2,
    "cancelled": lambda c: [x["kind"] for x in c.r] == ["cancellation"] and len(c.a) == 1,
    "goodwill": lambda c: c.r[0]["kind"] == "adjustment" and bool(c.r[0]["sku"]),
    "order_goodwill": lambda c: c.r[0]["kind"] == "adjustment" and not c.r[0]["sku"],
    "gift_kept": lambda c: [s for s, n in left_of(c.a, c.r).items() if n] == ["AC-GIFT"],
    "shipped_later": lambda c: (
        datetime.fromisoformat(c.a[0]["EventDate"]) > c.r[0]["ordered_at"] + timedelta(days=8)
    ),
    "locked": lambda c: locks(c.a[0]) < NOW,
    "settled_by_hand": lambda c: (
        c.a[0]["Items"] != c.a[0]["_original"] and bool(c.a[0]["_updates"])
    ),
    "reversed_by_hand": lambda c: c.a[0]["State"] == "REVERSED" and c.a[0]["Amount"] == "0.00",
    "over_returned": lambda c: min(left_of(c.a, c.r).values()) == -1 and len(c.r) == 1,
    "over_returned_last": lambda c: min(left_of(c.a, c.r).values()) == -1 and len(c.r) == 2,
    "unknown_sku": lambda c: c.r[0]["sku"] not in sold_of(c.a),
    "duplicate_sku": lambda c: twins(c.a) and all(left_of(c.a, c.r).values()),
    "duplicate_sku_all": lambda c: twins(c.a) and not any(left_of(c.a, c.r).values()),
    "ambiguous": lambda c: (
        len({x["MediaPartnerId"] for x in c.a}) == 2
        and len({x["ActionTrackerId"] for x in c.a}) == 1
        and all(c.r[0]["sku"] in sold_of([x]) for x in c.a)
    ),
    "baseline_conflict": lambda c: c.r[0]["ordered_quantity"] != sold_of(c.a)[c.r[0]["sku"]],
    "other_currency": lambda c: c.r[0]["currency"] != c.a[0]["Currency"],
    "long_ago": lambda c: not c.a and c.r[0]["ordered_at"] < NOW - timedelta(days=3 * 365),
    "split_by_sku": lambda c: not set(sold_of(c.a[:1])) & set(sold_of(c.a[1:])),
    "two_trackers": lambda c: len({x["ActionTrackerId"] for x in c.a}) == 2,
    "reattributed": lambda c: sorted(x["State"] for x in c.a) == ["PENDING", "REVERSED"],
    "refused": lambda c: c.a[0]["_refuse"]["ErrorReason"] == "CONTRACT_NOT_FOUND",
    "reported_later": lambda c: (
        NOW + timedelta(days=1)
        <= datetime.fromisoformat(c.a[0]["_visible_from"])
        <= NOW + timedelta(days=3)
    ),
    "other_offset": lambda c: c.a[0]["CreationDate"].endswith("-08:00"),
    "superseded": lambda c: same_key(c.r) and c.r[0]["quantity"] < c.r[1]["quantity"],
    "voided": lambda c: [x["voided"] for x in c.r] == [True],
    "withdrawn": lambda c: same_key(c.r) and [x["voided"] for x in c.r] == [False, True],
    "exchanged": lambda c: c.r[0]["reason"] in {"exchange", "replacement"},
    "shipping_refund": lambda c: c.r[0]["reason"] == "shipping",
    "negative_quantity": lambda c: c.r[0]["quantity"] < 0,
    "fractional_quantity": lambda c: c.r[0]["quantity"] == 0.5,
    "unknown_kind": lambda c: c.r[0]["kind"] == "refund",
    "two_stories": lambda c: same_key(c.r) and c.r[0]["updated_at"] == c.r[1]["updated_at"],
    "no_order": lambda c: not c.a and c.r[0]["order_id"] is None,
}


def twins(actions: list[dict[str, Any]]) -> bool:
    return len(actions) == 1 and len({item["Sku"] for item in actions[0]["Items"]}) == 1


def same_key(rows: list[dict[str, Any]]) -> bool:
    return len({(r["order_id"], r["return_id"], r["sku"]) for r in rows}) == 1 and len(rows) == 2


@pytest.mark.parametrize("story", [story.__name__ for story, _ in STORIES])
def test_each_order_tells_its_story(story: str) -> None:
    """What distinguishes a story shows in every order that tells it; only `locked` is locked."""
    assert ROWS[story]
    for order, rows in ROWS[story].items():
        actions = ACTIONS[story].get(order, [])
        assert TOLD[story](Case(actions, rows)), (order, rows, actions)
        if story != "locked":
            assert all(locks(action) > NOW for action in actions)


def test_money_came_back_as_it_was_paid() -> None:
    """A full return's rows give back what each item was sold for, where they say it."""
    for order, rows in ROWS["full_return"].items():
        known = [row for row in rows if row["amount"] is not None]
        paid = {
            i["Sku"]: Decimal(i["SaleAmount"]) for i in ACTIONS["full_return"][order][0]["Items"]
        }
        assert all(row["amount"] == paid[row["sku"]] for row in known)


def test_orders_without_a_return_are_the_rest() -> None:
    """Orders without a story have no return; some of them are partners', some locked long ago."""
    kept = ACTIONS[NO_RETURN]
    assert NO_RETURN not in ROWS
    assert len(kept) > 300
    assert any(locks(actions[0]) < NOW for actions in kept.values())
