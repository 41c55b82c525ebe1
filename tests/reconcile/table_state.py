"""More rows of the decision table: which action, what it should hold, and what it held at first."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from reconcile_makers import (
    RULES,
    action,
    cancellation,
    item,
    line,
    money,
    plan,
)
from table import (
    DESIRED,
    FINDING,
    ORDERWISE,
    ORIGINALS,
    rule,
)

from clawback.reconcile.facts import (
    Action,
    Desired,
    Item,
    ItemTarget,
    Normalise,
    Source,
)
from clawback.reconcile.originals import UpdateRow, items_from_updates, merge_items
from clawback.reconcile.outcomes import Outcome, combine
from clawback.reconcile.resolve import normalise

HALF = Desired(items=(ItemTarget("A", 1, money(50)),))
BORN = datetime(2026, 10, 1, tzinfo=UTC)
ALIKE = Normalise(trim=True, case="upper", prefix="web-")

# --- Finding the action ---------------------------------------------------------------------

rule(
    FINDING,
    "order id normalised",
    "the warehouse's ` Web-1001 `, impact.com's `1001`; trim, upper case, prefix web-",
    "they are the same order",
    lambda: (normalise(" Web-1001 ", ALIKE), normalise("1001", ALIKE)),
    "1001",
    "1001",
)
rule(
    FINDING,
    "ids cut to a pattern",
    "`2026/1001-A`, the pattern takes the digits after the slash; `1001` does not match it",
    "the group is the id; what does not match stays as it is",
    lambda: tuple(normalise(x, Normalise(pattern=r"/(\d+)")) for x in ("2026/1001-A", "1001")),
    "1001",
    "1001",
)
rule(
    FINDING,
    "ids are compared as they are",
    "warehouse SKU `a`, impact.com's `A`; nothing configured",
    "they differ",
    lambda: plan([line(1, "a")], action(item())),
    "line 1 held/unknown_sku",
)
rule(
    FINDING,
    "actions of other trackers do not confuse",
    "two live actions with the same SKU, one of a tracker that the program does not name",
    "the program's own",
    lambda: plan(
        [line()],
        action(item(), id="a"),
        action(item(), id="b", tracker_id="T2"),
        rules=replace(RULES, trackers=frozenset({"T1"})),
    ),
    "line 1 planned",
    "change A:1/50",
)
rule(
    FINDING,
    "one line, several actions, several outcomes",
    "on one action the line is held, on another planned",
    "the line as such is held: of rejected, held, planned, pending, locked, confirmed, "
    "already_settled the first",
    lambda: (combine([Outcome.PLANNED, Outcome.HELD]).value,),
    "held",
)

# --- Desired state --------------------------------------------------------------------------

rule(
    DESIRED,
    "half a cent is rounded to even, down",
    "1 of 2 units of 0.25 in all: 0.125 would be left",
    "0.12",
    lambda: plan([line()], action(item("A", 2, "0.25"))),
    "line 1 planned",
    "change A:1/0.12",
)
rule(
    DESIRED,
    "half a cent is rounded to even, up",
    "1 of 2 units of 0.35 in all: 0.175 would be left",
    "0.18",
    lambda: plan([line()], action(item("A", 2, "0.35"))),
    "line 1 planned",
    "change A:1/0.18",
)
rule(
    DESIRED,
    "partial return without amount",
    "1 of 4 units of 100 back, no amount",
    "in proportion to units",
    lambda: plan([line()], action(item("A", 4))),
    "line 1 planned",
    "change A:3/75",
)
rule(
    DESIRED,
    "every unit back for less than was paid",
    "both units back, 80 of 100 refunded (a restocking fee)",
    "the goods came back, so nothing is left: reversed",
    lambda: plan([line(1, "A", 2, 80)], action(item())),
    "line 1 planned",
    "change reverse",
)
rule(
    DESIRED,
    "a wider tolerance",
    "tolerance_units: 5; the action stands five cents above desired",
    "settled",
    lambda: plan(
        [line(1, "A", 1, 50)],
        action(item(now=(1, "50.05"))),
        rules=replace(RULES, tolerance_units=5),
    ),
    "line 1 already_settled",
)
rule(
    DESIRED,
    "tracking: auto, placeholder by name",
    "the only item is `ORDER`, which the program lists as placeholder; 30 of 100 back",
    "the order's amount: 70",
    lambda: plan(
        [line(1, "A", 1, 30)],
        action(item("ORDER", 1)),
        rules=replace(RULES, placeholder_skus=frozenset({"ORDER"})),
    ),
    "line 1 planned",
    "change amount=70",
)
rule(
    DESIRED,
    "tracking: auto, a strange SKU is no placeholder",
    "the only item is `ORDER`, which nothing lists; 30 of 100 back",
    "an item like any other, and not the line's: held",
    lambda: plan([line(1, "A", 1, 30)], action(item("ORDER", 1))),
    "line 1 held/unknown_sku",
)
rule(
    DESIRED,
    "tracking: order",
    "an action with items; 30 of 100 back",
    "the items do not matter, the order's amount does: 70",
    lambda: plan([line(1, "A", 1, 30)], action(item()), rules=ORDERWISE),
    "line 1 planned",
    "change amount=70",
)
rule(
    DESIRED,
    "tracking: items",
    "an action whose only item has an empty SKU; 30 of 100 back",
    "the program counts on items: held, the amount is not touched",
    lambda: plan(
        [line(1, "A", 1, 30)], action(item("", 1)), rules=replace(RULES, tracking="items")
    ),
    "line 1 held/unknown_sku",
)
rule(
    DESIRED,
    "tracking: items, cancelled",
    "as above, and the order is cancelled",
    "reversed",
    lambda: plan([cancellation()], action(item("", 1)), rules=replace(RULES, tracking="items")),
    "line 1 planned",
    "change reverse",
)

# --- Originals ------------------------------------------------------------------------------


def row(n: int, quantity: int | None, amount: object, hours: int = 0, sku: str = "A") -> UpdateRow:
    """Update number `n` of an action, `hours` after its CreationDate."""
    why = "ORDER_UPDATE" if hours else "IR_BLANK"
    value, at = Decimal(str(amount)), BORN + timedelta(hours=hours)
    return UpdateRow(f"1.2.3.{n}", sku, quantity, value, value / 10, why, at)


def rebuilt(amount_now: int, *rows: UpdateRow) -> tuple[str, ...]:
    """Each item's originals, and what must be read before the items are known."""
    made = items_from_updates(rows, money(amount_now), BORN)
    items = [f"{i.sku} {i.original_quantity} for {i.original_amount}" for i in made.items]
    read = "" if made.adds_up and not made.unknown else "read the items"
    return (*items, *filter(None, [read]), f"{made.modifications} modifications")


