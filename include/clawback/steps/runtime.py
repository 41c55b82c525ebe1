"""What every step is given: the ledger, the program, the clock, and which run it works for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import partial

from clawback.clock import Clock
from clawback.ledger import runs
from clawback.ledger.actions import Listing
from clawback.ledger.budget import LedgerGate
from clawback.ledger.runs import Run
from clawback.ledger.store import Ledger
from clawback.program import Program
from clawback.reconcile.facts import Rules
from clawback.reconcile.resolve import normalise


class RunKind(StrEnum):
    """What started a run."""

    SCHEDULED = "scheduled"
    MANUAL = "manual"
    BACKFILL = "backfill"
    CLI = "cli"


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What a run is asked to do. Without start and end it reads from the watermark to now."""

    kind: RunKind
    start: datetime | None = None
    end: datetime | None = None
    order_ids: tuple[str, ...] = ()
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a step has come; when it is not done, it wants to be called again.

    `wait_until` is in real time. `waiting_for` is "budget" or "evidence".
    """

    done: bool
    counts: dict[str, int] = field(default_factory=dict)
    wait_until: datetime | None = None
    waiting_for: str = ""


@dataclass(frozen=True, slots=True)
class Runtime:
    """The surroundings of a step."""

    ledger: Ledger
    program: Program
    clock: Clock
    run_id: str

    def run(self) -> Run:
        """The run as preflight opened it; raises UnknownRunError before that."""
        with self.ledger.read() as conn:
            return runs.get_run(conn, self.run_id)

    def gate(self, account_sid: str) -> LedgerGate:
        """The account's shared request budget, which also counts this run's requests."""
        share = self.program.budget.reserve_share
        return LedgerGate(self.ledger, account_sid, self.run_id, self.clock, share)

    def rules(self, account: str) -> Rules:
        return self.program.rules(account)

    def order_key(self, order_id: str) -> str:
        """An order id in the form in which warehouse and impact.com are compared."""
        return normalise(order_id, self.program.order_ids.rules())

    def order_keys(self) -> Callable[[str], str]:
        """`order_key` for many orders: the program's rules are read once."""
        return partial(normalise, how=self.program.order_ids.rules())

    def listing(self, account: str, at: datetime) -> Listing:
        return Listing(account, self.run_id, at, self.order_keys())
