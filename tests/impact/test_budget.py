"""Rate limit headers in every form of reference §6."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clawback.impact.budget import OPEN_GATE, BudgetSpent, Limits, RequestKind, read_limits

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
EPOCH = int(NOW.timestamp())


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, Limits()),
        (
            {"X-RateLimit-Limit": "1000", "X-RateLimit-Remaining": "7", "X-RateLimit-Reset": "90"},
            Limits(1000, 7, after(90)),
        ),
        ({"X-RateLimit-Reset": str(EPOCH + 30)}, Limits(resets_at=after(30))),
        ({"X-RateLimit-Reset": str((EPOCH + 30) * 1000)}, Limits(resets_at=after(30))),
        (
            {
                "X-RateLimit-Limit-hour": "500",
                "X-RateLimit-Remaining-hour": "0",
                "RateLimit-Reset": "700",
                "Retry-After": "650",
            },
            Limits(500, 0, after(650), timedelta(seconds=650)),
        ),
        (
            {
                "x-ratelimit-limit-hour": "1000",
                "x-ratelimit-remaining-hour": "998",
                "x-ratelimit-limit": "60",
                "x-ratelimit-remaining": "12",
                "x-ratelimit-reset": "1200",
            },
            Limits(1000, 12, after(1200)),
        ),
        (
            {"Retry-After": "Mon, 23 Nov 2026 12:05:00 GMT"},
            Limits(None, None, after(300), timedelta(seconds=300)),
        ),
        (
            {"Retry-After": "Mon, 23 Nov 2026 11:00:00 GMT"},
            Limits(None, None, after(-3600), timedelta()),
        ),
        ({"RateLimit-Limit": "1000;w=3600", "RateLimit-Remaining": "3, 9"}, Limits(1000, 3)),
        ({"X-RateLimit-Limit": "many", "X-RateLimit-Remaining": "-4"}, Limits(None, 0)),
        ({"X-RateLimit-Reset": "nan", "Retry-After": "1e300"}, Limits()),
        ({"X-Ratelimit-Concurrentlimit": "5"}, Limits()),
    ],
)
def test_every_documented_form_is_read(headers: dict[str, str], expected: Limits) -> None:
    """Names, units and precedence follow reference §6; what cannot be read counts as absent."""
    assert read_limits(headers, NOW) == expected


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (Limits(retry_after=timedelta(seconds=5), resets_at=after(99)), after(5)),
        (Limits(resets_at=after(99)), after(99)),
        (Limits(resets_at=after(-99)), after(60)),
        (Limits(), after(60)),
    ],
)
def test_a_429_always_names_a_time_to_come_back(limits: Limits, expected: datetime) -> None:
    """Retry-After, else the reset, else a minute; never the past."""
    assert limits.retry_at(NOW) == expected


@settings(
    derandomize=True,
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],  # the first text loads Unicode's tables
)
@given(
    st.dictionaries(
        st.sampled_from(["Retry-After", "X-RateLimit-Reset", "X-RateLimit-Limit", "x-y"]),
        st.one_of(st.text(max_size=40), st.floats().map(str), st.integers().map(str)),
    )
)
def test_no_header_value_breaks_the_reading(headers: dict[str, str]) -> None:
    """Whatever a header says, reading it gives limits that can be used."""
    limits = read_limits(headers, NOW)
    assert limits.retry_at(NOW) >= NOW
    assert limits.limit is None or limits.limit >= 0


def test_a_spent_budget_says_until_when_and_survives_pickling() -> None:
    """The error names the time and what to do, also in another process."""
    error = pickle.loads(pickle.dumps(BudgetSpent(NOW)))  # noqa: S301 - our own bytes
    assert error.until == NOW
    assert "2026-11-23 12:00:00Z" in str(error)
    assert "reserve_share" in str(error)


def test_the_open_gate_lets_all_pass() -> None:
    """Without a budget nothing is held back."""
    for kind in RequestKind:
        OPEN_GATE.acquire(kind)
        OPEN_GATE.learn(kind, 429, {"Retry-After": "9"}, NOW)
