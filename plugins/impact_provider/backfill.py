"""returns_backfill: a window or certain orders of any program, by hand, window after window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, BaseOperator, Param

from clawback.clock import Clock
from impact_provider import runbook
from impact_provider.notifier import RunNotifier
from impact_provider.parts import (
    PROGRAM,
    by_hand,
    of_dry_run,
    of_orders,
    of_program,
    of_window,
)
from impact_provider.runtime import ParamsError, moment
from impact_provider.window import WindowOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

DAG_ID = "returns_backfill"
MOST_WINDOWS = 500


class SplitOperator(BaseOperator):
    """Looks whether the Params go together, and cuts the window; reads and sends nothing."""

    def execute(self, context: Context) -> list[dict[str, Any]]:
        windows = split(context["params"], Clock.from_env().now())
        self.log.info("%d windows, one after the other", len(windows))
        return windows


def split(params: Mapping[str, Any], now: datetime) -> list[dict[str, Any]]:
    """The windows of a backfill, oldest first; a window without an end reaches to `now`.

    Raises ParamsError where the Params do not go together, with the mend.
    """
    orders = [text.strip() for text in params.get("order_ids") or () if text.strip()]
    start, end = (moment(params, name) for name in ("window_start", "window_end"))
    if bool(orders) == bool(start or end):
        raise ParamsError("give either order_ids, or window_start with an optional window_end")
    if orders:
        unique = list(dict.fromkeys(orders))
        return [_window(f"{len(unique):,} orders", None, None, unique)]
    if start is None:
        raise ParamsError("window_end stands alone; give window_start as well")
    end = min(end or now, now)
    if end <= start:
        raise ParamsError(
            f"the window {start.isoformat()} to {end.isoformat()} is empty or lies in the future; "
            "window_start must lie before window_end and before now"
        )
    return _cut(start, end, timedelta(days=int(params["window_days"])))


def _cut(start: datetime, end: datetime, size: timedelta) -> list[dict[str, Any]]:
    count = -((start - end) // size)
    if count > MOST_WINDOWS:
        raise ParamsError(
            f"that makes {count:,} windows, and at most {MOST_WINDOWS} are run; raise window_days"
        )
    edges = [*(start + n * size for n in range(count)), end]
    return [
        _window(f"{since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M}", since, until, ())
        for since, until in pairwise(edges)
    ]


def _window(
    name: str, start: datetime | None, end: datetime | None, order_ids: Sequence[str]
) -> dict[str, Any]:
    return {
        "name": name,
        "start": start and start.isoformat(),
        "end": end and end.isoformat(),
        "order_ids": list(order_ids),
    }


def build() -> DAG:
    """The Dag `returns_backfill`; reads the names of the program files and nothing else."""
    dag = by_hand(
        DAG_ID,
        description="Reconciles past windows or certain orders, by hand; dry unless told otherwise",
        on_failure_callback=RunNotifier(),
        params=_params(),
        doc_md=runbook.BACKFILL,
    )
    with dag:
        windows = SplitOperator(task_id="split_windows", doc_md=runbook.TASKS["split_windows"])
        WindowOperator.partial(
            task_id="reconcile_window",
            program=PROGRAM,
            doc_md=runbook.TASKS["reconcile_window"],
            map_index_template="{{ task.summary }}",
            max_active_tis_per_dagrun=1,
        ).expand(window=windows.output)
    return dag


def _params() -> dict[str, Param]:
    return {
        "program": of_program(),
        **of_window(
            "Reconcile returns changed from this time on, with its offset, for example "
            "2026-11-01T00:00:00+01:00. Leave empty if you give order ids."
        ),
        "window_days": Param(
            7,
            type="integer",
            minimum=1,
            maximum=366,
            title="Days at a time",
            description="The window is cut into pieces of so many days, one run after the other.",
        ),
        **of_orders("Instead of a window: just these orders, one a line."),
        "dry_run": of_dry_run(
            "false sends. Empty or true: plans, closes its books, and sends nothing."
        ),
    }
