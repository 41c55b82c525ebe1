"""The Dag itself, run by Airflow in this process, over a real sandbox and a real warehouse."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pytest

from clawback.steps.close import balanced
from impact_provider.parts import START

pytestmark = pytest.mark.airflow

DAG_TOKEN = "tok-wrong-Z8k2"


def states(dag_run: Any) -> dict[str, str]:
    return {ti.task_id: str(ti.state) for ti in dag_run.get_task_instances()}


def tries(dag_run: Any) -> dict[str, int]:
    return {ti.task_id: ti.try_number for ti in dag_run.get_task_instances()}


def failed(dag_run: Any) -> set[str]:
    return {name for name, state in states(dag_run).items() if state == "failed"}


def last_words(output: str, error: str) -> str:
    """The message of the last exception of that class in a task's log."""
    found = re.findall(rf"{error}: (.*)", re.sub(r"\x1b\[[0-9;]*m", "", output))
    assert found, f"no {error} in the log"
    words: str = found[-1]
    return words


class Xcoms:
    """Every XCom value that Airflow has stored, as text."""

    def __str__(self) -> str:
        from airflow.models.xcom import XComModel
        from airflow.utils.session import create_session
        from sqlalchemy import select

        with create_session() as session:
            return "\n".join(str(value) for value in session.scalars(select(XComModel.value)))


