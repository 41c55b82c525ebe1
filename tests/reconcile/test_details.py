"""Details of the plan that a single changed line of code would disturb: bounds and sums."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from reconcile_makers import (
    GONE,
    ITEMWISE,
    RESTORE,
    REVERSED,
    RULES,
    SOLD,
    action,
    adjustment,
    cancellation,
    item,
    line,
    money,
    plan,
    said,
    unlisted,
    wants,
)

from clawback.reconcile.diff import above
from clawback.reconcile.facts import (
    Decision,
    Desired,
    ItemTarget,
    LineVerdict,
    Normalise,
)
from clawback.reconcile.outcomes import Hold, Outcome
from clawback.reconcile.resolve import find


def ordering(n: int = 1, *, ordered: int = 3, cost: object = 150, **more: object) -> object:
    return line(n, ordered_quantity=ordered, ordered_amount=money(str(cost)), **more)


# --- restoring ------------------------------------------------------------------------------


def test_a_withdrawn_line_is_held_with_its_worth() -> None:
    """A line to restore says its action and its own money, and no commission."""
    held = action(item(now=(1, 50)), settled_by_us=SOLD)
    made = plan([line(7, "A", 1, 45, voided=True)], held)
    assert made.verdicts == (
        LineVerdict(
            7,
            "1.2.3",
            Outcome.HELD,
            Hold.RESTORE_NEEDED,
            RESTORE,
            money(45),
            None,
            "USD",
        ),
    )


def test_the_last_line_that_counts_is_the_one_to_restore() -> None:
    """A line that is held for another reason keeps it; the one before it is to restore."""
    held = action(item("A", 3, 150, now=(1, 50)), item("B"), settled_by_us=SOLD)
    made = plan([line(1), line(2, "A", 9), line(3, "B")], held)
    assert said(made) == {1: "held/restore_needed", 2: "held/over_returned", 3: "planned"}


def test_a_withdrawn_line_of_our_reversal_is_held_whatever_else_is() -> None:
    """Another line that nobody can value does not hide that we took off too much."""
    held = action(item(now=(0, 0)), item("B", now=(0, 0)), state=REVERSED, settled_by_us=GONE)
    lines = [line(1, voided=True), line(2, "B", 1, 5, currency="EUR")]
    assert said(plan(lines, held)) == {1: "held/restore_needed", 2: "already_settled"}


def test_an_undecided_line_keeps_our_reversal() -> None:
    """While a line is undecided, what is desired is not known: nothing to restore."""
    held = action(item(now=(0, 0)), item("B", now=(0, 0)), state=REVERSED, settled_by_us=GONE)
    lines = [line(1), line(2, "B", 1, 5, currency="EUR")]
    assert said(plan(lines, held)) == {1: "already_settled", 2: "already_settled"}


def test_an_action_reversed_by_another_is_not_ours_to_restore() -> None:
    """We lowered it, somebody else reversed it: a withdrawn line is simply ignored."""
    held = action(item(now=(0, 0)), state=REVERSED, settled_by_us=SOLD)
    assert said(plan([line(voided=True)], held)) == {1: "ignored"}


def test_a_cent_below_by_our_change_is_no_difference() -> None:
    """An order's amount that we left a cent too low needs no restoring; two cents do."""
    for left, told in (("49.99", "already_settled"), ("49.98", "held/restore_needed")):
        held = action(amount=left, original_amount=money(100))
        held = replace(held, settled_by_us=Desired(amount=money(left)))
        assert said(plan([line(1, "A", 1, 50)], held)) == {1: told}


def test_a_withdrawn_line_is_found_under_another_spelling() -> None:
    """SKUs are compared as the program says for withdrawn lines too."""
    held = action(
        item("a", now=(1, 50)), settled_by_us=Desired(items=(ItemTarget("a", 1, money(50)),))
    )
    rules = replace(RULES, skus=Normalise(case="upper"))
    assert said(plan([line(1, "A", voided=True)], held, rules=rules)) == {1: "held/restore_needed"}


def test_an_item_in_conflict_needs_no_restoring() -> None:
    """While an item's original is in doubt, nobody knows what it should hold."""
    held = action(item(now=(1, 50)), settled_by_us=SOLD)
    lines = [ordering(1), line(2, voided=True)]
    assert said(plan(lines, held)) == {1: "held/baseline_unknown", 2: "ignored"}


