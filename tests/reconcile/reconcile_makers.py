"""Short ways to say a line, an item, an action and an order, and to carry a plan out in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from quick_rows import agree

from clawback.money import ZERO, quantize
from clawback.reconcile.facts import (
    Action,
    ActionState,
    Desired,
    Item,
    ItemTarget,
    Kind,
    Learned,
    Line,
    LineKey,
    Order,
    OrderPlan,
    PlannedChange,
    Rules,
    Source,
)
from clawback.reconcile.plan import plan_order

NOW = datetime(2026, 11, 23, tzinfo=UTC)
RULES = Rules(account="IRtest", currency="USD")
ORDERWISE = replace(RULES, tracking="order")
ITEMWISE = replace(RULES, full_return="items")
UNKNOWN = Learned()
MERGING = Learned(amount_follows_quantity=None, indexed_items=True, indexed_amounts=True)

CENT = Decimal("0.01")
BORN = datetime(2026, 10, 1, tzinfo=UTC)
"""When an action was created."""
REVERSED = ActionState.REVERSED
GONE = Desired(reverse=True)
RESTORE = (
    "less came back than our confirmed change took off action 1.2.3, and a change never raises; "
    "run `clawback reset` for it, or answer ignore"
)
ANSWER = "correct the row in the warehouse, or answer ignore with clawback decide"


def money(text: str | float | Decimal) -> Decimal:
    return Decimal(str(text))


def line(
    n: int = 1, sku: str = "A", quantity: int | None = 1, amount: Any = None, **more: Any
) -> Line:
    """A return line number `n`, returned n hours into November 10."""
    values: dict[str, Any] = {
        "id": n,
        "key": LineKey("O1", more.pop("return_id", f"R{n}"), sku),
        "kind": Kind.RETURN,
        "quantity": quantity,
        "amount": None if amount is None else money(amount),
        "currency": "USD",
        "reason": "returned",
        "returned_at": datetime(2026, 11, 10, tzinfo=UTC) + timedelta(hours=n),
    }
    return Line(**values | more)


def adjustment(n: int = 1, sku: str = "A", amount: Any = 1, **more: Any) -> Line:
    return line(n, sku, None, amount, kind=Kind.ADJUSTMENT, **more)


def cancellation(n: int = 1, **more: Any) -> Line:
    return line(n, "", None, None, kind=Kind.CANCELLATION, **more)


def item(sku: str = "A", quantity: int = 2, amount: Any = 100, **more: Any) -> Item:
    """An item as it was created; say `now=(quantity, amount)` for one that was changed since."""
    now = more.pop("now", None)
    values: dict[str, Any] = {
        "sku": sku,
        "quantity": now[0] if now else quantity,
        "amount": money(now[1] if now else amount),
        "original_quantity": quantity,
        "original_amount": money(amount),
        "source": Source.CREATION,
        "touched": now is not None,
    }
    return Item(**values | more)


def unlisted(sku: str, quantity: int, amount: object) -> Item:
    """An item that was changed before it was first seen."""
    return Item(sku, quantity, money(str(amount)), None, None, touched=True)


def action(*items: Item, **more: Any) -> Action:
    """An action over `items`, 10 % commission, locking on December 10."""
    first = sum((i.original_amount or i.amount for i in items), ZERO)
    amount = more.pop("amount", None)
    amount = sum((i.amount for i in items), ZERO) if amount is None else money(amount)
    first = more.pop("original_amount", first if items else amount)
    values: dict[str, Any] = {
        "id": "1.2.3",
        "tracker_id": "T1",
        "partner_id": "P1",
        "state": ActionState.PENDING,
        "amount": amount,
        "payout": quantize(amount / 10, more.get("currency", "USD")),
        "currency": "USD",
        "created_at": datetime(2026, 10, 1, tzinfo=UTC),
        "locking_at": datetime(2026, 12, 10, tzinfo=UTC),
        "items": items,
        "original_amount": first,
        "original_payout": None if first is None else quantize(first / 10, "USD"),
    }
    return Action(**values | more)


def order(lines: list[Line], *actions: Action, **more: Any) -> Order:
    return Order("O1", tuple(lines), actions, **more)


def plan(
    lines: list[Line],
    *actions: Action,
    rules: Rules = RULES,
    learned: Learned = UNKNOWN,
    now: datetime = NOW,
    **more: Any,
) -> OrderPlan:
    """The plan of an order; where it may take the quick way, that must say the same."""
    asked = order(lines, *actions, **more)
    made = plan_order(asked, rules, learned, now)
    agree(asked, rules, now, made)
    return made


def said(made: OrderPlan) -> dict[int, str]:
    """Each line's outcome, with the hold after a slash; several actions joined by a comma."""
    told: dict[int, list[str]] = {}
    for verdict in made.verdicts:
        text = verdict.outcome.value + (f"/{verdict.hold.value}" if verdict.hold else "")
        told.setdefault(verdict.line_id, []).append(text)
    return {line_id: ",".join(texts) for line_id, texts in sorted(told.items())}


def wants(made: OrderPlan) -> list[str]:
    """Each change in words: `reverse`, `amount=9`, or `A:1/50 B:-/9.5` (quantity/amount)."""
    return [_wish(change.desired) for change in made.changes]


def _wish(desired: Desired) -> str:
    if desired.reverse:
        return "reverse"
    if desired.amount is not None:
        return f"amount={_short(desired.amount)}"
    return " ".join(
        f"{t.sku}:{'-' if t.quantity is None else t.quantity}/{_short(t.amount)}"
        for t in desired.items
    )


def _short(amount: Decimal | None) -> str:
    return "-" if amount is None else format(amount.normalize(), "f")


def apply(before: Action, change: PlannedChange, *, ours: bool = True) -> Action:
    """The action once impact.com has carried the change out."""
    desired = change.desired
    after = replace(
        before,
        generation=before.generation + 1,
        modifications=before.modifications + 1,
        settled_by_us=desired if ours else before.settled_by_us,
    )
    if desired.reverse:
        return replace(
            after,
            state=ActionState.REVERSED,
            amount=ZERO,
            payout=ZERO,
            items=tuple(replace(i, quantity=0, amount=ZERO, touched=True) for i in before.items),
        )
    if desired.amount is not None:
        return replace(after, amount=desired.amount, payout=change.expected_payout)
    targets = {target.sku: target for target in desired.items}
    items = tuple(_item_after(i, targets) for i in before.items)
    amount = sum((i.amount for i in items), ZERO)
    return replace(after, items=items, amount=amount, payout=change.expected_payout)


def _item_after(before: Item, targets: dict[str, Any]) -> Item:
    target = targets.get(before.sku)
    if target is None:
        return before
    return replace(
        before,
        quantity=before.quantity if target.quantity is None else target.quantity,
        amount=before.amount if target.amount is None else target.amount,
        touched=True,
    )


def told(made: OrderPlan) -> tuple[str, ...]:
    """A plan in words: each line's outcome, then each change."""
    lines = [f"line {line_id} {text}" for line_id, text in said(made).items()]
    return (*lines, *(f"change {wish}" for wish in wants(made)))


def forms(requests: tuple[Any, ...]) -> tuple[str, ...]:
    """Requests as their forms, without the ActionId that they all begin with."""
    return tuple(
        f"{r.verb.value} " + "&".join(f"{name}={value}" for name, value in r.form[1:])
        for r in requests
    )


SOLD = Desired(items=(ItemTarget("A", 1, money(50)),))
BEFORE = action(item(), item("B", 2, 80))
