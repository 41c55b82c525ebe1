"""The rules as a decision table: given, then. Each row is a test, and a line of docs/rules.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from reconcile_makers import (
    MERGING,
    NOW,
    RULES,
    UNKNOWN,
    action,
    adjustment,
    cancellation,
    forms,
    item,
    line,
    money,
    plan,
    told,
)

from clawback.reconcile.changes import identity
from clawback.reconcile.evidence import judge
from clawback.reconcile.facts import (
    ActionState,
    Codes,
    Decision,
    Desired,
    ItemTarget,
    Judgement,
    Learned,
    Normalise,
    Observed,
    OrderPlan,
    Reply,
    Source,
    Verb,
)
from clawback.reconcile.shapes import canary_requests, requests_for


@dataclass(frozen=True)
class Row:
    """One rule: in words what is given and what follows, and as data what must come out."""

    section: str
    rule: str
    given: str
    then: str
    run: Callable[[], tuple[str, ...]]
    expect: tuple[str, ...]


SPLIT = (
    action(item("A"), id="a", partner_id="P1"),
    action(item("B"), id="b", partner_id="P2"),
)
OVERRIDE = replace(RULES, unknown_sku="amount")
ITEMWISE = replace(RULES, full_return="items")
ORDERWISE = replace(RULES, tracking="order")
RATIO = replace(RULES, currency_rule="ratio")
DECIDE = "test"


def decide(verb: str, value: str = "") -> tuple[Decision, ...]:
    return (Decision(verb, value, "because", DECIDE),)


def unlisted(quantity: int, amount: str, **more: object) -> object:
    return item("A", quantity, amount, original_quantity=None, original_amount=None, **more)


def urgent(ahead: timedelta) -> tuple[str]:
    made = plan([line()], action(item(), locking_at=NOW + ahead))
    return (f"urgent {made.changes[0].urgent}",)


def codes(names: str, made: OrderPlan) -> tuple[str, ...]:
    """The code of the plan's change, and its `reasons` or `codes_unmapped`."""
    change = made.changes[0]
    return (change.reason, *getattr(change, names))


FINDING = "Finding the action"
DESIRED = "Desired state"
ORIGINALS = "Originals"
WITHDRAWN = "Withdrawals"
CHANGE = "Change or outcome"
REQUESTS = "Requests"
PROOF = "Proof"
DECISIONS = "Decisions"
CASES = "Cases"
LEARNING = "Learning"
TIME = "Time"
LISTING = "Listing"
SECTIONS = (
    *(FINDING, DESIRED, ORIGINALS, WITHDRAWN, CHANGE, REQUESTS, PROOF, LEARNING, DECISIONS),
    *(TIME, LISTING, CASES),
)
"""The order in which the document shows them."""

ROWS: list[Row] = []


def rule(
    section: str,
    name: str,
    given: str,
    then: str,
    run: Callable[[], object],
    *expect: str,
) -> None:
    """Add a row; `run` gives a plan, requests, or words."""

    def words() -> tuple[str, ...]:
        found = run()
        if isinstance(found, tuple) and not hasattr(found, "_fields"):
            return found if all(isinstance(x, str) for x in found) else forms(found)
        return told(found)  # type: ignore[arg-type]

    ROWS.append(Row(section, name, given, then, words, expect))


# --- Finding the action ---------------------------------------------------------------------

