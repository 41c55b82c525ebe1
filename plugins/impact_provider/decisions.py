"""hold_decisions: a person's answer to held orders, checked, and kept in the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, BaseOperator, Param

from clawback.clock import Clock
from impact_provider import runbook_by_hand
from impact_provider.notifier import RunNotifier
from impact_provider.parts import (
    PROGRAM,
    by_hand,
    of_dry_run,
    of_orders,
    of_program,
    of_reason,
)
from impact_provider.runtime import ParamsError

if TYPE_CHECKING:
    from airflow.sdk import Context

DAG_ID = "hold_decisions"


class DecideOperator(BaseOperator):
    """Keeps one answer for the orders that the Params name, on all of them or on none.

    Who decides is the user who triggered the run. Raises ParamsError where the Params do not go
    together, and DecisionError where the answer does not fit an order.
    """

    template_fields: Sequence[str] = ("program",)

    def __init__(self, *, program: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.program = program

    def execute(self, context: Context) -> list[dict[str, Any]]:
        from clawback.ledger.store import Ledger
        from clawback.program import Program, find_program

        params, by = context["params"], who(context)
        program = Program.load(find_program(self.program))
        with Ledger.open() as ledger:
            kept = _decided(ledger, program, params, by)
        for one in kept:
            self.log.info("%s", _line(one, dry_run=bool(params["dry_run"])))
        return kept


def who(context: Context) -> str:
    """The user who triggered the run, as Airflow knows them; raises ParamsError for nobody."""
    name = context["dag_run"].triggering_user_name
    if not name:
        raise ParamsError(
            "Airflow does not say who triggered this run, and a decision needs a name: trigger the "
            "Dag in the UI or through the REST interface, or use `clawback decide`"
        )
    return name


def _decided(ledger: Any, program: Any, params: Mapping[str, Any], by: str) -> list[dict[str, Any]]:
    from clawback.steps.decide import decide_all, decide_held

    orders = [text.strip() for text in params["order_ids"] or () if text.strip()]
    hold = params["hold"]
    if bool(orders) == bool(hold):
        raise ParamsError("give either order_ids, or hold: every order that is held for it")
    given: dict[str, Any] = {
        "verb": params["verb"],
        "value": params["value"] or "",
        "reason": params["reason"],
        "by": by,
        "now": Clock.from_env().now(),
        "dry_run": bool(params["dry_run"]),
    }
    if hold:
        return decide_held(ledger, program, hold, **given)
    return decide_all(ledger, program, orders, **given)


def _line(kept: Mapping[str, Any], *, dry_run: bool) -> str:
    what = " ".join(filter(None, (kept["verb"], kept["value"])))
    gone = f", instead of {len(kept['withdrawn'])} before" if kept["withdrawn"] else ""
    end = "would be kept" if dry_run else "kept; the next run takes it up"
    return f"order {kept['order_id']}: {what} by {kept['by']}{gone} {end}"


def build() -> DAG:
    """The Dag `hold_decisions`; reads the names of the program files and nothing else."""
    dag = by_hand(
        DAG_ID,
        "decisions",
        description="Answers held orders; the next run takes it up",
        on_failure_callback=RunNotifier(),
        params=_params(),
        doc_md=runbook_by_hand.DECISIONS,
    )
    with dag:
        DecideOperator(task_id="decide", program=PROGRAM, doc_md=runbook_by_hand.TASKS["decide"])
    return dag


def _params() -> dict[str, Param]:
    from clawback.reconcile.outcomes import Hold
    from clawback.steps.verbs import VERBS, WITHDRAW

    return {
        "program": of_program(),
        **of_orders("The orders that are decided on, one a line, as the warehouse writes them."),
        "hold": Param(
            None,
            type=["null", "string"],
            enum=[None, *(hold.value for hold in Hold)],
            title="Or every order held for",
            description="Instead of order ids: every order of the program that is held for this.",
        ),
        "verb": Param(
            type="string",
            enum=[*VERBS, WITHDRAW],
            title="Answer",
            description="; ".join(f"{verb}: {means}" for verb, means in VERBS.items())
            + f"; {WITHDRAW}: take back what was answered before",
        ),
        "value": Param(
            None,
            type=["null", "string"],
            maxLength=255,
            title="Value",
            description="What the answer is about: an ActionId, a return id, a hold reason, impact "
            "or warehouse, or the answer to withdraw. See docs/runbook.md; often empty.",
        ),
        "reason": of_reason("Why you decide so."),
        "dry_run": of_dry_run(
            "true checks the answer against every order and keeps nothing. Empty or false: keeps."
        ),
    }
