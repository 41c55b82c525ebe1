"""Reset: shown before it is done, refused near locking, proved, and planned anew."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from clawback.impact.client import ImpactClient
from clawback.impact.retry import NO_WAITS
from clawback.ledger.tables import actions, events, resets
from clawback.steps import reset_run
from clawback.steps.explain import explain
from clawback.steps.preflight import preflight
from clawback.steps.reset import (
    ResetError,
    reset_confirm,
    reset_orders,
    reset_preview,
    reset_send,
)
from clawback.steps.reset_guard import WARNING
from clawback.steps.runtime import RunKind, RunRequest, Runtime
from lab import Lab, action, back, cancelled, counted, stamp

Maker = Callable[..., Lab]
both = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)


def lowered(lab_of: Maker, **settings: Any) -> tuple[Lab, str]:
    """A lab whose one action we have lowered from two units to none of A."""
    sold = action("O-1", ("A", 2, "40.00"), ("B", 1, "60.00"))
    lab = lab_of([sold], **settings)
    lab.rows = [back("O-1", "A", 2)]
    assert counted(lab.run()) == {"confirmed": 1}
    lab.pass_time(hours=1)
    return lab, sold["Id"]


def preview(lab: Lab, *targets: str) -> dict[str, Any]:
    rt = lab.runtime()
    with lab.client(rt) as client:
        return reset_preview(rt, client, targets, "wrong rows")


def whole(lab: Lab, *targets: str, seen: str = "") -> dict[str, Any]:
    """Reset and run, as the command line does."""
    quick = partial(ImpactClient, retry=NO_WAITS, now=lab.clock.now)
    lab.monkeypatch.setattr(reset_run, "ImpactClient", quick)
    lab.monkeypatch.setattr("clawback.steps.local.ImpactClient", quick)
    rt = lab.runtime()
    lab.last_run = rt.run_id
    return reset_run.reset_and_run(rt, targets, "wrong rows", "Ann", seen, lab.world())


def started(lab: Lab, *targets: str, **request: Any) -> Runtime:
    rt = lab.runtime()
    sid = lab.account.account_sid
    orders = reset_orders(rt, sid, targets)
    preflight(rt, RunRequest(RunKind.MANUAL, order_ids=orders, **request), sid)
    return rt


def test_a_preview_shows_what_is_undone_and_sends_nothing(lab_of: Maker) -> None:
    """Both an order id and an ActionId name the action; the help article's warning is shown."""
    lab, action_id = lowered(lab_of)
    before = len(lab.writes)
    for target in ("O-1", action_id):
        told = preview(lab, target)
        (one,) = told["actions"]
        assert (one["action_id"], one["amount"], one["original_amount"]) == (
            action_id,
            "60.00",
            "100.00",
        )
        assert one["items"] == ["A: 0 → 2"]
        assert WARNING in told["markdown"]
    assert len(lab.writes) == before


@both
def test_a_reset_is_proved_and_the_order_planned_anew(lab_of: Maker) -> None:
    """The customer kept one of two: reset, then lowered to one; a plain run could not raise it."""
    lab, action_id = lowered(lab_of)
    lab.rows = [back("O-1", "A", 1, updated=lab.clock.now())]
    assert lab.run()["held"] == {"restore_needed": 1}
    lab.pass_time(hours=1)
    books = whole(lab, "O-1")
    assert counted(books) == {"confirmed": 1}
    assert lab.items(action_id)["A"] == (1, Decimal("20.00"))
    (row,) = lab.table(resets)
    assert (row["state"], row["requested_by"]) == ("done", "Ann")
    assert (row["before_amount"], row["after_amount"]) == (Decimal("60.00"), Decimal("100.00"))
    assert [e.what for e in explain(lab.ledger, "O-1") if e.what == "reset"] == ["reset"]
    lab.pass_time(hours=1)
    writes = len(lab.writes)
    lab.run()
    assert len(lab.writes) == writes, "a settled order sends nothing"


