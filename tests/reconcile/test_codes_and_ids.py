"""Reason codes, and how ids are made alike."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from reconcile_makers import NOW, RULES, action, item, line, money

from clawback.reconcile.facts import ActionState, Codes, Desired, Item, Normalise
from clawback.reconcile.outcomes import Outcome, combine
from clawback.reconcile.reasons import check_codes
from clawback.reconcile.resolve import base_of, find, impact_sku, normalise, route


@pytest.mark.parametrize(
    ("how", "text", "expected"),
    [
        (Normalise(), " a-1 ", " a-1 "),
        (Normalise(trim=True), " a-1 ", "a-1"),
        (Normalise(case="upper"), "a-1", "A-1"),
        (Normalise(case="lower"), "A-1", "a-1"),
        (Normalise(prefix="WEB-"), "WEB-17", "17"),
        (Normalise(prefix="WEB-"), "web-17", "web-17"),
        (Normalise(prefix="web-", case="upper"), "Web-17", "17"),
        (Normalise(prefix="WEB-", case="lower"), "Web-17", "17"),
        (Normalise(pattern=r"(\d+)"), "order 17/b", "17"),
        (Normalise(pattern=r"\d+"), "order 17/b", "17"),
        (Normalise(pattern=r"#(\d+)?"), "order #", "order #"),
        (Normalise(pattern=r"x(\d+)"), "order 17", "order 17"),
        (Normalise(trim=True, case="upper", prefix="w-", pattern=r"^(\w+)-"), " w-ab-1 ", "AB"),
    ],
)
def test_ids_are_made_alike(how: Normalise, text: str, expected: str) -> None:
    """Each step happens where it is asked for, in order: trim, case, prefix, pattern."""
    assert normalise(text, how) == expected


def test_a_sku_is_mapped_raw_or_normalised() -> None:
    """The map may name the SKU as the warehouse writes it or as it is compared."""
    rules = replace(RULES, skus=Normalise(case="upper"), sku_map={"raw-1": "x", "RAW-2": "y"})
    assert impact_sku("raw-1", rules) == "X"
    assert impact_sku("raw-2", rules) == "Y"
    assert impact_sku("raw-3", rules) == "RAW-3"
    assert impact_sku("raw-3", replace(RULES, sku_map={"raw-1": "x"})) == "raw-3"


def test_the_default_codes_are_codes() -> None:
    """The default mapping passes its own check."""
    check_codes("anything", RULES.default_codes)


@pytest.mark.parametrize(
    ("codes", "told"),
    [
        (Codes("NONSENSE", "ITEM_RETURNED"), "no code 'NONSENSE' for modify"),
        (Codes("ORDER_UPDATE", "ORDER_UPDATE"), "no code 'ORDER_UPDATE' for reverse"),
        (Codes("item_returned", "ITEM_RETURNED"), "no code 'item_returned' for modify"),
        (Codes("RESET", "ITEM_RETURNED"), "RESET undoes or approves"),
        (Codes("ORDER_UPDATE", "APPROVED"), "APPROVED undoes or approves"),
    ],
)
def test_a_wrong_code_is_named(codes: Codes, told: str) -> None:
    """A mapping to a code that the verb does not take is refused with the codes there are."""
    with pytest.raises(ValueError, match="reason 'late'") as caught:
        check_codes("late", codes)
    assert told in str(caught.value)


def test_custom_codes_are_known() -> None:
    """The account's own codes count for both verbs, but never RESET."""
    check_codes("late", Codes("OURS", "OURS"), ["OURS"])
    with pytest.raises(ValueError, match="RESET"):
        check_codes("late", Codes("RESET", "OURS"), ["OURS", "RESET"])


def test_lines_go_where_they_belong() -> None:
    """A line with a SKU goes to the actions that hold it, an order's line to all."""
    found = find([action(item("A"), id="a"), action(item("B"), id="b", partner_id="P2")], RULES)
    lines = [line(1, "A"), line(2, "B"), line(3, ""), line(4, "X"), line(5, "X", parent_sku="B")]
    assert [[x.id for x in mine] for mine in route(lines, found.parts, RULES)] == [
        [1, 3, 4],
        [2, 3, 5],
    ]


def test_split_weights_are_what_was_sold() -> None:
    """The weight of an action in a split order is its original amount, else its present one."""
    first = action(item("A", now=(1, 50)), id="a")
    second = replace(action(item("B", 1, 70), id="b"), original_amount=None)
    parts = find([first, second], RULES).parts
    assert [(part.weights, part.nth) for part in parts] == [((100, 70), 0), ((100, 70), 1)]


