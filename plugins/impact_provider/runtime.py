"""Where a task of a run gets what its step needs: ledger, program, clock, run id, warehouse."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from clawback.clock import Clock, parse_time
from clawback.errors import ClawbackError
from clawback.program import Program, find_program
from impact_provider.errors import AirflowConnectionError, WarehouseAwayError, missing

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook
    from airflow.sdk import Context

    from clawback.steps.runtime import RunRequest, Runtime
    from clawback.warehouse.source import Connect

LOST = frozenset({"failed", "upstream_failed"})
"""Task states that mean that a part of the run was not done."""


class ParamsError(ClawbackError):
    """A Param of a run cannot be read."""


@contextmanager
def opened(
    program: str, context: Context, *, upgrade: bool = False, part: str = "", begins: bool = False
) -> Iterator[Runtime]:
    """The runtime of the task in `context`; its ledger is closed afterwards.

    `part` tells the runs of the ledger apart where a Dag run makes several; a task that `begins` a
    run makes another one where the last is closed. Raises ProgramError for a missing or malformed
    program file.
    """
    from clawback.ledger import passes
    from clawback.ledger.store import Ledger
    from clawback.steps.runtime import Runtime

    loaded = Program.load(find_program(program))
    with Ledger.open(upgrade=upgrade) as ledger:
        which = passes.begun if begins else passes.latest
        with ledger.read() as conn:
            run_id = which(conn, run_id_of(context) + part)
        yield Runtime(ledger=ledger, program=loaded, clock=Clock.from_env(), run_id=run_id)


def run_id_of(context: Context) -> str:
    """The run's id in the ledger: Dag and Dag run, so that every attempt finds the same run.

    A Dag run that is done again adds to it (see clawback.ledger.passes).
    """
    run = context["dag_run"]
    return f"{run.dag_id}/{run.run_id}"


def request_of(context: Context, now: datetime) -> RunRequest:
    """What this run is asked to do, by its type, its data interval and its Params.

    A backfill run reads its own data interval and is dry unless told otherwise. Every other run
    reads the window or the orders of its Params, a window without an end up to `now`; without
    either the step takes the watermark, and the data interval, which a manual run may not have,
    is never asked.
    """
    from clawback.steps.runtime import RunKind, RunRequest

    run_type = context["dag_run"].run_type
    kind = _KINDS.get(str(getattr(run_type, "value", run_type)), "manual")
    params: Mapping[str, Any] = context["params"]
    start, end = (moment(params, name) for name in ("window_start", "window_end"))
    if start is None and end is None and kind == "backfill":
        start, end = context["data_interval_start"], context["data_interval_end"]
    dry_run = params.get("dry_run")
    return RunRequest(
        kind=RunKind(kind),
        start=start,
        end=now if start is not None and end is None else end,
        order_ids=tuple(params.get("order_ids") or ()),
        dry_run=kind == "backfill" if dry_run is None else bool(dry_run),
    )


_KINDS = {"scheduled": "scheduled", "backfill": "backfill"}
"""Airflow's run types that mean something of their own here; every other is a manual run."""


def moment(params: Mapping[str, Any], name: str) -> datetime | None:
    """The time in a Param, None where it is empty; raises ParamsError for what is no time."""
    text = params.get(name)
    try:
        return parse_time(str(text)) if text else None
    except ValueError as error:
        raise ParamsError(f"{name}: {error}") from None


def lost_tasks(context: Context, own: str, of: Collection[str] = LOST) -> list[str]:
    """The tasks of this run, apart from `own`, that failed or could not start for it (`of`)."""
    run = context["dag_run"]
    states: Mapping[str, Mapping[str, str]] = context["ti"].get_task_states(
        dag_id=run.dag_id, run_ids=[run.run_id]
    )
    return sorted(
        task for task, state in states.get(run.run_id, {}).items() if state in of and task != own
    )


def returns_of(program: Program) -> Connect:
    """Connections to where the program's returns come from: its files, or its warehouse."""
    from clawback.warehouse.connections import from_files

    return from_files() if program.warehouse.files else warehouse(program.connections.warehouse)


def warehouse(conn_id: str) -> Connect:
    """A factory of DB-API connections to the warehouse behind any Airflow SQL connection.

    Raises AirflowConnectionError if there is no such connection (a hook alone may then open an
    empty database in memory) or if it is not one that speaks SQL. The factory raises it where the
    database refuses the connection for good, and WarehouseAwayError where it is out of reach.
    """
    from airflow.providers.common.sql.hooks.sql import DbApiHook
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException

    try:
        conn = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        raise missing(conn_id, "of your warehouse, for example postgres or duckdb") from None
    try:
        hook = conn.get_hook()  # type: ignore[no-untyped-call]  # Airflow's
    except AirflowException as error:
        raise AirflowConnectionError(
            f"The Airflow connection {conn_id!r} cannot be used ({error}); install the provider of "
            f"type {conn.conn_type!r} or mend the type."
        ) from None
    if not isinstance(hook, DbApiHook):
        raise AirflowConnectionError(
            f"The Airflow connection {conn_id!r} is of type {conn.conn_type!r}, which does not "
            "speak SQL; name the connection of your warehouse in the program file."
        )
    return lambda: _connected(hook, conn_id)


_FOR_GOOD = re.compile(
    r"does not exist|no such file|authentication failed|permission denied", re.IGNORECASE
)


def _connected(hook: DbApiHook, conn_id: str) -> Any:
    from clawback.warehouse.errors import driver_errors, explained

    try:
        return hook.get_conn()
    except driver_errors() as error:
        for_good = _FOR_GOOD.search(str(error))
        kind = AirflowConnectionError if for_good else WarehouseAwayError
        raise kind(str(explained(error, f"the Airflow connection {conn_id!r}"))) from None