rule(
    FINDING,
    "no action, span listed",
    "an order without any action, its whole date span listed",
    "no partner was credited; the order stays watched",
    lambda: plan([line()]),
    "line 1 not_attributed",
)
rule(
    FINDING,
    "no action, span not listed",
    "an order without any action, days of its span not listed",
    "a missing action proves nothing",
    lambda: plan([line()], span_listed=False),
    "line 1 held/outside_lookback",
)
rule(
    FINDING,
    "one action",
    "one action carries the order id",
    "that one",
    lambda: plan([line()], action(item())),
    "line 1 planned",
    "change A:1/50",
)
rule(
    FINDING,
    "trackers of the program",
    "the only action belongs to an action tracker that the program does not name",
    "it is none of the program's",
    lambda: plan([line()], action(item()), rules=replace(RULES, trackers=frozenset({"T9"}))),
    "line 1 not_attributed",
)
rule(
    FINDING,
    "reattributed order",
    "an older action reversed by impact.com, a newer one pending with the same items",
    "the pending one",
    lambda: plan(
        [line()],
        action(item(now=(0, 0)), id="old", state=ActionState.REVERSED),
        action(item(), id="new", created_at=NOW - timedelta(days=9)),
    ),
    "line 1 planned",
    "change A:1/50",
)
rule(
    FINDING,
    "superseded action",
    "an older action emptied to nothing, a newer one with the same items",
    "the newer one",
    lambda: plan(
        [line()],
        action(item(now=(0, 0)), id="old", payout=Decimal(0)),
        action(item(), id="new", created_at=NOW - timedelta(days=9)),
    ),
    "line 1 planned",
    "change A:1/50",
)
rule(
    FINDING,
    "different action trackers",
    "a sale and a second event type, both with the item",
    "each action gets its own change",
    lambda: plan([line()], action(item(), id="a"), action(item(), id="b", tracker_id="T2")),
    "line 1 planned,planned",
    "change A:1/50",
    "change A:1/50",
)
rule(
    FINDING,
    "order split over partners by SKU",
    "two actions of one tracker that share no SKU; one line for each",
    "each action gets the SKUs it holds",
    lambda: plan([line(1, "A"), line(2, "B")], *SPLIT),
    "line 1 planned",
    "line 2 planned",
    "change A:1/50",
    "change B:1/50",
)
rule(
    FINDING,
    "split order, first half already reversed by us",
    "as above; the action of the first line stands reversed by our own change",
    "it is still the first line's action; nothing is sent for it",
    lambda: plan(
        [line(1, "A", 2), line(2, "B")],
        replace(
            action(item("A", now=(0, 0)), id="a"),
            state=ActionState.REVERSED,
            settled_by_us=Desired(reverse=True),
        ),
        SPLIT[1],
    ),
    "line 1 already_settled",
    "line 2 planned",
    "change B:1/50",
)
rule(
    FINDING,
    "an amount off a split order",
    "an adjustment of 30 on the order, actions of 100 and 200",
    "shared by what was sold on each",
    lambda: plan(
        [adjustment(1, "", 30)],
        action(item("A"), id="a"),
        action(item("B", 2, 200), id="b"),
    ),
    "line 1 planned,planned",
    "change A:-/90",
    "change B:-/180",
)
rule(
    FINDING,
    "order tracked twice",
    "two live actions of one tracker with the same SKU",
    "nothing tells which one counts",
    lambda: plan([line()], action(item(), id="a"), action(item(), id="b")),
    "line 1 held/ambiguous_action",
)
rule(
    FINDING,
    "both reversed",
    "two actions with the same SKU, both reversed",
    "nothing is left to take back",
    lambda: plan(
        [line()],
        action(item(now=(0, 0)), id="a", state=ActionState.REVERSED),
        action(item(now=(0, 0)), id="b", state=ActionState.REVERSED),
    ),
    "line 1 already_settled",
)
rule(
    FINDING,
    "SKU normalised",
    "warehouse SKU ` sku-a `, impact.com's `A`; trim, upper case, prefix SKU-",
    "they are the same",
    lambda: plan(
        [line(1, " sku-a ")],
        action(item()),
        rules=replace(RULES, skus=Normalise(trim=True, case="upper", prefix="sku-")),
    ),
    "line 1 planned",
    "change A:1/50",
)
rule(
    FINDING,
    "SKU mapped",
    "warehouse SKU `W1`, the program maps it to `A`",
    "the item A",
    lambda: plan([line(1, "W1")], action(item()), rules=replace(RULES, sku_map={"W1": "A"})),
    "line 1 planned",
    "change A:1/50",
)
rule(
    FINDING,
    "unknown SKU, hold",
    "a SKU that the action does not hold; unknown_sku: hold",
    "held",
    lambda: plan([line(1, "X", 1, 10)], action(item())),
    "line 1 held/unknown_sku",
)
rule(
    FINDING,
    "unknown SKU, amount",
    "a SKU that the action does not hold, worth 10; unknown_sku: amount",
    "its amount comes off the order",
    lambda: plan([line(1, "X", 1, 10)], action(item()), rules=OVERRIDE),
    "line 1 planned",
    "change A:-/90",
)
rule(
    FINDING,
    "a part of a bundle",
    "a SKU not held, its parent_sku is; 30 paid back",
    "an amount off the bundle, its quantity stays",
    lambda: plan([line(1, "X", 1, 30, parent_sku="A")], action(item("A", 1, 100))),
    "line 1 planned",
    "change A:-/70",
)

# --- Desired state --------------------------------------------------------------------------

