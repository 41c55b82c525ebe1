"""The codes that a write may carry, and which of an order's reasons it carries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

from clawback.money import ZERO
from clawback.reconcile.facts import Codes, Rules, Verb

ITEM_REASON = "ORDER_UPDATE"
MODIFY_REASONS = frozenset(
    (
        *("ORDER_UPDATE", "ITEM_RETURNED", "CONS_FRAUD", "CONS_ERROR", "ORDER_ERROR"),
        *("PUB_ACT_DISPUTE", "ADV_ACT_DISPUTE", "NOT_COMPLIANCE_TERMS", "ITEM_OUT_OF_STOCK"),
        *("TEST_ACTION", "PARTNER_NOT_ACTIVE", "CREDITED_DIFFERENT_MP", "OTHER"),
    )
)
"""Reasons that PUT takes (reference §3.1); RESET and APPROVED are no matter of a mapping."""
REVERSE_CODES = frozenset(
    (
        *("REJECTED", "CONS_INFO_INVALID", "CONS_ERROR", "CONS_FRAUD", "ITEM_RETURNED"),
        *("ITEM_OUT_OF_STOCK", "ORDER_ERROR", "PUB_ACT_DISPUTE", "NOT_COMPLIANCE_TERMS"),
        *("MP_RETURNED", "OTHER", "CREDITED_DIFFERENT_MP", "ADV_ACT_DISPUTE", "TEST_ACTION"),
    )
)
"""Disposition codes that DELETE takes (reference §3.2)."""
_REVERSE = Verb.REVERSE
FORBIDDEN = frozenset(("RESET", "APPROVED"))


def check_codes(merchant: str, codes: Codes, custom: Iterable[str] = ()) -> None:
    """Make sure that a merchant reason maps to a code that each verb takes.

    `custom` are the account's own codes. Codes are case-sensitive (reference §3.4). Raises
    ValueError saying which code is wrong and which ones there are.
    """
    own = frozenset(custom)
    for verb, code, known in (
        ("modify", codes.modify, MODIFY_REASONS),
        ("reverse", codes.reverse, REVERSE_CODES),
    ):
        if code in FORBIDDEN:
            raise ValueError(
                f"reason {merchant!r}: {code} undoes or approves an action and cannot come from "
                f"a mapping; choose another code for {verb}"
            )
        if code not in known | own:
            raise ValueError(
                f"reason {merchant!r}: impact.com knows no code {code!r} for {verb}; take one of "
                f"{', '.join(sorted(known | own))}, or list it under the account's custom codes"
            )


class Chosen(NamedTuple):
    """The code of a write, all merchant reasons behind it (largest first), and unmapped ones."""

    code: str
    reasons: tuple[str, ...]
    unmapped: tuple[str, ...]


class Taken(NamedTuple):
    """A line of a change: its merchant reason, and the amount that it takes off."""

    line_id: int
    reason: str
    amount: Decimal


def choose(lines: Sequence[Taken], verb: Verb, *, items: bool, rules: Rules) -> Chosen:
    """The code for a write that covers these lines.

    The reason of the largest amount decides; item changes always say ORDER_UPDATE (reference
    §3.1); a reason without a mapping takes the program's default.
    """
    names = (lines[0].reason,) if len(lines) == 1 else _by_amount(lines)
    mapped = rules.reasons
    codes = mapped.get(names[0], rules.default_codes) if names else rules.default_codes
    unmapped = tuple([name for name in names if name not in mapped])
    if verb is _REVERSE:
        return Chosen(codes.reverse, names, unmapped)
    return Chosen(ITEM_REASON if items else codes.modify, names, unmapped)


def _by_amount(lines: Sequence[Taken]) -> tuple[str, ...]:
    """The merchant reasons, that of the largest amount first."""
    totals: dict[str, Decimal] = {}
    for line in lines:
        totals[line.reason] = totals.get(line.reason, ZERO) + line.amount
    return tuple(sorted(totals, key=lambda name: (-totals[name], name)))
