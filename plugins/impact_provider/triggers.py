"""The wait of confirm_changes: asks impact.com lightly whether the sent changes have shown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from clawback.clock import Clock, parse_time
from clawback.errors import ClawbackError
from clawback.impact.budget import RequestKind
from clawback.impact.errors import MalformedAnswer, RateLimited, Unavailable
from clawback.impact.windows import Window, WindowField
from impact_provider.hooks import ImpactHook

if TYPE_CHECKING:
    from clawback.impact.client import AsyncImpactClient
    from clawback.steps.runtime import Progress, Runtime

STATUSES = frozenset({"moved", "quiet", "deadline"})
"""moved: as many actions as expected have moved; quiet: some have, and none more since the poll
before (the rest may be refused), or impact.com will not be asked: the task had better look for
itself; deadline: the time is up."""

KIND = RequestKind.LIST_ACTION_UPDATES.value
GROWTH = 1.5
STRETCH = 4
"""How much longer than the task would sleep the trigger waits: a poll here is one request and no
process, a look of the task is several requests and two process starts."""
AHEAD = timedelta(minutes=5)
"""How far beyond now a listing reaches, so that a clock that is behind impact.com's misses none."""


class CountingGate:
    """Counts the requests of a wait; the task writes them into the ledger when it resumes."""

    def __init__(self) -> None:
        self.count = 0

    def acquire(self, kind: RequestKind) -> None:  # noqa: ARG002  # the protocol's signature
        self.count += 1

    def learn(
        self, kind: RequestKind, status: int, headers: Mapping[str, str], now: datetime
    ) -> None:
        """The shared budget learns from the task's own requests."""


class ConfirmTrigger(BaseTrigger):
    """Fires when `expected` actions have moved since `since`, or it is pointless to wait on.

    Every argument is a scalar, times are ISO 8601, `deadline` is absolute and in real time, so
    that a triggerer that takes over starts `run` again without waiting longer. `interval` and
    `longest` are seconds between polls, the first and the most; `clock_offset` are the seconds by
    which the program's clock, in which `since` stands, is ahead of real time. The event says how
    many requests were sent; those of a triggerer that died are lost to the count.
    """

    def __init__(  # noqa: PLR0913  # one scalar each, so that the arguments can be stored
        self,
        *,
        impact_conn_id: str,
        campaign_id: str,
        since: str,
        expected: int,
        interval: float,
        longest: float,
        deadline: str,
        clock_offset: float = 0.0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's
        self.impact_conn_id = impact_conn_id
        self.campaign_id = campaign_id
        self.since = since
        self.expected = expected
        self.interval = interval
        self.longest = longest
        self.deadline = deadline
        self.clock_offset = clock_offset

    @classmethod
    def of(cls, rt: Runtime, progress: Progress, *, since: datetime) -> ConfirmTrigger:
        """The trigger for what `progress` waits for; `since` stands in the run's clock."""
        now = datetime.now(UTC)
        deadline = now + STRETCH * ((progress.wait_until or now) - now)
        ends = rt.run().deadline
        if ends is not None:
            deadline = min(deadline, rt.clock.real(ends))
        return cls(
            impact_conn_id=rt.program.connections.impact,
            campaign_id=rt.program.campaign_id,
            since=since.isoformat(),
            expected=max(1, progress.counts.get("waiting", 1)),
            interval=rt.program.confirm.poll_seconds,
            longest=rt.program.confirm.poll_seconds_most,
            deadline=deadline.isoformat(),
            clock_offset=rt.clock.offset.total_seconds(),
        )

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            "impact_provider.triggers.ConfirmTrigger",
            {
                "impact_conn_id": self.impact_conn_id,
                "campaign_id": self.campaign_id,
                "since": self.since,
                "expected": self.expected,
                "interval": self.interval,
                "longest": self.longest,
                "deadline": self.deadline,
                "clock_offset": self.clock_offset,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        gate = CountingGate()
        try:
            status = await self._watch(gate)
        except ClawbackError as error:
            self.log.warning("The task had better see for itself: %s", error)
            status = "quiet"
        self.log.info("%s after %d requests", status, gate.count)
        payload = {"status": status, "kind": KIND, "requests": gate.count}
        yield TriggerEvent(payload)  # type: ignore[no-untyped-call]  # Airflow's

    async def _watch(self, gate: CountingGate) -> str:
        news = News(self.expected)
        pause = self.interval
        async with await ImpactHook(self.impact_conn_id, self.campaign_id).aclient(gate) as client:
            while await self._sleep(pause):
                pause = min(pause * GROWTH, self.longest)
                try:
                    status = news.take(await self._moved(client))
                except (Unavailable, MalformedAnswer, RateLimited) as error:
                    self.log.warning("impact.com could not be asked, will ask again: %s", error)
                    continue
                if status:
                    return status
        return "deadline"

    async def _sleep(self, seconds: float) -> bool:
        """Sleep, at most until the deadline; whether there is time left for one more poll."""
        left = (parse_time(self.deadline) - datetime.now(UTC)).total_seconds()
        await asyncio.sleep(max(0.0, min(seconds, left)))
        return seconds < left

    async def _moved(self, client: AsyncImpactClient) -> int:
        """How many actions have an update since `since`: one list, a page of up to 20,000."""
        now = Clock(timedelta(seconds=self.clock_offset)).now()
        window = Window(WindowField.UPDATED, parse_time(self.since), now + AHEAD)
        pages = client.list_action_updates(window)
        return len({row.action_id async for page in pages for row in page.rows})


class News:
    """Whether what the polls have seen so far is worth resuming the task for."""

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self._seen = 0

    def take(self, seen: int) -> str:
        """`moved`, `quiet`, or empty to go on, now that a poll has seen `seen` actions."""
        still = 0 < seen <= self._seen
        self._seen = max(seen, self._seen)
        if self._seen >= self._expected:
            return "moved"
        return "quiet" if still else ""
