"""Doctor: every misconfiguration that a first day brings is named, with its mend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from clawback.clock import Clock
from clawback.impact.account import Account
from clawback.ledger.store import URL_ENV
from clawback.program import Program
from clawback.sandbox.limits import RateLimit
from clawback.steps.chart import Check, Status
from clawback.steps.compare import match
from clawback.steps.doctor import EXECUTOR_ENV, Patient, doctor, healthy
from clawback.surroundings import account_of, warehouse_of
from lab import CAMPAIGN, NOW, ORDERED, Lab, action, back, stamp

Maker = Callable[..., Lab]
ORDERS = 24


class Clinic:
    """A sound set-up of 24 orders, and ways to break it."""

    def __init__(self, lab: Lab, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lab, self.home = lab, home
        self.token = lab.account.auth_token
        self.clock: Clock = lab.clock
        self.environ = {URL_ENV: str(lab.ledger.engine.url)}
        self.text = {
            "name": "lab",
            "campaign_id": CAMPAIGN,
            "currency": "USD",
            "connections": {"impact": "clinic", "warehouse": "clinic_wh"},
        }
        self.statement = (
            Path(__file__).resolve().parents[2] / "include/sql/returns.duckdb.sql"
        ).read_text()
        monkeypatch.setenv("CLAWBACK_SQL", str(home))

    def account(self, program: Program) -> Account:
        return replace(self.lab.account, auth_token=self.token, campaign_id=program.campaign_id)

    def examine(self, **parts: Any) -> dict[str, Check]:
        path = self.home / "lab.yaml"
        path.write_text(yaml.safe_dump(self.text))
        (self.home / "returns.duckdb.sql").write_text(self.statement)
        plain = {
            "account": self.account,
            "connect": lambda _program: self.lab.connect,
            "clock": self.clock,
            "environ": self.environ,
        }
        return {c.name: c for c in doctor(Patient(str(path), **{**plain, **parts}))}


@pytest.fixture
def clinic(lab_of: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clinic:
    lab = lab_of([action(f"O-{n}", (f"Sku-{n}", 2, "40.00")) for n in range(ORDERS)])
    lab.rows = [back(f"O-{n}", f"Sku-{n}") for n in range(ORDERS)]
    return Clinic(lab, tmp_path, monkeypatch)


def test_a_sound_set_up_is_healthy_in_few_requests(clinic: Clinic) -> None:
    """Every check is ok, in at most ten requests, none of them a write."""
    found = clinic.examine()
    assert {name: c.said for name, c in found.items() if c.status is not Status.OK} == {}
    assert healthy(list(found.values()))
    asked = clinic.lab.requests()
    assert 0 < len(asked) <= 10
    assert clinic.lab.writes == []


def broken_program(clinic: Clinic) -> None:
    clinic.text["currrency"] = "USD"


def wrong_token(clinic: Clinic) -> None:
    clinic.token = "wrong"


def forbidden(kind: str) -> Callable[[Clinic], None]:
    def plant(clinic: Clinic) -> None:
        clinic.lab.strike({"fault": "server_error", "status": 403, "kinds": [kind]})

    return plant


def unknown_campaign(clinic: Clinic) -> None:
    clinic.text["campaign_id"] = "4711"


def unknown_tracker(clinic: Clinic) -> None:
    clinic.text["action_trackers"] = ["9999"]


def slow_clock(clinic: Clinic) -> None:
    clinic.clock = Clock.at(NOW - timedelta(hours=1))


def spent_budget(clinic: Clinic) -> None:
    clinic.lab.strike({"fault": "rate_limited", "after": 1})


def other_columns(clinic: Clinic) -> None:
    clinic.statement = "SELECT order_id, sku FROM returns"


def other_table(clinic: Clinic) -> None:
    clinic.statement = clinic.statement.replace("FROM returns", "FROM rueckgaben")


def bad_rows(clinic: Clinic) -> None:
    clinic.lab.rows = [row | {"quantity": -1} for row in clinic.lab.rows]


def prefixed_orders(clinic: Clinic) -> None:
    clinic.lab.rows = [row | {"order_id": f"SHOP-{row['order_id']}"} for row in clinic.lab.rows]


def other_orders(clinic: Clinic) -> None:
    clinic.lab.rows = [back(f"X{n}Y", f"Sku-{n}") for n in range(ORDERS)]


def shouting_skus(clinic: Clinic) -> None:
    clinic.lab.rows = [row | {"sku": row["sku"].upper()} for row in clinic.lab.rows]


def other_currency(clinic: Clinic) -> None:
    clinic.text["currency"] = "EUR"


def no_ledger(clinic: Clinic) -> None:
    clinic.environ[URL_ENV] = f"sqlite:///{clinic.home}/none/ledger.db"


def old_ledger(clinic: Clinic) -> None:
    clinic.lab.ledger.downgrade("0001")


PLANTED = [
    (broken_program, "program", "currrency", "correct its spelling"),
    (wrong_token, "credentials", "401", "copy both again into login and password"),
    (forbidden("list_actions"), "scope_actions", "may not read Actions", "scope of Actions"),
    (forbidden("list_action_updates"), "scope_updates", "ActionUpdates", "scope of ActionUpdates"),
    (forbidden("get_submission"), "scope_submissions", "APISubmissions", "scope of APISub"),
    (unknown_campaign, "campaign", "no campaign 4711", "set campaign_id"),
    (unknown_tracker, "trackers", "9999; there are 2240", "mend action_trackers"),
    (slow_clock, "clock", "differ by 3", "NTP"),
    (spent_budget, "scope_actions", "429", "wait"),
    (other_columns, "statement", "yields no column", "select every required column"),
    (other_table, "statement", "rueckgaben", "create the table"),
    (bad_rows, "rows", "24 of 24 rows", "mend these columns"),
    (prefixed_orders, "order_ids", "0 of 24", 'set order_ids: {prefix: "SHOP-"}'),
    (other_orders, "order_ids", "none of 24", "compare 'X0Y'"),
    (shouting_skus, "skus", "0 of 24", "set skus: {trim: true, case: upper}"),
    (other_currency, "currency", "USD", "set currency: USD"),
    (no_ledger, "ledger", "no ledger at", "clawback ledger upgrade"),
    (old_ledger, "ledger", "is at migration 0001", "clawback ledger upgrade"),
]


@pytest.mark.parametrize(
    ("plant", "name", "said", "mend"), PLANTED, ids=[row[1] for row in PLANTED]
)
def test_each_planted_fault_is_named_with_its_mend(
    clinic: Clinic, plant: Callable[[Clinic], None], name: str, said: str, mend: str
) -> None:
    """What is planted fails its own check, which says what is wrong and what to do."""
    plant(clinic)
    found = clinic.examine()
    assert found[name].status is Status.FAIL, found
    assert said in found[name].said
    assert mend in found[name].mend
    assert not healthy(list(found.values()))
    assert len(clinic.lab.requests()) <= 10
    assert clinic.token not in str(found)


def test_a_spent_budget_is_named(
    lab_of: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where others have used the hour up, the check says how much is left and for whom."""
    lab = lab_of([action("O-1")], rate_limit=RateLimit.parse("6/3600"))
    lab.rows = [back("O-1")]
    found = Clinic(lab, tmp_path, monkeypatch).examine()
    assert found["budget"].status is Status.FAIL
    assert "1 of 6 requests left this hour, 1 of them kept" in found["budget"].said
    assert "wait for the reset" in found["budget"].mend


