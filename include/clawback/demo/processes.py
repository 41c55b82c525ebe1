"""Processes of the demo: started with redacted logs, watched, and all of them stopped again."""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil

from clawback.errors import ClawbackError

MARK = "CLAWBACK_DEMO_WORLD"
"""Environment variable that every process of a demo carries; its value is the world's directory."""
_PR_SET_CHILD_SUBREAPER = 36
_TAIL = 15
_PAUSE = threading.Event()


class ProcessDiedError(ClawbackError):
    """A process of the demo ended although it is still needed."""


def adopt_orphans() -> None:
    """Make this process the parent of orphaned descendants, so that none of them is out of sight.

    Linux only; elsewhere orphans are found by their mark alone.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


@dataclass(slots=True)
class Child:
    """A started process, its log file and the last lines of its output, secrets taken out."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path
    daemon: bool
    spoke: threading.Event = field(default_factory=threading.Event)
    """Set when its first line is there, or when none will come."""
    ended: threading.Event = field(default_factory=threading.Event)
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=_TAIL))
    head: str = ""
    reader: threading.Thread | None = None

    def wait(self) -> int:
        """The exit status, once the process has ended and its output has been read."""
        self.ended.wait()
        if self.reader:
            self.reader.join(timeout=1)
        return self.popen.returncode

    def story(self) -> str:
        """What it said last, for an error message."""
        lines = "\n".join(f"  {line}" for line in self.tail) or "  (it printed nothing)"
        return f"its last lines are\n{lines}\nand its whole log is {self.log}"


class Fleet:
    """The processes of one demo. Every output line goes to a log file without the secrets."""

    def __init__(self, world: Path, secrets: Iterable[str] = ()) -> None:
        self.logs = world / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.mark = str(world.resolve())
        self.children: list[Child] = []
        self._redact = redactor(secrets)
        self._died = threading.Event()
        self._before = {p.pid for p in psutil.Process().children(recursive=True)}

    def start(
        self,
        name: str,
        argv: Sequence[str],
        env: Mapping[str, str],
        *,
        daemon: bool = True,
        cwd: Path | None = None,
    ) -> Child:
        """Start a process in a session of its own; a daemon is expected to live until `stop`."""
        log = self.logs / f"{name}.log"
        popen = subprocess.Popen(  # noqa: S603 - the demo's own commands, no shell
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**env, MARK: self.mark, "SPT_NOENV": "1", "PYTHONUNBUFFERED": "1"},
            cwd=cwd,
            start_new_session=True,
        )
        child = Child(name, popen, log, daemon)
        self.children.append(child)
        child.reader = threading.Thread(target=self._read, args=(child,), daemon=True)
        child.reader.start()
        threading.Thread(target=self._watch, args=(child,), daemon=True).start()
        return child

    def finish(self, child: Child) -> None:
        """Wait for a process that is to end by itself. Raises ProcessDiedError if it fails."""
        status = child.wait()
        if status:
            raise ProcessDiedError(f"{child.name} ended with status {status}; {child.story()}")

    def pause(self, seconds: float) -> None:
        """Let `seconds` pass. Raises ProcessDiedError as soon as a daemon has ended."""
        self._died.wait(seconds)
        for child in self.children:
            if child.daemon and child.ended.is_set():
                raise ProcessDiedError(
                    f"{child.name} ended with status {child.wait()} although it is still needed; "
                    f"{child.story()}"
                )

    def stop(self, grace: float = 4.0) -> None:
        """Stop every process of this demo and wait until none is left.

        Each is asked first and killed after `grace` seconds: task processes of Airflow live in
        groups of their own and do not heed the asking.
        """
        self._died.set()
        for patience in (grace, 2.0, 2.0):
            left = self._alive()
            if not left:
                break
            _signal(left, kill=patience != grace)
            await_end(left, patience)
            _signal(self._alive(), kill=True)

    def _alive(self) -> list[psutil.Process]:
        """Descendants of this process since the fleet began, and whatever carries its mark."""
        family = [p for p in psutil.Process().children(recursive=True) if p.pid not in self._before]
        known = {p.pid for p in family}
        strays = [p for p in marked(self.mark) if p.pid not in known]
        return [p for p in family if not _ended(p)] + strays

    def _read(self, child: Child) -> None:
        stream = child.popen.stdout
        if stream is not None:
            with stream, _private(child.log) as log:
                for raw in stream:
                    self._keep(child, self._redact(raw.decode(errors="replace").rstrip()), log)
        child.spoke.set()

    def _keep(self, child: Child, line: str, log: IO[str]) -> None:
        log.write(line + "\n")
        log.flush()
        child.tail.append(line)
        if not child.spoke.is_set():
            child.head = line
            child.spoke.set()

    def _watch(self, child: Child) -> None:
        child.popen.wait()
        child.ended.set()
        if child.daemon:
            self._died.set()
            child.spoke.set()


def redactor(secrets: Iterable[str]) -> Callable[[str], str]:
    """A function that puts *** in the place of every secret in a text."""
    known = sorted({s for s in secrets if s}, key=len, reverse=True)
    if not known:
        return str
    pattern = re.compile("|".join(map(re.escape, known)))
    return lambda text: pattern.sub("***", text)


def marked(mark: str) -> list[psutil.Process]:
    """Every living process of this user, bar this one, that carries the mark of a demo's world."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.pid != os.getpid():
                found.append(process)
        except (psutil.Error, OSError):
            continue  # ended meanwhile, or another user's: not of this demo
    return [p for p in found if not _ended(p)]


def sweep(mark: str) -> int:
    """Kill what an earlier demo of the same world left behind; returns how many there were."""
    left = marked(mark)
    _signal(left, kill=True)
    await_end(left, 5.0)
    return len(left)


def await_end(processes: Sequence[psutil.Process], seconds: float) -> None:
    """Wait until all have ended, at most so many seconds, and bury those that are our children.

    psutil's own wait takes a zombie that only just became our child for alive.
    """
    deadline = time.monotonic() + seconds
    left = list(processes)
    while left and time.monotonic() < deadline:
        left = [p for p in left if not _ended(p)]
        _PAUSE.wait(0.05)
    for process in processes:
        with suppress(ChildProcessError):
            os.waitpid(process.pid, os.WNOHANG)


def _signal(processes: Sequence[psutil.Process], *, kill: bool) -> None:
    for process in reversed(processes):
        with suppress(psutil.Error):
            process.kill() if kill else process.terminate()


def _ended(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.Error:
        return True


def _private(path: Path) -> IO[str]:
    """A log file that only its owner can read."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w")
