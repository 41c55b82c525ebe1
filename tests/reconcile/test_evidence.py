"""What evidence proves of a change, and what it teaches of an account."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from reconcile_makers import BEFORE, CENT, UNKNOWN, action, item, money

from clawback.reconcile.evidence import is_final, judge, learn, payout_surprise, share_payout
from clawback.reconcile.facts import (
    ActionState,
    Desired,
    Item,
    ItemTarget,
    Judgement,
    Learned,
    Observed,
    Reply,
    Request,
    Verb,
)
from clawback.reconcile.shapes import canary_requests, probe_request, requests_for

BOTH = Desired(items=(ItemTarget("A", 1, money(50)), ItemTarget("B", 1, money(30))))


def seen(*items: Item, amount: Any = 180, current: bool = True, **more: Any) -> Observed:
    state = more.pop("state", ActionState.PENDING)
    return Observed(state, money(amount), money(10), items, items_current=current)


def judged(
    desired: Desired, observed: Observed, reply: Reply | None = None, **more: Any
) -> Judgement:
    return judge(
        desired,
        more.get("before", BEFORE),
        observed,
        reply,
        deadline_passed=more.get("late", False),
        tolerance=CENT,
    )


@pytest.mark.parametrize(
    ("error_type", "reason", "final"),
    [
        ("Validation", "ACTION_LOCKED", True),
        ("Final", "", True),
        ("", "action is locked.", True),
        ("Validation", "ALREADY PAID", True),
        ("Contract Error", "CONTRACT_NOT_FOUND", False),
        ("Validation", "BLOCKED_BY_PROMOCODE", False),
        ("", "UNLOCKED", False),
        ("", "", False),
    ],
)
def test_words_decide_what_is_final(error_type: str, reason: str, final: bool) -> None:
    """A refusal that speaks of locking, payment or finality is final; no other is."""
    assert is_final(error_type, reason) is final


def test_every_component_named_must_be_seen() -> None:
    """One of two items at its target is not confirmed; both are."""
    one = seen(item(now=(1, 50)), item("B", 2, 80))
    assert judged(BOTH, one) is Judgement.WAITING
    assert judged(BOTH, seen(item(now=(1, 50)), item("B", now=(1, 30)))) is Judgement.CONFIRMED


def test_a_quantity_alone_is_judged_alone() -> None:
    """Components that are not named do not matter."""
    desired = Desired(items=(ItemTarget("A", 1, None),))
    assert judged(desired, seen(item(now=(1, 999)))) is Judgement.CONFIRMED
    assert judged(desired, seen(item(now=(2, 1)))) is Judgement.WAITING


def test_an_amount_alone_is_judged_alone() -> None:
    """An amount is confirmed within a cent, whatever the quantity is."""
    desired = Desired(items=(ItemTarget("A", None, money(50)),))
    assert judged(desired, seen(item(now=(2, "50.01")))) is Judgement.CONFIRMED
    assert judged(desired, seen(item(now=(2, "50.02")))) is Judgement.WAITING


def test_lines_of_one_sku_are_judged_together() -> None:
    """Duplicate SKUs must be gone all of them."""
    desired = Desired(items=(ItemTarget("A", 0, money(0)),))
    half = seen(item(now=(0, 0)), item("A", 1, 60))
    assert judged(desired, half) is Judgement.WAITING
    assert judged(desired, seen(item(now=(0, 0)), item("A", now=(0, 0)))) is Judgement.CONFIRMED


def test_an_item_that_was_not_listed_leaves_doubt() -> None:
    """Update rows of one item do not prove another, though the amounts agree."""
    found = seen(item(now=(1, 50)), amount=80)
    assert judged(BOTH, found) is Judgement.DOUBT
    assert judged(BOTH, replace(found, amount=money("80.02"))) is Judgement.DOUBT
    assert judged(BOTH, replace(found, amount=money("80.03"))) is Judgement.WAITING


def test_old_items_prove_nothing() -> None:
    """Items that were not read after the write leave doubt where the amount agrees."""
    found = seen(item(now=(1, 50)), item("B", now=(1, 30)), amount=80, current=False)
    assert judged(BOTH, found) is Judgement.DOUBT
    assert judged(BOTH, found, Reply(True), late=True) is Judgement.DOUBT


def test_doubt_counts_only_what_falls() -> None:
    """A component that is left out does not raise the amount that the lists must show."""
    desired = Desired(items=(ItemTarget("A", 1, money(150)), ItemTarget("B", 1, None)))
    assert judged(desired, seen(amount=180, current=False)) is Judgement.DOUBT


def test_a_reversal_must_be_seen() -> None:
    """An amount of nothing is no reversal; the state is."""
    desired = Desired(reverse=True)
    assert judged(desired, seen(amount=0)) is Judgement.WAITING
    assert judged(desired, seen(state=ActionState.REVERSED)) is Judgement.CONFIRMED


@pytest.mark.parametrize("amount", ["149.99", "150", "150.01"])
def test_an_order_amount_is_seen_in_the_list(amount: str) -> None:
    """An order's amount at or below desired, within a cent, is confirmed."""
    assert judged(Desired(amount=money(150)), seen(amount=amount)) is Judgement.CONFIRMED
    assert judged(Desired(amount=money(150)), seen(amount="150.02")) is Judgement.WAITING


