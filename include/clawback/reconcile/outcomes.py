"""Outcomes of a return line, hold reasons, and which of several outcomes a line takes."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Outcome(StrEnum):
    """How a return line ends a run; exactly one each (design, "Outcomes")."""

    CONFIRMED = "confirmed"
    ALREADY_SETTLED = "already_settled"
    NOT_ATTRIBUTED = "not_attributed"
    IGNORED = "ignored"
    LOCKED = "locked"
    HELD = "held"
    REJECTED = "rejected"
    INVALID = "invalid"
    PLANNED = "planned"
    PENDING = "pending"

    @property
    def final(self) -> bool:
        """Whether a line that ended so is left alone until it or its action moves."""
        return self in _FINAL

    @property
    def carried(self) -> bool:
        """Whether a later run takes such a line up again although nothing new was read."""
        return self in _CARRIED


_FINAL = frozenset({Outcome.CONFIRMED, Outcome.ALREADY_SETTLED, Outcome.IGNORED, Outcome.LOCKED})
_CARRIED = frozenset(
    {Outcome.PENDING, Outcome.PLANNED, Outcome.HELD, Outcome.REJECTED, Outcome.NOT_ATTRIBUTED}
)


class Hold(StrEnum):
    """Why a line waits for a person."""

    AMBIGUOUS_ACTION = "ambiguous_action"
    UNKNOWN_SKU = "unknown_sku"
    DUPLICATE_SKU = "duplicate_sku"
    OVER_RETURNED = "over_returned"
    BASELINE_UNKNOWN = "baseline_unknown"
    CURRENCY_MISMATCH = "currency_mismatch"
    MODIFICATION_LIMIT = "modification_limit"
    RESTORE_NEEDED = "restore_needed"
    CONTESTED = "contested"
    OUTSIDE_LOOKBACK = "outside_lookback"
    CANARY_FAILED = "canary_failed"
    APPROVAL_REFUSED = "approval_refused"


_PRECEDENCE = (
    Outcome.REJECTED,
    Outcome.HELD,
    Outcome.PLANNED,
    Outcome.PENDING,
    Outcome.LOCKED,
    Outcome.CONFIRMED,
    Outcome.ALREADY_SETTLED,
    Outcome.IGNORED,  # a person stood back from the action
)


def combine(outcomes: Iterable[Outcome]) -> Outcome:
    """The outcome of a line whose order has several actions: the first in the design's order.

    Raises ValueError if none of the given outcomes belongs to an action.
    """
    found = set(outcomes)
    for outcome in _PRECEDENCE:
        if outcome in found:
            return outcome
    raise ValueError(f"no outcome of an action among {sorted(found)}")
