"""A crew of processes that plan orders while this one writes: `python -m clawback.steps.crew FD`.

Each is a plain child process with nothing but a socket to its parent, so that it may be started
from an Airflow task as well as from the command line. It reads the ledger for itself and gives back
rows; only the parent writes. It ends when the parent closes the socket or dies.
"""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing import Pipe
from multiprocessing.connection import Connection as Socket
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryFile
from typing import IO, Any

from clawback.errors import ClawbackError
from clawback.ledger.store import Ledger
from clawback.steps.columns import Sheet
from clawback.steps.sheet import Brief, Planner

MOST = 4
"""Processes in a crew; more would wait for the one that writes."""
_HOME = Path(__file__).parents[2]
_TAIL = 2000
_SELDOM = 500_000


class CrewError(ClawbackError):
    """A process of the crew ended before its work was done."""


class _Hand:
    """One process of the crew, as its parent sees it."""

    def __init__(self, url: str, brief: Brief, errors: IO[bytes]) -> None:
        self._errors = errors
        self._socket, theirs = Pipe()
        path = os.pathsep.join([str(_HOME), *filter(None, [os.environ.get("PYTHONPATH")])])
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-P", "-m", "clawback.steps.crew", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stderr=errors,
                env={**os.environ, "PYTHONPATH": path},
            )
        self._first: tuple[str, Brief] | None = (url, brief)

    def ask(self, keys: Sequence[str], *, many: bool) -> Sheet:
        """The sheet of some orders. Raises CrewError if the process ends instead."""
        try:
            if self._first is not None:
                self._socket.send(self._first)
                self._first = None
            self._socket.send((keys, many))
            sheet: Sheet = self._socket.recv()
        except (EOFError, OSError):
            raise CrewError(self._last_words()) from None
        return sheet

    def _last_words(self) -> str:
        code = self._process.wait()
        self._errors.seek(0)
        said = self._errors.read()[-_TAIL:].decode(errors="replace").strip()
        return f"a planning process ended with code {code}: {said or 'it said nothing'}"

    def dismiss(self) -> None:
        """End the process, whatever it is at."""
        self._process.kill()
        self._process.wait()
        self._socket.close()


class Crew:
    """Processes that plan orders, each some thousand at a time."""

    def __init__(self, hands: Sequence[_Hand], pool: ThreadPoolExecutor) -> None:
        self._pool, self._ahead = pool, len(hands) + 1
        self._idle: SimpleQueue[_Hand] = SimpleQueue()
        for hand in hands:
            self._idle.put(hand)

    def sheets(self, work: Iterable[tuple[Sequence[str], bool]]) -> Iterator[Sheet]:
        """The sheets of batches of order keys, in their order; a few are made ahead.

        Each batch says whether the run has many changes (see `Planner.sheet`).
        """
        asked: deque[Future[Sheet]] = deque()
        for keys, many in work:
            asked.append(self._pool.submit(self._ask, keys, many))
            if len(asked) > self._ahead:
                yield asked.popleft().result()
        while asked:
            yield asked.popleft().result()

    def _ask(self, keys: Sequence[str], many: bool) -> Sheet:
        hand = self._idle.get()
        try:
            return hand.ask(keys, many=many)
        finally:
            self._idle.put(hand)


@contextmanager
def crew(ledger: Ledger, brief: Brief, size: int) -> Iterator[Crew]:
    """A crew for one run; none of its processes outlives this."""
    url = ledger.engine.url.render_as_string(hide_password=False)
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(size, "crew"))
        hands = []
        for _ in range(size):
            errors = stack.enter_context(TemporaryFile())
            hands.append(_Hand(url, brief, errors))
            stack.callback(hands[-1].dismiss)
        stack.callback(pool.shutdown, wait=False, cancel_futures=True)
        yield Crew(hands, pool)


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


def main() -> None:
    """Plan what the parent asks for until it hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    gc.set_threshold(_SELDOM)  # rows hold no circles, and to look for them is dear
    with Socket(int(sys.argv[1])) as socket:
        url, brief = socket.recv()
        planner = Planner(brief)
        with Ledger.open(url, upgrade=False) as ledger:
            _serve(socket, ledger, planner)


def _serve(socket: Any, ledger: Ledger, planner: Planner) -> None:
    while True:
        try:
            keys, many = socket.recv()
        except (EOFError, ConnectionResetError):
            return
        with ledger.read() as conn:
            sheet = planner.sheet(conn, keys, many=many)
        try:
            socket.send(sheet)
        except BrokenPipeError:
            return


if __name__ == "__main__":
    main()
