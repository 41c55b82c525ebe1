"""A real Airflow for the demo: its secrets, its environment and its services."""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from clawback.clock import Clock
from clawback.demo.processes import Fleet
from clawback.errors import ClawbackError

USER = "admin"
HOST = "127.0.0.1"
SERVICES = (("api-server",), ("dag-processor",), ("scheduler", "--skip-serve-logs"))
LATE = (("triggerer", "--skip-serve-logs"),)
"""Services that a run needs only when it waits: started last, so that the others come up sooner."""
# Importing Airflow makes a million objects that stay; looking through them again and again for
# garbage is a fifth of the time that a service takes to start.
_LAUNCH = """
import gc
gc.set_threshold(200_000, 20, 20)
from airflow.__main__ import main
main()
"""
_SLOTS = 4


class AirflowError(ClawbackError):
    """Airflow did not do what the demo asked of it."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


def claim_port(port: int) -> int:
    """`port` if it is free. Raises AirflowError with the mend if it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise AirflowError(
                f"port {port} of {HOST} cannot be had ({error.strerror}); stop what listens there "
                "and try again"
            ) from None
    return port


@dataclass(frozen=True, slots=True)
class Site:
    """One Airflow installation of the demo: where it lives, its port and its secrets."""

    root: Path
    home: Path
    port: int
    scheduled: bool = False
    """Whether schedules run; else only runs that are asked for."""
    password: str = field(default_factory=lambda: secrets.token_urlsafe(12), repr=False)
    keys: tuple[str, str, str] = field(
        default_factory=lambda: (
            secrets.token_hex(48),
            secrets.token_hex(32),
            base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        ),
        repr=False,
    )

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.password, *self.keys)

    def prepare(self) -> None:
        """Write what Airflow wants to find on disk."""
        self.home.mkdir(parents=True, exist_ok=True)
        path = self._passwords
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            json.dump({USER: self.password}, file)

    @property
    def _passwords(self) -> Path:
        return self.home / "passwords.json"

    def environment(self, connections: Mapping[str, Mapping[str, object]]) -> dict[str, str]:
        """The variables of every process of this Airflow; `connections` by id, as JSON objects.

        Airflow settings of the caller's own shell do not reach the demo.
        """
        jwt, api, fernet = self.keys
        return {
            **inherited(),
            "PYTHONPATH": f"{self.root / 'include'}{os.pathsep}{self.root / 'plugins'}",
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__HOST": HOST,
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__SECRET_KEY": api,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": jwt,
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.root / "dags"),
            "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "5",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__FERNET_KEY": fernet,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": str(_SLOTS),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(self.root / "plugins"),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self._passwords),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home}/airflow.db?timeout=60",
            # The Dag files do not change while one run goes on; in the UI somebody may edit them.
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "30" if self.scheduled else "600",
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
            "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": str(self.scheduled),
            # The default of 5 holds a slot for up to 5 s after its task has ended.
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "30",
            **{
                f"AIRFLOW_CONN_{name.upper()}": json.dumps(value)
                for name, value in connections.items()
            },
        }

    def start(
        self, fleet: Fleet, env: Mapping[str, str], services: Iterable[Sequence[str]]
    ) -> None:
        """Start services on a migrated database."""
        for service in services:
            fleet.start(service[0], command(service), env, cwd=self.home)


def command(arguments: Sequence[str]) -> list[str]:
    """The `airflow` command with these arguments, in this interpreter."""
    return [sys.executable, "-c", _LAUNCH, *arguments]


def inherited() -> dict[str, str]:
    """The caller's environment without settings that would bend the demo, and without proxies.

    A CLAWBACK_NOW is anchored, so that all processes of the demo read the same clock.
    """
    unwanted = ("AIRFLOW", "CLAWBACK_", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
    env = {k: v for k, v in os.environ.items() if not k.startswith(unwanted)}
    env["NO_PROXY"] = env["no_proxy"] = ",".join(
        filter(None, (os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), HOST, "localhost"))
    )
    clock = Clock.from_env()
    if clock.offset:
        now = datetime.now(UTC)
        env["CLAWBACK_NOW"] = f"{(now + clock.offset).isoformat()}@{now.isoformat()}"
    return env
