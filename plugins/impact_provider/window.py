"""One window, or some orders, reconciled from beginning to end in one task that may sleep."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from clawback.clock import parse_time
from clawback.errors import ClawbackError
from impact_provider.links import RUN_LINKS
from impact_provider.operators import StepOperator, read_event
from impact_provider.runtime import returns_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from clawback.impact.client import ImpactClient
    from clawback.steps.runtime import Progress, RunRequest, Runtime

POLL = timedelta(seconds=30)
"""How often a window looks whether the one before it is done, and as much more for each further."""
LONGEST = timedelta(minutes=10)
UNDER_TEST = "dag_test"
"""Who has triggered a run of `airflow dags test`."""
FINISHED = frozenset({"success", "failed", "upstream_failed", "skipped", "removed"})


class WindowOperator(StepOperator):
    """Reconciles one `window` (name, start, end, order_ids) of a run that has several of them.

    The steps are those of the program's own Dag, and each attempt is a run of the ledger with its
    own books. Mapped, the windows run one after the other. What goes over the program's thresholds
    stays planned. It is dry unless the Param `dry_run` is false.
    """

    template_fields: Sequence[str] = ("program", "window")
    operator_extra_links = RUN_LINKS
    upgrades_ledger = True

    def __init__(self, *, window: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.window = window
        self.summary = "waiting"
        """What the grid shows for this mapped task."""
        self._shards: list[int] | None = None

    def execute(self, context: Context) -> Any:
        self.summary = str(self.window["name"])
        ahead = windows_ahead(context)
        if ahead:
            self._queue(ahead)
        return super().execute(context)

    def resume(self, context: Context, event: Any = None, shards: list[int] | None = None) -> Any:
        self.summary = str(self.window["name"])
        self._shards = shards
        return self._advance(context, read_event(event))

    def next_in_line(self, context: Context, event: Any = None) -> Any:
        """Look again whether it is this window's turn."""
        read_event(event)
        return self.execute(context)

    def _queue(self, ahead: int) -> None:
        from airflow.providers.standard.triggers.temporal import DateTimeTrigger

        until = datetime.now(UTC) + min(ahead * POLL, LONGEST)
        self.log.info("%d windows come before this one; looking again at %s", ahead, until)
        self.defer(trigger=DateTimeTrigger(moment=until), method_name="next_in_line")

    def part(self, context: Context) -> str:
        return f"/{context['ti'].map_index}.{context['ti'].try_number}"

    def carried(self) -> dict[str, Any]:
        return {"shards": self._shards}

    def step(self, rt: Runtime, context: Context) -> Any:
        from clawback.steps.close import close
        from clawback.steps.preflight import preflight

        if self._shards is None:
            preflight(rt, self.request(context), self.hook(rt).account().account_sid)
        with closing_failed(rt, self.task_id):
            progress = self._work(rt)
        if progress is not None:
            return progress
        books = close(rt)
        self.summary = f"{self.window['name']}: {_ended(books)}"
        return _told(books)

    def request(self, context: Context) -> RunRequest:
        """What the ledger's run of this window is asked to do."""
        from clawback.steps.runtime import RunKind, RunRequest

        dry_run = context["params"].get("dry_run")
        start, end = self.window["start"], self.window["end"]
        return RunRequest(
            kind=RunKind.BACKFILL,
            start=start and parse_time(start),
            end=end and parse_time(end),
            order_ids=tuple(self.window["order_ids"]),
            dry_run=dry_run is None or bool(dry_run),
        )

    def _work(self, rt: Runtime) -> Progress | None:
        """Everything between opening and closing; the Progress of a step that has to wait."""
        from clawback.steps.confirm import confirm

        with self.client(rt) as client:
            if self._shards is None:
                self._shards = self._plan(rt, client)
            steps = list(_sending(rt, client, self._shards))
            if not rt.run().dry_run:
                steps.append(partial(confirm, rt, client))
            for step in steps:
                progress = step()
                if not progress.done:
                    return progress
        return None

    def _plan(self, rt: Runtime, client: ImpactClient) -> list[int]:
        from clawback.steps.approve import approve
        from clawback.steps.extract import extract
        from clawback.steps.plan import plan
        from clawback.steps.sync import sync

        extract(rt, returns_of(rt.program))
        sync(rt, client)
        planned = plan(rt)
        shards: list[int] = planned.pop("shards")
        self.log.info("Planned: %s", planned)
        if shards:
            self.log.info("Approved: %s", approve(rt))
        return shards


def windows_ahead(context: Context) -> int:
    """How many windows of this run come before the task in `context` and have not ended.

    None under `airflow dags test`, which sleeps out every wait in its one process: it takes the
    windows in any order, and one that waited for another would wait for ever.
    """
    ti, run = context["ti"], context["dag_run"]
    if run.triggering_user_name == UNDER_TEST:
        return 0
    states = ti.get_task_states(dag_id=run.dag_id, task_ids=[ti.task_id], run_ids=[run.run_id])
    mine: Mapping[str, str] = states.get(run.run_id, {})
    names = (f"{ti.task_id}_{index}" for index in range(ti.map_index or 0))
    return sum(mine.get(name) not in FINISHED for name in names)


def _sending(
    rt: Runtime, client: ImpactClient, shards: Sequence[int]
) -> Iterator[Callable[[], Progress]]:
    from clawback.steps.prove import prove
    from clawback.steps.submit import submit

    if shards:
        yield partial(prove, rt, client)
    for shard in shards:
        yield partial(submit, rt, client, shard)


@contextmanager
def closing_failed(rt: Runtime, task_id: str) -> Iterator[None]:
    """Close the books of a run that breaks off here, with what was reached; its error goes on."""
    from clawback.impact.budget import BudgetSpent
    from clawback.impact.errors import RateLimited
    from clawback.steps.close import close

    try:
        yield
    except (BudgetSpent, RateLimited):
        raise
    except ClawbackError as error:
        try:
            close(rt, [task_id])
        except ClawbackError as closing:
            error.add_note(str(closing))
        raise


def _ended(books: Mapping[str, Any]) -> str:
    ended = {name: part["lines"] for name, part in books["outcomes"].items() if part["lines"]}
    return ", ".join(f"{n:,} {name}" for name, n in ended.items()) or "nothing to do"


def _told(books: Mapping[str, Any]) -> dict[str, Any]:
    """What of a window's books goes into XCom."""
    names = ("run_id", "lines", "changes", "commission_recovered", "commission_lost_to_locking")
    return {name: books[name] for name in names} | {
        "outcomes": {name: part["lines"] for name, part in books["outcomes"].items()}
    }
