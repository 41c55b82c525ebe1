"""More rows of the decision table: what becomes of a line, which codes are sent, what proves it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from reconcile_makers import (
    NOW,
    RULES,
    action,
    item,
    line,
    money,
    plan,
)
from table import (
    CHANGE,
    ONE,
    PROOF,
    codes,
    judged,
    rule,
    seen,
)

from clawback.reconcile.evidence import share_payout
from clawback.reconcile.facts import (
    Codes,
    Line,
    OrderPlan,
)
from clawback.reconcile.forecast import AtStake, locking_soon
from clawback.reconcile.outcomes import Outcome
from clawback.reconcile.reasons import check_codes

MAPPED = replace(RULES, reasons={"late": Codes("OTHER", "ORDER_ERROR")})

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

rule(
    CHANGE,
    "an unmapped reason is told with the line",
    "a full return for `returned`, which is not mapped; the same for `late`, which is",
    "the default code, and a note; nothing to note",
    lambda: (
        notes(
            plan([line(1, "A", 2)], action(item()), rules=MAPPED),
        )
        + notes(plan([line(1, "A", 2, reason="late")], action(item()), rules=MAPPED))
    ),
    "the program maps no code for the reason 'returned', so its default was taken",
    "",
)
rule(
    CHANGE,
    "an unmapped reason of a partial return",
    "one unit back for `returned`, which is not mapped",
    "item changes say ORDER_UPDATE whatever the reason: nothing to note",
    lambda: notes(plan([line()], action(item()), rules=MAPPED)),
    "",
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
