"""Planning large runs: several processes, the same plan, and no process left behind."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest
from sqlalchemy import select

from clawback.clock import Clock
from clawback.ledger.store import Ledger
from clawback.ledger.tables import actions, change_lines, changes, events, run_lines
from clawback.reconcile.facts import Learned
from clawback.steps import plan as plan_step
from clawback.steps.crew import CrewError, crew
from clawback.steps.plan import plan
from clawback.steps.preflight import preflight
from clawback.steps.runtime import RunKind, RunRequest, Runtime
from clawback.steps.sheet import Brief

ORDERS = 200
Make = Callable[[], str]


def _bench() -> ModuleType:
    path = Path(__file__).parents[1] / "benchmarks" / "plan_million.py"
    spec = importlib.util.spec_from_file_location("plan_million", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


bench = _bench()


def runtime(ledger: Ledger, run_id: str = "run", *, dry: bool = False) -> Runtime:
    rt = Runtime(ledger, bench.PROGRAM, Clock.at(bench.NOW), run_id)
    preflight(rt, RunRequest(RunKind.MANUAL, dry_run=dry), bench.ACCOUNT)
    return rt


def filled(ledger: Ledger, n: int = ORDERS) -> Runtime:
    """A ledger as extract and sync leave it."""
    rt = runtime(ledger)
    with ledger.begin() as conn:
        bench.build(conn, rt, n)
    return rt


def brief_of(rt: Runtime) -> Brief:
    return Brief(rt.run(), rt.program, Learned(), bench.NOW, (), bench.NOW)


def contents(ledger: Ledger) -> dict[str, list[Any]]:
    """All that a plan writes, but when."""
    left_out = {"created_at", "at"}
    found = {}
    with ledger.read() as conn:
        for table in (changes, change_lines, run_lines, events, actions):
            columns = [c for c in table.columns if c.name not in left_out]
            found[table.name] = sorted(map(repr, conn.execute(select(*columns))))
    return found


@pytest.fixture
def few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_step, "_BATCH", 17)
    monkeypatch.setattr(plan_step, "_TOGETHER", 2)


@pytest.mark.usefixtures("few_at_a_time")
def test_the_plan_does_not_depend_on_the_number_of_processes(new_url: Make) -> None:
    """One process and three write the same changes, lines, events and counts."""
    told, written = [], []
    for workers in (0, 3):
        with Ledger.open(new_url()) as ledger:
            rt = filled(ledger)
            told.append(plan(rt, workers=workers))
            written.append(contents(ledger))
    assert told[0] == told[1]
    assert written[0] == written[1]
    assert told[0]["changes"] == 170
    assert told[0]["outcomes"] == {"planned": 180, "locked": 10, "not_attributed": 10}


@pytest.mark.usefixtures("few_at_a_time")
def test_planning_twice_gives_the_same(ledger: Ledger) -> None:
    """A second attempt of a run plans the same changes again, whoever plans them."""
    rt = filled(ledger)
    first = plan(rt, workers=0)
    before = contents(ledger)
    again = plan(rt, workers=2)
    after = contents(ledger)
    assert again == first
    assert {k: v for k, v in after.items() if k != "events"} == {
        k: v for k, v in before.items() if k != "events"
    }


@pytest.mark.usefixtures("few_at_a_time")
def test_another_run_takes_over_what_was_not_sent(ledger: Ledger) -> None:
    """What one run has planned and not sent belongs to the next one that plans it; once each."""
    first = filled(ledger)
    told = plan(first, workers=0)
    second = runtime(ledger, "run-2")
    with ledger.begin() as conn:
        bench.runs.set_run(conn, "run-2", read_no=1)
    assert plan(second, workers=2)["changes"] == told["changes"]
    with ledger.read() as conn:
        rows = conn.execute(select(changes.c.run_id, changes.c.state).distinct()).all()
        covered = conn.execute(select(change_lines.c.line_id)).all()
    assert [tuple(row) for row in rows] == [("run-2", "planned")]
    assert len(covered) == len(set(covered)) == 180


@pytest.mark.usefixtures("few_at_a_time")
def test_what_is_sent_stays_and_its_lines_wait(ledger: Ledger) -> None:
    """An action with a change that another run has sent meanwhile gets no second one."""
    first = filled(ledger)
    plan(first, workers=0)
    with ledger.begin() as conn:
        sent = conn.scalars(select(changes.c.id).order_by(changes.c.id).limit(5)).all()
        conn.execute(changes.update().where(changes.c.id.in_(sent)).values(state="queued"))
    second = runtime(ledger, "run-2")
    with ledger.begin() as conn:
        bench.runs.set_run(conn, "run-2", read_no=1)
    told = plan(second, workers=2)
    assert told["changes"] == 165
    with ledger.read() as conn:
        waiting = select(run_lines.c.change_id).where(
            run_lines.c.run_id == "run-2", run_lines.c.outcome == "pending"
        )
        assert set(conn.scalars(waiting)) == set(sent)


@pytest.mark.usefixtures("few_at_a_time")
def test_a_dry_run_of_several_processes_shows_and_changes_nothing(ledger: Ledger) -> None:
    """A dry run's changes are its own, and no action counts as seen."""
    filled(ledger)
    rt = runtime(ledger, "dry", dry=True)
    with ledger.begin() as conn:
        bench.runs.set_run(conn, "dry", read_no=1)
    told = plan(rt, workers=2)
    assert (told["changes"], told["shards"]) == (170, [])
    with ledger.read() as conn:
        states = conn.execute(select(changes.c.state, changes.c.id)).all()
        assert {state for state, _ in states} == {"dry"}
        assert all(change_id.startswith("dry-") for _, change_id in states)
        assert not set(conn.scalars(select(actions.c.planned_generation))) - {None}


def test_a_process_that_dies_says_why(ledger: Ledger) -> None:
    """What goes wrong in a process of the crew comes out in the one that waits for it."""
    brief = replace(brief_of(filled(ledger, 20)), program=None)
    with pytest.raises(CrewError, match="AttributeError"), crew(ledger, brief, 1) as hands:
        list(hands.sheets([(["O000000001"], False)]))
    assert not psutil.Process().children(recursive=True)


def test_an_interruption_leaves_no_process(ledger: Ledger) -> None:
    """Whoever leaves early, by Ctrl-C or an error, leaves no process behind."""
    rt = filled(ledger, 20)
    with pytest.raises(KeyboardInterrupt), crew(ledger, brief_of(rt), 2) as hands:
        _interrupt(hands.sheets([(["O000000001"], False)] * 5))
    assert not psutil.Process().children(recursive=True)


def _interrupt(sheets: Any) -> None:
    next(sheets)
    raise KeyboardInterrupt


PARENT = """
import sys
from clawback.ledger.store import Ledger
sys.path.insert(0, sys.argv[2])
import test_plan_crew as t
with Ledger.open(sys.argv[1]) as ledger, t.crew(ledger, t.brief_of(t.runtime(ledger)), 2) as hands:
    next(hands.sheets([(["O000000001"], False)] * 3))
    import psutil
    print(*[one.pid for one in psutil.Process().children()], flush=True)
    sys.stdin.read()
"""


def test_the_crew_ends_with_its_parent(ledger: Ledger, ledger_url: str) -> None:
    """Processes whose parent is killed end by themselves."""
    filled(ledger, 20)
    here = str(Path(__file__).parent)
    with subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", PARENT, ledger_url, here],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        os.kill(parent.pid, signal.SIGKILL)
    assert len(pids) == 2
    deadline = time.monotonic() + 60
    while any(map(_alive, pids)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
