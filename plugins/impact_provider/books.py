"""close_books: closes the books, and says so: asset event, metrics, and at most one message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, AssetAlias

from impact_provider.links import RUN_LINKS
from impact_provider.notifier import links_of, tell_once
from impact_provider.operators import StepOperator
from impact_provider.runtime import lost_tasks

if TYPE_CHECKING:
    from airflow.sdk import Context

    from clawback.steps.runtime import Runtime


RED = frozenset({"failed"})
"""The state of a task that failed itself, and not for another's failure."""


def books_of(program: str) -> Asset:
    """The asset that a program's closed books are announced on, to schedule other Dags by."""
    return Asset(name=f"clawback_books_{program}")


class CloseOperator(StepOperator):
    """Closes the books whatever happened, then fails if any task of the run failed.

    `announces` is the program's name. A live run that ends well is announced on its asset; a dry
    run, or one with a failed part, is not, so that nothing downstream starts on it.
    """

    operator_extra_links = RUN_LINKS

    def __init__(self, *, announces: str, **kwargs: Any) -> None:
        super().__init__(outlets=[AssetAlias(f"clawback_runs_{announces}")], **kwargs)
        self.announces = announces

    def step(self, rt: Runtime, context: Context) -> Any:
        from clawback.ledger.runs import UnknownRunError
        from clawback.steps.close import BooksDoNotBalanceError, RunFailedError, close

        failed = lost_tasks(context, own=self.task_id)
        try:
            books = close(rt, failed)
        except (BooksDoNotBalanceError, RunFailedError):
            self._say(rt, context, failed)
            raise
        except UnknownRunError:
            self._say_bare(rt, context)
            raise
        self._say(rt, context, failed)
        if not rt.run().dry_run:
            alias = AssetAlias(f"clawback_runs_{self.announces}")
            context["outlet_events"][alias].add(books_of(self.announces), extra=figures(books))
        return books

    def _say(self, rt: Runtime, context: Context, failed: Sequence[str]) -> None:
        """Post what is due, and send the figures of a live run, failed or not."""
        from clawback.steps.tell import summary

        red = lost_tasks(context, self.task_id, RED) if failed else []
        tell_once(rt, summary(rt, red or failed, _links(context)), self.log)
        run = rt.run()
        if run.books is not None and not run.dry_run:
            measure(rt, run.books)

    def _say_bare(self, rt: Runtime, context: Context) -> None:
        """Post that the run broke off before it was opened."""
        from clawback.steps.tell import bare_summary

        red = lost_tasks(context, self.task_id, RED) or [self.task_id]
        tell_once(rt, bare_summary(rt.program, rt.run_id, red, _links(context)), self.log)


def _links(context: Context) -> dict[str, str]:
    run = context["dag_run"]
    return links_of(run.dag_id, run.run_id)


def figures(books: Mapping[str, Any]) -> dict[str, Any]:
    """What of the books an asset event carries: counts, and money as text in `currency`."""
    names = (
        "program",
        "run_id",
        "currency",
        "lines",
        "changes",
        "commission_recovered",
        "commission_lost_to_locking",
    )
    return {name: books[name] for name in names} | {
        "requests": books["requests"]["total"],
        "outcomes": {name: part["lines"] for name, part in books["outcomes"].items()},
    }


def measure(rt: Runtime, books: Mapping[str, Any]) -> None:
    """Send the run's figures as gauges of Airflow's own metrics, tagged with the program."""
    from airflow.sdk.observability import stats

    from clawback.steps.measure import measures

    for one in measures(rt, books):
        stats.gauge(one.name, one.value, tags=dict(one.tags))
