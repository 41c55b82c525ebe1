"""A worker process that does a run's steps, and can be killed at any commit and any request.

Started as a program it waits for jobs, one JSON object a line, and forks a process for each: what
is killed is a real process, and only the imports are shared. Nothing of this is in the product.
"""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Engine

sys.path.insert(0, str(Path(__file__).parent))

from clawback.clock import Clock
from clawback.errors import ClawbackError
from clawback.impact.account import Account
from clawback.impact.budget import BudgetSpent
from clawback.impact.client import ImpactClient
from clawback.impact.core import utc_now
from clawback.impact.errors import RateLimited
from clawback.impact.retry import NO_WAITS
from clawback.ledger.store import Ledger
from clawback.program import Program
from clawback.steps import (
    approve,
    audit,
    close,
    confirm,
    extract,
    plan,
    preflight,
    prove,
    submit,
    sync,
)
from clawback.steps.local import until_done
from clawback.steps.runtime import RunKind, RunRequest, Runtime
from clawback.warehouse.connections import from_connection
from lab import LabClock

CRASHED = 70
STEPS = (
    *("preflight", "extract", "sync", "plan", "approve"),
    *("prove", "submit", "confirm", "close"),
)


class Deadly:
    """Counts what a process does that lasts, and kills it just before the n-th.

    What lasts is a commit or a request that is answered. Between two of them nothing lasts, so
    the point before one is the point after the other, and every boundary is met once.
    """

    def __init__(self, told: Path, kill_at: int) -> None:
        self._told, self._kill_at = told, kill_at
        self._n = 0

    def step(self, name: str) -> None:
        with self._told.open("a") as file:
            file.write(f"step {name}\n")

    def boundary(self, name: str) -> None:
        self._n += 1
        with self._told.open("a") as file:
            file.write(f"at {name}\n")
        if self._n == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def guard(self, engine: Engine) -> None:
        """Stand before each commit that the database is asked for."""
        real = type(engine.dialect).do_commit.__get__(engine.dialect)

        def commit(connection: Any) -> None:
            self.boundary("commit")
            real(connection)

        engine.dialect.do_commit = commit  # type: ignore[method-assign]


class Wire(httpx.BaseTransport):
    """The network, with a boundary before each request leaves."""

    def __init__(self, deadly: Deadly) -> None:
        self._deadly, self._inner = deadly, httpx.HTTPTransport(verify=False)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._deadly.boundary(f"{request.method} {request.url.path.rpartition('/')[2]}")
        return self._inner.handle_request(request)

    def close(self) -> None:
        self._inner.close()


_warm: dict[str, Ledger] = {}
"""Ledgers whose statements are compiled already, for the processes that are forked later."""


class Work:
    """One job: a run's steps from a given one on, in this process."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._job = job
        self._deadly = Deadly(Path(job["told"]), job["kill_at"])
        self._ledger = _warm.get(job["ledger"]) or Ledger.open(job["ledger"], upgrade=False)
        self._deadly.guard(self._ledger.engine)
        self._account = Account(**job["account"])
        moment = datetime.fromisoformat(job["now"])
        self._clock = Clock.at(moment) if job["ticking"] else LabClock(moment)
        program = Program.model_validate(job["program"])
        self._rt = Runtime(self._ledger, program, self._clock, job["run_id"])
        self._client = ImpactClient(
            self._account,
            gate=self._rt.gate(self._account.account_sid),
            transport=Wire(self._deadly),
            retry=NO_WAITS,
            now=self._clock.now if isinstance(self._clock, LabClock) else utc_now,
        )

    def do(self) -> None:
        """All steps of a run from `step` to `last`, or an audit."""
        if self._job["kind"] == "audit":
            connect = from_connection(self._job["warehouse"])
            self._again(partial(audit.audit, self._rt, self._client, 40, connect))
            return
        first, last = STEPS.index(self._job["step"]), STEPS.index(self._job["last"])
        for step in STEPS[first : last + 1]:
            self._deadly.step(step)
            getattr(self, step)()
        self._deadly.boundary("end")

    def warm(self) -> None:
        """Keep the ledger for later processes, without a connection that they could share."""
        self._ledger.engine.dispose()
        _warm[self._job["ledger"]] = self._ledger

    def preflight(self) -> None:
        plain = self._job["request"]
        times = {k: datetime.fromisoformat(plain[k]) for k in ("start", "end") if plain.get(k)}
        asked = RunRequest(RunKind(self._job["kind"]), **times)
        preflight.preflight(self._rt, asked, self._account.account_sid)

    def extract(self) -> None:
        extract.extract(self._rt, from_connection(self._job["warehouse"]))

    def sync(self) -> None:
        self._again(partial(sync.sync, self._rt, self._client))

    def _again(self, step: Callable[[], Any]) -> None:
        """Call a step again after each wait for the budget."""
        while True:
            try:
                step()
            except BudgetSpent as spent:
                self._wait(self._clock.real(spent.until))
            except RateLimited as limited:
                self._wait(limited.retry_at)
            else:
                return

    def plan(self) -> None:
        plan.plan(self._rt)

    def approve(self) -> None:
        approve.approve(self._rt, "the test")

    def prove(self) -> None:
        self._until(partial(prove.prove, self._rt, self._client))

    def submit(self) -> None:
        self._until(partial(submit.submit, self._rt, self._client, 0))

    def confirm(self) -> None:
        self._until(partial(confirm.confirm, self._rt, self._client))

    def close(self) -> None:
        close.close(self._rt)

    def _until(self, step: Callable[[], Any]) -> None:
        until_done(step, self._wait)

    def _wait(self, moment: datetime) -> None:
        """Wait in real time, or put the clocks of lab and sandbox forward."""
        if not isinstance(self._clock, LabClock):
            threading.Event().wait(max(0.0, (moment - datetime.now(UTC)).total_seconds()))
            return
        self._clock.set(max(moment, self._clock.now() + timedelta(seconds=1)))
        now = {"now": self._clock.now().isoformat()}
        httpx.post(f"{self._account.base_url}/_sandbox/clock", json=now).raise_for_status()


def child(job: dict[str, Any]) -> int:
    """Do a job; what goes wrong in words is told in the job's file."""
    try:
        work = Work(job)
        work.do()
        work.warm()
    except ClawbackError as error:
        with Path(job["told"]).open("a") as file:
            file.write(f"failed {type(error).__name__}: {error}\n")
        return 1
    return 0


def forked(job: dict[str, Any]) -> int:
    """Do a job in a process of its own; gives its id."""
    pid = os.fork()
    if pid:
        return pid
    status = CRASHED
    if job["deadline"]:
        # What hangs says where, and ends.
        told = Path(job["told"]).open("a")  # noqa: SIM115 - open until this process is gone
        faulthandler.dump_traceback_later(job["deadline"], exit=True, file=told)
    try:
        status = child(job)
    finally:
        if status == CRASHED:
            told = " | ".join(traceback.format_exc().splitlines())
            with Path(job["told"]).open("a") as file:
                file.write(f"failed {told}\n")
        os._exit(status)


def main() -> None:
    """Do the jobs of a line at once, each in a process; a lone one that is `here` in this one."""
    for text in sys.stdin:
        jobs = json.loads(text)
        ended = {job["told"]: child(job) for job in jobs if job["here"]}
        running = {forked(job): job["told"] for job in jobs if not job["here"]}
        while running:
            pid, status = os.wait()
            ended[running.pop(pid)] = os.waitstatus_to_exitcode(status)
        sys.stdout.write(json.dumps(ended) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
