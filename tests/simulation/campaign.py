"""A campaign from one seed: days of returns, people, outages and runs, with its invariants."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import httpx
from inside import InsideLab
from promises import Promises

from clawback.errors import ClawbackError
from lab import NOW, action, back, cancelled, goodwill, stamp

DAYS = 5
ALLOWANCE = 150
"""Requests an hour that the account may make, in all."""
MEDDLING = 0.15
"""How often somebody else may act between two steps of a run."""
CALM_RUNS = 8
"""In how many runs after the last fault everything must have settled."""
CENT = Decimal("0.01")


class Killed(BaseException):
    """The process dies here: nothing catches this but the campaign."""


@dataclass
class Campaign:
    """One seeded campaign in a lab. `tell` receives a line per happening."""

    lab: InsideLab
    seed: int
    tell: Callable[[str], None] = lambda _line: None
    orders: dict[str, list[tuple[str, int, Decimal]]] = field(default_factory=dict)
    late: list[tuple[int, dict[str, Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)  # noqa: S311 - a story, not a secret
        self.promises = Promises(self.lab)
        self._returns = 0
        pace = {"poll_seconds": self.random.choice((20, 60, 300)), "deadline_minutes": 240}
        self.lab.choices = {"confirm": pace, "canary": self.random.choice((0, 2, 10))}

    # The story

    def play(self) -> None:
        """Live through all days, then let everything come to rest."""
        self.set_out()
        for day in range(DAYS):
            self.tell(f"day {day}")
            self.shop(day)
            self.meddle()
            self.spend()
            self.trouble()
            self.reconcile()
            self.lab.pass_time(hours=self.random.choice((6, 12, 24, 24, 24, 24, 72, 240)))
        self.settle()

    def set_out(self) -> None:
        """The orders of the campaign: some a partner drove, some reported later, some organic."""
        for number in range(self.random.randint(3, 8)):
            oid = f"O-{number}"
            items = [
                (f"S{k}", self.random.randint(1, 4), Decimal(self.random.randint(100, 9000)) / 100)
                for k in range(self.random.randint(1, 3))
            ]
            self.orders[oid] = items
            if self.random.random() < 0.25:
                continue
            locking = NOW + timedelta(days=self.random.choice((-1, 2, 5, 30, 30, 30)))
            sold = action(
                oid,
                *((sku, n, str(amount)) for sku, n, amount in items),
                LockingDate=stamp(locking),
            )
            if self.random.random() < 0.2:
                self.late.append((self.random.randint(1, DAYS - 1), sold))
            else:
                self.lab.act("add", action=sold)

    def shop(self, day: int) -> None:
        """What customers and the warehouse do in a day."""
        for due, sold in self.late:
            if due == day:
                fresh = sold | {"CreationDate": stamp(self.lab.clock.now())}
                self.lab.act("add", action=fresh)
                self.tell(f"  {sold['Oid']} is reported late")
        for _ in range(self.random.randint(0, 5)):
            self.return_something()
        if self.lab.rows and self.random.random() < 0.3:
            self.second_thoughts(self.random.choice(self.lab.rows))

    def return_something(self) -> None:
        oid = self.random.choice(sorted(self.orders))
        sku, quantity, amount = self.random.choice(self.orders[oid])
        now = self.lab.clock.now()
        self._returns += 1
        name: dict[str, Any] = {"id": f"R-{self._returns}", "at": now - timedelta(hours=2)}
        name["updated"] = now - timedelta(minutes=self.random.choice((1, 1, 1, 2000)))
        kind = self.random.random()
        if kind < 0.7:
            row = back(oid, sku, self.random.randint(1, quantity), **name)
        elif kind < 0.85:
            row = goodwill(oid, sku, str((amount / 10).quantize(CENT)), **name)
        else:
            row = cancelled(oid, **name)
        self.lab.rows.append(row)
        self.tell(f"  {oid} {row['kind']} {row['sku']} {row['quantity']} {row['amount']}")

    def second_thoughts(self, row: dict[str, Any]) -> None:
        """A return is withdrawn, deleted, or told again."""
        kind = self.random.choice(("voided", "deleted", "again"))
        self.tell(f"  {row['return_id']} is {kind}")
        now = self.lab.clock.now() - timedelta(seconds=1)
        if kind == "voided":
            row |= {"voided": True, "updated_at": now}
        elif kind == "deleted":
            self.lab.rows.remove(row)
        else:
            row |= {"reason": "late", "updated_at": now}

    def meddle(self) -> None:
        """Another person changes, reverses or resets an action."""
        if self.random.random() > 0.25:
            return
        now = self.lab.clock.now()
        state = self.lab.state()
        free = [i for i, a in state.items() if datetime.fromisoformat(a["LockingDate"]) > now]
        if not free:
            return
        chosen = self.random.choice(sorted(free))
        act = self.random.choice(("modify", "reverse", "reset"))
        more: dict[str, Any] = {}
        if act == "modify":
            item = state[chosen]["Items"][0]
            amount = (Decimal(item["SaleAmount"]) / 2).quantize(CENT)
            more = {"fields": {"Sku": item["Sku"], "Amount": str(amount)}}
        with self.promises.somebody_else(chosen):
            try:
                self.lab.act(act, chosen, **more)
            except AssertionError:
                return
        self.tell(f"  somebody else: {act} {chosen}")

    def spend(self) -> None:
        """Another tool uses up most of the account's hour."""
        if self.random.random() > 0.2:
            return
        server = self.lab.server
        path = f"/Agencies/{server.agency_sid}/Advertisers/{server.account_sid}/CompanyInformation"
        n = self.random.randint(1, ALLOWANCE)
        theirs = httpx.BasicAuth(server.agency_sid, server.auth_token)
        request = next(theirs.auth_flow(self.lab.http.build_request("GET", path)))
        for _ in range(n):
            with suppress(httpx.RemoteProtocolError):  # it meets the same faults
                self.lab.inside.handle_request(request)
        self.tell(f"  another tool sends {n} requests")

    def trouble(self) -> None:
        """A random plan of faults for the next run."""
        if self.random.random() < 0.1:
            self.lab.strike({"fault": "server_error", "status": 502})
            self.tell("  impact.com is down")
            return
        names = self.random.sample(FAULTS, self.random.choice((0, 0, 1, 2, 3)))
        rules = [fault | {"probability": self.random.choice((0.05, 0.2, 0.5))} for fault in names]
        self.lab.strike(*rules)
        if rules:
            self.tell(f"  faults: {rules}")

    # The runs

    def reconcile(self) -> None:
        """One run: it may be killed at any request, or fail with a sentence; both are calm."""
        kill_at = self.random.randint(1, 60) if self.random.random() < 0.3 else 0
        try:
            books = self.run(kill_at)
        except Killed:
            self.tell("  killed")
        except ClawbackError as error:
            self.tell(f"  failed: {error}")
        else:
            self.tell(f"  books: {self.said(books)}")
        self.promises.look()

    def run(self, kill_at: int = 0) -> dict[str, Any]:
        """A run, watched after every step; between two of them, somebody else may act."""
        self.promises.begin()
        options = {"transport": _Deadly(self.lab.inside, kill_at)} if kill_at else {}
        return self.lab.run(client=options, world=self.lab.world(tell=self._watch))

    def _watch(self, step: str, counts: dict[str, Any]) -> None:
        del counts
        self.promises.look()
        if step in {"plan_changes", "prove_account"} and self.random.random() < MEDDLING:
            self.meddle()

    def settle(self) -> None:
        """Faults stop; within a bounded number of runs nothing is left to send."""
        self.lab.strike()
        for number in range(CALM_RUNS):
            self.lab.pass_time(hours=24)
            writes = len(self.lab.writes)
            self.promises.begin()
            books = self.lab.run(world=self.lab.world(tell=lambda *_: self.promises.look()))
            self.promises.look()
            self.tell(f"calm {number}: {self.said(books)}, writes {len(self.lab.writes) - writes}")
            left = sum(books["outcomes"][name]["lines"] for name in ("planned", "pending"))
            if len(self.lab.writes) == writes and not left:
                break
        else:
            raise AssertionError(f"not settled after {CALM_RUNS} calm runs")
        self.promises.at_rest()

    @staticmethod
    def said(books: dict[str, Any]) -> dict[str, int]:
        return {n: p["lines"] for n, p in books["outcomes"].items() if p["lines"]} | books["held"]


FAULTS: tuple[dict[str, Any], ...] = (
    {"fault": "server_error", "status": 503},
    {"fault": "server_error", "status": 500, "body": "html"},
    {"fault": "reset"},
    {"fault": "timeout_after", "seconds": 0.0},
    {"fault": "lost_submission"},
    {"fault": "lost_submission", "lost": "stuck"},
    {"fault": "failed_submission"},
    {"fault": "delayed_update", "seconds": 3600.0},
    {"fault": "duplicate_rows"},
    {"fault": "html"},
    {"fault": "truncated"},
    {"fault": "rate_limited"},
    {"fault": "shifted_rows"},
)


class _Deadly(httpx.BaseTransport):
    """A transport that dies at its n-th request: before it leaves, or after it was answered."""

    def __init__(self, inner: httpx.BaseTransport, at: int) -> None:
        self._inner, self._left = inner, at

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._left -= 1
        if self._left == 0 and len(request.url.path) % 2:
            raise Killed
        response = self._inner.handle_request(request)
        if self._left == 0:
            raise Killed
        return response
