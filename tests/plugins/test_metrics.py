"""The metrics of a run, as they leave over StatsD and OpenTelemetry, and the dashboard on them."""

from __future__ import annotations

import atexit
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from clawback.ledger.runs import get_run
from clawback.steps.measure import measures
from lab import NOW, Lab, action, back

ROOT = Path(__file__).resolve().parents[2]
DASHBOARD = json.loads((ROOT / "docs" / "grafana.json").read_text(encoding="utf-8"))
Maker = Callable[..., Lab]
Sent = dict[str, tuple[float, dict[str, str]]]


@pytest.fixture
def database() -> str:
    return "sqlite"


@pytest.fixture
def lab(lab_of: Maker) -> Lab:
    """A lab in which a run has recovered 2.00, lost 2.00 and held a line."""
    sold = [action("O-1"), action("O-3"), action("O-2", LockingDate="2026-11-19T00:00:00Z")]
    made = lab_of(sold)
    made.rows = [back("O-1", at=NOW - timedelta(hours=5)), back("O-2"), back("O-3", "Z")]
    made.run()
    return made


def send(lab: Lab) -> None:
    from impact_provider.books import measure

    rt = lab.runtime(lab.last_run)
    with lab.ledger.read() as conn:
        books = get_run(conn, lab.last_run).books
    assert books is not None
    measure(rt, books)


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Switches Airflow's metrics on as a task process does, and off again afterwards."""
    from airflow.sdk._shared.observability.metrics import stats as backend
    from airflow.sdk._shared.observability.metrics.base_stats_logger import NoStatsLogger
    from airflow.sdk._shared.observability.metrics.otel_logger import flush_otel_metrics
    from airflow.sdk.observability import stats
    from airflow.sdk.observability.metrics.stats_utils import get_stats_factory

    def on(**options: str) -> None:
        for name, value in options.items():
            monkeypatch.setenv(f"AIRFLOW__METRICS__{name.upper()}", value)
        stats.initialize(factory=get_stats_factory(), export_legacy_names=False)

    yield on
    client = getattr(backend._get_backend(), "statsd", None)
    if client is not None:
        client.close()
    atexit.unregister(flush_otel_metrics)
    stats.initialize(factory=NoStatsLogger, export_legacy_names=False)


def test_a_run_is_measured_by_what_it_came_to(lab: Lab) -> None:
    """Outcomes, changes, requests, what is left of the hour, the way to the proof, and money.

    The dashboard draws each of them and no other.
    """
    with lab.ledger.read() as conn:
        books = get_run(conn, lab.last_run).books
    assert books is not None
    found = {m.name: m for m in measures(lab.runtime(lab.last_run), books)}
    values = {name.removeprefix("clawback."): m.value for name, m in found.items()}
    assert values["lines.confirmed"] == values["lines.locked"] == values["lines.held"] == 1
    assert values["changes.confirmed"] == 1
    assert values["requests"] == books["requests"]["total"] > 0
    assert 0 < values["budget_left"] < 800
    assert values["commission_recovered"] == values["commission_lost_to_locking"] == 2.0
    assert 5 * 3600 < values["seconds_to_confirmation.longest"] < 6 * 3600
    assert found["clawback.commission_recovered"].tags == {"program": "lab", "currency": "USD"}
    assert found["clawback.requests"].tags == {"program": "lab"}
    assert drawn() == {prometheus(f"airflow.{name}") for name in found}, "mend docs/grafana.json"


def test_the_dashboard_explains_its_panels() -> None:
    """Every panel has a place of its own, and says what it shows."""
    places = [tuple(panel["gridPos"].values()) for panel in DASHBOARD["panels"]]
    assert len(set(places)) == len(places)
    assert all(panel["description"] for panel in DASHBOARD["panels"])


def heard(listener: socket.socket) -> Sent:
    """What has come in at a StatsD listener, by name: the value and the tags."""
    found: Sent = {}
    while True:
        try:
            text = listener.recv(4096).decode()
        except TimeoutError:
            return found
        head, value = re.fullmatch(r"([^:]+):([^|]+)\|g", text).groups()  # type: ignore[union-attr]
        name, *tags = head.split(",")
        found[name] = (float(value), dict(tag.split("=") for tag in tags))


def test_statsd_hears_every_measure(lab: Lab, metrics: Callable[..., None]) -> None:
    """A StatsD listener gets each gauge once, with the program as a tag."""
    pytest.importorskip("statsd", reason="Airflow speaks StatsD with this package alone")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(0.5)
        port = str(listener.getsockname()[1])
        metrics(
            statsd_on="True",
            statsd_host="127.0.0.1",
            statsd_port=port,
            statsd_influxdb_enabled="True",
        )
        send(lab)
        found = heard(listener)
    value, tags = found["airflow.clawback.commission_recovered"]
    assert (value, tags["program"], tags["currency"]) == (2.0, "lab", "USD")
    assert drawn() <= {prometheus(name) for name in found}


class Collector(HTTPServer):
    """An OpenTelemetry collector that keeps the bodies it is sent."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        super().__init__(("127.0.0.1", 0), _Keep)


class _Keep(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Collector)
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""


def test_opentelemetry_hears_every_measure(
    lab: Lab, metrics: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A collector gets the same gauges, with the program as an attribute."""
    from opentelemetry import metrics as otel
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
        ExportMetricsServiceRequest,
    )

    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
        metrics(otel_on="True")
        send(lab)
        otel.get_meter_provider().shutdown()  # type: ignore[attr-defined]  # the SDK's has it
        server.shutdown()
        thread.join()
    found = {}
    for body in server.bodies:
        for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            for scope in resource.scope_metrics:
                found |= {metric.name: metric.gauge.data_points for metric in scope.metrics}
    [point] = found["airflow.clawback.commission_recovered"]
    assert point.as_double == 2.0
    assert "lab" in {a.value.string_value for a in point.attributes}
    assert drawn() <= {prometheus(name) for name in found}


def prometheus(name: str) -> str:
    """What a Prometheus exporter makes of a metric's name."""
    return re.sub(r"[^a-zA-Z0-9_:]", "_", name)


def drawn() -> set[str]:
    """The metrics that the dashboard asks for."""
    texts = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    texts += [str(entry["query"]) for entry in DASHBOARD["templating"]["list"]]
    return {name for text in texts for name in re.findall(r"airflow_clawback_\w+", text)}