rule(
    ORIGINALS,
    "creation record",
    "the earliest update of ActionId and SKU stands at CreationDate",
    "it tells the original quantity and amount",
    lambda: rebuilt(100, row(1, 2, 100)),
    "A 2 for 100",
    "0 modifications",
)
rule(
    ORIGINALS,
    "modified since",
    "a creation record of 2 for 100, a modification by -50 two hours later",
    "the original is known; the present quantity is read from the items",
    lambda: rebuilt(50, row(2, 1, -50, 2), row(1, 2, 100)),
    "A 2 for 100",
    "read the items",
    "1 modifications",
)
rule(
    ORIGINALS,
    "deltas that do not add up",
    "the updates sum up to 100, the action's Amount is 90",
    "an update is missing: the items are read",
    lambda: rebuilt(90, row(1, 2, 100)),
    "A 2 for 100",
    "read the items",
    "0 modifications",
)
rule(
    ORIGINALS,
    "no creation record",
    "the earliest update is later than CreationDate",
    "it tells nothing of the original",
    lambda: rebuilt(50, row(1, 1, 50, 3)),
    "A None for None",
    "read the items",
    "1 modifications",
)


def kept() -> tuple[str, ...]:
    listed = [Item("A", 1, money(50), None, None, touched=True)]
    (merged,) = merge_items([item()], listed)
    return (f"now {merged.quantity}, first {merged.original_quantity}", str(merged.source))


rule(
    ORIGINALS,
    "known originals are kept",
    "created with 2; a later listing shows 1",
    "1 now, 2 at first",
    kept,
    "now 1, first 2",
    Source.CREATION.value,
)


def first_sight() -> tuple[str, ...]:
    (first,) = merge_items([], [Item("A", 2, money(100), None, None)])
    (later,) = merge_items([first], [Item("A", 1, money(50), None, None, touched=True)])
    return (f"now {later.quantity}, first {later.original_quantity}", str(later.source))


rule(
    ORIGINALS,
    "first sight of an untouched item",
    "no creation record; the ledger first saw 2 untouched, later 1",
    "what it first saw is the original, where the warehouse knows no better",
    first_sight,
    "now 1, first 2",
    Source.FIRST_SIGHT.value,
)


def lowered_by_us() -> tuple[str, ...]:
    (first,) = merge_items([], [Item("A", 2, money(100), None, None)])
    listed = [Item("A", 1, money(50), None, None, touched=True)]
    (later,) = merge_items([first], listed, ours=True)
    return (f"now {later.quantity}, first {later.original_quantity}", str(later.source))


rule(
    ORIGINALS,
    "an untouched item that we lowered",
    "no creation record; 2 untouched, then our own change to 1",
    "the original stays what our change was made from",
    lowered_by_us,
    "now 1, first 2",
    Source.UNTOUCHED.value,
)
rule(
    ORIGINALS,
    "the warehouse contradicts itself",
    "one line says 2 were ordered, another 3",
    "held",
    lambda: plan([line(1, ordered_quantity=2), line(2, ordered_quantity=3)], action(item())),
    "line 1 held/baseline_unknown",
    "line 2 held/baseline_unknown",
)


def told_of(ordered: str, held: Action) -> tuple[str, ...]:
    """What the verdict of one line says, which gives this ordered amount of 2 units."""
    given = line(1, "A", 1, 50, ordered_quantity=2, ordered_amount=money(ordered))
    return tuple(f"{v.outcome.value}: {v.note}" for v in plan([given], held).verdicts)


rule(
    ORIGINALS,
    "amounts that differ are told with the line",
    "created for 100, the warehouse says 119; then the same where our change has settled it",
    "the note stands with the line, whether or not a change is due",
    lambda: (
        *told_of("119", action(item())),
        *told_of("119", action(item(now=(1, 50)), settled_by_us=HALF)),
    ),
    "planned: A: impact.com recorded 100, the warehouse 119; their basis may differ (tax, "
    "shipping, discount)",
    "already_settled: A: impact.com recorded 100, the warehouse 119; their basis may differ (tax, "
    "shipping, discount)",
)
