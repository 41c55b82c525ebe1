"""The command line: books on stdout, one sentence on stderr, and nothing half done."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from typer.testing import CliRunner, Result

from clawback.cli import app
from clawback.clock import ENV as NOW_ENV
from clawback.demo.world import create_warehouse
from clawback.ledger.store import URL_ENV
from clawback.program import PROGRAMS_ENV
from lab import NOW, Lab, Maker, action, back, stamp

KEYS = {
    *("program", "run_id", "window", "lines", "read", "carried_in", "outcomes", "held"),
    *(
        "unexplained",
        "unexplained_money",
        "changes",
        "requests",
        "requests_per_confirmed_change",
        "currency",
    ),
    *("commission_recovered", "commission_lost_to_locking", "lines_without_money"),
    "other_currencies",
}
OUTCOMES = {
    *("confirmed", "already_settled", "not_attributed", "ignored", "locked", "held"),
    *("rejected", "invalid", "planned", "pending"),
}
KINDS = {
    *("list_actions", "list_action_updates", "list_items", "modify", "reverse"),
    "get_submission",
}


@dataclass
class Desk:
    """A user's surroundings: connections, ledger and program in the environment."""

    lab: Lab
    home: Path
    patch: pytest.MonkeyPatch

    def set(self, name: str, value: Any) -> None:
        self.patch.setenv(name, value if isinstance(value, str) else json.dumps(value))

    def impact(self, **changes: Any) -> None:
        server = self.lab.server
        fields = {"conn_type": "impact", "host": server.base_url, "login": server.account_sid}
        self.set("AIRFLOW_CONN_IMPACT_SHOP", fields | {"password": server.auth_token} | changes)

    def program(self, **more: Any) -> None:
        plain = {
            "name": "shop",
            "campaign_id": "1000",
            "currency": "USD",
            "connections": {"impact": "impact_shop", "warehouse": "warehouse_shop"},
            "confirm": {"poll_seconds": 0.2},
        }
        (self.home / "shop.yaml").write_text(yaml.safe_dump(plain | more), "utf-8")

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(app, list(words))


@pytest.fixture(params=["sqlite"])
def database(request: pytest.FixtureRequest) -> str:
    """One database is enough for the command line."""
    return str(request.param)


