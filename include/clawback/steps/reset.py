"""Reset: puts named actions back to what was first reported, to be planned anew.

RESET is the one write that raises an action (reference §3.3), so it is never planned: a person
names the actions, sees what will be undone, and says so. Afterwards an ordinary run over the
orders concerned brings them to the desired state.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from clawback.impact.budget import BudgetSpent
from clawback.impact.client import ImpactClient
from clawback.impact.errors import RateLimited
from clawback.ledger import resets
from clawback.ledger.resets import OPEN
from clawback.steps.reset_guard import (
    WARNING,
    ResetError,
    candidates,
    find_targets,
    fingerprint_of,
    order_ids_of,
)
from clawback.steps.reset_sender import ResetSender
from clawback.steps.reset_told import markdown
from clawback.steps.runtime import Progress, Runtime

__all__ = ["WARNING", "ResetError", "reset_confirm", "reset_orders", "reset_preview", "reset_send"]


def reset_orders(rt: Runtime, account_sid: str, targets: Sequence[str]) -> tuple[str, ...]:
    """The orders of some ActionIds or order ids: what the run after the reset is about.

    Raises ResetError for a target that the ledger does not know.
    """
    with rt.ledger.read() as conn:
        ids = find_targets(conn, rt, account_sid, targets)
        return tuple(order_ids_of(conn, rt, account_sid, ids))


def reset_preview(
    rt: Runtime, client: ImpactClient, targets: Sequence[str], reason: str
) -> dict[str, Any]:
    """What a reset would undo, action by action; one read each, nothing is written.

    `actions` may be reset, `refused` may not and say why. Raises ResetError for an unknown target
    or a missing reason.
    """
    _need_reason(reason)
    found = candidates(rt, client, targets)
    may = [c for c in found if not c.why]
    told = {
        "program": rt.program.name,
        "reason": reason,
        "warning": WARNING,
        "actions": [c.to_json() for c in may],
        "refused": [c.to_json() for c in found if c.why],
        "fingerprint": fingerprint_of(found),
    }
    return told | {"markdown": markdown(told)}


def reset_send(  # noqa: PLR0913 - what to undo, why, who says so, and what they were shown
    rt: Runtime,
    client: ImpactClient,
    targets: Sequence[str],
    reason: str,
    *,
    by: str,
    seen: str = "",
) -> Progress:
    """Send RESET for every target that may be reset; the run must be open (preflight).

    Each intent is in the ledger before its request leaves; called again, it goes on where it was.
    `seen` is the fingerprint of the preview that was approved: raises ResetError if the actions
    have changed since. A dry run sends nothing.
    """
    _need_reason(reason)
    sender = ResetSender(rt, client, rt.run())
    try:
        sender.send_all(candidates(rt, client, targets), reason, by, seen)
    except BudgetSpent as spent:
        return sender.later(rt.clock.real(spent.until), "budget")
    except RateLimited as limited:
        return sender.later(limited.retry_at, "budget")
    return Progress(done=True, counts=dict(sender.counts))


def reset_confirm(rt: Runtime, client: ImpactClient) -> Progress:
    """Look once whether the run's resets have taken effect: amount and items back at first.

    What is back has its generation raised and what we had settled forgotten, so that the run can
    plan it anew. Not done while one is awaited; after the program's deadline it counts as lost.
    """
    run = rt.run()
    sender = ResetSender(rt, client, run)
    with rt.ledger.read() as conn:
        rows = [row for row in resets.of_run(conn, run.id) if row["state"] in OPEN]
    try:
        waiting = [row for row in rows if not sender.settle(row)]
    except BudgetSpent as spent:
        return sender.later(rt.clock.real(spent.until), "budget")
    except RateLimited as limited:
        return sender.later(limited.retry_at, "budget")
    sender.counts["waiting"] = len(waiting)
    if not waiting:
        return Progress(done=True, counts=dict(sender.counts))
    age = rt.clock.now() - max(row["sent_at"] for row in waiting)
    pace = rt.program.confirm
    seconds = min(max(pace.poll_seconds, age.total_seconds() / 2), pace.poll_seconds_most)
    return sender.later(rt.clock.real(rt.clock.now() + timedelta(seconds=seconds)), "reset")


def _need_reason(reason: str) -> None:
    if not reason.strip():
        raise ResetError("a reset needs a reason; it is kept in the ledger for whoever asks")
