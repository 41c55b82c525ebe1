"""Reads times and writes them local to the account, a million of them in a few seconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

_QUARTER = 900
_DAY = 86400
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLAIN_DAY = re.compile(r"\d{4}-\d\d-\d\dT")
_PLAIN_OFFSET = re.compile(r"(Z|[+-]\d\d:\d\d)?")


class Localizer:
    """Times of any offset as one account writes them.

    It remembers days, offsets and quarters of an hour (on which a zone's offset changes), because
    reading and formatting times is what loading would spend most on.
    """

    def __init__(self, zone: str) -> None:
        self._days = _Days()
        self._offsets = _Offsets()
        self._quarters = _Quarters(ZoneInfo(zone))
        self._dates = _Dates()
        self._clock, self._clock_texts = _clock()

    def __call__(self, value: str) -> tuple[str, int]:
        """A time in the account's zone, as text and in epoch seconds; without an offset it is UTC.

        Raises ValueError or OverflowError if it is none.
        """
        offset = value[19:]
        try:
            day, clock = self._days[value[:11]], self._clock[value[11:19]]
            epoch = day + clock - self._offsets[offset]
        except KeyError:
            moment = datetime.fromisoformat(value)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            epoch, offset = int(moment.timestamp()), ""
        ahead, suffix = self._quarters[epoch // _QUARTER]
        if suffix == offset:
            return value, epoch
        day, clock = divmod(epoch + ahead, _DAY)
        return self._dates[day] + self._clock_texts[clock] + suffix, epoch


class _Days(dict[str, int]):
    """`2026-11-20T` to the epoch seconds of its midnight in UTC."""

    def __missing__(self, text: str) -> int:
        if not _PLAIN_DAY.fullmatch(text):
            raise KeyError(text)
        midnight = datetime.fromisoformat(text[:-1]).replace(tzinfo=UTC)
        self[text] = int(midnight.timestamp())
        return self[text]


class _Dates(dict[int, str]):
    """Days since 1970 to `2026-11-20T`."""

    def __missing__(self, day: int) -> str:
        self[day] = (_EPOCH + timedelta(days=day)).isoformat()[:11]
        return self[day]


class _Offsets(dict[str, int]):
    """`-08:00` to seconds ahead of UTC."""

    def __missing__(self, text: str) -> int:
        if not _PLAIN_OFFSET.fullmatch(text):
            raise KeyError(text)
        moment = datetime.fromisoformat(f"2000-01-01T00:00:00{text or 'Z'}")
        self[text] = int((moment.utcoffset() or timedelta()).total_seconds())
        return self[text]


class _Quarters(dict[int, tuple[int, str]]):
    """Quarters of an hour since 1970 to how far a zone is ahead of UTC, and as text."""

    def __init__(self, zone: ZoneInfo) -> None:
        super().__init__()
        self._zone = zone

    def __missing__(self, quarter: int) -> tuple[int, str]:
        local = datetime.fromtimestamp(quarter * _QUARTER, UTC).astimezone(self._zone)
        ahead = int((local.utcoffset() or timedelta()).total_seconds())
        self[quarter] = ahead, local.isoformat(timespec="seconds")[19:]
        return self[quarter]


@cache
def _clock() -> tuple[dict[str, int], list[str]]:
    """Every reading of a day's clock: `08:30:00` to seconds, and back."""
    texts = [f"{s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}" for s in range(_DAY)]
    return {text: seconds for seconds, text in enumerate(texts)}, texts
