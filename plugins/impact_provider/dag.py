"""The one builder that every Dag file of a program calls."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, CronDataIntervalTimetable, Param, TriggerRule, chain

from clawback.program import Program, find_program
from impact_provider import operators, runbook
from impact_provider.approval import ApprovalGate
from impact_provider.books import CloseOperator
from impact_provider.retry import BY_ERROR

BASE_ID = "returns_reconciliation"
EMBEDDED = "demo"
START = datetime(2025, 1, 1, tzinfo=UTC)
"""Airflow wants a start; with catchup off nothing before the last interval runs by itself."""


def dag_id(program: str) -> str:
    """The Dag id, and the stem of the Dag file, of a program's name."""
    return BASE_ID if program == EMBEDDED else f"{BASE_ID}__{program}"


def build(program_file: str) -> DAG:
    """The reconciliation Dag of the program in `program_file` (a name below include/programs).

    Reads that file and nothing else: no network, no database. Raises ProgramError, which Airflow
    shows as this Dag file's import error, and only this one's.
    """
    program = Program.load(find_program(program_file))
    dag = DAG(
        dag_id=dag_id(program.name),
        description=f"Returns to impact.com, campaign {program.campaign_id}",
        schedule=CronDataIntervalTimetable(program.schedule, timezone=program.timezone),
        start_date=START,
        catchup=False,
        max_active_runs=1,
        default_args=DEFAULTS,
        params=_params(),
        tags=["clawback", "impact.com", "returns", f"program:{program.name}"],
        doc_md=runbook.DAG.format(
            name=program.name,
            campaign=program.campaign_id,
            warehouse=program.connections.warehouse,
            impact=program.connections.impact,
        ),
    )
    with dag:
        _tasks(program_file, program.name)
    return dag


DEFAULTS: dict[str, Any] = {
    "owner": "clawback",
    "retries": 3,
    # The first delay is Airflow's own setting core.default_task_retry_delay.
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=30),
    "retry_policy": BY_ERROR,
    "execution_timeout": timedelta(hours=1),
}


def _tasks(program: str, name: str) -> None:
    def of(task_id: str, **more: Any) -> dict[str, Any]:
        return {
            "task_id": task_id,
            "program": program,
            "doc_md": runbook.TASKS[task_id],
            **more,
        }

    plan = operators.PlanOperator(**of("plan_changes"))
    always = {"trigger_rule": TriggerRule.ALL_DONE}
    chain(
        operators.PreflightOperator(**of("preflight")),
        operators.ExtractOperator(**of("extract_returns")),
        operators.SyncOperator(**of("sync_actions")),
        plan,
        ApprovalGate(**of("approve_changes")),
        operators.ProveOperator(**of("prove_account")),
        operators.SubmitOperator.partial(
            **of("submit_changes", map_index_template="{{ task.summary }}")
        ).expand(shard=plan.output),
        operators.ConfirmOperator(**of("confirm_changes", **always)),
        CloseOperator(announces=name, **of("close_books", **always)),
    )


def _params() -> dict[str, Param]:
    return {
        **of_window(
            "Read returns changed from this time on, with its offset, for example "
            "2026-11-01T00:00:00+01:00. Empty: from where the last closed run ended."
        ),
        **of_orders("Reconcile just these orders, one a line. Empty: every order in the window."),
        "dry_run": Param(
            None,
            type=["null", "boolean"],
            title="Dry run",
            description="true plans and sends nothing, false sends. Empty: dry for Airflow's "
            "backfill runs, live otherwise.",
        ),
    }


def of_window(start: str) -> dict[str, Param]:
    """The Params of a window; `start` explains what its beginning means."""
    return {
        "window_start": Param(
            None,
            title="Window start",
            description=start,
            type=["null", "string"],
            format="date-time",
        ),
        "window_end": Param(
            None,
            title="Window end",
            description="Up to this time. Empty: until now.",
            type=["null", "string"],
            format="date-time",
        ),
    }


def of_orders(description: str) -> dict[str, Param]:
    """The Param that names orders."""
    return {
        "order_ids": Param(
            None,
            type=["null", "array"],
            items={"type": "string", "minLength": 1},
            title="Order ids",
            description=description,
            examples=["A-1001", "A-1002"],
        )
    }
