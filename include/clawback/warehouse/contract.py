"""The contract: what a row of the returns statement must hold, and how each row is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, Self
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from clawback.warehouse import cells
from clawback.warehouse.columns import (
    Currency,
    Flag,
    Id,
    Kind,
    Moment,
    Money,
    RequiredMoment,
    Text,
    Units,
    UnitsSold,
)
from clawback.warehouse.quick import quick_row
from clawback.warehouse.raw import content_of, digest, key_text, raw_json


class ReturnLine(BaseModel):
    """One row of the returns statement; money in `currency`, times aware UTC.

    Validate with `context={"timezone": ZoneInfo, "currency": str}`: the zone of times written
    without one, and the currency of rows that name none.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    return_id: Id = Field(
        None, description="the return's own id in your shop", validate_default=True
    )
    order_id: Id = Field(
        None,
        description="the order id as reported to impact.com (its `Oid`)",
        validate_default=True,
    )
    sku: Text = Field(
        "",
        description="the item's SKU as reported to impact.com; empty for a line about the whole "
        "order",
    )
    kind: Kind = Field(
        None,
        description="`return` (units came back), `adjustment` (money back on goods the "
        "customer keeps) or `cancellation` (the whole order)",
        validate_default=True,
    )
    quantity: Units = Field(
        None, description="units that came back: positive and whole for a return, else empty"
    )
    amount: Money = Field(
        None,
        description="refunded for the goods, 0 or more, net of tax and shipping; an adjustment "
        "needs it",
    )
    currency: Currency = Field(
        "", description="ISO 4217; empty: the program's currency", validate_default=True
    )
    reason: Text = Field("", description="your reason code; the program maps it to impact.com's")
    returned_at: RequiredMoment = Field(
        None, description="when the goods or the money went back", validate_default=True
    )
    updated_at: RequiredMoment = Field(
        None,
        description="when the row last changed; the newest row of a key supersedes the others",
        validate_default=True,
    )
    ordered_at: Moment = Field(None, description="when the order was placed")
    ordered_quantity: UnitsSold = Field(None, description="units sold of this SKU")
    ordered_amount: Money = Field(
        None, description="sold for: all units of this SKU, net of tax and shipping"
    )
    voided: Flag = Field(
        default=False, description="true: the return was withdrawn and counts nothing"
    )
    parent_sku: Text = Field("", description="the bundle's SKU, if this SKU is a part of a bundle")

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        rule = _RULES[self.kind]
        problem = rule(self)
        if problem is not None:
            raise PydanticCustomError("contract", "{problem}", {"problem": problem})
        return self


def _return_problem(line: ReturnLine) -> str | None:
    """Units came back; or, on an order tracked without items, an amount off the whole order."""
    if line.quantity == 0:
        return _NO_UNIT
    if line.sku:
        return None if line.quantity is not None else _NO_UNITS
    if line.amount is not None:
        return None
    if line.quantity is None:
        return _NOTHING
    derivable = line.ordered_quantity is not None and line.ordered_amount is not None
    return None if derivable else _NO_SKU


def _adjustment_problem(line: ReturnLine) -> str | None:
    if line.quantity is not None:
        return (
            "quantity: an adjustment has none, because the customer keeps the goods; leave it "
            "empty, or use kind return if units came back"
        )
    if line.amount is None:
        return "amount: is empty; an adjustment needs the money that went back, 0 or more"
    return None


def _cancellation_problem(line: ReturnLine) -> str | None:
    if line.sku:
        return (
            "sku: a cancellation is of the whole order; leave it empty, or use kind return for "
            "a single item"
        )
    if line.quantity is not None:
        return (
            "quantity: a cancellation is of the whole order; leave it empty, or use kind return "
            "with a sku for single units"
        )
    return None


_NO_UNIT = (
    "quantity: 0 is not positive; write the units that came back as 1 or more, and withdraw a "
    "return with voided"
)
_NO_UNITS = (
    "quantity: is empty; a return needs the whole units that came back (money back on goods the "
    "customer keeps is kind adjustment)"
)
_NO_SKU = (
    "sku: is empty and so is amount; name the item, or give the amount that came off the whole "
    "order"
)
_NOTHING = (
    "sku: is empty, and so are quantity and amount, as in a refund of shipping alone; leave such "
    "refunds out of the statement, or use kind cancellation if the whole order was cancelled"
)
_RULES = {
    "return": _return_problem,
    "adjustment": _adjustment_problem,
    "cancellation": _cancellation_problem,
}


