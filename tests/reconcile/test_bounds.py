"""Bounds and odd figures of evidence, learning, originals, requests and books."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from reconcile_makers import BEFORE, BORN, CENT, RULES, UNKNOWN, action, item, line, money

from clawback.reconcile.books import Head, Row, balance
from clawback.reconcile.evidence import judge, learn
from clawback.reconcile.facts import (
    ActionState,
    Codes,
    Desired,
    Item,
    ItemTarget,
    Judgement,
    Learned,
    Observed,
    Reply,
    Request,
    Source,
    Verb,
)
from clawback.reconcile.originals import Baseline, UpdateRow, baseline, items_from_updates
from clawback.reconcile.outcomes import Hold, Outcome
from clawback.reconcile.reasons import (
    MODIFY_REASONS,
    REVERSE_CODES,
    Chosen,
    Taken,
    check_codes,
    choose,
)
from clawback.reconcile.shapes import canary_requests, probe_request, requests_for

FOLLOWING = Learned(amount_follows_quantity=True)


def seen(*items: Item, amount: object = 180) -> Observed:
    return Observed(ActionState.PENDING, money(str(amount)), money(10), items, items_current=True)


def taught(amount: str, *after: Item) -> Learned:
    """What a merged request teaches: A to 1 for 50, B to 1 for `amount`."""
    asked = Desired(
        items=(ItemTarget("A", 1, money(50)), ItemTarget("B", 1, money(amount))),
    )
    sent = canary_requests(asked, "1.2.3", "X", Verb.MODIFY, BEFORE)
    return learn(UNKNOWN, sent, BEFORE, seen(*after), CENT)


# --- evidence -------------------------------------------------------------------------------


def test_a_type_of_error_alone_may_be_final() -> None:
    """ErrorType says locked, ErrorReason nothing."""
    asked = Desired(items=(ItemTarget("A", 1, money(50)),))
    found = judge(
        asked,
        BEFORE,
        seen(),
        Reply(True, "ACTION_LOCKED", ""),
        deadline_passed=False,
        tolerance=CENT,
    )
    assert found is Judgement.LOCKED


def test_a_second_amount_arrives_within_a_cent() -> None:
    """A cent off is what was sent; two cents off is not."""
    assert taught("30", item(now=(1, 50)), item("B", now=(1, "30.01"))).indexed_amounts is True
    assert taught("30", item(now=(1, 50)), item("B", now=(1, "30.02"))).indexed_amounts is False


def test_an_amount_within_a_cent_of_proportion_proves_nothing_else() -> None:
    """40.01 of 80 for half the units may have followed the quantity; 40.02 was sent."""
    near = taught("40.01", item(now=(1, 50)), item("B", now=(1, "40.01")))
    assert near == Learned(indexed_items=True, indexed_proportional=True)
    off = taught("40.02", item(now=(1, 50)), item("B", now=(1, "40.02")))
    assert off == Learned(indexed_items=True, indexed_amounts=True)


@pytest.mark.parametrize(("amount", "follows"), [("99.99", False), ("99.98", None)])
def test_an_amount_that_stayed_within_a_cent_did_not_follow(
    amount: str, follows: bool | None
) -> None:
    """A cent off the old amount is the old amount; two cents off tells nothing."""
    asked = Desired(items=(ItemTarget("A", 1, money(50)),))
    sent = requests_for(asked, "1.2.3", "X", Verb.MODIFY, FOLLOWING, BEFORE)
    found = learn(UNKNOWN, sent, BEFORE, seen(item(now=(1, amount))), CENT)
    assert found.amount_follows_quantity is follows


def test_a_form_without_quantity_teaches_nothing_of_quantities() -> None:
    """An amount alone for the first item is the documented form."""
    form = (("ActionId", "1.2.3"), ("Sku", "A"), ("Amount", "80.00"), ("Reason", "ORDER_UPDATE"))
    sent = (Request(Verb.MODIFY, form, "item"),)
    assert learn(UNKNOWN, sent, BEFORE, seen(item(now=(2, 80))), CENT) == UNKNOWN


# --- requests -------------------------------------------------------------------------------


def test_the_canary_is_the_merged_form_of_the_very_change() -> None:
    """ActionId, code and verb are the change's own, for reversals and order amounts too."""
    assert canary_requests(Desired(reverse=True), "7", "ITEM_RETURNED", Verb.REVERSE) == (
        Request(Verb.REVERSE, (("ActionId", "7"), ("DispositionCode", "ITEM_RETURNED")), "reverse"),
    )
    assert canary_requests(Desired(amount=money(70)), "7", "OTHER", Verb.MODIFY) == (
        Request(
            Verb.MODIFY, (("ActionId", "7"), ("Amount", "70"), ("Reason", "OTHER")), "order_amount"
        ),
    )


