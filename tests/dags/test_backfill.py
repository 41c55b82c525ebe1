"""returns_backfill, run by Airflow in this process: windows in turn, dry at first, resumable."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import ParamValidationError, TaskDeferred
from sqlalchemy import select

from clawback.ledger.store import Ledger
from clawback.ledger.tables import runs
from clawback.steps.close import balanced
from impact_provider.backfill import MOST_WINDOWS, build, split
from impact_provider.runtime import ParamsError
from impact_provider.window import POLL, UNDER_TEST, WindowOperator, windows_ahead

NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)
FILE = "returns_backfill.py"


def run(shop: Any, **params: Any) -> Any:
    from airflow.dag_processing.dagbag import DagBag

    from clawback.program import find_program

    assert find_program("demo").exists()
    bag = DagBag(dag_folder=str(shop.dags / FILE))
    assert bag.import_errors == {}
    return bag.dags["returns_backfill"].test(run_conf={"program": "demo"} | params)


def labels(dag_run: Any) -> list[str]:
    found = [ti for ti in dag_run.get_task_instances() if ti.task_id == "reconcile_window"]
    return [str(ti.rendered_map_index) for ti in sorted(found, key=lambda ti: ti.map_index)]


def windows_of(dag_run: Any) -> list[Any]:
    """The ledger's runs of a Dag run, in the order in which they were opened."""
    mine = runs.c.id.like(f"%/{dag_run.run_id}/%")
    with Ledger.open() as ledger, ledger.read() as conn:
        return list(conn.execute(select(runs).where(mine).order_by(runs.c.opened_at)).mappings())


@pytest.mark.airflow
def test_a_backfill_is_dry_until_told_and_sends_nothing_twice(shop: Any) -> None:
    """Dry by default; live it settles window after window; once more, it sends nothing."""
    span = {"window_start": (shop.started - timedelta(days=59)).isoformat(), "window_days": 30}
    dry = run(shop, **span)
    assert str(dry.state) == "success"
    assert shop.writes() == 0
    assert len(windows_of(dry)) == 2
    assert all(row["dry_run"] for row in windows_of(dry))
    assert any("planned" in label for label in labels(dry)), labels(dry)

    live = run(shop, **span, dry_run=False)
    assert str(live.state) == "success"
    found = windows_of(live)
    assert all(balanced(row["books"]) for row in found)
    assert sum(row["books"]["changes"]["confirmed"] for row in found) > 20
    assert any("confirmed" in label for label in labels(live)), labels(live)

    shop.forget_requests()
    again = run(shop, **span, dry_run=False)
    assert str(again.state) == "success"
    assert shop.writes() == 0


@pytest.mark.airflow
def test_certain_orders_are_reconciled_and_no_other(shop: Any) -> None:
    """order_ids settles just these orders; the program's watermark stays where it is."""
    action = shop.untouched()[0]
    shop.cancelled(action, shop.started)
    done = run(shop, order_ids=[action["Oid"]], dry_run=False)
    assert str(done.state) == "success"
    [kept] = windows_of(done)
    assert kept["books"]["lines"] == 1
    assert shop.action(action["Id"])["State"] == "REVERSED"
    assert labels(done) == ["1 orders: 1 confirmed"]


@pytest.mark.airflow
@pytest.mark.parametrize("options", [{"queue_latency": 4.0}])
def test_a_window_sleeps_while_it_waits_and_goes_on_where_it_was(shop: Any) -> None:
    """A slow queue and a spent budget are waited for without planning or sending anew."""
    spent = {"fault": "rate_limited", "retry_after": True, "seconds": 8}
    shop.faults(spent | {"kinds": ["modify"], "after": 5, "times": 1})
    start = (shop.started - timedelta(days=59)).isoformat()
    done = run(shop, window_start=start, window_days=366, dry_run=False)
    assert str(done.state) == "success"
    [kept] = windows_of(done)
    assert kept["books"]["outcomes"]["pending"]["lines"] == 0
    assert kept["books"]["changes"]["confirmed"] > 20


@pytest.mark.airflow
def test_a_window_that_breaks_off_closes_its_books_and_is_resumed(shop: Any) -> None:
    """A token that loses its write scope fails the window; run again, it sends just the rest."""
    span = {"window_start": (shop.started - timedelta(days=59)).isoformat(), "window_days": 366}
    shop.faults({"fault": "no_write_scope", "after": 20})
    broken = run(shop, **span, dry_run=False)
    assert str(broken.state) == "failed"
    [kept] = windows_of(broken)
    assert balanced(kept["books"])
    sent = shop.writes()
    shop.faults()
    resumed = run(shop, **span, dry_run=False)
    assert str(resumed.state) == "success"
    [rest] = windows_of(resumed)
    assert rest["books"]["outcomes"]["planned"]["lines"] == 0
    assert shop.writes() > sent