rule(
    DESIRED,
    "partial return, trusted amount",
    "1 of 2 units back for 45 of 100",
    "the rest: 1 unit, 55",
    lambda: plan([line(1, "A", 1, 45)], action(item())),
    "line 1 planned",
    "change A:1/55",
)
rule(
    DESIRED,
    "partial return, amounts not trusted",
    "1 of 3 units back for 45 of 100; trust_amounts off",
    "in proportion to units, rounded half even",
    lambda: plan(
        [line(1, "A", 1, 45)], action(item("A", 3)), rules=replace(RULES, trust_amounts=False)
    ),
    "line 1 planned",
    "change A:2/66.67",
)
rule(
    DESIRED,
    "lines count in the order of returned_at",
    "3 of 4 sold, then 2, then 1",
    "the second goes over what was sold and counts nothing; the third still fits",
    lambda: plan(
        [line(2, "A", 2), line(3, "A", 1), line(1, "A", 3)], action(item("A", 4), item("B"))
    ),
    "line 1 planned",
    "line 2 held/over_returned",
    "line 3 planned",
    "change A:0/0",
)
rule(
    DESIRED,
    "adjustment",
    "20 paid back on goods the customer keeps",
    "the amount alone falls",
    lambda: plan([adjustment(1, "A", 20)], action(item())),
    "line 1 planned",
    "change A:-/80",
)
rule(
    DESIRED,
    "adjustment of more than was paid",
    "120 paid back on an item of 100",
    "over_returned; the action stays",
    lambda: plan([adjustment(1, "A", 120)], action(item())),
    "line 1 held/over_returned",
)
rule(
    DESIRED,
    "never below zero",
    "1 of 2 units back for 130 of 100",
    "the amount goes to zero, the unit that stays keeps the item",
    lambda: plan([line(1, "A", 1, 130)], action(item())),
    "line 1 planned",
    "change A:1/0",
)
rule(
    DESIRED,
    "one minor unit is no difference",
    "the action stands one cent above desired",
    "settled",
    lambda: plan([line(1, "A", 1, 50)], action(item(now=(1, "50.01")))),
    "line 1 already_settled",
)
rule(
    DESIRED,
    "two minor units are one",
    "the action stands two cents above desired",
    "the amount is lowered",
    lambda: plan([line(1, "A", 1, 50)], action(item(now=(1, "50.02")))),
    "line 1 planned",
    "change A:-/50",
)
rule(
    DESIRED,
    "every unit came back",
    "both units of the only item",
    "the action is reversed",
    lambda: plan([line(1, "A", 2)], action(item())),
    "line 1 planned",
    "change reverse",
)
rule(
    DESIRED,
    "item by item",
    "both items back whole; full_return: items",
    "each item to quantity 0",
    lambda: plan([line(1, "A", 2), line(2, "B", 2)], action(item(), item("B")), rules=ITEMWISE),
    "line 1 planned",
    "line 2 planned",
    "change A:0/0 B:0/0",
)
rule(
    DESIRED,
    "one item gone, another stays",
    "both units of A, nothing of B",
    "A to quantity 0",
    lambda: plan([line(1, "A", 2)], action(item(), item("B"))),
    "line 1 planned",
    "change A:0/0",
)
rule(
    DESIRED,
    "money alone never reverses",
    "the whole amount paid back, the goods kept",
    "the amount goes to zero, the action is not reversed",
    lambda: plan([adjustment(1, "A", 100)], action(item())),
    "line 1 planned",
    "change A:-/0",
)
rule(
    DESIRED,
    "order tracked without items",
    "an action whose only item has an empty SKU; 30 of 100 back",
    "the order's amount: 70",
    lambda: plan([line(1, "A", 1, 30)], action(item("", 1, 100))),
    "line 1 planned",
    "change amount=70",
)
rule(
    DESIRED,
    "order tracked, line without amount",
    "1 of 3 units of an item ordered for 90, order of 100",
    "ordered amount times returned units over ordered ones comes off",
    lambda: plan(
        [line(1, "A", 1, None, ordered_quantity=3, ordered_amount=money(90))],
        action(item("PLACEHOLDER", 1, 100)),
        rules=replace(RULES, placeholder_skus=frozenset({"PLACEHOLDER"})),
    ),
    "line 1 planned",
    "change amount=70",
)
rule(
    DESIRED,
    "order tracked, nothing to derive an amount from",
    "a line without amount and without ordered figures",
    "held",
    lambda: plan([line(1, "A", 1)], action(item()), rules=ORDERWISE),
    "line 1 held/baseline_unknown",
)
rule(
    DESIRED,
    "order tracked, all of it back",
    "60 and 40 of 100",
    "reversed",
    lambda: plan([line(1, "A", 1, 60), line(2, "B", 1, 40)], action(item()), rules=ORDERWISE),
    "line 1 planned",
    "line 2 planned",
    "change reverse",
)
rule(
    DESIRED,
    "order tracked, more than was sold",
    "60 and 60 of 100",
    "the second goes over what was sold",
    lambda: plan([line(1, "A", 1, 60), line(2, "B", 1, 60)], action(item()), rules=ORDERWISE),
    "line 1 planned",
    "line 2 held/over_returned",
    "change amount=40",
)
rule(
    DESIRED,
    "order tracked, more units than ordered",
    "3 units back of 2 ordered, for 30",
    "over_returned",
    lambda: plan([line(1, "A", 3, 30, ordered_quantity=2)], action(item()), rules=ORDERWISE),
    "line 1 held/over_returned",
)
rule(
    DESIRED,
    "order tracked for an amount of 0",
    "an action that never carried an amount; one item back",
    "nothing to take off; only a cancellation reverses it",
    lambda: plan([line(1, "A", 1, 10)], action(amount=0)),
    "line 1 already_settled",
)
rule(
    DESIRED,
    "an amount off the order",
    "30 off an order of A 100 and B 200",
    "spread pro rata, sent as item amounts",
    lambda: plan([adjustment(1, "", 30)], action(item(), item("B", 2, 200))),
    "line 1 planned",
    "change A:-/90 B:-/180",
)
rule(
    DESIRED,
    "an amount off the order after a return",
    "A back whole, then 30 off the order",
    "spread over what remains",
    lambda: plan([line(1, "A", 2), adjustment(2, "", 30)], action(item(), item("B", 2, 200))),
    "line 1 planned",
    "line 2 planned",
    "change A:0/0 B:-/170",
)
rule(
    DESIRED,
    "an amount off the order, more than was paid",
    "310 off an order of 300",
    "over_returned",
    lambda: plan([adjustment(1, "", 310)], action(item(), item("B", 2, 200))),
    "line 1 held/over_returned",
)
rule(
    DESIRED,
    "duplicate SKU, all of it back",
    "two lines of A in one action, all 3 units back",
    "acted on",
    lambda: plan([line(1, "A", 3)], action(item("A", 2), item("A", 1, 50), item("B"))),
    "line 1 planned",
    "change A:0/0",
)
rule(
    DESIRED,
    "duplicate SKU, part of it back",
    "two lines of A in one action, 1 of 3 units back",
    "which line it is cannot be told",
    lambda: plan([line(1, "A", 1)], action(item("A", 2), item("A", 1, 50), item("B"))),
    "line 1 held/duplicate_sku",
)
rule(
    DESIRED,
    "duplicate SKU, part of it back and already lowered",
    "as above, one of the lines lowered by hand",
    "settled",
    lambda: plan(
        [line(1, "A", 1, 50)], action(item("A", 2, now=(1, 50)), item("A", 1, 50), item("B"))
    ),
    "line 1 already_settled",
)
rule(
    DESIRED,
    "an amount off an order with a duplicate SKU",
    "30 off an order that holds A twice",
    "which line carries it cannot be told",
    lambda: plan([adjustment(1, "", 30)], action(item("A", 2), item("A", 1, 50))),
    "line 1 held/duplicate_sku",
)

# --- Originals ------------------------------------------------------------------------------

