"""Who may ask how much: the budgets that a profile keeps apart, and requests at a time (§6)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from clawback.sandbox import limits
from clawback.sandbox.core import Sandbox
from clawback.sandbox.faults import Rule
from clawback.sandbox.limits import Allowance, Budget

Headers = list[tuple[bytes, bytes]]


class Allowances:
    """The budgets of one sandbox and its open requests; its own budget is the one all share."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._apart: dict[str, Budget] = {}
        self._open = 0

    @contextmanager
    def entered(self) -> Iterator[None]:
        """One request more at a time, until it has been answered."""
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1

    def take(self, user: str, writes: bool, now: float) -> Allowance:
        """What a request is told; one too many at a time costs nothing and is not allowed."""
        most = self._sandbox.settings.profile.concurrency_limit
        if most is not None and self._open > most:
            return replace(self._budget(user, writes).peek(now), allowed=False)
        return self._budget(user, writes).take(now)

    def _budget(self, user: str, writes: bool) -> Budget:
        shared = self._sandbox.budget
        sharing = self._sandbox.settings.profile.rate_buckets
        if sharing == "account":
            return shared
        name = user if sharing == "user" else str(writes)
        return self._apart.setdefault(name, Budget(shared.limit))

    def headers(self, allowance: Allowance, now: float) -> Headers:
        """What one answer tells of the limits."""
        wait = self._sandbox.clock.real_wait(allowance.reset)
        profile = self._sandbox.settings.profile
        return limits.headers(allowance, profile, now, wait) + self._at_a_time()

    def refused(self, allowance: Allowance, rule: Rule, now: float) -> Headers:
        """What an injected 429 tells: nothing is left; the rule may say more, or nothing at all."""
        if not rule.headers:
            return []
        spent = replace(allowance, allowed=False, remaining=0)
        told = self.headers(spent, now)
        if rule.retry_after is None:
            return told
        told = [(name, value) for name, value in told if name != b"Retry-After"]
        wait = str(max(1, int(rule.seconds))).encode()
        return [*told, (b"Retry-After", wait)] if rule.retry_after else told

    def _at_a_time(self) -> Headers:
        """A concurrency cap, under the names that a client of 2019 saw (reference §6)."""
        most = self._sandbox.settings.profile.concurrency_limit
        if most is None:
            return []
        return [
            (b"X-Ratelimit-Concurrentlimit", str(most).encode()),
            (b"X-Ratelimit-Concurrentremaining", str(max(0, most - self._open)).encode()),
        ]
