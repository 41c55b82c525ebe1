"""Money as exact decimals: minor units, rounding half to even, and sharing to the last cent."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache

ZERO = Decimal(0)
# ISO 4217 currencies whose minor unit is not a hundredth.
_NO_MINOR = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"}
    | {"RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"}
)
_THOUSANDTH = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))


@lru_cache(maxsize=512)
def minor_unit(currency: str) -> Decimal:
    """The smallest amount of a currency (ISO 4217): 1 for JPY, 0.001 for KWD, else 0.01."""
    code = currency.upper()
    if code in _NO_MINOR:
        return Decimal(1)
    return Decimal("0.001") if code in _THOUSANDTH else Decimal("0.01")


def quantize(amount: Decimal, currency: str) -> Decimal:
    """`amount` rounded half to even to the currency's minor unit."""
    return amount.quantize(minor_unit(currency), ROUND_HALF_EVEN)


_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"} | {
    code: f"{code[:2]}$" for code in ("AUD", "CAD", "NZD")
}


def in_words(amount: Decimal, currency: str) -> str:
    """An amount in whole units, for a label: "$4,120", "€310", "4,120 CHF"."""
    whole = f"{amount.quantize(Decimal(1), rounding=ROUND_HALF_EVEN):,}"
    sign = _SIGNS.get(currency.upper())
    return f"{whole} {currency}" if sign is None else f"{sign}{whole}"


def share(total: Decimal, weights: Sequence[Decimal], currency: str) -> list[Decimal]:
    """`total` shared over `weights` by largest remainder: the parts add up to `total` exactly.

    Without any weight the parts are even. The result is as long as `weights`; an empty one gives
    an empty list.
    """
    if not weights:
        return []
    whole = sum(weights, ZERO)
    if whole == 0:
        weights = [Decimal(1)] * len(weights)
        whole = Decimal(len(weights))
    unit = minor_unit(currency)
    exact = [total * w / whole for w in weights]
    parts = [e // unit * unit if e >= 0 else -((-e) // unit * unit) for e in exact]
    rest = total - sum(parts, ZERO)
    step = unit if rest >= 0 else -unit
    order = sorted(range(len(parts)), key=lambda i: (-abs(exact[i] - parts[i]), i))
    for i in order[: int(abs(rest) / unit)]:
        parts[i] += step
    parts[order[0]] += total - sum(parts, ZERO)
    return parts
