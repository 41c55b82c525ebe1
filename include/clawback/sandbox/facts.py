"""What the sandbox knows of one action: its items, how it stands, and what happened to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple
from urllib.parse import urlencode


@dataclass(frozen=True, slots=True)
class Item:
    """One line of an action; `amount` and `payout` are totals of the line in `currency`."""

    sku: str
    quantity: int
    amount: Decimal
    payout: Decimal
    name: str
    category: str
    currency: str
    payout_currency: str
    rebate: str
    rebate_currency: str
    adjusted: str
    adjustment: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How an action stands: everything about it that a write can change.

    `state` is the stored one: whether a pending action has meanwhile locked is a question of the
    clock. `locking` and `updated` are epoch seconds; without a locking date `locking` is the
    instant of the automatic lock (reference §8).
    """

    items: tuple[Item, ...]
    state: str
    customer_status: str
    amount: Decimal
    payout: Decimal
    cost: Decimal
    delta_amount: Decimal
    delta_payout: Decimal
    locking: int
    updated: int
    modifications: int = 0


@dataclass(frozen=True, slots=True)
class ItemChange:
    """What a PUT says of one Sku: absolute values, and `delta` as the one relative field."""

    sku: str
    quantity: int | None = None
    amount: Decimal | None = None
    delta: Decimal | None = None
    category: str | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """One PUT or DELETE, read and well formed.

    `code` is what its items show and decides a RESET, `disposition` what its updates show.
    """

    verb: str
    code: str
    disposition: str = ""
    amount: Decimal | None = None
    customer_status: str | None = None
    items: tuple[ItemChange, ...] = ()
    approves: bool = False


class UpdateRow(NamedTuple):
    """One line of an action's history, its deltas as texts of the wire.

    `number` is the last part of its Id, `at` the time in epoch seconds.
    """

    row: int
    number: int
    at: int
    disposition: str
    state: str
    delta_amount: str
    delta_payout: str
    sku: str = ""
    quantity: str = ""
    category: str = ""


@dataclass(slots=True)
class Submission:
    """A queued write and its end; `effects` are the faults that were dealt to it.

    `payload` is the body as it shows, `fields` what it says.
    """

    batch_id: str
    at: float
    due: float
    verb: str
    fields: dict[str, str]
    row: int | None
    effects: dict[str, object] = field(default_factory=dict)
    completed: float | None = None
    error_type: str = ""
    error_reason: str = ""
    payload: str = field(init=False)

    def __post_init__(self) -> None:
        self.payload = urlencode(self.fields)


class Refusal(Exception):  # noqa: N818  # it is an answer of the API, not a failure of ours
    """A write that is well formed and cannot be done; `cause` names why.

    `texts` are an ErrorType and ErrorReason that someone chose for it.
    """

    def __init__(self, cause: str, message: str, texts: tuple[str, str] | None = None) -> None:
        super().__init__(message)
        self.cause = cause
        self.message = message
        self.texts = texts


class BadRequest(Exception):  # noqa: N818  # it is an answer of the API, not a failure of ours
    """A request that the API answers with a 4xx; `fields` are (field, message) pairs."""

    def __init__(self, message: str, *fields: tuple[str, str], status: int = 400) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.fields = fields
