"""A gate for a few looks at an account: it counts, stops at ten, and listens to the headers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from clawback.clock import Clock
from clawback.impact.budget import BudgetSpent, Limits, RequestKind, read_limits

MOST_REQUESTS = 10


@dataclass(slots=True)
class Meter:
    """The requests so far, what the last answer said of the limit, and how far its clock is off."""

    clock: Clock
    requests: int = 0
    limits: Limits = field(default_factory=Limits)
    skew: timedelta | None = None

    def acquire(self, kind: RequestKind) -> None:
        del kind
        if self.requests >= MOST_REQUESTS:
            raise BudgetSpent(self.clock.now())
        self.requests += 1

    def learn(
        self, kind: RequestKind, status: int, headers: Mapping[str, str], now: datetime
    ) -> None:
        del kind, status
        self.limits = read_limits(headers, now)
        said = headers.get("Date")
        if said:
            try:
                self.skew = parsedate_to_datetime(said) - self.clock.now()
            except (TypeError, ValueError):
                return
