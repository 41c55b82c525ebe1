"""Addresses: of a run and its tasks in the Airflow UI, and of an action at impact.com."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink

from impact_provider import MOUNT

if TYPE_CHECKING:
    from airflow.sdk import Context

    from clawback.steps.runtime import Runtime

PLAN = "plan"
"""The part of a run's page that is its plan."""


def run_link(context: Context, task_id: str = "", tab: str = "") -> str:
    """The page of the run in `context`, or a tab of one of its tasks, in the Airflow UI."""
    run = context["dag_run"]
    return page_of(run.dag_id, run.run_id, task_id, tab)


def page_of(dag_id: str, run_id: str, task_id: str = "", tab: str = "") -> str:
    """The address of a run or of a task of it; a path where Airflow does not know its own."""
    page = f"{_base()}/dags/{quote(dag_id)}/runs/{quote(run_id, safe='')}"
    parts = ["tasks", quote(task_id), tab] if task_id else [tab]
    return "/".join([page, *filter(None, parts)])


def returns_page(dag_id: str, run_id: str, part: str = "") -> str:
    """The address of a Dag run in the Returns page; a path where Airflow does not know its own."""
    page = f"{_base()}{MOUNT}/dag/{quote(dag_id, safe='')}/{quote(run_id, safe='')}"
    return f"{page}#{part}" if part else page


def _base() -> str:
    from airflow.sdk.configuration import conf

    return str(conf.get("api", "base_url", fallback="")).rstrip("/")


class ActionLink(BaseOperatorLink):
    """To the action of the task that locks first, in impact.com's own UI."""

    name = "Action at impact.com"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002  # Airflow's signature
        return str(getattr(operator, "action_url", ""))


class RunLink(BaseOperatorLink):
    """To the run in the Returns page: its books, what is held, its plan."""

    name = "Run in the Returns page"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002  # Airflow's signature
        return returns_page(ti_key.dag_id, ti_key.run_id)


class PlanLink(BaseOperatorLink):
    """To the plan of the run in the Returns page."""

    name = "Plan of the run"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002  # Airflow's signature
        return returns_page(ti_key.dag_id, ti_key.run_id, PLAN)


RUN_LINKS = (RunLink(), PlanLink())
"""The links of a task that is about a whole run."""
LINKS = (ActionLink(), *RUN_LINKS)


def show_links(operator: Any, context: Context, rt: Runtime, shard: int | None = None) -> None:
    """Put the links of a task that sends where the UI finds them, before it sends anything."""
    from clawback.steps.show import first_action

    operator.action_url = rt.program.page_of_action(*(first_action(rt, shard) or ("", "")))
    put_links(operator, context, LINKS)


def put_links(operator: Any, context: Context, links: Iterable[Any]) -> None:
    """Put links where the UI finds them while the task waits; Airflow does so when it has ended."""
    ti = context["ti"]
    for link in links:
        address = link.get_link(operator, ti_key=ti)
        if address:
            ti.xcom_push(link.xcom_key, address)
