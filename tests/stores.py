"""The shops of the stories, opened before Airflow starts; twelve of them are sick on purpose."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import yaml

from clawback.demo.world import create_warehouse
from clawback.sandbox import faults
from clawback.sandbox.limits import RateLimit
from lab import stamp
from live import ROOT
from street import NOW, Store, Street, back, sold

SICK = (
    "program",
    "connection",
    "credentials",
    "scope_actions",
    "campaign",
    "trackers",
    "clock",
    "budget",
    "warehouse",
    "statement",
    "order_ids",
    "currency",
)
"""The checks of the doctor that one program each is broken for."""
EXAMPLE = "finance_export"
MONTH = (NOW - timedelta(days=30), NOW)


def three(**more: Any) -> list[dict[str, Any]]:
    """Actions of three orders, each of two A and one B."""
    return [sold(f"O-{n}", **more) for n in (1, 2, 3)]


def returns() -> list[dict[str, Any]]:
    return [back(f"O-{n}") for n in (1, 2, 3)]


def settle(street: Street, hook: str) -> dict[str, Store]:
    """Open a store for each story."""
    asking = {"approval": {"changes": 0}}
    alerts = {"connection": "team_webhook", "style": "json", "deadline_hours": 0.003}
    street.connections["team_webhook"] = {"conn_type": "http", "host": hook}
    stores = {
        "approved": street.open("approved", three(), returns(), **asking),
        "refused": street.open("refused", three(), returns(), **asking),
        "late": street.open(
            "late", three(), returns(), schedule="*/2 * * * *", alerts=alerts, **asking
        ),
        "days": street.open("days", long_ago(), [], schedule="0 0 1,11,21 * *"),
        "span": street.open("span", long_ago(), spread()),
        "undone": street.open(
            "undone",
            [
                *three(),
                sold("O-8", LockingDate=stamp(NOW + timedelta(hours=3))),
                sold("O-9", LockingDate=stamp(NOW - timedelta(hours=2))),
            ],
            [*returns(), back("O-8"), back("O-9")],
        ),
        "drifted": street.open("drifted", drifting(), drifting_rows(), approval={"amount": 1000}),
    }
    hospital(street)
    example = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    [code] = re.findall(r"```python\n(.*?BOOKS = Asset.*?)```", example, re.DOTALL)
    text = code.replace("clawback_books_demo", "clawback_books_approved")
    (street.dags / f"{EXAMPLE}.py").write_text(f'"""An airflow dag."""\n{text}')
    return stores


LONG_AGO = NOW - timedelta(days=40)


def long_ago() -> list[dict[str, Any]]:
    return three(EventDate=stamp(LONG_AGO), CreationDate=stamp(LONG_AGO))


def spread() -> list[dict[str, Any]]:
    """Returns that whole intervals of ten days, of the last thirty, surely hold."""
    days = ((1, 18), (2, 15), (3, 12))
    return [back(f"O-{n}", days=ago, ordered_at=LONG_AGO) for n, ago in days]


def drifting() -> list[dict[str, Any]]:
    return [*(sold(f"O-{n}") for n in range(1, 7)), sold("O-9", ("A", 2, "9000.00"))]


def drifting_rows() -> list[dict[str, Any]]:
    return [back(f"O-{n}") for n in range(1, 7)]


def hospital(street: Street) -> None:
    """Twelve programs with one fault each, and the fault's name."""
    orders = [sold(f"O-{n}") for n in range(24)]
    rows = [back(f"O-{n}") for n in range(24)]
    well = street.serve(orders)
    other: dict[str, Any] = {
        "scope_actions": street.serve(orders, faults=forbidden("list_actions")),
        "clock": street.serve(orders, now=NOW - timedelta(hours=1)),
        "budget": street.serve(orders, rate_limit=RateLimit.parse("6/3600")),
    }
    choices: dict[str, dict[str, Any]] = {
        "campaign": {"campaign_id": "4711"},
        "trackers": {"action_trackers": ["9999"]},
        "statement": {"warehouse": {"statement": str(street.home / "wrong.sql")}},
        "currency": {"currency": "EUR"},
    }
    (street.home / "wrong.sql").write_text("SELECT order_id, sku FROM returns\n")
    for name in SICK:
        street.connect(f"sick_{name}", None if name == "connection" else other.get(name, well))
        street.program(f"sick_{name}", **choices.get(name, {}))
        mine = [row | {"order_id": f"SHOP-{row['order_id']}"} for row in rows]
        if name != "warehouse":
            path = street.home / f"sick_{name}.duckdb"
            create_warehouse(path, mine if name == "order_ids" else rows)
        (street.dags / f"returns_reconciliation__sick_{name}.py").unlink()
    street.connections["impact_sick_credentials"]["password"] = "not-the-token"
    path = street.programs / "sick_program.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"currrency": "USD"}))


def forbidden(kind: str) -> tuple[Any, ...]:
    rule = {"fault": "server_error", "status": 403, "kinds": [kind]}
    return tuple(faults.parse([rule], "of the test"))
