"""The money and the details of a plan, beyond what the decision table shows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from reconcile_makers import (
    NOW,
    ORDERWISE,
    RULES,
    SOLD,
    UNKNOWN,
    action,
    adjustment,
    cancellation,
    item,
    line,
    money,
    order,
    plan,
    said,
    wants,
)

from clawback.reconcile.facts import (
    ActionState,
    Codes,
    Decision,
    Desired,
    ItemTarget,
    LineVerdict,
    OrderPlan,
    Verb,
)
from clawback.reconcile.forecast import AtStake, LockingDay, locking_soon
from clawback.reconcile.outcomes import Hold, Outcome, combine
from clawback.reconcile.plan import identity, is_locked, plan_order


def stakes(made: OrderPlan) -> dict[int, tuple[str, str, str]]:
    """Each line's amount, payout and currency."""
    return {v.line_id: (str(v.amount), str(v.payout), v.currency) for v in made.verdicts}


def test_a_line_without_amount_is_worth_its_units() -> None:
    """A line's amount is derived from the original in proportion, its commission from that."""
    made = plan([line(1, "A", 1)], action(item("A", 3, 100)))
    assert stakes(made) == {1: ("33.33", "3.33", "USD")}


def test_a_lines_own_amount_is_kept() -> None:
    """A line's amount is its own where it gives one, even if the program does not trust it."""
    made = plan([line(1, "A", 1, 45)], action(item()), rules=replace(RULES, trust_amounts=False))
    assert stakes(made) == {1: ("45", "5.00", "USD")}


def test_commission_lost_to_locking_is_what_was_not_taken_back() -> None:
    """A locked line half covered by an earlier reduction loses the other half."""
    held = action(item("A", 4, 100, now=(3, 75)), locking_at=NOW)
    made = plan([line(1, "A", 2, 50)], held)
    assert said(made) == {1: "locked"}
    assert stakes(made) == {1: ("50", "2.50", "USD")}


def test_a_cancellation_is_worth_what_the_other_lines_leave() -> None:
    """A cancellation after a return stands for the rest of the order."""
    made = plan([line(1, "A", 2, 100), cancellation(2)], action(item(), item("B", 1, 30)))
    assert stakes(made) == {1: ("100", "10.00", "USD"), 2: ("30.00", "3.00", "USD")}
    settled = plan(
        [line(1, "A", 2, 100), cancellation(2)],
        action(item(now=(0, 0)), item("B", 1, 30, now=(0, 0)), state=ActionState.REVERSED),
    )
    assert said(settled) == {1: "already_settled", 2: "already_settled"}
    assert stakes(settled) == stakes(made)


def test_a_second_cancellation_is_worth_nothing() -> None:
    """Two cancellations of one order do not count its money twice."""
    made = plan([cancellation(1), cancellation(2)], action(item()))
    assert stakes(made) == {1: ("100.00", "10.00", "USD"), 2: ("0.00", "0.00", "USD")}
    assert made.changes[0].line_amounts == (money(100), money(0))


def test_over_returned_units_earned_no_commission() -> None:
    """What was never sold has no commission at stake."""
    made = plan([line(1, "A", 3, 150)], action(item()))
    assert stakes(made) == {1: ("150", "0", "USD")}


def test_a_converted_line_speaks_the_actions_currency() -> None:
    """A line converted by the ratio shows its money in the action's currency."""
    made = plan(
        [line(1, "A", 1, 40, currency="EUR", ordered_quantity=2, ordered_amount=money(80))],
        action(item()),
        rules=replace(RULES, currency_rule="ratio"),
    )
    assert stakes(made) == {1: ("50.00", "5.00", "USD")}


def test_a_line_held_for_its_currency_keeps_its_own() -> None:
    """A held line in another currency says its own money and no commission."""
    made = plan([line(1, "A", 1, 40, currency="EUR")], action(item()))
    assert stakes(made) == {1: ("40", "None", "EUR")}


def test_the_ratio_needs_an_ordered_amount() -> None:
    """Without an ordered amount there is no ratio: held."""
    made = plan(
        [line(1, "A", 1, 40, currency="EUR")],
        action(item()),
        rules=replace(RULES, currency_rule="ratio"),
    )
    assert said(made) == {1: "held/currency_mismatch"}


