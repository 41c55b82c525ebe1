"""Tell: a run's summary says what happened, what a person must do, and which alerts are due."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from clawback.program import Alerts
from clawback.steps.approve import approve, ask, time_out
from clawback.steps.close import close
from clawback.steps.extract import extract
from clawback.steps.forecast import forecast
from clawback.steps.message import body_of, to_markdown, to_slack
from clawback.steps.plan import plan
from clawback.steps.preflight import preflight
from clawback.steps.runtime import RunKind, RunRequest
from clawback.steps.sync import sync
from clawback.steps.tell import bare_summary, due_alerts, say, summary, unsaid
from lab import NOW, Lab, action, back, counted, stamp

Maker = Callable[..., Lab]
both = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)


def told_of(lab: Lab, **parts: Any) -> dict[str, Any]:
    return summary(lab.runtime(lab.last_run), **parts)


def names(told: dict[str, Any]) -> list[str]:
    return [alert["name"] for alert in told["alerts"]]


def test_a_quiet_run_sends_no_alert(lab_of: Maker) -> None:
    """Everything settled, nothing surprising: a summary and no alert."""
    lab = lab_of([action("O-1")])
    lab.rows = [back("O-1")]
    lab.run()
    told = told_of(lab, links={"run": "http://airflow/run"})
    assert names(told) == []
    assert told["needs_a_person"] == []
    assert "2.00 USD recovered" in to_markdown(told)
    assert "[run](http://airflow/run)" in to_markdown(told)
    assert "<http://airflow/run|run>" in to_slack(told)["blocks"][0]["text"]["text"]
    json.dumps(told)


def test_a_held_line_near_its_locking_date_is_told(lab_of: Maker) -> None:
    """Held lines over the threshold, and what locks soon meanwhile, are two alerts."""
    lab = lab_of([action("O-1", LockingDate=stamp(NOW + timedelta(days=2)))])
    lab.rows = [back("O-1", "Z")]
    lab.choices["alerts"] = {"held": 1, "locking_days": 3}
    assert lab.run()["held"] == {"unknown_sku": 1}
    told = told_of(lab)
    assert names(told) == ["held_lines", "locking_soon"]
    assert told["needs_a_person"] == [
        "1 lines are held as unknown_sku: see docs/runbook.md#unknown_sku"
    ]
    lab.choices["alerts"] = {"held": 2, "locking_days": 1}
    assert names(told_of(lab)) == []


def test_a_refusal_of_impact_is_told(lab_of: Maker) -> None:
    """One rejected line is enough unless the program says otherwise."""
    sold = action("O-1")
    lab = lab_of([sold])
    lab.act("refuse", sold["Id"], error_type="Validation", error_reason="NOPE")
    lab.rows = [back("O-1")]
    assert counted(lab.run()) == {"rejected": 1}
    assert names(told_of(lab)) == ["rejected_lines"]
    lab.choices["alerts"] = {"rejected": None}
    assert names(told_of(lab)) == []


def test_a_commission_that_moved_otherwise_is_told(lab_of: Maker) -> None:
    """New contract terms at the time of our change: the payout is not what the plan expected."""
    sold = action("O-1", ("A", 2, "40.00"))
    lab = lab_of([sold])
    lab.act("contract", sold["Id"], factor="3")
    lab.rows = [back("O-1")]
    lab.run()
    told = told_of(lab)
    assert names(told) == ["payout_surprise"]
    assert told["surprises"]["off"] == "4.00"
    lab.choices["alerts"] = {"payout_surprise": "4.00"}
    assert names(told_of(lab)) == []


def test_a_failed_run_and_a_silent_approver_are_told(lab_of: Maker) -> None:
    """A failed task and an approval that timed out are named."""
    lab = lab_of([action("O-1")])
    lab.rows = [back("O-1")]
    lab.choices["approval"] = {"changes": 0}
    lab.run(world=lab.world(approved_by=None))
    rt = lab.runtime(lab.last_run)
    ask(rt)
    time_out(rt)
    told = told_of(lab, failed_tasks=["submit_changes"])
    assert names(told) == ["run_failed", "approval_timed_out"]
    assert "submit_changes" in told["alerts"][0]["said"]


def test_books_that_do_not_balance_come_first(lab_of: Maker) -> None:
    """Nothing else of such a run is to be believed."""
    lab = lab_of([action("O-1")])
    lab.rows = [back("O-1")]
    lab.run()
    told = told_of(lab, failed_tasks=["close_books"])
    told["books"] |= {"balanced": False, "unexplained": 3}
    told["books"] |= {"unexplained_money": {"USD": "1.00"}}
    found = due_alerts(told, Alerts())
    assert [(a.name, a.level) for a in found] == [
        ("books_do_not_balance", "critical"),
        ("run_failed", "critical"),
    ]
    assert found[0].said.startswith("3 lines and 1.00 USD are unexplained")


def test_a_dry_run_alarms_nobody_about_money(lab_of: Maker) -> None:
    """A dry run fails aloud, but what it holds or loses is not news."""
    lab = lab_of([action("O-1")])
    lab.rows = [back("O-1", "Z")]
    lab.choices["alerts"] = {"held": 1}
    lab.run(dry_run=True)
    assert names(told_of(lab)) == []
    assert to_markdown(told_of(lab)).startswith("**lab: dry run:")


def test_every_style_is_a_body_that_can_be_posted(lab_of: Maker) -> None:
    """Slack, Teams and plain JSON; what Slack would read as markup is escaped."""
    lab = lab_of([action("O-1")])
    lab.rows = [back("O-1")]
    lab.run()
    told = told_of(lab)
    told["needs_a_person"] = ["see <#1> & mend"]
    slack = body_of(told, "slack")["blocks"][0]["text"]["text"]
    assert "see &lt;#1&gt; &amp; mend" in slack
    teams = body_of(told, "teams")["attachments"][0]["content"]["body"][0]["text"]
    assert "see <#1> & mend" in teams
    assert body_of(told, "json") == told


@both
def test_a_forecast_counts_what_locks_unsettled(lab_of: Maker) -> None:
    """Only open lines whose action locks in time count, at the commission at stake."""
    days = {"O-1": 2, "O-2": 5, "O-3": 2}
    lab = lab_of(
        [action(o, LockingDate=stamp(NOW + timedelta(days=n))) for o, n in days.items()]
        + [action("O-4", LockingDate=stamp(NOW + timedelta(days=1, hours=n))) for n in (2, 1)]
    )
    lab.rows = [back("O-1"), back("O-2")]
    lab.choices["approval"] = {"changes": 0}
    lab.run(world=lab.world(approved_by=None))
    lab.rows.append(back("O-4"))
    lab.choices["approval"] = {}
    lab.choices["action_trackers"] = []
    lab.rows.append(back("O-3"))
    lab.pass_time(minutes=5)
    lab.choices["approval"] = {"changes": 0}
    lab.run(world=lab.world(approved_by=None))
    told = forecast(lab.runtime(), 3)
    assert (told["lines"], told["orders"], told["payout"]) == (3, 3, "4.00")
    assert {k: v["lines"] for k, v in told["by_outcome"].items()} == {"planned": 2, "held": 1}
    assert [one["order_id"] for one in told["first"]] == ["O-4", "O-1", "O-3"]
    assert told["first"][0]["locking_at"].startswith("2026-11-21T13")
    assert forecast(lab.runtime(), 30)["lines"] == 4


def test_a_late_run_says_what_it_waits_for(lab_of: Maker) -> None:
    """Still open after its deadline: the alert names the hours, and the question that stands."""
    lab = lab_of([action("O-1")])
    lab.rows = [back("O-1")]
    lab.choices |= {"approval": {"changes": 0}, "alerts": {"deadline_hours": 2}}
    rt = lab.runtime()
    preflight(rt, RunRequest(RunKind.MANUAL), lab.account.account_sid)
    with lab.client(rt) as client:
        extract(rt, lab.connect)
        sync(rt, client)
    plan(rt)
    assert summary(rt, late=True)["needs_a_person"] == ["the run is still open"]
    ask(rt)
    told = summary(rt, late=True)
    assert names(told) == ["deadline_missed"]
    assert told["alerts"][0]["said"] == "still open 2 hours after it was queued"
    assert told["needs_a_person"][0].endswith("1 changes wait at approve_changes for an answer")
    approve(rt, "Ann")
    assert summary(rt, late=True)["needs_a_person"] == ["the run is still open"]
    close(rt)
    assert names(summary(rt, late=True)) == [], "it has ended meanwhile"


@both
def test_no_alert_of_a_run_is_told_twice(lab_of: Maker) -> None:
    """Whoever posts notes it; the same alert is old, another one is news."""
    lab = lab_of([action("O-1")])
    lab.rows = [back("O-1", "Z")]
    lab.choices["alerts"] = {"held": 1}
    lab.run()
    rt, told = lab.runtime(lab.last_run), told_of(lab)
    assert unsaid(rt, told)
    say(rt, told)
    assert not unsaid(rt, told)
    assert unsaid(rt, told_of(lab, failed_tasks=["close_books"]))


def test_a_run_that_the_ledger_does_not_know_can_still_be_told(lab_of: Maker) -> None:
    """Failed before it was opened, or late without being opened: every style says so."""
    program = lab_of([]).program
    failed = bare_summary(program, "d/r", ["preflight"], {"run": "http://x/run"})
    late = bare_summary(program, "d/r", [], {})
    assert (names(failed), names(late)) == (["run_failed"], ["deadline_missed"])
    for style in ("slack", "teams", "json"):
        assert "preflight" in json.dumps(body_of(failed, style))
    assert to_markdown(failed).startswith("**lab: the run failed**")