rule(
    ORIGINALS,
    "creation record wins",
    "created with 2, now 1 by hand; one unit back",
    "the hand was there first: settled",
    lambda: plan([line(1, "A", 1, 50)], action(item(now=(1, 50)))),
    "line 1 already_settled",
)
rule(
    ORIGINALS,
    "untouched item",
    "no creation record, the item was never adjusted",
    "what it holds is what it held",
    lambda: plan([line(1, "A", 1, 50)], action(unlisted(2, "100"))),
    "line 1 planned",
    "change A:1/50",
)
rule(
    ORIGINALS,
    "warehouse",
    "no creation record, adjusted to 1 for 50; ordered 3 for 150, 3 back",
    "the ordered figures count",
    lambda: plan(
        [line(1, "A", 3, 150, ordered_quantity=3, ordered_amount=money(150))],
        action(unlisted(1, "50", touched=True)),
    ),
    "line 1 planned",
    "change reverse",
)
rule(
    ORIGINALS,
    "nothing known",
    "no creation record, adjusted, no ordered figures",
    "held",
    lambda: plan([line(1, "A", 1, 50)], action(unlisted(1, "50", touched=True))),
    "line 1 held/baseline_unknown",
)
rule(
    ORIGINALS,
    "quantities conflict",
    "created with 2, the warehouse says 3 were ordered",
    "held, with both figures",
    lambda: (plan([line(1, "A", 1, 50, ordered_quantity=3)], action(item())).verdicts[0].note,),
    "A: impact.com says 2 were sold, the warehouse 3; find out which is right and accept a "
    "baseline with clawback decide",
)
rule(
    ORIGINALS,
    "amounts alone differ",
    "created for 100, the warehouse says 119 (with tax)",
    "the change goes ahead, with a note",
    lambda: (
        plan([line(1, "A", 1, 50, ordered_quantity=2, ordered_amount=money(119))], action(item()))
        .changes[0]
        .notes
    ),
    "A: impact.com recorded 100, the warehouse 119; their basis may differ (tax, shipping, "
    "discount)",
)
rule(
    ORIGINALS,
    "first sight gives way to the warehouse",
    "first seen untouched with 2 for 100; ordered 2 for 110; 1 back, amount unknown",
    "the ordered amount counts, with a note",
    lambda: plan(
        [line(1, "A", 1, None, ordered_quantity=2, ordered_amount=money(110))],
        action(item(source=Source.FIRST_SIGHT, now=(2, 100))),
    ),
    "line 1 planned",
    "change A:1/55",
)
rule(
    ORIGINALS,
    "nothing known, item already at nothing",
    "no creation record, adjusted to quantity 0 and amount 0",
    "nothing is left to decide: settled",
    lambda: plan([line(1, "A", 1, 50)], action(unlisted(0, "0", touched=True), item("B"))),
    "line 1 already_settled",
)

# --- Withdrawals ----------------------------------------------------------------------------

rule(
    WITHDRAWN,
    "voided",
    "a voided line beside a good one",
    "counts nothing",
    lambda: plan([line(1, voided=True), line(2)], action(item())),
    "line 1 ignored",
    "line 2 planned",
    "change A:1/50",
)
rule(
    WITHDRAWN,
    "a row deleted in the warehouse",
    "a known line, absent from a complete extract of its order",
    "counts nothing",
    lambda: plan([line(1, vanished=True)], action(item())),
    "line 1 ignored",
)
rule(
    WITHDRAWN,
    "ignored reason",
    "an exchange, a reason that the program ignores",
    "counts nothing",
    lambda: plan(
        [line(1, reason="exchange")],
        action(item()),
        rules=replace(RULES, ignored_reasons=frozenset({"exchange"})),
    ),
    "line 1 ignored",
)
rule(
    WITHDRAWN,
    "withdrawn after our change",
    "our confirmed change lowered A to 1; now its line is voided",
    "a change never raises: held",
    lambda: plan(
        [line(1, voided=True)],
        action(item(now=(1, 50)), settled_by_us=Desired(items=(ItemTarget("A", 1, money(50)),))),
    ),
    "line 1 held/restore_needed",
)
rule(
    WITHDRAWN,
    "withdrawn after another's change",
    "somebody else lowered A to 1; the line is voided",
    "not ours to restore",
    lambda: plan([line(1, voided=True)], action(item(now=(1, 50)))),
    "line 1 ignored",
)
rule(
    WITHDRAWN,
    "cancellation withdrawn",
    "our confirmed change reversed the action; now the cancellation is voided",
    "held",
    lambda: plan(
        [cancellation(1, voided=True)],
        action(item(now=(0, 0)), state=ActionState.REVERSED, settled_by_us=Desired(reverse=True)),
    ),
    "line 1 held/restore_needed",
)
rule(
    WITHDRAWN,
    "corrected downward after our change",
    "our confirmed change took 2 of 3 off for a line that now says 1",
    "that line is held",
    lambda: plan(
        [line(1, "A", 1)],
        action(
            item("A", 3, 90, now=(1, 30)),
            settled_by_us=Desired(items=(ItemTarget("A", 1, money(30)),)),
        ),
    ),
    "line 1 held/restore_needed",
)

# --- Change or outcome ----------------------------------------------------------------------

