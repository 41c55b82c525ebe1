"""Date windows for listings: as few as possible, none longer than impact.com answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum

Span = tuple[datetime, datetime]
"""A closed stretch of time, start and end, both aware."""

MAX_DAYS = 44
"""A day less than the documented 45, whose inclusiveness is open (reference §2.3, §9.5)."""
REACH = timedelta(days=3 * 365)
"""How far back a listing may start (reference §2.3)."""
SHORTEST = timedelta(minutes=1)
"""A window is not halved below this."""
_SECOND = timedelta(seconds=1)


class WindowField(Enum):
    """The date that a window filters, with its pair of parameters (reference §2.1)."""

    UPDATED = ("StartDate", "EndDate")
    EVENT = ("ActionDateStart", "ActionDateEnd")
    LOCKING = ("LockingDateStart", "LockingDateEnd")


@dataclass(frozen=True, slots=True)
class Window:
    """A closed stretch of time of one date field; its times are kept as aware UTC."""

    field: WindowField
    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        start, end = _checked((self.start, self.end))
        object.__setattr__(self, "start", start)
        object.__setattr__(self, "end", end)

    @property
    def span(self) -> Span:
        return self.start, self.end

    def params(self) -> dict[str, str]:
        """The two query parameters, to the second and outwards, with a time part (§2.2)."""
        first, last = self.field.value
        start = self.start.replace(microsecond=0)
        end = self.end.replace(microsecond=0)
        end = end if end == self.end else end + _SECOND
        return {first: f"{start:%Y-%m-%dT%H:%M:%SZ}", last: f"{end:%Y-%m-%dT%H:%M:%SZ}"}


def union(spans: Iterable[Span]) -> list[Span]:
    """The same time as `spans`, sorted, in UTC, those that touch or overlap made one."""
    merged: list[Span] = []
    for start, end in sorted(_checked(span) for span in spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def subtract(spans: Iterable[Span], covered: Iterable[Span]) -> list[Span]:
    """What of `spans` lies in none of `covered`, sorted and merged; bounds are shared."""
    taken = union(covered)
    left: list[Span] = []
    for start, end in union(spans):
        cursor = start
        for low, high in taken:
            if high < cursor or low > end:
                continue
            if low > cursor:
                left.append((cursor, low))
            cursor = max(cursor, high)
            if cursor >= end:
                break
        else:
            left.append((cursor, end))
    return left


def clip(spans: Iterable[Span], earliest: datetime) -> list[Span]:
    """`spans` from `earliest` on; what ends before it is left out."""
    return [(max(start, earliest), end) for start, end in union(spans) if end >= earliest]


def reach_of(now: datetime) -> datetime:
    """The earliest instant that a listing may ask for at `now` (reference §2.3)."""
    return now - REACH


def merge_windows(
    spans: Iterable[Span],
    max_days: int = MAX_DAYS,
    *,
    covered: Iterable[Span] = (),
    field: WindowField = WindowField.EVENT,
    earliest: datetime | None = None,
) -> list[Window]:
    """The fewest windows of at most `max_days` that hold all of `spans` not yet `covered`.

    `earliest` (see `reach_of`) cuts off what impact.com no longer lists. Raises ValueError for a
    span that ends before it starts or has no zone.
    """
    need = subtract(spans, covered)
    if earliest is not None:
        need = clip(need, earliest)
    longest = timedelta(days=max_days)
    windows: list[Window] = []
    for start, end in need:
        cursor = start
        if windows and cursor <= windows[-1].start + longest:
            reached = min(end, windows[-1].start + longest)
            windows[-1] = replace(windows[-1], end=reached)
            cursor = reached
            if cursor == end:
                continue
        while end - cursor > longest:
            windows.append(Window(field, cursor, cursor + longest))
            cursor += longest
        windows.append(Window(field, cursor, end))
    return windows


def halve(window: Window) -> tuple[Window, Window]:
    """Two windows that share the middle; for a listing that is too long or answers 5xx (§2.3).

    Raises ValueError if the window is too short to be halved.
    """
    length = window.end - window.start
    if length < 2 * SHORTEST:
        raise ValueError(
            f"the window {window.params()} is too short to be halved; raise the page size, or ask"
            " impact.com's support why so small a listing fails"
        )
    middle = (window.start + length / 2).replace(microsecond=0)
    return replace(window, end=middle), replace(window, start=middle)


def _checked(span: Span) -> Span:
    """`span` in UTC; ValueError if it has no zone or runs backwards."""
    start, end = span
    if start.tzinfo is None or end.tzinfo is None:
        raise ValueError(f"the span {start} … {end} has no time zone; give both times one")
    if end < start:
        raise ValueError(f"the span {start} … {end} ends before it starts; swap its times")
    return start.astimezone(UTC), end.astimezone(UTC)
