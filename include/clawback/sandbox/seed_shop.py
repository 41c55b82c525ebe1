"""The shop of the seeded world: its catalogue, partners and orders, drawn from one generator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from clawback.money import quantize
from clawback.sandbox.seed_actions import Conversion, Partner, action_of

CURRENCY = "USD"
DAYS = 60
"""Orders lie in so many days up to now."""
RECENT = timedelta(days=29)
"""Return rows were updated within this time before now."""
_QUIET = timedelta(hours=2)
_WITHOUT_SALE = 0.05
_WITHOUT_AMOUNT = 0.1
"""Shares of the rows that do not say what was sold, and what was refunded."""
_GOODS = (
    ("Trail Shoe", "Footwear", "89.95"),
    ("Rain Jacket", "Outerwear", "129.00"),
    ("Merino Tee", "Apparel", "44.50"),
    ("Wool Sock", "Apparel", "12.90"),
    ("Daypack", "Bags", "74.99"),
    ("Water Bottle", "Accessories", "19.27"),
    ("Head Lamp", "Accessories", "38.40"),
    ("Down Vest", "Outerwear", "149.00"),
    ("Climbing Rope", "Gear", "164.95"),
    ("Tennis Balls", "Sports", "7.49"),
    ("Yoga Mat", "Sports", "29.99"),
    ("Camp Stove", "Gear", "58.75"),
)
_SIZES = ("XS", "S", "M", "L", "XL", "2XL", "One Size", "Long")
_PARTNERS = (
    ("10001", "Gear Review Weekly", "0.05"),
    ("10002", "Voucher Corner", "0.03"),
    ("10003", "Summit Stories", "0.08"),
    ("10004", "Loyalty Club", "0.04"),
    ("10005", "Outdoor Deals", "0.06"),
    ("10006", "The Packing List", "0.12"),
)
_REASONS = ("too_small", "too_large", "changed_mind", "damaged", "late", "not_as_described")


@dataclass(frozen=True, slots=True)
class Item:
    """A line of an order; `amount` is its total in the account's currency, net of tax."""

    sku: str
    name: str
    category: str
    quantity: int
    amount: Decimal

    def part(self, quantity: int) -> Decimal:
        """What so many of its units were sold for."""
        return quantize(self.amount * quantity / self.quantity, CURRENCY)


@dataclass(frozen=True, slots=True)
class Order:
    """An order of the shop."""

    id: str
    at: datetime
    items: tuple[Item, ...]

    @property
    def amount(self) -> Decimal:
        return sum((item.amount for item in self.items), Decimal(0))


