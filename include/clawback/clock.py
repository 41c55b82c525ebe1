"""The one clock: real time plus an offset; set to another day, it still ticks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

ENV = "CLAWBACK_NOW"


def parse_time(text: str) -> datetime:
    """An ISO 8601 time as aware UTC; a time without a zone, or a bare date, is taken as UTC.

    Raises ValueError with the text if it is no time.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(
            f"{text!r} is not a time; write it like 2026-11-23T06:00:00Z (or 2026-11-23)"
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """Real time moved by `offset`; `now()` is aware UTC and goes on ticking."""

    offset: timedelta = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def real(self, moment: datetime) -> datetime:
        """When `moment` of this clock comes to pass in real time (deferrals wait in real time)."""
        return moment - self.offset

    @classmethod
    def at(cls, moment: datetime) -> Clock:
        """A clock that reads `moment` at this instant."""
        return cls(moment - datetime.now(UTC))

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Clock:
        """The clock that CLAWBACK_NOW asks for: empty is real time.

        `2026-11-23T00:00:00Z` reads that time when this process asks; processes that must agree
        among each other share `T@R`: reads T at the real time R.
        """
        text = (os.environ if environ is None else environ).get(ENV, "").strip()
        if not text:
            return cls()
        moment, _, anchor = text.partition("@")
        if anchor:
            return cls(parse_time(moment) - parse_time(anchor))
        return cls.at(parse_time(moment))
