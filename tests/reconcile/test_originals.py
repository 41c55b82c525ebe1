"""Originals from update rows, kept through later listings."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from reconcile_makers import BORN, item, line, money

from clawback.reconcile.facts import Item, Source
from clawback.reconcile.originals import UpdateRow, baseline, items_from_updates, merge_items


def row(
    n: int, sku: str = "A", quantity: int | None = 2, amount: Any = 100, **more: Any
) -> UpdateRow:
    """Update number `n`; a creation record unless it says `after` (hours)."""
    after = more.pop("after", 0)
    return UpdateRow(
        id=f"1.2.3.{n}",
        sku=sku,
        quantity=quantity,
        delta_amount=money(amount),
        delta_payout=money(amount) / 10,
        disposition=more.pop("disposition", "ORDER_UPDATE" if after else "IR_BLANK"),
        at=BORN + timedelta(hours=after),
    )


def created(sku: str = "A", quantity: int = 2, amount: Any = 100, **more: Any) -> Item:
    return item(sku, quantity, amount, **more)


def test_an_untouched_action_is_its_creation_records() -> None:
    """Without later rows, the creation records are the items as they are."""
    made = items_from_updates([row(1), row(2, "B", 1, 30)], money(130), BORN)
    assert made.items == (created(), created("B", 1, 30))
    assert made.adds_up
    assert made.unknown == frozenset()
    assert (made.original_amount, made.original_payout) == (130, 13)
    assert made.modifications == 0


def test_a_modified_item_knows_its_amount_but_not_its_quantity() -> None:
    """The present amount is the sum of the deltas; the present quantity must be read."""
    made = items_from_updates([row(2, quantity=1, amount=-50, after=5), row(1)], money(50))
    assert made.items == (created(now=(2, 50)),)
    assert made.unknown == {"A"}
    assert made.adds_up
    assert made.original_amount == 100
    assert made.modifications == 1


def test_a_modification_of_another_item_leaves_an_item_known() -> None:
    """Only the SKU that was modified has to be read."""
    rows = [row(1), row(2, "B"), row(3, "B", 1, -50, after=3)]
    made = items_from_updates(rows, money(150))
    assert made.unknown == {"B"}
    assert made.items[0] == created()
    assert made.items[1].amount == 50


def test_rows_delivered_twice_count_once() -> None:
    """A row with an id seen before says nothing new."""
    made = items_from_updates([row(1), row(1), row(2, amount=-10, after=1)], money(90))
    assert made.adds_up
    assert made.items[0].amount == 90
    assert made.modifications == 1


def test_a_sum_that_differs_from_the_action_is_said() -> None:
    """Rows that do not add up to the action's Amount do not tell its items."""
    assert not items_from_updates([row(1)], money(99)).adds_up


def test_two_creation_records_of_one_sku_are_two_lines() -> None:
    """Duplicate SKUs survive: two records at one instant are two lines of that SKU."""
    made = items_from_updates([row(1), row(2, "A", 1, 60)], money(160))
    assert made.items == (created(), created("A", 1, 60))
    assert made.unknown == frozenset()
    touched = items_from_updates(
        [row(1), row(2, "A", 1, 60), row(3, "A", 0, -60, after=1)], money(100)
    )
    assert [i.original_quantity for i in touched.items] == [2, 1]
    assert sum(i.amount for i in touched.items) == 100
    assert all(i.touched for i in touched.items)
    assert touched.unknown == {"A"}


def test_the_marked_record_is_the_creation() -> None:
    """IR_BLANK wins over another row of the same instant."""
    made = items_from_updates([row(1, amount=-5, disposition="X"), row(2)], money(95))
    assert made.items[0].original_amount == 100
    assert made.unknown == {"A"}


def test_the_earliest_row_is_the_creation_where_none_is_marked() -> None:
    """At CreationDate an unmarked row is the creation record, and only the first of several."""
    rows = [row(1, disposition=""), row(2, amount=7, disposition="")]
    made = items_from_updates(rows, money(107), BORN)
    assert made.items[0].original_amount == 100
    assert made.items[0].amount == 107
    assert made.original_amount == 100


