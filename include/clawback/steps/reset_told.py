"""How a reset is told to people: what it would undo, and what came of it."""

from __future__ import annotations

from typing import Any

from clawback.ledger import resets
from clawback.ledger.resets import ResetState
from clawback.steps.reset_guard import WARNING, ResetError
from clawback.steps.runtime import Runtime

_ENDS = {
    ResetState.DONE: "is back to what was first reported",
    ResetState.REFUSED: "was refused by impact.com",
    ResetState.LOST: "was accepted by impact.com and never showed",
    ResetState.UNSENT: "was not sent",
}


def markdown(told: dict[str, Any]) -> str:
    """A preview, for the person who is to approve it."""
    rows = [
        f"| {a['order_id']} | {a['action_id']} | {a['state']} {a['amount']} {a['currency']} "
        f"| {a['original_amount'] or '?'} | {', '.join(a['items']) or '-'} |"
        for a in told["actions"]
    ]
    head = [f"**Reset {len(told['actions'])} actions** ({told['reason']})", "", WARNING, ""]
    table = ["| order | action | now | back to | items |", "|---|---|---:|---:|---|", *rows]
    refused = [f"- {a['action_id']} is left alone: {a['why']}" for a in told["refused"]]
    return "\n".join([*head, *(table if rows else []), *([""] if refused else []), *refused])


def ends(rt: Runtime) -> list[str]:
    """A line for each reset of the run that has ended; raises ResetError where none was made."""
    with rt.ledger.read() as conn:
        rows = resets.of_run(conn, rt.run_id)
    lines = [
        f"{row['action_id']} {_ENDS[ResetState(row['state'])]}: {row['error'] or 'proved'}"
        for row in rows
        if row["state"] in _ENDS
    ]
    if rows and all(row["state"] != ResetState.DONE for row in rows):
        raise ResetError(
            f"no action was reset ({'; '.join(lines)}); see `clawback explain` of the order"
        )
    return lines
