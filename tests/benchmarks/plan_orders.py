"""How long planning an order takes: `python tests/benchmarks/plan_orders.py [ORDERS [REPEATS]]`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from statistics import mean, stdev
from time import process_time

from clawback.reconcile.facts import (
    Action,
    ActionState,
    Item,
    Kind,
    Learned,
    Line,
    LineKey,
    Order,
    Rules,
    Source,
)
from clawback.reconcile.plan import plan_order

NOW = datetime(2026, 11, 23, tzinfo=UTC)
RULES = Rules(account="IRbench", currency="USD")


def order(n: int, *, attributed: bool = True, sold: int = 2, returned: int = 1) -> Order:
    """An order of two items, of which one came back."""
    oid = f"O{n}"
    line = Line(
        id=n,
        key=LineKey(oid, f"R{n}", "A"),
        kind=Kind.RETURN,
        quantity=returned,
        amount=Decimal("20.00"),
        currency="USD",
        reason="returned",
        returned_at=NOW - timedelta(days=3),
        ordered_quantity=sold,
        ordered_amount=Decimal("40.00"),
    )
    if not attributed:
        return Order(oid, (line,))
    items = (
        Item("A", sold, Decimal("40.00"), sold, Decimal("40.00"), Source.CREATION),
        Item("B", 1, Decimal("19.99"), 1, Decimal("19.99"), Source.CREATION),
    )
    action = Action(
        id=f"1000.4636.{n}",
        tracker_id="2240",
        partner_id="10001",
        state=ActionState.PENDING,
        amount=Decimal("59.99"),
        payout=Decimal("6.00"),
        currency="USD",
        created_at=NOW - timedelta(days=20),
        locking_at=NOW + timedelta(days=20),
        items=items,
        original_amount=Decimal("59.99"),
        original_payout=Decimal("6.00"),
    )
    return Order(oid, (line,), (action,))


CASES: dict[str, Callable[[int], Order]] = {
    "partial return, two items": order,
    "one item gone": lambda n: order(n, sold=1),
    "not attributed": lambda n: order(n, attributed=False),
}


def measure(make: Callable[[int], Order], count: int, repeats: int) -> list[float]:
    """Microseconds of processor time per order, once for each repeat."""
    orders = [make(n) for n in range(count)]
    learned = Learned()
    found = []
    for _ in range(repeats):
        start = process_time()
        for each in orders:
            plan_order(each, RULES, learned, NOW)
        found.append((process_time() - start) / count * 1e6)
    return found


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    repeats = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    sys.stdout.write(f"{count} orders, {repeats} repeats, µs of processor time an order\n")
    for name, make in CASES.items():
        found = measure(make, count, repeats)
        spread = stdev(found) if len(found) > 1 else 0.0
        sys.stdout.write(
            f"{name:28} best {min(found):6.1f}  mean {mean(found):6.1f} ± {spread:.1f}\n"
        )


if __name__ == "__main__":
    main()
