"""Approval: a plan over the thresholds waits; an answer is kept with its name and holds once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from clawback.ledger.tables import approvals, changes, events
from clawback.program import Program
from clawback.steps.approve import PlanMovedError, approve, ask, refuse, time_out, weigh
from clawback.steps.close import close
from clawback.steps.decide import decide, decide_held
from clawback.steps.extract import extract
from clawback.steps.lane import submit_urgent
from clawback.steps.plan import plan
from clawback.steps.preflight import preflight
from clawback.steps.prove import prove
from clawback.steps.runtime import RunKind, RunRequest, Runtime
from clawback.steps.submit import submit
from clawback.steps.sync import sync
from lab import NOW, Lab, action, back, cancelled, counted, stamp

Maker = Callable[..., Lab]
both = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)


def planned(lab: Lab) -> Runtime:
    """A run that has come to its gate."""
    rt = lab.runtime()
    preflight(rt, RunRequest(RunKind.MANUAL), lab.account.account_sid)
    with lab.client(rt) as client:
        extract(rt, lab.connect)
        sync(rt, client)
    plan(rt)
    return rt


def send(lab: Lab, rt: Runtime) -> None:
    with lab.client(rt) as client:
        prove(rt, client)
        submit(rt, client, 0)


def shop(lab_of: Maker, orders: int = 3, **approval: Any) -> Lab:
    lab = lab_of([action(f"O-{n}", ("A", 2, f"{20 * n}.00")) for n in range(1, orders + 1)])
    lab.rows = [back(f"O-{n}") for n in range(1, orders + 1)]
    lab.choices["approval"] = approval
    lab.choices["canary"] = 0
    return lab


def test_without_thresholds_nothing_waits(lab_of: Maker) -> None:
    """A program that names no threshold sends its plan at once."""
    lab = shop(lab_of)
    assert weigh(planned(lab))["over"] is False
    assert counted(lab.run(world=lab.world(approved_by=None))) == {"confirmed": 3}


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        ({"changes": 2}, "3 changes, 2 go without approval"),
        ({"amount": 59}, "sales taken off: 60.00 USD, 59.00 go without approval"),
        ({"payout": "5.99"}, "commission taken back: 6.00 USD, 5.99 go without approval"),
        ({"revenue_share": "0.1"}, "no sale of the last day is listed"),
        ({"urgent": {"changes": 0}}, None),
        ({"changes": 3, "amount": 60, "payout": 6}, None),
    ],
)
def test_a_plan_over_a_threshold_waits(
    lab_of: Maker, limits: dict[str, Any], why: str | None
) -> None:
    """Each threshold alone holds a plan back, and says by how much; what is under it goes."""
    lab = shop(lab_of, **limits)
    rt = planned(lab)
    told = approve(rt)
    if why is None:
        assert (told["approved"], told["waiting"]) == (3, 0)
        return
    assert (told["approved"], told["waiting"]) == (0, 3)
    assert why in told["why"][0]
    send(lab, rt)
    assert lab.writes == []


def test_the_share_of_the_days_revenue_is_weighed(lab_of: Maker) -> None:
    """Sales taken off are held against what was attributed in the last day."""
    lab = lab_of(
        [
            action("O-1", ("A", 2, "40.00")),
            action("O-2", ("A", 1, "100.00"), EventDate=stamp(NOW - timedelta(hours=2))),
        ]
    )
    lab.rows = [back("O-1"), back("O-2", at=NOW - timedelta(hours=1), ordered_at=NOW)]
    lab.choices["approval"] = {"revenue_share": "0.5"}
    told = weigh(planned(lab))
    assert told["day_revenue"] == "100.00"
    assert told["why"] == ["120.0% of the last day's attributed revenue, 50.0% go without approval"]


def test_urgent_changes_have_thresholds_of_their_own(lab_of: Maker) -> None:
    """Where the program judges urgent changes apart, they go while the rest waits."""
    soon = stamp(NOW + timedelta(minutes=30))
    lab = lab_of([action("O-1"), action("O-2"), action("O-3", LockingDate=soon)])
    lab.rows = [back("O-1"), back("O-2"), back("O-3")]
    lab.choices |= {"approval": {"changes": 1, "urgent": {"changes": 5}}, "canary": 0}
    rt = planned(lab)
    told = approve(rt)
    assert (told["approved"], told["waiting"]) == (1, 2)
    send(lab, rt)
    assert len(lab.writes) == 1


@both
def test_an_approved_plan_is_sent_and_the_name_kept(lab_of: Maker) -> None:
    """A person's word sends the plan; each change says whose word it was."""
    lab = shop(lab_of, changes=1)
    rt = planned(lab)
    assert ask(rt)["over"] is True
    assert approve(rt, "Ann") == {"approved": 3, "waiting": 0, "by": "Ann"}
    assert approve(rt, "Ann")["approved"] == 0, "a repeated answer signs nothing twice"
    send(lab, rt)
    assert len(lab.writes) == 3
    signed = [(row["answer"], row["answered_by"]) for row in lab.table(approvals)]
    assert signed == [("approved", "Ann")] * 3