def test_unattributed_lines_say_what_they_are_worth() -> None:
    """Money is kept for lines without an action too, derived from ordered figures if need be."""
    made = plan(
        [
            line(1, "A", 1, None, ordered_quantity=3, ordered_amount=money(10)),
            line(2, "A", 1),
            line(3, "A", 1, 7),
        ]
    )
    assert stakes(made) == {
        1: ("3.33", "None", "USD"),
        2: ("None", "None", "USD"),
        3: ("7", "None", "USD"),
    }


def test_an_unknown_base_leaves_the_commission_unknown() -> None:
    """Where nothing tells what an action held at first, a held line has no payout."""
    unknown = item(
        "A", 1, 50, original_quantity=None, original_amount=None, touched=True, source=None
    )
    held = replace(action(unknown), original_amount=None, original_payout=None)
    made = plan([line(1, "A", 1, 50)], held)
    assert said(made) == {1: "held/baseline_unknown"}
    assert stakes(made) == {1: ("50", "None", "USD")}


def test_the_payout_at_first_is_derived_from_the_rate_now() -> None:
    """Without an original payout, the present rate on the original amount counts."""
    held = replace(action(item(now=(1, 50)), item("B")), original_payout=None)
    made = plan([line(1, "A", 1, 50), line(2, "B", 1, 50)], held)
    assert stakes(made)[2] == ("50", "5.00", "USD")


def test_a_change_says_all_it_is_about() -> None:
    """A change carries what it expects, what it covers, and when its action locks."""
    held = action(item(now=(2, 100)), item("B", 2, 60), generation=4)
    made = plan([line(1, "A", 1, 50, reason="late"), line(2, "B", 2, 60)], held)
    (change,) = made.changes
    assert change.identity == identity("IRtest", "1.2.3", change.desired, 4)
    assert (change.action_id, change.order_id, change.verb) == ("1.2.3", "O1", Verb.MODIFY)
    assert (change.before_amount, change.expected_amount) == (160, 50)
    assert (change.before_payout, change.expected_payout) == (money("16.00"), money("5.00"))
    assert (change.line_ids, change.line_amounts) == ((1, 2), (50, 60))
    assert change.reasons == ("returned", "late")
    assert change.codes_unmapped == ("returned", "late")
    assert change.locking_at == held.locking_at
    assert (change.generation, change.urgent, change.currency) == (4, False, "USD")


def test_a_reversal_expects_nothing_left() -> None:
    """A reversal takes the whole amount and the whole payout."""
    (change,) = plan([line(1, "A", 2, 90)], action(item())).changes
    assert (change.verb, change.reason) == (Verb.REVERSE, "ITEM_RETURNED")
    assert (change.expected_amount, change.expected_payout) == (0, 0)
    assert change.line_amounts == (100,)


def test_a_lowered_quantity_alone_leaves_the_payout() -> None:
    """A free item's quantity falls without moving amount or payout."""
    (change,) = plan([line(1, "G", 1)], action(item(), item("G", 2, 0))).changes
    assert change.expected_amount == 100
    assert change.expected_payout == money("10.00")


def test_the_payout_of_a_free_action_stays_until_it_is_reversed() -> None:
    """An action of amount 0 keeps its payout through a partial return."""
    (change,) = plan([line(1, "A", 1)], action(item("A", 2, 0), payout=money(5))).changes
    assert change.expected_payout == 5


def test_reasons_add_up_over_lines() -> None:
    """Two small lines of one reason outweigh a larger one of another."""
    rules = replace(
        ORDERWISE, reasons={"x": Codes("OTHER", "OTHER"), "y": Codes("ORDER_ERROR", "OTHER")}
    )
    lines = [
        line(1, "A", 1, 30, reason="x"),
        line(2, "B", 1, 20, reason="y"),
        line(3, "C", 1, 20, reason="y"),
    ]
    (change,) = plan(lines, action(item()), rules=rules).changes
    assert (change.reason, change.reasons) == ("ORDER_ERROR", ("y", "x"))
    assert change.codes_unmapped == ()


