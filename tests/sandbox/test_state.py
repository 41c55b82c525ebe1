"""The sandbox as a command: its line, its end, and what survives a restart or a kill."""

from __future__ import annotations

import json
import signal
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
import typer
from typer.testing import CliRunner

from clawback.clock import parse_time
from clawback.errors import ClawbackError
from clawback.sandbox.command import sandbox
from clawback.sandbox.core import Sandbox
from clawback.sandbox.profile import Profile
from clawback.sandbox.server import SandboxProcess, SandboxServer
from clawback.sandbox.settings import Settings

NOW = "2026-11-20T12:00:00Z"


class Client:
    """Asks one sandbox, in whatever process it is."""

    def __init__(self, facts: dict[str, str]) -> None:
        self.root = f"/Advertisers/{facts['account_sid']}"
        self.http = httpx.Client(
            base_url=facts["base_url"],
            auth=(facts["account_sid"], facts["auth_token"]),
            headers={"Accept": "application/json"},
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def action(self) -> dict[str, str]:
        shown: dict[str, str] = self.http.get(f"{self.root}/Actions/1000.4636.1").json()
        return shown

    def lower(self, quantity: str) -> str:
        form = {"ActionId": "1000.4636.1", "Sku": "A", "Quantity": quantity}
        form["Reason"] = "ORDER_UPDATE"
        uri: str = self.http.put(f"{self.root}/Actions", data=form).json()["QueuedUri"]
        return uri

    def advance(self, seconds: float) -> str:
        answer = self.http.post("/_sandbox/clock", json={"advance": seconds})
        return str(answer.json()["now"])

    def true_state(self) -> Any:
        state = self.http.get("/_sandbox/state").json()
        updates = self.http.get(
            f"{self.root}/ActionUpdates",
            params={"CampaignId": 1000, "ActionDateStart": "2026-11-01T00:00:00Z"},
        ).json()
        return state, updates, self.http.get(f"{self.root}/APISubmissions").json()


@pytest.fixture(name="world")
def _world(tmp_path: Path, world_at: Any, make_action: Any) -> Path:
    path: Path = world_at(tmp_path / "w.jsonl", [make_action(1), make_action(2)])
    return path


@pytest.fixture(name="options")
def _options(tmp_path: Path, world: Path) -> list[str]:
    plain = ["--port", "0", "--now", NOW, "--speed", "0", "--queue-latency", "5"]
    return [*plain, "--world", str(world), "--state", str(tmp_path / "state")]


@pytest.fixture(name="settings")
def _settings(tmp_path: Path, world: Path) -> Settings:
    """The same options for a sandbox in this process."""
    return Settings(
        port=0,
        now=parse_time(NOW),
        speed=0,
        queue_latency=5,
        world=world,
        state=tmp_path / "state",
    )


@contextmanager
def here(settings: Settings) -> Iterator[Client]:
    with SandboxServer(settings) as server, Client(vars(server)) as client:
        yield client


def test_one_line_when_ready_and_kill(options: list[str]) -> None:
    """One JSON line tells when it is ready; after kill -9 the same command goes on from there."""
    with SandboxProcess(*options) as process, Client(process.facts) as client:
        facts = process.facts
        assert facts["base_url"].startswith("http://127.0.0.1:")
        assert (len(facts["account_sid"]), facts["account_sid"][:2]) == (34, "IR")
        assert facts["campaign_id"] == "1000"
        assert client.action()["Amount"] == "100.00"
        client.lower("1")
        client.advance(60)
        waiting = client.lower("0")
        before = client.true_state()
        process.kill()
    with SandboxProcess(*options) as process, Client(process.facts) as client:
        assert client.true_state() == before
        assert client.http.get(waiting).json()["Status"] == "Queued"


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_clean_end_within_a_second(options: list[str], end: signal.Signals) -> None:
    """SIGTERM and SIGINT end it with status 0 within a second, a waiting request or not."""
    process = SandboxProcess(*options).start()
    with Client(process.facts) as client:
        client.http.post("/_sandbox/faults", json=[{"fault": "latency", "seconds": 60}])
        with pytest.raises(httpx.ReadTimeout):
            client.http.get(f"{client.root}/Campaigns", timeout=0.2)
        start = time.monotonic()
        process.process.send_signal(end)
        process.process.communicate()
    assert process.process.returncode == 0
    assert time.monotonic() - start < 2  # a second of its own, and one for a busy machine


def test_survives_a_restart(settings: Settings) -> None:
    """After a restart the same world goes on: changes, acts, queue, clock and ids."""
    with here(settings) as client:
        client.lower("1")
        client.advance(60)
        act = {"act": "contract", "factor": "2", "action_id": "1000.4636.1"}
        client.http.post("/_sandbox/act", json=act).raise_for_status()
        waiting = client.lower("0")
        before = client.true_state()
    with here(settings) as client:
        assert client.true_state() == before
        assert client.http.get(waiting).json()["Status"] == "Queued"
        client.advance(5)
        assert client.http.get(waiting).json()["Status"] == "Complete"
        assert client.action()["Amount"] == "60.00"


def test_a_line_cut_short_is_dropped(settings: Settings, tmp_path: Path) -> None:
    """A journal whose last line a kill cut in two is read up to there, and goes on."""
    with here(settings) as client:
        client.lower("1")
    with (tmp_path / "state" / "journal.jsonl").open("a") as journal:
        journal.write('{"at": 17')
    for amount in ("80.00", "60.00"):
        with here(settings) as client:
            client.advance(5)
            assert client.action()["Amount"] == amount
            client.lower("0")


def test_what_was_refused_is_not_kept(settings: Settings, tmp_path: Path, make_action: Any) -> None:
    """An act that was refused leaves nothing behind, and the same command starts again."""
    acts: list[tuple[dict[str, Any], int]] = [
        ({"act": "add", "action": {"Id": "x", "Items": []}}, 400),
        ({"act": "add", "action": make_action(1)}, 400),
        ({"act": "add", "action": make_action(8, EventDate="soon")}, 400),
        ({"act": "add", "action": make_action(9, _updates=[{}])}, 400),
        ({"act": "add"}, 400),
        ({"act": "lock", "action_id": "none"}, 404),
    ]
    journal = tmp_path / "state" / "journal.jsonl"
    with here(settings) as client:
        before, kept = client.true_state(), journal.read_bytes()
        for act, status in acts:
            assert client.http.post("/_sandbox/act", json=act).status_code == status
        assert client.true_state() == before
        assert journal.read_bytes() == kept
    with here(settings) as client:
        assert client.true_state() == before


def test_a_refusal_that_was_kept_is_passed_over(settings: Settings, tmp_path: Path) -> None:
    """A journal that holds acts that were refused is performed without them."""
    with here(settings) as client:
        client.lower("1")
    broken = {"act": "add", "action": {"Id": "x", "Items": []}}
    unknown = {"act": "lock", "action_id": "none"}
    with (tmp_path / "state" / "journal.jsonl").open("a") as journal:
        for act in (broken, unknown):
            event = {"at": parse_time(NOW).timestamp(), "do": "act", "act": act}
            journal.write(json.dumps(event) + "\n")
    with here(settings) as client:
        client.advance(5)
        assert client.action()["Amount"] == "80.00"


@pytest.mark.parametrize(
    "change",
    [{"queue_latency": 9.0}, {"seed": 8}, {"profile": Profile(scalars="numbers")}],
)
def test_another_world_is_refused(settings: Settings, change: dict[str, Any]) -> None:
    """A state folder is not opened with options that would make another world of it."""
    Sandbox(settings).close()
    with pytest.raises(ClawbackError, match=f"another {next(iter(change))}"):
        Sandbox(settings.model_copy(update=change))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--world", "/no/such/file"], "cannot be read"),
        (["--profile", "nothing"], "no such profile"),
        (["--faults", "/no/such/file"], "cannot be read"),
        (["--rate-limit", "lots"], "write it like 1000/3600"),
        (["--now", "teatime"], "is not a time"),
        (["--port", "70000"], "port"),
        (["--queue-latency", "-1"], "queue_latency"),
    ],
)
def test_one_sentence_when_it_cannot_start(options: list[str], text: str) -> None:
    """A wrong option ends in a sentence on stderr and status 2, without a traceback."""
    app = typer.Typer()
    app.command()(sandbox)
    done = CliRunner().invoke(app, ["--port", "0", *options])
    assert done.exit_code == 2
    assert text in done.stderr
    assert done.stderr.startswith("clawback sandbox: ")
    assert done.stdout == ""


def test_a_taken_port_is_named(settings: Settings) -> None:
    """A port that is in use is named, with the way out."""
    with SandboxServer(settings) as server:
        port = int(server.base_url.rsplit(":", 1)[-1])
        with pytest.raises(ClawbackError, match=r"give another --port"):
            SandboxServer(settings.model_copy(update={"port": port, "state": None})).start()


def test_a_broken_world_names_its_line(tmp_path: Path, make_action: Any) -> None:
    """A line of a world that is no action is named by its number."""
    world = tmp_path / "w.jsonl"
    world.write_text(json.dumps(make_action(1)) + '\n{"Id": "x"}\n', "utf-8")
    with pytest.raises(ClawbackError, match="line 2: action x: CampaignId, EventDate, Items: miss"):
        Sandbox(Settings(port=0, world=world))


def test_a_wrong_time_names_its_action(tmp_path: Path, make_action: Any, world_at: Any) -> None:
    """A value that is none is named with the action that holds it."""
    world = world_at(tmp_path / "w.jsonl", [make_action(1, LockingDate="soon")])
    with pytest.raises(ClawbackError, match=r"action 1000\.4636\.1"):
        Sandbox(Settings(port=0, world=world))
