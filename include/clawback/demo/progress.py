"""Shows a run task by task: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from clawback.demo.rest import Task

_LOUDEST = (
    "failed",
    "upstream_failed",
    "up_for_retry",
    "running",
    "awaiting_input",
    "deferred",
    "queued",
    "scheduled",
    "restarting",
)
_DONE = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
_COLOURS = {
    "success": "green",
    "running": "cyan",
    "deferred": "magenta",
    "awaiting_input": "magenta",
    "skipped": "dim",
    "failed": "bold red",
    "upstream_failed": "red",
    "up_for_retry": "yellow",
}
_WORDS = {"awaiting_input": "waits for a person", "deferred": "deferred (waits, holds no slot)"}


@dataclass(frozen=True, slots=True)
class Row:
    """What is shown of one task: its mapped instances rolled up; `seconds` is the longest run."""

    task_id: str
    state: str
    done: int
    total: int
    seconds: float | None

    @property
    def text(self) -> str:
        word = _WORDS.get(self.state, self.state)
        return f"{word}, {self.done} of {self.total} shards" if self.total > 1 else word


def over(tasks: Sequence[Task]) -> bool:
    """Whether there are tasks and every one has come to its end."""
    return bool(tasks) and all(task.state in _DONE for task in tasks)


def roll_up(order: Sequence[str], tasks: Iterable[Task]) -> list[Row]:
    """One row for each task id, in the order of the Dag."""
    by_id: dict[str, list[Task]] = {task_id: [] for task_id in order}
    for task in tasks:
        by_id.setdefault(task.task_id, []).append(task)
    return [_row(task_id, found) for task_id, found in by_id.items()]


def _row(task_id: str, tasks: Sequence[Task]) -> Row:
    states = Counter(t.state for t in tasks)
    state = next((s for s in _LOUDEST if states[s]), "")
    if not state:
        state = "success" if states["success"] else next(iter(states), "waiting")
    times = [t.seconds for t in tasks if t.seconds is not None]
    done = sum(states[s] for s in _DONE)
    return Row(task_id, state, done, len(tasks), max(times, default=None))


class Progress:
    """Feed it the task instances now and then; it shows what has changed.

    `order` is the order of the tasks, `began` the monotonic time from which seconds are counted.
    """

    def __init__(self, console: Console, order: Sequence[str], began: float) -> None:
        self._console = console
        self._order = order
        self._shown: dict[str, str] = {}
        self._began = began
        self._live = (
            Live(console=console, auto_refresh=False, transient=False)
            if console.is_terminal
            else None
        )

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.stop()

    def show(self, tasks: Iterable[Task]) -> None:
        rows = roll_up(self._order, tasks)
        if self._live:
            self._live.update(_table(rows), refresh=True)
        else:
            self._print(rows)

    def _print(self, rows: Sequence[Row]) -> None:
        elapsed = time.monotonic() - self._began
        for row in rows:
            if row.state == "waiting" or self._shown.get(row.task_id) == row.text:
                continue
            self._shown[row.task_id] = row.text
            took = f" in {row.seconds:.1f} s" if row.seconds and row.done == row.total else ""
            self._console.print(
                f"{elapsed:5.1f} s  {row.task_id:<18} {row.text}{took}",
                highlight=False,
                soft_wrap=True,
            )


def _table(rows: Sequence[Row]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("task")
    table.add_column("state", min_width=32)
    table.add_column("seconds", justify="right")
    for row in rows:
        seconds = "" if row.seconds is None else f"{row.seconds:.1f}"
        colour = _COLOURS.get(row.state, "")
        table.add_row(row.task_id, f"[{colour}]{row.text}[/]" if colour else row.text, seconds)
    return table
