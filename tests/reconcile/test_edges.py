"""The edges of the rules: what a small slip in one of them would change."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import product

import pytest
from quick_rows import agree
from reconcile_makers import (
    ITEMWISE,
    NOW,
    ORDERWISE,
    RULES,
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

from clawback.reconcile.answers import NO_ANSWERS, Answers
from clawback.reconcile.evidence import judge, learn, payout_surprise
from clawback.reconcile.facts import (
    ActionState,
    Decision,
    Desired,
    Item,
    ItemTarget,
    Judgement,
    Learned,
    Normalise,
    Observed,
    Request,
    Verb,
)
from clawback.reconcile.originals import UpdateRow, baseline, items_from_updates
from clawback.reconcile.outcomes import Outcome
from clawback.reconcile.plan import plan_order
from clawback.reconcile.resolve import find, impact_sku
from clawback.reconcile.shapes import requests_for

VARIANTS = [
    RULES,
    ITEMWISE,
    ORDERWISE,
    replace(RULES, trust_amounts=False),
    replace(RULES, placeholder_skus=frozenset({"A"})),
    replace(RULES, trackers=frozenset({"T1"})),
    replace(RULES, trackers=frozenset({"T2"})),
    replace(RULES, skus=Normalise(case="lower")),
    replace(RULES, sku_map={"A": "B"}),
    replace(RULES, ignored_reasons=frozenset({"returned"})),
]
HELD = [
    action(item()),
    action(item(), item("B")),
    action(item(), item("G", 1, 0)),
    action(item(), item("B", now=(0, 0))),
    action(item(), item("A", 1, 10)),
    action(item("A", 2, 0), item("B")),
    action(item("A", 2, "0.01"), item("B")),
    action(item(now=(1, 50)), item("B")),
    action(item(now=(2, 90)), item("B")),
    action(item(), payout=Decimal(0)),
    replace(action(item()), original_payout=None),
    replace(action(item()), original_amount=money(120)),
    replace(action(item()), modifications=990),
    replace(action(item()), locking_at=NOW),
    replace(action(item()), open_change=True),
    replace(action(item()), rejected_identity="x"),
    replace(action(item()), state=ActionState.REVERSED),
    replace(action(item()), state=ActionState.APPROVED),
    replace(action(item()), settled_by_us=Desired(reverse=True)),
]


def both_ways(lines: list[object], held: object, rules: object = RULES) -> bool:
    """Whether an order takes the quick way; if so, both ways agree."""
    asked = order(lines, held)  # type: ignore[arg-type]
    made = plan_order(asked, rules, UNKNOWN, NOW)  # type: ignore[arg-type]
    return agree(asked, rules, NOW, made)  # type: ignore[arg-type]


@pytest.mark.parametrize("rules", VARIANTS, ids=range(len(VARIANTS)))
@pytest.mark.parametrize("held", HELD, ids=range(len(HELD)))
def test_both_ways_agree(held: object, rules: object) -> None:
    """Whatever takes the quick way comes out as the full way says, figure by figure."""
    figures = product(
        (1, 2, 3),
        (None, 0, "0.01", "33.335", 50, 100, 150),
        ((None, None), (2, None), (2, 100), (2, 119), (3, 150)),
    )
    for quantity, amount, (ordered, cost) in figures:
        returned = line(
            1,
            "A",
            quantity,
            amount,
            ordered_quantity=ordered,
            ordered_amount=None if cost is None else money(cost),
        )
        both_ways([returned], held, rules)


@pytest.mark.parametrize(
    "more",
    [
        {"voided": True},
        {"vanished": True},
        {"parent_sku": "B"},
        {"currency": "EUR"},
        {"reason": "other"},
    ],
)
def test_both_ways_agree_on_odd_lines(more: dict[str, object]) -> None:
    """Lines with something odd about them come out alike too."""
    both_ways([line(1, "A", 1, 50, **more)], action(item(), item("B")))


def test_simple_orders_take_the_quick_way() -> None:
    """The commonest orders are planned quickly; anything out of the way is not."""
    assert both_ways([line(1, "A", 1, 50)], action(item()))
    assert both_ways([line(1, "A", 2)], action(item()))
    assert both_ways([line(1, "A", 2)], action(item(), item("B")))
    assert both_ways([line(1, "A", 2)], action(item(), item("G", 1, 0)))
    assert both_ways([line(1, "A", 1, ordered_quantity=2)], action(item()))
    assert both_ways([line()], action(item()), replace(RULES, trackers=frozenset({"T1"})))
    assert not both_ways([line(1, "A", 3)], action(item()))
    assert not both_ways([line(1, "A", 1, 0)], action(item()))
    assert not both_ways([line()], action(item(now=(1, 50))))
    assert both_ways([line()], action(item(), modifications=989))
    assert not both_ways([line()], action(item(), modifications=990))


def test_both_ways_agree_where_a_share_lies_half_way() -> None:
    """A seventh rounded to 28 digits is not half a cent any more; such an order goes the full way.

    1.33 x (2.50 / 7) / 5.00 is 0.095 exactly, and a little less in decimals.
    """
    held = action(item("A", 7, "2.50"), item("B", 1, "2.50"), original_payout=money("1.33"))
    assert not both_ways([line()], held)
    assert plan([line()], held).verdicts[0].payout == money("0.09")
    assert both_ways([line()], replace(held, original_payout=money("1.34")))


def test_both_ways_agree_at_the_ends() -> None:
    """Sums beyond exact decimals, actions of nothing, goods gone for money, wide tolerances."""
    huge = action(item("A", 2, 10**13))
    assert not both_ways([line()], huge)
    assert both_ways([line()], action(item("A", 2, 10**6)))
    assert not both_ways([line()], action(item(), amount=0, original_amount=money(0)))
    gone = action(item(), item("B", now=(0, 10)), original_amount=money(110))
    assert both_ways([line(1, "A", 2)], gone)
    assert wants(plan([line(1, "A", 2)], gone)) == ["reverse"]
    wide = replace(RULES, tolerance_units=5)
    assert not both_ways([line(1, "A", 1, "0.05")], action(item()), wide)
    assert both_ways([line(1, "A", 1, "0.06")], action(item()), wide)
    unsaid = replace(RULES, ignored_reasons=frozenset({""}))
    assert not both_ways([line(reason="")], action(item()), unsaid)
    assert both_ways([line(parent_sku="B")], action(item(), item("B")))


def test_decisions_are_told_apart() -> None:
    """Each verb has its own values; the last accepted baseline counts."""
    verbs = ("pick_action", "accept_baseline", "ignore", "retry", "stand_back", "accept_baseline")
    found = Answers.of([Decision(verb, f"v{n}", "", "") for n, verb in enumerate(verbs)])
    assert found == Answers(
        frozenset({"v0"}), "v5", frozenset({"v2"}), frozenset({"v3"}), frozenset({"v4"})
    )
    assert Answers.of([Decision("accept_baseline", "", "", "")]).accept == "impact"
    assert Answers.of([]) == NO_ANSWERS


def test_a_change_covers_only_its_open_lines() -> None:
    """Settled and held lines are no lines of the change."""
    held = action(item("A", 5, 100, now=(4, 80)), item("B"))
    made = plan([line(1, "A", 9), line(2), line(3), line(4, "X")], held)
    assert said(made) == {
        1: "held/over_returned",
        2: "already_settled",
        3: "planned",
        4: "held/unknown_sku",
    }
    assert made.changes[0].line_ids == (3,)
    assert made.changes[0].line_amounts == (20,)
    assert made.changes[0].expected_amount == 160


def test_another_rejected_identity_does_not_count() -> None:
    """Only the very change that was refused is not sent again."""
    for identity in ("0", "z"):
        assert said(plan([line()], action(item(), rejected_identity=identity))) == {1: "planned"}


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"cleared_at": NOW}, "was paid out on 2026-11-23"),
        ({"refused_final": True}, "refused a change"),
        ({"locking_at": NOW}, "locked on 2026-11-23 00:00 UTC"),
    ],
)
def test_a_locked_line_says_why(more: dict[str, object], told: str) -> None:
    """The note of a locked line names what locked it."""
    assert told in plan([line()], action(item(), **more)).verdicts[0].note


def test_an_adjustment_without_amount_is_held() -> None:
    """Ordered figures without units give no amount."""
    given = {"ordered_quantity": 2, "ordered_amount": money(100)}
    assert said(plan([adjustment(1, "A", None, **given)], action(item()))) == {
        1: "held/baseline_unknown"
    }


def test_units_multiply() -> None:
    """Two units take off twice what one does, by item and by order."""
    assert wants(plan([line(1, "A", 3), line(2, "B", 1)], action(item("A", 4), item("B")))) == [
        "A:1/25 B:1/50"
    ]
    ordered = line(1, "A", 2, None, ordered_quantity=4, ordered_amount=money(80))
    made = plan([ordered], action(item()), rules=ORDERWISE)
    assert wants(made) == ["amount=60"]
    assert made.verdicts[0].amount == 40
    assert plan([line(1, "A", 2)], action(item("A", 4))).verdicts[0].amount == 50


def test_an_item_of_its_own_is_no_part_of_a_bundle() -> None:
    """A SKU that the action holds counts as itself, whatever its parent."""
    held = action(item("A"), item("B"))
    assert wants(plan([line(1, "A", 1, 50, parent_sku="B")], held)) == ["A:1/50"]
    held = action(item("B"), item("C"))
    assert wants(plan([line(1, "AA", 1, 30, parent_sku="B")], held)) == ["B:-/70"]


def test_a_held_line_does_not_stop_the_next() -> None:
    """A line that is held counts nothing; the lines after it count."""
    held = action(item("A", 5), item("B"))
    lines = [line(1, "A", 1, 20, currency="EUR"), line(2, "A", 1, 20), line(3, "A", 1, 20)]
    made = plan(lines, held)
    assert said(made) == {1: "held/currency_mismatch", 2: "planned", 3: "planned"}
    assert wants(made) == ["A:3/60"]
    wide = [adjustment(1, "", 5, currency="EUR"), adjustment(2, "", None), adjustment(3, "", 10)]
    assert said(plan(wide, held)) == {
        1: "held/currency_mismatch",
        2: "held/baseline_unknown",
        3: "planned",
    }
    ordered = [
        adjustment(1, "A", 5),
        line(2, "A", 2, 5, ordered_quantity=3),
        line(3, "A", 2, 5, ordered_quantity=3),
        line(4, "A", 1, 5, ordered_quantity=3),
    ]
    assert said(plan(ordered, held, rules=ORDERWISE)) == {
        1: "planned",
        2: "planned",
        3: "held/over_returned",
        4: "planned",
    }


@pytest.mark.parametrize(
    ("amount", "payout", "told"),
    [
        (0, 0, "already_settled"),
        ("0.01", 0, "already_settled"),
        ("0.02", 0, "planned"),
        (0, 5, "planned"),
    ],
)
def test_an_order_at_nothing_is_settled(amount: object, payout: int, told: str) -> None:
    """An order tracked without items and worth nothing is settled, unless it still pays."""
    held = action(amount=amount, original_amount=money(100), payout=money(payout))
    assert said(plan([line(1, "A", 1, 100)], held)) == {1: told}
    assert wants(plan([cancellation()], held)) == ["reverse"]


@pytest.mark.parametrize(("payout", "told"), [(0, "already_settled"), (5, "planned")])
def test_items_at_nothing_are_settled(payout: int, told: str) -> None:
    """An action whose items are all at nothing is settled, unless it still pays."""
    held = action(item(now=(0, 0)), payout=money(payout))
    assert said(plan([line(1, "A", 2)], held)) == {1: told}
    assert wants(plan([cancellation()], held)) == ["reverse"]
    assert said(plan([line(1, "A", 2)], held, rules=ITEMWISE)) == {1: "already_settled"}


def test_a_cancellation_item_by_item_empties_what_is_left() -> None:
    """Only components that still hold something are named."""
    held = action(item("A"), item("B", now=(0, 30)), item("C", now=(1, 0)), item("D", now=(0, 0)))
    assert wants(plan([cancellation()], held, rules=ITEMWISE)) == ["A:0/0 B:-/0 C:0/-"]


def test_an_unknown_item_that_still_holds_something_is_held() -> None:
    """Nothing left to decide means neither units nor money."""
    for now in ((0, 9), (1, 0)):
        odd = item("A", now=now, original_quantity=None, original_amount=None)
        held = action(odd, item("B"), original_amount=money(200), original_payout=money(20))
        assert said(plan([line(1, "A", 1, 5)], held)) == {1: "held/baseline_unknown"}


def test_spellings_of_one_sku_are_each_emptied() -> None:
    """A duplicate SKU in two spellings is set to nothing in both."""
    rules = replace(RULES, skus=Normalise(case="upper"))
    made = plan([line(1, "A", 3)], action(item("A"), item("a", 1, 50), item("B")), rules=rules)
    assert wants(made) == ["A:0/0 a:0/0"]


def test_money_and_adjustments_decide_on_reversal() -> None:
    """Units that stay, or money on goods kept, keep an action from being reversed."""
    bundle = action(item("A", 2))
    parts = [line(1, "X", 1, 60, parent_sku="A"), line(2, "Y", 1, 40, parent_sku="A")]
    assert wants(plan(parts, bundle)) == ["reverse"]
    assert wants(plan([parts[0], adjustment(3, "A", 40)], bundle)) == ["A:-/0"]
    assert wants(plan([line(1, "A", 1, 100), parts[0]], bundle)) == ["A:1/0"]
    assert wants(plan([line(1, "A", 2), line(2, "X")], action(item(), item("B")))) == ["A:0/0"]


def test_our_own_state_is_not_contested() -> None:
    """An action that stands where our change left it may be lowered further."""
    settled = Desired(items=(ItemTarget("B", 1, money(50)),))
    held = action(item("A"), item("B", now=(1, 50)), settled_by_us=settled)
    assert said(plan([line(1, "A"), line(2, "B")], held)) == {1: "planned", 2: "already_settled"}
    ordered = action(amount=60, original_amount=money(100), settled_by_us=Desired(amount=money(60)))
    assert wants(plan([line(1, "A", 1, 40), line(2, "B", 1, 10)], ordered)) == ["amount=50"]


@pytest.mark.parametrize(
    ("target", "now", "told"),
    [
        (ItemTarget("B", None, money(80)), (2, 80), "held/restore_needed"),
        (ItemTarget("B", 1, None), (1, 100), "held/restore_needed"),
        (ItemTarget("B", 1, None), (2, 100), "ignored"),
        (ItemTarget("B", None, money(80)), (2, 100), "ignored"),
        (ItemTarget("B", None, money("99.99")), (2, "99.99"), "ignored"),
    ],
)
def test_each_component_calls_for_restoring(
    target: ItemTarget, now: tuple[int, object], told: str
) -> None:
    """A withdrawn line is held where quantity or amount stands too low by our own change."""
    held = action(item("A"), item("B", now=now), item("C"), settled_by_us=Desired(items=(target,)))
    assert said(plan([line(1, "B", voided=True)], held)) == {1: told}


def test_the_last_line_is_the_one_to_restore() -> None:
    """Of several lines that now say less than we took off, the last is held."""
    held = action(
        item("A", 5, 100, now=(2, 40)),
        settled_by_us=Desired(items=(ItemTarget("A", 2, money(40)),)),
    )
    assert said(plan([line(1), line(2)], held)) == {1: "already_settled", 2: "held/restore_needed"}


def test_ignoring_one_hold_leaves_another() -> None:
    """A person waives one kind of hold, not all."""
    made = plan(
        [line(1, "A", 9), line(2, "X")],
        action(item()),
        decisions=(Decision("ignore", "over_returned", "", ""),),
    )
    assert said(made) == {1: "ignored", 2: "held/unknown_sku"}


def test_a_held_line_names_the_commission_at_stake() -> None:
    """A held line with an amount says what it would take back."""
    held = plan([line(1, "X", 1, 10)], action(item())).verdicts[0]
    assert (held.outcome, held.payout) == (Outcome.HELD, money("1.00"))
    twice = plan([line(1, "A", 1)], action(item(), item("A", 1, 50))).verdicts[0]
    assert twice.payout == money("5.00")


def test_a_line_on_a_free_order_keeps_its_worth() -> None:
    """Nothing comes off an action of amount 0, the line says what it cost all the same."""
    given = {"ordered_quantity": 2, "ordered_amount": money(30)}
    made = plan([line(1, "A", 1, None, **given)], action(amount=0))
    assert made.verdicts[0].amount == 15
    other = plan([line(1, "A", 1, None, **given, currency="EUR")], action(amount=0))
    assert other.verdicts[0].amount is None


def test_a_sku_is_normalised_by_any_one_step() -> None:
    """Each single setting is enough."""
    for how, sku in (
        (Normalise(trim=True), " A "),
        (Normalise(case="upper"), "a"),
        (Normalise(prefix="x-"), "x-A"),
        (Normalise(pattern="([A-Z])"), "1A1"),
    ):
        assert impact_sku(sku, replace(RULES, skus=how)) == "A"


def test_one_live_action_without_items_is_that_one() -> None:
    """Of a reversed and a live action tracked without items, the live one."""
    gone = action(id="x", amount=0, original_amount=money(9), state=ActionState.REVERSED)
    found = find([gone, action(id="y", amount=9)], RULES)
    assert [part.action.id for part in found.parts] == ["y"]
    small = action(id="x", amount=0, original_amount=money("0.50"), payout=money(0))
    found = find([small, action(id="y", amount=9)], RULES)
    assert [part.action.id for part in found.parts] == ["y"]


def test_each_form_has_its_shape() -> None:
    """Shapes name what the canary proves separately."""
    held = action(item(), item("B"))

    def shapes(*targets: ItemTarget, learned: Learned = UNKNOWN) -> list[str]:
        desired = Desired(items=targets)
        return [r.shape for r in requests_for(desired, "1", "X", Verb.MODIFY, learned, held)]

    some, gone = ItemTarget("A", 1, money(50)), ItemTarget("B", 0, money(0))
    assert shapes(some) == ["item"]
    assert shapes(gone) == ["item_gone"]
    assert shapes(some, gone) == ["item", "item_gone"]
    assert shapes(some, gone, learned=Learned(indexed_items=True)) == ["items"]
    follows = Learned(amount_follows_quantity=True)
    assert shapes(some, learned=follows) == ["item"]
    zero = action(item(now=(0, 9)))
    (request,) = requests_for(
        Desired(items=(ItemTarget("A", None, money(0)),)), "1", "X", Verb.MODIFY, UNKNOWN, zero
    )
    assert request.shape == "item"
    assert request.form[2:4] == (("Quantity", "0"), ("Amount", "0.00"))
    assert (
        requests_for(Desired(reverse=True), "1", "X", Verb.REVERSE, UNKNOWN)[0].shape == "reverse"
    )
    assert requests_for(Desired(amount=money(1)), "1", "X", Verb.MODIFY, UNKNOWN)[0].form == (
        *(("ActionId", "1"), ("Amount", "1"), ("Reason", "X")),
    )


def test_an_amount_that_falls_alone_is_always_sent() -> None:
    """Where the quantity stays, no known behaviour lets the amount be left out."""
    (request,) = requests_for(
        Desired(items=(ItemTarget("A", None, money(100)),)),
        *("1", "X", Verb.MODIFY, Learned(amount_follows_quantity=True), action(item())),
    )
    assert ("Amount", "100.00") in request.form
    (blind,) = requests_for(
        Desired(items=(ItemTarget("A", 1, money(5)),)),
        *("1", "X", Verb.MODIFY, Learned(amount_follows_quantity=True), None),
    )
    assert ("Amount", "5") in blind.form


def test_proportional_amounts_merge_once_proved() -> None:
    """What is known of proportional amounts serves those alone."""
    held = action(item(), item("B"), item("C"))
    learned = Learned(indexed_items=True, indexed_proportional=True)
    even = tuple(ItemTarget(sku, 1, money(50)) for sku in "ABC")
    assert len(requests_for(Desired(items=even), "1", "X", Verb.MODIFY, learned, held)) == 1
    odd = (ItemTarget("A", 1, money(40)), ItemTarget("B", 1, money(30)), even[2])
    sent = requests_for(Desired(items=odd), "1", "X", Verb.MODIFY, learned, held)
    assert [[v for n, v in r.form if n.startswith("Sku")] for r in sent] == [["A", "C"], ["B"]]


def test_a_payout_that_stays_is_no_surprise() -> None:
    """Equal to what it was and to what was expected."""
    assert payout_surprise(money(10), money(10), money(10), money("0.01")) is None


def test_a_reversal_does_not_end_the_lesson() -> None:
    """Of several requests those that modify teach; a quantity below the one sent is not it."""
    before = action(item(), item("B", 3, 90))
    form = (("Sku", "A"), ("Quantity", "1"), ("Sku2", "B"), ("Quantity2", "2"))
    sent = (Request(Verb.REVERSE, (), "reverse"), Request(Verb.MODIFY, form, "items"))

    def taught(quantity: int) -> bool | None:
        after = (item(now=(1, 100)), item("B", now=(quantity, 60)))
        seen = Observed(ActionState.PENDING, money(0), money(0), after, items_current=True)
        return learn(UNKNOWN, sent, before, seen, money("0.01")).indexed_items

    assert taught(2) is True
    assert taught(1) is False
    assert taught(3) is False


def test_tolerance_is_so_many_minor_units() -> None:
    """A program may widen or close the difference that is none."""
    held = action(item(now=(1, "50.02")))
    for units, told in ((0, "planned"), (1, "planned"), (2, "already_settled")):
        rules = replace(RULES, tolerance_units=units)
        assert said(plan([line(1, "A", 1, 50)], held, rules=rules)) == {1: told}


def test_the_safety_margin_includes_its_end() -> None:
    """Two hours before locking a change is urgent."""
    made = plan([line()], action(item(), locking_at=NOW + RULES.safety_margin))
    assert made.changes[0].urgent


def test_any_other_currency_is_another() -> None:
    """It does not matter which of two codes comes first in the alphabet."""
    held = action(item())
    assert said(plan([line(1, "A", 1, 9, currency="ZAR")], held)) == {1: "held/currency_mismatch"}
    odd = item("A", now=(1, 50), original_quantity=None, original_amount=None)
    given = {"ordered_quantity": 2, "ordered_amount": money(100), "currency": "ZAR"}
    assert said(plan([line(1, "A", 1, None, **given)], action(odd))) == {1: "held/baseline_unknown"}


@pytest.mark.parametrize(("amount", "left"), [("100.50", "0"), ("99.50", "0.5"), ("98", "2")])
def test_an_amount_never_falls_below_zero(amount: str, left: str) -> None:
    """Near zero the remaining amount is exact, and never negative."""
    lines = [line(1, "A", 1, amount)]
    assert wants(plan(lines, action(item(), item("B")))) == [f"A:1/{left}"]


def test_over_returns_say_how_much_was_left() -> None:
    """The note of an over-returned line gives both figures."""
    made = plan([line(1, "A", 1), line(2, "A", 2), adjustment(3, "A", 20)], action(item()))
    assert "2 of A came back where 1 were left" in made.verdicts[1].note
    made = plan([adjustment(1, "A", 30), adjustment(2, "A", 90)], action(item()))
    assert "90 off A was paid back where 70 was left" in made.verdicts[1].note
    made = plan([adjustment(1, "", 30), adjustment(2, "", 90)], action(item()))
    assert "90 off the order was paid back where 70 was left" in made.verdicts[1].note
    assert said(plan([adjustment(1, "A", "100.01")], action(item()))) == {1: "planned"}
    assert said(plan([adjustment(1, "A", "100.02")], action(item()))) == {1: "held/over_returned"}


def test_an_unknown_item_does_not_stop_another() -> None:
    """One item held for its baseline, the other goes ahead; at nothing, it does not matter."""
    unknown = {"original_quantity": None, "original_amount": None}
    lines = [line(1, "A", 1, 5), line(2, "B", 2)]
    first = {"original_amount": money(200), "original_payout": money(20)}
    made = plan(lines, action(item("A", now=(1, 9), **unknown), item("B"), **first))
    assert said(made) == {1: "held/baseline_unknown", 2: "planned"}
    assert wants(made) == ["B:0/0"]
    made = plan(lines, action(item("A", now=(0, 0), **unknown), item("B"), **first))
    assert wants(made) == ["reverse"]


def test_free_units_are_covered_one_by_one() -> None:
    """Without money, units alone tell which lines earlier reductions cover."""
    held = action(item("G", 5, 0, now=(4, 0)), item("B"))
    made = plan([line(1, "G"), line(2, "G"), line(3, "G")], held)
    assert said(made) == {1: "already_settled", 2: "planned", 3: "planned"}


def test_a_cent_does_not_uncover_a_line() -> None:
    """A line a cent above what was taken off is covered."""
    held = action(item("A", 3, 150, now=(2, 100)), item("B"))
    made = plan([line(1, "A", 1, "50.01"), line(2, "A", 1, 50)], held)
    assert said(made) == {1: "already_settled", 2: "planned"}
    held = action(amount="60.01", original_amount=money(100))
    assert said(plan([line(1, "A", 1, 40)], held)) == {1: "already_settled"}
    held = action(amount="60.02", original_amount=money(100))
    assert said(plan([line(1, "A", 1, 40)], held)) == {1: "planned"}


def test_amounts_off_an_order_are_covered_in_turn() -> None:
    """What items lost beyond their own returns covers amounts off the order, in order."""
    held = action(item("A", now=(2, 90)), item("B", 2, 200, now=(2, 180)))
    made = plan([adjustment(1, "", 30), adjustment(2, "", 15)], held)
    assert said(made) == {1: "already_settled", 2: "planned"}
    held = action(item("A", now=(1, 44)), item("B", 2, 200, now=(2, 176)))
    made = plan([line(1, "A", 1, 50), adjustment(2, "", 30), adjustment(3, "", 25)], held)
    assert said(made) == {1: "already_settled", 2: "already_settled", 3: "planned"}
    assert wants(made) == ["A:-/39 B:-/156"]


def test_two_lines_are_put_in_order() -> None:
    """The earlier return counts, whichever is given first."""
    assert said(plan([line(2, "A", 1), line(1, "A", 2)], action(item()))) == {
        1: "planned",
        2: "held/over_returned",
    }


def test_a_decision_on_a_simple_order_counts() -> None:
    """The quick way never passes a decision by."""
    made = plan([line()], action(item()), decisions=(Decision("stand_back", "", "", ""),))
    assert said(made) == {1: "ignored"}


def test_a_cent_above_our_change_is_not_contested() -> None:
    """For orders tracked without items too."""
    settled = Desired(amount=money(60))
    lines = [line(1, "A", 1, 40), line(2, "B", 1, 10)]
    for now, told in (("60.01", "planned"), ("60.02", "held/contested")):
        held = action(amount=now, original_amount=money(100), settled_by_us=settled)
        assert said(plan(lines, held))[2] == told


def test_doubt_looks_at_the_named_item() -> None:
    """The amount that the lists must show is that of the items that were changed."""
    before = action(item(), item("B", 2, 80))
    desired = Desired(items=(ItemTarget("A", 1, money(50)),))
    for amount, told in ((130, Judgement.DOUBT), (150, Judgement.WAITING)):
        seen = Observed(ActionState.PENDING, money(amount), money(1))
        found = judge(desired, before, seen, None, deadline_passed=False, tolerance=money("0.01"))
        assert found is told


def test_creation_records_are_those_of_the_first_instant() -> None:
    """A later row marked as creation is none; an unmarked first one at CreationDate is."""
    born = NOW - timedelta(days=9)

    def row(n: int, hours: int, amount: int, disposition: str) -> UpdateRow:
        at = born + timedelta(hours=hours)
        return UpdateRow(str(n), "A", 2, money(amount), money(0), disposition, at)

    again = items_from_updates([row(1, 0, 100, "IR_BLANK"), row(2, 5, -9, "IR_BLANK")], money(91))
    assert (again.original_amount, again.unknown) == (100, {"A"})
    unmarked = items_from_updates([row(1, 0, 100, ""), row(2, 5, -9, "")], money(91), born)
    assert unmarked.items[0].original_amount == 100
    late = items_from_updates([row(2, 5, -9, "")], money(-9), born)
    assert late.items[0].quantity == 0
    early = row(3, 0, 5, "A")
    whole = items_from_updates(
        [row(1, 0, 100, "IR_BLANK"), replace(early, sku=""), replace(early, id="4", sku="B")],
        money(110),
    )
    assert [i.sku for i in whole.items] == ["A", "B"]


def test_a_baseline_needs_both_figures() -> None:
    """A quantity without amount is no baseline; an ordered quantity equal to the present is."""
    half = Item("A", 1, money(50), 2, None, touched=True)
    assert baseline(half, [], "USD").conflict
    touched = Item("A", 2, money(50), None, None, touched=True)
    given = line(1, ordered_quantity=2, ordered_amount=money(100))
    assert baseline(touched, [line(2), given], "USD")[:2] == (2, 100)
    twice = [given, line(2, ordered_quantity=3)]
    assert "both 2 and 3" in baseline(touched, twice, "USD").conflict
