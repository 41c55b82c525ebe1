"""Switches about what a write makes of an action (reference §3, §9.8-14, §9.18)."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, Field

Rate = Annotated[Decimal, Field(ge=Decimal("0.000001"), le=1_000_000)]


class Writing(BaseModel):
    """What PUT and DELETE mean, and which codes this account has configured."""

    quantity_rescales: bool = Field(
        default=True, description="Quantity without Amount changes SaleAmount in proportion (§9.9)"
    )
    amount_meaning: Literal["line_total", "unit_price"] = Field(
        "line_total", description="what Amount beside a Quantity is (§9.9)"
    )
    amount_currency: Literal["action", "account"] = Field(
        "action",
        description="whose currency the Amount and ItemSubTotalDelta of a PUT are in; the "
        "account's is converted by exchange_rates (§8, §9.18)",
    )
    exchange_rates: dict[str, Rate] = Field(
        default_factory=dict,
        description="what one unit of a currency is worth in the account's own; 1 where it is "
        "not named (§8, §9.18)",
    )
    indexed_items: bool = Field(default=True, description="Sku2, Sku3 ... are honoured (§9.12)")
    indexed_amounts: bool = Field(
        default=True, description="Amount2, ItemSubTotalDelta2, Category2 ... are honoured (§9.12)"
    )
    first_index_one: bool = Field(default=False, description="Sku1 is taken for Sku (§9.12)")
    max_items_per_call: int | None = Field(
        None, description="more items in one call are 400 (§9.12)"
    )
    partial_failure: Literal["refuse_all", "apply_valid"] = Field(
        "refuse_all", description="one bad item among good ones (§9.12)"
    )
    duplicate_sku: Literal["first", "all", "refused"] = Field(
        "first", description="which lines of an action a Sku that stands twice names (§9.11)"
    )
    order_amount_spread: Literal["proportional", "first"] = Field(
        "proportional", description="how Amount without Sku reaches the items (§9.8)"
    )
    all_zero_reverses: bool = Field(
        default=True, description="all items at 0: state REVERSED (§9.10)"
    )
    item_amount_zero: Literal["item", "action"] = Field(
        "item", description="what Amount=0 beside a Sku empties (§9.10)"
    )
    put_on_reversed: Literal["refuse", "restore"] = Field(
        "refuse", description="PUT on a reversed action (§9.14, §9.25)"
    )
    put_on_approved: Literal["change", "refuse"] = Field(
        "change", description="APPROVED before its locking date (§9.14, §9.19)"
    )
    repeated_delete: Literal["refuse", "ignore", "count"] = Field(
        "refuse", description="a DELETE of what is reversed: count is a no-op that counts (§9.14)"
    )
    reason_optional: bool = Field(
        default=False, description="PUT with DispositionCode alone (§9.13)"
    )
    disposition_required: bool = Field(
        default=False,
        description="PUT needs a DispositionCode beside its Reason, as an older page has it (§3.1)",
    )
    item_reasons: Literal["all", "order_update"] = Field(
        "all",
        description="the Reasons of a PUT with a Sku: the whole list, or, on an older page, "
        "ORDER_UPDATE alone (§3.1)",
    )
    quantity_required: bool = Field(
        default=False, description="a Sku needs its Quantity, as an older page has it (§3.1)"
    )
    reason_conflict: Literal["both", "reason", "disposition", "refused"] = Field(
        "both",
        description="Reason and DispositionCode that differ: both count, each shown in its own "
        "field, or the one replaces the other, or the write is refused (§9.13)",
    )
    payout_rounding: Literal["half_even", "half_up", "down"] = Field(
        "half_even", description="the last digit of a payout (§9.18)"
    )
    reset_payout: Literal["original", "contract"] = Field(
        "original",
        description="the commission after a RESET: as it was reported, or by the contract in "
        "force (§3.3, §8)",
    )
    max_modifications: int = Field(1000, description="per action (§3.6)")
    modifying_codes: tuple[str, ...] = Field((), description="codes that modify (§3.4)")
    rejecting_codes: tuple[str, ...] = Field((), description="codes that reject (§3.4)")
    approving_codes: tuple[str, ...] = Field(
        (), description="APPROVED works only if it is here (§3.3)"
    )
    customer_statuses: tuple[str, ...] = Field(
        ("NEW", "EXISTING"), description="those that are configured (§3.1)"
    )
