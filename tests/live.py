"""A real Airflow for tests: scheduler, api-server, dag-processor, triggerer, and a webhook."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from clawback.demo.airflow import LATE, SERVICES, Site, command, free_port
from clawback.demo.processes import Fleet
from clawback.demo.rest import Rest
from clawback.ledger.store import Ledger
from clawback.program import PROGRAMS_ENV
from street import NOW, Street

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 900.0
"""Seconds that a story may take for one step of it; a busy machine is slow."""
ENDED = frozenset({"success", "failed"})
SETTINGS = {
    "AIRFLOW__CORE__PARALLELISM": "5",
    "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "600",
    "AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "2",
    "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "True",
    "AIRFLOW__TRIGGERER__DEFAULT_CAPACITY": "100",
}


# --- Airflow --------------------------------------------------------------------------------


@dataclass
class Live:
    """The running Airflow, through its REST interface and its command line."""

    site: Site
    fleet: Fleet
    rest: Rest
    env: dict[str, str]
    ledger_url: str

    def ask(self, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        """An answer of the REST interface, which must have this status."""
        answer = self.rest._request(method, f"/api/v2{path}", json=body)
        assert answer.status_code == status, f"{method} {path}: {answer.text[:2000]}"
        return answer.json() if answer.content else None

    def until(self, what: str, ready: Callable[[], Any], seconds: float = PATIENCE) -> Any:
        """What `ready` gives as soon as that is true; a dead service ends the wait."""
        deadline = time.monotonic() + seconds
        while not (found := ready()):
            assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
            self.fleet.pause(0.5)
        return found

    def pause(self, dag: str, *, paused: bool) -> None:
        self.ask("PATCH", f"/dags/{dag}?update_mask=is_paused", {"is_paused": paused})

    def trigger(self, dag: str, **conf: Any) -> str:
        body = {"logical_date": None, "conf": conf}
        return str(self.ask("POST", f"/dags/{dag}/dagRuns", body)["dag_run_id"])

    def runs(self, dag: str, **params: str) -> list[dict[str, Any]]:
        """The runs of a Dag, the oldest first."""
        query = "&".join(["order_by=run_after", *(f"{k}={v}" for k, v in params.items())])
        found: list[dict[str, Any]] = self.ask("GET", f"/dags/{dag}/dagRuns?{query}")["dag_runs"]
        return found

    def first(self, dag: str) -> str:
        """Let a Dag run by its schedule; the run that the scheduler makes of it."""
        self.pause(dag, paused=False)
        found = self.until(f"a scheduled run of {dag}", lambda: self.runs(dag))
        assert found[0]["run_type"] == "scheduled"
        return str(found[0]["dag_run_id"])

    def abandon(self, dag: str, run: str) -> None:
        """Let a run be over; asked again where the scheduler has just touched the same rows."""
        path = f"/api/v2/dags/{dag}/dagRuns/{run}?update_mask=state"
        self.until(
            f"the end of {dag} {run}",
            lambda: self.rest._request("PATCH", path, json={"state": "failed"}).is_success,
        )

    def ended(self, dag: str, run: str, state: str = "success") -> dict[str, str]:
        """Wait for the end of a run, which must be this; the state of each task."""

        def look() -> dict[str, Any] | None:
            found: dict[str, Any] = self.ask("GET", f"/dags/{dag}/dagRuns/{run}")
            return found if found["state"] in ENDED else None

        found = self.until(f"the end of {dag} {run}", look)
        tasks = self.tasks(dag, run)
        assert found["state"] == state, f"{dag} {run}: {tasks}\n{self.story(dag, run)}"
        return tasks

    def instances(self, dag: str, run: str) -> list[dict[str, Any]]:
        path = f"/dags/{dag}/dagRuns/{run}/taskInstances?limit=500"
        found: list[dict[str, Any]] = self.ask("GET", path)["task_instances"]
        return found

    def tasks(self, dag: str, run: str) -> dict[str, str]:
        return {ti["task_id"]: str(ti["state"]) for ti in self.instances(dag, run)}

    def story(self, dag: str, run: str) -> str:
        """What the failed tasks of a run complain of."""
        return "\n".join(
            f"{task.task_id}: {self.rest.complaints(dag, run, task)}"
            for task in self.rest.tasks(dag, run)
            if task.state == "failed"
        )

    def page(self, address: str, *, known: bool = True) -> tuple[int, str]:
        """The status and text of an address of Airflow, asked by a user or by a stranger."""
        if known:
            answer = self.rest._request("GET", address)
        else:
            answer = httpx.get(address, timeout=60, trust_env=False)
        return answer.status_code, answer.text

    def links(self, dag: str, run: str, task: str, *, index: int = -1) -> dict[str, str]:
        """Where the links of a task lead, by what they are called."""
        path = f"/dags/{dag}/dagRuns/{run}/taskInstances/{task}/links?map_index={index}"
        found: dict[str, str] = self.ask("GET", path)["extra_links"]
        return found

    def log(self, dag: str, run: str, task: str, *, index: int = -1) -> str:
        path = f"/dags/{dag}/dagRuns/{run}/taskInstances/{task}/logs/1?map_index={index}"
        answer = self.rest._request("GET", f"/api/v2{path}", headers={"Accept": "application/json"})
        return "\n".join(str(entry.get("event", entry)) for entry in answer.json()["content"])

    def xcom(self, dag: str, run: str, task: str, *, index: int = -1, key: str = "") -> Any:
        run_path = f"/dags/{dag}/dagRuns/{run}/taskInstances/{task}"
        path = f"{run_path}/xcomEntries/{key or 'return_value'}?map_index={index}&deserialize=false"
        value = self.ask("GET", path)["value"]
        return json.loads(value) if isinstance(value, str) else value

    def question(self, dag: str, run: str, task: str) -> dict[str, Any]:
        """Wait until a run waits for a person; what it shows them."""
        self.until(f"{dag} {run} to ask", lambda: self.asks(dag, run, task))
        found: dict[str, Any] = self.ask("GET", self._hitl(dag, run, task))
        return found

    def asks(self, dag: str, run: str, task: str) -> bool:
        """Whether a task waits for a person, and the scheduler has seen its process end.

        An answer that is quicker than that makes Airflow's scheduler take the task, which goes on
        in another process, for one that was killed.
        """
        if self.tasks(dag, run).get(task) != "awaiting_input":
            return False
        seen = f"TaskInstance Finished: dag_id={dag}, task_id={task}, run_id={run},"
        return seen in (self.fleet.logs / "scheduler.log").read_text(encoding="utf-8")

    def answer(self, dag: str, run: str, task: str, option: str, reason: str = "") -> None:
        """Answer as the page Required Actions does, and wait until the task has taken it."""
        body = {"chosen_options": [option], "params_input": {"reason": reason}}
        self.ask("PATCH", self._hitl(dag, run, task), body)
        ends = {"success", "failed", "upstream_failed"}
        self.until(f"{task} of {dag} to go on", lambda: self.tasks(dag, run)[task] in ends)

    def _hitl(self, dag: str, run: str, task: str) -> str:
        return f"/dags/{dag}/dagRuns/{run}/taskInstances/{task}/-1/hitlDetails"

    def cli(self, *arguments: str) -> None:
        """Run an `airflow` command; it must succeed."""
        self.fleet.finish(
            self.fleet.start("-".join(arguments[:2]), command(arguments), self.env, daemon=False)
        )

    def books(self, dag: str, run: str) -> dict[str, Any]:
        from clawback.steps.close import load_books

        with Ledger.open(self.ledger_url) as ledger:
            return load_books(ledger, f"{dag}/{run}")


@contextmanager
def airflow(home: Path, street: Street, database: str) -> Iterator[Live]:
    """A real Airflow over the Dags of a street; gone without a trace afterwards.

    `database` is the URL of a new PostgreSQL database: SQLite stands still when many write.
    """
    site = Site(ROOT, home / "airflow", free_port(), scheduled=True)
    site.prepare()
    for name in ("returns_backfill", "reconciliation_audit", "account_doctor", "hold_decisions"):
        shutil.copy(ROOT / "dags" / f"{name}.py", street.dags)
    ledger_url = f"sqlite:///{home}/ledger.db"
    Ledger.open(ledger_url).close()
    env = site.environment(street.connections) | SETTINGS
    env |= {
        "AIRFLOW__CORE__DAGS_FOLDER": str(street.dags),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
        "CLAWBACK_LEDGER_URL": ledger_url,
        PROGRAMS_ENV: str(street.programs),
    }
    live = Live(site, Fleet(home), Rest(site.url, site.password), env, ledger_url)
    try:
        live.cli("db", "migrate")
        site.start(live.fleet, env, [*SERVICES, *LATE])
        live.until("the api-server", live.rest.log_in)
        live.rest.warm_up()
        wanted = len(list(street.dags.glob("*.py")))
        live.until("the Dags", lambda: len(files(live)) == wanted)
        assert live.rest.import_errors(NOW) == {}
        yield live
    finally:
        live.rest.close()
        live.fleet.stop()


def files(live: Live) -> set[str]:
    """The Dag files that Airflow has read."""
    return {dag["fileloc"] for dag in live.ask("GET", "/dags?limit=500")["dags"]}


# --- a webhook ------------------------------------------------------------------------------


@contextmanager
def webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """An HTTP server that keeps what is posted to it; its address and what came."""
    came: list[dict[str, Any]] = []

    class Keep(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            came.append(json.loads(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Say nothing on stderr."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Keep)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", came
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