@pytest.mark.airflow
def test_what_is_over_the_thresholds_stays_planned(shop: Any) -> None:
    """A backfill by hand is no way around the approval."""
    path = shop.home / "programs" / "demo.yaml"
    path.write_text(f"{path.read_text()}\napproval: {{changes: 5}}\n")
    start = (shop.started - timedelta(days=59)).isoformat()
    done = run(shop, window_start=start, window_days=366, dry_run=False)
    assert str(done.state) == "success"
    assert shop.writes() == 0
    assert windows_of(done)[0]["books"]["outcomes"]["planned"]["lines"] > 20


def turn(states: dict[str, str], index: int, user: str = "ann") -> Any:
    """The context of a mapped task among siblings in these states."""
    told = {f"reconcile_window_{name}": state for name, state in states.items()}
    ti = SimpleNamespace(
        task_id="reconcile_window", map_index=index, get_task_states=lambda **_: {"r": told}
    )
    run_ = SimpleNamespace(dag_id="d", run_id="r", triggering_user_name=user)
    return {"ti": ti, "dag_run": run_}


@pytest.mark.parametrize(
    ("states", "ahead"),
    [
        ({"0": "success", "1": "success"}, 0),
        ({"0": "failed", "1": "skipped"}, 0),
        ({"0": "success", "1": "deferred"}, 1),
        ({"0": "deferred"}, 2),
        ({"0": "up_for_retry", "1": "success", "3": "running"}, 1),
    ],
)
def test_a_window_waits_its_turn_asleep(states: dict[str, str], ahead: int) -> None:
    """While one before it has not ended, a window is deferred, longer the further back it is."""
    task = WindowOperator(task_id="reconcile_window", program="demo", window=split(ORDERS, NOW)[0])
    context = turn(states, 2)
    assert windows_ahead(context) == ahead
    if not ahead:
        return
    with pytest.raises(TaskDeferred) as slept:
        task.execute(context)
    assert slept.value.method_name == "next_in_line"
    left = slept.value.trigger.moment - datetime.now(UTC)
    assert timedelta(0) < left <= ahead * POLL


def test_a_test_run_of_airflow_never_waits_for_itself() -> None:
    """`airflow dags test` would sleep for ever in the first window that waits for another."""
    assert windows_ahead(turn({}, 2, UNDER_TEST)) == 0


def params(**changed: Any) -> dict[str, Any]:
    none = dict.fromkeys(("window_start", "window_end", "order_ids"))
    return none | {"window_days": 7} | changed


ORDERS = params(order_ids=["A"])


def test_a_window_is_cut_without_gap_or_overlap() -> None:
    """The pieces touch, the first starts and the last ends where the window does."""
    pieces = split(params(window_start="2026-11-01T00:00:00+01:00"), NOW)
    assert pieces[0]["start"] == "2026-10-31T23:00:00+00:00"
    assert pieces[-1]["end"] == NOW.isoformat()
    assert [p["end"] for p in pieces[:-1]] == [p["start"] for p in pieces[1:]]
    assert len(pieces) == 4


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (params(), "either order_ids, or window_start"),
        (params(order_ids=["A"], window_start="2026-11-01T00:00:00Z"), "either order_ids"),
        (params(window_end="2026-11-01T00:00:00Z"), "give window_start as well"),
        (params(window_start="2026-12-01T00:00:00Z"), "empty or lies in the future"),
        (
            params(window_start="2026-11-02T00:00:00Z", window_end="2026-11-01T00:00:00Z"),
            "before window_end",
        ),
        (params(window_start="2010-11-02T00:00:00Z", window_days=1), f"at most {MOST_WINDOWS}"),
        (params(window_start="soon"), "window_start: .soon. is no"),
    ],
)
def test_params_that_do_not_go_together_are_refused(given: dict[str, Any], said: str) -> None:
    """The first task names the Param to change, before anything is read or sent."""
    with pytest.raises(ParamsError, match=said):
        split(given, NOW)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("program", "nosuch"),
        ("window_start", "yesterday"),
        ("window_days", 0),
        ("window_days", "seven"),
        ("order_ids", "A-1"),
        ("dry_run", "maybe"),
    ],
)
def test_the_form_refuses_a_wrong_value(name: str, value: object) -> None:
    """What is no program, time, number or list is refused before a run exists."""
    with pytest.raises(ParamValidationError):
        build().params.get_param(name).resolve(value)
