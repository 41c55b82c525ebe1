"""The command line: each command works on a real sandbox, and says in a line what went wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from clawback.cli import app
from clawback.ledger.store import URL_ENV
from clawback.ledger.tables import decisions
from clawback.program import Program
from lab import CAMPAIGN, Lab, action, back

Maker = Callable[..., Lab]


@pytest.fixture
def shop(lab_of: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A lab with one returned order, reachable through the environment; its clock is real time."""
    lab = lab_of([action("O-1"), action("O-2")])
    lab.rows = [back("O-1"), back("O-2", "Z")]
    lab.connect().close()
    account = lab.account
    connections = {
        "impact": {"conn_type": "impact", "host": account.base_url, "login": account.account_sid},
        "wh": {"conn_type": "duckdb", "host": str(tmp_path / "warehouse.duckdb")},
    }
    connections["impact"]["password"] = account.auth_token
    for name, value in connections.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(value))
    monkeypatch.setenv(URL_ENV, str(lab.ledger.engine.url))
    monkeypatch.setenv("CLAWBACK_NOW", "2026-11-20T12:00:00Z")
    monkeypatch.setenv("CLAWBACK_PROGRAMS", str(tmp_path))
    settings: dict[str, Any] = {"name": "lab", "campaign_id": CAMPAIGN, "currency": "USD"}
    settings["connections"] = {"impact": "impact", "warehouse": "wh"}
    settings["confirm"] = {"poll_seconds": 0.2}
    (tmp_path / "lab.yaml").write_text(yaml.safe_dump(settings))
    return lab


def call(*words: str, typed: str = "") -> Result:
    return CliRunner().invoke(app, list(words), input=typed)


def test_doctor_prints_a_line_a_check(shop: Lab) -> None:
    """A sound set-up exits with 0; --json says the same to a machine; a broken one exits with 1."""
    done = call("doctor", "lab", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["healthy"] is True
    assert "ok   credentials" in call("doctor", "lab").stdout
    (shop.home / "lab.yaml").write_text("name: lab")
    broken = call("doctor", "lab")
    assert broken.exit_code == 1
    assert "campaign_id: is missing; add it; currency: is missing" in broken.stdout
    assert "→ add it" in broken.stdout


def test_decide_keeps_a_decision(shop: Lab) -> None:
    """The command stores the answer with the name; a wrong one exits with 1 and a sentence."""
    shop.run()
    words = ("decide", "O-2", "ignore", "--program", "lab", "--reason", "goodwill", "--by", "Ann")
    done = call(*words)
    assert done.exit_code == 0, done.output
    assert "order O-2: ignore kept" in done.stdout
    assert [row["decided_by"] for row in shop.table(decisions)] == ["Ann"]
    wrong = call("decide", "O-9", "retry", "--program", "lab", "--reason", "x")
    assert wrong.exit_code == 1
    assert wrong.stderr.startswith("error: program 'lab' has no return line of order 'O-9'")
    every = call("decide", "held:unknown_sku", *words[2:])
    assert "order O-2: ignore kept, instead of 1 before" in every.stdout
    none = call("decide", "held:contested", *words[2:])
    assert "no order that is held as contested" in none.stderr
    taken = call(*words[:2], "withdraw", *words[3:])
    assert "1 decisions withdrawn" in taken.stdout


def test_audit_prints_what_has_drifted(shop: Lab) -> None:
    """A change by someone else shows with its order."""
    shop.run()
    first = next(one["Id"] for one in shop.state().values() if one["Oid"] == "O-1")
    shop.act("modify", first, fields={"Sku": "B", "Quantity": "0", "Amount": "0"})
    done = call("audit", "lab", "--days", "30")
    assert done.exit_code == 0, done.output
    assert "changed_by_someone_else: 1" in done.stdout
    assert "O-1" in done.stdout
    assert json.loads(call("audit", "lab", "--json").stdout)["drifted"] == 1


def test_reset_asks_before_it_acts(shop: Lab) -> None:
    """Without a yes nothing is sent; an unknown target is an error."""
    shop.run()
    writes = len(shop.writes)
    asked = call("reset", "lab", "O-1", "--reason", "wrong rows", typed="n\n")
    assert asked.exit_code == 1
    assert "Reset 1 actions" in asked.stderr
    assert len(shop.writes) == writes
    unknown = call("reset", "lab", "O-9", "--reason", "wrong rows")
    assert "O-9; check the spelling" in unknown.stderr


def test_program_add_writes_both_files_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The settings can be loaded, the Dag file names them, and neither is ever replaced."""
    programs, dags = tmp_path / "programs", tmp_path / "dags"
    programs.mkdir()
    dags.mkdir()
    monkeypatch.setenv("CLAWBACK_PROGRAMS", str(programs))
    words = ("program", "add", "germany", "--campaign-id", "4711", "--currency", "EUR")
    done = call(*words, "--dags", str(dags))
    assert done.exit_code == 0, done.output
    program = Program.load(programs / "germany.yaml")
    assert (program.name, program.campaign_id, program.currency) == ("germany", "4711", "EUR")
    dag = (dags / "returns_reconciliation__germany.py").read_text()
    assert "airflow" in dag
    assert 'dag = build("germany.yaml")' in dag
    compile(dag, "dag", "exec")
    again = call(*words, "--dags", str(dags))
    assert again.exit_code == 1
    assert "is there already" in again.stderr


@pytest.mark.parametrize("words", [("Ger-many", "1"), ("x", ""), ("x", '"1')])
def test_program_add_refuses_what_no_program_may_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, str]
) -> None:
    """A name or id that would not load is refused, and nothing is written."""
    monkeypatch.setenv("CLAWBACK_PROGRAMS", str(tmp_path))
    done = call("program", "add", words[0], "--campaign-id", words[1], "--dags", str(tmp_path))
    assert done.exit_code == 1
    assert "lower-case letters" in done.stderr
    assert list(tmp_path.iterdir()) == []
