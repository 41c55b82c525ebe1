"""Prepares Airflow's home before the first test imports Airflow, and starts a small sandbox."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clawback.sandbox.server import SandboxServer
from clawback.sandbox.settings import Settings

runpy.run_path(str(Path(__file__).parents[1] / "airflow_home.py"))["prepare"]()

CONN_ID = "impact_test"
Connect = Callable[..., str]


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(Settings(port=0, orders=60, queue_latency=0.3)) as server:
        yield server


@pytest.fixture
def connect(sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Makes an Airflow connection to the sandbox; keywords change or (None) drop its fields."""

    def make(**changes: Any) -> str:
        fields: dict[str, Any] = {
            "conn_type": "impact",
            "host": sandbox.base_url,
            "login": sandbox.account_sid,
            "password": sandbox.auth_token,
            "extra": {"campaign_id": sandbox.campaign_id},
        } | changes
        value = json.dumps({name: found for name, found in fields.items() if found is not None})
        monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", value)
        return CONN_ID

    return make


def pytest_configure(config: pytest.Config) -> None:
    """Let Airflow's own use of what others have deprecated pass; ours stays an error."""
    for noise in (
        "ignore:GitWildMatchPattern:DeprecationWarning",
        "ignore:Using `httpx` with `starlette.testclient`",
    ):
        config.addinivalue_line("filterwarnings", noise)
