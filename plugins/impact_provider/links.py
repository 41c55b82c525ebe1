"""Addresses in the Airflow UI, for messages that lead there."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from airflow.sdk import Context


def run_link(context: Context, task_id: str = "") -> str:
    """The page of the run in `context`, or of one of its tasks, in the Airflow UI."""
    from airflow.sdk.configuration import conf

    run = context["dag_run"]
    base = str(conf.get("api", "base_url", fallback="")).rstrip("/")
    page = f"{base}/dags/{quote(run.dag_id)}/runs/{quote(run.run_id, safe='')}"
    return f"{page}/tasks/{quote(task_id)}" if task_id else page
