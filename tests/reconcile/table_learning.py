"""More rows of the decision table: what an account is seen to honour."""

from __future__ import annotations

from decimal import Decimal

from reconcile_makers import (
    UNKNOWN,
    item,
    money,
)
from table import (
    HELD,
    LEARNING,
    ONE,
    rule,
    seen,
)

from clawback.reconcile.evidence import learn
from clawback.reconcile.facts import (
    Desired,
    Item,
    ItemTarget,
    Learned,
    Request,
    Verb,
)
from clawback.reconcile.shapes import canary_requests, requests_for

# --- Learning -------------------------------------------------------------------------------

CENT = Decimal("0.01")
TWO_EVEN = Desired(items=(ItemTarget("A", 1, money(50)), ItemTarget("B", 1, money(100))))
UNEVEN = Desired(items=(ItemTarget("A", 1, money(50)), ItemTarget("B", 1, money(30))))
FOLLOWING = Learned(amount_follows_quantity=True)


def learned(sent: tuple[Request, ...], *after: Item) -> tuple[str, ...]:
    """What is known of the account afterwards."""
    found = learn(UNKNOWN, sent, HELD, seen(*after), CENT)
    names = ("amount_follows_quantity", "indexed_items", "indexed_amounts", "indexed_proportional")
    return tuple(f"{name} {value}" for name in names if (value := getattr(found, name)) is not None)


def canary(desired: Desired) -> tuple[Request, ...]:
    return canary_requests(desired, "1.2.3", "ORDER_UPDATE", Verb.MODIFY, HELD)


def alone() -> tuple[Request, ...]:
    """A quantity without its amount."""
    return requests_for(ONE, "1.2.3", "ORDER_UPDATE", Verb.MODIFY, FOLLOWING, HELD)


rule(
    LEARNING,
    "the amount follows the quantity",
    "quantity 1 of 2 sent alone; the item holds 1 for 50 of 100",
    "learned: amounts may be left out where they are in proportion",
    lambda: learned(alone(), item(now=(1, 50))),
    "amount_follows_quantity True",
)
rule(
    LEARNING,
    "the amount does not follow",
    "quantity 1 of 2 sent alone; the item holds 1 for 100",
    "learned: amounts are always sent",
    lambda: learned(alone(), item(now=(1, 100))),
    "amount_follows_quantity False",
)
rule(
    LEARNING,
    "indexed items and amounts are honoured",
    "two items in one request; both hold what was sent",
    "learned: changes are merged",
    lambda: learned(canary(UNEVEN), item(now=(1, 50)), item("B", now=(1, 30))),
    "indexed_items True",
    "indexed_amounts True",
)
rule(
    LEARNING,
    "indexed items are ignored",
    "two items in one request; the second did not move",
    "learned: one request each",
    lambda: learned(canary(UNEVEN), item(now=(1, 50)), item("B")),
    "indexed_items False",
)
rule(
    LEARNING,
    "indexed amounts are ignored",
    "two items in one request; the second has the quantity sent and its old amount",
    "learned: only quantities are merged, and the amount does not follow them",
    lambda: learned(canary(UNEVEN), item(now=(1, 50)), item("B", now=(1, 200))),
    "amount_follows_quantity False",
    "indexed_items True",
    "indexed_amounts False",
)
rule(
    LEARNING,
    "what cannot be told apart stays unknown",
    "two items in proportion in one request; both hold what was sent",
    "learned for amounts in proportion only",
    lambda: learned(canary(TWO_EVEN), item(now=(1, 50)), item("B", now=(1, 100))),
    "indexed_items True",
    "indexed_proportional True",
)
