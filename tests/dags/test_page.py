"""The Returns page in Airflow: who may see it, where it stands, and what it says in trouble."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clawback.ledger import runs as stock
from clawback.ledger.store import Ledger

ROOT = Path(__file__).resolve().parents[2]
RUN = "returns_reconciliation/manual__2026-11-20T12:00:00+00:00"
PAGES = {
    "/": "",
    "/program": "name=demo",
    "/run": f"id={RUN.replace('+', '%2B')}",
    "/plan.csv": f"id={RUN.replace('+', '%2B')}",
    f"/dag/{RUN}": "",
    "/held": "program=demo",
    "/order": "program=demo&id=A-1",
}


@pytest.fixture
def ledger_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ledger with one run of the program demo, named by the environment."""
    from datetime import UTC, datetime

    path = tmp_path / "ledger.db"
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    nothing: dict[str, Any] = dict.fromkeys(("read_no", "closed_at", "deadline", "books"))
    run = stock.Run(RUN, "demo", "IR1", "manual", False, now, now, (), opened_at=now, **nothing)
    with Ledger.open(f"sqlite:///{path}") as ledger, ledger.begin() as conn:
        stock.open_run(conn, run, "1000")
    monkeypatch.setenv("CLAWBACK_LEDGER_URL", f"sqlite:///{path}")
    return path


