"""The ErrorType and ErrorReason of each refusal; no document gives them (reference §4, §9.2)."""

from __future__ import annotations

from clawback.sandbox.facts import Refusal
from clawback.sandbox.profile import Profile

TEXTS = {
    "malformed": ("Validation", "MALFORMED"),
    "unknown_action": ("Validation", "ACTION_NOT_FOUND"),
    "unknown_sku": ("Validation", "ITEM_NOT_FOUND"),
    "duplicate_sku": ("Validation", "ITEM_AMBIGUOUS"),
    "code": ("Validation", "DISPOSITION_CODE_NOT_FOUND"),
    "customer_status": ("Validation", "CUSTOMER_STATUS_NOT_FOUND"),
    "out_of_range": ("Validation", "AMOUNT_OUT_OF_RANGE"),
    "modification_limit": ("Validation", "MAX_MODIFICATIONS_REACHED"),
    "locked": ("Validation", "ACTION_LOCKED"),
    "approved": ("Validation", "ACTION_APPROVED"),
    "reversed": ("Validation", "ACTION_REVERSED"),
}
_FIELDS = {
    "unknown_sku": "Sku",
    "duplicate_sku": "Sku",
    "code": "Reason",
    "customer_status": "CustomerStatus",
    "out_of_range": "ItemSubTotalDelta",
}


def texts_of(refusal: Refusal, profile: Profile) -> tuple[str, str]:
    """ErrorType and ErrorReason: the refusal's own, or the profile's, or ours."""
    texts: dict[str, tuple[str, str]] = TEXTS | dict(profile.error_texts.items())
    return refusal.texts or texts[refusal.cause]


def field_of(refusal: Refusal) -> str:
    """The parameter that a refusal at once points at."""
    return _FIELDS.get(refusal.cause, "ActionId")
