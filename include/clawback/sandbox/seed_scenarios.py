"""The stories of the seeded world: each makes one order with what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta, timezone
from decimal import Decimal

from clawback.sandbox.seed_actions import settle_by_hand, stamp
from clawback.sandbox.seed_shop import Item, Order, Shop

Scenario = Callable[[Shop], None]
_REFUSAL = {"ErrorType": "Contract Error", "ErrorReason": "CONTRACT_NOT_FOUND"}
_YEARS_AGO = 365 * 3 + 60


def _some(shop: Shop, item: Item) -> int:
    """Some of an item's units, at least one."""
    return shop.random.randint(1, item.quantity)


# Returns as they come every day


def organic(shop: Shop) -> None:
    order = shop.order()
    for item in shop.random.sample(order.items, min(len(order.items), shop.random.randint(1, 2))):
        shop.give_back(order, item, quantity=_some(shop, item))


def partial_return(shop: Shop) -> None:
    order = shop.place((shop.item(shop.random.randint(2, 4)),), shop.random.uniform(4, 50))
    shop.report(order)
    item = order.items[0]
    shop.give_back(order, item, quantity=shop.random.randint(1, item.quantity - 1))


def one_of_several(shop: Shop) -> None:
    order = shop.order((2, 4))
    shop.report(order)
    shop.give_back(order, order.items[0], quantity=_some(shop, order.items[0]))


def several_skus(shop: Shop) -> None:
    order = shop.order((3, 5))
    shop.report(order)
    for item in order.items[: shop.random.randint(2, len(order.items) - 1)]:
        shop.give_back(order, item, quantity=_some(shop, item))


def repeated_sku(shop: Shop) -> None:
    order = shop.place((shop.item(4), shop.item(1)), shop.random.uniform(10, 50))
    shop.report(order)
    for _ in range(shop.random.randint(2, 3)):
        shop.give_back(order, order.items[0], quantity=1)


def full_return(shop: Shop) -> None:
    order = shop.order((1, 3))
    shop.report(order)
    for item in order.items:
        shop.give_back(order, item, quantity=item.quantity)


def full_in_steps(shop: Shop) -> None:
    order = shop.place((shop.item(3), shop.item(2)), shop.random.uniform(10, 50))
    shop.report(order)
    for item in order.items:
        for _ in range(item.quantity):
            shop.give_back(order, item, quantity=1)


def cancelled(shop: Shop) -> None:
    order = shop.order()
    shop.report(order)
    shop.give_back(order, None, kind="cancellation", reason="order_cancelled")


def goodwill(shop: Shop) -> None:
    order = shop.order((1, 3))
    shop.report(order)
    item = order.items[0]
    off = (item.amount / 10).quantize(Decimal("0.01"))
    shop.give_back(order, item, kind="adjustment", amount=off, reason="goodwill")


def order_goodwill(shop: Shop) -> None:
    order = shop.order((2, 3))
    shop.report(order)
    shop.give_back(order, None, kind="adjustment", amount=Decimal("5.00"), reason="goodwill")


def gift_kept(shop: Shop) -> None:
    gift = Item("AC-GIFT", "Sticker Pack", "Accessories", 1, Decimal("0.00"))
    order = shop.order((1, 2))
    order = replace(order, items=(*order.items, gift))
    shop.report(order)
    for item in order.items[:-1]:
        shop.give_back(order, item, quantity=item.quantity)


def shipped_later(shop: Shop) -> None:
    """The conversion is reported at shipment, more than a week after the order."""
    order = shop.order((1, 2), age=(20, 45))
    shop.report(replace(order, at=order.at + timedelta(days=9)))
    shop.give_back(order, order.items[0])


# Money that is gone, or was taken back already


def locked(shop: Shop) -> None:
    order = shop.order((1, 2), age=(42, 57))
    age = (shop.now - order.at).days
    shop.report(order, lock_days=shop.random.randint(30, age - 4))
    shop.give_back(order, order.items[0])


def settled_by_hand(shop: Shop) -> None:
    order = shop.place((shop.item(3), shop.item(1)), shop.random.uniform(15, 45))
    action = shop.report(order)
    row = shop.give_back(order, order.items[0], quantity=1)
    settle_by_hand(action, (2, 1), row["updated_at"])


def reversed_by_hand(shop: Shop) -> None:
    order = shop.place((shop.item(1), shop.item(2)), shop.random.uniform(15, 45))
    action = shop.report(order)
    for item in order.items:
        row = shop.give_back(order, item, quantity=item.quantity)
    settle_by_hand(action, (0, 0), row["updated_at"])


# What a person must look at


