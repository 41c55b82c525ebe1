"""A change's identity, its limits, and odd lines that both ways of planning must agree on."""

from __future__ import annotations

from dataclasses import replace

import pytest
from reconcile_makers import (
    RULES,
    action,
    adjustment,
    item,
    line,
    money,
    plan,
    said,
    wants,
)

from clawback.reconcile.changes import identity
from clawback.reconcile.facts import Desired, ItemTarget, Learned, Normalise

REVERSE = Desired(reverse=True)
MIXED = Desired(items=(ItemTarget("B", None, money(100)), ItemTarget("A", 1, None)))


@pytest.mark.parametrize(
    ("desired", "told"),
    [
        (REVERSE, "c73a76db1af905b4a02a8cfdcbe8c384"),
        (Desired(amount=money("70.00")), "fb592f0cf53a3a35de0ec2e714edd5cc"),
        (MIXED, "69cb0cadb99e0bb8bbf170e2da1e5a6f"),
    ],
)
def test_an_identity_outlives_a_release(desired: Desired, told: str) -> None:
    """Ledgers hold identities: another hash would send again what was refused."""
    assert identity("IRtest", "1.2.3", desired, 4) == told


def test_a_sku_of_any_characters_has_an_identity() -> None:
    """A lone surrogate, which no encoding takes, is no reason to fail."""
    odd = Desired(items=(ItemTarget("\ud800", 1, None),))
    assert identity("IR", "1", odd, 0) == "8b3ece67be7ac01bd64abc403c8b81f9"


def test_a_rejected_line_tells_the_error() -> None:
    """The error of the refused change stands on the lines that wait for it."""
    refused = plan([line()], action(item())).changes[0].identity
    held = action(item(), rejected_identity=refused, rejected="Validation: NOT_NOW")
    (verdict,) = plan([line()], held).verdicts
    assert (verdict.outcome.value, verdict.note) == ("rejected", "Validation: NOT_NOW")


def test_a_reversal_counts_before_the_limit() -> None:
    """A DELETE is a modification too; the last but one goes ahead."""
    for count, told in ((999, "held/modification_limit"), (998, "planned")):
        assert said(plan([line(1, "A", 2)], action(item(), modifications=count))) == {1: told}


def test_merged_items_count_once_before_the_limit() -> None:
    """What shares a request by its present figures needs room for one."""
    held = action(item(), item("B"), modifications=998)
    merging = Learned(indexed_items=True, indexed_proportional=True)
    lines = [line(), line(2, "B")]
    assert said(plan(lines, held, learned=merging)) == {1: "planned", 2: "planned"}
    assert said(plan(lines, held, learned=replace(merging, indexed_proportional=None))) == {
        1: "held/modification_limit",
        2: "held/modification_limit",
    }


def test_an_amount_moved_between_items_is_seen() -> None:
    """An action that still holds its sum is not untouched: the item's original counts."""
    held = action(item(now=(2, 90)), item("B", now=(2, 110)))
    assert wants(plan([line()], held)) == ["A:1/50"]
    moved = action(item("A", 3, 90, now=(2, 90)), item("B"))
    assert wants(plan([line(1, "A", 2)], moved)) == ["A:1/30"]


def test_an_item_of_no_units_has_none_to_give_back() -> None:
    """A unit of an item that was sold with quantity 0 is one too many."""
    held = action(item("A", 0, 100))
    assert said(plan([line()], held)) == {1: "held/over_returned"}


def test_a_line_without_units_takes_its_amount_alone() -> None:
    """Whatever the warehouse left out, no unit is made up."""
    assert wants(plan([line(1, "A", None, 10)], action(item()))) == ["A:-/90"]
    assert said(plan([line(1, "A", None)], action(item("A", 0, 100)))) == {1: "planned"}


def test_ordered_figures_of_an_item_with_a_parent_count() -> None:
    """A SKU that the action holds is checked against its own ordered figures."""
    given = line(1, "A", parent_sku="Z", ordered_quantity=3, ordered_amount=money(150))
    assert said(plan([given], action(item()), rules=RULES)) == {1: "held/baseline_unknown"}


def test_a_withdrawn_line_without_action_is_ignored() -> None:
    """There is nothing that it could have lowered."""
    assert said(plan([line(voided=True)])) == {1: "ignored"}


def test_a_withdrawn_line_of_a_split_order_goes_where_it_belongs() -> None:
    """Only the action that holds its SKU is too low by our change."""
    ours = Desired(items=(ItemTarget("B", 1, money(50)),))
    first = action(item("A"), id="a", partner_id="P1")
    second = action(item("B", now=(1, 50)), id="b", partner_id="P2", settled_by_us=ours)
    made = plan([line(1, "A"), line(2, "B", voided=True)], first, second)
    assert said(made) == {1: "planned", 2: "held/restore_needed"}


def test_no_change_without_a_line_that_counts() -> None:
    """An item that another hand raised is not lowered by a line that is held."""
    assert plan([line(1, "A", 9)], action(item(now=(3, 150)))).changes == ()


def test_money_on_a_free_item_reverses_nothing() -> None:
    """What is paid already stands at nothing; an adjustment of 0 is no return."""
    held = action(item("A", 1, 0), item("B", now=(0, 0)), payout=money(5))
    assert wants(plan([adjustment(1, "A", 0)], held)) == []


def test_a_gift_that_stays_does_not_keep_an_emptied_order() -> None:
    """The paid item was emptied by hand, one gift came back, another one stays."""
    held = action(item("A", now=(0, 0)), item("B", 1, 0), item("C", 1, 0), payout=money(5))
    assert wants(plan([line(1, "B")], held)) == ["reverse"]


@pytest.mark.parametrize(
    ("how", "other"),
    [
        (Normalise(trim=True), "A "),
        (Normalise(case="upper"), "a"),
        (Normalise(prefix="x-"), "x-A"),
        (Normalise(pattern=r"(A)"), "zA"),
    ],
)
def test_two_spellings_of_one_sku_are_a_duplicate(how: Normalise, other: str) -> None:
    """Any one step that makes two items alike makes them one SKU, for simple orders too."""
    held = action(item("A"), item(other))
    assert said(plan([line()], held, rules=replace(RULES, skus=how))) == {1: "held/duplicate_sku"}
