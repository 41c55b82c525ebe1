"""A lab whose sandbox lives in this process: the same application, without sockets and threads."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Coroutine, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self, TypeVar, cast

import httpx
import pytest

from clawback.ledger.store import Ledger
from clawback.sandbox import control
from clawback.sandbox.app import build
from clawback.sandbox.core import Logged, Sandbox
from clawback.sandbox.http import ABORT
from clawback.sandbox.server import SandboxServer
from clawback.steps.runtime import RunKind
from lab import NOW, Lab, LabClock, back, settings_of

T = TypeVar("T")


class Inside(httpx.BaseTransport):
    """Hands a request to an ASGI application; a reset becomes the error that a client would see.

    A sandbox that does not misbehave never waits, and then needs no event loop.
    """

    def __init__(self, app: Any, sandbox: Sandbox) -> None:
        self._app, self._sandbox, self._loop = app, sandbox, asyncio.new_event_loop()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        body, sent, aborted = request.read(), list[dict[str, Any]](), list[bool]()
        asked = False

        async def receive() -> dict[str, Any]:
            nonlocal asked
            if asked:
                await asyncio.Event().wait()
            asked = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        scope = self._scope(request, aborted)
        serving = self._app(scope, receive, send)
        if self._sandbox.plan.rules or request.url.path.startswith("/_sandbox"):
            self._loop.run_until_complete(serving)
        else:
            at_once(serving)
        if aborted or not sent:
            raise httpx.RemoteProtocolError("the server hung up", request=request)
        content = b"".join(message.get("body", b"") for message in sent[1:])
        return httpx.Response(sent[0]["status"], headers=sent[0]["headers"], content=content)

    @staticmethod
    def _scope(request: httpx.Request, aborted: list[bool]) -> dict[str, Any]:
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": "http",
            "path": request.url.path,
            "raw_path": request.url.raw_path.partition(b"?")[0],
            "query_string": request.url.query,
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            "extensions": {ABORT: {"abort": lambda: aborted.append(True)}},
        }

    def close(self) -> None:
        """Nothing: many clients, one after the other, share this."""

    def end(self) -> None:
        """Let go of the loop and of what is still pending in it."""
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """What a coroutine comes to that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return cast("T", end.value)
    raise AssertionError(f"{coroutine} waits")


class InsideLab(Lab):
    """A lab without servers: sandbox and warehouse are in memory."""

    inside: Inside
    sandbox: Sandbox

    @classmethod
    @contextmanager
    def within(
        cls, home: Path, ledger: Ledger, patch: pytest.MonkeyPatch, settings: dict[str, Any]
    ) -> Iterator[Self]:
        """A lab with an empty world."""
        started = settings_of(home, [], settings)
        with closing(Sandbox(started)) as sandbox:
            inside = Inside(build(sandbox), sandbox)
            known = sandbox.settings
            server = SimpleNamespace(
                base_url="http://127.0.0.1",
                account_sid=known.account_sid,
                auth_token=known.auth_token.get_secret_value(),
                agency_sid=known.agency_sid,
            )
            auth = (server.account_sid, server.auth_token)
            http = httpx.Client(base_url=server.base_url, auth=auth, transport=inside)
            lab = cls(home, ledger, cast("SandboxServer", server), http, patch, LabClock(NOW))
            lab.inside, lab.sandbox = inside, sandbox
            try:
                yield lab
            finally:
                inside.end()

    def run(
        self,
        kind: RunKind = RunKind.MANUAL,
        *,
        client: dict[str, Any] | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        options = {"transport": self.inside} | (client or {})
        return super().run(kind, client=options, **more)

    def until(self, moment: datetime) -> None:
        if moment > self.clock.now():
            self.clock.set(moment)
            self.sandbox.set_clock(moment.timestamp(), None)

    def state(self) -> dict[str, dict[str, Any]]:
        found = json.loads(at_once(control.read_state(self.sandbox)).body)["actions"]
        return {one["Id"]: one for one in found}

    def requests(self, *kinds: str) -> list[dict[str, Any]]:
        return [vars_of(entry) for entry in self.sandbox.log if not kinds or entry.kind in kinds]

    def connect(self) -> Any:
        """The rows in an SQLite of this moment."""
        names = list(back("O-1"))
        database = sqlite3.connect(":memory:")
        database.execute(f"CREATE TABLE returns ({', '.join(names)})")
        places = ", ".join("?" for _ in names)
        database.executemany(
            f"INSERT INTO returns VALUES ({places})",  # noqa: S608 - only question marks are put in
            [[_plain(row[name]) for name in names] for row in self.rows],
        )
        return database


def vars_of(entry: Logged) -> dict[str, Any]:
    """An entry of the sandbox's log as its control API would tell it, but for the time."""
    return {name: getattr(entry, name) for name in _LOGGED}


_LOGGED = ("time", "user", "kind", "status", "body", "faults")


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return str(value) if isinstance(value, Decimal) else value
