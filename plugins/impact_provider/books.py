"""close_books: closes the books, and says so: asset event, metrics, and at most one message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, AssetAlias

from impact_provider.links import run_link
from impact_provider.operators import StepOperator
from impact_provider.runtime import lost_tasks

if TYPE_CHECKING:
    from airflow.sdk import Context

    from clawback.steps.runtime import Runtime


def books_of(program: str) -> Asset:
    """The asset that a program's closed books are announced on, to schedule other Dags by."""
    return Asset(name=f"clawback_books_{program}")


class CloseOperator(StepOperator):
    """Closes the books whatever happened, then fails if any task of the run failed.

    `announces` is the program's name. A live run that ends well is announced on its asset; a dry
    run, or one with a failed part, is not, so that nothing downstream starts on it.
    """

    def __init__(self, *, announces: str, **kwargs: Any) -> None:
        super().__init__(outlets=[AssetAlias(f"clawback_runs_{announces}")], **kwargs)
        self.announces = announces

    def step(self, rt: Runtime, context: Context) -> Any:
        from clawback.steps.close import BooksDoNotBalanceError, RunFailedError, close

        failed = lost_tasks(context, own=self.task_id)
        try:
            books = close(rt, failed)
        except (BooksDoNotBalanceError, RunFailedError):
            self._tell(rt, failed, context)
            raise
        self._tell(rt, failed, context)
        if not rt.run().dry_run:
            measure(books)
            alias = AssetAlias(f"clawback_runs_{self.announces}")
            context["outlet_events"][alias].add(books_of(self.announces), extra=figures(books))
        return books

    def _tell(self, rt: Runtime, failed: Sequence[str], context: Context) -> None:
        from clawback.steps.tell import summary
        from impact_provider.notifier import post

        link = run_link(context)
        links = {"run": link} if "://" in link else {}
        post(rt.program.alerts, summary(rt, failed, links), self.log)


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


def measure(books: Mapping[str, Any]) -> None:
    """Send the books' figures as Airflow's own metrics, tagged with the program."""
    from airflow.sdk.observability import stats

    tags = {"program": str(books["program"])}
    for outcome, part in books["outcomes"].items():
        stats.gauge(f"clawback.lines.{outcome}", part["lines"], tags=tags)
    for state, n in books["changes"].items():
        stats.gauge(f"clawback.changes.{state}", n, tags=tags)
    stats.gauge("clawback.requests", books["requests"]["total"], tags=tags)
    for name in ("commission_recovered", "commission_lost_to_locking"):
        stats.gauge(f"clawback.{name}", float(books[name]), tags=tags)