rule(
    CHANGE,
    "never up, one component",
    "desired 1 for 50; observed 2 for 40",
    "the quantity goes ahead, the amount is left out",
    lambda: plan([line(1, "A", 1, 50)], action(item(now=(2, 40)))),
    "line 1 planned",
    "change A:1/-",
)
rule(
    CHANGE,
    "never up, all components",
    "desired 1 for 50; observed 1 for 40",
    "settled",
    lambda: plan([line(1, "A", 1, 50)], action(item(now=(1, 40)))),
    "line 1 already_settled",
)
rule(
    CHANGE,
    "reversed by someone else",
    "the action is REVERSED",
    "settled, whatever its items say",
    lambda: plan([line()], action(item(), state=ActionState.REVERSED)),
    "line 1 already_settled",
)
rule(
    CHANGE,
    "earlier reductions cover earlier lines",
    "one unit taken off before, two lines of one unit",
    "the first is settled, the second belongs to the change",
    lambda: plan([line(1), line(2)], action(item("A", 3, 90, now=(2, 60)))),
    "line 1 already_settled",
    "line 2 planned",
    "change A:1/30",
)
rule(
    CHANGE,
    "locking date passed",
    "LockingDate is now",
    "locked",
    lambda: plan([line()], action(item(), locking_at=NOW)),
    "line 1 locked",
)
rule(
    CHANGE,
    "locking date tomorrow, approved already",
    "APPROVED, LockingDate to come",
    "tried",
    lambda: plan(
        [line()],
        action(item(), state=ActionState.APPROVED, locking_at=NOW + timedelta(days=1)),
    ),
    "line 1 planned",
    "change A:1/50",
)
rule(
    CHANGE,
    "refused as final",
    "impact.com refused a change of this action as final",
    "locked",
    lambda: plan([line()], action(item(), refused_final=True)),
    "line 1 locked",
)
rule(
    CHANGE,
    "paid out",
    "ClearedDate is set",
    "locked",
    lambda: plan([line()], action(item(), cleared_at=NOW)),
    "line 1 locked",
)
rule(
    CHANGE,
    "empty locking date",
    "no LockingDate",
    "not locked",
    lambda: plan([line()], action(item(), locking_at=None)),
    "line 1 planned",
    "change A:1/50",
)
rule(
    CHANGE,
    "locked and already covered",
    "locked; one unit was taken off before; two lines",
    "the first was taken back, the second is lost",
    lambda: plan([line(1), line(2)], action(item("A", 3, 90, now=(2, 60)), locking_at=NOW)),
    "line 1 already_settled",
    "line 2 locked",
)
rule(
    CHANGE,
    "inside the safety margin",
    "LockingDate in one hour, margin two",
    "urgent",
    lambda: urgent(timedelta(hours=1)),
    "urgent True",
)
rule(
    CHANGE,
    "outside the safety margin",
    "LockingDate in three hours, margin two",
    "not urgent",
    lambda: urgent(timedelta(hours=3)),
    "urgent False",
)
rule(
    CHANGE,
    "earlier change not yet seen",
    "an open change of the action",
    "pending",
    lambda: plan([line()], action(item(), open_change=True)),
    "line 1 pending",
)
rule(
    CHANGE,
    "raised after our change",
    "our confirmed change brought A to 1; it stands at 2 again",
    "held",
    lambda: plan(
        [line()],
        action(item(), settled_by_us=Desired(items=(ItemTarget("A", 1, money(50)),))),
    ),
    "line 1 held/contested",
)
rule(
    CHANGE,
    "modification limit",
    "999 modifications counted",
    "held before the thousandth",
    lambda: plan([line()], action(item(), modifications=999)),
    "line 1 held/modification_limit",
)
rule(
    CHANGE,
    "below the modification limit",
    "998 modifications counted",
    "goes ahead",
    lambda: plan([line()], action(item(), modifications=998)),
    "line 1 planned",
    "change A:1/50",
)
rule(
    CHANGE,
    "refused before",
    "the same change of the same generation was rejected",
    "not sent again",
    lambda: plan(
        [line()],
        action(
            item(),
            rejected="Validation: SKU_NOT_FOUND",
            rejected_identity=identity(
                "IRtest", "1.2.3", Desired(items=(ItemTarget("A", 1, money(50)),)), 0
            ),
        ),
    ),
    "line 1 rejected",
)
rule(
    CHANGE,
    "refused before, desired differs",
    "another change was rejected; more came back since",
    "goes ahead",
    lambda: plan([line(1, "A", 2)], action(item(), item("B"), rejected_identity="other")),
    "line 1 planned",
    "change A:0/0",
)
rule(
    CHANGE,
    "another currency",
    "a line of 40 EUR on an action in USD",
    "held",
    lambda: plan([line(1, "A", 1, 40, currency="EUR")], action(item())),
    "line 1 held/currency_mismatch",
)
rule(
    CHANGE,
    "another currency, by ratio",
    "40 EUR of 80 EUR ordered, an item of 100 USD; currency_rule: ratio",
    "half of it comes off",
    lambda: plan(
        [line(1, "A", 1, 40, currency="EUR", ordered_quantity=2, ordered_amount=money(80))],
        action(item()),
        rules=RATIO,
    ),
    "line 1 planned",
    "change A:1/50",
)
rule(
    CHANGE,
    "another currency, no money used",
    "a line in EUR without amount",
    "its units tell",
    lambda: plan([line(1, "A", 1, None, currency="EUR")], action(item())),
    "line 1 planned",
    "change A:1/50",
)
rule(
    CHANGE,
    "reason of the largest amount",
    "20 `damaged` and 60 `late`, each mapped; order tracked",
    "the code of `late`; both reasons are kept",
    lambda: codes(
        "reasons",
        plan(
            [line(1, "A", 1, 20, reason="damaged"), line(2, "B", 1, 60, reason="late")],
            action(item()),
            rules=replace(
                ORDERWISE,
                reasons={
                    "damaged": Codes("ORDER_ERROR", "ORDER_ERROR"),
                    "late": Codes("OTHER", "OTHER"),
                },
            ),
        ),
    ),
    "OTHER",
    "late",
    "damaged",
)
rule(
    CHANGE,
    "item changes say ORDER_UPDATE",
    "a partial return with a mapped reason",
    "ORDER_UPDATE",
    lambda: (
        plan(
            [line(1, "A", 1, 20)],
            action(item()),
            rules=replace(RULES, reasons={"returned": Codes("OTHER", "OTHER")}),
        )
        .changes[0]
        .reason,
    ),
    "ORDER_UPDATE",
)
rule(
    CHANGE,
    "unmapped reason",
    "a full return whose reason is not mapped",
    "the default code, and the reason is reported",
    lambda: codes("codes_unmapped", plan([line(1, "A", 2, reason="odd")], action(item()))),
    "ITEM_RETURNED",
    "odd",
)

# --- Requests -------------------------------------------------------------------------------

TWO = Desired(items=(ItemTarget("A", 1, money(50)), ItemTarget("B", 1, money(90))))
HELD = action(item(), item("B", 2, 200))


def sent(desired: Desired, learned: Learned) -> tuple[object, ...]:
    return requests_for(desired, "1.2.3", "ORDER_UPDATE", Verb.MODIFY, learned, HELD)


