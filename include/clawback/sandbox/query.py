"""Reads the parameters of a list and keeps the window rules (reference §2.1-2.4)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from clawback.sandbox import fields as f
from clawback.sandbox.facts import BadRequest
from clawback.sandbox.profile import Profile

DAY = 86400
DEFAULT_PAGE_SIZE = 20_000
MIN_PAGE_SIZE = 2_000
MAX_PAGES = 10
PLAIN_PAGE_SIZE = 1_000
_YEARS = 3
_PAIRS = (
    ("StartDate", "EndDate"),
    ("ActionDateStart", "ActionDateEnd"),
    ("LockingDateStart", "LockingDateEnd"),
)
_INTEGER = re.compile(r"[0-9]{1,16}")
_TIME = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)(Z|[+-]\d{2}:?\d{2})?")
Window = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Paging:
    page: int
    size: int


@dataclass(frozen=True, slots=True)
class Query:
    """A list of actions or updates; a window is [from, to] in epoch seconds, None is any."""

    campaign: str
    state: str | None
    updated: Window | None
    event: Window | None
    locking: Window | None
    paging: Paging
    order_id: str | None = None


def dated(params: Mapping[str, str], profile: Profile, now: float) -> Query:
    """The query for Actions or ActionUpdates. Raises BadRequest where a rule is broken."""
    campaign = _campaign(params)
    state = params.get("State") or None
    if state is not None and state not in f.STATES:
        raise _invalid("State", f"Must be one of {', '.join(f.STATES)}")
    updated, event, locking = _windows(params, profile, now)
    return Query(
        campaign=campaign,
        state=state,
        updated=updated,
        event=event,
        locking=locking,
        paging=paging(params, DEFAULT_PAGE_SIZE, MIN_PAGE_SIZE, profile),
        order_id=_order_filter(params, profile),
    )


def _windows(params: Mapping[str, str], profile: Profile, now: float) -> list[Window | None]:
    """The windows of the three date pairs; the last days by update if none is given (§2.3-3)."""
    found = [_window(params, first, last, profile, now) for first, last in _PAIRS]
    if found[0] is None and not profile.other_windows_alone:
        for (first, _), window in zip(_PAIRS, found, strict=True):
            if window is not None:
                raise _rule(profile, first, f"{first} requires StartDate and EndDate")
    if not any(found):
        found[0] = (now - profile.default_days * DAY, now)
    return found


def _campaign(params: Mapping[str, str]) -> str:
    campaign = params.get("CampaignId") or ""
    if not campaign:
        raise _invalid("CampaignId", "CampaignId is required")
    if not _INTEGER.fullmatch(campaign):
        raise _invalid("CampaignId", "Not a numeric value")
    return str(int(campaign))


def _order_filter(params: Mapping[str, str], profile: Profile) -> str | None:
    if not profile.oid_filter:
        return None
    return params.get("Oid") or params.get("OrderId") or None


def _window(
    params: Mapping[str, str], first: str, last: str, profile: Profile, now: float
) -> Window | None:
    low = _time(params, first, profile)
    high = _time(params, last, profile)
    if low is None and high is None:
        return None
    if low is None:
        raise _rule(profile, last, f"{last} requires {first}")
    own = first == "StartDate"
    if high is None and own:
        raise _rule(profile, first, f"{first} requires {last}")
    if high is not None and high < low:
        raise _rule(profile, last, f"{last} is before {first}")
    if own or profile.cap_all_windows:
        _cap(first, low, high, profile, now)
    return _bounds(low, math.inf if high is None else high, profile)


def _bounds(low: float, high: float, profile: Profile) -> Window:
    """What lies in a window; the smallest step past a bound leaves the bound itself out (§9.5)."""
    if profile.date_bounds != "inclusive":
        high = math.nextafter(high, -math.inf) if high < math.inf else high
    if profile.date_bounds == "exclusive":
        low = math.nextafter(low, math.inf)
    return low, high


def _cap(name: str, low: float, high: float | None, profile: Profile, now: float) -> None:
    if low < earliest(profile, now):
        past = "3 years" if profile.history_days is None else f"{profile.history_days} days"
        raise _rule(profile, name, f"Must not be more than {past} ago")
    end = high if high is not None or name == "LockingDateStart" else max(now, low)
    if end is None:
        return
    longest = profile.window_days * DAY
    if end - low > longest or (end - low == longest and not profile.window_inclusive):
        raise _rule(profile, name, f"The date range must not exceed {profile.window_days} days")


def earliest(profile: Profile, now: float) -> float:
    """The earliest time a window may begin: three years back by the account's calendar (§2.3-1)."""
    if profile.history_days is not None:
        return now - profile.history_days * DAY
    today = datetime.fromtimestamp(now, ZoneInfo(profile.zone))
    try:
        return today.replace(year=today.year - _YEARS).timestamp()
    except ValueError:  # the 29th of February
        return today.replace(year=today.year - _YEARS, day=28).timestamp()


def _time(params: Mapping[str, str], name: str, profile: Profile) -> float | None:
    value = params.get(name)
    if value is None or value == "":
        return None
    match = _TIME.fullmatch(value)
    try:
        moment = datetime.fromisoformat(value) if match else None
    except ValueError:
        moment = None
    if moment is None:
        raise _invalid(name, "Not an ISO 8601 date with a time part, like 2026-01-31T00:00:00Z")
    if moment.tzinfo is None:
        if profile.naive_dates == "error":
            raise _invalid(name, "The time has no offset")
        zone = UTC if profile.naive_dates == "utc" else ZoneInfo(profile.zone)
        moment = moment.replace(tzinfo=zone)
    try:
        return moment.timestamp()
    except (OverflowError, ValueError):
        raise _invalid(name, "Out of range") from None


def paging(params: Mapping[str, str], default: int, least: int, profile: Profile) -> Paging:
    """Page and PageSize. Raises BadRequest if one is not a number or out of bounds."""
    page = _count(params, "Page", 1)
    size = _count(params, "PageSize", default)
    if size < least:
        if profile.small_page == "error":
            raise _rule(profile, "PageSize", f"Must be at least {least}")
        size = least
    if profile.max_page_size is not None:
        size = min(size, profile.max_page_size)
    return Paging(page, size)


def _count(params: Mapping[str, str], name: str, default: int) -> int:
    value = params.get(name)
    if value is None or value == "":
        return default
    if not _INTEGER.fullmatch(value) or int(value) < 1:
        raise _invalid(name, "Not a whole number of 1 or more")
    return int(value)


def check_pages(total: int, size: int, profile: Profile) -> None:
    """More than ten pages is an error (reference §2.3). Raises BadRequest."""
    if total > MAX_PAGES * size:
        raise _rule(
            profile,
            "PageSize",
            f"{total} results are more than {MAX_PAGES} pages; narrow the range or raise PageSize",
        )


def _rule(profile: Profile, name: str, message: str) -> BadRequest:
    """A value that is well formed and breaks a rule of dates or pages (§2.3, §9.4)."""
    status = profile.window_error_status
    return BadRequest("Validation Failed", (name, message), status=status)


def _invalid(name: str, message: str) -> BadRequest:
    return BadRequest("Validation Failed", (name, message))