def test_a_reversed_action_comes_back(lab_of: Maker) -> None:
    """A cancellation that was withdrawn: the reversed action stands whole again."""
    sold = action("O-1")
    lab = lab_of([sold])
    lab.rows = [cancelled("O-1")]
    lab.run()
    lab.pass_time(hours=1)
    lab.rows = [cancelled("O-1", voided=True, updated=lab.clock.now())]
    assert lab.run()["held"] == {"restore_needed": 1}
    lab.pass_time(hours=1)
    assert counted(whole(lab, "O-1")) == {"ignored": 1}
    assert lab.state()[sold["Id"]]["State"] == "PENDING"
    assert lab.state()[sold["Id"]]["Amount"] == "100.00"


@pytest.mark.parametrize(
    ("locks_in", "why"),
    [
        (timedelta(minutes=-1), "it locked on 2026-11-20"),
        (timedelta(seconds=5), "within the"),
    ],
)
def test_what_locks_too_soon_is_refused(lab_of: Maker, locks_in: timedelta, why: str) -> None:
    """A locked action is refused with its date, and so is one that could lock while undone."""
    lab, action_id = lowered(lab_of, queue_latency=30)
    lock = lab.clock.now() + locks_in
    lab.act("lock", action_id, locking_date=stamp(lock))
    told = preview(lab, "O-1")
    assert told["actions"] == []
    assert why in told["refused"][0]["why"]
    rt = started(lab, "O-1")
    writes = len(lab.writes)
    with lab.client(rt) as client:
        assert reset_send(rt, client, ["O-1"], "r", by="Ann").counts.get("sent", 0) == 0
    assert len(lab.writes) == writes


def test_the_margin_grows_with_the_observed_latency(lab_of: Maker) -> None:
    """Twice the queue's latency and a run must fit before the locking date."""
    lab, action_id = lowered(lab_of, queue_latency=600)
    lab.act("lock", action_id, locking_date=stamp(lab.clock.now() + timedelta(minutes=25)))
    assert "within the" in preview(lab, "O-1")["refused"][0]["why"]
    lab.act("lock", action_id, locking_date=stamp(lab.clock.now() + timedelta(minutes=90)))
    assert preview(lab, "O-1")["refused"] == []


def test_an_untouched_action_is_not_reset(lab_of: Maker) -> None:
    """Where nothing was changed there is nothing to undo."""
    lab = lab_of([action("O-1"), action("O-2")])
    lab.rows = [back("O-1"), back("O-2", "Z")]
    lab.run()
    assert "nothing to undo" in preview(lab, "O-2")["refused"][0]["why"]


@pytest.mark.parametrize(
    ("targets", "reason", "mend"),
    [(["O-9"], "r", "O-9; check"), ([], "r", "name 1 to"), (["O-1"], " ", "needs a reason")],
)
def test_a_reset_of_nothing_known_is_refused(
    lab_of: Maker, targets: list[str], reason: str, mend: str
) -> None:
    """A target that the ledger does not know, none at all, or no reason: nothing is read."""
    lab, _ = lowered(lab_of)
    rt = lab.runtime()
    with lab.client(rt) as client, pytest.raises(ResetError, match=mend):
        reset_preview(rt, client, targets, reason)


def test_actions_that_moved_since_the_preview_are_not_reset(lab_of: Maker) -> None:
    """An approval is for what was shown."""
    lab, action_id = lowered(lab_of)
    seen = preview(lab, "O-1")["fingerprint"]
    lab.act("modify", action_id, fields={"Sku": "B", "Quantity": "0", "Amount": "0"})
    rt = started(lab, "O-1")
    with lab.client(rt) as client, pytest.raises(ResetError, match="look at them again"):
        reset_send(rt, client, ["O-1"], "r", by="Ann", seen=seen)


