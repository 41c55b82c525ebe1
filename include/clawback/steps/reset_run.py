"""A reset from beginning to end in one process: undo, prove it, then reconcile the orders anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from clawback.impact.client import ImpactClient
from clawback.steps.local import World, run_program, until_done
from clawback.steps.preflight import preflight
from clawback.steps.reset import reset_confirm, reset_orders, reset_preview, reset_send
from clawback.steps.runtime import RunKind, RunRequest, Runtime


def preview(rt: Runtime, targets: Sequence[str], reason: str, world: World) -> dict[str, Any]:
    """What the reset would undo; reads only."""
    account = world.account
    with ImpactClient(account, gate=rt.gate(account.account_sid)) as client:
        return reset_preview(rt, client, targets, reason)


def reset_and_run(  # noqa: PLR0913, PLR0917 - what to undo, why, who says so, what they saw, where
    rt: Runtime, targets: Sequence[str], reason: str, by: str, seen: str, world: World
) -> dict[str, Any]:
    """Reset the targets, wait for the proof, and run their orders; gives the run's books."""
    account, tell = world.account, world.tell
    orders = reset_orders(rt, account.account_sid, targets)
    request = RunRequest(RunKind.MANUAL, order_ids=orders)
    preflight(rt, request, account.account_sid)
    with ImpactClient(account, gate=rt.gate(account.account_sid)) as client:
        send = partial(reset_send, rt, client, targets, reason, by=by, seen=seen)
        tell("reset_actions", until_done(send, world.wait))
        tell("confirm_resets", until_done(partial(reset_confirm, rt, client), world.wait))
    return run_program(rt, request, replace(world, approved_by=by))
