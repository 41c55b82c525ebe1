"""More stories of the seeded world: rows that count nothing, and rows that break the contract."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from clawback.sandbox.seed_shop import Shop, changed


def superseded(shop: Shop) -> None:
    order = shop.place((shop.item(3), shop.item(1)), shop.random.uniform(10, 50))
    shop.report(order)
    row = shop.give_back(order, order.items[0], quantity=2)
    older = row["updated_at"] - timedelta(hours=shop.random.randint(1, 9))
    one = order.items[0].part(1)
    shop.returns.append(changed(row, quantity=1, amount=one, updated_at=older, returned_at=older))


def voided(shop: Shop) -> None:
    order = shop.order((1, 2))
    shop.report(order)
    shop.give_back(order, order.items[0], voided=True)


def withdrawn(shop: Shop) -> None:
    """A return that was booked and taken back: the newer row voids the older."""
    order = shop.order((1, 2))
    shop.report(order)
    row = shop.give_back(order, order.items[0])
    older = row["updated_at"] - timedelta(hours=shop.random.randint(1, 9))
    row["returned_at"] = older
    shop.returns.append(changed(row, updated_at=older))
    row["voided"] = True


def exchanged(shop: Shop) -> None:
    order = shop.order((1, 2))
    shop.report(order)
    reason = shop.random.choice(("exchange", "replacement"))
    shop.give_back(order, order.items[0], reason=reason)


def _broken(shop: Shop, **given: object) -> None:
    order = shop.order((1, 2))
    shop.report(order)
    shop.give_back(order, order.items[0], **{"quantity": 1, **given})


def shipping_refund(shop: Shop) -> None:
    _broken(shop, sku="", quantity=None, amount=None, reason="shipping")


def negative_quantity(shop: Shop) -> None:
    _broken(shop, quantity=-1, amount=Decimal("-19.99"))


def fractional_quantity(shop: Shop) -> None:
    _broken(shop, quantity=0.5, amount=Decimal("9.99"))


def unknown_kind(shop: Shop) -> None:
    _broken(shop, kind="refund", returned_at=None)


def two_stories(shop: Shop) -> None:
    """Two rows with one key and one time that say different things."""
    order = shop.place((shop.item(3),), shop.random.uniform(10, 50))
    shop.report(order)
    row = shop.give_back(order, order.items[0], quantity=1)
    shop.returns.append(changed(row, quantity=2, amount=order.items[0].part(2)))


def no_order(shop: Shop) -> None:
    order = shop.order((1, 1))
    row = shop.give_back(order, order.items[0])
    row["order_id"] = None
    shop.expectations[""] = shop.expectations.pop(order.id)
