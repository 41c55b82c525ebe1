"""Starts the worker processes of `worker.py` and tells how each ended."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import IO, Any, Self, cast

from lab import CAMPAIGN, Lab

KILLED = -9
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a worker ended: its exit status, the steps it began, the boundaries it passed."""

    status: int
    steps: list[str]
    boundaries: list[str]
    said: str

    @property
    def killed(self) -> bool:
        return self.status == KILLED


class Workers:
    """A program that forks a process for each job: `with Workers() as workers`."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(  # noqa: S603 - our own program, no shell
            [sys.executable, "-W", "ignore", str(Path(__file__).parent / "worker.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def do(self, lab: Lab, **job: Any) -> Ended:
        """Let one process do a run's steps; back when it has ended."""
        (ended,) = self.all(lab, [job])
        return ended

    def all(self, lab: Lab, jobs: list[dict[str, Any]]) -> list[Ended]:
        """Let several processes work at once; back when all have ended."""
        whole = [self._job(lab, job) for job in jobs]
        cast("IO[str]", self._process.stdin).write(json.dumps(whole) + "\n")
        cast("IO[str]", self._process.stdin).flush()
        statuses = json.loads(cast("IO[str]", self._process.stdout).readline())
        return [self._ended(job["told"], statuses[job["told"]]) for job in whole]

    @staticmethod
    def _job(lab: Lab, job: dict[str, Any]) -> dict[str, Any]:
        url = lab.ledger.engine.url.render_as_string(hide_password=False)
        plain = {
            "told": str(lab.home / f"told-{next(_numbers)}"),
            "ledger": url,
            "account": {
                "base_url": lab.server.base_url,
                "account_sid": lab.server.account_sid,
                "auth_token": lab.server.auth_token,
                "campaign_id": CAMPAIGN,
            },
            "program": json.loads(lab.program.model_dump_json(exclude_defaults=True)),
            "warehouse": lab.warehouse(),
            "now": lab.clock.now().isoformat(),
            "run_id": "run",
            "kind": "manual",
            "request": {},
            "step": "preflight",
            "last": "close",
            "here": False,
            "ticking": False,
            "kill_at": 0,
            "deadline": 0,
        }
        return plain | job

    @staticmethod
    def _ended(told: str, status: int) -> Ended:
        lines = Path(told).read_text().splitlines() if Path(told).exists() else []
        of = {kind: [x.partition(" ")[2] for x in lines if x.startswith(kind)] for kind in _KINDS}
        return Ended(status, of["step "], of["at "], "; ".join([*of["failed "], *of["  File "]]))


_KINDS = ("step ", "at ", "failed ", "  File ")