rule(
    REQUESTS,
    "reverse",
    "a whole action",
    "one DELETE with the disposition code",
    lambda: requests_for(Desired(reverse=True), "1.2.3", "ITEM_RETURNED", Verb.REVERSE, UNKNOWN),
    "reverse DispositionCode=ITEM_RETURNED",
)
rule(
    REQUESTS,
    "quantity and amount together",
    "one item, nothing known of the account",
    "both components",
    lambda: sent(Desired(items=TWO.items[:1]), UNKNOWN),
    "modify Sku=A&Quantity=1&Amount=50.00&Reason=ORDER_UPDATE",
)
rule(
    REQUESTS,
    "amount follows quantity",
    "one item in proportion, known to follow",
    "the quantity alone",
    lambda: sent(Desired(items=TWO.items[:1]), Learned(amount_follows_quantity=True)),
    "modify Sku=A&Quantity=1&Reason=ORDER_UPDATE",
)
rule(
    REQUESTS,
    "amount follows quantity, not in proportion",
    "one item with an amount of its own",
    "both components",
    lambda: sent(Desired(items=TWO.items[1:]), Learned(amount_follows_quantity=True)),
    "modify Sku=B&Quantity=1&Amount=90.00&Reason=ORDER_UPDATE",
)
rule(
    REQUESTS,
    "an item that is gone",
    "quantity 0",
    "Quantity=0 alone",
    lambda: sent(Desired(items=(ItemTarget("A", 0, money(0)),)), UNKNOWN),
    "modify Sku=A&Quantity=0&Reason=ORDER_UPDATE",
)
rule(
    REQUESTS,
    "a component that is left out",
    "the amount alone falls",
    "the present quantity goes with it",
    lambda: sent(Desired(items=(ItemTarget("A", None, money(80)),)), UNKNOWN),
    "modify Sku=A&Quantity=2&Amount=80.00&Reason=ORDER_UPDATE",
)
rule(
    REQUESTS,
    "several items, indexed names not known",
    "two items",
    "one request each",
    lambda: sent(TWO, UNKNOWN),
    "modify Sku=A&Quantity=1&Amount=50.00&Reason=ORDER_UPDATE",
    "modify Sku=B&Quantity=1&Amount=90.00&Reason=ORDER_UPDATE",
)
rule(
    REQUESTS,
    "several items, indexed names known",
    "two items, indexed items and amounts honoured",
    "one request",
    lambda: sent(TWO, MERGING),
    "modify Sku=A&Quantity=1&Amount=50.00&Sku2=B&Quantity2=1&Amount2=90.00&Reason=ORDER_UPDATE",
)
rule(
    REQUESTS,
    "indexed amounts not honoured, amounts follow",
    "two items, one of them in proportion",
    "one request: the amount that is needed stands unnumbered",
    lambda: sent(TWO, Learned(True, True, False)),
    "modify Sku=B&Quantity=1&Amount=90.00&Sku2=A&Quantity2=1&Reason=ORDER_UPDATE",
)
rule(
    REQUESTS,
    "indexed amounts not honoured",
    "two items with amounts",
    "one request each",
    lambda: sent(TWO, Learned(False, True, False)),
    "modify Sku=A&Quantity=1&Amount=50.00&Reason=ORDER_UPDATE",
    "modify Sku=B&Quantity=1&Amount=90.00&Reason=ORDER_UPDATE",
)
rule(
    REQUESTS,
    "the canary",
    "two items, nothing known",
    "the merged form with all its fields, to be proved",
    lambda: canary_requests(TWO, "1.2.3", "ORDER_UPDATE", Verb.MODIFY, HELD),
    "modify Sku=A&Quantity=1&Amount=50.00&Sku2=B&Quantity2=1&Amount2=90.00&Reason=ORDER_UPDATE",
)
rule(
    REQUESTS,
    "order amount",
    "an action without usable items",
    "Amount without Sku",
    lambda: requests_for(Desired(amount=money(70)), "1.2.3", "OTHER", Verb.MODIFY, UNKNOWN, HELD),
    "modify Amount=70.00&Reason=OTHER",
)

# --- Proof ----------------------------------------------------------------------------------

ONE = Desired(items=(ItemTarget("A", 1, money(50)),))
BEFORE = action(item(), item("B"))
DONE = Reply(complete=True)


def judged(
    desired: Desired,
    observed: Observed,
    reply: Reply | None = None,
    *,
    late: bool = False,
    state: ActionState = ActionState.PENDING,
) -> tuple[str]:
    before = replace(BEFORE, state=state)
    found = judge(desired, before, observed, reply, deadline_passed=late, tolerance=Decimal("0.01"))
    assert isinstance(found, Judgement)
    return (found.value,)


def seen(
    *items: object, state: ActionState = ActionState.PENDING, amount: object = 200
) -> Observed:
    return Observed(state, money(str(amount)), money(20), items, items_current=bool(items))  # type: ignore[arg-type]


rule(
    PROOF,
    "confirmed",
    "the item read after the write holds the desired state; not polled",
    "confirmed",
    lambda: judged(ONE, seen(item(now=(1, 50)), amount=150)),
    "confirmed",
)
rule(
    PROOF,
    "below desired",
    "another hand lowered it further",
    "confirmed all the same",
    lambda: judged(ONE, seen(item(now=(0, 0)), amount=100)),
    "confirmed",
)
rule(
    PROOF,
    "reversed",
    "a reversal is seen in the list",
    "confirmed",
    lambda: judged(Desired(reverse=True), seen(state=ActionState.REVERSED, amount=0)),
    "confirmed",
)
rule(
    PROOF,
    "refused",
    "Complete with an error, even if the state is as desired",
    "rejected",
    lambda: judged(ONE, seen(item(now=(1, 50))), Reply(True, "Validation", "UNKNOWN_SKU")),
    "rejected",
)
rule(
    PROOF,
    "refused as final",
    "Complete with an error that says locked",
    "locked",
    lambda: judged(ONE, seen(), Reply(True, "Validation", "ACTION_LOCKED")),
    "locked",
)
rule(
    PROOF,
    "refused while approved",
    "any refusal of an approved action",
    "locked",
    lambda: judged(ONE, seen(), Reply(True, "X", ""), state=ActionState.APPROVED),
    "locked",
)
rule(
    PROOF,
    "not yet",
    "Complete without error, effect not seen, deadline to come",
    "waiting",
    lambda: judged(ONE, seen(), DONE),
    "waiting",
)
rule(
    PROOF,
    "no effect",
    "Complete without error, effect not seen by the deadline",
    "no_effect",
    lambda: judged(ONE, seen(), DONE, late=True),
    "no_effect",
)
rule(
    PROOF,
    "not polled by the deadline",
    "no reply, effect not seen by the deadline",
    "waiting: the next run takes it up",
    lambda: judged(ONE, seen(), late=True),
    "waiting",
)
rule(
    PROOF,
    "doubt",
    "the lists agree with the amount, the items were not read",
    "doubt: read the action's items",
    lambda: judged(ONE, seen(amount=150)),
    "doubt",
)
rule(
    PROOF,
    "order amount",
    "the list shows the order's amount within a cent",
    "confirmed",
    lambda: judged(Desired(amount=money(150)), seen(amount="150.01")),
    "confirmed",
)

