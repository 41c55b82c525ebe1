"""A lab for whole runs: a real sandbox, a warehouse of a few rows, and a clock that can be set."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Table, select

from clawback.clock import Clock
from clawback.demo.world import create_warehouse, write_world
from clawback.impact.account import Account
from clawback.impact.client import ImpactClient
from clawback.impact.retry import NO_WAITS
from clawback.ledger.store import Ledger
from clawback.program import Program
from clawback.sandbox import faults as fault_rules
from clawback.sandbox.limits import RateLimit
from clawback.sandbox.profile import Profile
from clawback.sandbox.server import SandboxServer
from clawback.sandbox.settings import Settings
from clawback.steps import local
from clawback.steps.local import World, run_program
from clawback.steps.runtime import RunKind, RunRequest, Runtime
from clawback.warehouse.connections import from_connection

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ORDERED = NOW - timedelta(days=10)
CAMPAIGN = "1000"
_numbers = count(1)


# --- words for actions and rows -------------------------------------------------------------


def action(oid: str, *items: tuple[str, int, str], **more: Any) -> dict[str, Any]:
    """A world line: an action of order `oid`, ten days old, paid at 10 %, locking in a month."""
    number = next(_numbers)
    return {
        "Id": f"1000.4636.{number}",
        "CampaignId": CAMPAIGN,
        "ActionTrackerId": "2240",
        "MediaPartnerId": "10000",
        "MediaPartnerName": "Partner",
        "State": "PENDING",
        "Currency": "USD",
        "EventDate": stamp(ORDERED),
        "CreationDate": stamp(ORDERED + timedelta(minutes=5)),
        "LockingDate": stamp(NOW + timedelta(days=30)),
        "ReferringType": "CLICK_COOKIE",
        "Oid": oid,
        "Items": [item(*one) for one in items or (("A", 2, "40.00"), ("B", 1, "60.00"))],
        **more,
    }


def item(sku: str, quantity: int, amount: str) -> dict[str, str]:
    payout = (Decimal(amount) / 10).quantize(Decimal("0.01"))
    return {
        "Sku": sku,
        "ItemName": sku,
        "Category": "Goods",
        "Quantity": str(quantity),
        "SaleAmount": amount,
        "Payout": str(payout),
        "Rebate": "0.00",
    }


def back(order: str, sku: str = "A", quantity: int | None = 1, **more: Any) -> dict[str, Any]:
    """A return row of the contract; `id`, `at` (returned_at) and `updated` may be given."""
    at = more.pop("at", NOW - timedelta(days=1))
    return {
        "return_id": more.pop("id", f"R-{order}"),
        "order_id": order,
        "sku": sku,
        "kind": "return",
        "quantity": quantity,
        "amount": None,
        "currency": "USD",
        "reason": "damaged",
        "returned_at": at,
        "updated_at": more.pop("updated", at),
        "ordered_at": ORDERED,
        "ordered_quantity": None,
        "ordered_amount": None,
        "voided": False,
        "parent_sku": None,
        **more,
    }


def cancelled(order: str, **more: Any) -> dict[str, Any]:
    return back(order, "", None, kind="cancellation", reason="cancelled", **more)


def goodwill(order: str, sku: str, amount: str, **more: Any) -> dict[str, Any]:
    return back(order, sku, None, kind="adjustment", amount=Decimal(amount), **more)


def stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# --- the lab --------------------------------------------------------------------------------


class LabClock(Clock):
    """Ticks a millisecond a look, and can be set; real time is the lab's, so waits cost none."""

    def __init__(self, moment: datetime) -> None:
        super().__init__()
        self.set(moment)

    def set(self, moment: datetime) -> None:
        object.__setattr__(self, "moment", moment)

    def now(self) -> datetime:
        moment: datetime = self.__dict__["moment"]
        self.set(moment + timedelta(milliseconds=1))
        return moment