def test_an_error_of_an_incomplete_submission_is_none_yet() -> None:
    """Only what is complete has failed."""
    assert judged(BOTH, seen(), Reply(False, "Validation", "X")) is Judgement.WAITING
    assert judged(BOTH, seen(), Reply(False), late=True) is Judgement.WAITING


@pytest.mark.parametrize(("kind", "reason"), [("Validation", ""), ("", "SOMETHING")])
def test_an_error_is_a_type_or_a_reason(kind: str, reason: str) -> None:
    """Either field alone is an error."""
    assert judged(BOTH, seen(), Reply(True, kind, reason)) is Judgement.REJECTED


def test_a_refusal_while_approved_is_final() -> None:
    """APPROVED before its locking date is tried once."""
    before = replace(BEFORE, state=ActionState.APPROVED)
    assert judged(BOTH, seen(), Reply(True, "X", ""), before=before) is Judgement.LOCKED


def test_shares_add_up() -> None:
    """What was read back is shared by amount, to the last cent."""
    assert share_payout(money(10), [money(1), money(1), money(1)], "USD") == [
        money("3.34"),
        money("3.33"),
        money("3.33"),
    ]


@pytest.mark.parametrize(
    ("observed", "surprise"),
    [("5.00", None), ("5.01", None), ("5.02", "0.02"), ("4.98", "-0.02"), ("10.01", "5.01")],
)
def test_a_payout_that_moved_otherwise_is_a_surprise(observed: str, surprise: str | None) -> None:
    """A payout is a surprise from two cents off what the change explains."""
    found = payout_surprise(money(5), money(observed), money(10), CENT)
    assert found == (None if surprise is None else money(surprise))


def test_a_payout_that_rose_is_a_surprise() -> None:
    """Above what it was before, even a cent is one."""
    assert payout_surprise(money(10), money("10.01"), money(10), CENT) == money("0.01")


# --- learning -------------------------------------------------------------------------------


def taught(desired: Desired, *after: Item, learned: Learned = UNKNOWN, **more: Any) -> Learned:
    sent = canary_requests(desired, "1.2.3", "ORDER_UPDATE", Verb.MODIFY, BEFORE)
    return learn(learned, sent, BEFORE, seen(*after, **more), CENT)


EVEN = Desired(items=(ItemTarget("A", 1, money(50)), ItemTarget("B", 1, money(40))))


def test_indexed_items_and_amounts_are_learned_together() -> None:
    """A second item that holds an amount of its own proves both."""
    assert taught(BOTH, item(now=(1, 50)), item("B", now=(1, 30))) == Learned(
        indexed_items=True, indexed_amounts=True
    )


def test_an_ignored_second_item_is_learned() -> None:
    """A second item that did not move disproves indexed items and says nothing of amounts."""
    assert taught(BOTH, item(now=(1, 50)), item("B", 2, 80)) == Learned(indexed_items=False)


@pytest.mark.parametrize(("amount", "follows"), [(80, False), (40, True), (55, None)])
def test_an_ignored_second_amount_is_learned(amount: int, follows: bool | None) -> None:
    """A second amount that did not arrive disproves indexed amounts; where the item stands now
    is then its quantity's doing."""
    found = taught(BOTH, item(now=(1, 50)), item("B", 2, 80, now=(1, amount)))
    assert found == Learned(
        indexed_items=True, indexed_amounts=False, amount_follows_quantity=follows
    )


def test_amounts_in_proportion_cannot_be_told_apart() -> None:
    """A proportional amount that arrived proves merging for proportional amounts only."""
    found = taught(EVEN, item(now=(1, 50)), item("B", 2, 80, now=(1, 40)))
    assert found == Learned(indexed_items=True, indexed_proportional=True)


def test_a_proportional_amount_that_did_not_arrive_disproves_both() -> None:
    """Neither the amount sent nor the scaled one arrived."""
    found = taught(EVEN, item(now=(1, 50)), item("B", 2, 80))
    assert found == Learned(indexed_items=False)
    found = taught(EVEN, item(now=(1, 50)), item("B", 2, 80, now=(1, 80)))
    assert found == Learned(
        amount_follows_quantity=False,
        indexed_items=True,
        indexed_amounts=False,
        indexed_proportional=False,
    )


def test_a_second_amount_alone_proves_both() -> None:
    """An adjustment of a second item: nothing but the indexed amount can have moved it."""
    desired = Desired(items=(ItemTarget("A", 1, money(50)), ItemTarget("B", None, money(30))))
    assert taught(desired, item(now=(1, 50)), item("B", 2, 80, now=(2, 30))) == Learned(
        indexed_items=True, indexed_amounts=True
    )
    assert taught(desired, item(now=(1, 50)), item("B", 2, 80)) == Learned(indexed_amounts=False)


