"""The request budget: the gate that every request passes, and what an answer says of the limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Protocol

from clawback.errors import ClawbackError

DEFAULT_WAIT = timedelta(seconds=60)
"""How long to wait after a 429 that names no time: brand answers need not (reference §6)."""
_EPOCH_FROM = 1e9
_EPOCH_MILLISECONDS_FROM = 1e12


class RequestKind(StrEnum):
    """What a request is for; the names are those of books.json."""

    LIST_ACTIONS = "list_actions"
    LIST_ACTION_UPDATES = "list_action_updates"
    LIST_ITEMS = "list_items"
    GET_ACTION = "get_action"
    MODIFY = "modify"
    REVERSE = "reverse"
    GET_SUBMISSION = "get_submission"
    OTHER = "other"

    @property
    def is_write(self) -> bool:
        return self in {RequestKind.MODIFY, RequestKind.REVERSE}


class BudgetSpent(ClawbackError):  # noqa: N818 - says what happened
    """No request may leave before `until` (aware UTC); raised by a gate."""

    def __init__(self, until: datetime) -> None:
        super().__init__(
            f"the request budget is spent until {until:%Y-%m-%d %H:%M:%SZ}; wait until then, or"
            " lower reserve_share in the program file"
        )
        self.until = until

    def __reduce__(self) -> tuple[type[BudgetSpent], tuple[datetime]]:
        return type(self), (self.until,)


class Gate(Protocol):
    """Counts requests and keeps them within an account's limit."""

    def acquire(self, kind: RequestKind) -> None:
        """Called before each request leaves, retries included; may raise BudgetSpent."""

    def learn(
        self, kind: RequestKind, status: int, headers: Mapping[str, str], now: datetime
    ) -> None:
        """Called with each answer; `headers` ignore case, `now` is aware UTC."""


class OpenGate:
    """Lets everything through and learns nothing."""

    def acquire(self, kind: RequestKind) -> None:
        """Let it pass."""

    def learn(
        self, kind: RequestKind, status: int, headers: Mapping[str, str], now: datetime
    ) -> None:
        """Nothing to learn."""


OPEN_GATE: Gate = OpenGate()


@dataclass(frozen=True, slots=True)
class Limits:
    """What an answer says of the limit; None where it says nothing. Times are aware UTC."""

    limit: int | None = None
    remaining: int | None = None
    resets_at: datetime | None = None
    retry_after: timedelta | None = None

    def retry_at(self, now: datetime) -> datetime:
        """When the next request may leave after a 429: Retry-After, else reset, else a minute."""
        if self.retry_after is not None:
            return now + self.retry_after
        if self.resets_at is not None and self.resets_at > now:
            return self.resets_at
        return now + DEFAULT_WAIT


def read_limits(headers: Mapping[str, str], now: datetime) -> Limits:
    """Read every header form of reference §6.

    A reset above 1e9 is an epoch, else seconds from `now`. Retry-After (seconds or an HTTP date)
    wins over the reset. Where hourly and plain headers stand side by side, the hourly limit and
    the smaller remainder are taken. What cannot be read counts as absent.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    remaining = [_count(lower.get(name)) for name in _REMAINING]
    retry_after = _moment(lower.get("retry-after"), now)
    resets_at = next((m for name in _RESET if (m := _moment(lower.get(name), now))), None)
    return Limits(
        limit=next((n for name in _LIMIT if (n := _count(lower.get(name))) is not None), None),
        remaining=min((n for n in remaining if n is not None), default=None),
        resets_at=retry_after or resets_at,
        retry_after=None if retry_after is None else max(retry_after - now, timedelta()),
    )


_LIMIT = ("x-ratelimit-limit-hour", "x-ratelimit-limit", "ratelimit-limit")
_REMAINING = ("x-ratelimit-remaining-hour", "x-ratelimit-remaining", "ratelimit-remaining")
_RESET = ("x-ratelimit-reset-hour", "x-ratelimit-reset", "ratelimit-reset")


def _number(text: str | None) -> float | None:
    """The first number of a header such as `1000` or `1000;w=3600`; None if there is none."""
    head = (text or "").split(";")[0].split(",")[0].strip()
    try:
        return float(head) if head.isascii() else None
    except ValueError:
        return None


def _count(text: str | None) -> int | None:
    number = _number(text)
    if number is None or not abs(number) < _EPOCH_FROM:
        return None
    return max(int(number), 0)


def _moment(text: str | None, now: datetime) -> datetime | None:
    """The instant that a header means: seconds from now, an epoch, or an HTTP date."""
    number = _number(text)
    try:
        if number is None:
            return _http_date(text)
        if number >= _EPOCH_MILLISECONDS_FROM:
            number /= 1000
        if number > _EPOCH_FROM:
            return datetime.fromtimestamp(number, UTC)
        return now + timedelta(seconds=max(number, 0.0))
    except (ValueError, OverflowError, OSError):
        return None


def _http_date(text: str | None) -> datetime | None:
    if not text:
        return None
    moment = parsedate_to_datetime(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