@dataclass(slots=True)
class Shop:
    """Everything that happened, and the one source of chance that it is drawn from."""

    random: Random
    now: datetime
    actions: list[dict[str, Any]] = field(default_factory=list)
    returns: list[dict[str, Any]] = field(default_factory=list)
    expectations: dict[str, str] = field(default_factory=dict)
    scenario: str = ""
    _numbers: dict[str, int] = field(default_factory=dict)

    def number(self, kind: str, first: int) -> int:
        """The next number of a kind, counted from `first`."""
        self._numbers[kind] = self._numbers.get(kind, first - 1) + 1
        return self._numbers[kind]

    # Orders

    def order(
        self, lines: tuple[int, int] = (1, 4), units: int = 4, age: tuple[float, float] = (4, 56)
    ) -> Order:
        """A new order of some lines of at most so many units, placed so many days ago."""
        draw = self.random
        skus = draw.sample(range(len(_GOODS) * len(_SIZES)), draw.randint(*lines))
        items = tuple(self._item(sku, draw.choice((1, 1, 1, 2, 2, 3, 4)), units) for sku in skus)
        return self.place(items, draw.uniform(*age))

    def place(self, items: tuple[Item, ...], days_ago: float) -> Order:
        at = (self.now - timedelta(days=days_ago)).replace(microsecond=0)
        placed = Order(f"SO-{self.number('order', 100001)}", at, items)
        self.expectations[placed.id] = self.scenario
        return placed

    def item(self, quantity: int) -> Item:
        """A line of exactly so many units."""
        return self._item(self.random.randrange(len(_GOODS) * len(_SIZES)), quantity, quantity)

    def _item(self, at: int, quantity: int, most: int) -> Item:
        name, category, price = _GOODS[at // len(_SIZES)]
        size = _SIZES[at % len(_SIZES)]
        units = min(quantity, most)
        discount = self.random.choice(("1", "1", "1", "0.9", "0.85", "0.8"))
        amount = quantize(Decimal(price) * units * Decimal(discount), CURRENCY)
        return Item(f"AC-{10100 + at * 7}", f"{name} {size}", category, units, amount)

    # What impact.com knows of it

    def report(
        self,
        order: Order,
        items: tuple[Item, ...] | None = None,
        *,
        partner: Partner | None = None,
        lock_days: int | None = None,
        **extra: Any,
    ) -> dict[str, Any]:
        """A partner drove the order: its action, which is not locked yet unless asked for.

        `extra` goes into the action as it is, extension keys included.
        """
        if lock_days is None:
            age = (self.now - order.at).days
            lock_days = self.random.randint(max(30, age + 2), 60)
        at = order.at + timedelta(days=self.random.choice((0, 0, 0, 0, 0, 1, 2)))
        sale = Conversion(
            number=self.number("action", 158133),
            order_id=order.id,
            at=min(at, self.now - _QUIET),
            items=order.items if items is None else items,
            partner=partner or self.partner(),
            lock_days=lock_days,
        )
        made = action_of(sale, self.random)
        made.update(extra)
        self.actions.append(made)
        return made

    def partner(self) -> Partner:
        number, name, rate = self.random.choice(_PARTNERS)
        return Partner(number, name, Decimal(rate))

    def partners(self, count: int) -> list[Partner]:
        """So many partners, all different."""
        return [Partner(n, m, Decimal(r)) for n, m, r in self.random.sample(_PARTNERS, count)]

    # What the warehouse says came back

    def give_back(self, order: Order, item: Item | None, **given: Any) -> dict[str, Any]:
        """A row of the warehouse: a unit of `item` came back, unless `given` says otherwise.

        An `amount` in `given` needs its `quantity` there too.
        """
        updated = self.moment_after(order.at + timedelta(days=1))
        row: dict[str, Any] = {
            "return_id": f"RMA-{self.number('return', 500001)}",
            "order_id": order.id,
            "sku": item.sku if item else "",
            "kind": "return",
            "quantity": None,
            "amount": None,
            "currency": CURRENCY,
            "reason": self.random.choice(_REASONS),
            "returned_at": updated - timedelta(minutes=self.random.randint(1, 600)),
            "updated_at": updated,
            "ordered_at": order.at,
            "ordered_quantity": item.quantity if item else None,
            "ordered_amount": item.amount if item else order.amount,
            "voided": False,
            "parent_sku": None,
        }
        unknown = self.random.random() < _WITHOUT_SALE and "ordered_quantity" not in given
        if unknown:
            row.update(ordered_quantity=None, ordered_amount=None)
        if item and given.get("kind", "return") == "return" and "amount" not in given:
            units = given.setdefault("quantity", 1)
            known = self.random.random() >= _WITHOUT_AMOUNT
            row["amount"] = item.part(units) if known else None
        row.update(given)
        self.returns.append(row)
        return row

    def moment_after(self, earliest: datetime) -> datetime:
        """A time after `earliest`, recent and past."""
        first = max(earliest, self.now - RECENT)
        last = self.now - _QUIET
        return (first + (last - first) * self.random.random()).replace(microsecond=0)

    @staticmethod
    def moment(text: str) -> datetime:
        """A time as the API writes it."""
        return datetime.fromisoformat(text)


def changed(row: Mapping[str, Any], **given: Any) -> dict[str, Any]:
    """A copy of a row with some columns changed."""
    return {**row, **given}