def test_a_second_item_gone_proves_indexed_items() -> None:
    """Quantity 0 of a second item needs no amount."""
    desired = Desired(items=(ItemTarget("A", 1, money(50)), ItemTarget("B", 0, money(0))))
    assert taught(desired, item(now=(1, 50)), item("B", 2, 80, now=(0, 0))) == Learned(
        indexed_items=True
    )


def test_one_item_speaks_against_all() -> None:
    """A fact that one item disproves is not so."""
    before = action(item(), item("B", 2, 80), item("C", 2, 60))
    desired = Desired(items=(*BOTH.items, ItemTarget("C", 1, money(10))))
    for left_out in ("B", "C"):
        after = [
            item(i.sku, 2, i.amount) if i.sku == left_out else item(i.sku, now=(1, t.amount))
            for i, t in zip(before.items, desired.items, strict=True)
        ]
        sent = canary_requests(desired, "1.2.3", "X", Verb.MODIFY, before)
        assert learn(UNKNOWN, sent, before, seen(*after), CENT).indexed_items is False


@pytest.mark.parametrize(
    ("amount", "follows"), [("50", True), ("50.01", True), ("100", False), ("70", None)]
)
def test_whether_an_amount_follows_is_learned(amount: str, follows: bool | None) -> None:
    """A quantity sent alone tells whether the amount follows; a third value tells nothing."""
    learned = Learned(amount_follows_quantity=True)
    sent = requests_for(
        Desired(items=(ItemTarget("A", 1, money(50)),)), "1.2.3", "X", Verb.MODIFY, learned, BEFORE
    )
    assert [name for name, _ in sent[0].form] == ["ActionId", "Sku", "Quantity", "Reason"]
    found = learn(UNKNOWN, sent, BEFORE, seen(item(now=(1, amount))), CENT)
    assert found == Learned(amount_follows_quantity=follows)


def test_an_item_gone_does_not_tell_whether_amounts_follow() -> None:
    """Quantity 0 takes the amount along whatever the account does otherwise."""
    sent = requests_for(
        Desired(items=(ItemTarget("A", 0, money(0)),)), "1.2.3", "X", Verb.MODIFY, UNKNOWN, BEFORE
    )
    assert learn(UNKNOWN, sent, BEFORE, seen(item(now=(0, 0))), CENT) == UNKNOWN


def test_a_first_item_with_amount_teaches_nothing() -> None:
    """The documented form proves nothing that is not known."""
    sent = requests_for(Desired(items=BOTH.items[:1]), "1.2.3", "X", Verb.MODIFY, UNKNOWN, BEFORE)
    assert learn(UNKNOWN, sent, BEFORE, seen(item(now=(1, 50))), CENT) == UNKNOWN


def test_reversals_and_unread_items_teach_nothing() -> None:
    """Only items read after the write are evidence."""
    after = (item(now=(1, 50)), item("B", now=(1, 30)))
    assert taught(BOTH, *after, current=False) == UNKNOWN
    assert taught(BOTH, *after, state=ActionState.REVERSED) == UNKNOWN
    assert taught(BOTH) == UNKNOWN
    form = (("ActionId", "1.2.3"), ("Sku", "A"), ("Sku2", "B"), ("Quantity2", "1"))
    sent = (Request(Verb.REVERSE, form, "reverse"),)
    assert learn(UNKNOWN, sent, BEFORE, seen(*after), CENT) == UNKNOWN


def test_what_was_known_is_kept() -> None:
    """New facts are added to those that were known."""
    known = Learned(amount_follows_quantity=False)
    found = taught(BOTH, item(now=(1, 50)), item("B", now=(1, 30)), learned=known)
    assert found == Learned(False, True, True)


def test_an_item_that_two_requests_named_teaches_nothing() -> None:
    """What a second request brought about is not put down to the first."""
    desired = Desired(items=(ItemTarget("A", 1, money(50)),))
    parts = ("1.2.3", "X", Verb.MODIFY)
    alone = probe_request(desired, *parts, BEFORE)
    assert alone is not None
    full = requests_for(desired, *parts, UNKNOWN, BEFORE)
    after = seen(item(now=(1, 50)))
    assert learn(UNKNOWN, [alone], BEFORE, after, CENT).amount_follows_quantity is True
    assert learn(UNKNOWN, [alone, *full], BEFORE, after, CENT) == UNKNOWN


@pytest.mark.parametrize(
    "targets",
    [
        (ItemTarget("A", 1, money(40)),),
        (ItemTarget("A", 0, money(0)),),
        (ItemTarget("A", 1, None),),
        (ItemTarget("A", None, money(50)),),
        (ItemTarget("A", 1, money(50)), ItemTarget("B", 1, money(40))),
    ],
    ids=["lower", "gone", "no amount", "no quantity", "two items"],
)
def test_only_one_item_in_proportion_may_probe(targets: tuple[ItemTarget, ...]) -> None:
    """A quantity goes alone only where its amount must fall just as it does."""
    assert probe_request(Desired(items=targets), "1.2.3", "X", Verb.MODIFY, BEFORE) is None