@both
def test_a_refused_plan_sends_nothing_and_is_held(lab_of: Maker) -> None:
    """Refused changes end as held, approval_refused, with the name and the reason."""
    lab = shop(lab_of, changes=1)
    rt = planned(lab)
    ask(rt)
    assert refuse(rt, "Ann", "wrong week")["refused"] == 3
    send(lab, rt)
    assert lab.writes == []
    books = close(rt)
    assert books["held"] == {"approval_refused": 3}
    said = "Ann refused this change: wrong week; answer retry to let it go after all"
    assert {row["error"] for row in lab.table(changes)} == {said}
    assert {row["answer"] for row in lab.table(approvals)} == {"refused"}


def test_a_refusal_holds_until_someone_decides_to_retry(lab_of: Maker) -> None:
    """Not even a plan that is now under the thresholds, or --yes, sends what a person refused."""
    lab = shop(lab_of, changes=1)
    rt = planned(lab)
    refuse(rt, "Ann")
    close(rt)
    lab.choices["approval"] = {}
    for by in (None, "Bob with --yes"):
        lab.pass_time(hours=1)
        assert lab.run(world=lab.world(approved_by=by))["held"] == {"approval_refused": 3}
    assert lab.writes == []
    one = {"reason": "mended", "by": "Ann", "now": lab.clock.now()}
    decide(lab.ledger, lab.program, "O-1", "retry", **one)
    lab.pass_time(hours=1)
    assert counted(lab.run(world=lab.world(approved_by=None))) == {"confirmed": 1, "held": 2}
    rest = {"reason": "mended", "by": "Ann", "now": lab.clock.now()}
    kept = decide_held(lab.ledger, lab.program, "approval_refused", "retry", **rest)
    assert [d["order_id"] for d in kept] == ["O-2", "O-3"]
    lab.pass_time(hours=1)
    assert counted(lab.run(world=lab.world(approved_by=None)))["confirmed"] == 2


def test_another_change_is_not_bound_by_the_refusal(lab_of: Maker) -> None:
    """Once the rows are corrected it is another change, and goes by the thresholds."""
    lab = shop(lab_of, 1, changes=0)
    rt = planned(lab)
    refuse(rt, "Ann")
    close(rt)
    lab.choices["approval"] = {}
    lab.pass_time(hours=1)
    lab.rows = [back("O-1", "A", 2, updated=lab.clock.now())]
    assert counted(lab.run(world=lab.world(approved_by=None))) == {"confirmed": 1}


def test_a_time_out_is_no_refusal(lab_of: Maker) -> None:
    """Nobody answered: the lines end as planned, and the next run asks again."""
    lab = shop(lab_of, changes=1)
    rt = planned(lab)
    ask(rt)
    assert time_out(rt)["waiting"] == 3
    send(lab, rt)
    assert lab.writes == []
    assert counted(close(rt)) == {"planned": 3}
    assert "approval timed out" in {row["became"] for row in lab.table(events)}
    again = planned(lab)
    assert ask(again)["over"] is True


def test_an_answer_holds_only_for_what_was_shown(lab_of: Maker) -> None:
    """A plan that has changed since it was shown is not approved by the old answer."""
    lab = shop(lab_of, changes=1)
    rt = planned(lab)
    ask(rt)
    lab.rows.append(back("O-1", "A", 1, id="R-more"))
    with lab.client(rt):
        extract(rt, lab.connect)
    plan(rt)
    with pytest.raises(PlanMovedError, match="look at the new plan"):
        approve(rt, "Ann")
    assert {row["approved"] for row in lab.table(changes)} == {None}


def test_a_change_that_moved_after_the_answer_is_not_sent(lab_of: Maker) -> None:
    """Approved, but its action was changed by someone else meanwhile: it is dropped unsent."""
    lab = shop(lab_of, 1, changes=0)
    rt = planned(lab)
    approve(rt, "Ann")
    (action_id,) = lab.state()
    lab.act("modify", action_id, fields={"Sku": "A", "Quantity": "1", "Amount": "15.00"})
    lab.pass_time(minutes=1)
    send(lab, rt)
    assert lab.writes == []


def test_planning_again_takes_the_approval_back(lab_of: Maker) -> None:
    """The same change planned once more waits for an answer of its own."""
    lab = shop(lab_of, 1, changes=0)
    rt = planned(lab)
    approve(rt, "Ann")
    plan(rt)
    send(lab, rt)
    assert lab.writes == []


def test_a_run_at_the_command_line_waits_unless_told_yes(lab_of: Maker) -> None:
    """Over the thresholds `clawback run` leaves the plan, and --yes is a person's word."""
    lab = shop(lab_of, changes=1)
    heard: dict[str, Any] = {}
    books = lab.run(world=lab.world(tell=heard.__setitem__, approved_by=None))
    assert counted(books) == {"planned": 3}
    assert "--yes" in heard["approve_changes"]["said"]
    lab.pass_time(hours=1)
    assert counted(lab.run(world=lab.world(approved_by="Ann with --yes"))) == {"confirmed": 3}