def over_returned(shop: Shop) -> None:
    order = shop.place((shop.item(2), shop.item(1)), shop.random.uniform(10, 50))
    shop.report(order)
    item = order.items[0]
    shop.give_back(order, item, quantity=item.quantity + 1, amount=None)


def over_returned_last(shop: Shop) -> None:
    """All units come back, and then one more: only the last line is too much."""
    order = shop.place((shop.item(2), shop.item(1)), shop.random.uniform(10, 50))
    shop.report(order)
    item = order.items[0]
    first = shop.give_back(order, item, quantity=item.quantity)
    later = min(first["updated_at"] + timedelta(hours=1), shop.now - timedelta(hours=1))
    shop.give_back(
        order, item, quantity=1, returned_at=first["updated_at"], updated_at=later, amount=None
    )


def unknown_sku(shop: Shop) -> None:
    order = shop.order((1, 2))
    shop.report(order)
    shop.give_back(order, order.items[0], sku=f"OLD-{order.items[0].sku}")


def _twice_the_sku(shop: Shop) -> tuple[Order, Item, Item]:
    one = shop.item(2)
    other = replace(one, quantity=1, amount=one.part(1))
    order = shop.place((one, other), shop.random.uniform(10, 50))
    shop.report(order)
    return order, one, other


def duplicate_sku(shop: Shop) -> None:
    order, one, _ = _twice_the_sku(shop)
    shop.give_back(order, one, quantity=1, ordered_quantity=None, ordered_amount=None)


def duplicate_sku_all(shop: Shop) -> None:
    order, one, other = _twice_the_sku(shop)
    amount = one.amount + other.amount
    shop.give_back(order, one, quantity=3, amount=amount, ordered_quantity=3, ordered_amount=amount)


def ambiguous(shop: Shop) -> None:
    order = shop.order((1, 2))
    for partner in shop.partners(2):
        shop.report(order, partner=partner)
    shop.give_back(order, order.items[0])


def baseline_conflict(shop: Shop) -> None:
    order = shop.place((shop.item(2), shop.item(1)), shop.random.uniform(10, 50))
    shop.report(order)
    item = order.items[0]
    shop.give_back(order, item, ordered_quantity=item.quantity + 3, ordered_amount=item.amount)


def other_currency(shop: Shop) -> None:
    order = shop.order((1, 2))
    shop.report(order)
    shop.give_back(order, order.items[0], currency="EUR")


def long_ago(shop: Shop) -> None:
    """Ordered before the time that impact.com lists (reference §2.3)."""
    order = shop.order((1, 2), age=(_YEARS_AGO, _YEARS_AGO + 200))
    item = order.items[0]
    shop.give_back(order, item, ordered_quantity=item.quantity, ordered_amount=item.amount)


# Several actions of one order that are no riddle


def split_by_sku(shop: Shop) -> None:
    order = shop.order((2, 4))
    one, other = shop.partners(2)
    shop.report(order, order.items[:1], partner=one)
    shop.report(order, order.items[1:], partner=other)
    shop.give_back(order, order.items[0])


def two_trackers(shop: Shop) -> None:
    order = shop.order((1, 2))
    shop.report(order)
    shop.report(order, ActionTrackerId="2241", ActionTrackerName="New Customer Sale")
    shop.give_back(order, order.items[0])


def reattributed(shop: Shop) -> None:
    order = shop.order((1, 3), age=(8, 45))
    one, other = shop.partners(2)
    first = shop.report(order, partner=one)
    settle_by_hand(first, [0] * len(order.items), order.at + timedelta(days=4))
    shop.report(order, partner=other, CreationDate=stamp(order.at + timedelta(days=4, minutes=5)))
    shop.give_back(order, order.items[0])


# What impact.com refuses, and what it does not know yet


def refused(shop: Shop) -> None:
    order = shop.order((1, 2))
    shop.report(order, _refuse=_REFUSAL)
    shop.give_back(order, order.items[0])


def reported_later(shop: Shop) -> None:
    order = shop.order((1, 2), age=(4, 10))
    appears = shop.now + timedelta(days=shop.random.uniform(1, 3))
    shop.report(order, CreationDate=stamp(appears), _visible_from=stamp(appears))
    shop.give_back(order, order.items[0])


def other_offset(shop: Shop) -> None:
    """An action whose dates carry another offset than the account's zone has in summer."""
    order = shop.order((1, 2))
    action = shop.report(order)
    pacific = timezone(timedelta(hours=-8))
    for name in ("ReferringDate", "EventDate", "CreationDate", "LockingDate"):
        action[name] = stamp(shop.moment(action[name]), pacific)
    shop.give_back(order, order.items[0])
