"""One sandbox: world, clock, budget, faults, journal and request log in one place."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from clawback.clock import parse_time
from clawback.sandbox import acts
from clawback.sandbox.facts import BadRequest, Refusal
from clawback.sandbox.faults import FaultPlan
from clawback.sandbox.journal import Event, Journal, fingerprint
from clawback.sandbox.limits import Budget
from clawback.sandbox.listing import Listing
from clawback.sandbox.load import BadLine, lines
from clawback.sandbox.settings import Settings
from clawback.sandbox.ticking import TickingClock
from clawback.sandbox.world import World

LOG_LENGTH = 200_000
"""Requests that the log remembers; the counters remember all."""


class SeededWorld(Protocol):
    """What the generator of worlds gives."""

    @property
    def actions(self) -> Iterable[Mapping[str, Any]]: ...

    @property
    def campaign_id(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Logged:
    """One request and its answer; `time` is epoch seconds of the sandbox's clock.

    `status` is that of the answer as it was sent, or what became of one that was not: `reset` or
    `timeout`.
    """

    time: float
    user: str
    method: str
    path: str
    query: str
    kind: str
    status: int | str
    body: str
    faults: tuple[str, ...]


class Sandbox:
    """Everything behind the API; built once, then used from one thread."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings.with_credentials()
        start = settings.now or datetime.now(UTC)
        self._journal = None
        if settings.state is not None:
            self._journal = Journal(settings.state, self._origin(start))
            start = max(start, parse_time(self._journal.origin["now"]))
        self.clock = TickingClock(start, settings.speed)
        self.world = World(settings.profile, settings.seed, settings.queue_latency)
        self.campaign_id = self._load()
        self._replay()
        self.listing = Listing(self.world, self.settings.account_id)
        self.budget = Budget(settings.rate_limit)
        self.plan = FaultPlan(settings.faults, settings.seed)
        self.log: deque[Logged] = deque(maxlen=LOG_LENGTH)
        self.counts: Counter[str] = Counter()

    def _origin(self, start: datetime) -> dict[str, Any]:
        s = self.settings
        return {
            "seed": s.seed,
            "orders": None if s.world else s.orders,
            "world": fingerprint(s.world) if s.world else None,
            "profile": s.profile.model_dump(mode="json"),
            "queue_latency": s.queue_latency,
            "now": start.isoformat(),
        }

    def _load(self) -> str:
        if self.settings.world is not None:
            self.world.load(lines(self.settings.world), str(self.settings.world))
            return next(iter(self.world.store.campaigns()), "1000")
        if not self.settings.orders:
            return "1000"
        seeded = self._generate()
        self.world.load(enumerate(seeded.actions, 1), f"of seed {self.settings.seed}")
        return seeded.campaign_id

    def _generate(self) -> SeededWorld:
        from clawback.sandbox.seed import generate

        now = self.clock.now()
        if self._journal is not None:
            now = parse_time(self._journal.origin["now"])
        seeded: SeededWorld = generate(self.settings.seed, self.settings.orders, now)
        return seeded

    def _replay(self) -> None:
        if self._journal is None:
            return
        last = 0.0
        for event in self._journal.events:
            last = max(last, event["at"])
            self.world.advance(event["at"])
            try:
                self._perform(event)
            except (BadRequest, Refusal, BadLine):
                continue  # it was refused when it happened, too
        self._journal.events.clear()
        if last > self.clock.seconds():
            self.clock.set(last)

    # What happens

    def now(self) -> float:
        """The sandbox's time; everything that was due by then has happened."""
        now = self.clock.seconds()
        self.world.advance(now)
        return now

    def submit(self, verb: str, form: dict[str, str], at: float, effects: dict[str, Any]) -> str:
        """Accept a write; gives its BatchId. Raises BadRequest as `World.submit` does."""
        event = {"at": at, "do": verb, "form": form, "effects": effects}
        batch_id = self._happen(event)
        return str(batch_id)

    def act(self, act: acts.Act, at: float) -> str | None:
        """Let someone else do something; gives the ActionId it concerned.

        Raises BadRequest or Refusal as a write would, and BadLine for an `add` of no action.
        """
        acts.check(act, self.world)
        return self._happen({"at": at, "do": "act", "act": act.model_dump(mode="json")})

    def set_clock(self, seconds: float, speed: float | None) -> None:
        self._happen({"at": seconds, "do": "clock"})
        self.clock.set(seconds, speed)
        self.world.advance(seconds)

    def _happen(self, event: Event) -> str | None:
        if self._journal is not None:
            self._journal.append(event)
        return self._perform(event)

    def _perform(self, event: Event) -> str | None:
        if event["do"] == "clock":
            return None
        if event["do"] == "act":
            return acts.perform(acts.Act.model_validate(event["act"]), self.world, event["at"])
        return self.world.submit(event["do"], event["form"], event["at"], event["effects"])

    def note(self, logged: Logged) -> None:
        self.log.append(logged)
        self.counts[logged.kind] += 1

    def close(self) -> None:
        if self._journal is not None:
            self._journal.close()