# --- Decisions ------------------------------------------------------------------------------

rule(
    DECISIONS,
    "pick_action",
    "an order tracked twice; a person picks `b`",
    "that one",
    lambda: plan(
        [line(1, "A", 2)],
        action(item(), id="a"),
        action(item(), id="b"),
        decisions=decide("pick_action", "b"),
    ),
    "line 1 planned",
    "change reverse",
)
rule(
    DECISIONS,
    "accept_baseline, impact.com's",
    "created with 2, ordered 3; a person accepts impact.com's figures",
    "goes ahead",
    lambda: plan(
        [line(1, "A", 1, 50, ordered_quantity=3)],
        action(item()),
        decisions=decide("accept_baseline", "impact"),
    ),
    "line 1 planned",
    "change A:1/50",
)
rule(
    DECISIONS,
    "accept_baseline, the warehouse's",
    "created with 2 for 100, ordered 4 for 200; 3 back; a person accepts the warehouse's",
    "goes ahead",
    lambda: plan(
        [line(1, "A", 3, 150, ordered_quantity=4, ordered_amount=money(200))],
        action(item()),
        decisions=decide("accept_baseline", "warehouse"),
    ),
    "line 1 planned",
    "change A:1/50",
)
rule(
    DECISIONS,
    "ignore a line",
    "a person ignores the line R1",
    "it counts nothing",
    lambda: plan([line(1), line(2)], action(item()), decisions=decide("ignore", "R1")),
    "line 1 ignored",
    "line 2 planned",
    "change A:1/50",
)
rule(
    DECISIONS,
    "ignore a hold",
    "a person ignores what is over-returned",
    "ignored; the rest goes ahead",
    lambda: plan(
        [line(1, "A", 3), line(2)], action(item()), decisions=decide("ignore", "over_returned")
    ),
    "line 1 ignored",
    "line 2 planned",
    "change A:1/50",
)
rule(
    DECISIONS,
    "ignore every hold",
    "a person ignores all that is held of the order",
    "ignored",
    lambda: plan([line(1, "X")], action(item()), decisions=decide("ignore")),
    "line 1 ignored",
)
rule(
    DECISIONS,
    "retry what was rejected",
    "the same change was rejected; a person says retry",
    "goes ahead",
    lambda: plan(
        [line()],
        action(
            item(),
            rejected_identity=identity(
                "IRtest", "1.2.3", Desired(items=(ItemTarget("A", 1, money(50)),)), 0
            ),
        ),
        decisions=decide("retry"),
    ),
    "line 1 planned",
    "change A:1/50",
)
rule(
    DECISIONS,
    "retry a contested action",
    "raised after our change; a person says retry",
    "lowered again",
    lambda: plan([line()], action(item(), settled_by_us=ONE), decisions=decide("retry", "1.2.3")),
    "line 1 planned",
    "change A:1/50",
)
rule(
    DECISIONS,
    "stand back",
    "raised after our change; a person stands back",
    "ignored",
    lambda: plan(
        [line()], action(item(), settled_by_us=ONE), decisions=decide("stand_back", "1.2.3")
    ),
    "line 1 ignored",
)

# --- Cases ----------------------------------------------------------------------------------