def test_connections_that_are_not_set_are_named(clinic: Clinic) -> None:
    """Without connections in the environment, both are named with the variable to set."""
    found = clinic.examine(
        account=lambda program: account_of(program, {}),
        connect=lambda program: warehouse_of(program, {}),
    )
    assert "AIRFLOW_CONN_CLINIC to" in found["connection"].mend
    assert "AIRFLOW_CONN_CLINIC_WH to" in found["warehouse"].mend
    assert found["credentials"].status is Status.SKIP


def test_a_warehouse_that_is_not_there_is_named(clinic: Clinic) -> None:
    """A file that does not exist fails the connection, and the rest of the warehouse is skipped."""
    value = '{"conn_type": "duckdb", "host": "/nowhere/w.duckdb"}'
    environ = {"AIRFLOW_CONN_CLINIC_WH": value}
    found = clinic.examine(connect=lambda program: warehouse_of(program, environ))
    assert "no warehouse at /nowhere/w.duckdb" in found["warehouse"].said
    assert found["rows"].status is Status.SKIP


def test_a_file_ledger_for_several_machines_is_a_warning(clinic: Clinic) -> None:
    """SQLite under the CeleryExecutor is warned of, not refused."""
    clinic.environ[EXECUTOR_ENV] = "CeleryExecutor"
    found = clinic.examine()
    assert found["ledger_kind"].status is Status.WARN
    assert "PostgreSQL" in found["ledger_kind"].mend
    assert healthy(list(found.values()))


def test_returns_that_come_after_locking_are_a_warning(
    lab_of: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where most returns find their action locked, the locking terms are named."""
    lock = stamp(ORDERED + timedelta(days=3))
    lab = lab_of([action(f"O-{n}", LockingDate=lock) for n in range(ORDERS)])
    lab.rows = [back(f"O-{n}") for n in range(ORDERS)]
    found = Clinic(lab, tmp_path, monkeypatch).examine()
    assert found["locking"].status is Status.WARN
    assert "lock 3 days after the order" in found["locking"].said
    assert "24 of 24 returns" in found["locking"].said


@pytest.mark.parametrize(
    ("ours", "theirs", "hint"),
    [
        (["1", "2"], ["1", "2", "3"], ""),
        (["a1", "a2"], ["A1", "A2"], "set order_ids: {trim: true, case: upper}"),
        (["1001", "1002"], ["#1001", "#1002"], 'set order_ids: {prefix: "#"}'),
        ([" 1", "2 "], ["1", "2"], "set order_ids: {trim: true}"),
        (["1", "2"], [], ""),
        ([], ["1"], ""),
    ],
)
def test_what_would_make_ids_match_is_found(ours: list[str], theirs: list[str], hint: str) -> None:
    """Blanks, case and a constant prefix are recognised; ids that match need nothing."""
    assert match(ours, theirs, "order_ids").hint == hint
