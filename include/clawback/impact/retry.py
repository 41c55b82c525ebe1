"""How often and how long a request is tried again; a write only if it changed nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from tenacity import RetryCallState, stop_after_attempt, wait_random_exponential
from tenacity.stop import stop_base

from clawback.impact.errors import ImpactError, RateLimited, Unavailable, Verdict

Now = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Bounds for trying a request again.

    Waits are random between zero and a bound that doubles from `first` to `longest`. If
    impact.com asks for a wait, it is kept if it is at most `patience`; a longer one is left to
    the caller (the error carries `retry_at`).
    """

    attempts: int = 4
    first: timedelta = timedelta(seconds=0.5)
    longest: timedelta = timedelta(seconds=8)
    patience: timedelta = timedelta(seconds=5)

    @property
    def stop(self) -> stop_base:
        return stop_after_attempt(self.attempts)

    def worth_it(self, now: Now) -> Callable[[BaseException], bool]:
        """Whether a request that ended in an error is tried again; never one in doubt."""

        def worth(error: BaseException) -> bool:
            if not isinstance(error, ImpactError):
                return False
            if error.verdict not in {Verdict.RETRY, Verdict.WAIT}:
                return False
            return _asked(error, now) <= self.patience

        return worth

    def wait(self, now: Now) -> Callable[[RetryCallState], float]:
        """Seconds until the next try."""
        jitter = wait_random_exponential(
            multiplier=self.first.total_seconds(), max=self.longest.total_seconds()
        )

        def seconds(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            return max(jitter(state), _asked(error, now).total_seconds())

        return seconds


NO_WAITS = RetryPolicy(first=timedelta(), longest=timedelta(), patience=timedelta())
"""Tries as often, without any wait: for tests."""


def _asked(error: BaseException | None, now: Now) -> timedelta:
    """The wait that impact.com asked for; zero if it did not."""
    retry_at = error.retry_at if isinstance(error, (RateLimited, Unavailable)) else None
    return timedelta() if retry_at is None else max(retry_at - now(), timedelta())
