"""The sandbox's clock: it starts where it is told, ticks as fast as it is told, and can be set."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from clawback.sandbox.profile import Profile


class TickingClock:
    """Epoch seconds that go `speed` times as fast as real time; speed 0 stands still.

    With speed 0 the same requests give the same bytes, times included.
    """

    def __init__(self, start: datetime, speed: float = 1.0) -> None:
        self.speed = speed
        self._base = start.timestamp()
        self._anchor = time.monotonic()

    def seconds(self) -> float:
        return self._base + (time.monotonic() - self._anchor) * self.speed

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds(), UTC)

    def set(self, seconds: float, speed: float | None = None) -> None:
        """Read `seconds` (epoch) from here on, at `speed` if given."""
        self._base = seconds
        self._anchor = time.monotonic()
        self.speed = self.speed if speed is None else speed

    def real_wait(self, seconds: float) -> float:
        """How long `seconds` of this clock take in real time; as they are where it stands still."""
        return seconds / self.speed if self.speed > 0 else seconds


@lru_cache(maxsize=65536)
def stamp(seconds: int, zone: str) -> str:
    """A time as the API writes it: local to the account, with offset (reference §2.2)."""
    return datetime.fromtimestamp(seconds, ZoneInfo(zone)).isoformat()


def lock_instant(locking: int, profile: Profile) -> int:
    """When an action with this LockingDate locks, both in epoch seconds (reference §8, §9.19)."""
    local = datetime.fromtimestamp(locking, ZoneInfo(profile.zone))
    if profile.locking_instant != "exact":
        local = local.replace(hour=0, minute=0, second=0)
    if profile.locking_instant == "day_end":
        local += timedelta(days=1)
    if profile.locking_zone is not None:
        local = local.replace(tzinfo=ZoneInfo(profile.locking_zone))
    return int(local.timestamp() + profile.locking_grace)


def locks_apart(profile: Profile) -> bool:
    """Whether actions lock at another instant than the LockingDate that shows."""
    reckoned = profile.locking_zone is not None or profile.locking_grace > 0
    return reckoned or profile.locking_instant != "exact"
