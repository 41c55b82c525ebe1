"""Whatever the demo starts it also stops, and secrets do not reach its logs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from clawback.demo.processes import Fleet, ProcessDiedError, marked, redactor, sweep

FOREVER = "import time; time.sleep(600)"
OWNER = """
import sys
from pathlib import Path
from clawback.demo.processes import Fleet, adopt_orphans
adopt_orphans()
fleet = Fleet(Path(sys.argv[1]))
child = fleet.start("stubborn", [sys.executable, "-c", sys.argv[2]], {})
while len(child.tail) < 3:
    fleet.pause(0.05)
print(*child.tail, flush=True)
if len(sys.argv) > 3:
    import os
    os._exit(1)
fleet.stop(grace=0.3)
"""
"""A process that owns a fleet with a stubborn member; with a third argument it dies at once."""


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path, secrets=("s3cret-token", "s3cret"))
    yield fleet
    fleet.stop(grace=1)


@pytest.fixture(autouse=True)
def swept(tmp_path: Path) -> Iterator[None]:
    """Whatever a failing test leaves behind ends with it."""
    yield
    sweep(str(tmp_path.resolve()))


def owner(tmp_path: Path, stubborn: str, *more: str) -> list[int]:
    """Run an owner of a fleet to its end; the ids of the processes that it started."""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", OWNER, str(tmp_path), stubborn, *more],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    pids = [int(word) for word in done.stdout.split()]
    assert len(pids) == 3, done.stderr
    return pids


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_processes_that_shrug_off_sigterm_are_stopped(tmp_path: Path, stubborn: str) -> None:
    """A process in a group of its own and an orphan, both deaf to SIGTERM, are gone after stop."""
    pids = owner(tmp_path, stubborn)
    assert [pid for pid in pids if alive(pid)] == []


def test_leftovers_of_a_killed_demo_are_swept(tmp_path: Path, stubborn: str) -> None:
    """What a killed demo left behind is found by its mark and ended by the next one."""
    pids = owner(tmp_path, stubborn, "die")
    mark = str(tmp_path.resolve())
    assert sorted(p.pid for p in marked(mark)) == sorted(pids)
    assert sweep(mark) == 3
    assert marked(mark) == []


def test_processes_of_others_are_left_alone(tmp_path: Path, fleet: Fleet) -> None:
    """Stopping one demo does not touch a process of the caller or of another world."""
    with subprocess.Popen([sys.executable, "-c", FOREVER]) as other:  # noqa: S603 - our own program
        other_fleet = Fleet(tmp_path / "other")
        other_fleet.start("mine", [sys.executable, "-c", FOREVER], {})
        fleet.start("early", [sys.executable, "-c", FOREVER], {})
        late = Fleet(tmp_path / "late")
        late.stop(grace=1)
        assert other.poll() is None
        assert fleet.children[0].popen.poll() is None
        other_fleet.stop(grace=1)
        other.kill()


def test_a_dead_process_is_noticed_at_once_with_its_last_lines(fleet: Fleet) -> None:
    """A daemon's end interrupts the wait within a second and is told with what it said last."""
    fleet.start(
        "brief",
        [sys.executable, "-c", "import time; print('bad news'); time.sleep(0.5); exit(3)"],
        {},
    )
    began = time.monotonic()
    with pytest.raises(ProcessDiedError, match=r"(?s)brief ended with status 3.*bad news"):
        fleet.pause(30)
    assert time.monotonic() - began < 2


def test_a_command_that_fails_is_told(fleet: Fleet) -> None:
    """A command that is to end by itself and fails raises with its output."""
    child = fleet.start("migrate", [sys.executable, "-c", "exit('no disk')"], {}, daemon=False)
    with pytest.raises(ProcessDiedError, match=r"(?s)migrate ended with status 1.*no disk"):
        fleet.finish(child)


def test_logs_hold_no_secrets_and_are_private(fleet: Fleet) -> None:
    """A secret that a process prints is *** in its log, which only its owner may read."""
    child = fleet.start(
        "leaky", [sys.executable, "-c", "print('pw s3cret-token end')"], {}, daemon=False
    )
    fleet.finish(child)
    assert child.log.read_text() == "pw *** end\n"
    assert child.head == "pw *** end"
    assert child.log.stat().st_mode & 0o777 == 0o600


def test_the_longer_of_two_secrets_goes_first() -> None:
    """A secret that begins with another one leaves no rest behind, and none changes nothing."""
    assert redactor(["abc", "abcdef", ""])("x abcdef abc") == "x *** ***"
    assert redactor([])("abc") == "abc"


def test_the_environment_is_the_given_one(fleet: Fleet) -> None:
    """A process gets the given variables and the mark, not the caller's own."""
    code = "import os; print(sorted(k for k in os.environ if k != 'LC_CTYPE'))"
    child = fleet.start("env", [sys.executable, "-c", code], {"GIVEN": "1"}, daemon=False)
    fleet.finish(child)
    assert "HOME" in os.environ
    assert child.head == "['CLAWBACK_DEMO_WORLD', 'GIVEN', 'PYTHONUNBUFFERED', 'SPT_NOENV']"
