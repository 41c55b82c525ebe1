"""What the tasks do around their steps: events, run requests, retries, the warehouse's hook."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest
from airflow.sdk import RetryAction
from airflow.utils.types import DagRunType

from clawback.errors import ClawbackError
from clawback.impact.budget import BudgetSpent
from clawback.impact.errors import (
    AuthenticationError,
    PermissionDenied,
    RateLimited,
    Refused,
    Unavailable,
    Where,
)
from clawback.ledger.store import LedgerError
from clawback.program import ProgramError
from clawback.steps.close import RunFailedError
from clawback.steps.runtime import RunKind, RunRequest
from clawback.warehouse.errors import WarehouseError
from impact_provider.errors import AirflowConnectionError, EventError, WarehouseAwayError
from impact_provider.operators import ConfirmOperator, read_event
from impact_provider.retry import BY_ERROR
from impact_provider.runtime import ParamsError, request_of, run_id_of, warehouse

NOW = datetime(2026, 11, 23, 6, 5, tzinfo=UTC)
DAY = timedelta(days=1)


def context(run_type: object, interval: bool = True, **params: Any) -> Any:
    given: dict[str, Any] = {
        "dag_run": SimpleNamespace(dag_id="d", run_id="r", run_type=run_type),
        "params": {"window_start": None, "window_end": None, "order_ids": None, "dry_run": None}
        | params,
    }
    if interval:
        given |= {"data_interval_start": NOW - 9 * DAY, "data_interval_end": NOW - 8 * DAY}
    return given


@pytest.mark.parametrize(
    ("asked", "request_"),
    [
        (context("scheduled"), RunRequest(RunKind.SCHEDULED)),
        (context(DagRunType.SCHEDULED), RunRequest(RunKind.SCHEDULED)),
        (context("manual", interval=False), RunRequest(RunKind.MANUAL)),
        (context("asset_triggered"), RunRequest(RunKind.MANUAL)),
        (context("manual", dry_run=True), RunRequest(RunKind.MANUAL, dry_run=True)),
        (
            context(DagRunType.BACKFILL_JOB),
            RunRequest(RunKind.BACKFILL, NOW - 9 * DAY, NOW - 8 * DAY, dry_run=True),
        ),
        (
            context("backfill", dry_run=False),
            RunRequest(RunKind.BACKFILL, NOW - 9 * DAY, NOW - 8 * DAY),
        ),
        (
            context("manual", interval=False, window_start="2026-11-01T00:00:00+01:00"),
            RunRequest(RunKind.MANUAL, datetime(2026, 10, 31, 23, tzinfo=UTC), NOW),
        ),
        (
            context("manual", window_start="2026-11-01T00:00:00Z", window_end="2026-11-02T00:00Z"),
            RunRequest(
                RunKind.MANUAL,
                datetime(2026, 11, 1, tzinfo=UTC),
                datetime(2026, 11, 2, tzinfo=UTC),
            ),
        ),
        (
            context("manual", interval=False, order_ids=["A", "B"]),
            RunRequest(RunKind.MANUAL, order_ids=("A", "B")),
        ),
    ],
)
def test_what_a_run_is_asked_to_do(asked: Any, request_: RunRequest) -> None:
    """The run's type, interval and Params say it; only a backfill run looks at the interval."""
    assert request_of(asked, NOW) == request_


def test_a_param_that_slipped_through_the_form_is_named() -> None:
    """A run triggered past the form still gets one sentence instead of a stack of parsers."""
    with pytest.raises(ParamsError, match=r"window_end: .soon. is no"):
        request_of(context("manual", window_end="soon"), NOW)


def test_every_attempt_finds_the_same_run_in_the_ledger() -> None:
    """The ledger's id of a run is made of Dag and Dag run alone."""
    assert run_id_of(context("manual")) == "d/r"


@pytest.mark.parametrize(
    ("event", "requests"),
    [
        ({"status": "moved", "kind": "list_action_updates", "requests": 3}, 3),
        ({"status": "quiet", "kind": "list_action_updates", "requests": 1}, 1),
        ({"status": "deadline", "kind": "list_action_updates", "requests": 0}, 0),
        (NOW, 0),
    ],
)
def test_an_event_of_ours_is_read(event: Any, requests: int) -> None:
    """The requests that a trigger sent come back with its event; a plain timer sends none."""
    assert sum(read_event(event).values()) == requests


@pytest.mark.parametrize(
    "event", [None, {}, {"status": None}, {"status": "done"}, "moved", 3, ["moved"]]
)
def test_an_event_of_nobodys_fails_the_task(event: Any) -> None:
    """None or an unknown status is never taken for good news."""
    task = ConfirmOperator(task_id="confirm_changes", program="demo.yaml")
    with pytest.raises(EventError, match="no trigger of Clawback sends"):
        task.resume({}, event)  # type: ignore[typeddict-item]  # it is refused before it is used