def test_identity_is_that_of_the_desired_state() -> None:
    """Equal desired states have one identity, whatever digits or order they are written in."""
    one = Desired(items=(ItemTarget("A", 1, money("5.0")), ItemTarget("B", None, money(2))))
    other = Desired(items=(ItemTarget("B", None, money("2.00")), ItemTarget("A", 1, money(5))))
    found = identity("acc", "1", one, 0)
    assert found == identity("acc", "1", other, 0)
    assert len(found) == 32
    int(found, 16)
    others = {
        identity("acc2", "1", one, 0),
        identity("acc", "2", one, 0),
        identity("acc", "1", one, 1),
        identity("acc", "1", Desired(reverse=True), 0),
        identity("acc", "1", Desired(amount=money(5)), 0),
        identity("acc", "1", Desired(amount=money(6)), 0),
        identity("acc", "1", Desired(items=one.items[:1]), 0),
        identity("acc", "1", Desired(items=(ItemTarget("A", None, money(5)),)), 0),
        identity("acc", "1", Desired(items=(ItemTarget("A", 1, None),)), 0),
    }
    assert len(others | {found}) == 10


@pytest.mark.parametrize(
    ("settled", "held"),
    [
        (Desired(reverse=True), action(item(now=(0, 0)))),
        (Desired(items=(ItemTarget("A", 1, None),)), action(item(now=(2, 50)))),
        (Desired(items=(ItemTarget("A", None, money(50)),)), action(item(now=(1, "50.02")))),
    ],
)
def test_raised_above_our_change_is_contested(settled: Desired, held: object) -> None:
    """Whatever component another hand raised after our confirmed change, it is contested."""
    made = plan(
        [line(1, "A", 2, 100)],
        replace(held, settled_by_us=settled, payout=money(5)),  # type: ignore[type-var]
    )
    assert said(made) == {1: "held/contested"}


def test_raised_by_a_cent_is_not_contested() -> None:
    """One minor unit above our change is no difference."""
    settled = Desired(items=(ItemTarget("A", 1, money(50)),))
    held = action(item(now=(1, "50.01")), item("B"), settled_by_us=settled)
    assert said(plan([line(1, "A", 2, 100)], held)) == {1: "planned"}


def test_an_order_amount_raised_after_our_change_is_contested() -> None:
    """The same for actions tracked without items."""
    held = action(item("", 1, 100), settled_by_us=Desired(amount=money(60)))
    assert said(plan([line(1, "A", 1, 40)], held)) == {1: "held/contested"}


def test_only_the_withdrawn_lines_of_the_lowered_item_are_held() -> None:
    """A withdrawn line of another item is ignored; the other lines go ahead."""
    held = action(item(now=(1, 50)), item("B"), settled_by_us=SOLD)
    made = plan([line(1, voided=True), line(2, "B", voided=True), line(3, "B")], held)
    assert said(made) == {1: "held/restore_needed", 2: "ignored", 3: "planned"}
    assert wants(made) == ["B:1/50"]


def test_a_withdrawn_line_is_not_held_once_the_action_was_reset() -> None:
    """An action that stands where it should needs no restoring."""
    held = action(item(), settled_by_us=SOLD)
    assert said(plan([line(1, vanished=True)], held)) == {1: "ignored"}


def test_a_withdrawn_line_that_another_replaces_is_ignored() -> None:
    """Where as much came back as we took off, a withdrawn line is simply ignored."""
    held = action(item(now=(1, 50)), settled_by_us=SOLD)
    assert said(plan([line(1, voided=True), line(2)], held)) == {1: "ignored", 2: "already_settled"}


def test_a_withdrawn_amount_off_an_order_is_held() -> None:
    """A withdrawn line of an order tracked without items, after our change, is held."""
    held = action(
        item("", 1, 60, original_amount=money(100)),
        amount=60,
        original_amount=money(100),
        settled_by_us=Desired(amount=money(60)),
    )
    assert said(plan([line(1, "A", 1, 40, voided=True)], held)) == {1: "held/restore_needed"}


