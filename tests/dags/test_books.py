"""What close_books tells the world: an asset event, metrics, and one message if one is due."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from sqlalchemy import select

pytestmark = pytest.mark.airflow


def announced(dag_run: Any) -> list[tuple[str, dict[str, Any]]]:
    """The asset events of a run: the asset's name, and what it carries."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session

    with create_session() as session:
        rows = session.execute(
            select(AssetModel.name, AssetEvent.extra)
            .join(AssetModel, AssetModel.id == AssetEvent.asset_id)
            .where(AssetEvent.source_run_id == dag_run.run_id)
        ).all()
    return [(row[0], row[1]) for row in rows]


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A local HTTP server that keeps what is posted to it."""
    got: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_args: Any) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook-s3cret", got
        server.shutdown()
        thread.join()


def alerting(shop: Any, url: str) -> None:
    path = shop.home / "programs" / "demo.yaml"
    path.write_text(f"{path.read_text()}\nalerts: {{connection: hook}}\n")
    shop.connection("hook", {"conn_type": "http", "host": url})


def test_a_live_run_announces_its_books_and_a_dry_one_does_not(
    shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The asset event and the metrics carry the books' figures; a dry run sends neither."""
    from airflow.sdk.observability import stats

    gauges: dict[str, Any] = {}
    monkeypatch.setattr(stats, "gauge", lambda name, value, **_: gauges.update({name: value}))
    dry = shop.run(dry_run=True)
    assert announced(dry) == []
    assert not [name for name in gauges if name.startswith("clawback.")]
    live = shop.run()
    [(name, extra)] = announced(live)
    books = shop.books(live)
    assert name == "clawback_books_demo"
    assert extra["commission_recovered"] == books["commission_recovered"]
    assert extra["outcomes"]["confirmed"] == books["outcomes"]["confirmed"]["lines"] > 0
    assert gauges["clawback.lines.confirmed"] == extra["outcomes"]["confirmed"]
    assert gauges["clawback.commission_recovered"] == float(books["commission_recovered"])
    assert gauges["clawback.requests"] == books["requests"]["total"]


def test_a_failed_run_posts_one_message_and_announces_nothing(
    shop: Any, webhook: tuple[str, list[dict[str, Any]]]
) -> None:
    """However many tasks fail, one message says so, with the name of the task."""
    url, got = webhook
    alerting(shop, url)
    shop.impact(password="wrong-Z8k2")
    dag_run = shop.run()
    assert str(dag_run.state) == "failed"
    assert len(got) == 1
    assert "preflight" in json.dumps(got[0])
    assert announced(dag_run) == []


def test_without_a_connection_nothing_is_posted(
    shop: Any, webhook: tuple[str, list[dict[str, Any]]]
) -> None:
    """A program that names no connection sends no message, whatever happens."""
    url, got = webhook
    shop.connection("hook", {"conn_type": "http", "host": url})
    shop.impact(password="wrong-Z8k2")
    assert str(shop.run().state) == "failed"
    assert got == []


def test_a_webhook_out_of_reach_fails_no_run_and_keeps_its_address(
    shop: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    """The log names the connection, not the address, which is a webhook's secret."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    alerting(shop, f"http://127.0.0.1:{port}/hook-s3cret")
    shop.impact(password="wrong-Z8k2")
    dag_run = shop.run()
    failed = {ti.task_id for ti in dag_run.get_task_instances() if ti.state == "failed"}
    assert "close_books" in failed
    out = "".join(capfd.readouterr())
    assert "could not be posted through the connection 'hook'" in out
    assert "RunFailedError" in out
    assert "hook-s3cret" not in out


def test_a_run_that_never_opened_is_told_as_well(
    shop: Any, webhook: tuple[str, list[dict[str, Any]]]
) -> None:
    """Where the ledger knows nothing of a run, one message names the task that broke it off."""
    url, got = webhook
    alerting(shop, url)
    shop.connection("impact_demo", None)
    assert str(shop.run().state) == "failed"
    assert len(got) == 1
    assert "preflight" in json.dumps(got[0])
