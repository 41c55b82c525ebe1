"""The one clock: real time plus an offset, read from the environment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from clawback.clock import ENV, Clock, parse_time

REAL = datetime(2026, 3, 1, 12, tzinfo=UTC)
SET = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-23T06:00:00Z", datetime(2026, 11, 23, 6, tzinfo=UTC)),
        (" 2026-11-23 ", SET),
        ("2026-11-22T18:00:00-06:00", SET),
        ("2026-11-23T00:00:00", SET),
    ],
)
def test_times_are_read_as_utc(text: str, moment: datetime) -> None:
    """ISO times with any offset, or none, come out as aware UTC."""
    found = parse_time(text)
    assert (found, found.utcoffset()) == (moment, timedelta())


@pytest.mark.parametrize("text", ["", "yesterday", "23.11.2026", "2026-13-01"])
def test_what_is_no_time_is_told(text: str) -> None:
    """The error repeats the text and shows how to write it."""
    with pytest.raises(ValueError, match="write it like 2026-11-23T06:00:00Z"):
        parse_time(text)


def test_a_clock_that_is_set_still_ticks() -> None:
    """Set to another day, it goes on from there with real time."""
    with time_machine.travel(REAL, tick=False) as real:
        clock = Clock.at(SET)
        assert clock.now() == SET
        real.shift(90)
        assert clock.now() == SET + timedelta(seconds=90)
        assert clock.real(SET + timedelta(hours=1)) == REAL + timedelta(hours=1)


def test_without_a_word_it_is_real_time() -> None:
    """No setting, or an empty one, means no offset."""
    assert Clock.from_env({}) == Clock.from_env({ENV: " "}) == Clock()


def test_processes_that_share_an_anchor_agree() -> None:
    """`T@R` reads T at the real time R in every process, whenever it asks."""
    text = "2026-11-23T00:00:00Z@2026-03-01T12:00:00Z"
    with time_machine.travel(REAL + timedelta(hours=2), tick=False):
        assert Clock.from_env({ENV: text}).now() == SET + timedelta(hours=2)
        assert Clock.from_env({ENV: "2026-11-23T00:00:00Z"}).now() == SET