def test_the_probe_is_the_quantity_alone_of_the_very_change() -> None:
    """ActionId, item and quantity are the change's own; the shape tells it from others."""
    asked = Desired(items=(ItemTarget("A", 1, money(50)),))
    assert probe_request(asked, "7", "X", Verb.MODIFY, BEFORE) == Request(
        Verb.MODIFY,
        (("ActionId", "7"), ("Sku", "A"), ("Quantity", "1"), ("Reason", "ORDER_UPDATE")),
        "quantity",
    )


def test_a_quantity_that_falls_alone_carries_the_present_amount() -> None:
    """The component that is left out is sent as it stands."""
    held = action(item(now=(2, 40)))
    asked = Desired(items=(ItemTarget("A", 1, None),))
    (sent,) = requests_for(asked, "1.2.3", "X", Verb.MODIFY, UNKNOWN, held)
    assert dict(sent.form)["Amount"] == "40.00"


def test_an_item_that_was_not_seen_is_sent_as_asked() -> None:
    """Without its present figures a component that is left out stays out."""
    asked = Desired(items=(ItemTarget("A", None, Decimal("1E+2")),))
    (sent,) = requests_for(asked, "1.2.3", "X", Verb.MODIFY, FOLLOWING)
    assert sent.form == (
        ("ActionId", "1.2.3"),
        ("Sku", "A"),
        ("Amount", "100"),
        ("Reason", "ORDER_UPDATE"),
    )
    (other,) = requests_for(asked, "1.2.3", "X", Verb.MODIFY, FOLLOWING, action(item("B")))
    assert "Quantity" not in dict(other.form)


def test_two_of_three_units_are_in_proportion() -> None:
    """An amount is left out where it is what the present one comes to at the new quantity."""
    held = action(item("A", 3, 90))
    for amount, told in ((60, None), (45, "45.00")):
        asked = Desired(items=(ItemTarget("A", 2, money(amount)),))
        (sent,) = requests_for(asked, "1.2.3", "X", Verb.MODIFY, FOLLOWING, held)
        assert dict(sent.form).get("Amount") == told


# --- originals ------------------------------------------------------------------------------


def row(n: int, sku: str, quantity: int | None, amount: object, hours: int = 0) -> UpdateRow:
    value = money(str(amount))
    why = "ORDER_UPDATE" if hours else "IR_BLANK"
    return UpdateRow(f"1.{n}", sku, quantity, value, value / 10, why, BORN + timedelta(hours=hours))


def test_an_item_without_creation_record_leaves_the_whole_unknown() -> None:
    """One item's record does not tell what the action held at first."""
    made = items_from_updates([row(1, "A", 2, 100), row(2, "B", 1, -50, 3)], money(50), BORN)
    assert (made.original_amount, made.original_payout) == (None, None)


def test_an_item_without_creation_record_shows_what_moved() -> None:
    """Its amount is the sum of its rows; nothing else is known of it."""
    made = items_from_updates([row(1, "A", 1, -50, 3)], money(50), BORN)
    assert made.items == (Item("A", 0, money(-50), None, None, None, touched=True),)


def test_a_record_without_quantity_counts_no_units() -> None:
    """A creation record that gives no quantity shows none."""
    (only,) = items_from_updates([row(1, "A", None, 100)], money(100)).items
    assert (only.quantity, only.original_quantity) == (0, None)


def test_an_accepted_baseline_is_the_warehouses() -> None:
    """Its source and a note are kept; an amount that it lacks is the known original."""
    held = item(now=(1, 50))
    lines = [line(1, ordered_quantity=3)]
    assert baseline(held, lines, "USD", "warehouse") == Baseline(
        3, money(100), Source.WAREHOUSE, "", "baseline accepted"
    )


def test_a_conflict_names_what_was_sold_not_what_is_left() -> None:
    """impact.com's figure is the original one."""
    found = baseline(item(now=(1, 50)), [line(1, ordered_quantity=3)], "USD")
    assert "impact.com says 2 were sold, the warehouse 3" in found.conflict


