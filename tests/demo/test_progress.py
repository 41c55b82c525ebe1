"""The run as it is shown while it runs."""

from __future__ import annotations

import time
from io import StringIO

import pytest
from rich.console import Console

from clawback.demo.progress import Progress, roll_up
from clawback.demo.rest import Task

ORDER = ["plan", "submit", "close"]


def tasks(*submits: str) -> list[Task]:
    shards = [Task("submit", i, state, 1.5) for i, state in enumerate(submits)]
    return [*shards, Task("plan", -1, "success", 0.4), Task("close", -1, "waiting", None)]


@pytest.mark.parametrize(
    ("states", "state", "done"),
    [
        (("success", "success"), "success", 2),
        (("success", "skipped"), "success", 2),
        (("skipped", "skipped"), "skipped", 2),
        (("success", "running"), "running", 1),
        (("failed", "running"), "failed", 1),
        (("queued", "deferred"), "deferred", 0),
    ],
)
def test_mapped_tasks_are_one_row(states: tuple[str, ...], state: str, done: int) -> None:
    """Shards of a task are rolled up to the state that matters most, in the order of the Dag."""
    rows = roll_up(ORDER, tasks(*states))
    assert [row.task_id for row in rows] == ORDER
    assert (rows[1].state, rows[1].done, rows[1].total) == (state, done, 2)


def test_a_task_that_was_never_seen_waits() -> None:
    """A task without an instance yet is shown as waiting."""
    assert [row.state for row in roll_up(ORDER, [])] == ["waiting"] * 3


def test_without_a_terminal_each_change_is_one_line() -> None:
    """Every change of state is printed once, and nothing else."""
    out = StringIO()
    with Progress(Console(file=out, width=80), ORDER, time.monotonic()) as progress:
        progress.show(tasks("running", "queued"))
        progress.show(tasks("running", "queued"))
        progress.show(tasks("success", "success"))
    lines = [line.split(" s  ", 1)[1] for line in out.getvalue().splitlines()]
    assert [" ".join(line.split()) for line in lines] == [
        "plan success in 0.4 s",
        "submit running, 0 of 2 shards",
        "submit success, 2 of 2 shards in 1.5 s",
    ]


def test_on_a_terminal_there_is_a_live_table() -> None:
    """On a terminal the table is drawn again in its place."""
    out = StringIO()
    console = Console(file=out, width=80, force_terminal=True)
    with Progress(console, ORDER, time.monotonic()) as progress:
        progress.show(tasks("running", "queued"))
    assert "\x1b[?25l" in out.getvalue()
    assert "submit" in out.getvalue()