def test_an_item_never_known_needs_no_restoring() -> None:
    """Without originals nothing says that an item at nothing is too low."""
    ours = Desired(items=(ItemTarget("A", 0, money(0)),))
    held = action(unlisted("A", 0, 0), item("B"), settled_by_us=ours)
    assert said(plan([line(voided=True)], held)) == {1: "ignored"}


def test_a_reversed_action_is_not_raised() -> None:
    """Whatever its items still show, a reversed action stands above nothing."""
    assert not above(action(item(), state=REVERSED), SOLD, Decimal("0.01"))
    assert above(action(item()), SOLD, Decimal("0.01"))


# --- amounts off the order ------------------------------------------------------------------


def test_a_later_return_does_not_undo_what_covers_an_earlier_amount() -> None:
    """What is off an item beyond its own claims covers amounts off the order."""
    held = action(item(now=(2, 85)), item("B", now=(2, 85)))
    made = plan([adjustment(1, "", 30), line(2, "B", 1, 50)], held)
    assert said(made) == {1: "planned", 2: "planned"}
    assert wants(made) == ["A:-/80 B:1/40"]
    assert made.changes[0].line_amounts == (15, 35)
    wide = action(*(item(sku, now=(2, 90)) for sku in "ABC"), item("D"))
    made = plan([adjustment(1, "", 30), line(2, "D", 2, 100)], wide)
    assert said(made) == {1: "already_settled", 2: "planned"}


def test_an_items_own_reduction_does_not_cover_the_order() -> None:
    """What an item lost to its own return is not counted for the order's amounts again."""
    held = action(item(now=(1, 50)), item("B"))
    made = plan([line(1), adjustment(2, "", 30), adjustment(3, "", 10)], held)
    assert said(made) == {1: "already_settled", 2: "planned", 3: "planned"}
    assert made.changes[0].line_amounts == (30, 10)


def test_an_over_returned_line_does_not_count_against_the_order() -> None:
    """What a held line asks for is not its own: the rest covers the order's amounts."""
    held = action(item("A", 2, 100, now=(2, 85)), item("B", now=(2, 85)), item("C", 1, 0))
    lines = [adjustment(1, "", 30), line(2, "A", 9, 50), line(3, "C")]
    assert said(plan(lines, held)) == {
        1: "already_settled",
        2: "held/over_returned",
        3: "planned",
    }


def test_a_cent_an_item_is_no_difference_for_the_order() -> None:
    """An amount off the order is covered within a minor unit for each item."""
    held = action(*(item(sku, now=(2, "90.01")) for sku in "ABC"), item("D", 1, 0))
    lines = [adjustment(1, "", 30), line(2, "D")]
    assert said(plan(lines, held)) == {1: "already_settled", 2: "planned"}


def test_an_amount_off_the_order_goes_by_ratio() -> None:
    """30 of 300 EUR ordered is a tenth of the order in dollars too."""
    given = adjustment(1, "", 30, currency="EUR", ordered_quantity=1, ordered_amount=money(300))
    rules = replace(RULES, currency_rule="ratio")
    made = plan([given], action(item("A", 2, 600)), rules=rules)
    assert wants(made) == ["A:-/540"]
    assert (made.verdicts[0].amount, made.verdicts[0].currency) == (60, "USD")


def test_an_amount_off_the_order_may_go_a_cent_over() -> None:
    """Within the tolerance nothing was over-returned; a cent more was."""
    held = action(item(), item("B"))
    for amount, told in (("200.01", "planned"), ("200.02", "held/over_returned")):
        assert said(plan([adjustment(1, "", amount)], held)) == {1: told}


def test_an_over_returned_amount_does_not_stop_the_next() -> None:
    """What goes over counts nothing; the amount after it counts."""
    made = plan([adjustment(1, "", 310), adjustment(2, "", 30)], action(item()))
    assert said(made) == {1: "held/over_returned", 2: "planned"}


def test_an_order_but_for_a_cent_is_all_of_it() -> None:
    """Order tracked: what is left within the tolerance is nothing, a cent more is not."""
    held = action(amount=100)
    assert wants(plan([line(1, "A", 1, "99.99")], held)) == ["reverse"]
    assert wants(plan([line(1, "A", 1, "99.98")], held)) == ["amount=0.02"]