def test_a_dry_run_resets_nothing(lab_of: Maker) -> None:
    """Dry, it says how many it would reset."""
    lab, _ = lowered(lab_of)
    rt = started(lab, "O-1", dry_run=True)
    writes = len(lab.writes)
    with lab.client(rt) as client:
        assert reset_send(rt, client, ["O-1"], "r", by="Ann").counts["would_reset"] == 1
    assert len(lab.writes) == writes


def test_a_reset_is_sent_once_however_often_it_is_asked_for(lab_of: Maker) -> None:
    """A task that runs again sends nothing twice, and a plan meanwhile leaves the action alone."""
    lab, _ = lowered(lab_of)
    rt = started(lab, "O-1")
    with lab.client(rt) as client:
        reset_send(rt, client, ["O-1"], "r", by="Ann")
        reset_send(rt, client, ["O-1"], "r", by="Ann")
    assert sum("RESET" in str(w) for w in lab.writes) == 1
    lab.rows.append(back("O-1", "B", 1, id="R-2", at=lab.clock.now()))
    writes = len(lab.writes)
    books = lab.run()
    assert books["outcomes"]["pending"]["lines"] >= 1
    assert len(lab.writes) == writes


def test_a_spent_budget_makes_a_reset_wait(lab_of: Maker) -> None:
    """What certainly was not sent is sent when the budget holds again, and only then."""
    lab, _ = lowered(lab_of)
    rt = started(lab, "O-1")
    lab.strike({"fault": "rate_limited", "kinds": ["modify"], "times": 1})
    with lab.client(rt) as client:
        waiting = reset_send(rt, client, ["O-1"], "r", by="Ann")
        assert (waiting.done, waiting.waiting_for) == (False, "budget")
        assert [row["state"] for row in lab.table(resets)] == ["unsent"]
        lab.pass_time(hours=2)
        assert reset_send(rt, client, ["O-1"], "r", by="Ann").counts["sent"] == 1
        lab.pass_time(minutes=1)
        assert reset_confirm(rt, client).counts["reset"] == 1


def test_a_reset_in_doubt_is_read_back_before_it_is_sent_again(lab_of: Maker) -> None:
    """The answer was lost but the reset took effect: it is found done, and not repeated."""
    lab, _ = lowered(lab_of)
    rt = started(lab, "O-1")
    lab.strike({"fault": "reset", "kinds": ["modify"], "times": 1})
    with lab.client(rt) as client:
        assert reset_send(rt, client, ["O-1"], "r", by="Ann").counts["in_doubt"] == 1
        for _ in range(6):
            lab.pass_time(seconds=10)
            if reset_confirm(rt, client).done:
                break
    (row,) = lab.table(resets)
    assert row["state"] == "done"
    assert row["attempts"] <= 2


def test_a_refused_reset_says_why(lab_of: Maker) -> None:
    """What impact.com answers is kept, and the action is left as it was."""
    lab, action_id = lowered(lab_of)
    lab.act("refuse", action_id, error_type="Validation", error_reason="NOT_ALLOWED")
    rt = started(lab, "O-1")
    with lab.client(rt) as client:
        reset_send(rt, client, ["O-1"], "r", by="Ann")
        lab.pass_time(minutes=1)
        assert reset_confirm(rt, client).counts["refused"] == 1
    (row,) = lab.table(resets)
    assert row["error"] == "Validation: NOT_ALLOWED"
    assert lab.table(actions)[0]["settled"] is not None


def test_a_reset_that_never_shows_is_given_up(lab_of: Maker) -> None:
    """After the deadline it counts as lost, and the order is no longer kept waiting."""
    lab, _ = lowered(lab_of)
    lab.strike({"fault": "lost_submission", "lost": "stuck"})
    rt = started(lab, "O-1")
    with lab.client(rt) as client:
        reset_send(rt, client, ["O-1"], "r", by="Ann")
        waiting = reset_confirm(rt, client)
        assert not waiting.done
        assert waiting.wait_until is not None
        lab.pass_time(hours=5)
        assert reset_confirm(rt, client).counts["lost"] == 1
    assert "reset lost" in {row["became"] for row in lab.table(events)}
