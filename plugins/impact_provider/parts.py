"""What the Dags share: their defaults, their Params, and the tasks from reading to closing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, BaseOperator, Param, TriggerRule, chain

from clawback.program import programs_home
from impact_provider import operators, runbook, runbook_by_hand
from impact_provider.books import CloseOperator
from impact_provider.retry import BY_ERROR

EMBEDDED = "demo"
START = datetime(2025, 1, 1, tzinfo=UTC)
"""Airflow wants a start; with catchup off nothing before the last interval runs by itself."""
TAGS = ("clawback", "impact.com", "returns")
PROGRAM = "{{ params.program }}"
DEFAULTS: dict[str, Any] = {
    "owner": "clawback",
    "retries": 3,
    # The first delay is Airflow's own setting core.default_task_retry_delay.
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=30),
    "retry_policy": BY_ERROR,
    "execution_timeout": timedelta(hours=1),
}
Of = Callable[..., dict[str, Any]]
"""The arguments of a task, by its id: `of("plan_changes", pool="…")`."""


def named(base: str, program: str) -> str:
    """The id of a program's Dag; the embedded program's has no suffix."""
    return base if program == EMBEDDED else f"{base}__{program}"


def by_hand(dag_id: str, *tags: str, **more: Any) -> DAG:
    """A Dag that nothing but a person, or another Dag, starts."""
    return DAG(
        dag_id=dag_id,
        schedule=None,
        start_date=START,
        catchup=False,
        max_active_runs=1,
        default_args=DEFAULTS,
        tags=[*TAGS, *tags, "by hand"],
        **more,
    )


def tasks_of(program: str) -> Of:
    """The arguments of the tasks of a program, each with its own runbook."""
    docs = {**runbook.TASKS, **runbook_by_hand.TASKS}

    def of(task_id: str, **more: Any) -> dict[str, Any]:
        return {"task_id": task_id, "program": program, "doc_md": docs[task_id], **more}

    return of


def reconciled(
    of: Of, announces: str, approve: BaseOperator, first: Sequence[BaseOperator]
) -> None:
    """The tasks of a run from reading to closing, after `first` and around `approve`.

    confirm_changes and close_books run whatever became of the others, so that a run that breaks
    off, or is refused, is closed too.
    """
    always = {"trigger_rule": TriggerRule.ALL_DONE}
    plan = operators.PlanOperator(**of("plan_changes"))
    chain(
        *first,
        operators.ExtractOperator(**of("extract_returns")),
        operators.SyncOperator(**of("sync_actions")),
        plan,
        approve,
        operators.ProveOperator(**of("prove_account")),
        operators.SubmitOperator.partial(
            **of("submit_changes", map_index_template="{{ task.summary }}")
        ).expand(shard=plan.output),
        operators.ConfirmOperator(**of("confirm_changes", **always)),
        CloseOperator(announces=announces, **of("close_books", **always)),
    )


def program_names() -> list[str]:
    """The programs that there are, by the names of their files."""
    return sorted(path.stem for path in programs_home().glob("*.yaml")) or [EMBEDDED]


def of_program() -> Param:
    """The choice among the programs that there are."""
    names = program_names()
    return Param(
        names[0],
        type="string",
        enum=names,
        title="Program",
        description="Which program: the name of its file in include/programs.",
    )


def of_programs(description: str) -> Param:
    """A choice of several programs; none is all of them."""
    return Param(
        None,
        type=["null", "array"],
        items={"type": "string", "enum": program_names()},
        # The form offers these to choose from, and only these.
        examples=program_names(),
        title="Programs",
        description=description,
    )


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
    """The Param that names orders.

    Without `examples`: of a list that has some, Airflow's form lets nothing else be chosen.
    """
    return {
        "order_ids": Param(
            None,
            type=["null", "array"],
            items={"type": "string", "minLength": 1},
            title="Order ids",
            description=f"{description} For example A-1001.",
        )
    }


def of_reason(description: str) -> Param:
    """Why a person does something; there is no run without it."""
    return Param(
        type="string",
        minLength=3,
        maxLength=1000,
        pattern=r"\S",
        title="Reason",
        description=f"{description} Kept in the ledger, and shown by `clawback explain`.",
    )


def of_dry_run(description: str) -> Param:
    """Whether a run only shows what it would do."""
    return Param(None, type=["null", "boolean"], title="Dry run", description=description)
