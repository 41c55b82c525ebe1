"""Which failures Airflow retries: outages yes, what a person must mend no."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

from airflow.sdk import (
    Context,
    ExceptionRetryPolicy,
    RetryAction,
    RetryDecision,
    RetryPolicy,
    RetryRule,
)

TRANSIENT = (
    "clawback.impact.errors.Unavailable",
    "clawback.impact.errors.MalformedAnswer",
    "clawback.ledger.store.LedgerError",
    "impact_provider.errors.WarehouseAwayError",
)
PERMANENT = (
    "clawback.errors.ClawbackError",
    "clawback.warehouse.errors.WarehouseError",
)


class ByError(RetryPolicy):
    """Fails at once on credentials and configuration, comes back when told, backs off otherwise.

    The rules are made when the first task fails, because naming the error classes imports them,
    and parsing a Dag file must stay quick.
    """

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        told = getattr(exception, "retry_at", None)
        if isinstance(told, datetime):
            delay = max(told - datetime.now(UTC), timedelta())
            return RetryDecision.retry(delay, f"impact.com asks to come back at {told:%H:%M:%SZ}")
        return _rules().evaluate(exception, try_number, max_tries, context)


@cache
def _rules() -> ExceptionRetryPolicy:
    return ExceptionRetryPolicy(
        rules=[
            RetryRule(
                exception=list(TRANSIENT),
                action=RetryAction.RETRY,
                reason="out of reach for now",
            ),
            RetryRule(
                exception=list(PERMANENT),
                action=RetryAction.FAIL,
                reason="a person must mend this; the error says how",
            ),
        ]
    )


BY_ERROR = ByError()