def test_a_late_first_row_is_no_creation() -> None:
    """Where the rows begin after CreationDate, the originals are not known."""
    made = items_from_updates([row(1, amount=-50, after=2)], money(50), BORN)
    (only,) = made.items
    assert (only.original_quantity, only.original_amount, only.source) == (None, None, None)
    assert only.touched
    assert made.unknown == {"A"}
    assert (made.original_amount, made.original_payout) == (None, None)
    assert made.modifications == 1
    assert not made.adds_up


def test_a_record_without_quantity_leaves_it_unknown() -> None:
    """A creation record that gives no quantity does not settle the item."""
    made = items_from_updates([row(1, quantity=None)], money(100))
    assert made.unknown == {"A"}
    assert made.items[0].original_quantity is None


def test_a_row_about_the_whole_action_leaves_every_item_unknown() -> None:
    """One row for a whole reversal is no item; every item must be read."""
    rows = [row(1), row(2, "B"), row(3, "", None, -200, after=4)]
    made = items_from_updates(rows, money(0))
    assert [i.sku for i in made.items] == ["A", "B"]
    assert made.unknown == {"A", "B"}
    assert made.adds_up
    assert made.original_amount == 200
    assert made.modifications == 1


def test_an_item_without_sku_is_an_item() -> None:
    """A placeholder item with an empty SKU is created like any other."""
    made = items_from_updates([row(1, "", 1), row(2, "B")], money(200))
    assert [i.sku for i in made.items] == ["", "B"]
    alone = items_from_updates([row(1, "", 1, disposition="X")], money(100))
    assert [i.sku for i in alone.items] == [""]


def test_no_rows_tell_nothing() -> None:
    """Without rows nothing is known."""
    made = items_from_updates([], money(5))
    assert made.items == ()
    assert not made.adds_up
    assert made.original_amount is None


def test_originals_once_known_are_kept() -> None:
    """A listing brings the present figures; the originals stay, line by line."""
    known = [created(), created("B", 4, 80)]
    listed = [
        Item("A", 1, money(50), None, None, touched=True),
        Item("B", 4, money(80), None, None),
        Item("C", 1, money(5), None, None),
        Item("D", 1, money(5), None, None, touched=True),
    ]
    merged = merge_items(known, listed)
    assert merged[0] == created(now=(1, 50))
    assert merged[1] == created("B", 4, 80)
    assert merged[2] == created("C", 1, 5, source=Source.UNTOUCHED)
    assert merged[3] == listed[3]


def test_lines_of_one_sku_are_matched_by_position() -> None:
    """Duplicate SKUs keep their originals in the order of the listing."""
    known = [created("A", 2), created("A", 1, 60)]
    listed = [
        Item("A", 2, money(100), None, None),
        Item("A", 0, money(0), None, None, touched=True),
    ]
    assert [i.original_quantity for i in merge_items(known, listed)] == [2, 1]


def test_an_item_that_is_not_listed_any_more_is_gone() -> None:
    """A known item without a listing keeps its originals and holds nothing."""
    (gone,) = merge_items([created()], [])
    assert gone == created(now=(0, 0))


def test_a_known_item_without_originals_takes_those_of_an_untouched_listing() -> None:
    """Nothing known before: an untouched listing tells the originals."""
    unknown = Item("A", 2, money(100), None, None)
    (merged,) = merge_items([unknown], [Item("A", 2, money(100), None, None)])
    assert merged == created(source=Source.UNTOUCHED)


def test_what_another_hand_touched_was_only_seen_first() -> None:
    """An untouched item that is lowered since is a first sight; what was recorded or ours stays."""
    lowered = [Item("A", 1, money(50), None, None, touched=True)]
    untouched = created(source=Source.UNTOUCHED)
    assert merge_items([untouched], lowered)[0].source is Source.FIRST_SIGHT
    assert merge_items([untouched], lowered, ours=True)[0].source is Source.UNTOUCHED
    assert merge_items([created()], lowered)[0].source is Source.CREATION
    still = [Item("A", 2, money(100), None, None)]
    assert merge_items([untouched], still)[0].source is Source.UNTOUCHED