rule(
    CASES,
    "refund with quantity and subtotal",
    "1 of 2 units back, subtotal 50",
    "quantity and amount fall",
    lambda: plan([line(1, "A", 1, 50)], action(item(), item("B"))),
    "line 1 planned",
    "change A:1/50",
)
rule(
    CASES,
    "refund after 60 days",
    "returned 70 days after the order, not locked yet",
    "age does not matter, locking does",
    lambda: plan(
        [line(1, returned_at=datetime(2026, 12, 9, tzinfo=UTC))],
        action(item()),
        now=datetime(2026, 12, 9, 12, tzinfo=UTC),
    ),
    "line 1 planned",
    "change A:1/50",
)
rule(
    CASES,
    "exchange",
    "an exchange ignored, a real return of another item",
    "only the return counts",
    lambda: plan(
        [line(1, reason="exchange"), line(2, "B", 1)],
        action(item(), item("B")),
        rules=replace(RULES, ignored_reasons=frozenset({"exchange"})),
    ),
    "line 1 ignored",
    "line 2 planned",
    "change B:1/50",
)
rule(
    CASES,
    "shipping-only refund",
    "an adjustment of 0 on goods: shipping is no part of a sale amount",
    "nothing to take off",
    lambda: plan([adjustment(1, "", 0)], action(item())),
    "line 1 already_settled",
)
rule(
    CASES,
    "goodwill",
    "5 paid back on the order",
    "the amount falls, quantities stay",
    lambda: plan([adjustment(1, "", 5)], action(item())),
    "line 1 planned",
    "change A:-/95",
)
rule(
    CASES,
    "conversion reported after the return",
    "an action created after the line was returned",
    "planned like any other",
    lambda: plan([line()], action(item(), created_at=NOW - timedelta(hours=1))),
    "line 1 planned",
    "change A:1/50",
)
rule(
    CASES,
    "order tracked twice, one already lowered by us",
    "two live actions with the same SKU; one carries our confirmed change",
    "still nothing tells which one counts",
    lambda: plan(
        [line()], action(item(now=(1, 50)), id="a", settled_by_us=ONE), action(item(), id="b")
    ),
    "line 1 held/ambiguous_action",
)
rule(
    CASES,
    "reattributed order, full return",
    "the old action reversed by impact.com, the new one reversed by us",
    "settled",
    lambda: plan(
        [line(1, "A", 2)],
        action(item(now=(0, 0)), id="old", state=ActionState.REVERSED),
        action(
            item(now=(0, 0)),
            id="new",
            state=ActionState.REVERSED,
            settled_by_us=Desired(reverse=True),
        ),
    ),
    "line 1 already_settled",
)
rule(
    CASES,
    "partial shipment cancelled",
    "one of two items never shipped: a line for its units",
    "that item to nothing, the rest stays",
    lambda: plan([line(1, "B", 2, 100, reason="not shipped")], action(item(), item("B"))),
    "line 1 planned",
    "change B:0/0",
)
rule(
    CASES,
    "cancelled order",
    "a cancellation, nothing else",
    "reversed",
    lambda: plan([cancellation()], action(item(), item("B"))),
    "line 1 planned",
    "change reverse",
)
rule(
    CASES,
    "cancelled after a return",
    "A returned earlier and settled, then the order is cancelled",
    "reversed; the earlier line stays settled",
    lambda: plan([line(1, "A", 2, 100), cancellation(2)], action(item(now=(0, 0)), item("B"))),
    "line 1 already_settled",
    "line 2 planned",
    "change reverse",
)
rule(
    CASES,
    "cancelled with an unknown SKU",
    "a SKU that the action does not hold, and a cancellation",
    "the cancellation leaves nothing to decide",
    lambda: plan([line(1, "X"), cancellation(2)], action(item())),
    "line 1 planned",
    "line 2 planned",
    "change reverse",
)
rule(
    CASES,
    "cancelled with an unknown SKU, item by item, settled",
    "as above with full_return: items, every item at nothing already",
    "still nothing to decide",
    lambda: plan(
        [line(1, "X"), cancellation(2)], action(item(now=(0, 0)), payout=money(0)), rules=ITEMWISE
    ),
    "line 1 already_settled",
    "line 2 already_settled",
)
rule(
    CASES,
    "bundle, all parts back",
    "three parts of a bundle of 100, worth 30, 30 and 40",
    "nothing of value is left",
    lambda: plan(
        [
            line(1, "X", 1, 30, parent_sku="A"),
            line(2, "Y", 1, 30, parent_sku="A"),
            line(3, "Z", 1, 40, parent_sku="A"),
        ],
        action(item("A", 1, 100)),
    ),
    "line 1 planned",
    "line 2 planned",
    "line 3 planned",
    "change reverse",
)
rule(
    CASES,
    "bundle, a part without amount",
    "a part of a bundle, nothing tells what it cost",
    "held",
    lambda: plan([line(1, "X", 1, parent_sku="A")], action(item("A", 1, 100))),
    "line 1 held/baseline_unknown",
)
rule(
    CASES,
    "free gift kept",
    "all paid items back, a gift of 0 kept",
    "nothing of value is left: reversed",
    lambda: plan([line(1, "A", 2)], action(item(), item("GIFT", 1, 0))),
    "line 1 planned",
    "change reverse",
)
rule(
    CASES,
    "free gift returned alone",
    "the gift back, the paid item kept",
    "its quantity falls",
    lambda: plan([line(1, "GIFT", 1)], action(item(), item("GIFT", 1, 0))),
    "line 1 planned",
    "change GIFT:0/-",
)
rule(
    CASES,
    "amount 0, every unit back",
    "a free order, all of it back",
    "reversed by DELETE",
    lambda: plan([line(1, "A", 1)], action(item("A", 1, 0), payout=money(5))),
    "line 1 planned",
    "change reverse",
)
rule(
    CASES,
    "amount 0, cancelled",
    "a free order without items, cancelled",
    "reversed by DELETE",
    lambda: plan([cancellation()], action(amount=0, payout=money(5))),
    "line 1 planned",
    "change reverse",
)
rule(
    CASES,
    "months of history handled by hand",
    "three lines, the first two taken off by hand before adoption",
    "only what is missing is sent",
    lambda: plan([line(1), line(2), line(3)], action(item("A", 5, 100, now=(3, 60)), item("B"))),
    "line 1 already_settled",
    "line 2 already_settled",
    "line 3 planned",
    "change A:2/40",
)
rule(
    CASES,
    "two lines with one return_id and different SKUs",
    "one return of A and B",
    "two lines, one change",
    lambda: plan(
        [line(1, "A", return_id="R"), line(2, "B", return_id="R")], action(item(), item("B"))
    ),
    "line 1 planned",
    "line 2 planned",
    "change A:1/50 B:1/50",
)
rule(
    CASES,
    "JPY",
    "1 of 3 units of ¥1000",
    "whole yen",
    lambda: plan(
        [line(1, "A", 1, None, currency="JPY")],
        action(item("A", 3, 1000), currency="JPY"),
        rules=replace(RULES, currency="JPY"),
    ),
    "line 1 planned",
    "change A:2/667",
)
rule(
    CASES,
    "KWD",
    "1 of 3 units of 10 dinars",
    "thousandths",
    lambda: plan(
        [line(1, "A", 1, None, currency="KWD")],
        action(item("A", 3, 10), currency="KWD"),
        rules=replace(RULES, currency="KWD"),
    ),
    "line 1 planned",
    "change A:2/6.667",
)
rule(
    CASES,
    "leap day, midnight",
    "locking at midnight of February 29, now one second before",
    "not locked",
    lambda: plan(
        [line()],
        action(item(), locking_at=datetime(2028, 2, 29, tzinfo=UTC)),
        now=datetime(2028, 2, 28, 23, 59, 59, tzinfo=UTC),
    ),
    "line 1 planned",
    "change A:1/50",
)
rule(
    CASES,
    "chained action",
    "a parent and a child action of two trackers, one order cancelled",
    "each is reversed on its own",
    lambda: plan(
        [cancellation()], action(item(), id="a"), action(item("B"), id="b", tracker_id="T2")
    ),
    "line 1 planned,planned",
    "change reverse",
    "change reverse",
)
