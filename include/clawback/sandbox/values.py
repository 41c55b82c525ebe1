"""Values of a world line as texts of the wire, each checked and named if it is none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from clawback.sandbox import fields as f

ItemValues = tuple[tuple[str, ...], tuple[str, ...]]
"""One item: the values of ITEM_SHARED, then those of ITEM_OWN."""

NUMBER = r"-?\d{1,14}(?:\.\d{1,12})?"
WHOLE = r"\d{1,14}(?:\.0{1,12})?"
_NUMBER = re.compile(NUMBER)
_WHOLE = re.compile(WHOLE)
_CURRENCIES = ("SaleAmountCurrency", "PayoutCurrency", "RebateCurrency")
_ZEROES = ("SaleAmount", "Payout", "Rebate")


class WrongField(ValueError):  # noqa: N818  # what is wrong about a line, in the line's words
    """A field of a world line that is not as the API writes it, and how to write it."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")


def text(field: str, value: Any) -> str:
    """A scalar as the wire writes it, "" for null. Raises WrongField for a list or an object."""
    if type(value) is str:
        return value
    if isinstance(value, list | Mapping):
        raise WrongField(field, "is a list or an object; give a text or a number")
    return "" if value is None else str(value)


def number(field: str, value: Any) -> str:
    """A number as text, or "" for none. Raises WrongField if it is no plain decimal."""
    given = text(field, value)
    if given and not _NUMBER.fullmatch(given):
        raise WrongField(field, f"{given!r} is no number; write it like 19.99")
    return given


def item_values(item: Any, where: str, currency: str) -> ItemValues:
    """An item, with plain defaults for what a line leaves out. Raises WrongField for the rest."""
    if not isinstance(item, Mapping):
        raise WrongField(where, "is no object; give it at least Sku")
    names = (*f.ITEM_SHARED, *f.ITEM_OWN)
    values = {name: text(f"{where}.{name}", item.get(name)) for name in names}
    values |= {name: values[name] or currency for name in _CURRENCIES}
    for name in _ZEROES:
        values[name] = number(f"{where}.{name}", values[name]) or "0.00"
    values["Quantity"] = values["Quantity"] or "1"
    if not _WHOLE.fullmatch(values["Quantity"]):
        quantity = values["Quantity"]
        raise WrongField(f"{where}.Quantity", f"{quantity!r} is no quantity; write it like 2")
    if not values["Sku"]:
        raise WrongField(f"{where}.Sku", "is missing; an item is named by its Sku")
    return tuple(values[n] for n in f.ITEM_SHARED), tuple(values[n] for n in f.ITEM_OWN)
