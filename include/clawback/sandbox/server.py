"""Runs a sandbox as a real HTTP server: for the command line, in a thread, or as a process."""

from __future__ import annotations

import asyncio
import gc
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import IO, Any, Self, cast

import orjson
import uvicorn

from clawback.errors import ClawbackError
from clawback.sandbox.app import build
from clawback.sandbox.core import Sandbox
from clawback.sandbox.http import AbortingProtocol
from clawback.sandbox.settings import Settings

_GRACE = 0.5
"""Seconds that open requests get when the server stops."""
_START = 120.0
"""Seconds a server may take to load its world."""


class _Server(uvicorn.Server):
    """uvicorn that tells when it is ready, stops at once, and takes a signal for a plain end."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        if self.started:
            self._ready()

    async def main_loop(self) -> None:
        if not self.should_exit:
            await self._ending.wait()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002  # uvicorn's
        self.end()

    def end(self) -> None:
        """Stop serving; may be called from any thread and from a signal handler."""
        self.should_exit = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._ending.set)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close every connection; what is still being answered gets half a second."""
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if self.server_state.tasks:
            _, late = await asyncio.wait(self.server_state.tasks, timeout=_GRACE)
            for task in late:
                task.cancel()


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise ClawbackError(
            f"sandbox: cannot listen on {settings.host}:{settings.port} ({error.strerror}); "
            "give another --port, or 0 for a free one"
        ) from error
    return listener


def _server(sandbox: Sandbox, ready: Callable[[], None]) -> _Server:
    config = uvicorn.Config(
        build(sandbox),
        http=AbortingProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=60,
    )
    return _Server(config, ready)


def facts_of(sandbox: Sandbox, listener: socket.socket) -> dict[str, str]:
    """What a client must know to use a sandbox."""
    settings = sandbox.settings
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return {
        "base_url": f"http://{host}:{listener.getsockname()[1]}",
        "account_sid": settings.account_sid,
        "auth_token": settings.auth_token.get_secret_value(),
        "campaign_id": sandbox.campaign_id,
        "agency_sid": settings.agency_sid,
    }


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; prints one JSON line when ready.

    Raises ClawbackError if the world, the state folder or the port cannot be had.
    """
    listener = _listen(settings)
    try:
        sandbox = Sandbox(settings)
        gc.collect()
        gc.freeze()  # the world stays: no later collection need walk over a million actions

        def announce() -> None:
            sys.stdout.write(orjson.dumps(facts_of(sandbox, listener)).decode() + "\n")
            sys.stdout.flush()

        try:
            _server(sandbox, announce).run(sockets=[listener])
        finally:
            sandbox.close()
    finally:
        listener.close()


class SandboxServer:
    """A sandbox in a thread of this process: `with SandboxServer(settings) as server: ...`.

    The attributes `base_url`, `account_sid`, `auth_token`, `campaign_id` and `agency_sid` are
    there once it has started; `sandbox` is the thing itself, to be read when nothing is asked.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.base_url = self.account_sid = self.auth_token = ""
        self.campaign_id = self.agency_sid = ""

    def start(self) -> Self:
        """Serve; back when the first request can come. Raises ClawbackError like `serve`."""
        self._listener = _listen(self._settings)
        ready = threading.Event()
        try:
            self.sandbox = Sandbox(self._settings)
        except BaseException:
            self._listener.close()
            raise
        self._server = _server(self.sandbox, ready.set)
        self._thread = threading.Thread(target=self._run, name="sandbox", daemon=True)
        self._thread.start()
        if not ready.wait(_START):
            raise ClawbackError("sandbox: the server did not start")
        self._take(facts_of(self.sandbox, self._listener))
        return self

    def _run(self) -> None:
        self._server.run(sockets=[self._listener])

    def stop(self) -> None:
        self._server.end()
        self._thread.join()
        self._listener.close()
        self.sandbox.close()

    def _take(self, facts: dict[str, Any]) -> None:
        for name, value in facts.items():
            setattr(self, name, value)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class SandboxProcess:
    """`clawback sandbox` as a process of its own; `options` are those of the command line."""

    def __init__(self, *options: str) -> None:
        self._options = options
        self.facts: dict[str, str] = {}

    def start(self) -> Self:
        """Start it and wait for its line. Raises ClawbackError with what it said instead."""
        program = "from clawback.sandbox.command import main; main()"
        self.process = subprocess.Popen(  # noqa: S603  # our own program, no shell
            [sys.executable, "-c", program, *self._options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        line = cast("IO[str]", self.process.stdout).readline()
        if not line:
            said = self.process.communicate()[1].strip()
            raise ClawbackError(f"sandbox: did not start: {said}")
        self.facts = orjson.loads(line)
        return self

    def stop(self) -> int:
        """End it with SIGTERM; gives its exit status."""
        self.process.terminate()
        return self._wait()

    def kill(self) -> int:
        """End it with SIGKILL, as a crash would."""
        self.process.kill()
        return self._wait()

    def _wait(self) -> int:
        self.process.communicate()
        return self.process.returncode

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop()
