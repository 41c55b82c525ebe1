"""More rows of the decision table: what rules say of ids, codes, learning, time and listings."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from reconcile_makers import (
    NOW,
    RULES,
    UNKNOWN,
    action,
    cancellation,
    item,
    line,
    money,
    plan,
)
from table import (
    CASES,
    CHANGE,
    DECISIONS,
    DESIRED,
    FINDING,
    HELD,
    ONE,
    ORDERWISE,
    ORIGINALS,
    PROOF,
    REQUESTS,
    WITHDRAWN,
    codes,
    judged,
    rule,
    seen,
)

from clawback.impact.windows import Span, halve, merge_windows
from clawback.program import Program
from clawback.reconcile.evidence import learn, share_payout
from clawback.reconcile.facts import (
    Codes,
    Desired,
    Item,
    ItemTarget,
    Learned,
    Line,
    Normalise,
    OrderPlan,
    Request,
    Source,
    Verb,
)
from clawback.reconcile.forecast import AtStake, locking_soon
from clawback.reconcile.originals import UpdateRow, items_from_updates, merge_items
from clawback.reconcile.outcomes import Outcome, combine
from clawback.reconcile.reasons import check_codes
from clawback.reconcile.resolve import normalise
from clawback.reconcile.shapes import canary_requests, requests_for
from clawback.steps.scope import span_of
from clawback.warehouse.cells import moment

LEARNING = "Learning"
TIME = "Time"
LISTING = "Listing"
SECTIONS = (
    *(FINDING, DESIRED, ORIGINALS, WITHDRAWN, CHANGE, REQUESTS, PROOF, LEARNING, DECISIONS),
    *(TIME, LISTING, CASES),
)
"""The order in which the document shows them."""
ALIKE = Normalise(trim=True, case="upper", prefix="web-")
MAPPED = replace(RULES, reasons={"late": Codes("OTHER", "ORDER_ERROR")})
BERLIN = ZoneInfo("Europe/Berlin")
BORN = datetime(2026, 10, 1, tzinfo=UTC)

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
    return (f"now {later.quantity}, first {later.original_quantity}",)


rule(
    ORIGINALS,
    "first sight of an untouched item",
    "no creation record; the ledger first saw 2 untouched, later 1",
    "what it first saw is the original",
    first_sight,
    "now 1, first 2",
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

# --- Change or outcome ----------------------------------------------------------------------


def notes(made: OrderPlan) -> tuple[str, ...]:
    return tuple(v.note for v in made.verdicts)


rule(
    CHANGE,
    "lowered by someone else",
    "one unit taken off by hand; its return comes in",
    "settled, with a note",
    lambda: notes(plan([line()], action(item(now=(1, 50))))),
    "action 1.2.3 had been lowered by another hand; nothing was sent for this line",
)
rule(
    CHANGE,
    "lowered by us",
    "one unit taken off by our own change; its return is read again",
    "settled, nothing to note",
    lambda: notes(plan([line()], action(item(now=(1, 50)), settled_by_us=ONE))),
    "",
)
rule(
    CHANGE,
    "locked, and the date moves",
    "a line that was locked; the LockingDate is now a week ahead",
    "it is looked at again",
    lambda: plan([line()], action(item(), locking_at=NOW + timedelta(days=7))),
    "line 1 planned",
    "change A:1/50",
)


def forecast() -> tuple[str, ...]:
    soon, later = NOW + timedelta(days=1), NOW + timedelta(days=9)
    rows = [
        AtStake(Outcome.HELD, soon, money(4), "USD"),
        AtStake(Outcome.PLANNED, soon, money(3), "USD"),
        AtStake(Outcome.CONFIRMED, soon, money(2), "USD"),
        AtStake(Outcome.HELD, later, money(1), "USD"),
    ]
    days = locking_soon(rows, NOW, timedelta(days=7))
    return tuple(f"{d.day}: {d.lines} lines, {d.payout} {d.currency}" for d in days)


rule(
    CHANGE,
    "what will lock soon",
    "lines held, planned and confirmed whose action locks tomorrow, one that locks in nine days; "
    "a forecast of seven days",
    "the unsettled ones, in money",
    forecast,
    "2026-11-24: 2 lines, 7 USD",
)
rule(
    CHANGE,
    "a change keeps its identity",
    "the same order planned twice",
    "the same change",
    lambda: (str(identity_of(0) == identity_of(0)),),
    "True",
)
rule(
    CHANGE,
    "a legitimate repeat is a new change",
    "the same desired state after the action has moved (another generation)",
    "another change",
    lambda: (str(identity_of(0) == identity_of(1)),),
    "False",
)


def identity_of(generation: int) -> str:
    return plan([line()], action(item(), generation=generation)).changes[0].identity


rule(
    CHANGE,
    "a reason has a code for each verb",
    "`late` is OTHER for PUT and ORDER_ERROR for DELETE; an order's amount lowered, then all back",
    "OTHER, then ORDER_ERROR",
    lambda: (
        *codes("codes_unmapped", plan([late(30)], action(amount=100), rules=MAPPED)),
        *codes("codes_unmapped", plan([late(100)], action(amount=100), rules=MAPPED)),
    ),
    "OTHER",
    "ORDER_ERROR",
)


def late(amount: int) -> Line:
    return line(1, "A", 1, amount, reason="late")


def refused(modify: str, reverse: str, *custom: str) -> tuple[str, ...]:
    """What a program file is told of a mapping of `late`; nothing if it is well."""
    try:
        check_codes("late", Codes(modify, reverse), custom)
    except ValueError as error:
        return (str(error).partition("; ")[0],)
    return ("accepted",)


rule(
    CHANGE,
    "a code that the verb does not take",
    "`late` mapped to ORDER_UPDATE for DELETE (a PUT reason)",
    "the program does not load",
    lambda: refused("ORDER_UPDATE", "ORDER_UPDATE"),
    "reason 'late': impact.com knows no code 'ORDER_UPDATE' for reverse",
)
rule(
    CHANGE,
    "RESET and APPROVED",
    "`late` mapped to RESET; to APPROVED, even listed as the account's own",
    "the program does not load",
    lambda: refused("RESET", "OTHER") + refused("OTHER", "APPROVED", "APPROVED"),
    "reason 'late': RESET undoes or approves an action and cannot come from a mapping",
    "reason 'late': APPROVED undoes or approves an action and cannot come from a mapping",
)
rule(
    CHANGE,
    "the account's custom codes",
    "`late` mapped to OURS, which the program lists",
    "accepted",
    lambda: refused("OURS", "OURS", "OURS"),
    "accepted",
)
rule(
    CHANGE,
    "a change of several requests near the limit",
    "998 modifications, a change of two items that needs two requests",
    "held before the thousandth",
    lambda: plan([line(), line(2, "B")], action(item(), item("B"), modifications=998)),
    "line 1 held/modification_limit",
    "line 2 held/modification_limit",
)
rule(
    CHANGE,
    "what rises is left out, the rest goes ahead",
    "1 of A and 1 of B back; A was lowered by hand to 1 for 40, B is untouched",
    "only B is named",
    lambda: plan([line(), line(2, "B")], action(item(now=(1, 40)), item("B"))),
    "line 1 already_settled",
    "line 2 planned",
    "change B:1/50",
)

# --- Proof ----------------------------------------------------------------------------------

rule(
    PROOF,
    "a cent above",
    "the item read after the write stands one cent above desired",
    "one minor unit is no difference: confirmed",
    lambda: judged(ONE, seen(item(now=(1, "50.01")), amount="150.01")),
    "confirmed",
)
rule(
    PROOF,
    "two cents above",
    "the item read after the write stands two cents above desired",
    "not reached",
    lambda: judged(ONE, seen(item(now=(1, "50.02")), amount="150.02")),
    "waiting",
)
rule(
    PROOF,
    "money read back is shared",
    "10.00 of payout read back for three lines of equal amount",
    "by amount, to the cent",
    lambda: tuple(str(x) for x in share_payout(money("10.00"), [money(1)] * 3, "USD")),
    "3.34",
    "3.33",
    "3.33",
)

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


# --- Time -----------------------------------------------------------------------------------


def read(text: str, zone: ZoneInfo = BERLIN) -> tuple[str, ...]:
    """A time of the warehouse as the rules see it."""
    return (f"{moment(text, zone):%Y-%m-%d %H:%M %Z}",)


rule(
    TIME,
    "a time without a zone",
    "`2026-11-23 00:30` in a program in Berlin",
    "the program's zone; inside it is UTC",
    lambda: read("2026-11-23 00:30"),
    "2026-11-22 23:30 UTC",
)
rule(
    TIME,
    "a time with a zone",
    "`2026-11-23T00:30-05:00` in the same program",
    "its own zone",
    lambda: read("2026-11-23T00:30-05:00"),
    "2026-11-23 05:30 UTC",
)
rule(
    TIME,
    "an hour that there is twice",
    "`2026-10-25 02:30` in Berlin, the night when summer time ends",
    "the first of the two",
    lambda: read("2026-10-25 02:30"),
    "2026-10-25 00:30 UTC",
)
rule(
    TIME,
    "an hour that there is not",
    "`2026-03-29 02:30` in Berlin, the night when summer time begins",
    "read with the offset before the change",
    lambda: read("2026-03-29 02:30"),
    "2026-03-29 01:30 UTC",
)
rule(
    TIME,
    "a leap day",
    "`2028-02-29 00:00` in UTC",
    "a day like any other",
    lambda: read("2028-02-29 00:00", ZoneInfo("UTC")),
    "2028-02-29 00:00 UTC",
)
rule(
    TIME,
    "two lines in the night when the clocks go back",
    "2:30 the first time (1 of A), 2:30 the second time (2 of A), of 2 sold",
    "they count in the order in which they happened",
    lambda: plan(
        [
            line(2, "A", 2, returned_at=datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=BERLIN)),
            line(1, "A", 1, returned_at=datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        ],
        action(item(), item("B")),
    ),
    "line 1 planned",
    "line 2 held/over_returned",
    "change A:1/50",
)

# --- Listing --------------------------------------------------------------------------------

PROGRAM = Program(name="rules", campaign_id="1", currency="USD")


def day(number: int, month: int = 10) -> datetime:
    return datetime(2026, month, number, tzinfo=UTC)


def days(*spans: Span) -> tuple[str, ...]:
    return tuple(f"{start:%m-%d} to {end:%m-%d}" for start, end in spans)


def windows(*spans: Span, covered: tuple[Span, ...] = ()) -> tuple[str, ...]:
    return days(*(w.span for w in merge_windows(spans, covered=covered)))


def around(ordered: datetime | None, returned: datetime) -> tuple[str, ...]:
    return days(span_of(PROGRAM, (ordered, ordered), (returned, returned), NOW))


rule(
    LISTING,
    "days that an order needs",
    "ordered on October 5, returned on October 30",
    "a day before the order to 14 days after it: conversions are also reported at shipment",
    lambda: around(day(5), day(30)),
    "10-04 to 10-19",
)
rule(
    LISTING,
    "days of an order without date",
    "no ordered_at, returned on October 30; lookback_days 90",
    "90 days back from the return",
    lambda: around(None, day(30)),
    "08-01 to 10-30",
)
rule(
    LISTING,
    "days that have not come yet",
    "ordered on November 20, now the 23rd",
    "up to now",
    lambda: around(day(20, 11), day(21, 11)),
    "11-19 to 11-23",
)
rule(
    LISTING,
    "fewest windows",
    "three orders in October and November, one of them in the middle",
    "one window of at most 44 days",
    lambda: windows((day(4), day(19)), (day(10), day(25)), (day(1, 11), day(16, 11))),
    "10-04 to 11-16",
)
rule(
    LISTING,
    "a window is no longer than 44 days",
    "from July 1 to October 1",
    "three windows",
    lambda: windows((day(1, 7), day(1))),
    "07-01 to 08-14",
    "08-14 to 09-27",
    "09-27 to 10-01",
)
rule(
    LISTING,
    "what was listed is not listed again",
    "October 4 to 19 needed, 1 to 10 covered",
    "the rest",
    lambda: windows((day(4), day(19)), covered=((day(1), day(10)),)),
    "10-10 to 10-19",
)
rule(
    LISTING,
    "a listing that is too long or fails",
    "October 1 to 11",
    "halved",
    lambda: days(*(w.span for w in halve(merge_windows([(day(1), day(11))])[0]))),
    "10-01 to 10-06",
    "10-06 to 10-11",
)