def test_a_baseline_names_its_source() -> None:
    """An untouched item, a known original that a person accepts, and one that nothing tells."""
    untouched = Item("A", 2, money(100), None, None)
    assert baseline(untouched, [], "USD") == Baseline(2, money(100), Source.UNTOUCHED)
    accepted = baseline(item(now=(1, 50)), [], "USD", "impact")
    assert accepted == Baseline(2, money(100), Source.CREATION)
    found = baseline(replace(untouched, touched=True), [], "USD")
    assert (found.quantity, found.amount, found.source) == (2, 100, None)


def test_the_warehouse_may_have_sold_what_there_is() -> None:
    """An ordered quantity equal to the present one is no conflict."""
    touched = Item("A", 3, money(50), None, None, touched=True)
    given = line(1, ordered_quantity=3, ordered_amount=money(150))
    assert baseline(touched, [given], "USD") == Baseline(3, money(150), Source.WAREHOUSE)


def test_a_write_without_lines_takes_the_default_code() -> None:
    """No reason is no code of its own."""
    chosen = choose([], Verb.REVERSE, items=False, rules=RULES)
    assert chosen == Chosen("ITEM_RETURNED", (), ())
    some = [Taken(1, "late", money(1))]
    assert choose(some, Verb.REVERSE, items=False, rules=RULES).reasons == ("late",)


def test_a_wrong_code_is_answered_with_all_there_are() -> None:
    """The message lists every code of the verb and the account's own, in order."""
    for codes, known in (
        (Codes("NONSENSE", "OTHER"), MODIFY_REASONS),
        (Codes("OTHER", "NONSENSE"), REVERSE_CODES),
    ):
        with pytest.raises(ValueError, match="NONSENSE") as caught:
            check_codes("late", codes, ["OURS"])
        listed = ", ".join(sorted({*known, "OURS"}))
        told = f"take one of {listed}, or list it under the account's custom codes"
        assert str(caught.value).endswith(told)


# --- books ----------------------------------------------------------------------------------

HEAD = Head("p", "r", BORN, BORN, "USD", read=2, carried_in=0)


def test_sums_add_up_in_every_currency() -> None:
    """Two lines are two, lost money adds up, and so do lines in another currency."""
    rows = [
        Row(Outcome.LOCKED, None, money(50), money(5), "USD", counted=True),
        Row(Outcome.LOCKED, None, money(30), money(3), "USD", counted=True),
        Row(Outcome.HELD, None, money(20), money(2), "EUR"),
        Row(Outcome.HELD, None, money(10), money(1), "EUR"),
    ]
    told = balance(HEAD._replace(read=4), rows, changes={}, requests={}).to_json()
    assert told["commission_lost_to_locking"] == "8.00"
    euros = told["other_currencies"]["EUR"]["outcomes"]["held"]
    assert euros == {"lines": 2, "amount": "30.00", "payout": "3.00"}


def test_every_line_without_outcome_is_counted() -> None:
    """Two lines that nothing explains are two."""
    assert balance(HEAD, [Row(None), Row(None)], changes={}, requests={}).unexplained == 2


def test_holds_and_lines_without_money_add_up() -> None:
    """Two lines held for one reason are two; so are two of which nobody knows the amount."""
    books = balance(HEAD, [Row(Outcome.HELD, Hold.CONTESTED)] * 2, changes={}, requests={})
    assert books.to_json()["held"] == {"contested": 2}
    assert books.lines_without_money == 2


def test_requests_of_another_kind_are_shown_if_there_were_any() -> None:
    """A kind that the books do not know is named; one that was never sent is not."""
    books = balance(HEAD, [], changes={}, requests={"probe": 2, "odd": 0, "modify": 1})
    assert books.requests["probe"] == 2
    assert "odd" not in books.requests
    assert books.to_json()["requests"]["total"] == 3


@pytest.fixture
def tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose own zone is far from UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("tokyo")
def test_the_window_is_told_in_utc() -> None:
    """Whatever the machine's zone, and that of the times given."""
    there = datetime(2026, 10, 1, 9, tzinfo=UTC).astimezone()
    assert there.utcoffset() == timedelta(hours=9)
    told = balance(replace_window(there), [], changes={}, requests={}).to_json()
    assert told["window"] == {"start": "2026-10-01T09:00:00Z", "end": "2026-10-01T09:00:00Z"}


def replace_window(moment: datetime) -> Head:
    return HEAD._replace(start=moment, end=moment, read=0)
