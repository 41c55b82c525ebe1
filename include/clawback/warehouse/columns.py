"""The types of the contract's columns: each takes what a driver gives, or says what is wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

from pydantic import PlainValidator, ValidationInfo

from clawback.warehouse import cells

_DIGITS = 10
KINDS = ("return", "adjustment", "cancellation")
_EMPTY = "is empty; every return line needs it"


def _required_text(value: object) -> str:
    found = _optional_text(value)
    if not found:
        raise ValueError(_EMPTY)
    return found


def _optional_text(value: object) -> str:
    if type(value) is str and cells.is_clean(value):
        return value
    return cells.text(cells.native(value)) or ""


def _kind(value: object) -> str:
    if type(value) is str and value in KINDS:
        return value
    found = _optional_text(value).strip().lower()
    if found not in KINDS:
        said = cells.show(found) if found else "is empty and so"
        raise ValueError(
            f"{said} is none of {', '.join(KINDS)}; map your own words to them in the SQL statement"
        )
    return found


def _units(value: object) -> int | None:
    if value is None or (type(value) is int and 0 <= value <= cells.MAX_QUANTITY):
        return value
    if type(value) is float and value.is_integer() and 0 <= value <= cells.MAX_QUANTITY:
        return int(value)
    if type(value) is str and len(value) < _DIGITS and value.isascii() and value.isdigit():
        return int(value)
    found = cells.whole(cells.native(value))
    if found is not None and found < 0:
        raise ValueError(f"{found} is negative; write the units that came back as 1 or more")
    return found


def _units_sold(value: object) -> int | None:
    found = _units(value)
    if found == 0:
        raise ValueError(f"{found} units cannot have been sold; leave it empty if it is not known")
    return found


def _money(value: object) -> Decimal | None:
    if value is None or (type(value) is Decimal and cells.is_plain(str(value))):
        return value
    if type(value) is str and cells.is_plain(value):
        return Decimal(value)
    found = cells.number(cells.native(value))
    if found is not None and found < 0:
        raise ValueError(f"{found} is negative; write money that went back as a positive amount")
    return found


def _currency(value: object, info: ValidationInfo) -> str:
    found = _optional_text(value).strip().upper()
    if not found and info.context is not None:
        found = info.context.get("currency", "")
    if len(found) != 3 or not (found.isascii() and found.isalpha()):  # noqa: PLR2004 - ISO 4217
        raise ValueError(f"{cells.show(found)} is no currency; write three letters, like USD")
    return found


def _moment(value: object, info: ValidationInfo) -> datetime | None:
    if value is None:
        return None
    zone = UTC if info.context is None else info.context.get("timezone", UTC)
    if type(value) is datetime and (value.tzinfo is None or type(value.tzinfo) in cells.ZONES):
        return cells.moment(value, zone)
    return cells.moment(cells.native(value), zone)


def _required_moment(value: object, info: ValidationInfo) -> datetime:
    found = _moment(value, info)
    if found is None:
        raise ValueError(_EMPTY)
    return found


def _flag(value: object) -> bool:
    if type(value) is bool:
        return value
    return cells.flag(cells.native(value))


Id = Annotated[str, PlainValidator(_required_text)]
Text = Annotated[str, PlainValidator(_optional_text)]
Money = Annotated[Decimal | None, PlainValidator(_money)]
Moment = Annotated[datetime | None, PlainValidator(_moment)]
Kind = Annotated[str, PlainValidator(_kind)]
Units = Annotated[int | None, PlainValidator(_units)]
UnitsSold = Annotated[int | None, PlainValidator(_units_sold)]
Currency = Annotated[str, PlainValidator(_currency)]
RequiredMoment = Annotated[datetime, PlainValidator(_required_moment)]
Flag = Annotated[bool, PlainValidator(_flag)]
