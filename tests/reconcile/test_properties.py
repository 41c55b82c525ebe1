"""What holds for every order there is, whatever comes back in whatever order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from quick_rows import agree
from reconcile_makers import CENT, NOW, RULES, UNKNOWN, apply, line, order, plan, said
from reconcile_worlds import actions, any_lines, cents, sound_lines, touched

from clawback.reconcile.books import Head, Row, balance
from clawback.reconcile.facts import Action, ActionState, Line, Order, OrderPlan, Rules
from clawback.reconcile.outcomes import Hold, Outcome, combine
from clawback.reconcile.plan import plan_order
from clawback.reconcile.shapes import canary_requests, requests_for

PROVE = settings(
    derandomize=True,
    deadline=None,
    max_examples=120,
    suppress_health_check=[HealthCheck.too_slow],  # a busy machine draws slowly
)
IGNORING = replace(RULES, ignored_reasons=frozenset({"exchange"}))
OURS = {Hold.RESTORE_NEEDED, Hold.CONTESTED}
"""Holds that only a confirmed change of our own can lead to."""
corrections: list[Callable[[Line], Line]] = [
    lambda x: x,
    lambda x: x,
    lambda x: replace(x, voided=not x.voided),
    lambda x: replace(x, vanished=not x.vanished),
    lambda x: replace(x, quantity=x.quantity and 1, amount=x.amount and x.amount / 2),
]
programs = st.sampled_from(
    [
        IGNORING,
        replace(IGNORING, tracking="order"),
        replace(IGNORING, unknown_sku="amount"),
        replace(IGNORING, full_return="items"),
        replace(IGNORING, trust_amounts=False),
    ]
)


def run(lines: list[Line], held: Action, rules: Rules = RULES) -> tuple[OrderPlan, Action]:
    """Plan the order and carry its change out."""
    made = plan(lines, held, rules=rules)
    for change in made.changes:
        held = apply(held, change)
    return made, held


def figures(held: Action) -> list[tuple[int, Decimal]]:
    if held.state is ActionState.REVERSED:
        return [(0, Decimal(0))] * (len(held.items) + 1)
    return [(0, held.amount), *((i.quantity, i.amount) for i in held.items)]


def same(one: Action, other: Action) -> bool:
    """Equal quantities, and amounts within a cent an item."""
    slack = CENT * (len(one.items) + 1)
    return all(
        a[0] == b[0] and abs(a[1] - b[1]) <= slack
        for a, b in zip(figures(one), figures(other), strict=True)
    )


@PROVE
@given(st.data())
def test_any_order_and_any_grouping_end_alike(data: st.DataObject) -> None:
    """The same returns, in any order and in any windows and runs, end in the same state."""
    held = data.draw(actions())
    lines = data.draw(sound_lines(held))
    rules = data.draw(programs)
    shuffled = data.draw(st.permutations(lines))
    cuts = data.draw(st.lists(st.integers(0, len(lines)), max_size=3))
    _, at_once = run(lines, held, rules)
    in_steps = held
    for cut in [*sorted(cuts), len(lines)]:
        if shuffled[:cut]:
            _, in_steps = run(list(shuffled[:cut]), in_steps, rules)
    assert same(at_once, in_steps)


@PROVE
@given(st.data())
def test_the_order_of_rows_does_not_matter(data: st.DataObject) -> None:
    """A plan is the same whatever order the lines are given in."""
    held = data.draw(actions())
    lines = data.draw(any_lines())
    rules = data.draw(programs)
    one = plan(lines, held, rules=rules)
    other = plan(list(data.draw(st.permutations(lines))), held, rules=rules)
    assert one.changes == other.changes
    assert said(one) == said(other)


@PROVE
@given(st.data())
def test_never_above_observed(data: st.DataObject) -> None:
    """Nothing that a change names or a request sends is above what is observed."""
    held = data.draw(actions().flatmap(touched))
    rules = data.draw(programs)
    made = plan(data.draw(any_lines()), held, rules=rules)
    now = {i.sku: i for i in held.items}
    for change in made.changes:
        assert change.expected_amount <= held.amount
        assert change.expected_payout <= held.payout
        assert change.desired.amount is None or change.desired.amount < held.amount
        for target in change.desired.items:
            assert target.quantity is None or target.quantity < now[target.sku].quantity
            assert target.amount is None or target.amount < now[target.sku].amount
            assert (target.quantity, target.amount) != (None, None)
        asked = (change.desired, change.action_id, change.reason, change.verb)
        for request in (*requests_for(*asked, UNKNOWN, held), *canary_requests(*asked, held)):
            form = dict(request.form)
            for name, sku in form.items():
                if name.startswith("Sku"):
                    number = name.removeprefix("Sku")
                    assert int(form[f"Quantity{number}"]) <= now[sku].quantity
                    assert Decimal(form.get(f"Amount{number}", "0")) <= now[sku].amount


@PROVE
@given(st.data())
def test_a_second_plan_is_empty(data: st.DataObject) -> None:
    """Once a plan has taken effect, planning again sends nothing and leaves no line planned."""
    held = data.draw(actions().flatmap(touched))
    rules = data.draw(programs)
    lines = data.draw(any_lines())
    first, after = run(lines, held, rules)
    second = plan(lines, after, rules=rules)
    assert second.changes == ()
    before = {v.line_id for v in first.verdicts if v.outcome is Outcome.PLANNED}
    for verdict in second.verdicts:
        assert verdict.outcome is not Outcome.PLANNED
        if verdict.line_id in before:
            assert verdict.outcome is Outcome.ALREADY_SETTLED


@PROVE
@given(st.data())
def test_history_never_rises(data: st.DataObject) -> None:
    """Over a history of arrivals, withdrawals and other hands, no component ever rises by us."""
    held = data.draw(actions())
    states = [held]
    for _ in range(data.draw(st.integers(1, 4))):
        _, held = run(data.draw(any_lines()), held)
        states.append(held)
    for before, after in pairwise(states):
        for one, other in zip(before.items, after.items, strict=True):
            assert other.quantity <= one.quantity
            assert other.amount <= one.amount


@PROVE
@given(st.data())
def test_what_changes_afterwards_leaves_nothing_unexplained(data: st.DataObject) -> None:
    """Lines withdrawn, corrected and added after our changes: one outcome each, nothing rises."""
    held = data.draw(actions())
    rules = data.draw(programs)
    lines = data.draw(any_lines())
    for _ in range(data.draw(st.integers(1, 3))):
        made, after = run(lines, held, rules)
        assert sorted(v.line_id for v in made.verdicts) == [x.id for x in lines]
        assert held.settled_by_us or not {v.hold for v in made.verdicts} & OURS
        for now, then in zip(figures(after), figures(held), strict=True):
            assert now[0] <= then[0]
            assert now[1] <= then[1]
        held = after
        lines = [data.draw(st.sampled_from(corrections))(x) for x in lines]


@PROVE
@given(st.data())
def test_the_books_balance(data: st.DataObject) -> None:
    """The sum over outcomes is the lines in scope, in lines and to the cent."""
    held = data.draw(actions().flatmap(touched))
    lines = data.draw(any_lines())
    made = plan(lines, *data.draw(st.sampled_from([(held,), ()])), rules=data.draw(programs))
    assert sorted({v.line_id for v in made.verdicts}) == [x.id for x in lines]
    assert len(made.verdicts) == len(lines)
    head = Head("p", "r", NOW, NOW, "USD", read=len(lines), carried_in=0)
    books = balance(
        head,
        (Row(v.outcome, v.hold, v.amount, v.payout, v.currency) for v in made.verdicts),
        changes={},
        requests={},
    )
    assert books.balances
    told = books.to_json()
    amounts = [v.amount for v in made.verdicts if v.currency == "USD" and v.amount is not None]
    assert sum(Decimal(o["amount"]) for o in told["outcomes"].values()) == sum(amounts)
    assert sum(o["lines"] for o in told["outcomes"].values()) == len(lines)


@PROVE
@given(st.data())
def test_a_change_and_its_lines_agree(data: st.DataObject) -> None:
    """The lines of a change are those that its verdicts call planned; their amounts add up."""
    held = data.draw(st.one_of(actions(), actions().flatmap(touched)))
    lines = data.draw(st.one_of(any_lines(), sound_lines(held)))
    made = plan(lines, held, rules=data.draw(programs))
    planned = {v.line_id for v in made.verdicts if v.outcome is Outcome.PLANNED}
    covered = [line_id for change in made.changes for line_id in change.line_ids]
    assert sorted(covered) == sorted(planned)
    for change in made.changes:
        assert sum(change.line_amounts) == change.before_amount - change.expected_amount
        assert all(amount >= 0 for amount in change.line_amounts)


@PROVE
@given(st.data())
def test_no_change_where_there_must_be_none(data: st.DataObject) -> None:
    """A plan never touches a locked action, an open one, or a SKU that the action does not hold."""
    held = data.draw(actions().flatmap(touched))
    lines = data.draw(any_lines())
    rules = data.draw(programs)
    for closed in (
        replace(held, locking_at=NOW),
        replace(held, cleared_at=NOW - timedelta(days=1)),
        replace(held, refused_final=True),
        replace(held, open_change=True),
    ):
        assert plan(lines, closed, rules=rules).changes == ()
    for change in plan(lines, held, rules=rules).changes:
        assert {t.sku for t in change.desired.items} <= {i.sku for i in held.items}


@PROVE
@given(st.data())
def test_one_line_concerns_one_order(data: st.DataObject) -> None:
    """Taking one return line away changes nothing but the plan of its own order."""
    held, other = data.draw(actions()), data.draw(actions())
    lines, others = data.draw(any_lines()), data.draw(any_lines())
    orders = [order(lines, held), Order("O2", tuple(others), (replace(other, id="9"),))]
    fewer = [order(lines[1:], held), orders[1]]
    all_plans = [plan_order(o, RULES, UNKNOWN, NOW) for o in orders]
    fewer_plans = [plan_order(o, RULES, UNKNOWN, NOW) for o in fewer]
    assert all_plans[1] == fewer_plans[1]


@settings(PROVE, max_examples=400)
@given(st.data())
def test_the_quick_way_is_the_full_way(data: st.DataObject) -> None:
    """Where a simple order takes the quick way, the full way gives the very same plan."""
    held = data.draw(st.one_of(actions(), actions().flatmap(touched)))
    returned = line(
        1,
        data.draw(st.sampled_from("AAABCX")),
        data.draw(st.integers(1, 5)),
        data.draw(st.one_of(st.none(), cents)),
        ordered_quantity=data.draw(st.sampled_from([None, 2, held.items[0].quantity])),
        ordered_amount=data.draw(st.sampled_from([None, held.items[0].amount])),
    )
    rules = data.draw(programs)
    asked = order([returned], held)
    agree(asked, rules, NOW, plan_order(asked, rules, UNKNOWN, NOW))


@PROVE
@given(st.data())
def test_several_actions_leave_one_outcome(data: st.DataObject) -> None:
    """Whatever actions an order has, each line ends with outcomes of which one can be taken."""
    pool = [
        replace(data.draw(actions()), id=str(n), tracker_id=data.draw(st.sampled_from("TU")))
        for n in range(data.draw(st.integers(0, 3)))
    ]
    lines = data.draw(any_lines())
    made = plan(lines, *pool, rules=data.draw(programs))
    for each in lines:
        outcomes = [v.outcome for v in made.verdicts if v.line_id == each.id]
        assert outcomes
        assert len(outcomes) == 1 or combine(outcomes)
    changed = [change.action_id for change in made.changes]
    assert len(changed) == len(set(changed))
