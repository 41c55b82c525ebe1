"""Decisions: checked when they are made, in force in the next run, told by explain."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from clawback.steps.decide import DecisionError, decide, decide_all, decisions_of
from clawback.steps.explain import explain
from lab import Lab, action, back, counted

Maker = Callable[..., Lab]
both = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)


def said(
    lab: Lab, order: str, verb: str, value: str = "", reason: str = "because"
) -> dict[str, Any]:
    return decide(
        lab.ledger, lab.program, order, verb, value, reason=reason, by="Ann", now=lab.clock.now()
    )


def twins(lab_of: Maker) -> tuple[Lab, list[str]]:
    """A lab whose order O-1 has two live actions with the same SKUs: nobody can tell which."""
    actions = [action("O-1"), action("O-1", MediaPartnerId="10001")]
    lab = lab_of(actions)
    lab.rows = [back("O-1")]
    return lab, [one["Id"] for one in actions]


def test_a_picked_action_is_worked_on_in_the_next_run(lab_of: Maker) -> None:
    """An ambiguous order is held; once an action is picked, the next run lowers that one alone."""
    lab, (first, second) = twins(lab_of)
    assert counted(lab.run()) == {"held": 1}
    lab.pass_time(hours=1)
    said(lab, "O-1", "pick_action", second)
    lab.pass_time(days=5)
    assert counted(lab.run()) == {"confirmed": 1}
    assert lab.items(first)["A"][0] == 2
    assert lab.items(second)["A"][0] == 1


@both
def test_a_withdrawn_decision_counts_no_more(lab_of: Maker) -> None:
    """An ignored hold is final; withdrawing the decision brings the order back into scope."""
    lab, _ = twins(lab_of)
    lab.run()
    said(lab, "O-1", "ignore", "ambiguous_action")
    lab.pass_time(days=10)
    assert counted(lab.run()) == {"ignored": 1}
    lab.pass_time(days=10)
    assert counted(lab.run()) == {}
    said(lab, "O-1", "withdraw", "ignore")
    assert counted(lab.run()) == {"held": 1}


def test_a_settled_order_is_looked_at_once_after_a_decision(lab_of: Maker) -> None:
    """A decision on an order takes it into scope of the next run over all orders, not of all."""
    lab, _ = twins(lab_of)
    lab.run()
    said(lab, "O-1", "ignore")
    lab.pass_time(days=10)
    assert counted(lab.run()) == {"ignored": 1}
    said(lab, "O-1", "ignore", "R-O-1")
    rt = lab.runtime()
    lab.pass_time(days=10)
    lab.run(run_id=rt.run_id)
    with lab.ledger.read() as conn:
        from clawback.steps import scope

        assert scope.order_keys(conn, rt.run(), rt.program) == []


def contested(lab_of: Maker) -> tuple[Lab, str]:
    """A lab where someone has raised the action again after our confirmed change."""
    sold = action("O-1", ("A", 4, "40.00"))
    lab = lab_of([sold])
    lab.rows = [back("O-1")]
    lab.run()
    lab.pass_time(hours=1)
    raise_again(lab, sold["Id"])
    lab.pass_time(hours=1)
    assert lab.run()["held"] == {"contested": 1}
    return lab, sold["Id"]


def raise_again(lab: Lab, action_id: str) -> None:
    lab.act("modify", action_id, fields={"Sku": "A", "Quantity": "4", "Amount": "40.00"})


@both
def test_a_retry_is_used_up(lab_of: Maker) -> None:
    """Retry lowers a contested action once; raised again, it is held again."""
    lab, action_id = contested(lab_of)
    said(lab, "O-1", "retry")
    lab.pass_time(hours=1)
    assert counted(lab.run()) == {"confirmed": 1}
    lab.pass_time(hours=1)
    raise_again(lab, action_id)
    lab.pass_time(hours=1)
    assert lab.run()["held"] == {"contested": 1}


def test_a_retry_outlives_a_run_that_could_not_send(lab_of: Maker) -> None:
    """A retry that was planned and not sent still counts in the run after."""
    lab, _ = contested(lab_of)
    said(lab, "O-1", "retry")
    lab.choices["approval"] = {"changes": 0}
    lab.pass_time(hours=1)
    assert counted(lab.run(world=lab.world(approved_by=None))) == {"planned": 1}
    lab.choices["approval"] = {}
    lab.pass_time(hours=1)
    assert counted(lab.run()) == {"confirmed": 1}


def test_a_dry_run_uses_no_retry_up(lab_of: Maker) -> None:
    """A dry run shows what the retry would do, and leaves it for the live run."""
    lab, _ = contested(lab_of)
    said(lab, "O-1", "retry")
    lab.pass_time(hours=1)
    assert counted(lab.run(dry_run=True)) == {"planned": 1}
    lab.pass_time(hours=1)
    assert counted(lab.run()) == {"confirmed": 1}


def test_standing_back_leaves_a_contested_action_alone(lab_of: Maker) -> None:
    """Stand back replaces an earlier retry, and the line ends as ignored."""
    lab, action_id = contested(lab_of)
    said(lab, "O-1", "retry")
    kept = said(lab, "O-1", "stand_back", action_id)
    assert kept["withdrawn"] == [], "a retry of every action is not about this one alone"
    said(lab, "O-1", "stand_back")
    standing = [d["verb"] for d in decisions_of(lab.ledger, lab.program, "O-1")]
    assert standing == ["stand_back", "stand_back"]
    lab.pass_time(hours=1)
    assert counted(lab.run()) == {"ignored": 1}
    assert lab.items(action_id)["A"][0] == 4


@pytest.mark.parametrize(
    ("order", "verb", "value", "reason", "mend"),
    [
        ("O-9", "retry", "", "because", "check its spelling"),
        ("O-1", "undo", "", "because", "take one of pick_action"),
        ("O-1", "pick_action", "", "because", "the actions of order O-1 are 1000"),
        ("O-1", "pick_action", "1.2.3", "because", "the actions of order O-1 are 1000"),
        ("O-1", "accept_baseline", "mine", "because", "impact, warehouse"),
        ("O-1", "ignore", "R-9", "because", "R-O-1, ambiguous_action"),
        ("O-1", "retry", "1.2.3", "because", "the actions of order O-1 are 1000"),
        ("O-1", "withdraw", "retry", "because", "standing: none"),
        ("O-1", "retry", "", " ", "--reason"),
    ],
)
def test_a_decision_that_does_not_fit_says_what_would(  # noqa: PLR0913, PLR0917 - a row of a table
    lab_of: Maker, order: str, verb: str, value: str, reason: str, mend: str
) -> None:
    """Nothing is kept, and the message names what the order has."""
    lab, _ = twins(lab_of)
    lab.run()
    with pytest.raises(DecisionError, match=mend):
        said(lab, order, verb, value, reason)
    assert decisions_of(lab.ledger, lab.program, "O-1") == []


def test_explain_tells_who_decided(lab_of: Maker) -> None:
    """The story of an order names the person, the reason, and when it was taken back."""
    lab, _ = twins(lab_of)
    lab.run()
    said(lab, "O-1", "ignore", "", "goodwill")
    lab.pass_time(seconds=5)
    said(lab, "O-1", "withdraw", "", "not so")
    told = [(e.what, e.subject, e.detail) for e in explain(lab.ledger, "O-1") if "Ann" in e.subject]
    assert told == [
        ("decided", "by Ann", "ignore: goodwill"),
        ("withdrawn", "by Ann", "ignore: goodwill"),
    ]


def test_an_order_runs_own_list_takes_up_its_decision(lab_of: Maker) -> None:
    """A run over named orders heeds decisions on them."""
    lab, (first, _) = twins(lab_of)
    lab.run()
    said(lab, "O-1", "pick_action", first)
    lab.clock.set(lab.clock.now() + timedelta(seconds=1))
    assert counted(lab.run(order_ids=("O-1",))) == {"confirmed": 1}


def test_several_orders_are_decided_on_together_or_not_at_all(lab_of: Maker) -> None:
    """One order that the answer does not fit keeps the others from it; a dry run keeps nothing."""
    lab = lab_of([action("O-1"), action("O-2")])
    lab.rows = [back("O-1", "X"), back("O-2", "X")]
    assert counted(lab.run()) == {"held": 2}
    who: dict[str, Any] = {"reason": "because", "by": "Ann", "now": lab.clock.now()}
    with pytest.raises(DecisionError, match="no return line of order 'O-3'"):
        decide_all(lab.ledger, lab.program, ["O-1", "O-3"], "ignore", **who)
    dry = decide_all(lab.ledger, lab.program, ["O-1", "O-2"], "ignore", **who, dry_run=True)
    assert [one["id"] for one in dry] == [None, None]
    assert decisions_of(lab.ledger, lab.program, "O-1") == []
    kept = decide_all(lab.ledger, lab.program, ["O-1", "O-2", "O-1"], "ignore", **who)
    assert [one["order_id"] for one in kept] == ["O-1", "O-2"]
    assert [d["verb"] for d in decisions_of(lab.ledger, lab.program, "O-2")] == ["ignore"]


def test_a_refusal_is_not_answered_by_ignoring_the_hold(lab_of: Maker) -> None:
    """What would have no effect is not kept; the message says which answer has."""
    lab = lab_of([action("O-1")])
    lab.rows = [back("O-1")]
    lab.run(dry_run=True)
    with pytest.raises(DecisionError, match="answer retry to let it go after all"):
        said(lab, "O-1", "ignore", "approval_refused")
