"""The account's request budget and the headers that tell of it (reference §6)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from clawback.errors import ClawbackError
from clawback.sandbox.profile import Profile


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `requests` in each window of `seconds` (of the sandbox's clock)."""

    requests: int = 1000
    seconds: float = 3600.0

    @classmethod
    def parse(cls, text: str) -> RateLimit:
        """`1000/3600` is 1,000 requests in 3,600 seconds. Raises ClawbackError if it is not so."""
        requests, _, seconds = text.partition("/")
        try:
            limit = cls(int(requests), float(seconds or 3600))
        except ValueError:
            limit = cls(0, 0)
        if limit.requests < 1 or limit.seconds <= 0:
            raise ClawbackError(
                f"--rate-limit {text!r} is not a limit; write it like 1000/3600 (requests/seconds)"
            )
        return limit


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a request was told: `reset` is in seconds of the sandbox's clock."""

    allowed: bool
    limit: int
    remaining: int
    reset: float


class Budget:
    """A fixed window that opens with its first request."""

    def __init__(self, limit: RateLimit) -> None:
        self.limit = limit
        self._opened = -math.inf
        self._used = 0

    def take(self, now: float) -> Allowance:
        if not self._opened <= now < self._opened + self.limit.seconds:
            self._opened, self._used = now, 0
        allowed = self._used < self.limit.requests
        self._used += allowed
        return self._told(allowed, now)

    def peek(self, now: float) -> Allowance:
        """What there is, without taking of it."""
        if not self._opened <= now < self._opened + self.limit.seconds:
            return Allowance(True, self.limit.requests, self.limit.requests, self.limit.seconds)
        return self._told(self._used < self.limit.requests, now)

    def _told(self, allowed: bool, now: float) -> Allowance:
        reset = self._opened + self.limit.seconds - now
        return Allowance(allowed, self.limit.requests, self.limit.requests - self._used, reset)


def headers(
    allowance: Allowance, profile: Profile, now: float, real_wait: float
) -> list[tuple[bytes, bytes]]:
    """The headers of one answer; a wait is given in real seconds, as the client's watch goes."""
    wait = max(1, math.ceil(real_wait))
    reset = wait if profile.rate_reset == "seconds" else math.ceil(now + real_wait)
    limit, remaining = str(allowance.limit), str(allowance.remaining)
    names: dict[str, list[tuple[str, str]]] = {
        "brand": [
            ("X-RateLimit-Limit", limit),
            ("X-RateLimit-Remaining", remaining),
            ("X-RateLimit-Reset", str(reset)),
        ],
        "partner": [
            ("X-RateLimit-Limit-hour", limit),
            ("X-RateLimit-Remaining-hour", remaining),
            ("RateLimit-Reset", str(reset)),
        ],
        "live": [
            ("x-ratelimit-limit-hour", limit),
            ("x-ratelimit-remaining-hour", remaining),
            ("x-ratelimit-limit", limit),
            ("x-ratelimit-remaining", remaining),
            ("x-ratelimit-reset", str(reset)),
        ],
    }
    chosen = list(names[profile.rate_headers])
    if profile.retry_after and not allowance.allowed:
        chosen.append(("Retry-After", str(wait)))
    return [(name.encode(), value.encode()) for name, value in chosen]