WHERE = Where(method="GET", path="/x", status=401)


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (AuthenticationError("no", WHERE), RetryAction.FAIL),
        (PermissionDenied("no", WHERE), RetryAction.FAIL),
        (Refused("no", WHERE), RetryAction.FAIL),
        (ProgramError("no"), RetryAction.FAIL),
        (AirflowConnectionError("no"), RetryAction.FAIL),
        (EventError("no"), RetryAction.FAIL),
        (WarehouseError("no"), RetryAction.FAIL),
        (RunFailedError("no"), RetryAction.FAIL),
        (ClawbackError("no"), RetryAction.FAIL),
        (Unavailable("no", WHERE), RetryAction.RETRY),
        (LedgerError("no"), RetryAction.RETRY),
        (WarehouseAwayError("no"), RetryAction.RETRY),
        (RuntimeError("a defect"), RetryAction.DEFAULT),
        (ConnectionError("a socket"), RetryAction.DEFAULT),
    ],
)
def test_which_failures_are_tried_again(error: Exception, action: RetryAction) -> None:
    """What a person must mend fails at once with the reason; outages and the unknown back off."""
    decision = BY_ERROR.evaluate(error, 1, 3)
    assert decision.action is action
    assert bool(decision.reason) is (action is not RetryAction.DEFAULT)


@pytest.mark.parametrize(
    "error",
    [lambda at: RateLimited("no", WHERE, at), lambda at: Unavailable("no", WHERE, retry_at=at)],
    ids=["rate limited", "unavailable"],
)
def test_a_retry_waits_as_long_as_impact_asks(error: Callable[[datetime], Exception]) -> None:
    """Where impact.com names a time to come back, that is when the task is tried again."""
    decision = BY_ERROR.evaluate(error(datetime.now(UTC) + timedelta(minutes=10)), 1, 3)
    assert decision.action is RetryAction.RETRY
    assert decision.retry_delay is not None
    assert timedelta(minutes=9) < decision.retry_delay <= timedelta(minutes=10)


def test_a_spent_budget_is_no_failure() -> None:
    """A step that may not send for now is deferred; the error never reaches the retry policy."""
    assert not isinstance(BudgetSpent(NOW), (Unavailable, LedgerError))


def set_connection(monkeypatch: pytest.MonkeyPatch, **fields: Any) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WH", json.dumps(fields))


def test_the_warehouse_is_read_through_airflows_own_hook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any SQL connection of Airflow will do; each call of the factory opens a new one."""
    with duckdb.connect(str(tmp_path / "w.duckdb")) as made:
        made.execute("CREATE TABLE t AS SELECT 7 AS n")
    extra = {"read_only": True}
    set_connection(monkeypatch, conn_type="duckdb", host=str(tmp_path / "w.duckdb"), extra=extra)
    connect = warehouse("wh")
    with connect() as one, connect() as two:
        assert one is not two
        assert one.cursor().execute("SELECT n FROM t").fetchall() == [(7,)]


def test_sqlite_works_the_same_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here knows DuckDB: another common-sql hook gives its own connections."""
    set_connection(monkeypatch, conn_type="sqlite", host=str(tmp_path / "w.sqlite"))
    connection = warehouse("wh")()
    assert connection.execute("SELECT 1").fetchall() == [(1,)]
    connection.close()


Factory = Callable[[], Any]


@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        ({"conn_type": "http"}, AirflowConnectionError, "does not speak SQL"),
        ({"conn_type": "nosuch"}, AirflowConnectionError, "install the provider of type 'nosuch'"),
        (
            {"conn_type": "duckdb", "host": "/nowhere/w.duckdb", "extra": {"read_only": True}},
            AirflowConnectionError,
            "/nowhere/w.duckdb",
        ),
        (
            {"conn_type": "postgres", "host": "127.0.0.1", "port": 9, "password": "s3cret-pw"},
            WarehouseAwayError,
            "'wh'.*refused",
        ),
    ],
)
def test_a_warehouse_that_cannot_be_had_is_named(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], error: type[Exception], said: str
) -> None:
    """One sentence names the connection and the mend; only an outage is worth another try."""
    set_connection(monkeypatch, **fields)
    with pytest.raises(error, match=said) as caught:
        warehouse("wh")()
    assert "s3cret-pw" not in str(caught.value)


def test_a_missing_warehouse_connection_never_opens_an_empty_database() -> None:
    """DuckDB's hook would silently read from memory; here it is an error."""
    with pytest.raises(AirflowConnectionError, match="AIRFLOW_CONN_DUCKDB_DEFAULT"):
        warehouse("duckdb_default")
