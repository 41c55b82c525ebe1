"""Addresses: of a run and its tasks in the Airflow UI, and of an action at impact.com."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import Context

    from clawback.steps.runtime import Runtime

PLAN = "plan_changes"
BOOKS = "close_books"


def run_link(context: Context, task_id: str = "", tab: str = "") -> str:
    """The page of the run in `context`, or a tab of one of its tasks, in the Airflow UI."""
    run = context["dag_run"]
    return page_of(run.dag_id, run.run_id, task_id, tab)


def page_of(dag_id: str, run_id: str, task_id: str = "", tab: str = "") -> str:
    """The address of a run or of a task of it; a path where Airflow does not know its own."""
    from airflow.sdk.configuration import conf

    base = str(conf.get("api", "base_url", fallback="")).rstrip("/")
    page = f"{base}/dags/{quote(dag_id)}/runs/{quote(run_id, safe='')}"
    parts = ["tasks", quote(task_id), tab] if task_id else [tab]
    return "/".join([page, *filter(None, parts)])


class ActionLink(BaseOperatorLink):
    """To the action of the task that locks first, in impact.com's own UI."""

    name = "Action at impact.com"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002  # Airflow's signature
        return str(getattr(operator, "action_url", ""))


class PlanLink(BaseOperatorLink):
    """To the plan of the run: the log of plan_changes holds it as a table."""

    name = "Plan of the run"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002  # Airflow's signature
        return page_of(ti_key.dag_id, ti_key.run_id, PLAN)


class BooksLink(BaseOperatorLink):
    """To the books of the run: the XCom of close_books holds them."""

    name = "Books of the run"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002  # Airflow's signature
        return page_of(ti_key.dag_id, ti_key.run_id, BOOKS, "xcom")


LINKS = (ActionLink(), PlanLink(), BooksLink())


def show_links(operator: Any, context: Context, rt: Runtime, shard: int | None = None) -> None:
    """Put the links of a task that sends or waits where the UI finds them, before it does either.

    Airflow itself writes them when the task has ended.
    """
    from clawback.steps.show import first_action

    operator.action_url = rt.program.page_of_action(*(first_action(rt, shard) or ("", "")))
    ti = context["ti"]
    for link in LINKS:
        address = link.get_link(operator, ti_key=ti)
        if address:
            ti.xcom_push(link.xcom_key, address)
