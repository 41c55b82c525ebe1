"""The same steps in one process, without Airflow: for `clawback run`, debugging and tests."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from clawback.errors import ClawbackError
from clawback.impact.account import Account
from clawback.impact.budget import BudgetSpent
from clawback.impact.client import ImpactClient
from clawback.impact.errors import RateLimited
from clawback.steps.approve import approve
from clawback.steps.close import close
from clawback.steps.confirm import confirm
from clawback.steps.extract import extract
from clawback.steps.plan import plan
from clawback.steps.preflight import preflight
from clawback.steps.prove import prove
from clawback.steps.runtime import Progress, RunRequest, Runtime
from clawback.steps.submit import submit
from clawback.steps.sync import sync
from clawback.warehouse.source import Connect

Tell = Callable[[str, dict[str, Any]], None]
Wait = Callable[[datetime], None]


def wait_until(moment: datetime) -> None:
    """Wait for a moment of real time; Ctrl-C ends the wait."""
    threading.Event().wait(max(0.0, (moment - datetime.now(UTC)).total_seconds()))


@dataclass(frozen=True, slots=True)
class World:
    """Where a run reads and writes, and how it tells and waits.

    `approved_by` is who approves the plan beforehand; without, one over the thresholds waits.
    """

    account: Account
    connect: Connect
    tell: Tell = lambda _step, _counts: None
    wait: Wait = wait_until
    approved_by: str | None = None


def run_program(rt: Runtime, request: RunRequest, world: World) -> dict[str, Any]:
    """Run the six steps and return the books.

    A step that fails ends the run: its books are closed with what was reached, and the error is
    raised again.
    """
    account, tell = world.account, world.tell
    tell("preflight", preflight(rt, request, account.account_sid))
    with ImpactClient(account, gate=rt.gate(account.account_sid)) as client:
        step = "extract_returns"
        try:
            tell(step, extract(rt, world.connect))
            step = "sync_actions"
            tell(step, _in_budget(partial(sync, rt, client), rt, world.wait))
            step = "plan_changes"
            planned = plan(rt)
            tell(step, planned)
            step = "submit_changes"
            _send(rt, client, planned["shards"], world)
            step = "confirm_changes"
            if not request.dry_run:
                tell(step, until_done(partial(confirm, rt, client), world.wait))
        except ClawbackError:
            _close_failed(rt, step)
            raise
    return close(rt)


def _send(rt: Runtime, client: ImpactClient, shards: list[int], world: World) -> None:
    if not shards:
        return
    world.tell("approve_changes", approve(rt, world.approved_by))
    world.tell("prove_account", until_done(partial(prove, rt, client), world.wait))
    for shard in shards:
        sent = until_done(partial(submit, rt, client, shard), world.wait)
        world.tell(f"submit_changes {shard}", sent)


def _in_budget(step: Callable[[], dict[str, Any]], rt: Runtime, wait: Wait) -> dict[str, Any]:
    """Call a step again after each wait for the budget; it goes on from the ledger."""
    while True:
        try:
            return step()
        except BudgetSpent as spent:
            wait(rt.clock.real(spent.until))
        except RateLimited as limited:
            wait(limited.retry_at)


def until_done(step: Callable[[], Progress], wait: Wait) -> dict[str, Any]:
    """Call a step again and again, when it wants to be called, until it is done."""
    counts: dict[str, int] = {}
    while True:
        progress = step()
        for name, n in progress.counts.items():
            counts[name] = n if name == "waiting" else counts.get(name, 0) + n
        if progress.done or progress.wait_until is None:
            return dict(counts)
        wait(progress.wait_until)


def _close_failed(rt: Runtime, step: str) -> None:
    """Close the books of a run that broke off; its own error is what the caller shows."""
    try:
        close(rt, [step])
    except ClawbackError:
        return