@pytest.mark.parametrize(
    ("ordered", "conflict"),
    [
        ([2], ""),
        ([None], ""),
        ([2, None, 2], ""),
        ([2, 3], "both 2 and 3"),
        ([3], "the warehouse 3"),
    ],
)
def test_lines_must_agree_on_what_was_ordered(ordered: list[int | None], conflict: str) -> None:
    """Ordered quantities that contradict each other or impact.com are a conflict."""
    lines = [line(n, ordered_quantity=quantity) for n, quantity in enumerate(ordered)]
    found = baseline(created(), lines, "USD")
    assert conflict in found.conflict
    assert bool(conflict) == bool(found.conflict)
    assert (found.quantity, found.amount, found.source) == (2, 100, Source.CREATION)


def ordering(quantity: int, amount: Any, **more: Any) -> Any:
    return line(1, ordered_quantity=quantity, ordered_amount=money(amount), **more)


def test_the_warehouse_tells_what_a_touched_item_was() -> None:
    """An item changed before it was first seen was what the warehouse ordered."""
    touched = Item("A", 1, money(50), None, None, touched=True)
    found = baseline(touched, [ordering(3, 150)], "USD")
    assert (found.quantity, found.amount, found.source) == (3, 150, Source.WAREHOUSE)
    assert found.conflict == ""


def test_the_warehouse_cannot_have_sold_less_than_there_is() -> None:
    """An ordered quantity below the present one is a conflict, with both figures."""
    touched = Item("A", 4, money(50), None, None, touched=True)
    found = baseline(touched, [ordering(3, 150)], "USD")
    assert "4 were sold" in found.conflict
    assert "the warehouse 3" in found.conflict


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [line(1, ordered_quantity=3)],
        [line(1, ordered_amount=money(5))],
        [ordering(3, 150, currency="EUR")],
        [ordering(3, 150), ordering(4, 150)],
    ],
)
def test_a_touched_item_without_ordered_figures_is_unknown(lines: list[Any]) -> None:
    """Without both ordered figures in the action's currency nothing tells the original."""
    touched = Item("A", 1, money(50), None, None, touched=True)
    found = baseline(touched, lines, "USD")
    assert "accept a baseline" in found.conflict
    assert found.source is None


def test_a_first_sight_gives_way_to_the_warehouse() -> None:
    """First sight comes last: the ordered amount counts where quantities agree."""
    seen = created(source=Source.FIRST_SIGHT)
    found = baseline(seen, [ordering(2, 90)], "USD")
    assert (found.amount, found.source) == (90, Source.WAREHOUSE)
    assert "recorded 100, the warehouse 90" in found.note
    alone = baseline(seen, [line()], "USD")
    assert (alone.amount, alone.source, alone.note) == (100, Source.FIRST_SIGHT, "")


def test_equal_amounts_need_no_note() -> None:
    """A note is made only where the amounts differ."""
    assert baseline(created(), [ordering(2, 100)], "USD").note == ""
    assert "recorded 100" in baseline(created(), [ordering(2, 99)], "USD").note


@pytest.mark.parametrize(
    ("accept", "lines", "quantity", "amount"),
    [
        ("impact", [ordering(3, 150)], 2, 100),
        ("warehouse", [ordering(3, 150)], 3, 150),
        ("warehouse", [line(1, ordered_quantity=3)], 3, 100),
        ("warehouse", [], 2, 100),
    ],
)
def test_a_person_may_choose_the_baseline(
    accept: str, lines: list[Any], quantity: int, amount: int
) -> None:
    """A person's choice ends a conflict; what that source lacks is taken from the other."""
    found = baseline(created(), lines, "USD", accept)
    assert (found.quantity, found.amount, found.conflict) == (quantity, Decimal(amount), "")


def test_a_person_may_accept_what_is_there() -> None:
    """Where nothing is known, accepting takes the present figures."""
    touched = Item("A", 1, money(50), None, None, touched=True)
    found = baseline(touched, [], "USD", "impact")
    assert (found.quantity, found.amount, found.note) == (1, 50, "baseline accepted")
    theirs = baseline(touched, [line(1, ordered_quantity=2)], "USD", "warehouse")
    assert (theirs.quantity, theirs.amount) == (2, 50)
