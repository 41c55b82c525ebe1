"""The extensions of a world line: how an action stands, what happened to it, what it refuses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clawback.sandbox import fields as f
from clawback.sandbox.facts import UpdateRow
from clawback.sandbox.values import ItemValues, WrongField, item_values, number, text

KEYS = ("_refuse", "_visible_from", "_original", "_updates", "_modifications")
Read = Callable[[str], tuple[str, int]]
"""Reads a time: as the account writes it, and in epoch seconds."""


@dataclass(frozen=True, slots=True)
class Extension:
    """What a line says beside how its action was reported.

    `items` are None where the action stands as it was reported; the amounts are texts of the wire,
    "" where the line leaves them out. `updates` still lack their row and number.
    """

    refusal: tuple[str, str] | None
    items: tuple[ItemValues, ...] | None
    amount: str
    payout: str
    cost: str
    updates: tuple[UpdateRow, ...]
    modifications: int


def extension_of(line: Mapping[str, Any], currency: str, read: Read) -> Extension:
    """The extensions of one line. Raises WrongField for what is not as docs/sandbox.md says."""
    updates = tuple(
        _update(row, f"_updates[{at}]", read) for at, row in enumerate(_list(line, "_updates"))
    )
    modified = bool(line.get("_original") or line.get("_modifications") or updates)
    return Extension(
        refusal=_refusal(line),
        items=_present(line, currency) if modified else None,
        amount=number("Amount", line.get("Amount")),
        payout=number("Payout", line.get("Payout")),
        cost=number("ClientCost", line.get("ClientCost")),
        updates=updates,
        modifications=_modifications(line, len({update.at for update in updates})),
    )


def _list(line: Mapping[str, Any], name: str) -> Sequence[Any]:
    rows = line.get(name) or ()
    if not isinstance(rows, list | tuple):
        raise WrongField(name, "is no list; give a list of objects")
    return rows


def _refusal(line: Mapping[str, Any]) -> tuple[str, str] | None:
    refusal = line.get("_refuse")
    if not refusal:
        return None
    if not isinstance(refusal, Mapping):
        raise WrongField("_refuse", "is no object; give it ErrorType and ErrorReason")
    error_type, reason = (
        text(f"_refuse.{n}", refusal.get(n)) for n in ("ErrorType", "ErrorReason")
    )
    if not error_type:
        raise WrongField("_refuse.ErrorType", "is missing; an ErrorType makes it an error")
    return error_type, reason


def _present(line: Mapping[str, Any], currency: str) -> tuple[ItemValues, ...]:
    """The items as they stand, which are the original ones, line by line."""
    items = tuple(item_values(row, f"Items[{i}]", currency) for i, row in enumerate(line["Items"]))
    original = [text("Sku", row.get("Sku")) for row in line.get("_original") or line["Items"]]
    if [own[0] for _, own in items] != original:
        raise WrongField("_original", "has other SKUs than Items; give the same lines in one order")
    return items


def _modifications(line: Mapping[str, Any], seen: int) -> int:
    given = line.get("_modifications")
    if given is None:
        return seen
    if not isinstance(given, int) or given < 0:
        raise WrongField("_modifications", f"{given!r} is no count; give a whole number")
    return given


def _update(row: Any, where: str, read: Read) -> UpdateRow:
    if not isinstance(row, Mapping):
        raise WrongField(where, "is no object; give it at least UpdateDate")
    date = text(f"{where}.UpdateDate", row.get("UpdateDate"))
    if not date:
        raise WrongField(f"{where}.UpdateDate", "is missing; say when the update was written")
    state = text(f"{where}.State", row.get("State")) or f.PENDING
    if state not in f.STATES:
        raise WrongField(f"{where}.State", f"{state!r} is none of {', '.join(f.STATES)}")
    return UpdateRow(
        row=0,
        number=0,
        at=time(date, f"{where}.UpdateDate", read)[1],
        disposition=text(f"{where}.Disposition", row.get("Disposition")) or "ORDER_UPDATE",
        state=state,
        delta_amount=number(f"{where}.DeltaAmount", row.get("DeltaAmount")) or "0.00",
        delta_payout=number(f"{where}.DeltaPayout", row.get("DeltaPayout")) or "0.00",
        sku=text(f"{where}.Sku", row.get("Sku")),
        quantity=number(f"{where}.Quantity", row.get("Quantity")),
        category=text(f"{where}.Category", row.get("Category")),
    )


def time(value: str, field: str, read: Read) -> tuple[str, int]:
    """A time as the account writes it and in epoch seconds. Raises WrongField if it is none."""
    try:
        return read(value)
    except (ValueError, OverflowError) as error:
        raise WrongField(
            field, f"{value!r} is no time; write it like 2026-11-20T12:00:00-08:00"
        ) from error