def test_a_partial_return_after_our_reversal_is_held() -> None:
    """We reversed everything; now less came back: the lines withdrawn are held."""
    held = action(item(now=(0, 0)), state=ActionState.REVERSED, settled_by_us=Desired(reverse=True))
    made = plan([line(1), line(2, vanished=True)], held)
    assert said(made) == {1: "already_settled", 2: "held/restore_needed"}
    assert "clawback reset" in next(v.note for v in made.verdicts if v.hold)


def test_a_correction_after_our_reversal_holds_the_last_line() -> None:
    """Nothing was withdrawn, but a line says less than we took off: the last one is held."""
    held = action(item(now=(0, 0)), state=ActionState.REVERSED, settled_by_us=Desired(reverse=True))
    made = plan([line(1)], held)
    assert said(made) == {1: "held/restore_needed"}


def test_undecided_lines_do_not_call_for_restoring() -> None:
    """What is desired is not known while lines are held for their currency."""
    held = action(item(now=(0, 0)), state=ActionState.REVERSED, settled_by_us=Desired(reverse=True))
    assert said(plan([line(1, "A", 2, 100, currency="EUR")], held)) == {1: "already_settled"}


def test_stand_back_names_the_action() -> None:
    """Standing back from one action does not stop another."""
    made = plan(
        [line()],
        action(item(), id="a"),
        action(item(), id="b", tracker_id="T2"),
        decisions=(Decision("stand_back", "a", "", ""),),
    )
    assert said(made) == {1: "ignored,planned"}
    assert combine(v.outcome for v in made.verdicts) is Outcome.PLANNED


def test_retry_of_another_action_does_not_count() -> None:
    """A retry speaks for the action it names."""
    held = action(item(), settled_by_us=SOLD)
    made = plan([line()], held, decisions=(Decision("retry", "other", "", ""),))
    assert said(made) == {1: "held/contested"}


def test_a_pick_that_is_no_action_decides_nothing() -> None:
    """A person's pick must be one of the order's actions."""
    made = plan(
        [line()],
        action(item(), id="a"),
        action(item(), id="b"),
        decisions=(Decision("pick_action", "z", "", ""),),
    )
    assert said(made) == {1: "held/ambiguous_action"}
    assert "(a, b)" in made.verdicts[0].note


def test_an_ambiguous_tracker_does_not_stop_another() -> None:
    """Held for one tracker, planned for the other: both are said."""
    made = plan(
        [line()],
        action(item(), id="a"),
        action(item(), id="b"),
        action(item(), id="c", tracker_id="T2"),
    )
    assert said(made) == {1: "planned,held/ambiguous_action"}
    assert [change.action_id for change in made.changes] == ["c"]


def test_a_sku_of_one_tracker_does_not_trouble_another() -> None:
    """A line concerns only the actions that hold its SKU."""
    made = plan([line(1, "B")], action(item(), id="a"), action(item("B"), id="b", tracker_id="T2"))
    assert said(made) == {1: "planned"}


def test_a_sku_that_no_action_holds_is_said_once() -> None:
    """With several actions an unknown SKU is held once."""
    made = plan([line(1, "X")], action(item(), id="a"), action(item("B"), id="b", tracker_id="T2"))
    assert said(made) == {1: "held/unknown_sku"}


def test_an_order_tracked_action_takes_every_line() -> None:
    """An action without items takes the line that another one holds as an item."""
    made = plan(
        [line(1, "A", 1, 50)],
        action(item(), id="a"),
        action(item("", 1, 100), id="b", tracker_id="T2"),
    )
    assert wants(made) == ["A:1/50", "amount=50"]


def test_an_unknown_sku_without_amount_is_held_even_by_amount() -> None:
    """unknown_sku: amount needs an amount."""
    made = plan([line(1, "X")], action(item()), rules=replace(RULES, unknown_sku="amount"))
    assert said(made) == {1: "held/unknown_sku"}


def test_several_modifications_count_before_the_limit() -> None:
    """A change of two requests needs room for two."""
    lines = [line(1, "A"), line(2, "B")]
    held = action(item(), item("B"), item("C"), modifications=998)
    assert {v.hold for v in plan(lines, held).verdicts} == {Hold.MODIFICATION_LIMIT}
    held = replace(held, modifications=997)
    assert said(plan(lines, held)) == {1: "planned", 2: "planned"}


