"""Runs the demo: everything up, one reconciliation, its books, and everything down again."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console
from rich.markup import escape

from clawback.demo import report
from clawback.demo.airflow import HOST, USER, Site, claim_port, free_port
from clawback.demo.processes import adopt_orphans, sweep
from clawback.demo.progress import Progress, over
from clawback.demo.scene import Memory, Scene, new_memory
from clawback.demo.stage import DAG, POLL, Stage
from clawback.errors import ClawbackError
from clawback.ledger.store import Ledger
from clawback.sandbox.seed import ORDERS, SEED
from clawback.steps.close import load_books

_RUN_PATIENCE = 900.0
"""Seconds in which a run must end."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_ROOT = Path(__file__).resolve().parents[3]


class DemoError(ClawbackError):
    """The demo cannot run here, or did not come to its end."""


class _Stopped(BaseException):
    """Ctrl-C, or a signal that asks this process to end; `status` is what a shell expects."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.status = 128 + number


def run_demo(
    directory: Path | None = None,
    *,
    seed: int = SEED,
    orders: int = ORDERS,
    console: Console | None = None,
) -> int:
    """Reconcile the demo world in a real Airflow; returns the exit status.

    0 means that the run succeeded and its books balance. Raises ClawbackError with one clear
    sentence if a part of the demo does not come up. No process outlives the call.
    """
    console = console or Console(soft_wrap=False)
    scene = Scene((directory or _ROOT / "var" / "demo").resolve())
    site = Site(_ROOT, scene.airflow, free_port())
    try:
        with _raised(scene, site, new_memory(seed, orders), console) as stage:
            run_id, state = _reconcile(stage)
            status = _account(stage, run_id, state)
    except _Stopped as stop:
        console.print(f"stopped by {stop}; no process of the demo is left")
        return stop.status
    return status


def run_up(
    directory: Path | None = None,
    *,
    port: int = 8080,
    seed: int = SEED,
    orders: int = ORDERS,
    console: Console | None = None,
) -> int:
    """Show the demo world in the Airflow UI at 127.0.0.1:`port` until Ctrl-C or a signal.

    Raises ClawbackError if the port is taken or a part of the demo does not come up.
    """
    console = console or Console()
    scene = Scene((directory or _ROOT / "var" / "demo").resolve())
    site = Site(_ROOT, scene.airflow, claim_port(port), scheduled=True)
    try:
        with _raised(scene, site, new_memory(seed, orders), console) as stage:
            console.print(
                f"\nAirflow: http://{HOST}:{port}  user: {USER}  password: {stage.site.password}\n"
                f"Its run of today has begun by itself; start more by hand. Ctrl-C ends it all.",
                highlight=False,
            )
            while True:
                stage.fleet.pause(3600)
    except _Stopped as stop:
        console.print(f"stopped by {stop}; no process of the demo is left")
        return 0 if stop.status == 128 + signal.SIGINT else stop.status


@contextmanager
def _raised(scene: Scene, site: Site, fresh: Memory, console: Console) -> Iterator[Stage]:
    """A stage with everything up, and surely down again afterwards.

    The world of an earlier run is used again; only where there is none, `fresh` is made.
    """
    console.print(
        f"to start over: make clean (the world is {scene.path})", highlight=False, soft_wrap=True
    )
    if not (_ROOT / "dags" / f"{DAG}.py").is_file():
        raise DemoError(f"there is no dags/{DAG}.py in {_ROOT}; run the demo from a clone")
    with scene.held(), _signals():
        adopt_orphans()
        if swept := sweep(str(scene.path)):
            console.print(f"ended {swept} processes that an earlier demo had left behind")
        stage = Stage(scene, site, scene.recall() or fresh, console)
        try:
            try:
                stage.open()
                yield stage
            finally:
                _ignore_signals()
        finally:
            stage.close()


def _ignore_signals() -> None:
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def _signals() -> Iterator[None]:
    """Turn the signals that ask us to end into one exception, so that everything is stopped."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _frame: FrameType | None) -> None:
        _ignore_signals()
        raise _Stopped(number)

    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        yield
    except _Stopped:
        before = dict.fromkeys(_SIGNALS, signal.SIG_IGN)  # a second one must not spoil the way out
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _reconcile(stage: Stage) -> tuple[str, str]:
    """Trigger a run and show it until it has ended; its id and state."""
    run_id = stage.rest.trigger(DAG)
    stage.say(f"triggered {DAG}, run {run_id}")
    deadline = time.monotonic() + _RUN_PATIENCE
    with Progress(stage.console, stage.rest.task_ids(DAG), stage.began) as progress:
        while True:
            tasks = stage.rest.tasks(DAG, run_id)
            progress.show(tasks)
            state = stage.rest.run_state(DAG, run_id) if over(tasks) else "running"
            if state in {"success", "failed"}:
                break
            if time.monotonic() > deadline:
                raise DemoError(
                    f"run {run_id} is still {state} after {_RUN_PATIENCE:.0f} s; "
                    f"the logs are in {stage.fleet.logs} and {stage.site.home / 'logs'}"
                )
            stage.fleet.pause(POLL)
    stage.say(f"the run ended: {state}")
    return run_id, state


def _account(stage: Stage, run_id: str, state: str) -> int:
    """Show and write the books of a run; the exit status of the demo."""
    if state != "success":
        _explain(stage, run_id)
    with Ledger.open(stage.scene.ledger_url) as ledger:
        books: dict[str, Any] | None = load_books(ledger, f"{DAG}/{run_id}")
    if not books:
        raise DemoError(f"run {run_id} ended as {state} and closed no books")
    report.show(books, stage.console)
    stage.scene.books.write_text(json.dumps(books, indent=2) + "\n")
    stage.say(f"wrote {stage.scene.books}")
    return 0 if state == "success" and report.balances(books) else 1


def _explain(stage: Stage, run_id: str) -> None:
    """Show what the failed tasks of a run said."""
    for task in stage.rest.tasks(DAG, run_id):
        if task.state == "failed":
            stage.console.print(f"[bold red]{task.task_id} failed:[/]")
            for line in stage.rest.complaints(DAG, run_id, task):
                stage.console.print(f"  {escape(line)}", highlight=False)