def test_the_newest_of_dead_actions_stands_for_them() -> None:
    """Where all are reversed, ours or the newest one is looked at."""
    dead = action(item(now=(0, 0)), state=ActionState.REVERSED)
    old = replace(dead, id="old")
    new = replace(dead, id="new", created_at=NOW - timedelta(days=1))
    assert [p.action.id for p in find([new, old], RULES).parts] == ["new"]
    ours = replace(old, settled_by_us=Desired(reverse=True))
    assert [p.action.id for p in find([new, ours], RULES).parts] == ["old"]


def test_an_action_worth_nothing_from_the_start_is_not_dead() -> None:
    """Superseded means emptied: an action that never carried an amount is alive."""
    free = action(item("A", 1, 0), id="a", payout=money(0))
    other = action(item("A", 1, 0), id="b", payout=money(0))
    assert find([free, other], RULES).parts == ()


def test_three_actions_of_which_two_live_and_share_nothing() -> None:
    """The reversed one is left, the live ones are split by SKU."""
    gone = action(item("A", now=(0, 0)), item("B", now=(0, 0)), id="x", state=ActionState.REVERSED)
    found = find([gone, action(item("A"), id="a"), action(item("B"), id="b")], RULES)
    assert [p.action.id for p in found.parts] == ["a", "b"]


def test_actions_without_items_cannot_be_split() -> None:
    """Two live actions tracked without items are ambiguous."""
    found = find([action(id="a", amount=10), action(id="b", amount=20)], RULES)
    assert [a.id for a in found.ambiguous] == ["a", "b"]


def test_a_base_is_what_is_known() -> None:
    """Original amount and payout: as kept, as untouched, from the items, or not at all."""
    known = action(item(), original_amount=money(90), original_payout=money(7))
    assert base_of(known) == (90, 7)
    untouched = Item("A", 2, money(100), None, None)
    fresh = replace(action(untouched), original_amount=None, original_payout=None)
    assert base_of(fresh) == (100, money("10.00"))
    touched = replace(
        action(item(now=(1, 50))), original_amount=None, original_payout=None, payout=money(6)
    )
    assert base_of(touched) == (100, 12)
    ours = replace(fresh, settled_by_us=Desired(reverse=True))
    assert base_of(ours) == (None, None)
    dead = replace(fresh, state=ActionState.REVERSED)
    assert base_of(dead) == (None, None)
    emptied = replace(
        action(item(now=(0, 0))), original_amount=None, original_payout=None, payout=money(0)
    )
    assert base_of(emptied) == (100, None)
    half = replace(action(item(), untouched), original_amount=None, original_payout=None)
    assert base_of(half) == (200, money("20.00"))
    unknown = Item("A", 1, money(50), None, None, touched=True)
    assert base_of(replace(action(unknown), original_amount=None)) == (None, money("5.00"))


def test_one_outcome_is_taken_in_the_designs_order() -> None:
    """Of a line's outcomes on several actions the first of the design's order is taken."""
    order = [
        *(Outcome.REJECTED, Outcome.HELD, Outcome.PLANNED, Outcome.PENDING, Outcome.LOCKED),
        *(Outcome.CONFIRMED, Outcome.ALREADY_SETTLED, Outcome.IGNORED),
    ]
    for n, outcome in enumerate(order):
        assert combine(reversed(order[n:])) is outcome
    with pytest.raises(ValueError, match="not_attributed"):
        combine([Outcome.NOT_ATTRIBUTED])


def test_a_base_takes_what_is_known_of_each() -> None:
    """Amount and payout are each taken from what tells them."""
    assert base_of(replace(action(item()), original_amount=None)) == (100, 10)
    free = action(item("A", 1, 0, now=(0, 0)), payout=money(5))
    assert base_of(replace(free, original_payout=None)) == (0, 5)
    known = action(item(), original_amount=money(90))
    assert base_of(replace(known, original_payout=None)) == (90, 10)
    small = action(item("A", 2, 2, now=(1, 1)), payout=money("0.1"))
    assert base_of(replace(small, original_payout=None)) == (2, money("0.2"))


def test_a_record_is_compared_and_counted_by_its_values() -> None:
    """Records with the same values are one, and carry nothing but their fields."""
    assert {Desired(reverse=True), Desired(reverse=True)} == {Desired(reverse=True)}
    assert not hasattr(Desired(), "__dict__")
