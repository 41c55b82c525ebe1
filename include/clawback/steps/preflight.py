"""preflight: opens the run in the ledger and chooses the window that it reads."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from clawback.errors import ClawbackError
from clawback.ledger import runs
from clawback.ledger.runs import Run
from clawback.steps.runtime import RunRequest, Runtime


class WindowError(ClawbackError):
    """A run was asked for a window that cannot be read."""


def preflight(rt: Runtime, request: RunRequest, account_sid: str) -> dict[str, Any]:
    """Open the run and return its window; a retry finds it open and keeps the window.

    Raises WindowError for a window that ends before it starts or names only one of its ends.
    """
    now = rt.clock.now()
    with rt.ledger.begin() as conn:
        start, end = _window(rt, request, runs.watermark(conn, rt.program.name), now)
        run = Run(
            id=rt.run_id,
            program=rt.program.name,
            account=account_sid,
            kind=request.kind.value,
            dry_run=request.dry_run,
            window_start=start,
            window_end=end,
            order_ids=request.order_ids,
            read_no=None,
            opened_at=now,
            closed_at=None,
            deadline=None,
            books=None,
        )
        runs.open_run(conn, run, rt.program.campaign_id)
        kept = runs.get_run(conn, rt.run_id)
    return {
        "run_id": kept.id,
        "program": kept.program,
        "window_start": kept.window_start.isoformat(),
        "window_end": kept.window_end.isoformat(),
        "orders": len(kept.order_ids),
        "dry_run": kept.dry_run,
    }


def _window(
    rt: Runtime, request: RunRequest, watermark: datetime | None, now: datetime
) -> tuple[datetime, datetime]:
    if (request.start is None) != (request.end is None):
        missing = "end" if request.end is None else "start"
        raise WindowError(f"the window has no {missing}; give both its start and its end, or none")
    if request.start is not None and request.end is not None:
        if request.end <= request.start:
            raise WindowError(
                f"the window ends at {request.end.isoformat()}, which is not after its start "
                f"{request.start.isoformat()}; swap them"
            )
        return request.start, request.end
    since = watermark if watermark is not None else now - timedelta(rt.program.lookback_days)
    return since - timedelta(days=rt.program.overlap_days), now
