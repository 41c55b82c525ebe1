"""More rows of the decision table: hours and zones, and which days are listed."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from reconcile_makers import (
    NOW,
    action,
    item,
    line,
    plan,
)
from table import (
    LISTING,
    TIME,
    rule,
)

from clawback.impact.windows import Span, halve, merge_windows
from clawback.program import Program
from clawback.steps.scope import span_of
from clawback.warehouse.cells import moment

BERLIN = ZoneInfo("Europe/Berlin")

# --- Time -----------------------------------------------------------------------------------


def read(text: str, zone: ZoneInfo = BERLIN) -> tuple[str, ...]:
    """A time of the warehouse as the rules see it."""
    return (f"{moment(text, zone):%Y-%m-%d %H:%M %Z}",)


rule(
    TIME,
    "a time without a zone",
    "`2026-11-23 00:30` in a program in Berlin",
    "the program's zone; inside it is UTC",
    lambda: read("2026-11-23 00:30"),
    "2026-11-22 23:30 UTC",
)
rule(
    TIME,
    "a time with a zone",
    "`2026-11-23T00:30-05:00` in the same program",
    "its own zone",
    lambda: read("2026-11-23T00:30-05:00"),
    "2026-11-23 05:30 UTC",
)
rule(
    TIME,
    "an hour that there is twice",
    "`2026-10-25 02:30` in Berlin, the night when summer time ends",
    "the first of the two",
    lambda: read("2026-10-25 02:30"),
    "2026-10-25 00:30 UTC",
)
rule(
    TIME,
    "an hour that there is not",
    "`2026-03-29 02:30` in Berlin, the night when summer time begins",
    "read with the offset before the change",
    lambda: read("2026-03-29 02:30"),
    "2026-03-29 01:30 UTC",
)
rule(
    TIME,
    "a leap day",
    "`2028-02-29 00:00` in UTC",
    "a day like any other",
    lambda: read("2028-02-29 00:00", ZoneInfo("UTC")),
    "2028-02-29 00:00 UTC",
)
rule(
    TIME,
    "two lines in the night when the clocks go back",
    "2:30 the first time (1 of A), 2:30 the second time (2 of A), of 2 sold",
    "they count in the order in which they happened",
    lambda: plan(
        [
            line(2, "A", 2, returned_at=datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=BERLIN)),
            line(1, "A", 1, returned_at=datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        ],
        action(item(), item("B")),
    ),
    "line 1 planned",
    "line 2 held/over_returned",
    "change A:1/50",
)

# --- Listing --------------------------------------------------------------------------------

PROGRAM = Program(name="rules", campaign_id="1", currency="USD")


def day(number: int, month: int = 10) -> datetime:
    return datetime(2026, month, number, tzinfo=UTC)


def days(*spans: Span) -> tuple[str, ...]:
    return tuple(f"{start:%m-%d} to {end:%m-%d}" for start, end in spans)


def windows(*spans: Span, covered: tuple[Span, ...] = ()) -> tuple[str, ...]:
    return days(*(w.span for w in merge_windows(spans, covered=covered)))


def around(ordered: datetime | None, returned: datetime) -> tuple[str, ...]:
    return days(span_of(PROGRAM, (ordered, ordered), (returned, returned), NOW))


rule(
    LISTING,
    "days that an order needs",
    "ordered on October 5, returned on October 30",
    "a day before the order to 14 days after it: conversions are also reported at shipment",
    lambda: around(day(5), day(30)),
    "10-04 to 10-19",
)
rule(
    LISTING,
    "days of an order without date",
    "no ordered_at, returned on October 30; lookback_days 90",
    "90 days back from the return",
    lambda: around(None, day(30)),
    "08-01 to 10-30",
)
rule(
    LISTING,
    "days that have not come yet",
    "ordered on November 20, now the 23rd",
    "up to now",
    lambda: around(day(20, 11), day(21, 11)),
    "11-19 to 11-23",
)
rule(
    LISTING,
    "fewest windows",
    "three orders in October and November, one of them in the middle",
    "one window of at most 44 days",
    lambda: windows((day(4), day(19)), (day(10), day(25)), (day(1, 11), day(16, 11))),
    "10-04 to 11-16",
)
rule(
    LISTING,
    "a window is no longer than 44 days",
    "from July 1 to October 1",
    "three windows",
    lambda: windows((day(1, 7), day(1))),
    "07-01 to 08-14",
    "08-14 to 09-27",
    "09-27 to 10-01",
)
rule(
    LISTING,
    "what was listed is not listed again",
    "October 4 to 19 needed, 1 to 10 covered",
    "the rest",
    lambda: windows((day(4), day(19)), covered=((day(1), day(10)),)),
    "10-10 to 10-19",
)
rule(
    LISTING,
    "a listing that is too long or fails",
    "October 1 to 11",
    "halved",
    lambda: days(*(w.span for w in halve(merge_windows([(day(1), day(11))])[0]))),
    "10-01 to 10-06",
    "10-06 to 10-11",
)
