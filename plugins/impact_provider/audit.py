"""reconciliation_audit: whether impact.com still says what ledger and returns say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, CronDataIntervalTimetable, Param

from impact_provider import runbook
from impact_provider.backfill import program_names
from impact_provider.dag import DEFAULTS, START
from impact_provider.operators import StepOperator
from impact_provider.runtime import returns_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from clawback.steps.runtime import Runtime

DAG_ID = "reconciliation_audit"
WEEKLY = "0 3 * * 1"


class AuditOperator(StepOperator):
    """Compares one program's actions of the last `depth_days` with ledger and warehouse."""

    template_fields: Sequence[str] = ("program", "depth_days")
    upgrades_ledger = True

    def __init__(self, *, depth_days: str = "{{ params.depth_days }}", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.depth_days = depth_days
        self.summary = ""
        """What the grid shows for this mapped task."""

    def part(self, context: Context) -> str:
        return f"/{context['ti'].map_index}"

    def step(self, rt: Runtime, context: Context) -> Any:  # noqa: ARG002  # the step's signature
        from clawback.steps.audit import audit

        with self.client(rt) as client:
            told = audit(rt, client, float(self.depth_days), returns_of(rt.program))
        self.summary = f"{rt.program.name}: {told['drifted']} drifted"
        for cause, part in told["drift"].items():
            if part["count"]:
                self.log.warning("%s: %s", cause, part)
        return told


def build() -> DAG:
    """The Dag `reconciliation_audit`; reads the names of the program files and nothing else."""
    dag = DAG(
        dag_id=DAG_ID,
        description="Compares impact.com's present state with ledger and warehouse; writes nothing",
        schedule=CronDataIntervalTimetable(WEEKLY, timezone="UTC"),
        start_date=START,
        catchup=False,
        max_active_runs=1,
        default_args=DEFAULTS,
        params={
            "depth_days": Param(
                90,
                type="integer",
                minimum=1,
                maximum=1095,
                title="Depth in days",
                description="How far back actions are compared, by the date of the order.",
            )
        },
        tags=["clawback", "impact.com", "returns", "audit"],
        doc_md=runbook.AUDIT,
    )
    with dag:
        AuditOperator.partial(
            task_id="audit_program",
            doc_md=runbook.TASKS["audit_program"],
            map_index_template="{{ task.summary }}",
        ).expand(program=program_names())
    return dag
