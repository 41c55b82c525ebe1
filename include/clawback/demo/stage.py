"""What a demo has running: its world, the sandbox and Airflow, up for a while and then down."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from clawback.clock import Clock
from clawback.demo.airflow import LATE, SERVICES, AirflowError, Site, command
from clawback.demo.build import build_world
from clawback.demo.processes import Child, Fleet
from clawback.demo.rest import Rest
from clawback.demo.scene import ACCOUNT, IMPACT, WAREHOUSE, Memory, Scene

DAG = "returns_reconciliation"
_PATIENCE = 180.0
"""Seconds in which a started service must answer."""
POLL = 0.6
"""Seconds between two looks at Airflow."""
_LATENCY = "1"
"""Seconds for which the sandbox keeps a write in its queue."""


class Stage:
    """The processes of a demo and the way to talk to them."""

    def __init__(self, scene: Scene, site: Site, memory: Memory, console: Console) -> None:
        self.scene = scene
        self.site = site
        self.memory = memory
        self.console = console
        self.fleet = Fleet(scene.path, (*site.secrets, memory.token))
        self.rest = Rest(site.url, site.password)
        self.began = time.monotonic()
        self._started = datetime.now(UTC)

    def say(self, text: str) -> None:
        """Print a line with the seconds since the demo began."""
        self.console.print(
            f"{time.monotonic() - self.began:5.1f} s  {text}", highlight=False, soft_wrap=True
        )

    def open(self) -> None:
        """Bring everything up and wait until the Dag can be run.

        Raises ProcessDiedError or AirflowError with the last words of what did not come up.
        """
        self.site.prepare()
        env = self.site.environment({})
        migrate = self.fleet.start("db-migrate", command(("db", "migrate")), env, daemon=False)
        self._world()
        base_url, campaign_id = self._sandbox()
        self.fleet.finish(migrate)
        self.say("Airflow's database is ready")
        env |= self._links(base_url, campaign_id)
        self.site.start(self.fleet, env, SERVICES)
        self.until("Airflow's api-server", self.rest.log_in)
        self.say(f"Airflow answers at {self.site.url}")
        self.rest.warm_up()
        self.until(f"the Dag {DAG}", self._visible)
        self.rest.abandon_open_runs(DAG, self._started)
        self.site.start(self.fleet, env, LATE)
        self.rest.unpause(DAG)

    def until(self, what: str, ready: Callable[[], bool]) -> None:
        """Wait for `ready`. Raises ProcessDiedError if a process ends, AirflowError in the end."""
        deadline = time.monotonic() + _PATIENCE
        while not ready():
            if time.monotonic() > deadline:
                raise AirflowError(
                    f"{what} was not there after {_PATIENCE:.0f} s; the logs in {self.fleet.logs} "
                    "tell why"
                )
            self.fleet.pause(POLL)

    def close(self) -> None:
        """Stop every process; Airflow first, then what it used."""
        self.rest.close()
        self.fleet.stop()

    def _world(self) -> None:
        if self.scene.recall():
            self.say(f"using the world of {self.memory.now:%Y-%m-%d %H:%M} UTC again")
            return
        build_world(self.scene, self.memory)
        self.say(f"generated a world of {self.memory.orders} orders (seed {self.memory.seed})")

    def _sandbox(self) -> tuple[str, str]:
        """Start the sandbox; its base URL and campaign."""
        env = self.site.environment({}) | {"CLAWBACK_SANDBOX_TOKEN": self.memory.token}
        child = self.fleet.start("sandbox", self._sandbox_command(), env)
        child.spoke.wait(_PATIENCE)
        self.fleet.pause(0)
        ready = self._parse(child)
        self.say(f"the impact.com sandbox answers at {ready[0]}")
        return ready

    def _sandbox_command(self) -> list[str]:
        arguments = {
            "--port": "0",
            "--world": str(self.scene.world),
            "--state": str(self.scene.sandbox),
            "--account-sid": ACCOUNT,
            "--queue-latency": _LATENCY,
        }
        clock = Clock.from_env()
        if clock.offset:
            arguments["--now"] = clock.now().isoformat()
        flat = [part for pair in arguments.items() for part in pair]
        return [sys.executable, "-m", "clawback", "sandbox", *flat]

    def _parse(self, sandbox: Child) -> tuple[str, str]:
        try:
            ready = json.loads(sandbox.head)
            return str(ready["base_url"]), str(ready["campaign_id"])
        except (ValueError, KeyError, TypeError):
            raise AirflowError(
                f"the sandbox did not say where it listens; {sandbox.story()}"
            ) from None

    def _links(self, base_url: str, campaign_id: str) -> dict[str, str]:
        """The variables that tie Airflow's tasks to the sandbox, the warehouse and the ledger."""
        connections = {
            IMPACT: {
                "conn_type": "impact",
                "host": base_url,
                "login": ACCOUNT,
                "password": self.memory.token,
                "extra": {"campaign_id": campaign_id},
            },
            WAREHOUSE: {
                "conn_type": "duckdb",
                "host": str(self.scene.warehouse),
                "extra": {"read_only": True},
            },
        }
        return {
            f"AIRFLOW_CONN_{name.upper()}": json.dumps(value) for name, value in connections.items()
        } | {"CLAWBACK_LEDGER_URL": self.scene.ledger_url}

    def _visible(self) -> bool:
        """Whether the Dag has been read; shows at once why it cannot be."""
        for file, trace in self.rest.import_errors(self._started).items():
            if Path(file).stem == DAG:
                raise AirflowError(f"Airflow cannot read {file}:\n{trace}")
        return self.rest.parsed_since(DAG, self._started)
