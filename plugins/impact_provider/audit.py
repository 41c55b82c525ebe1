"""reconciliation_audit: whether impact.com still says what ledger and returns say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, CronDataIntervalTimetable, Param, chain, task_group

from impact_provider import runbook, runbook_by_hand
from impact_provider.backfill import DAG_ID as BACKFILL_ID
from impact_provider.notifier import RunNotifier
from impact_provider.operators import StepOperator
from impact_provider.parts import DEFAULTS, START, TAGS, of_dry_run, of_programs
from impact_provider.programs import ChooseOperator
from impact_provider.runtime import returns_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from clawback.steps.runtime import Runtime

DAG_ID = "reconciliation_audit"
AUDIT = "audit_program"
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


class HandOverOperator(TriggerDagRunOperator):
    """Starts returns_backfill over the orders of one program that have drifted, if asked to."""

    template_fields: Sequence[str] = (*TriggerDagRunOperator.template_fields, "program")

    def __init__(self, *, program: str, **kwargs: Any) -> None:
        super().__init__(
            trigger_dag_id=BACKFILL_ID,
            logical_date=None,
            # So that a retry finds the run that was started, and starts no second one.
            skip_when_already_exists=True,
            fail_when_dag_is_paused=True,
            **kwargs,
        )
        self.program = program

    def execute(self, context: Context) -> None:
        from airflow.sdk.exceptions import AirflowSkipException

        ti, params = context["ti"], context["params"]
        told = ti.xcom_pull(task_ids=AUDIT, map_indexes=ti.map_index)
        if not (params["hand_over"] and told["order_ids"]):
            raise AirflowSkipException("nothing has drifted, or hand_over is false")
        self.conf = {
            "program": self.program,
            "order_ids": told["order_ids"],
            "dry_run": params["dry_run"],
        }
        self.trigger_run_id = f"audit__{self.program}__{context['dag_run'].run_id}"
        self.log.info("%d orders go to %s", len(told["order_ids"]), BACKFILL_ID)
        super().execute(context)


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
        on_failure_callback=RunNotifier(),
        params=_params(),
        tags=[*TAGS, "audit"],
        doc_md=runbook.AUDIT,
    )
    with dag:
        chosen = ChooseOperator(
            task_id="choose_programs", doc_md=runbook_by_hand.TASKS["choose_programs"]
        )
        _audited.expand(program=chosen.output)
    return dag


@task_group(group_id="program", prefix_group_id=False)
def _audited(program: str) -> None:
    """One program: the audit, and what is handed on."""
    chain(
        AuditOperator(
            task_id=AUDIT,
            program=program,
            doc_md=runbook.TASKS[AUDIT],
            map_index_template="{{ task.summary }}",
        ),
        HandOverOperator(
            task_id="hand_over", program=program, doc_md=runbook_by_hand.TASKS["hand_over"]
        ),
    )


def _params() -> dict[str, Param]:
    return {
        "programs": of_programs("Which programs are audited. Empty: all."),
        "depth_days": Param(
            90,
            type="integer",
            minimum=1,
            maximum=1095,
            title="Depth in days",
            description="How far back actions are compared, by the date of the order.",
        ),
        "hand_over": Param(
            False,
            type="boolean",
            title="Hand over",
            description="true starts returns_backfill over the drifted orders of each program; "
            "that Dag must not be paused.",
        ),
        "dry_run": of_dry_run(
            "Of the backfill that is handed over to: false sends. Empty or true: it plans and "
            "sends nothing. The audit itself never writes."
        ),
    }
