"""Public clients, unchanged but for the host, read a world of 50,000 actions, each row once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ACTIONS = 50_000
CHANGES = 2_500
HOST = "https://api.impact.com"
READS = ["list_actions", "list_action_updates", "list_submissions"]
STREAMS = {
    "actions": "id",
    "action_updates": "id",
    "api_submissions": "batch_id",
    "campaigns": "id",
    "company_information": "company_name",
}


def run(command: list[Any], **environ: str) -> subprocess.CompletedProcess[str]:
    """A client's own process; what it says on stderr comes with a failure."""
    env = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    done = subprocess.run(  # noqa: S603  # the client's own program, no shell
        command, env={**env, **environ}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done


@pytest.fixture(name="tap")
def _tap(environment_of: Any, world: Any, tmp_path: Path) -> Iterator[Any]:
    """singer-io's tap-impact with another host in the place of impact.com's."""
    python = environment_of("tap-impact")
    [installed] = python.parents[1].glob("lib/python*/site-packages/tap_impact")
    shutil.copytree(installed, tmp_path / "tap_impact")
    named = 0
    for path in (tmp_path / "tap_impact").rglob("*.py"):
        text = path.read_text("utf-8")
        named += text.count(HOST)
        path.write_text(text.replace(HOST, world.server.base_url), "utf-8")
    assert named == 2  # all that is changed
    config = {
        "account_sid": world.server.account_sid,
        "auth_token": world.server.auth_token,
        "api_catalog": "Advertisers",
        "start_date": f"{world.start:%Y-%m-%dT%H:%M:%SZ}",
        "user_agent": "tests",
    }
    (tmp_path / "config.json").write_text(json.dumps(config), "utf-8")
    program = [python, "-c", "from tap_impact import main; main()"]
    program += ["--config", tmp_path / "config.json"]

    def call(*options: Any) -> str:
        return run([*program, *options], PYTHONPATH=str(tmp_path)).stdout

    return call


def selected(catalog: dict[str, Any]) -> dict[str, Any]:
    """The streams that we have, and of their fields only those that the tap cannot do without.

    The tap spends most of its time on turning fields into its types.
    """
    catalog["streams"] = [one for one in catalog["streams"] if one["stream"] in STREAMS]
    for stream in catalog["streams"]:
        for entry in stream["metadata"]:
            entry["metadata"]["selected"] = not entry["breadcrumb"]
    return catalog


def test_tap_impact(tap: Any, world: Any, tmp_path: Path) -> None:
    """tap-impact (Singer) discovers and reads actions, updates, submissions, programs, company."""
    before = Counter(world.server.sandbox.counts)
    catalog = selected(json.loads(tap("--discover")))
    (tmp_path / "catalog.json").write_text(json.dumps(catalog), "utf-8")
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for line in tap("--catalog", tmp_path / "catalog.json").splitlines():
        message = json.loads(line)
        if message["type"] == "RECORD":
            stream = message["stream"]
            seen[stream][message["record"][STREAMS[stream]]] += 1
    assert {name: (rows.total(), len(rows)) for name, rows in seen.items()} == {
        "actions": (ACTIONS, ACTIONS),
        "action_updates": (ACTIONS + CHANGES, ACTIONS + CHANGES),
        "api_submissions": (CHANGES, CHANGES),
        "campaigns": (1, 1),
        "company_information": (1, 1),
    }
    asked = Counter(world.server.sandbox.counts) - before
    # Three windows of 45 days at most, two of which take two pages of 20,000 rows.
    assert [asked[kind] for kind in READS] == [5, 5, 1]


def test_every_field_fits_the_tap(tap: Any, world: Any, tmp_path: Path) -> None:
    """With every field selected, the newest days' rows pass tap-impact's own schemas."""
    catalog = json.loads(tap("--discover"))
    catalog["streams"] = [one for one in catalog["streams"] if one["stream"] in STREAMS]
    for stream in catalog["streams"]:
        for entry in stream["metadata"]:
            entry["metadata"]["selected"] = True
    (tmp_path / "catalog.json").write_text(json.dumps(catalog), "utf-8")
    config = json.loads((tmp_path / "config.json").read_text("utf-8"))
    config["start_date"] = f"{world.start + timedelta(days=96):%Y-%m-%dT%H:%M:%SZ}"
    (tmp_path / "config.json").write_text(json.dumps(config), "utf-8")
    first: dict[str, dict[str, Any]] = {}
    for line in tap("--catalog", tmp_path / "catalog.json").splitlines():
        message = json.loads(line)
        if message["type"] == "RECORD":
            first.setdefault(message["stream"], message["record"])
    assert first.keys() == STREAMS.keys()
    assert (first["actions"]["amount"], first["actions"]["campaign_id"]) == (40.0, 1000)
    assert first["campaigns"]["gateway_tracking_settings"]["deep_linking"] is False
    assert first["company_information"]["timezone"].startswith("(GMT -08:00)")


def test_dlt(environment_of: Any, world: Any, tmp_path: Path) -> None:
    """dlt's generic REST source reads all three by Page and @numpages, in small pages."""
    server = world.server
    before = Counter(server.sandbox.counts)
    script = Path(__file__).parent / "read_with_dlt.py"
    where = [server.base_url, server.account_sid, server.auth_token]
    end = world.start + timedelta(days=101)
    program = [environment_of("dlt"), script, *where, world.start.isoformat(), end.isoformat()]
    home = {"HOME": str(tmp_path), "DLT_DATA_DIR": str(tmp_path)}
    done = run(program, RUNTIME__DLTHUB_TELEMETRY="false", **home)
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "actions": [ACTIONS, ACTIONS],
        "updates": [ACTIONS + CHANGES, ACTIONS + CHANGES],
        "submissions": [CHANGES, CHANGES],
    }
    asked = Counter(server.sandbox.counts) - before
    assert [asked[kind] for kind in READS] == [11, 12, 3]
