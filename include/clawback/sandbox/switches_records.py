"""Switches about locking and what is told of it afterwards (reference §5, §9.19-20, §9.24)."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class Records(BaseModel):
    """When an action locks, which updates are written, and what Delta* and Intended* are."""

    locking_instant: Literal["exact", "day_start", "day_end"] = Field(
        "exact", description="when on the day of its LockingDate an action locks (§9.19)"
    )
    locking_zone: str | None = Field(
        None,
        description="the zone of a LockingDate; null: the offset it is shown with (§9.19)",
    )
    locking_grace: float = Field(
        0.0, ge=0, description="seconds from that instant to the lock (§9.19)"
    )
    update_quantity: Literal["new", "difference"] = Field(
        "new", description="what an update's Quantity says (§9.24)"
    )
    delete_rows: Literal["per_item", "per_action"] = Field(
        "per_item", description="the rows of a reversal (§9.24)"
    )
    reset_rows: Literal["changed", "all", "per_action", "none"] = Field(
        "changed", description="the rows of a RESET (§9.24)"
    )
    untouched_rows: bool = Field(
        default=False, description="a change also writes untouched items (§9.24)"
    )
    approval_rows: Literal["none", "per_item", "per_action"] = Field(
        "none", description="the rows of an approval by code; locking writes none (§9.20)"
    )
    update_state: Literal["current", "written"] = Field(
        "current",
        description="an update's State: that of its action now (the help's word), or the one that "
        "the update brought (§5, §9.20)",
    )
    state_details: bool = Field(
        default=False, description="updates say OPEN, PAYMENT_PENDING, PAID (§5, §9.20)"
    )
    delta_meaning: Literal["latest", "total"] = Field(
        "latest",
        description="the latest modification's change, or that of all since the report (§9.20)",
    )
    intended_meaning: Literal["original", "before_latest", "current"] = Field(
        "original",
        description="as reported, as before the latest change, or what would be paid now (§9.20)",
    )