@pytest.fixture
def site(airflow_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:  # noqa: ARG001 - it must stand
    """Asks for an address of Airflow with the page mounted; `role` logs in, none does not."""
    from airflow.api_fastapi import app as airflow
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from fastapi import FastAPI
    from starlette.testclient import TestClient

    from impact_provider.page import ReturnsPlugin

    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS", "False")
    manager = airflow.create_auth_manager()
    root = FastAPI()
    [mounted] = ReturnsPlugin.fastapi_apps
    root.mount(mounted["url_prefix"], mounted["app"])
    with TestClient(root, follow_redirects=False) as client:

        def ask(path: str, role: str = "", **headers: str) -> Any:
            if role:
                user = SimpleAuthManagerUser(username="kim", role=role)
                headers["Authorization"] = f"Bearer {manager.generate_jwt(user)}"
            return client.get(path, headers=headers)

        yield ask


@pytest.mark.usefixtures("ledger_file")
def test_nobody_sees_anything_without_a_login(site: Callable[..., Any]) -> None:
    """Every address of the page answers 401 to a stranger and 403 to a forged token."""
    from impact_provider.page_app import build

    known = {route.path.replace("{dag_id}/{run_id:path}", RUN) for route in build().routes}
    assert known == set(PAGES), "an address that is not asked for here may stand open"
    for path, query in PAGES.items():
        stranger = site(f"/returns{path}?{query}")
        assert stranger.status_code == 401, path
        assert "demo" not in stranger.text.replace("demo%26", "").partition("<h1>")[0]
        assert "/api/v2/auth/login?next=" in stranger.text
        forged = site(f"/returns{path}?{query}", Authorization="Bearer not.a.token")
        assert forged.status_code == 403, path


@pytest.mark.usefixtures("ledger_file")
def test_a_viewer_sees_the_runs(site: Callable[..., Any]) -> None:
    """Whoever may see the program's Dag sees its runs, and only style of the page's own."""
    first = site("/returns/", "viewer")
    assert first.status_code == 200
    assert RUN.replace("+", "&#43;") in first.text or RUN in first.text
    for path in ("/run", "/plan.csv", "/program", "/held", f"/dag/{RUN}"):
        assert site(f"/returns{path}?{PAGES[path]}", "viewer").status_code == 200, path
    policy = first.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert first.headers["Cache-Control"] == "no-store"
    assert not re.search(r"<script|<link|<img|style=", first.text)


@pytest.mark.usefixtures("ledger_file")
def test_a_program_is_not_shown_to_who_may_not_see_its_dag(
    site: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow's own rights decide, Dag by Dag; what one may not see is as if it were not there."""
    from airflow.api_fastapi.app import get_auth_manager

    asked = []

    def refuse(**what: Any) -> bool:
        asked.append((what["method"], what["details"].id))
        return False

    monkeypatch.setattr(get_auth_manager(), "is_authorized_dag", refuse)
    assert "No program has run yet" in site("/returns/", "viewer").text
    for path in ("/run", "/plan.csv", "/program", "/held", "/order", f"/dag/{RUN}"):
        found = site(f"/returns{path}?{PAGES[path]}", "viewer")
        assert found.status_code == 404, path
        assert "IR1" not in found.text
    assert set(asked) == {("GET", "returns_reconciliation")}


def test_a_ledger_out_of_reach_is_one_sentence(
    site: Callable[..., Any], ledger_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 and a sentence with the mend; once the ledger is back, the page is as well."""
    monkeypatch.setenv("CLAWBACK_LEDGER_URL", f"sqlite:///{ledger_file}.elsewhere")
    away = site("/returns/", "viewer")
    assert away.status_code == 503
    assert "there is no ledger at" in away.text
    assert "Traceback" not in away.text
    monkeypatch.setenv("CLAWBACK_LEDGER_URL", f"sqlite:///{ledger_file}")
    assert site("/returns/", "viewer").status_code == 200
    ledger_file.write_bytes(b"no database any more" * 1000)
    broken = site("/returns/", "viewer")
    assert broken.status_code == 503
    assert "Its database did not answer" in broken.text


@pytest.mark.usefixtures("ledger_file")
def test_what_is_not_there_is_told(site: Callable[..., Any]) -> None:
    """A foreign Dag's tab, an unknown run and a malformed address each get a sentence."""
    foreign = site("/returns/dag/somebody_elses/manual__1", "viewer")
    assert (foreign.status_code, "is not a run of Clawback" in foreign.text) == (404, True)
    assert site("/returns/run?id=none", "viewer").status_code == 404
    assert site("/returns/no/such/page", "viewer").status_code == 404
    assert site("/returns/run", "viewer").status_code == 400
    assert site("/returns/program?name=demo&page=0", "viewer").status_code == 400


@pytest.mark.usefixtures("ledger_file")
def test_in_a_frame_of_airflow_there_is_no_way_out(site: Callable[..., Any]) -> None:
    """Airflow's frames block links that leave them, so none is offered there."""
    path = f"/returns/dag/{RUN}"
    assert 'href="/dags/' in site(path, "viewer").text
    framed = site(path, "viewer", **{"Sec-Fetch-Dest": "iframe"})
    assert 'href="/dags/' not in framed.text


LIGHT = """
import sys, time
import airflow.plugins_manager, airflow.configuration
before = set(sys.modules)
began = time.process_time()
import impact_provider.page
spent = time.process_time() - began
new = sorted(set(sys.modules) - before)
print(spent, *new)
"""


def test_the_plugin_costs_other_processes_nothing() -> None:
    """Every process of Airflow loads it: it brings in nothing, and opens nothing."""
    done = subprocess.run(  # noqa: S603 - our own interpreter and text
        [sys.executable, "-c", LIGHT], env=os.environ, capture_output=True, text=True, check=True
    )
    spent, *new = done.stdout.splitlines()[-1].split()
    assert float(spent) < 0.5
    assert set(new) <= {"impact_provider", "impact_provider.page"}


def test_airflow_finds_the_page() -> None:
    """The installed project names the plugin, and its place in the menu and its tab are told."""
    from importlib.metadata import entry_points

    found = {one.name: one.value for one in entry_points(group="airflow.plugins")}
    assert found.get("clawback_returns") == "impact_provider.page:ReturnsPlugin"
    page = importlib.import_module("impact_provider.page")
    nav, tab = page.ReturnsPlugin.external_views
    assert (nav["destination"], nav["href"]) == ("nav", "/returns/")
    assert (tab["destination"], tab["href"]) == ("dag_run", "/returns/dag/{DAG_ID}/{RUN_ID}")
    assert page.under("https://flows.example.com/airflow/") == "/airflow/returns"