def test_lines_without_units_are_no_units() -> None:
    """Order tracked: a line that gives an amount and no quantity uses up no units."""
    lines = [line(n, "A", None, 10, ordered_quantity=1) for n in (1, 2)]
    assert said(plan(lines, action(amount=100))) == {1: "planned", 2: "planned"}


# --- items ----------------------------------------------------------------------------------


def test_adjustments_add_up() -> None:
    """The third of three adjustments of 40 goes over an item of 100."""
    lines = [adjustment(n, "A", 40) for n in (1, 2, 3)]
    assert said(plan(lines, action(item()))) == {
        1: "planned",
        2: "planned",
        3: "held/over_returned",
    }


def test_an_item_with_units_and_no_amount_is_not_nothing() -> None:
    """An unknown item that still holds a unit keeps the action from being reversed."""
    for left in ((1, 0), (0, 5)):
        held = action(unlisted("A", *left), item("B"), original_amount=money(150))
        made = plan([line(1, "A"), line(2, "B", 2)], held)
        assert said(made) == {1: "held/baseline_unknown", 2: "planned"}
        assert wants(made) == ["B:0/0"]


def test_unknown_lines_of_one_sku_are_held_until_accepted() -> None:
    """Duplicate SKUs need each line's original too; a person may accept what is there."""
    held = action(unlisted("A", 1, 50), unlisted("A", 1, 40), item("B"))
    (verdict,) = plan([line(1, "A", 2)], held).verdicts
    assert verdict.hold is Hold.BASELINE_UNKNOWN
    assert verdict.note.startswith("A was changed before it was first seen (now 1 for 50)")
    accepted = (Decision("accept_baseline", "impact", "b", "me"),)
    made = plan([line(1, "A", 2)], held, decisions=accepted)
    assert wants(made) == ["A:0/0"]
    assert made.changes[0].notes == ()


def test_the_first_of_several_conflicts_is_told() -> None:
    """Of duplicate lines the one in conflict speaks, wherever it stands."""
    held = action(item(), unlisted("A", 1, 40), item("B"))
    (verdict,) = plan([line(1, "A", 3)], held).verdicts
    assert "(now 1 for 40)" in verdict.note


def test_a_cancellation_empties_every_line_of_a_sku() -> None:
    """Item by item: a SKU is emptied as long as one of its lines holds something."""
    held = action(item(), item("A", 1, 60, now=(0, 0)))
    assert wants(plan([cancellation()], held, rules=ITEMWISE)) == ["A:0/0"]


def test_a_line_in_conflict_on_a_reversed_action_keeps_its_worth() -> None:
    """Nothing is left to decide; the line says what its units cost when ordered."""
    made = plan([ordering()], action(item(), state=REVERSED))
    assert said(made) == {1: "already_settled"}
    assert made.verdicts[0].amount == 50


def test_every_action_of_a_split_order_holds_skus_of_its_own() -> None:
    """The third action shares a SKU with the first: nothing tells which one counts."""
    pool = [action(item(sku), id=n) for n, sku in (("a", "A"), ("b", "B"), ("c", "A"))]
    pool = [replace(a, created_at=a.created_at + timedelta(n)) for n, a in enumerate(pool)]
    assert [a.id for a in find(pool, RULES).ambiguous] == ["a", "b", "c"]


def test_a_settled_line_says_what_its_units_came_to() -> None:
    """A line without amount that is covered is worth its share of the original."""
    (verdict,) = plan([line()], action(item(now=(1, 50)))).verdicts
    assert (verdict.amount, verdict.payout) == (50, 5)


def test_a_free_order_with_an_unknown_item_at_nothing_is_gone() -> None:
    """Amount 0: an item that holds no unit any more does not keep the action."""
    held = action(unlisted("A", 0, 0), item("B", 1, 0), original_amount=money(0), payout=money(5))
    assert wants(plan([line(1, "A"), line(2, "B")], held)) == ["reverse"]


def test_a_commission_that_nothing_tells_stays_unknown() -> None:
    """An emptied action whose first payout nobody kept: the line has no commission."""
    held = action(item(now=(0, 0)), original_payout=None, payout=money(0))
    (verdict,) = plan([line(1, "A", 2)], held).verdicts
    assert (verdict.outcome, verdict.payout) == (Outcome.ALREADY_SETTLED, None)
