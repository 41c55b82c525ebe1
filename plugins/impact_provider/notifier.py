"""Posts a run's summary through an Airflow http connection, to Slack, Teams or any webhook."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow.sdk import BaseNotifier

from clawback.errors import ClawbackError
from impact_provider.links import PLAN, page_of, returns_page

if TYPE_CHECKING:
    from airflow.sdk import Context

    from clawback.program import Alerts, Program
    from clawback.steps.runtime import Runtime

SECONDS = 30
"""How long a webhook may take to answer."""


class RunNotifier(BaseNotifier):
    """Tells that a run of `program` failed (as a Dag's callback) or missed its deadline.

    The run's own close_books tells what it found; this is for what close_books cannot tell: that
    it failed itself, or that the run is still open. No message about a run tells the same twice,
    and none is sent where the program names no connection. Without a program it is the one of the
    run's Param `program`, those of its Param `programs`, or else all of them: each connection that
    they name is told once.
    """

    def __init__(self, program: str = "", context: Context | None = None) -> None:
        super().__init__(context=context)
        self.program = program

    def render_template_fields(self, context: Context, jinja_env: Any = None) -> None:
        """Nothing here is a template; `airflow dags test` has no Dag that could render one."""

    def notify(self, context: Context) -> None:
        params: Mapping[str, Any] = context.get("params") or {}
        named = self.program or params.get("program")
        chosen = [str(named)] if named else [str(name) for name in params.get("programs") or ()]
        self._tell(_Run.of(context), chosen, late=False)

    async def async_notify(self, context: Context) -> None:
        from asgiref.sync import sync_to_async

        # In a thread of its own, for ledger and webhook would hold up every other trigger.
        tell = sync_to_async(self._tell, thread_sensitive=False)
        await tell(_Run.of(context), [self.program], late=True)

    def _tell(self, run: _Run, names: Sequence[str], *, late: bool) -> None:
        for program in _programs(names):
            tell(program, run, self.log, late=late)


class _Run(NamedTuple):
    """A Dag run, as far as a callback is told of it."""

    dag_id: str
    run_id: str
    failed: str

    @classmethod
    def of(cls, context: Mapping[str, Any]) -> _Run:
        """The run in a callback's context; a deadline's holds it as JSON."""
        run = context.get("dag_run")
        if isinstance(run, Mapping):
            return cls(str(run["dag_id"]), str(run["dag_run_id"]), "")
        task = context.get("task_instance")
        failed = str(context.get("reason") or "the run") if task is None else task.task_id
        dag_id = run.dag_id if run is not None else context["dag"].dag_id
        return cls(str(dag_id), str(context["run_id"]), str(failed))


def _programs(names: Sequence[str]) -> Iterator[Program]:
    """Of the programs of these names, or of all, one for each connection that they name."""
    from clawback.program import Program, ProgramError, find_program, programs_home

    known = set()
    for path in [find_program(name) for name in names] or sorted(programs_home().glob("*.yaml")):
        try:
            program = Program.load(path)
        except ProgramError:  # its own Dag says so
            continue
        if program.alerts.connection not in known:
            known.add(program.alerts.connection)
            yield program


def tell(program: Program, run: _Run, log: Any, *, late: bool) -> bool:
    """Post what is known of a failed or a late run; whether a message was sent."""
    from clawback.clock import Clock
    from clawback.ledger import passes
    from clawback.ledger.runs import UnknownRunError
    from clawback.ledger.store import Ledger
    from clawback.steps.runtime import Runtime
    from clawback.steps.tell import bare_summary, summary

    if not program.alerts.connection:
        return False
    run_id, links = f"{run.dag_id}/{run.run_id}", links_of(run.dag_id, run.run_id)
    failed = [] if late else [run.failed]
    bare = bare_summary(program, run_id, failed, links)
    try:
        with Ledger.open(upgrade=False) as ledger:
            with ledger.read() as conn:
                newest = passes.latest(conn, run_id)
            rt = Runtime(ledger, program, Clock.from_env(), newest)
            try:
                told = summary(rt, failed, links, late=late)
            except UnknownRunError:  # it broke off before preflight had opened it
                told = bare
            return tell_once(rt, told, log)
    except ClawbackError as error:
        log.warning("Only the failure itself can be told: %s", error)
    return post(program.alerts, bare, log)


def tell_once(rt: Runtime, told: Mapping[str, Any], log: Any) -> bool:
    """Post a summary if it tells an alert that no message of this run has told; whether it did."""
    from clawback.steps.tell import say, unsaid

    if not unsaid(rt, told):
        return False
    sent = post(rt.program.alerts, told, log)
    if sent:
        say(rt, told)
    return sent


def links_of(dag_id: str, run_id: str) -> dict[str, str]:
    """Where a message about a run leads; nothing where Airflow does not know its own address."""
    pages = {
        "run": page_of(dag_id, run_id),
        "plan": returns_page(dag_id, run_id, PLAN),
        "books": returns_page(dag_id, run_id),
    }
    return {name: page for name, page in pages.items() if "://" in page}


def post(alerts: Alerts, told: Mapping[str, Any], log: Any) -> bool:
    """Send one message if an alert is due and the program names a connection; whether it was sent.

    The webhook's path belongs into the connection's host. A message that cannot be delivered is
    told in `log`, the task's, and never fails the run: its books are closed already.
    """
    if not (alerts.connection and told["alerts"]):
        return False
    from airflow.providers.http.hooks.http import HttpHook
    from airflow.sdk.exceptions import AirflowException
    from requests import RequestException

    from clawback.steps.message import body_of

    body = json.dumps(body_of(told, alerts.style))
    try:
        hook = HttpHook(method="POST", http_conn_id=alerts.connection)
        # Not the hook's own run(): it logs the address, and a webhook's address is its secret.
        with hook.get_conn({"Content-Type": "application/json"}) as session:
            answer = session.post(hook.url_from_endpoint(None), data=body, timeout=SECONDS)
        answer.raise_for_status()
    except (AirflowException, RequestException, ValueError) as error:
        log.warning(
            "The alert could not be posted through the connection %r (%s); mend it under Admin > "
            "Connections",
            alerts.connection,
            type(error).__name__,
        )
        return False
    log.info("Posted: %s", ", ".join(alert["name"] for alert in told["alerts"]))
    return True