@dataclass
class Lab:
    """Warehouse, sandbox, ledger, program and clock of one test."""

    home: Path
    ledger: Ledger
    server: SandboxServer
    http: httpx.Client
    monkeypatch: pytest.MonkeyPatch
    clock: LabClock
    choices: dict[str, Any] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    waits: list[datetime] = field(default_factory=list)
    patience: int = 1000
    """How many waits a run may take before the test gives up on it."""

    @classmethod
    @contextmanager
    def open(
        cls,
        home: Path,
        ledger: Ledger,
        monkeypatch: pytest.MonkeyPatch,
        actions: Iterable[dict[str, Any]],
        settings: dict[str, Any],
    ) -> Iterator[Lab]:
        now = settings.get("now", NOW)
        started = settings_of(home, actions, settings)
        with SandboxServer(started) as server:
            auth = (server.account_sid, server.auth_token)
            with httpx.Client(base_url=server.base_url, auth=auth, timeout=60) as http:
                yield cls(home, ledger, server, http, monkeypatch, LabClock(now))

    # Setting up

    @property
    def program(self) -> Program:
        plain: dict[str, Any] = {
            "name": "lab",
            "campaign_id": CAMPAIGN,
            "currency": "USD",
            "confirm": {"poll_seconds": 3},
            "reasons": {"ignore": ["exchange"]},
        }
        return Program.model_validate(plain | self.choices)

    @property
    def account(self) -> Account:
        return Account(
            base_url=self.server.base_url,
            account_sid=self.server.account_sid,
            auth_token=self.server.auth_token,
            campaign_id=CAMPAIGN,
        )

    def warehouse(self) -> str:
        """The rows in a warehouse file of this moment; gives the connection to it."""
        path = self.home / "warehouse.duckdb"
        create_warehouse(path, self.rows)
        return json.dumps({"conn_type": "duckdb", "host": str(path)})

    def connect(self) -> Any:
        return from_connection(self.warehouse())()

    # Time

    def pass_time(self, **span: float) -> None:
        """Let hours or days pass, in the lab and at impact.com."""
        self.until(self.clock.now() + timedelta(**span))

    def until(self, moment: datetime) -> None:
        if moment > self.clock.now():
            self.clock.set(moment)
            self._control("POST", "clock", {"now": moment.isoformat()})

    def _wait(self, moment: datetime) -> None:
        self.waits.append(moment)
        if len(self.waits) > self.patience:
            raise AssertionError("the run waits without end")
        self.until(max(moment, self.clock.now() + timedelta(seconds=1)))

    # Acting

    def runtime(self, run_id: str | None = None) -> Runtime:
        run_id = run_id or f"run-{next(_numbers)}"
        return Runtime(self.ledger, self.program, self.clock, run_id)

    def client(self, rt: Runtime, **options: Any) -> ImpactClient:
        """A client whose waits between tries are off and whose time is the lab's."""
        plain = {"gate": rt.gate(self.server.account_sid), "retry": NO_WAITS, "now": self.clock.now}
        return ImpactClient(self.account, **{**plain, **options})

    def world(self, **parts: Any) -> World:
        plain = {"account": self.account, "connect": self.connect, "wait": self._wait}
        return World(**{**plain, "approved_by": "the test", **parts})

    def run(
        self,
        kind: RunKind = RunKind.MANUAL,
        *,
        run_id: str | None = None,
        world: World | None = None,
        client: dict[str, Any] | None = None,
        **request: Any,
    ) -> dict[str, Any]:
        """One whole run as `clawback run` makes it; gives its books."""
        quick = partial(ImpactClient, retry=NO_WAITS, now=self.clock.now, **client or {})
        self.monkeypatch.setattr(local, "ImpactClient", quick)
        rt = self.runtime(run_id)
        books = run_program(rt, RunRequest(kind, **request), world or self.world())
        self.last_run = rt.run_id
        return books

    def act(self, act: str, action_id: str = "", **more: Any) -> None:
        """Let another person do something to an action at impact.com."""
        self._control("POST", "act", {"act": act, "action_id": action_id, **more})

    def strike(self, *rules: dict[str, Any]) -> None:
        """Let the sandbox misbehave from now on; no rules: no more."""
        self._control("POST", "faults", list(rules))

    # Looking

    def requests(self, *kinds: str) -> list[dict[str, Any]]:
        """The requests that the sandbox has seen, oldest first."""
        log = self._control("GET", "requests")["requests"]
        return [entry for entry in log if not kinds or entry["kind"] in kinds]

    @property
    def writes(self) -> list[dict[str, Any]]:
        return self.requests("modify", "reverse")

    def state(self) -> dict[str, dict[str, Any]]:
        """Every action as the sandbox truly holds it, by ActionId."""
        found = self._control("GET", "state")["actions"]
        return {one["Id"]: one for one in found}

    def items(self, action_id: str) -> dict[str, tuple[int, Decimal]]:
        """Quantity and amount of each SKU of an action, as the sandbox truly holds them."""
        shown = self.state()[action_id]["Items"]
        return {i["Sku"]: (int(i["Quantity"]), Decimal(i["SaleAmount"])) for i in shown}

    def table(self, table: Table) -> list[Any]:
        with self.ledger.read() as conn:
            return list(conn.execute(select(table)).mappings())

    def outcomes(self, run_id: str | None = None) -> dict[tuple[str, str], str]:
        """What the lines were told in a run (the last one), by order id and SKU."""
        from clawback.ledger.tables import return_lines, run_lines

        lines = {row["id"]: row for row in self.table(return_lines)}
        found = [r for r in self.table(run_lines) if r["run_id"] == (run_id or self.last_run)]
        return {
            (lines[r["line_id"]]["order_id"], lines[r["line_id"]]["sku"]): said(
                lines[r["line_id"]]["outcome"], lines[r["line_id"]]["hold"]
            )
            for r in found
        }

    def notes(self) -> str:
        """What the changes of all runs were told to have come to."""
        from clawback.ledger.tables import changes

        return "; ".join(row["error"] or "" for row in self.table(changes))

    def _control(self, method: str, path: str, body: Any = None) -> Any:
        response = self.http.request(method, f"/_sandbox/{path}", json=body)
        assert response.is_success, response.text
        return response.json() if response.content else None


def settings_of(
    home: Path, actions: Iterable[dict[str, Any]], settings: dict[str, Any]
) -> Settings:
    """What a sandbox with these actions is started with."""
    now = settings.pop("now", NOW)
    world = settings.pop("world", None)
    if world is None:
        world = home / "world.jsonl"
        write_world(world, actions)
    faults = fault_rules.parse(settings.pop("faults", []), "of the test")
    if isinstance(limit := settings.get("rate_limit"), str):
        settings["rate_limit"] = RateLimit.parse(limit)
    profile = Profile.model_validate(settings.pop("profile", {}))
    plain = {"port": 0, "orders": 0, "now": now, "speed": 0.0, "queue_latency": 2.0}
    return Settings(
        world=world if world.stat().st_size else None,
        faults=faults,
        profile=profile,
        **{**plain, **settings},
    )


def said(outcome: str | None, hold: str | None) -> str:
    return f"{outcome}: {hold}" if hold else str(outcome)


def counted(books: dict[str, Any]) -> dict[str, int]:
    """The outcomes that occur in some books, with their lines."""
    return {name: part["lines"] for name, part in books["outcomes"].items() if part["lines"]}


def held(books: dict[str, Any]) -> dict[str, int]:
    return {name: n for name, n in books["held"].items() if n}


Maker = Callable[..., Lab]
