"""Reads single cells of a return row, whatever type the database driver gave them.

Each reader returns the value, or None for an empty cell, or raises ValueError with "what is wrong;
how to mend it". NULL, NaN, NaT and blank text are all the same: empty.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal, DecimalException
from uuid import UUID
from zoneinfo import ZoneInfo

MAX_TEXT = 255
MAX_QUANTITY = 1_000_000_000
MAX_WHOLE_DIGITS = 12
MAX_PLACES = 6
FIRST_YEAR, LAST_YEAR = 2000, 2100
_FLOAT_EXACT = 2**53
_UNREADABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{0,40})?([eE][+-]?[0-9]{1,2})?")
_NO_OFFSET = timedelta()
ZONES = (timezone, ZoneInfo)
_TRUE = frozenset(("true", "t", "yes", "y", "1"))
_FALSE = frozenset(("false", "f", "no", "n", "0"))


_PLAIN = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,6})?")


def is_clean(text: str) -> bool:
    """Whether a text is surely fit to be kept as it is: the quick look before the long one."""
    return len(text) <= MAX_TEXT and text.isprintable() and not text.isspace()


def is_plain(number: str) -> bool:
    """Whether the text of a decimal is surely one that the contract takes: the quick look."""
    return _PLAIN.fullmatch(number) is not None


class Alien:
    """Stands for a value of a type that no reader knows; only the type's name is kept."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


Native = str | int | float | Decimal | datetime | date | UUID | Alien | None


def native(value: object) -> Native:
    """The value in a type that the readers know, None if it is empty.

    Decides by type alone and runs no method of a foreign class, so that it cannot raise.
    """
    kind = type(value)
    if value is None:
        return None
    if kind is str:
        return value if value and not value.isspace() else None  # type: ignore[return-value, attr-defined]  # `kind is str` narrows only for a reader
    if kind in (int, bool, date, UUID):
        return value  # type: ignore[return-value]  # as above
    for known, reader in _READERS:
        if issubclass(kind, known):
            return reader(value)  # type: ignore[arg-type]  # as above
    return Alien(kind.__name__)


def _plain_text(value: str) -> str | None:
    text = str.__str__(value)
    return text if text and not text.isspace() else None


def _plain_float(value: float) -> float | None:
    number = float.__float__(value)
    return None if math.isnan(number) else number


def _plain_decimal(value: Decimal) -> Decimal | None:
    return None if Decimal.is_nan(value) else value


def _plain_datetime(value: datetime) -> datetime | Alien | None:
    """A plain datetime, in UTC if its zone is a foreign one; NaT, pandas' missing one, is empty."""
    if type(value) is not datetime:
        if type(value).__name__ == "NaTType":
            return None
        value = datetime.combine(datetime.date(value), datetime.timetz(value))
    if value.tzinfo is None or type(value.tzinfo) in ZONES:
        return value
    try:
        offset = value.tzinfo.utcoffset(value)
        if offset is None:
            return value.replace(tzinfo=None)
        return datetime.combine(value.date(), value.time(), UTC) - offset
    except Exception:  # noqa: BLE001 - runs the code of a foreign zone, which may raise anything
        return Alien("time in an unusable zone")


_READERS = (
    (datetime, _plain_datetime),
    (Decimal, _plain_decimal),
    (float, _plain_float),
    (str, _plain_text),
    (int, int.__int__),
)


def show(value: object) -> str:
    """A short printable form of a cell for an error message."""
    if isinstance(value, Alien):
        return f"a {value.name}"
    if isinstance(value, int) and abs(value) >= 10**40:
        return "a number of more than 40 digits"
    text = value[:60] if isinstance(value, str) else str(value)
    text = "".join(c if c.isprintable() else "\ufffd" for c in text)
    text = text if len(text) <= 40 else f"{text[:40]}…"  # noqa: PLR2004 - a message stays readable
    return f"{text!r}" if isinstance(value, str) else text


def text(value: Native) -> str | None:
    """An id or a code: its characters are kept as they are; whole numbers and UUIDs become text."""
    if value is None:
        return None
    if isinstance(value, str):
        if len(value) > MAX_TEXT:
            raise ValueError(f"has {len(value)} characters; at most {MAX_TEXT} are allowed")
        if _UNREADABLE.search(value):
            raise ValueError(
                f"{show(value)} holds control characters; strip them in the SQL statement"
            )
        return value
    if isinstance(value, UUID):
        return str(value)
    number = None if isinstance(value, bool) else _integer(value)
    if number is None or abs(number) >= 10**40:
        raise ValueError(f"{show(value)} is not text; cast it to text in the SQL statement")
    if isinstance(value, float) and abs(number) >= _FLOAT_EXACT:
        raise ValueError(
            f"{show(value)} is a float and has lost digits; keep the column as text or integer"
        )
    return str(number)


