"""The messages that close_books cannot send itself: a run that broke off, and one that is late."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any

import pytest

from clawback.program import Program
from clawback.steps.preflight import preflight
from clawback.steps.runtime import RunKind, RunRequest
from impact_provider.deadline import deadline_of
from impact_provider.links import LINKS
from impact_provider.notifier import RunNotifier
from impact_provider.operators import SubmitOperator
from lab import Lab, action

Maker = Callable[..., Lab]
RUN_ID = "scheduled__2026-11-20"
SECRET = "/services/T0/s3cret"


class Webhook(HTTPServer):
    """Keeps what is posted to it, and answers with `status`."""

    def __init__(self) -> None:
        self.status = 200
        self.got: list[dict[str, Any]] = []
        super().__init__(("127.0.0.1", 0), _Hear)


class _Hear(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        self.server.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def database() -> str:
    return "sqlite"


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    """A webhook behind the Airflow connections `hook` and `hook_two`."""
    with Webhook() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        host = f"http://127.0.0.1:{server.server_port}{SECRET}"
        value = json.dumps({"conn_type": "http", "host": host})
        monkeypatch.setenv("AIRFLOW_CONN_HOOK", value)
        monkeypatch.setenv("AIRFLOW_CONN_HOOK_TWO", value)
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def lab(lab_of: Maker, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A lab whose program alerts through `hook`, seen by Airflow's processes as well."""
    made = lab_of([action("O-1")])
    made.choices["alerts"] = {"connection": "hook", "style": "json", "deadline_hours": 2}
    url = made.ledger.engine.url.render_as_string(hide_password=False)
    monkeypatch.setenv("CLAWBACK_LEDGER_URL", url)
    monkeypatch.setenv("CLAWBACK_PROGRAMS", str(made.home / "programs"))
    (made.home / "programs").mkdir()
    write(made, "lab", "hook")
    return made


def write(lab: Lab, name: str, connection: str) -> None:
    alerts = {"connection": connection, "style": "json", "deadline_hours": 2}
    text = json.dumps({"name": name, "campaign_id": "1000", "currency": "USD", "alerts": alerts})
    (lab.home / "programs" / f"{name}.yaml").write_text(text)


def opened(lab: Lab) -> None:
    """Let the ledger know the run."""
    rt = lab.runtime(f"d/{RUN_ID}")
    preflight(rt, RunRequest(RunKind.SCHEDULED), lab.account.account_sid)


def late() -> None:
    """What the triggerer does when the deadline is missed."""
    run = {"dag_id": "d", "dag_run_id": RUN_ID}

    async def told() -> None:
        await RunNotifier("lab.yaml", context={"dag_run": run, "deadline": {}})  # type: ignore[typeddict-item]

    asyncio.run(told())


def failed(name: str = "lab.yaml", **params: str) -> None:
    """What the Dag processor does when the run has failed."""
    run = SimpleNamespace(dag_id="d", run_id=RUN_ID)
    last = SimpleNamespace(task_id="close_books")
    context = {"dag_run": run, "run_id": RUN_ID, "task_instance": last, "params": params}
    RunNotifier(name)(context)


def alerts(webhook: Webhook) -> list[list[str]]:
    return [[alert["name"] for alert in body["alerts"]] for body in webhook.got]


def test_a_late_run_is_told_once(lab: Lab, webhook: Webhook) -> None:
    """The deadline's callback posts what is known of the run; a second one has no news."""
    opened(lab)
    late()
    late()
    assert alerts(webhook) == [["deadline_missed"]]
    assert webhook.got[0]["alerts"][0]["said"] == "still open 2 hours after it was queued"


def test_a_failure_is_told_once_and_with_its_task(lab: Lab, webhook: Webhook) -> None:
    """The failure callback is quiet where a message about the failure is out already."""
    opened(lab)
    failed()
    failed()
    assert alerts(webhook) == [["run_failed"]]
    assert webhook.got[0]["failed_tasks"] == ["close_books"]


