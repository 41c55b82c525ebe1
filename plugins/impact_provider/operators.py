"""The tasks of a reconciliation run: each opens the run's runtime and calls one step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import BaseOperator

from impact_provider.errors import EventError
from impact_provider.hooks import ImpactHook
from impact_provider.links import LINKS, RUN_LINKS, show_links
from impact_provider.runtime import opened, request_of, returns_of

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.triggers.base import BaseTrigger

    from clawback.impact.client import ImpactClient
    from clawback.steps.runtime import Progress, Runtime

COUNTS = "counts"
"""The XCom key under which plan_changes leaves its figures; its return value are the shards."""


class StepOperator(BaseOperator):
    """One step of a run of `program` (a file name below include/programs, or a path).

    A step that may not send for now (the request budget is spent), or that waits for evidence,
    defers and frees its slot; it is then called again, and goes on from the ledger.
    """

    ui_color = "#f4f6fb"
    upgrades_ledger = False
    begins = False
    """Whether this task opens the ledger's run."""
    template_fields: Sequence[str] = ("program",)

    def __init__(self, *, program: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.program = program
        self.action_url = ""
        """Where the link to impact.com leads, once the task knows."""

    def step(self, rt: Runtime, context: Context) -> Any:
        """The work; returns a small result for XCom, or Progress."""
        raise NotImplementedError

    def execute(self, context: Context) -> Any:
        return self._advance(context, {})

    def resume(self, context: Context, event: Any = None) -> Any:
        """Go on after a wait; raises EventError for an event that no trigger of ours sends."""
        return self._advance(context, read_event(event))

    def part(self, context: Context) -> str:  # noqa: ARG002  # for those whose Dag run makes several
        """What is added to the id of the ledger's run; nothing where the Dag run makes one."""
        return ""

    def carried(self) -> dict[str, Any]:
        """What `resume` is given after a wait, besides the event; small JSON."""
        return {}

    def _advance(self, context: Context, seen: Mapping[str, int]) -> Any:
        from clawback.steps.runtime import Progress

        part = self.part(context)
        how: dict[str, Any] = {"upgrade": self.upgrades_ledger, "part": part, "begins": self.begins}
        with opened(self.program, context, **how) as rt:
            _count(rt, seen)
            asked_at = rt.clock.now()
            result = self._step_in_budget(rt, context)
            if isinstance(result, Progress) and not result.done:
                self._wait(rt, result, asked_at)
        return result.counts if isinstance(result, Progress) else result

    def _step_in_budget(self, rt: Runtime, context: Context) -> Any:
        """The step's result, or the Progress of one that may not send for now."""
        from clawback.impact.budget import BudgetSpent
        from clawback.impact.errors import RateLimited
        from clawback.steps.runtime import Progress

        try:
            return self.step(rt, context)
        except BudgetSpent as spent:
            until = rt.clock.real(spent.until)
        except RateLimited as limited:
            until = limited.retry_at
        return Progress(done=False, wait_until=until, waiting_for="budget")

    def _wait(self, rt: Runtime, progress: Progress, asked_at: datetime) -> NoReturn:
        from airflow.providers.standard.triggers.temporal import DateTimeTrigger

        from impact_provider.triggers import ConfirmTrigger

        until = progress.wait_until or datetime.now(UTC)
        self.log.info("Waiting for %s until %s", progress.waiting_for or "its time", until)
        trigger: BaseTrigger = DateTimeTrigger(moment=until)
        if progress.waiting_for == "evidence":
            trigger = ConfirmTrigger.of(rt, progress, since=asked_at)
        self.defer(trigger=trigger, method_name="resume", kwargs=self.carried())

    def hook(self, rt: Runtime) -> ImpactHook:
        return ImpactHook(rt.program.connections.impact, rt.program.campaign_id)

    def client(self, rt: Runtime) -> ImpactClient:
        """A client of the program's account whose requests the ledger counts and holds back."""
        hook = self.hook(rt)
        return hook.client(rt.gate(hook.account().account_sid))


def read_event(event: Any) -> dict[str, int]:
    """The requests that a trigger of ours sent while the task slept, by kind.

    Raises EventError for None, for anything else than our triggers' events, and for a status that
    this version does not know.
    """
    from impact_provider.triggers import STATUSES

    if isinstance(event, datetime):
        return {}
    if isinstance(event, Mapping) and event.get("status") in STATUSES:
        count = int(event.get("requests", 0))
        return {str(event.get("kind", "other")): count} if count else {}
    raise EventError(
        f"The trigger resumed this task with {event!r}, which no trigger of Clawback sends; clear "
        "the task to run it again, and see that workers and triggerer run the same version."
    )


def _count(rt: Runtime, requests: Mapping[str, int]) -> None:
    from clawback.ledger.runs import count_requests

    if requests:
        with rt.ledger.begin() as conn:
            for kind, count in requests.items():
                count_requests(conn, rt.run_id, kind, count)


class PreflightOperator(StepOperator):
    """Opens the run in the ledger, chooses its window, and looks whether the set-up can work."""

    upgrades_ledger = begins = True

    def step(self, rt: Runtime, context: Context) -> Any:
        from clawback.steps.precheck import ListeningGate, precheck
        from clawback.steps.preflight import preflight

        hook = self.hook(rt)
        account = hook.account().account_sid
        told = preflight(rt, request_of(context, rt.clock.now()), account)
        gate = ListeningGate(rt.gate(account), rt.clock)
        with hook.client(gate) as client:
            for check in precheck(rt.program, client, gate, returns_of(rt.program)):
                self.log.info("%-5s %-12s %s", check.status, check.name, check.said)
        return told


class ExtractOperator(StepOperator):
    """Reads the return lines of the window from the warehouse."""

    def step(self, rt: Runtime, context: Context) -> Any:  # noqa: ARG002  # the step's signature
        from clawback.steps.extract import extract

        return extract(rt, returns_of(rt.program))


class SyncOperator(StepOperator):
    """Lists impact.com's actions and their updates."""

    def step(self, rt: Runtime, context: Context) -> Any:  # noqa: ARG002  # the step's signature
        from clawback.steps.sync import sync

        with self.client(rt) as client:
            return sync(rt, client)


class PlanOperator(StepOperator):
    """Works out the changes; returns the shards that submit_changes is mapped over.

    A shard is its number and what the grid calls it. The plan is a table in the log, and a CSV
    file where CLAWBACK_PLANS names a folder.
    """

    operator_extra_links = RUN_LINKS

    def step(self, rt: Runtime, context: Context) -> Any:
        from clawback.steps import show
        from clawback.steps.plan import plan

        counts = plan(rt)
        shards, names = counts.pop("shards"), show.labels(rt)
        context["ti"].xcom_push(COUNTS, counts)
        self.log.info("Planned: %s", counts)
        self.log.info("%s", show.table(rt))
        self._keep(rt)
        return [{"shard": n, "name": names[n] if n < len(names) else ""} for n in shards]

    def _keep(self, rt: Runtime) -> None:
        from clawback.steps.show import PLANS_ENV, keep_csv

        try:
            path = keep_csv(rt)
        except OSError as error:
            self.log.warning("The plan could not be kept as CSV (%s); mend %s", error, PLANS_ENV)
            return
        if path is not None:
            self.log.info("The plan is kept as %s", path)


class ProveOperator(StepOperator):
    """Sends the canary and waits for its proof."""

    def step(self, rt: Runtime, context: Context) -> Any:  # noqa: ARG002  # the step's signature
        from clawback.steps.prove import prove

        with self.client(rt) as client:
            return prove(rt, client)


class SubmitOperator(StepOperator):
    """Sends the approved changes of one shard, which is its number, or that and its name."""

    operator_extra_links = LINKS

    def __init__(self, *, shard: int | Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        told: Mapping[str, Any] = shard if isinstance(shard, Mapping) else {"shard": shard}
        self.shard = int(told["shard"])
        self.summary = str(told.get("name") or f"shard {self.shard}")
        """What the grid shows for this mapped task, before it runs and when it has ended."""

    def step(self, rt: Runtime, context: Context) -> Any:
        from clawback.steps.submit import submit

        show_links(self, context, rt, self.shard)
        with self.client(rt) as client:
            progress = submit(rt, client, self.shard)
        lost = [f"{n:,} {name}" for name, n in progress.counts.items() if n and name != "sent"]
        self.summary = " · ".join([self.summary, *(text.replace("_", " ") for text in lost)])
        return progress


class ConfirmOperator(StepOperator):
    """Waits until every sent change is seen at impact.com, refused or out of time."""

    operator_extra_links = LINKS

    def step(self, rt: Runtime, context: Context) -> Any:
        from clawback.steps.confirm import confirm
        from clawback.steps.runtime import Progress

        if rt.run().dry_run:
            return Progress(done=True)
        show_links(self, context, rt)
        with self.client(rt) as client:
            return confirm(rt, client)
