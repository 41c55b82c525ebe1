"""The part of Airflow's REST interface that the demo uses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from graphlib import TopologicalSorter
from typing import Any

import httpx

from clawback.demo.airflow import USER, AirflowError

_TIMEOUT = 120.0
"""Seconds for one answer; on a busy machine the api-server may stand still for half a minute."""


@dataclass(frozen=True, slots=True)
class Task:
    """A task instance as the REST interface reports it; `seconds` is how long it ran."""

    task_id: str
    map_index: int
    state: str
    seconds: float | None
    attempt: int = 1


class Rest:
    """The part of Airflow's REST interface that the demo uses."""

    def __init__(self, url: str, password: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=_TIMEOUT, trust_env=False)
        self._password = password

    def close(self) -> None:
        self._client.close()

    def log_in(self) -> bool:
        """Whether the api-server is up and has let us in."""
        try:
            reply = self._client.post(
                "/auth/token", json={"username": USER, "password": self._password}
            )
        except httpx.TransportError:
            return False
        if reply.is_success:
            self._client.headers["Authorization"] = f"Bearer {reply.json()['access_token']}"
        return reply.is_success

    def warm_up(self) -> None:
        """Make the api-server build the interface of the tasks, which it does at the first request.

        It answers nobody meanwhile; better now than while the first task waits for it.
        """
        self._get("/execution/health")

    def import_errors(self, since: datetime) -> dict[str, str]:
        """The stack trace of every Dag file that could not be read since `since`."""
        found = self._ask("GET", "/importErrors")["import_errors"]
        return {
            str(error["filename"]): str(error["stack_trace"]).strip()
            for error in found
            if datetime.fromisoformat(error["timestamp"]) >= since
        }

    def parsed_since(self, dag_id: str, moment: datetime) -> bool:
        """Whether the Dag has been read from its file since `moment`."""
        reply = self._get(f"/api/v2/dags/{dag_id}")
        parsed = reply.json()["last_parsed_time"] if reply.is_success else None
        return parsed is not None and datetime.fromisoformat(parsed) >= moment

    def unpause(self, dag_id: str) -> None:
        self._ask("PATCH", f"/dags/{dag_id}?update_mask=is_paused", {"is_paused": False})

    def trigger(self, dag_id: str) -> str:
        """Ask for a run now, without a logical date; returns its run id."""
        run = self._ask("POST", f"/dags/{dag_id}/dagRuns", {"logical_date": None})
        return str(run["dag_run_id"])

    def abandon_open_runs(self, dag_id: str, before: datetime) -> None:
        """Fail the runs that an interrupted demo left behind: they would block the next one.

        A run that was queued since `before` is the scheduler's own of this time, and goes on.
        """
        path = f"/dags/{dag_id}/dagRuns"
        for run in self._ask("GET", f"{path}?state=running&state=queued")["dag_runs"]:
            queued = run.get("queued_at")
            if queued is not None and datetime.fromisoformat(queued) >= before:
                continue
            self._ask("PATCH", f"{path}/{run['dag_run_id']}?update_mask=state", {"state": "failed"})

    def run_state(self, dag_id: str, run_id: str) -> str:
        return str(self._ask("GET", f"/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def tasks(self, dag_id: str, run_id: str) -> list[Task]:
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances?limit=1000"
        return [
            Task(
                t["task_id"],
                t["map_index"],
                t["state"] or "waiting",
                t["duration"],
                t["try_number"],
            )
            for t in self._ask("GET", path)["task_instances"]
        ]

    def task_ids(self, dag_id: str) -> list[str]:
        """The tasks of the Dag, each after those that it follows."""
        found = {
            t["task_id"]: set(t["downstream_task_ids"])
            for t in self._ask("GET", f"/dags/{dag_id}/tasks")["tasks"]
        }
        order = TopologicalSorter({t: set() for t in found})
        for task, downstream in found.items():
            for other in downstream:
                order.add(other, task)
        return list(order.static_order())

    def complaints(self, dag_id: str, run_id: str, task: Task) -> list[str]:
        """What a task's last attempt logged as an error (secrets masked by Airflow)."""
        run = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}"
        reply = self._request(
            "GET",
            f"{run}/taskInstances/{task.task_id}/logs/{task.attempt}",
            params={"map_index": task.map_index},
            headers={"Accept": "application/json"},
        )
        content = reply.json()["content"] if reply.is_success else []
        return [_complaint(entry) for entry in content if _is_complaint(entry)]

    def _get(self, path: str) -> httpx.Response:
        return self._request("GET", path)

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        reply = self._request(method, f"/api/v2{path}", json=body)
        if reply.is_error:
            raise AirflowError(
                f"Airflow answered {reply.status_code} to {method} {path}: {reply.text[:500]}"
            )
        return reply.json()

    def _request(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            return self._client.request(method, path, **more)
        except httpx.TransportError as error:
            raise AirflowError(
                f"Airflow's api-server did not answer {method} {path} ({error!r}); "
                "see api-server.log in the demo's logs"
            ) from None


def _is_complaint(entry: object) -> bool:
    return isinstance(entry, dict) and entry.get("level") in {"error", "critical"}


def _complaint(entry: dict[str, Any]) -> str:
    causes = [f"{e['exc_type']}: {e['exc_value']}" for e in entry.get("error_detail") or ()]
    return "; ".join([str(entry["event"]), *causes])
