"""approve_changes: lets a plan within the thresholds pass, and waits for a person above them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator, HITLOperator
from airflow.sdk import Param

from impact_provider.links import PLAN, RUN_LINKS, put_links, returns_page
from impact_provider.runtime import opened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context

    from clawback.program import Program
    from clawback.steps.runtime import Runtime

BEFORE_NEXT = timedelta(hours=1)
"""How long before the next scheduled run an unanswered question ends."""
BY_HAND = timedelta(hours=24)
"""How long the question of a run that nobody scheduled stands."""
NOBODY = "unknown"
REASON = "reason"


class Gate(ApprovalOperator):
    """Asks a person about a run of `program`, with a reason to be given if they like.

    While it waits it is awaiting_input: no worker slot, no trigger. A time-out comes as Reject,
    which skips what is downstream; what it means is for those to say who keep the answer.
    """

    template_fields = (*ApprovalOperator.template_fields, "program")
    ui_color = "#fdf3d8"

    def __init__(self, *, program: str, subject: str, **kwargs: Any) -> None:
        # Airflow hands the Dag's own Params to every task; a person is asked for the reason alone.
        kwargs["params"] = {REASON: _reason()}
        super().__init__(
            subject=subject,
            body="",
            defaults=self.REJECT,
            response_timeout=BY_HAND,
            **kwargs,
        )
        self.program = program


class ApprovalGate(Gate):
    """Approves what the thresholds of `program` let pass; waits for a person about the rest.

    The answer and the person's name are in the ledger before Airflow goes on, and submit_changes
    sends only what the ledger says is approved, so that nothing depends on which tasks Airflow
    skips.
    """

    operator_extra_links = RUN_LINKS

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(subject="Approve the changes of this run?", **kwargs)

    def execute(self, context: Context) -> Any:
        from clawback.steps.approve import approve, ask
        from clawback.steps.show import command as csv_command

        with opened(self.program, context) as rt:
            told = approve(rt)
            if not told["waiting"]:
                return told
            shown = ask(rt)
            if not shown["changes"]:
                return told
            self.response_timeout = patience(rt.program, rt.run().kind, datetime.now(UTC))
            command = csv_command(rt.run())
        self.log.info("%s", told["said"])
        self.subject = f"Approve {shown['changes']:,} changes of {shown['program']}?"
        run = context["dag_run"]
        page = returns_page(run.dag_id, run.run_id, PLAN)
        plan = f"[The whole plan in the Returns page]({page}), or as CSV: `{command}`"
        self.body = f"{shown['markdown']}\n\n{_TERMS}\n\n{plan}"
        put_links(self, context, RUN_LINKS)
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Write the answer into the ledger, then let Airflow go on.

        Where urgent changes were let pass on their own, a refusal of the others skips nothing:
        submit_changes then sends the urgent ones alone. Raises PlanMovedError where the plan is
        not the one that was shown.
        """
        with opened(self.program, context) as rt:
            told = record(rt, event, approved=event["chosen_options"] == [self.APPROVE])
            goes_on = _approved(rt) > 0
        self.log.info("%s", told)
        if goes_on:
            return HITLOperator.execute_complete(self, context, event)
        return super().execute_complete(context, event)


_TERMS = (
    "**Approve** sends these changes; one whose action moves before it is sent is dropped and "
    "planned again. **Reject** holds them as *approval_refused*. Without an answer they stay "
    "planned, and the next run asks again."
)


def record(rt: Runtime, event: Mapping[str, Any], *, approved: bool) -> dict[str, Any]:
    """Keep what came of the question: approved or refused, and by whom, or nobody answered.

    A time-out comes as the default answer; it is no refusal, and holds nothing.
    """
    from clawback.steps.approve import approve, refuse, time_out

    if event.get("timedout"):
        return time_out(rt)
    name = answered_by(event)
    if approved:
        return approve(rt, name)
    return refuse(rt, name, reason_of(event))


def reason_of(event: Mapping[str, Any]) -> str:
    """Why the person answered as they did; may be empty."""
    return str((event.get("params_input") or {}).get(REASON) or "")


def answered_by(event: Mapping[str, Any]) -> str:
    """The name of the person who answered, as Airflow knows them."""
    user = event.get("responded_by_user") or {}
    return str(user.get("name") or user.get("id") or NOBODY)


def patience(program: Program, kind: str, now: datetime) -> timedelta:
    """How long a run of that kind waits for an answer from `now` (real time) on.

    A scheduled run waits until an hour before the next one, or half the time to it where the
    schedule is that dense; any other run waits a day.
    """
    if kind != "scheduled":
        return BY_HAND
    # Plain: Airflow's own times are pendulum's, whose spans cannot be told to its supervisor.
    left = timedelta(seconds=(_next(program, now) - now).total_seconds())
    return left - min(BEFORE_NEXT, left / 2)


def _next(program: Program, now: datetime) -> datetime:
    """When the program's schedule fires next, by Airflow's own reckoning."""
    from airflow.timetables.base import TimeRestriction
    from airflow.timetables.interval import CronDataIntervalTimetable
    from pendulum import instance

    table = CronDataIntervalTimetable(program.schedule, timezone=program.timezone)
    restriction = TimeRestriction(earliest=instance(now), latest=None, catchup=True)
    info = table.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)
    if info is None or info.data_interval is None:
        return now + BY_HAND + BEFORE_NEXT
    # Of the first whole interval from now on; if it starts just now, that run is the one that asks.
    start = info.data_interval.start
    return start if start > now else info.data_interval.end


def _approved(rt: Runtime) -> int:
    from sqlalchemy import func, select

    from clawback.ledger.tables import changes

    here = select(func.count()).where(changes.c.run_id == rt.run_id, changes.c.approved.is_(True))
    with rt.ledger.read() as conn:
        return int(conn.scalar(here) or 0)


def _reason() -> Param:
    return Param(
        None,
        type=["null", "string"],
        title="Reason",
        description="Why you refuse; kept in the ledger beside each change. May stay empty.",
    )
