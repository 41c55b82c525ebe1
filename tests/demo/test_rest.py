"""The demo's view of Airflow's REST interface, against a server that answers like it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from clawback.demo.rest import Rest

UP = datetime(2026, 11, 23, 6, tzinfo=UTC)
"""When the world of this time came up."""


class Runs(HTTPServer):
    """The open runs of one Dag, and what they are changed to."""

    def __init__(self, runs: dict[str, datetime | None]) -> None:
        self.runs = runs
        self.asked: list[str] = []
        self.changed: dict[str, str] = {}
        super().__init__(("127.0.0.1", 0), _Answer)


class _Answer(BaseHTTPRequestHandler):
    server: Runs

    def do_GET(self) -> None:
        self.server.asked.append(urlsplit(self.path).query)
        told = [
            {"dag_run_id": name, "queued_at": at and at.isoformat()}
            for name, at in self.server.runs.items()
        ]
        self._answer({"dag_runs": told})

    def do_PATCH(self) -> None:
        name = unquote(urlsplit(self.path).path.rpartition("/")[2])
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.changed[name] = body["state"]
        self._answer({})

    def _answer(self, body: dict[str, Any]) -> None:
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def airflow() -> Iterator[Runs]:
    """Runs that an earlier world left, and the scheduler's own of this one."""
    runs = {
        "left yesterday": UP - timedelta(hours=20),
        "left just before": UP - timedelta(seconds=1),
        "never queued": None,
        "today's own": UP + timedelta(seconds=30),
        "queued as it came up": UP,
    }
    with Runs(runs) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_only_runs_of_an_earlier_world_are_abandoned(airflow: Runs) -> None:
    """The scheduler's own run of today goes on when the demo world comes up."""
    rest = Rest(f"http://127.0.0.1:{airflow.server_port}", "pw")
    try:
        rest.abandon_open_runs("d", before=UP)
    finally:
        rest.close()
    abandoned = {"left yesterday", "left just before", "never queued"}
    assert airflow.changed == dict.fromkeys(abandoned, "failed")
    assert airflow.asked == ["state=running&state=queued"], "ended runs are left alone"