def _integer(value: Native) -> int | None:
    """The value as a whole number if it is one exactly, else None."""
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if not isinstance(value, Decimal) or not value.is_finite() or abs(value.adjusted()) > 40:  # noqa: PLR2004 - far beyond any limit below
        return None
    return int(value) if value == value.to_integral_value() else None


def number(value: Native) -> Decimal | None:
    """A finite decimal of at most 12 digits before the point and 6 after it.

    A float is taken by its shortest text, rounded to the sixth place: what is beyond is noise.
    """
    if value is None or (isinstance(value, str) and value.strip().lower() == "nan"):
        return None
    exact = _decimal(value)
    if exact is None or not exact.is_finite():
        raise ValueError(f"{show(value)} is not a number; write it plainly, like 1234.50")
    if exact.adjusted() >= MAX_WHOLE_DIGITS:
        raise ValueError(
            f"{show(value)} is too large; at most {MAX_WHOLE_DIGITS} digits before the point"
        )
    if not exact:
        return Decimal(0)
    places = exact.as_tuple().exponent
    if isinstance(places, int) and places > 0:
        return Decimal(int(exact))
    if isinstance(places, int) and places < -MAX_PLACES:
        exact = _fewer_places(exact, value)
    return exact


def _decimal(value: Native) -> Decimal | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int):
        return Decimal(value) if abs(value) < 10**40 else Decimal("Infinity")
    if isinstance(value, float):
        return Decimal(repr(round(value, MAX_PLACES))) if math.isfinite(value) else None
    if isinstance(value, str):
        return _decimal_text(value.strip())
    return None


def _decimal_text(text: str) -> Decimal | None:
    if len(text) > 100 or not _NUMBER.fullmatch(text):  # noqa: PLR2004 - no number is longer
        return None
    try:
        return Decimal(text)
    except DecimalException:
        return None


def _fewer_places(exact: Decimal, value: Native) -> Decimal:
    """`exact` without superfluous zeros; raises if more than six places are left."""
    rounded = round(exact, MAX_PLACES)
    if rounded != exact:
        raise ValueError(
            f"{show(value)} has more than {MAX_PLACES} places; round it in the SQL statement"
        )
    return rounded


def whole(value: Native) -> int | None:
    """A whole number, zero and below included; the contract's rules judge its size."""
    exact = number(value)
    if exact is None:
        return None
    if exact != exact.to_integral_value():
        raise ValueError(
            f"{show(value)} is not whole; give whole units, or report money alone as kind "
            "adjustment"
        )
    if abs(exact) > MAX_QUANTITY:
        raise ValueError(f"{show(value)} is too large; at most {MAX_QUANTITY} units")
    return int(exact)


def flag(value: Native) -> bool:
    """A truth value; empty is false."""
    if value is None:
        return False
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else None
    if not isinstance(value, str):
        whole = _integer(value)
        word = str(whole) if whole in (0, 1) else ""
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError(f"{show(value)} is neither true nor false; write true or false")


def moment(value: Native, zone: tzinfo) -> datetime | None:
    """A time as aware UTC; one without a zone is a wall clock's time in `zone`."""
    if value is None:
        return None
    found = _datetime(value)
    if found is None:
        raise ValueError(f"{show(value)} is not a time; write ISO 8601, like 2026-11-23T06:00:00Z")
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise ValueError(
            f"{show(value)} lies outside the years {FIRST_YEAR} to {LAST_YEAR}; "
            "mend the date, or leave it empty where the column is optional"
        )
    try:
        if found.tzinfo is None:
            found -= zone.utcoffset(found) or _NO_OFFSET
            return datetime.combine(found.date(), found.time(), UTC)
        return found.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{show(value)} is beyond all calendars; mend the date") from None


def _datetime(value: Native) -> datetime | None:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time())
    if not isinstance(value, str) or len(value) > 40:  # noqa: PLR2004 - no ISO time is longer
        return None
    try:
        return datetime.fromisoformat(value.strip())
    except ValueError:
        return None