@dataclass(frozen=True, slots=True)
class ReturnRow:
    """A row that keeps the contract. Money in `currency`, times aware UTC.

    `content` is the same for two rows that say the same, apart from their updated_at.
    """

    return_id: str
    order_id: str
    sku: str
    kind: str
    quantity: int | None
    amount: Decimal | None
    currency: str
    reason: str
    returned_at: datetime
    updated_at: datetime
    ordered_at: datetime | None
    ordered_quantity: int | None
    ordered_amount: Decimal | None
    voided: bool
    parent_sku: str
    content: str


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that breaks the contract.

    The key fields are what could be read of them, cleaned and cut to 255 characters; `errors` say
    "column: what is wrong; how to mend it"; `raw` is the row as JSON of at most 4 KB; `content`
    is the same for two rows that hold the same.
    """

    order_id: str
    return_id: str
    sku: str
    errors: tuple[str, ...]
    raw: str
    content: str


def parse_row(
    row: Mapping[str, object], *, timezone: ZoneInfo, currency: str
) -> ReturnRow | BadRow:
    """One row of the returns statement, read; it never raises, whatever the cells hold.

    `timezone` is the zone of times without one, `currency` that of rows that name none.
    """
    plain = quick_row(row, timezone, currency)
    if plain is not None:
        return ReturnRow(*plain)
    return judge_row(row, timezone=timezone, currency=currency)


def judge_row(
    row: Mapping[str, object], *, timezone: ZoneInfo, currency: str
) -> ReturnRow | BadRow:
    """As `parse_row`, the long way: every cell by the contract's own readers."""
    context = {"timezone": timezone, "currency": currency}
    try:
        line = _validate(row, context=context)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        return bad_row(row, tuple(_said(one) for one in found))
    values = list(line.__dict__.values())
    content = content_of(values[:_UPDATED_AT] + values[_UPDATED_AT + 1 :])
    return ReturnRow(*values, content)  # type: ignore[call-arg]  # the fields, in the same order


def bad_row(row: Mapping[str, object], errors: tuple[str, ...]) -> BadRow:
    """`row` as one that breaks the contract for the reasons given."""
    kept = {name: cells.native(row.get(name)) for name in ReturnLine.model_fields}
    return BadRow(
        order_id=key_text(kept["order_id"]),
        return_id=key_text(kept["return_id"]),
        sku=key_text(kept["sku"]),
        errors=errors,
        raw=raw_json(kept),
        content=digest(kept),
    )


def _said(error: ErrorDetails) -> str:
    """An error of pydantic as "column: what is wrong; how to mend it"."""
    if not error["loc"]:
        return error["msg"]
    cause = error.get("ctx", {}).get("error", error["msg"])
    return f"{error['loc'][0]}: {cause}"


class Column(NamedTuple):
    """A column of the contract, for documents and for `clawback doctor`."""

    name: str
    type: str
    required: bool
    meaning: str


_validate = ReturnLine.__pydantic_validator__.validate_python
_UPDATED_AT = list(ReturnLine.model_fields).index("updated_at")
_OPTIONAL = frozenset(("ordered_at", "ordered_quantity", "ordered_amount", "voided", "parent_sku"))
_TYPES = {
    "quantity": "whole number",
    "amount": "decimal",
    "returned_at": "timestamp",
    "updated_at": "timestamp",
    "ordered_at": "timestamp",
    "ordered_quantity": "whole number",
    "ordered_amount": "decimal",
    "voided": "boolean",
}


def contract_columns() -> tuple[Column, ...]:
    """The columns of the contract; the statement must yield the required ones, even if empty."""
    return tuple(
        Column(name, _TYPES.get(name, "text"), name not in _OPTIONAL, field.description or "")
        for name, field in ReturnLine.model_fields.items()
    )


def markdown_table() -> str:
    """The contract as the table that the README shows."""
    rows = [
        f"| `{name}` | {kind} | {'yes' if required else 'optional'} | {meaning} |"
        for name, kind, required, meaning in contract_columns()
    ]
    return "\n".join(["| column | type | required | meaning |", "|---|---|---|---|", *rows, ""])