def test_locking_is_an_instant() -> None:
    """One microsecond before its locking date an action is not locked."""
    held = action(item(), locking_at=NOW)
    assert is_locked(held, NOW)
    assert not is_locked(held, NOW - timedelta(microseconds=1))


def test_every_hold_says_why_and_what_to_do() -> None:
    """Each verdict that a person must answer carries a sentence."""
    found: dict[Hold, str] = {}
    for made in (
        plan([line()], span_listed=False),
        plan([line()], action(item(), id="a"), action(item(), id="b")),
        plan([line(1, "X"), line(2, "A", 3), line(3, "A", 1, 5, currency="EUR")], action(item())),
        plan([line(1, "A", 1)], action(item("A", 2), item("A", 1, 50))),
        plan([line(1, "A", 1, ordered_quantity=9)], action(item())),
        plan([line()], action(item(), settled_by_us=SOLD)),
        plan([line()], action(item(), modifications=999)),
        plan([line(1, voided=True)], action(item(now=(1, 50)), settled_by_us=SOLD)),
    ):
        found |= {v.hold: v.note for v in made.verdicts if v.hold}
    assert found.keys() == set(Hold) - {Hold.CANARY_FAILED, Hold.APPROVAL_REFUSED}
    for hold, note in found.items():
        assert len(note) > 40, hold


def test_verdicts_of_an_order_without_lines() -> None:
    """An order without lines has no verdicts and no changes."""
    assert plan_order(order([], action(item())), RULES, UNKNOWN, NOW) == OrderPlan("O1", (), ())


def test_an_ignored_line_says_so() -> None:
    """A voided line's verdict is about the line as such."""
    made = plan([line(1, "A", 1, 9, voided=True)], action(item()))
    note = "the warehouse voided this line; it counts nothing"
    assert made.verdicts == (
        LineVerdict(1, "", Outcome.IGNORED, None, note, money(9), None, "USD"),
    )


def test_adjustments_up_to_the_price_count_in_order() -> None:
    """Adjustments add up to what was paid; the one beyond it is held."""
    lines = [adjustment(1, "A", 60), adjustment(2, "A", 60), adjustment(3, "A", 40)]
    made = plan(lines, action(item(), item("B")))
    assert said(made) == {1: "planned", 2: "held/over_returned", 3: "planned"}
    assert wants(made) == ["A:-/0"]


def test_a_placeholder_beside_items_is_no_item() -> None:
    """An item whose SKU is listed as placeholder is neither matched nor spread over."""
    rules = replace(RULES, placeholder_skus=frozenset({"SHIP"}))
    held = action(item(), item("SHIP", 1, 10))
    made = plan([adjustment(1, "", 10)], held, rules=rules)
    assert wants(made) == ["A:-/90"]
    assert said(plan([line(1, "SHIP")], held, rules=rules)) == {1: "held/unknown_sku"}
    assert wants(plan([line(1, "A", 2)], held, rules=rules)) == ["A:0/0"]


def test_what_locks_soon_is_listed_by_day() -> None:
    """The forecast counts unsettled lines by the day on which their action locks."""
    tomorrow = NOW + timedelta(days=1)
    rows = [
        AtStake(Outcome.HELD, tomorrow, money(3), "USD"),
        AtStake(Outcome.PENDING, tomorrow + timedelta(hours=5), money(4), "USD"),
        AtStake(Outcome.PLANNED, tomorrow, None, "EUR"),
        AtStake(Outcome.CONFIRMED, tomorrow, money(5), "USD"),
        AtStake(Outcome.HELD, None, money(6), "USD"),
        AtStake(Outcome.HELD, NOW, money(7), "USD"),
        AtStake(Outcome.HELD, NOW + timedelta(days=3, seconds=1), money(8), "USD"),
        AtStake(Outcome.HELD, NOW + timedelta(days=3), money(9), "USD"),
    ]
    day = datetime(2026, 11, 24, tzinfo=UTC).date()
    assert locking_soon(rows, NOW, timedelta(days=3)) == [
        LockingDay(day, "EUR", 1, Decimal(0)),
        LockingDay(day, "USD", 2, money(7)),
        LockingDay(day + timedelta(days=2), "USD", 1, money(9)),
    ]
