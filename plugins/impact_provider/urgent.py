"""submit_urgent: what locks soon does not wait for a person who is asked about the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from impact_provider.operators import StepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from clawback.steps.runtime import Runtime


class UrgentOperator(StepOperator):
    """Sends urgent changes within their own threshold, beside the gate; else nothing."""

    def step(self, rt: Runtime, context: Context) -> Any:  # noqa: ARG002  # the step's signature
        from clawback.steps.lane import submit_urgent

        with self.client(rt) as client:
            return submit_urgent(rt, client)
