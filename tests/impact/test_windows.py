"""Windows: as few as possible, never too long, nothing left out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawback.impact.windows import (
    MAX_DAYS,
    SHORTEST,
    Span,
    Window,
    WindowField,
    clip,
    halve,
    merge_windows,
    reach_of,
    subtract,
    union,
)

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def at(days: float) -> datetime:
    return EPOCH + timedelta(days=days)


spans = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 120)).map(lambda p: (at(p[0]), at(p[0] + p[1]))),
    max_size=8,
)


def holds(whole: list[Span], moment: datetime) -> bool:
    return any(start <= moment <= end for start, end in whole)


@settings(derandomize=True, max_examples=150, deadline=None)
@given(spans)
def test_every_moment_of_a_span_lies_in_a_window(given_spans: list[Span]) -> None:
    """No part of a span is left out, and no window is longer than impact.com answers."""
    windows = merge_windows(given_spans)
    listed = [w.span for w in windows]
    for start, end in given_spans:
        for step in range(2 * (end - start).days + 1):
            assert holds(listed, start + step * DAY / 2)
    assert all(w.end - w.start <= timedelta(days=MAX_DAYS) for w in windows)


def greedy_count(given_spans: list[Span]) -> int:
    """The least number of windows: from the left, each as long as it may be."""
    count, reached = 0, None
    for start, end in union(given_spans):
        first = start if reached is None else max(start, reached)
        if reached is not None and end <= reached:
            continue
        while first < end or count == 0 or (reached is not None and start > reached):
            count += 1
            reached = first + timedelta(days=MAX_DAYS)
            first = reached
    return count


@settings(derandomize=True, max_examples=150, deadline=None)
@given(spans)
def test_there_are_as_few_windows_as_possible(given_spans: list[Span]) -> None:
    """No cover by windows of that length has fewer."""
    assert len(merge_windows(given_spans)) == greedy_count(given_spans)


@settings(derandomize=True, max_examples=150, deadline=None)
@given(spans, spans)
def test_subtract_takes_away_what_is_covered_and_nothing_else(
    wanted: list[Span], covered: list[Span]
) -> None:
    """A moment is left if and only if it was wanted and not covered."""
    left = subtract(wanted, covered)
    for half_days in range(1, 2 * 520, 3):
        moment = at(half_days / 2 + 0.25)
        assert holds(left, moment) == (holds(wanted, moment) and not holds(covered, moment))


def test_three_years_back_is_as_far_as_it_goes() -> None:
    """What lies before the reach is cut off, and what ends before it is left out."""
    now = at(0)
    earliest = reach_of(now)
    windows = merge_windows(
        [(earliest - 10 * DAY, earliest + DAY), (earliest - 3 * DAY, earliest - 2 * DAY)],
        earliest=earliest,
    )
    assert [w.span for w in windows] == [(earliest, earliest + DAY)]
    assert clip([(at(-1), at(1))], at(0)) == [(at(0), at(1))]


def test_covered_spans_are_not_listed_again() -> None:
    """A wholly covered span needs no window."""
    assert merge_windows([(at(0), at(30))], covered=[(at(-5), at(40))]) == []
    assert [w.span for w in merge_windows([(at(0), at(30))], covered=[(at(0), at(20))])] == [
        (at(20), at(30))
    ]


def test_halves_share_the_middle_and_hold_the_whole() -> None:
    """Halving loses no moment, and ends at windows that are too short."""
    window = Window(WindowField.UPDATED, at(0), at(44))
    first, second = halve(window)
    assert (first.start, second.end) == (window.start, window.end)
    assert first.end == second.start == at(22)
    while window.end - window.start >= 2 * SHORTEST:
        window, _ = halve(window)
    with pytest.raises(ValueError, match="page size"):
        halve(window)


def test_bounds_are_written_in_utc_to_the_second_and_outwards() -> None:
    """A window is never narrowed by being written, and has a time part (reference §2.2)."""
    zone = timezone(timedelta(hours=-7))
    start = datetime(2026, 3, 1, 0, 0, 0, 900_000, tzinfo=zone)
    end = datetime(2026, 3, 2, 0, 0, 0, 1, tzinfo=zone)
    assert Window(WindowField.LOCKING, start, end).params() == {
        "LockingDateStart": "2026-03-01T07:00:00Z",
        "LockingDateEnd": "2026-03-02T07:00:01Z",
    }


@pytest.mark.parametrize(
    "span",
    [(at(1), at(0)), (datetime(2026, 1, 1), datetime(2026, 1, 2))],  # noqa: DTZ001
)
def test_a_span_that_makes_no_sense_is_refused(span: Span) -> None:
    """Backwards or without a zone is an error, not an empty listing."""
    with pytest.raises(ValueError, match=r"span"):
        merge_windows([span])
    with pytest.raises(ValueError, match=r"span"):
        Window(WindowField.EVENT, *span)
