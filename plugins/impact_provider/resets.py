"""action_reset: undoes what was done to some actions, with a person's word, and does it anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, BaseOperator, Param

from impact_provider import runbook_by_hand
from impact_provider.approval import Gate, answered_by, reason_of
from impact_provider.links import run_link
from impact_provider.notifier import RunNotifier
from impact_provider.operators import StepOperator
from impact_provider.parts import by_hand, named, of_dry_run, of_reason, reconciled, tasks_of
from impact_provider.runtime import opened
from impact_provider.window import closing_failed

if TYPE_CHECKING:
    from airflow.sdk import Context

    from clawback.program import Program
    from clawback.steps.runtime import Runtime

BASE_ID = "action_reset"
PREVIEW = "preview_reset"


def targets_of(params: Mapping[str, Any]) -> list[str]:
    """The ActionIds and order ids that a run is about."""
    return [str(target) for target in params["targets"]]


class PreviewOperator(StepOperator):
    """Opens a run about the orders of the actions, and shows what a reset would undo."""

    upgrades_ledger = begins = True

    def step(self, rt: Runtime, context: Context) -> Any:
        from clawback.steps.preflight import preflight
        from clawback.steps.reset import reset_orders, reset_preview
        from clawback.steps.runtime import RunKind, RunRequest

        params = context["params"]
        account, targets = self.hook(rt).account().account_sid, targets_of(params)
        orders = reset_orders(rt, account, targets)
        dry_run = bool(params.get("dry_run"))
        preflight(rt, RunRequest(RunKind.MANUAL, order_ids=orders, dry_run=dry_run), account)
        with closing_failed(rt, self.task_id), self.client(rt) as client:
            shown = reset_preview(rt, client, targets, params["reason"])
            self.log.info("%s", shown["markdown"])
            _need_some(shown)
        return shown


def _need_some(shown: Mapping[str, Any]) -> None:
    from clawback.steps.reset import ResetError

    if not shown["actions"]:
        why = "; ".join(f"{one['action_id']}: {one['why']}" for one in shown["refused"])
        raise ResetError(f"none of these actions may be reset: {why}")


class ResetGate(Gate):
    """Shows what will be undone, with impact.com's warning, and waits for a person's word."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(subject="Reset these actions?", **kwargs)

    def execute(self, context: Context) -> Any:
        from clawback.steps.reset_word import asked

        shown = context["ti"].xcom_pull(task_ids=PREVIEW)
        with opened(self.program, context) as rt:
            if rt.run().dry_run:
                return None
            asked(rt, shown)
        self.subject = f"Reset {len(shown['actions']):,} actions of {shown['program']}?"
        self.body = f"{shown['markdown']}\n\n{_TERMS}\n\n[The log]({run_link(context, PREVIEW)})"
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Write the answer into the ledger, then let Airflow go on."""
        from clawback.steps import reset_word

        shown = context["ti"].xcom_pull(task_ids=PREVIEW)
        with opened(self.program, context) as rt:
            if event.get("timedout"):
                told = reset_word.timed_out(rt)
            elif event["chosen_options"] == [self.APPROVE]:
                told = reset_word.approved(rt, answered_by(event), shown["fingerprint"])
            else:
                told = reset_word.refused(rt, answered_by(event), reason_of(event))
        self.log.info("%s", told)
        return super().execute_complete(context, event)


_TERMS = (
    "**Approve** sends these resets, waits until they show, and then brings the orders to what "
    "the returns ask for, without asking again. **Reject**, or no answer within 24 hours, sends "
    "nothing. If an action moves before it is sent, nothing is sent at all."
)


class ResetOperator(StepOperator):
    """Sends RESET for what was approved, each intent written to the ledger first."""

    def step(self, rt: Runtime, context: Context) -> Any:
        from clawback.steps.reset import reset_send
        from clawback.steps.reset_word import Word, word_of

        word = Word("", "") if rt.run().dry_run else word_of(rt)
        params = context["params"]
        send = partial(reset_send, by=word.by, seen=word.seen)
        with self.client(rt) as client:
            return send(rt, client, targets_of(params), params["reason"])


class ResetConfirmOperator(StepOperator):
    """Waits until every reset has shown, was refused or is lost; asleep between two looks."""

    def step(self, rt: Runtime, context: Context) -> Any:  # noqa: ARG002  # the step's signature
        from clawback.steps.reset import reset_confirm
        from clawback.steps.reset_told import ends

        with self.client(rt) as client:
            progress = reset_confirm(rt, client)
        if progress.done:
            for line in ends(rt):
                self.log.info("%s", line)
        return progress


class WordOperator(StepOperator):
    """Approves the new plan of the orders, by the word that the reset was approved with."""

    def step(self, rt: Runtime, context: Context) -> Any:  # noqa: ARG002  # the step's signature
        from clawback.steps.approve import approve
        from clawback.steps.reset_word import word_of

        return approve(rt) if rt.run().dry_run else approve(rt, word_of(rt).by)


def build(program_file: str, program: Program) -> DAG:
    """The Dag `action_reset` of a program, or `action_reset__NAME`; reads nothing."""
    dag = by_hand(
        named(BASE_ID, program.name),
        "reset",
        f"program:{program.name}",
        description=f"Resets actions of campaign {program.campaign_id}, and does them anew",
        on_failure_callback=RunNotifier(program_file),
        params=_params(),
        doc_md=runbook_by_hand.RESET.format(name=program.name, campaign=program.campaign_id),
    )
    with dag:
        of = tasks_of(program_file)
        first: Sequence[BaseOperator] = (
            PreviewOperator(**of(PREVIEW)),
            ResetGate(**of("approve_reset")),
            ResetOperator(**of("reset_actions")),
            ResetConfirmOperator(**of("confirm_resets")),
        )
        again = WordOperator(**of("approve_changes", doc_md=runbook_by_hand.APPROVED_WITH_RESET))
        reconciled(of, program.name, again, first)
    return dag


def _params() -> dict[str, Param]:
    return {
        "targets": Param(
            type="array",
            items={"type": "string", "minLength": 1, "maxLength": 255},
            minItems=1,
            maxItems=500,
            title="Actions or orders",
            description="ActionIds or order ids, one a line, for example 1000.4636.77 or A-1001. "
            "An order id stands for every action of the order.",
        ),
        "reason": of_reason("Why these actions are reset, for example: return withdrawn."),
        "dry_run": of_dry_run(
            "true shows what a reset would undo, asks nobody and sends nothing. Empty or false: "
            "asks a person, and sends what they approve."
        ),
    }
