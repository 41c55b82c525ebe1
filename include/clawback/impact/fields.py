"""How impact.com writes a scalar: as a string or a number, with "", null and missing all absent."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from pydantic import AliasChoices, Field, PlainValidator

_NUMBER = re.compile(r"[+-]?\d{1,15}(?:\.\d{0,12})?", re.ASCII)
_EXACT_BELOW = 2**53
LONGEST_TEXT = 4_000
_SHOWN = 40


def wire(*names: str) -> Any:
    """The name, or names, of a field at impact.com."""
    return Field(validation_alias=names[0] if len(names) == 1 else AliasChoices(*names))


def text(value: Any) -> str:
    """A string as it is, a whole number in digits, absent as ""."""
    if type(value) is str:
        if len(value) > LONGEST_TEXT:
            raise ValueError(f"is {len(value)} characters long")
        return value.strip()
    if value is None:
        return ""
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is int:
        return str(value)
    if type(value) is float and value.is_integer() and abs(value) < _EXACT_BELOW:
        return str(int(value))
    raise ValueError(f"is no text but {_shown(value)}")


def cut(value: Any) -> str:
    """A text that may be long; only its head is kept."""
    return text(value[:LONGEST_TEXT] if type(value) is str else value)


def key(value: Any) -> str:
    """A text that must not be empty."""
    if found := text(value):
        return found
    raise ValueError("is empty")


def money(value: Any) -> Decimal:
    """An exact decimal in plain notation, at most 15 digits before the point."""
    if type(value) is str:
        plain = value.strip()
        if _NUMBER.fullmatch(plain):
            return Decimal(plain)
    elif type(value) in {int, float} and abs(value) < 1e15:  # noqa: PLR2004 - 15 digits; NaN fails
        return Decimal(repr(value))
    if absent(value):
        raise ValueError("is empty")
    raise ValueError(f"is no amount but {_shown(value)}")


def money_or_zero(value: Any) -> Decimal:
    """As `money`, absent as zero."""
    return Decimal(0) if absent(value) else money(value)


def whole(value: Any) -> int:
    """A whole number, also written 2.0."""
    number = money(value)
    if number != number.to_integral_value():
        raise ValueError(f"is no whole number but {_shown(value)}")
    return int(number)


def whole_or_none(value: Any) -> int | None:
    """As `whole`, absent as None."""
    return None if absent(value) else whole(value)


def instant(value: Any) -> datetime:
    """An ISO 8601 time with its offset (reference §2.2), as aware UTC."""
    if absent(value):
        raise ValueError("is empty")
    try:
        moment = datetime.fromisoformat(value.strip())
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, TypeError, AttributeError, OverflowError):
        raise ValueError(f"is no time but {_shown(value)}") from None
    raise ValueError(f"has no offset from UTC: {_shown(value)}")


def instant_or_none(value: Any) -> datetime | None:
    """As `instant`, absent as None."""
    return None if absent(value) else instant(value)


def absent(value: Any) -> bool:
    """Whether a value is missing, null or blank."""
    return value is None or (type(value) is str and not value.strip())


E = TypeVar("E", bound=StrEnum)


def member(kind: type[E]) -> Callable[[Any], E]:
    """A reader for an enum's values that ignores case."""
    members = {str(m): m for m in kind}

    def read(value: Any) -> E:
        found = members.get(value) if type(value) is str else None
        found = found or members.get(text(value).upper())
        if found is None:
            raise ValueError(f"is none of {', '.join(members)} but {_shown(value)}")
        return found

    return read


def _shown(value: Any) -> str:
    """A wrong value, short enough for an error; of a structure only its type."""
    if isinstance(value, (dict, list)):
        return f"a {type(value).__name__}"
    plain = repr(value)
    return plain if len(plain) <= _SHOWN else f"{plain[:_SHOWN]}…"


Text = Annotated[str, PlainValidator(text)]
Head = Annotated[str, PlainValidator(cut)]
Key = Annotated[str, PlainValidator(key)]
Money = Annotated[Decimal, PlainValidator(money)]
MoneyOrZero = Annotated[Decimal, PlainValidator(money_or_zero)]
Whole = Annotated[int, PlainValidator(whole)]
WholeOrNone = Annotated[int | None, PlainValidator(whole_or_none)]
Instant = Annotated[datetime, PlainValidator(instant)]
InstantOrNone = Annotated[datetime | None, PlainValidator(instant_or_none)]
