"""A real HTTP server that replays a script, and both clients behind one face."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from clawback.impact.account import Account
from clawback.impact.budget import OPEN_GATE, Gate
from clawback.impact.client import AsyncImpactClient, ImpactClient
from clawback.impact.retry import NO_WAITS, RetryPolicy

SID = "IRexampleAccountSid000000000000001"
TOKEN = "s3cret/Token+of=the~account"


@dataclass
class Step:
    """One answer: `drop` closes without one, `cut` promises more bytes than it sends."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    cut: bool = False
    hang: float = 0.0

    def content(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        if isinstance(self.body, str):
            return self.body.encode()
        return b"" if self.body is None else json.dumps(self.body).encode()


@dataclass
class Seen:
    """One request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return {k: v[0] for k, v in parse_qs(urlsplit(self.target).query).items()}

    @property
    def form(self) -> dict[str, str]:
        return {k: v[0] for k, v in parse_qs(self.body.decode(), strict_parsing=True).items()}


class Script:
    """Answers requests in the order of `steps`; the last step is repeated."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.seen: list[Seen] = []
        self.stop = threading.Event()
        self.base_url = ""

    def then(self, body: Any = None, **how: Any) -> Script:
        """Add a step: see `Step`."""
        self.steps.append(Step(body=body, **how))
        return self

    def next(self) -> Step:
        return self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]


def _handler(script: Script) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            headers = {name.lower(): value for name, value in self.headers.items()}
            script.seen.append(Seen(self.command, self.path, headers, body))
            step = script.next()
            if step.hang:
                script.stop.wait(step.hang)
            if step.drop:
                self.close_connection = True
                return
            content = step.content()
            self.send_response_only(step.status)
            for name, value in step.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content) + (100 if step.cut else 0)))
            self.end_headers()
            self.wfile.write(content)
            if step.cut:
                self.close_connection = True

        do_GET = do_PUT = do_DELETE = do_POST = answer  # noqa: N815 - the base class's names

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    return Handler


@pytest.fixture
def script() -> Iterator[Script]:
    script = Script()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(script))
    server.daemon_threads = True
    script.base_url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield script
    script.stop.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def account(script: Script) -> Account:
    return Account(base_url=script.base_url, account_sid=SID, auth_token=TOKEN, campaign_id="1000")


class AsyncFace:
    """AsyncImpactClient, driven from plain tests on a loop of its own."""

    def __init__(self, make: Callable[[], AsyncImpactClient]) -> None:
        self._runner = asyncio.Runner()

        async def build() -> AsyncImpactClient:
            return make()

        self._client = self._runner.run(build())

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            result = method(*args, **kwargs)
            if hasattr(result, "__aiter__"):
                return self._iterate(result)
            return self._runner.run(result)

        return call

    def _iterate(self, pages: AsyncIterator[Any]) -> Iterator[Any]:
        while True:
            try:
                yield self._runner.run(anext(pages))
            except StopAsyncIteration:
                return

    def close(self) -> None:
        self._runner.run(self._client.aclose())
        self._runner.close()


Connect = Callable[..., Any]


@pytest.fixture(params=["sync", "async"])
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    """Makes a client of either kind for an account."""
    opened: list[Any] = []

    def make(
        account: Account, *, gate: Gate = OPEN_GATE, retry: RetryPolicy = NO_WAITS, **more: Any
    ) -> Any:
        if request.param == "sync":
            client: Any = ImpactClient(account, gate=gate, retry=retry, **more)
        else:
            client = AsyncFace(lambda: AsyncImpactClient(account, gate=gate, retry=retry, **more))
        opened.append(client)
        return client

    yield make
    for client in opened:
        client.close()


@pytest.fixture
def client(account: Account) -> Iterator[ImpactClient]:
    with ImpactClient(account, retry=NO_WAITS) as client:
        yield client