@pytest.fixture
def desk(lab_of: Maker, tmp_path: Path, ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> Desk:
    lab = lab_of([action("O-1"), action("O-2")], speed=1.0, queue_latency=0.0)
    found = Desk(lab, tmp_path, monkeypatch)
    create_warehouse(tmp_path / "shop.duckdb", [back("O-1"), back("O-2", quantity=-1)])
    found.impact()
    found.set(
        "AIRFLOW_CONN_WAREHOUSE_SHOP",
        {"conn_type": "duckdb", "host": str(tmp_path / "shop.duckdb")},
    )
    found.set(URL_ENV, ledger_url)
    found.set(PROGRAMS_ENV, str(tmp_path))
    found.set(NOW_ENV, stamp(NOW))
    found.program()
    return found


def test_json_is_the_books_and_nothing_else(desk: Desk) -> None:
    """`run --json` prints books.json with exactly the promised keys on stdout."""
    done = desk.run("run", "shop", "--json")
    assert done.exit_code == 0, done.stderr
    books = json.loads(done.stdout)
    assert books.keys() == KEYS
    assert books["outcomes"].keys() == OUTCOMES
    assert all(part.keys() == {"lines", "amount", "payout"} for part in books["outcomes"].values())
    assert books["changes"].keys() == {"planned", "submitted", "confirmed", "rejected"}
    assert books["requests"].keys() == {"total", "by_kind"}
    assert books["requests"]["by_kind"].keys() == KINDS
    assert books["window"].keys() == {"start", "end"}
    assert (books["outcomes"]["confirmed"]["lines"], books["commission_recovered"]) == (1, "2.00")
    assert books["requests"]["total"] == sum(books["requests"]["by_kind"].values())
    assert done.stderr == ""


def test_people_get_a_table_and_the_steps(desk: Desk) -> None:
    """Without --json the books are shown for people, and what each step did goes to stderr."""
    done = desk.run("run", "shop", "--from", "2026-11-01", "--to", "2026-11-21")
    assert done.exit_code == 0, done.stderr
    assert "confirmed" in done.stdout
    assert "extract_returns: read 2" in done.stderr


def test_a_dry_run_writes_nothing(desk: Desk) -> None:
    """--dry-run shows what would be done and sends no write."""
    done = desk.run("run", "shop", "--json", "--dry-run")
    assert json.loads(done.stdout)["outcomes"]["planned"]["lines"] == 1
    assert desk.lab.writes == []


def test_one_order_may_be_named(desk: Desk) -> None:
    """--order limits the run to the orders named."""
    done = desk.run("run", "shop", "--json", "--order", "O-2")
    books = json.loads(done.stdout)
    assert (books["read"], books["outcomes"]["invalid"]["lines"]) == (1, 1)


def _wrong_token(desk: Desk) -> None:
    desk.impact(password="Wr0ngSecret")


def _nobody_there(desk: Desk) -> None:
    desk.impact(host="http://127.0.0.1:9", password="Wr0ngSecret")


def _no_table(desk: Desk) -> None:
    empty = desk.home / "empty.duckdb"
    duckdb.connect(str(empty)).close()
    desk.set("AIRFLOW_CONN_WAREHOUSE_SHOP", {"conn_type": "duckdb", "host": str(empty)})


def _no_warehouse(desk: Desk) -> None:
    desk.patch.delenv("AIRFLOW_CONN_WAREHOUSE_SHOP")


def _no_impact(desk: Desk) -> None:
    desk.patch.delenv("AIRFLOW_CONN_IMPACT_SHOP")


def _no_password(desk: Desk) -> None:
    desk.impact(password="")


def _bad_program(desk: Desk) -> None:
    desk.program(curency="USD")


def _no_ledger(desk: Desk) -> None:
    desk.patch.delenv(URL_ENV)


def _other_campaign(desk: Desk) -> None:
    (desk.home / "shop.yaml").write_text("name: [", "utf-8")


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (_wrong_token, "AuthToken"),
        (_nobody_there, "127.0.0.1:9"),
        (_no_table, "returns"),
        (_no_warehouse, "AIRFLOW_CONN_WAREHOUSE_SHOP"),
        (_no_impact, "AIRFLOW_CONN_IMPACT_SHOP"),
        (_no_password, "password"),
        (_bad_program, "curency: no such key"),
        (_no_ledger, URL_ENV),
        (_other_campaign, "is not YAML"),
    ],
    ids=lambda value: getattr(value, "__name__", "").strip("_"),
)
def test_what_is_wrong_is_one_sentence(
    desk: Desk, broken: Callable[[Desk], None], said: str
) -> None:
    """Each fault of the set-up ends with one line that says what to mend, and no write."""
    broken(desk)
    done = desk.run("run", "shop", "--json")
    assert done.exit_code == 1
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    assert said in lines[0]
    assert done.stdout == ""
    assert desk.lab.writes == []
    assert "Wr0ngSecret" not in done.output
    assert desk.lab.server.auth_token not in done.output


@pytest.mark.parametrize(
    "words", [("--from", "yesterday"), ("--now", "25h"), ("--frm", "2026-11-01")]
)
def test_a_wrong_word_is_a_usage_error(desk: Desk, words: tuple[str, ...]) -> None:
    """What the command does not understand ends with status 2 and nothing done."""
    done = desk.run("run", "shop", *words)
    assert done.exit_code == 2
    assert desk.lab.requests() == []


def test_half_a_window_is_told(desk: Desk) -> None:
    """--from without --to is refused in one sentence."""
    done = desk.run("run", "shop", "--from", "2026-11-01")
    assert done.exit_code == 1
    assert "no end" in done.stderr


def test_an_unknown_order_is_told(desk: Desk) -> None:
    """`explain` of an order that the ledger does not hold says so."""
    done = desk.run("explain", "nobody")
    assert done.exit_code == 1
    assert "knows no order 'nobody'" in done.stderr


def test_the_ledger_can_be_upgraded_by_hand(desk: Desk) -> None:
    """`ledger upgrade` says where the ledger is and at which migration."""
    done = desk.run("ledger", "upgrade")
    assert done.exit_code == 0
    assert "is at migration" in done.stdout


def test_the_token_is_nowhere(desk: Desk) -> None:
    """After a whole run the token stands neither in the output nor in the ledger's bytes."""
    done = desk.run("run", "shop")
    token = desk.lab.server.auth_token
    assert done.exit_code == 0, done.stderr
    assert token not in done.output
    assert token.encode() not in b"".join(p.read_bytes() for p in desk.home.glob("ledger.db*"))
