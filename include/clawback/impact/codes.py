"""The codes that impact.com takes with a write and gives back on an item (reference §2.7, §3)."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import Literal

Verb = Literal["modify", "reverse"]
"""The two writes: modify is PUT, reverse is DELETE (reference §3.1, §3.2)."""


class PutReason(StrEnum):
    """What `Reason` of a PUT may say by default (reference §3.1)."""

    ORDER_UPDATE = "ORDER_UPDATE"
    ITEM_RETURNED = "ITEM_RETURNED"
    CONS_FRAUD = "CONS_FRAUD"
    CONS_ERROR = "CONS_ERROR"
    ORDER_ERROR = "ORDER_ERROR"
    PUB_ACT_DISPUTE = "PUB_ACT_DISPUTE"
    ADV_ACT_DISPUTE = "ADV_ACT_DISPUTE"
    NOT_COMPLIANCE_TERMS = "NOT_COMPLIANCE_TERMS"
    ITEM_OUT_OF_STOCK = "ITEM_OUT_OF_STOCK"
    TEST_ACTION = "TEST_ACTION"
    PARTNER_NOT_ACTIVE = "PARTNER_NOT_ACTIVE"
    CREDITED_DIFFERENT_MP = "CREDITED_DIFFERENT_MP"
    OTHER = "OTHER"


class DispositionCode(StrEnum):
    """What `DispositionCode` of a DELETE may say by default (reference §3.2)."""

    REJECTED = "REJECTED"
    CONS_INFO_INVALID = "CONS_INFO_INVALID"
    CONS_ERROR = "CONS_ERROR"
    CONS_FRAUD = "CONS_FRAUD"
    ITEM_RETURNED = "ITEM_RETURNED"
    ITEM_OUT_OF_STOCK = "ITEM_OUT_OF_STOCK"
    ORDER_ERROR = "ORDER_ERROR"
    PUB_ACT_DISPUTE = "PUB_ACT_DISPUTE"
    NOT_COMPLIANCE_TERMS = "NOT_COMPLIANCE_TERMS"
    MP_RETURNED = "MP_RETURNED"
    OTHER = "OTHER"
    CREDITED_DIFFERENT_MP = "CREDITED_DIFFERENT_MP"
    ADV_ACT_DISPUTE = "ADV_ACT_DISPUTE"
    TEST_ACTION = "TEST_ACTION"


RESET = "RESET"
"""A PUT reason that puts an action back to its original state, before locking only (§3.3)."""
APPROVED = "APPROVED"
"""A PUT reason that approves, where an approving disposition code is configured (§3.3)."""
CREATED = "IR_BLANK"
"""The disposition of an action update that records the creation (§5)."""

PUT_REASONS = frozenset(str(code) for code in PutReason)
DISPOSITION_CODES = frozenset(str(code) for code in DispositionCode)
RESERVED = frozenset((RESET, APPROVED))
"""They undo or approve; no merchant reason may map to them."""

ADJUSTMENT_REASONS = frozenset(
    (
        "OVERLIMIT_WEEKDAYCAP",
        "OVERLIMIT_WEEKENDCAP",
        "OVERLIMIT_BUDGET",
        "OVERLIMIT_ACTIONCAP",
        "OVERLIMIT_CONCURRENTCALLS",
        "OVERLIMIT_UNKNOWN_CALLERID",
        "RECALC_COMM",
        "MP_RETURN",
        "APPROVED",
        "REJECTED",
        "CONS_INFO_INVALID",
        "CONS_ERROR",
        "CONS_FRAUD",
        "ITEM_RETURNED",
        "ITEM_OUT_OF_STOCK",
        "ORDER_ERROR",
        "PUB_ACT_DISPUTE",
        "ADV_ACT_DISPUTE",
        "NOT_COMPLIANCE_TERMS",
        "MP_ACCOUNT_DEATVIATED",
        "CREDITED_DIFFERENT_MP",
        "ORDER_UPDATE",
        "OTHER",
        "TEST_ACTION",
        "RESET",
    )
)
"""What an item's AdjustmentReason is known to say; an open list, the partner twin's (§2.7)."""

_STANDARD: dict[Verb, frozenset[str]] = {"modify": PUT_REASONS, "reverse": DISPOSITION_CODES}
_FIELD: dict[Verb, str] = {
    "modify": "Reason of a modification (PUT)",
    "reverse": "DispositionCode of a reversal (DELETE)",
}


def check_reason(verb: Verb, code: str, custom: Collection[str] = ()) -> str:
    """`code` if that write takes it: a standard code or one of the account's `custom` codes.

    Codes are case-sensitive (reference §3.4). Raises ValueError with the mend.
    """
    if code in RESERVED:
        raise ValueError(f"{code} is not for merchant reasons: it {_RESERVED_FOR[code]}")
    allowed = _STANDARD[verb]
    if code in allowed or code in custom:
        return code
    raise ValueError(f"{code!r} is no {_FIELD[verb]}; {_mend(verb, code, custom)}")


_RESERVED_FOR = {
    RESET: "undoes every modification; use `clawback reset` for it",
    APPROVED: "approves an action, which Clawback never does",
}


def _mend(verb: Verb, code: str, custom: Collection[str]) -> str:
    """What to write instead: the same code in the right case, or the list to choose from."""
    for known in sorted((*_STANDARD[verb], *custom)):
        if known.upper() == code.strip().upper():
            return f"codes are case-sensitive, write {known!r}"
    other = _STANDARD["reverse" if verb == "modify" else "modify"]
    hint = "that code is for the other write; " if code in other else ""
    known_codes = ", ".join(sorted(_STANDARD[verb]))
    return f"{hint}use one of {known_codes}, or add it to the account's custom codes"