def test_a_run_is_dry_then_live_and_then_has_nothing_left(
    shop: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    """Dry it plans and sends nothing, live it confirms that plan, and again it sends nothing.

    The books count exactly the requests that the sandbox has seen, the trigger's included. The
    last run has a logical date, and with it a data interval, which a plain manual run ignores. No
    secret gets out.
    """
    dry = shop.run(dry_run=True)
    assert str(dry.state) == "success", states(dry)
    assert shop.writes() == 0
    assert shop.books(dry)["outcomes"]["planned"]["lines"] > 0

    shop.forget_requests()
    first = shop.run()
    assert str(first.state) == "success", states(first)
    books, seen = shop.books(first), shop.requests()
    assert balanced(books)
    assert books["changes"]["planned"] == shop.books(dry)["changes"]["planned"]
    assert books["changes"]["confirmed"] > 20
    assert float(books["commission_recovered"]) > 0
    assert sum(seen.values()) == books["requests"]["total"]
    assert {k: n for k, n in books["requests"]["by_kind"].items() if n} == seen
    labels = {
        ti.rendered_map_index for ti in first.get_task_instances() if ti.task_id == "submit_changes"
    }
    assert any(re.fullmatch(r"shard 0 · \d+ changes · .*", str(label)) for label in labels), labels

    shop.forget_requests()
    second = shop.run(logical_date=datetime(2026, 1, 1, 9, tzinfo=UTC))
    assert str(second.state) == "success", states(second)
    assert shop.ledger_run(second).window_end >= shop.started
    assert shop.writes() == 0
    assert states(second)["submit_changes"] == "skipped"
    assert balanced(shop.books(second))
    assert shop.books(second)["commission_recovered"] == "0.00"

    out, err = capfd.readouterr()
    assert shop.server.auth_token not in out + err + str(Xcoms())


# Longer than a slow machine takes from sending to looking: else there is nothing to wait for.
@pytest.mark.parametrize("options", [{"queue_latency": 10.0}])
def test_confirm_defers_until_the_changes_show(
    shop: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    """Writes that take a while are waited for in the trigger, whose requests are counted too."""
    dag_run = shop.run()
    assert str(dag_run.state) == "success", states(dag_run)
    out = re.sub(r"\x1b\[[0-9;]*m", "", "".join(capfd.readouterr()))
    assert "Waiting for evidence until" in out
    assert re.search(r"(moved|quiet|deadline) after [1-9]\d* requests", out)
    books = shop.books(dag_run)
    assert books["outcomes"]["pending"]["lines"] == 0
    assert {k: n for k, n in books["requests"]["by_kind"].items() if n} == shop.requests()


def test_submit_defers_when_the_budget_is_spent(
    shop: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    """A spent budget is slept out without a slot; the same attempt then sends the rest."""
    # The client itself waits up to five seconds.
    spent = {"fault": "rate_limited", "retry_after": True, "seconds": 8}
    shop.faults(spent | {"kinds": ["modify"], "after": 5, "times": 1})
    dag_run = shop.run()
    assert str(dag_run.state) == "success", states(dag_run)
    assert "Waiting for budget until" in "".join(capfd.readouterr())
    assert tries(dag_run)["submit_changes"] == 1
    assert shop.books(dag_run)["changes"]["confirmed"] > 20


def test_a_manual_runs_window_is_its_params(shop: Any) -> None:
    """window_start and window_end are read to the second; the data interval is not asked."""
    start, end = shop.started - timedelta(days=3), shop.started - timedelta(days=1)
    dag_run = shop.run(
        logical_date=datetime(2026, 1, 1, tzinfo=UTC),
        window_start=start.isoformat(),
        window_end=end.isoformat(),
        dry_run=True,
    )
    assert str(dag_run.state) == "success", states(dag_run)
    kept = shop.ledger_run(dag_run)
    assert (kept.kind, kept.window_start, kept.window_end) == ("manual", start, end)


def test_a_manual_run_of_certain_orders_reads_only_those(shop: Any) -> None:
    """order_ids reconciles just these orders, and leaves the watermark where it is."""
    action = shop.untouched()[0]
    shop.cancelled(action, shop.started)
    dag_run = shop.run(order_ids=[action["Oid"]])
    assert str(dag_run.state) == "success", states(dag_run)
    assert shop.books(dag_run)["lines"] == 1
    assert shop.action(action["Id"])["State"] == "REVERSED"


def as_backfill(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let dag.test() make the run as Airflow's backfill makes it; it knows manual runs only."""
    from airflow.models import dagrun
    from airflow.utils.types import DagRunType

    made = dagrun.get_or_create_dagrun

    def make(**how: Any) -> Any:
        run = made(**how)
        run.run_type = DagRunType.BACKFILL_JOB
        how["session"].commit()
        return run

    monkeypatch.setattr(dagrun, "get_or_create_dagrun", make)


def test_a_backfill_run_reads_its_own_interval_and_is_dry(
    shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backfill run takes its data interval, sends nothing unless told to, moves no watermark."""
    as_backfill(monkeypatch)
    day = shop.started.replace(hour=9, minute=0, second=0, microsecond=0) - timedelta(days=5)
    dag_run = shop.run(logical_date=day)
    assert str(dag_run.state) == "success", states(dag_run)
    kept = shop.ledger_run(dag_run)
    six = day.replace(hour=6)
    assert (kept.kind, kept.dry_run) == ("backfill", True)
    assert (kept.window_start, kept.window_end) == (six - timedelta(days=1), six)
    assert shop.writes() == 0

    live = shop.run(logical_date=day, dry_run=False)
    assert not shop.ledger_run(live).dry_run


def test_four_days_of_pause_and_a_late_row_lose_nothing(shop: Any) -> None:
    """What was cancelled in the pause, or loaded six hours late, is read by the next run."""
    shop.later(timedelta())
    during, late = shop.untouched()[:2]
    first = shop.run()
    end = shop.ledger_run(first).window_end
    shop.cancelled(late, end - timedelta(hours=6))
    now = shop.later(timedelta(days=4))
    shop.cancelled(during, now - timedelta(days=2))

    second = shop.run()
    assert str(second.state) == "success", states(second)
    assert shop.ledger_run(second).window_start == end - timedelta(days=3)
    assert shop.action(during["Id"])["State"] == "REVERSED"
    assert shop.action(late["Id"])["State"] == "REVERSED"


def test_a_wrong_token_fails_at_once_with_its_mend(
    shop: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    """401 is not retried; the log ends with one sentence; nothing was written; books are closed."""
    shop.impact(password=DAG_TOKEN)
    dag_run = shop.run()
    out = "".join(capfd.readouterr())
    assert str(dag_run.state) == "failed"
    assert failed(dag_run) == {"preflight", "close_books"}
    assert tries(dag_run)["preflight"] == 1
    assert "401" in last_words(out, "AuthenticationError")
    assert re.search(r"\bpreflight\b.* failed", last_words(out, "RunFailedError"))
    assert DAG_TOKEN not in out + str(Xcoms())
    assert shop.writes() == 0
    assert balanced(shop.books(dag_run))


def test_a_host_out_of_reach_is_tried_again_and_then_named(
    shop: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    """An outage is retried; in the end the log says which address did not answer."""
    shop.impact(host="http://127.0.0.1:9")
    dag_run = shop.run()
    assert str(dag_run.state) == "failed"
    assert tries(dag_run)["preflight"] == 4
    assert "127.0.0.1:9" in last_words("".join(capfd.readouterr()), "Unavailable")


@pytest.mark.parametrize(
    ("conn_id", "task"), [("impact_demo", "preflight"), ("warehouse_demo", "preflight")]
)
def test_a_missing_connection_fails_at_once_with_its_mend(
    shop: Any, capfd: pytest.CaptureFixture[str], conn_id: str, task: str
) -> None:
    """The log says what to create; it is not retried, and impact.com is not asked."""
    shop.connection(conn_id, None)
    dag_run = shop.run()
    assert str(dag_run.state) == "failed"
    assert task in failed(dag_run)
    assert tries(dag_run)[task] == 1
    said = last_words("".join(capfd.readouterr()), "AirflowConnectionError")
    assert f"AIRFLOW_CONN_{conn_id.upper()}" in said
    assert shop.requests() == {}


def test_a_missing_table_is_named(shop: Any, capfd: pytest.CaptureFixture[str]) -> None:
    """A warehouse without the table is told by its name, before any action is listed."""
    with duckdb.connect(str(shop.warehouse)) as connection:
        connection.execute("DROP TABLE returns")
    dag_run = shop.run()
    assert str(dag_run.state) == "failed"
    assert tries(dag_run)["extract_returns"] == 1
    assert "returns" in last_words("".join(capfd.readouterr()), "WarehouseError")
    assert shop.requests() == {"other": 2}, "preflight's two looks at the account"


def test_a_run_is_never_green_over_a_lost_shard(
    shop: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    """A token that loses its write scope fails its shard: what was sent before is confirmed, the
    rest stays planned, the books are closed, and the run is red.
    """
    shop.faults({"fault": "no_write_scope", "after": 20})
    dag_run = shop.run()
    out = "".join(capfd.readouterr())
    assert str(dag_run.state) == "failed"
    assert failed(dag_run) == {"submit_changes", "close_books"}
    assert states(dag_run)["confirm_changes"] == "success"
    assert "403" in last_words(out, "PermissionDenied")
    assert "submit_changes" in last_words(out, "RunFailedError")
    books = shop.books(dag_run)
    assert balanced(books)
    assert books["outcomes"]["confirmed"]["lines"] > 0
    assert books["outcomes"]["planned"]["lines"] > 0
    assert books["outcomes"]["pending"]["lines"] == 0


def test_nothing_is_sent_after_a_canary_that_fails(shop: Any) -> None:
    """A token without write scope is found out by the canary; no shard is tried at all."""
    shop.faults({"fault": "no_write_scope"})
    dag_run = shop.run()
    assert str(dag_run.state) == "failed"
    assert failed(dag_run) == {"prove_account", "close_books"}
    assert states(dag_run)["submit_changes"] == "upstream_failed"
    assert states(dag_run)["confirm_changes"] == "success"
    assert balanced(shop.books(dag_run))
    assert shop.books(dag_run)["changes"]["submitted"] == 0


def test_the_start_lies_behind_every_run() -> None:
    """A start in the future would keep the schedule silent."""
    assert datetime.now(UTC) > START
