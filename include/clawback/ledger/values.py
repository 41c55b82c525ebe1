"""Values of rows that pass SQLAlchemy by, as the database's driver takes and gives them.

The converters say what the types of `clawback.ledger.types` say, a column at a time. Amounts and
times that were converted are kept: most come again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeAlias

import orjson
from sqlalchemy import JSON, Boolean, Dialect
from sqlalchemy.types import TypeEngine

from clawback.ledger.types import Money, Utc, plain

Row: TypeAlias = tuple[Any, ...]
Convert: TypeAlias = Callable[[Any], Any]
_KNOWN = 32768
_MILLION = Decimal("0.000001")
_MILLIONS, _HUNDREDTH = 1_000_000, 10_000


def convert(rows: Sequence[Row], converts: Sequence[Convert | None]) -> list[Row]:
    """Every value through the converter of its column; None stays None unless it takes it."""
    if not rows or not any(converts):
        return list(rows)
    by_column = [
        values if convert is None else map(convert, values)
        for values, convert in zip(zip(*rows, strict=True), converts, strict=True)
    ]
    return list(zip(*by_column, strict=True))


def encoder(kind: TypeEngine[Any], dialect: Dialect) -> Convert | None:
    """What turns a value into the driver's; None where it is that already."""
    if isinstance(kind, Money):
        return _millionths if dialect.name == "sqlite" else _exact
    if isinstance(kind, Utc):
        return _utc_text if dialect.name == "sqlite" else _utc
    if isinstance(kind, JSON):
        return to_json
    if isinstance(kind, Boolean):
        return None
    return kind.dialect_impl(dialect).bind_processor(dialect)


def decoder(kind: TypeEngine[Any], dialect: Dialect, code: object) -> Convert | None:
    """What turns the driver's value into ours; None where it is that already."""
    sqlite = dialect.name == "sqlite"
    if isinstance(kind, Money):
        return _from_millionths if sqlite else _shortened
    if isinstance(kind, Utc):
        return _from_utc_text if sqlite else _utc
    if sqlite and isinstance(kind, JSON):
        return _from_json
    return kind.dialect_impl(dialect).result_processor(dialect, code)


def to_plain(kind: TypeEngine[Any], dialect: Dialect) -> Convert | None:
    """What makes the driver's value plain: money in millionths, all else as the driver has it."""
    return _millionths if isinstance(kind, Money) and dialect.name != "sqlite" else None


def from_plain(kind: TypeEngine[Any], dialect: Dialect) -> Convert | None:
    """What turns a plain value into ours."""
    return _from_millionths if isinstance(kind, Money) else decoder(kind, dialect, None)


def plain_to_driver(kind: TypeEngine[Any], dialect: Dialect) -> Convert | None:
    """What turns a plain value into the driver's."""
    return _decimals if isinstance(kind, Money) and dialect.name != "sqlite" else None


def shown(value: int) -> str:
    """An amount in millionths as text: `str()` of the decimal that is read, 12.30 or 0.125."""
    whole, rest = divmod(abs(value), _MILLIONS)
    sign = "-" if value < 0 else ""
    if rest % _HUNDREDTH:
        return f"{sign}{whole}.{rest:06}".rstrip("0")
    return f"{sign}{whole}.{rest // _HUNDREDTH:02}"


def _decimals(value: int | None) -> Decimal | None:
    return None if value is None else Decimal(value).scaleb(-6)


@lru_cache(maxsize=_KNOWN)
def _millionths(value: Decimal | None) -> int | None:
    return None if value is None else int(value.scaleb(6).to_integral_value())


def _exact(value: Decimal | None) -> Decimal | None:
    return None if value is None else value.quantize(_MILLION)


def _shortened(value: Decimal | None) -> Decimal | None:
    return None if value is None else plain(value)


@lru_cache(maxsize=_KNOWN)
def _from_millionths(value: int | None) -> Decimal | None:
    if value is None:
        return None
    hundredths, rest = divmod(value, 10_000)
    exact = Decimal(hundredths).scaleb(-2)
    return plain(Decimal(value).scaleb(-6)) if rest else exact


def _utc(value: datetime | None) -> datetime | None:
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError(f"a time without a zone reached the ledger: {value.isoformat()}")
    return value.astimezone(UTC)


def _utc_text(value: datetime | None) -> str | None:
    moment = _utc(value)
    return None if moment is None else _text_of(moment)


@lru_cache(maxsize=_KNOWN)
def _text_of(moment: datetime) -> str:
    # Only of a time in UTC: elsewhere the two hours of a clock set back count as equal.
    return moment.isoformat(" ", "microseconds")[:26]


def _from_utc_text(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text + "+00:00")


def to_json(value: Any) -> str:
    """JSON without spaces; None is JSON's null, as SQLAlchemy has it."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # a number or text that only the slower encoder takes
        return json.dumps(value, separators=(",", ":"))


def _from_json(text: str | None) -> Any:
    return None if text is None else orjson.loads(text)
