"""The one builder that every Dag file of a program calls."""

from __future__ import annotations

from airflow.sdk import DAG, CronDataIntervalTimetable, Param, chain

from clawback.program import Program, find_program
from impact_provider import operators, resets, runbook
from impact_provider.approval import ApprovalGate
from impact_provider.deadline import deadline_of
from impact_provider.notifier import RunNotifier
from impact_provider.parts import (
    DEFAULTS,
    START,
    TAGS,
    named,
    of_dry_run,
    of_orders,
    of_window,
    reconciled,
    tasks_of,
)
from impact_provider.urgent import UrgentOperator

BASE_ID = "returns_reconciliation"


def dag_id(program: str) -> str:
    """The Dag id, and the stem of the Dag file, of a program's name."""
    return named(BASE_ID, program)


def build(program_file: str) -> DAG:
    """The reconciliation Dag of the program in `program_file` (a name below include/programs).

    The program's other Dag, action_reset, is made as well; Airflow finds it by itself. Reads that
    file and nothing else: no network, no database. Raises ProgramError, which Airflow shows as
    this Dag file's import error, and only this one's.
    """
    program = Program.load(find_program(program_file))
    resets.build(program_file, program)
    dag = DAG(
        dag_id=dag_id(program.name),
        description=f"Returns to impact.com, campaign {program.campaign_id}",
        schedule=CronDataIntervalTimetable(program.schedule, timezone=program.timezone),
        start_date=START,
        catchup=False,
        max_active_runs=1,
        default_args=DEFAULTS,
        deadline=deadline_of(program_file, program),
        on_failure_callback=RunNotifier(program_file),
        params=_params(),
        tags=[*TAGS, f"program:{program.name}"],
        doc_md=runbook.DAG.format(
            name=program.name,
            campaign=program.campaign_id,
            warehouse=program.connections.warehouse,
            impact=program.connections.impact,
        ),
    )
    with dag:
        of = tasks_of(program_file)
        first = [operators.PreflightOperator(**of("preflight"))]
        gate = ApprovalGate(**of("approve_changes"))
        reconciled(of, program.name, gate, first)
        urgent = UrgentOperator(**of("submit_urgent"))
        chain(dag.task_dict["plan_changes"], urgent, dag.task_dict["prove_account"])
    return dag


def _params() -> dict[str, Param]:
    return {
        **of_window(
            "Read returns changed from this time on, with its offset, for example "
            "2026-11-01T00:00:00+01:00. Empty: from where the last closed run ended."
        ),
        **of_orders("Reconcile just these orders, one a line. Empty: every order in the window."),
        "dry_run": of_dry_run(
            "true plans and sends nothing, false sends. Empty: dry for Airflow's backfill runs, "
            "live otherwise."
        ),
    }