def test_what_could_not_be_delivered_is_tried_by_the_next(
    lab: Lab, webhook: Webhook, capfd: pytest.CaptureFixture[str]
) -> None:
    """Only a message that arrived counts as told; its address is in no log."""
    opened(lab)
    webhook.status = 500
    failed()
    webhook.status = 200
    failed()
    assert alerts(webhook) == [["run_failed"]] * 2
    said = "".join(capfd.readouterr())
    assert "through the connection 'hook'" in said
    assert "s3cret" not in said


@pytest.mark.parametrize("away", ["", "sqlite:////nowhere/at/all.db"])
def test_a_run_is_told_even_if_the_ledger_does_not_know_it(
    lab: Lab, webhook: Webhook, monkeypatch: pytest.MonkeyPatch, away: str
) -> None:
    """Broken off before it was opened, or the ledger away: the failure itself is told.

    Once, where the ledger can keep that it was.
    """
    assert lab
    if away:
        monkeypatch.setenv("CLAWBACK_LEDGER_URL", away)
    failed()
    late()
    failed()
    again = [["run_failed"]] if away else []
    assert alerts(webhook) == [["run_failed"], ["deadline_missed"], *again]


def test_without_a_connection_nobody_is_told(lab: Lab, webhook: Webhook) -> None:
    """A program that names no connection sends nothing, late or failed."""
    opened(lab)
    write(lab, "lab", "")
    late()
    failed()
    assert webhook.got == []


def test_a_dag_for_several_programs_tells_each_connection_once(lab: Lab, webhook: Webhook) -> None:
    """The audit's failure goes to every webhook once; a backfill's to its program's."""
    write(lab, "other", "hook")
    write(lab, "quiet", "")
    write(lab, "third", "hook_two")
    (lab.home / "programs" / "broken.yaml").write_text("name: [")
    failed("", program="quiet")
    assert webhook.got == []
    failed("")
    assert [body["program"] for body in webhook.got] == ["lab", "third"]
    failed("", program="third")
    assert len(webhook.got) == 2
    failed("", programs=["quiet", "broken"])
    assert len(webhook.got) == 2, "a doctor's run over these is no news for the others"


SHOP: dict[str, Any] = {"name": "shop", "campaign_id": "1", "currency": "EUR"}


def test_a_deadline_is_airflows_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts from the queue, by the program's hours; null asks for none."""
    found = deadline_of("shop.yaml", Program.model_validate(SHOP))
    assert found is not None
    assert found.interval == timedelta(hours=6)
    assert found.callback.serialize() == {
        "path": "impact_provider.notifier.RunNotifier",
        "kwargs": {"program": "shop.yaml"},
    }
    none = Program.model_validate(SHOP | {"alerts": {"deadline_hours": None}})
    assert deadline_of("shop.yaml", none) is None
    monkeypatch.setattr(sys, "argv", ["airflow", "dags", "test", "d"])
    assert deadline_of("shop.yaml", Program.model_validate(SHOP)) is None


@pytest.mark.parametrize(
    ("shard", "name"),
    [
        ({"shard": 3, "name": "shard 3 · 250 changes · $4,120"}, "shard 3 · 250 changes · $4,120"),
        ({"shard": 3, "name": ""}, "shard 3"),
        (3, "shard 3"),
    ],
)
def test_a_shard_bears_its_name_before_it_runs(shard: Any, name: str) -> None:
    """The grid names it from the start; one that an earlier version has planned, by its number."""
    task = SubmitOperator(task_id="submit_changes", program="demo.yaml", shard=shard)
    assert (task.shard, task.summary) == (3, name)


def test_links_lead_to_the_run_and_to_impact() -> None:
    """Plan and books stand in the Returns page; an action's page is the program's to know."""
    task = SubmitOperator(task_id="submit_changes", program="demo.yaml", shard=0)
    ti = SimpleNamespace(dag_id="d", run_id="manual__1+00:00")
    task.action_url = "https://x.test/1000.1"
    found = {link.name: link.get_link(task, ti_key=ti) for link in LINKS}
    page = "/returns/dag/d/manual__1%2B00%3A00"
    assert found["Run in the Returns page"].endswith(page)
    assert found["Plan of the run"].endswith(f"{page}#plan")
    assert found["Action at impact.com"] == "https://x.test/1000.1"
