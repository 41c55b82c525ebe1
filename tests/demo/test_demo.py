"""The demo as a whole: a real Airflow up, a run, books, and nothing left behind."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from clawback.demo.processes import marked, sweep

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.timeout(600)]

ORDERS = "500"
DEMO = """
import sys
from pathlib import Path
from clawback.demo.runner import run_demo
sys.exit(run_demo(Path(sys.argv[1]), orders=int(sys.argv[2])))
"""
TASKS = [
    "preflight",
    "extract_returns",
    "sync_actions",
    "plan_changes",
    "approve_changes",
    "submit_urgent",
    "prove_account",
    "submit_changes",
    "confirm_changes",
    "close_books",
]


@dataclass(frozen=True)
class Result:
    """How a demo ended: exit status, what it printed, the books it wrote."""

    status: int
    output: str
    books: dict[str, Any]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One demo world for all tests of this file, in their order."""
    path = tmp_path_factory.mktemp("demo").resolve()
    yield path
    sweep(str(path))


def start(directory: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", DEMO, str(directory), ORDERS],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(directory: Path) -> Result:
    with start(directory) as process:
        output, _ = process.communicate(timeout=500)
    books = directory / "books.json"
    found = json.loads(books.read_text()) if books.exists() else {}
    return Result(process.returncode, output, found)


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def writes(books: dict[str, Any]) -> int:
    kinds = books["requests"]["by_kind"]
    return int(kinds["modify"] + kinds["reverse"])


@pytest.fixture(scope="module")
def first(directory: Path) -> Result:
    return run(directory)


def test_it_ends_with_balanced_books(first: Result) -> None:
    """The first demo succeeds and writes books in which every line has an outcome."""
    assert first.status == 0, first.output
    books = first.books
    assert books["lines"] == sum(entry["lines"] for entry in books["outcomes"].values())
    assert books["unexplained"] == 0
    assert books["changes"]["confirmed"] > 0
    assert "the books balance" in first.output


def test_it_says_how_to_start_over_and_shows_each_task(first: Result) -> None:
    """The first line names `make clean`, and every task of the Dag is seen to end."""
    assert "make clean" in first.output.splitlines()[0]
    ended = re.findall(r"^ *[\d.]+ s  (\w+) +success", first.output, re.MULTILINE)
    assert sorted(set(ended)) == sorted(TASKS)


def test_no_secret_is_written_to_a_log(directory: Path, first: Result) -> None:
    """Neither the token nor a password of the demo is in its output or in any log."""
    token = json.loads((directory / "demo.json").read_text())["token"]
    password = json.loads((directory / "airflow" / "passwords.json").read_text())["admin"]
    logs = [*(directory / "logs").rglob("*.log"), *(directory / "airflow" / "logs").rglob("*.log")]
    assert len(logs) > len(TASKS)
    leaks = [
        path
        for path in logs
        if token in (text := path.read_text(errors="replace")) or password in text
    ]
    assert leaks == []
    assert token not in first.output


def test_nothing_is_left_running(directory: Path, first: Result) -> None:
    """After the demo none of its processes lives."""
    assert first.status == 0
    assert marked(str(directory)) == []


def test_settled_data_sends_no_writes(directory: Path, first: Result) -> None:
    """A second demo of the same world succeeds and sends no change to impact.com."""
    second = run(directory)
    assert second.status == 0, second.output
    assert second.books["run_id"] != first.books["run_id"]
    assert writes(first.books) > 0
    assert writes(second.books) == 0


def test_stopped_with_tasks_running_it_leaves_no_process(tmp_path: Path) -> None:
    """Ctrl-C while a task runs ends every process of the demo within 15 seconds."""
    directory = tmp_path.resolve()
    with start(directory) as process:
        family = tasks_running(psutil.Process(process.pid))
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT, output
    assert time.monotonic() - began < 15
    assert [p for p in family if alive(p)] == []
    assert marked(str(directory)) == []


def test_stopped_while_it_comes_up_it_leaves_no_process(tmp_path: Path) -> None:
    """SIGTERM while the services start ends them all; more of them change nothing of that."""
    directory = tmp_path.resolve()
    with start(directory) as process:
        service(psutil.Process(process.pid), "scheduler")
        output = asked_to_end_again_and_again(process, signal.SIGTERM)
    assert process.returncode == 128 + signal.SIGTERM, output
    assert "no process of the demo is left" in output
    assert marked(str(directory)) == []


def asked_to_end_again_and_again(process: subprocess.Popen[str], number: signal.Signals) -> str:
    """Send a signal every 20 ms until a process has ended; what it printed."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=0.02)[0]
    pytest.fail(f"the demo outlived {number.name} for a minute")


def tasks_running(demo: psutil.Process) -> list[psutil.Process]:
    """The processes of a demo as soon as one of them is a task, with a group of its own."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and alive(demo):
        family = demo.children(recursive=True)
        services = {p.pid for p in demo.children()}
        for process in family:
            try:
                if os.getpgid(process.pid) not in services:
                    return family
            except ProcessLookupError:
                continue
        time.sleep(0.05)
    pytest.fail("no task was seen to run")


def test_a_service_that_dies_is_told_within_seconds(tmp_path: Path) -> None:
    """When the scheduler is killed, the demo says so, with its last lines, and stops the rest."""
    directory = tmp_path.resolve()
    with start(directory) as process:
        demo = psutil.Process(process.pid)
        scheduler = service(demo, "scheduler")
        scheduler.kill()
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "scheduler ended with status -9 although it is still needed" in " ".join(output.split())
    assert marked(str(directory)) == []


def service(demo: psutil.Process, name: str) -> psutil.Process:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and alive(demo):
        for process in demo.children():
            if name in process.cmdline():
                return process
        time.sleep(0.1)
    pytest.fail(f"no {name} was started")


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    """`clawback up` on a port in use ends at once with one sentence, before it starts anything."""
    code = (
        "import sys; from pathlib import Path; from clawback.demo.runner import run_up; "
        "run_up(Path(sys.argv[1]), port=int(sys.argv[2]))"
    )
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-c", code, str(tmp_path), port],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert f"port {port} of 127.0.0.1 cannot be had (Address already in use)" in done.stderr