@both
def test_a_plan_tells_what_is_unusual(lab_of: Maker) -> None:
    """After five quiet runs, ten reversals stand out in number, money and code."""
    quiet = [action(f"Q-{n}", ("A", 2, "40.00")) for n in range(5)]
    loud = [action(f"L-{n}", ("A", 2, "400.00")) for n in range(10)]
    lab = lab_of(quiet + loud)
    for n in range(5):
        lab.rows.append(back(f"Q-{n}", at=lab.clock.now() - timedelta(hours=1)))
        lab.run()
        lab.pass_time(hours=6)
    lab.rows += [cancelled(f"L-{n}", at=lab.clock.now() - timedelta(hours=1)) for n in range(10)]
    told = weigh(planned(lab))
    assert [text.partition(":")[0] for text in told["unusual"]] == [
        "changes",
        "reversals of whole orders",
        "sales taken off",
        "commission taken back",
        "codes not used in the last 5 runs",
    ]
    assert told["changes"] == told["reversals"] == 10
    assert told["payout"] == "400.00"
    assert len(told["largest"]) == 10
    assert "| L-0 | Partner | reverse" in told["markdown"]


def test_a_dry_run_is_weighed_and_does_not_wait(lab_of: Maker) -> None:
    """What a live run would have to ask about is shown, and nobody is asked."""
    lab = shop(lab_of, changes=1)
    lab.run(dry_run=True)
    told = weigh(lab.runtime(lab.last_run))
    assert (told["over"], told["waits"], told["changes"]) == (True, False, 3)


def test_thresholds_are_checked_when_the_program_is_read() -> None:
    """A threshold that is no number is refused with its key."""
    with pytest.raises(ValueError, match=r"approval\.changes"):
        Program.model_validate(
            {"name": "x", "campaign_id": "1", "currency": "USD", "approval": {"changes": -1}}
        )


def rushed(lab_of: Maker, **approval: Any) -> Lab:
    """Two orders that lock in half an hour, and two that have time."""
    soon = stamp(NOW + timedelta(minutes=30))
    sold = [action(f"O-{n}") for n in (1, 2)] + [action(f"U-{n}", LockingDate=soon) for n in (1, 2)]
    lab = lab_of(sold)
    lab.rows = [back(order) for order in ("O-1", "O-2", "U-1", "U-2")]
    lab.choices |= {"approval": {"changes": 1, **approval}, "canary": 0}
    return lab


def rush(lab: Lab, rt: Runtime) -> None:
    with lab.client(rt) as client:
        assert submit_urgent(rt, client).done


@both
def test_what_is_urgent_does_not_wait_for_the_answer_about_the_rest(lab_of: Maker) -> None:
    """While a person is asked, urgent changes within their threshold go; the answer still holds."""
    lab = rushed(lab_of, urgent={"changes": 5})
    rt = planned(lab)
    assert approve(rt)["waiting"] == 2
    told = ask(rt)
    assert (told["changes"], told["urgent_changes"], told["meanwhile"]) == (2, 0, 2)
    assert "2 more are within their threshold and go meanwhile" in told["markdown"]
    rush(lab, rt)
    assert len(lab.writes) == 2
    lab.pass_time(hours=10)
    assert approve(rt, "Ann")["approved"] == 2
    send(lab, rt)
    assert len(lab.writes) == 4


def test_a_refusal_leaves_what_was_urgent_alone(lab_of: Maker) -> None:
    """Only what the person was asked about is held."""
    lab = rushed(lab_of, urgent={"changes": 5})
    rt = planned(lab)
    approve(rt)
    ask(rt)
    assert refuse(rt, "Ann")["refused"] == 2
    rush(lab, rt)
    send(lab, rt)
    assert len(lab.writes) == 2


@pytest.mark.parametrize(
    "approval",
    [{}, {"urgent": {"changes": 1}}, {"changes": 9, "urgent": {"changes": 9}}],
    ids=["no threshold of its own", "over its own", "nothing waits"],
)
def test_nothing_goes_ahead_without_its_own_threshold(
    lab_of: Maker, approval: dict[str, Any]
) -> None:
    """Urgent changes go ahead only where they may and where others wait."""
    lab = rushed(lab_of, **approval)
    rush(lab, planned(lab))
    assert lab.writes == []


def test_the_time_for_proof_begins_with_the_answer(lab_of: Maker) -> None:
    """What waited for a person for hours is given its whole time to be seen at impact.com."""
    lab = rushed(lab_of, urgent={"changes": 5})
    lab.choices["canary"] = 1
    rt = planned(lab)
    approve(rt)
    ask(rt)
    with lab.client(rt) as client:
        submit_urgent(rt, client)
    assert rt.run().deadline is not None
    lab.pass_time(hours=10)
    approve(rt, "Ann")
    assert rt.run().deadline is None


def test_what_others_have_written_is_only_text_in_the_summary(lab_of: Maker) -> None:
    """A partner's name cannot break the table, nor lead anyone anywhere."""
    lab = lab_of([action("O-1", MediaPartnerName="a|b\n[x](http://evil) <img>")])
    lab.rows = [back("O-1")]
    shown = weigh(planned(lab))["markdown"]
    assert r"| a\|b \[x\](http://evil) \<img\> |" in shown
