"""The quick look at a row: reads one that is written plainly, and leaves every other alone.

What it reads comes out exactly as the contract's own readers give it (a test holds them against
each other); for what it leaves alone they say what is wrong, or take it after all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Any

from clawback.warehouse import cells
from clawback.warehouse.raw import hash_of

_CURRENCY = re.compile(r"[A-Z]{3}")


class _Unusual(Exception):  # noqa: N818 - no error: the row takes the longer way
    """A cell that needs a longer look."""


def quick_row(row: Mapping[str, object], zone: tzinfo, currency: str) -> tuple[Any, ...] | None:
    """The values of a ReturnRow, in order, if the row is plain and keeps the contract; else None.

    Runs no code of foreign classes.
    """
    try:
        return _read(row, zone, currency)
    except (_Unusual, ValueError):
        return None


def _read(row: Mapping[str, object], zone: tzinfo, default_currency: str) -> tuple[Any, ...]:
    get = row.get
    return_id, order_id, sku, kind, currency, reason, parent_sku = _texts(row)
    currency = currency or default_currency
    quantity, sold = _units(get("quantity")), _units(get("ordered_quantity"))
    amount, amount_text = _money(get("amount"))
    ordered_amount, ordered_text = _money(get("ordered_amount"))
    voided = get("voided", False)
    if not (return_id and order_id and _hangs_together(kind, sku, quantity, amount)):
        raise _Unusual
    if sold == 0 or type(voided) is not bool or not _CURRENCY.fullmatch(currency):
        raise _Unusual
    returned_at, updated_at = _moment(get("returned_at"), zone), _moment(get("updated_at"), zone)
    ordered_at = None if (placed := get("ordered_at")) is None else _moment(placed, zone)
    content = hash_of(
        f"{return_id}\x1f{order_id}\x1f{sku}\x1f{kind}\x1f{'' if quantity is None else quantity}"
        f"\x1f{amount_text}\x1f{currency}\x1f{reason}\x1f{returned_at.timestamp()}"
        f"\x1f{'' if ordered_at is None else ordered_at.timestamp()}"
        f"\x1f{'' if sold is None else sold}\x1f{ordered_text}\x1f{voided}\x1f{parent_sku}"
    )
    return (
        *(return_id, order_id, sku, kind, quantity, amount, currency, reason),
        *(returned_at, updated_at, ordered_at, sold, ordered_amount, voided, parent_sku, content),
    )


def _hangs_together(kind: str, sku: str, quantity: int | None, amount: Decimal | None) -> bool:
    """Whether a row surely hangs together; the less usual shapes are for the contract."""
    if kind == "return":
        return bool(sku and quantity)
    if kind == "adjustment":
        return quantity is None and amount is not None
    return kind == "cancellation" and not sku and quantity is None


_TEXTS = ("return_id", "order_id", "sku", "kind", "currency", "reason", "parent_sku")


def _texts(row: Mapping[str, object]) -> list[str]:
    """The text cells, "" where they are empty; together they are short, so each one is."""
    found = ["" if (cell := row.get(name)) is None else cell for name in _TEXTS]
    if set(map(type, found)) != {str}:
        raise _Unusual
    joined = "".join(found)  # type: ignore[arg-type]  # they are texts, as was just seen
    if len(joined) > cells.MAX_TEXT or not joined.isprintable():
        raise _Unusual
    if " " in joined and any(map(str.isspace, found)):  # type: ignore[arg-type]  # as above
        raise _Unusual
    return found  # type: ignore[return-value]  # as above


def _units(cell: object) -> int | None:
    if cell is None or (type(cell) is int and 0 <= cell <= cells.MAX_QUANTITY):
        return cell
    raise _Unusual


def _money(cell: object) -> tuple[Decimal | None, str]:
    """An amount, and how its content is written."""
    if cell is None:
        return None, ""
    if type(cell) is Decimal:
        amount, text = cell, str(cell)
    elif type(cell) is str:
        amount, text = None, cell
    else:
        raise _Unusual
    if not cells.is_plain(text):
        raise _Unusual
    amount = Decimal(text) if amount is None else amount
    return amount, str(amount).rstrip("0").rstrip(".") if "." in text else str(amount)


def _moment(cell: object, zone: tzinfo) -> datetime:
    """A time in UTC."""
    if type(cell) is datetime:
        own = cell.tzinfo
        if own is None:
            return _known(cells.moment(cell, zone))
        if not cells.FIRST_YEAR <= cell.year <= cells.LAST_YEAR:
            raise _Unusual
        if type(own) in cells.ZONES:
            return cell.astimezone(UTC)
        if _is_utc(own):
            return cell.replace(tzinfo=UTC)
    elif type(cell) is str and cell and not cell.isspace():
        return _known(cells.moment(cell, zone))
    raise _Unusual


def _known(moment: datetime | None) -> datetime:
    if moment is None:
        raise _Unusual
    return moment


def _is_utc(zone: tzinfo) -> bool:
    """Whether a zone is pytz's UTC, in which DuckDB gives its times; asked of its type alone."""
    kind = type(zone)
    return type(kind) is type and kind.__name__ == "UTC" and kind.__module__ == "pytz"
