"""Every outcome that needs a planted cause, over the real sandbox."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from lab import NOW, Maker, action, back, cancelled, counted, goodwill, held, item, stamp

HOUR = timedelta(hours=1)


def test_the_effect_is_what_was_read_back(lab_of: Maker) -> None:
    """What the books say was recovered is the payout before minus the payout after."""
    lab = lab_of([action("O-1"), action("O-2"), action("O-3", ("A", 3, "10.00"))])
    lab.rows = [back("O-1"), cancelled("O-2"), back("O-3"), goodwill("O-3", "A", "1.00", id="g")]
    before = sum(Decimal(one["Payout"]) for one in lab.state().values())
    books = lab.run()
    after = sum(Decimal(one["Payout"]) for one in lab.state().values())
    assert Decimal(books["commission_recovered"]) == before - after > 0
    assert books["unexplained"] == 0


def test_more_of_a_line_is_recovered_too(lab_of: Maker) -> None:
    """A line that grew after it was confirmed is confirmed again, and only the rest is counted."""
    lab = lab_of([one := action("O-1", ("A", 4, "80.00"))])
    lab.rows = [back("O-1")]
    assert lab.run()["commission_recovered"] == "2.00"
    lab.pass_time(days=1)
    lab.rows = [back("O-1", quantity=3, updated=lab.clock.now() - HOUR)]
    books = lab.run()
    assert lab.items(one["Id"])["A"] == (1, 20)
    assert (counted(books), books["commission_recovered"]) == ({"confirmed": 1}, "4.00")


def test_pending_beyond_the_deadline_is_confirmed_by_the_next_run(lab_of: Maker) -> None:
    """What is not seen by the deadline is pending; the next run sees it and sends nothing."""
    lab = lab_of([action("O-1")], queue_latency=7200)
    lab.choices = {"confirm": {"poll_seconds": 60, "deadline_minutes": 30}}
    lab.rows = [back("O-1")]
    books = lab.run()
    assert counted(books) == {"pending": 1}
    assert books["commission_recovered"] == "0.00"
    lab.pass_time(hours=3)
    books = lab.run()
    assert counted(books) == {"confirmed": 1}
    assert (books["commission_recovered"], len(lab.writes)) == ("2.00", 1)


def test_a_pending_line_that_is_not_read_again_is_carried_in(lab_of: Maker) -> None:
    """A line left open is taken up by a later run whose window does not hold it."""
    lab = lab_of([action("O-1")], queue_latency=7200)
    lab.choices = {"confirm": {"poll_seconds": 60, "deadline_minutes": 30}}
    lab.rows = [back("O-1", at=NOW - timedelta(days=5))]
    lab.run()
    lab.pass_time(days=10)
    books = lab.run()
    assert (books["read"], books["carried_in"], counted(books)) == (0, 1, {"confirmed": 1})


def test_a_dry_run_plans_and_writes_nothing(lab_of: Maker) -> None:
    """A dry run shows what is due, sends nothing, and settles nothing."""
    lab = lab_of([action("O-1")])
    lab.rows = [back("O-1")]
    books = lab.run(dry_run=True)
    assert counted(books) == {"planned": 1}
    assert (books["changes"]["planned"], lab.writes) == (1, [])
    assert counted(lab.run()) == {"confirmed": 1}


def test_a_locked_action_is_never_written_to(lab_of: Maker) -> None:
    """After the locking date the commission is lost, and counted once."""
    lab = lab_of([action("O-1", LockingDate=stamp(NOW - HOUR))])
    lab.rows = [back("O-1")]
    books = lab.run()
    assert counted(books) == {"locked": 1}
    assert (books["commission_lost_to_locking"], lab.writes) == ("2.00", [])
    lab.pass_time(days=1)
    books = lab.run()
    assert (counted(books), books["commission_lost_to_locking"]) == ({"locked": 1}, "0.00")


def test_an_action_that_locks_before_it_is_sent_is_not_written_to(lab_of: Maker) -> None:
    """A run that sends after the locking date that it planned before sends nothing to it."""
    lab = lab_of([action("O-1", LockingDate=stamp(NOW + HOUR))])
    lab.rows = [back("O-1")]
    lab.run(world=lab.world(tell=lambda step, _: step == "plan_changes" and lab.pass_time(hours=2)))
    assert lab.writes == []
    assert counted(lab.run()) == {"locked": 1}


def test_a_rejected_change_is_not_sent_again_until_something_changes(lab_of: Maker) -> None:
    """A refusal stands until the desired or the observed state differs."""
    lab = lab_of([one := action("O-1", ("A", 4, "80.00"))])
    lab.act("refuse", one["Id"], error_type="Validation", error_reason="NOT_TODAY")
    lab.rows = [back("O-1")]
    assert counted(lab.run()) == {"rejected": 1}
    lab.pass_time(days=1)
    books = lab.run()
    assert (counted(books), len(lab.writes)) == ({"rejected": 1}, 1)
    lab.act("refuse", one["Id"])
    lab.rows.append(back("O-1", id="R-2", at=lab.clock.now() - HOUR))
    assert counted(lab.run()) == {"confirmed": 2}
    assert lab.items(one["Id"])["A"] == (2, 40)


def test_a_refusal_as_final_is_locked(lab_of: Maker) -> None:
    """A refusal that speaks of locking ends the line as lost."""
    lab = lab_of([one := action("O-1")])
    lab.act("refuse", one["Id"], error_type="Validation", error_reason="ACTION_LOCKED")
    lab.rows = [back("O-1")]
    books = lab.run()
    assert (counted(books), books["commission_lost_to_locking"]) == ({"locked": 1}, "2.00")
    lab.pass_time(days=1)
    lab.run()
    assert len(lab.writes) == 1


def test_complete_without_effect_is_no_success(lab_of: Maker) -> None:
    """A submission that is Complete while nothing changed is rejected after the deadline."""
    lab = lab_of([action("O-1")])
    lab.choices = {"confirm": {"poll_seconds": 60, "deadline_minutes": 30}}
    lab.strike({"fault": "delayed_update", "seconds": 864000})
    lab.rows = [back("O-1")]
    assert counted(lab.run()) == {"rejected": 1}
    assert "no_effect" in lab.notes()


def test_a_withdrawn_line_after_a_confirmed_change_needs_a_person(lab_of: Maker) -> None:
    """What we lowered is never raised: a voided line is held as restore_needed."""
    lab = lab_of([one := action("O-1")])
    lab.rows = [back("O-1")]
    lab.run()
    lab.pass_time(days=1)
    lab.rows = [back("O-1", voided=True, updated=lab.clock.now() - HOUR)]
    assert held(lab.run()) == {"restore_needed": 1}
    assert (lab.items(one["Id"])["A"], len(lab.writes)) == ((1, 20), 1)


def test_a_line_deleted_after_a_confirmed_change_needs_a_person(lab_of: Maker) -> None:
    """A line gone from its order is as withdrawn as a voided one, and stays held run after run."""
    lab = lab_of([action("O-1")])
    lab.rows = [back("O-1"), back("O-1", "B", id="R-b", at=NOW - 2 * HOUR)]
    assert counted(lab.run()) == {"confirmed": 2}
    lab.pass_time(days=1)
    lab.rows = lab.rows[1:]
    for _ in range(2):
        books = lab.run()
        assert held(books) == {"restore_needed": 1}
        lab.pass_time(days=1)
    assert len(lab.writes) == 1


def test_a_line_withdrawn_before_anything_was_sent_counts_nothing(lab_of: Maker) -> None:
    """A voided line is ignored and leaves its action alone."""
    lab = lab_of([action("O-1"), action("O-2", ("A", 2, "40.00"))])
    lab.rows = [back("O-1", voided=True), back("O-2"), back("O-2", id="R-x", voided=True)]
    assert counted(lab.run()) == {"ignored": 2, "confirmed": 1}


def test_an_action_raised_after_our_change_is_contested(lab_of: Maker) -> None:
    """Someone who puts back what we lowered is not fought: a person must decide."""
    lab = lab_of([one := action("O-1")])
    lab.rows = [back("O-1")]
    lab.run()
    lab.pass_time(hours=1)
    lab.act("reset", one["Id"])
    lab.pass_time(hours=1)
    assert held(lab.run()) == {"contested": 1}
    assert len(lab.writes) == 1


def test_lower_by_another_hand_is_settled(lab_of: Maker) -> None:
    """An action that someone already reversed is already settled; nothing is sent."""
    lab = lab_of([one := action("O-1")])
    lab.act("reverse", one["Id"])
    lab.rows = [back("O-1")]
    assert counted(lab.run()) == {"already_settled": 1}
    assert lab.writes == []


def test_the_modification_limit_is_held_before_it_is_reached(lab_of: Maker) -> None:
    """An action that was modified 999 times is left to a person."""
    one = action("O-1")
    one |= {"_original": one["Items"]}
    one["_updates"] = [
        {"Sku": "A", "Disposition": "ORDER_UPDATE", "Quantity": "2", "DeltaAmount": "0.00"}
        | {"DeltaPayout": "0.00", "UpdateDate": stamp(NOW - timedelta(minutes=2000 - n))}
        for n in range(999)
    ]
    lab = lab_of([one])
    lab.rows = [back("O-1")]
    assert held(lab.run()) == {"modification_limit": 1}
    assert lab.writes == []


def test_someone_elses_edit_between_plan_and_submit_drops_the_change(lab_of: Maker) -> None:
    """A change planned on what no longer stands is not sent; what is right is planned and sent."""
    lab = lab_of([one := action("O-1", ("A", 4, "80.00"))])
    lab.rows = [back("O-1")]

    def edit(step: str, _: object) -> None:
        if step == "plan_changes":
            lab.pass_time(seconds=30)
            lab.act("modify", one["Id"], fields={"Sku": "A", "Amount": "70.00"})
            lab.pass_time(seconds=30)

    books = lab.run(world=lab.world(tell=edit))
    assert (counted(books), len(lab.writes)) == ({"confirmed": 1}, 1)
    quantity, amount = lab.items(one["Id"])["A"]
    assert (quantity, amount) == (3, 60)


def test_invalid_rows_are_named_and_stop_nothing(lab_of: Maker) -> None:
    """A row that breaks the contract is invalid; the others are reconciled."""
    lab = lab_of([action("O-1")])
    lab.rows = [
        back("O-1"),
        back("O-2", quantity=-1),
        back("O-3", quantity=1.5),
        back("O-4", "", None),
        back("O-5", kind="swap"),
        back("O-6", quantity=10**15),
    ]
    books = lab.run()
    assert counted(books)["confirmed"] == 1
    assert counted(books)["invalid"] >= 4
    assert books["unexplained"] == 0


def test_every_kind_of_hold_leaves_its_action_alone(lab_of: Maker) -> None:
    """Over-returns, unknown or doubled SKUs, other currencies and two actions are held."""
    twice = action("dup")
    twice["Items"] = [item("A", 2, "40.00"), item("A", 1, "20.00")]
    lab = lab_of(
        [action("over"), action("unknown"), twice, action("money"), action("two"), action("two")]
    )
    lab.rows = [
        back("over", quantity=3),
        back("unknown", "Z"),
        back("dup"),
        back("money", currency="EUR", amount=Decimal(20)),
        back("two"),
    ]
    assert held(lab.run()) == {
        "over_returned": 1,
        "unknown_sku": 1,
        "duplicate_sku": 1,
        "currency_mismatch": 1,
        "ambiguous_action": 1,
    }
    assert lab.writes == []
