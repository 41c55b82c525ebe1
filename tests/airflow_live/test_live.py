"""Each feature through a real Airflow: scheduler, REST interface and command line."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from clawback.steps.close import balanced
from stores import SICK
from street import NOW

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.timeout(1800)]


def lines(books: dict[str, Any]) -> dict[str, int]:
    assert balanced(books)
    return {name: part["lines"] for name, part in books["outcomes"].items() if part["lines"]}


def test_an_approved_run_sends_and_is_announced(town: Any) -> None:
    """The scheduler's run waits, sends once it is approved, and starts the Dag on its asset."""
    told = town.story("approved")
    assert "3" in told["shown"]
    assert told["before"] == 0
    assert lines(told["books"]) == {"confirmed": 3}
    assert told["items"] == [{"A": 1, "B": 1}] * 3
    assert f"{told['books']['commission_recovered']} USD" in told["export"]


def test_links_lead_to_the_run_in_the_returns_page(town: Any) -> None:
    """From the question and from what was sent; a user sees the run there, a stranger nothing."""
    told = town.story("approved")
    assert set(told["asked"]) == {"Run in the Returns page", "Plan of the run"}
    assert told["asked"]["Plan of the run"].endswith("#plan")
    assert told["asked"]["Plan of the run"] in told["shown"]
    assert told["asked"].items() <= told["sent"].items()
    status, page = told["page"]
    assert status == 200
    for said in ("balanced", "3 of 3", "O-1", "O-2", "O-3", told["books"]["commission_recovered"]):
        assert said in page
    status, page = told["stranger"]
    assert status == 401
    assert "O-1" not in page


def test_a_refused_run_sends_nothing_and_a_decision_ends_the_hold(town: Any) -> None:
    """Refused changes are held; hold_decisions answers them by name; the next run takes it up."""
    told = town.story("refused")
    assert told["books"]["held"]["approval_refused"] == 3
    assert told["tasks"]["submit_changes"] == "skipped"
    assert [(one["order_id"], one["by"]) for one in told["decided"]] == [
        (f"O-{n}", "admin") for n in (1, 2, 3)
    ]
    assert lines(told["after"]) == {"confirmed": 3}
    assert "the rows were checked" in told["explained"]
    assert "admin" in told["explained"]
    assert told["writes"] == 0


def test_an_unanswered_run_keeps_its_changes_and_the_next_asks_again(town: Any) -> None:
    """A time-out is no refusal: nothing is sent or held, and a later run is approved."""
    told = town.story("late")
    assert lines(told["books"]) == {"planned": 3}
    assert told["writes"] == 0
    assert lines(told["after"]) == {"confirmed": 3}


def test_an_alert_reaches_the_webhook(town: Any) -> None:
    """The run that nobody answered is told once, with what it is about."""
    town.story("late")
    alerts = [alert["name"] for message in town.posted for alert in message["alerts"]]
    assert "approval_timed_out" in alerts
    assert "deadline_missed" in alerts, "Airflow's own deadline has told while the run waited"


def test_a_backfill_of_airflow_sends_nothing_the_second_time(town: Any) -> None:
    """`airflow backfill create` is dry by default; then it settles, and then sends nothing."""
    told = town.story("days")
    runs, writes = zip(*told["counts"], strict=True)
    assert min(runs) >= 2
    assert writes == (0, 3, 3)
    assert told["items"] == [{"A": 1, "B": 1}] * 3


def test_returns_backfill_is_dry_at_first_and_sends_nothing_twice(town: Any) -> None:
    """Thirty days in windows: dry by default, live on request, nothing the second time."""
    told = town.story("span")
    assert told["writes"] == [0, 3, 3]
    assert told["items"] == [{"A": 1, "B": 1}] * 3
    ends = [name.rpartition(": ")[2] for name in told["names"]]
    assert sorted(ends) == ["1 already_settled", "2 already_settled"]


def test_a_reset_undoes_with_a_persons_word_and_plans_anew(town: Any) -> None:
    """Shown with the warning, refused without effect, approved: undone, proved, done anew."""
    told, soon = town.story("undone"), NOW + timedelta(hours=3)
    assert told["settled"] == {
        **{f"O-{n}": {"A": 1, "B": 1} for n in (1, 2, 3, 8)},
        "O-9": {"A": 2, "B": 1},
    }
    assert told["refusal"]["reset_actions"] == "skipped"
    assert told["refusal"]["close_books"] == "success"
    assert told["writes"][0] == told["writes"][1]
    assert "reports may be off after a reset" in told["shown"]
    assert "it locked on" in told["shown"]
    assert f"it locks on {soon:%Y-%m-%d %H:%M} UTC, within the 4." in told["shown"]
    assert told["items"]["O-8"] == {"A": 1, "B": 1}
    assert set(told["tasks"].values()) == {"success"}
    assert told["items"]["O-1"] == {"A": 2, "B": 1}
    assert told["items"]["O-2"] == {"A": 1, "B": 1}
    assert lines(told["books"])["confirmed"] == 1
    assert "reset" in told["explained"]
    assert "admin" in told["explained"]


def test_an_audit_finds_the_planted_drifts_and_hands_them_over(town: Any) -> None:
    """Six drifts are named by cause; returns_backfill is started over them, dry."""
    told = town.story("drifted")
    found = told["told"]["drift"]
    assert {cause: part["order_ids"] for cause, part in found.items() if part["count"]} == {
        "changed_by_someone_else": ["O-1"],
        "reset": ["O-2"],
        "contract_change": ["O-3"],
        "missing_at_impact": ["O-4"],
        "locked": ["O-9"],
        "vanished_from_warehouse": ["O-6"],
    }
    assert sorted(told["handed"]["order_ids"]) == ["O-1", "O-2", "O-3", "O-4", "O-6", "O-9"]
    assert told["writes"] == 0
    assert told["done"]["lines"] > 0


@pytest.mark.parametrize("check", SICK)
def test_the_doctor_names_each_planted_fault(town: Any, check: str) -> None:
    """The mapped task of a broken program fails at once, and the check says how to mend it."""
    told = town.story("examined")
    name = f"sick_{check}"
    failed = [n for n, one in told["checks"][name].items() if one["status"] == "fail"]
    assert check in failed
    assert told["checks"][name][check]["mend"]
    state, tries, label = told["states"][name]
    assert (state, tries) == ("failed", 1)
    assert label == f"{name}: {len(failed)} failed"


def test_the_doctor_finds_a_sound_program_sound(town: Any) -> None:
    """Beside the broken ones, a sound program passes; the log has a line for each check."""
    told = town.story("examined")
    assert told["states"]["approved"][::2] == ("success", "approved: sound")
    assert {one["status"] for one in told["checks"]["approved"].values()} <= {"ok", "warn"}
    assert "→ set campaign_id in the program file" in told["log"]
