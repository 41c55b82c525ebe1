"""What impact.com answers, as plain frozen data: actions, items, updates, submissions, pages."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Generic, TypeVar

from pydantic import PlainValidator

from clawback.impact.fields import (
    Head,
    Instant,
    InstantOrNone,
    Key,
    Money,
    MoneyOrZero,
    Text,
    Whole,
    WholeOrNone,
    member,
    text,
    wire,
)

ZERO = Decimal(0)
T = TypeVar("T")


class ActionState(StrEnum):
    """The three states of an action; a modified one is still pending (reference §2.5)."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REVERSED = "REVERSED"


class SubmissionStatus(StrEnum):
    """How far a queued write is (reference §4). Complete is not success: see `Submission`."""

    QUEUED = "Queued"
    IN_PROGRESS = "In Progress"
    COMPLETE = "Complete"
    UNKNOWN = "Unknown"

    @property
    def is_final(self) -> bool:
        return self is SubmissionStatus.COMPLETE

    @classmethod
    def read(cls, value: Any) -> SubmissionStatus:
        """Whatever the case and the blank; a word that is not known is UNKNOWN, not final."""
        letters = "".join(c for c in text(value).lower() if c.isalpha())
        return _STATUS.get(letters, cls.UNKNOWN)


_STATUS = {
    "queued": SubmissionStatus.QUEUED,
    "inprogress": SubmissionStatus.IN_PROGRESS,
    "complete": SubmissionStatus.COMPLETE,
    "completed": SubmissionStatus.COMPLETE,
}
State = Annotated[ActionState, PlainValidator(member(ActionState))]


@dataclass(frozen=True, slots=True)
class Action:
    """One action as it stands now (reference §2.5). Amounts are in `currency`, times in UTC.

    What nothing here needs is not read; of the customer, nothing is.
    """

    id: Annotated[Key, wire("Id")]
    campaign_id: Annotated[Text, wire("CampaignId")]
    state: Annotated[State, wire("State")]
    amount: Annotated[Money, wire("Amount")]
    payout: Annotated[Money, wire("Payout")]
    currency: Annotated[Key, wire("Currency")]
    event_date: Annotated[Instant, wire("EventDate")]
    creation_date: Annotated[Instant, wire("CreationDate")]
    tracker_id: Annotated[Text, wire("ActionTrackerId")] = ""
    tracker_name: Annotated[Text, wire("ActionTrackerName")] = ""
    partner_id: Annotated[Text, wire("MediaPartnerId")] = ""
    partner_name: Annotated[Text, wire("MediaPartnerName")] = ""
    locking_date: Annotated[InstantOrNone, wire("LockingDate")] = None
    cleared_date: Annotated[InstantOrNone, wire("ClearedDate")] = None
    oid: Annotated[Text, wire("Oid")] = ""


@dataclass(frozen=True, slots=True)
class ActionItem:
    """One item of an action (reference §2.7). `sale_amount` is the line total in `currency`."""

    sku: Annotated[Text, wire("Sku")]
    quantity: Annotated[Whole, wire("Quantity")]
    sale_amount: Annotated[Money, wire("SaleAmount")]
    name: Annotated[Text, wire("ItemName")] = ""
    category: Annotated[Text, wire("Category")] = ""
    currency: Annotated[Text, wire("SaleAmountCurrency")] = ""
    payout: Annotated[MoneyOrZero, wire("Payout")] = ZERO
    adjustment_date: Annotated[InstantOrNone, wire("AdjustmentDate")] = None
    adjustment_reason: Annotated[Text, wire("AdjustmentReason")] = ""


@dataclass(frozen=True, slots=True)
class ActionUpdate:
    """One tracked, modified or reversed line item (reference §5). An absent delta is zero.

    What `quantity` says of a modification, the new number or the difference, is open (§9.24).
    What nothing here needs is not read.
    """

    id: Annotated[Key, wire("Id")]
    action_id: Annotated[Key, wire("ActionId")]
    update_date: Annotated[Instant, wire("UpdateDate")]
    disposition: Annotated[Text, wire("Disposition")] = ""
    delta_amount: Annotated[MoneyOrZero, wire("DeltaAmount")] = ZERO
    delta_payout: Annotated[MoneyOrZero, wire("DeltaPayout")] = ZERO
    sku: Annotated[Text, wire("Sku")] = ""
    quantity: Annotated[WholeOrNone, wire("Quantity")] = None
    oid: Annotated[Text, wire("Oid")] = ""


@dataclass(frozen=True, slots=True)
class Submission:
    """What became of a queued write (reference §4).

    `payload` is the submitted form as impact.com echoes it; it may hold what a log should not.
    """

    batch_id: Annotated[Key, wire("BatchId")]
    status: Annotated[SubmissionStatus, PlainValidator(SubmissionStatus.read), wire("Status")]
    type: Annotated[Text, wire("Type")] = ""
    error_type: Annotated[Text, wire("ErrorType")] = ""
    error_reason: Annotated[Text, wire("ErrorReason")] = ""
    submitted_at: Annotated[InstantOrNone, wire("SubmissionDate")] = None
    completed_at: Annotated[InstantOrNone, wire("CompletionDate")] = None
    payload: Annotated[Head, wire("Payload")] = field(default="", repr=False)

    @property
    def failed(self) -> bool:
        """Complete, and with an error: nothing was changed."""
        return self.status.is_final and bool(self.error_type or self.error_reason)


@dataclass(frozen=True, slots=True)
class Campaign:
    """A program of the account."""

    id: Annotated[Key, wire("Id", "CampaignId")]
    name: Annotated[Text, wire("Name", "CampaignName")] = ""
    state: Annotated[Text, wire("State")] = ""


@dataclass(frozen=True, slots=True)
class Company:
    """The account's owner: name, time zone in impact.com's words, currency (ISO 4217)."""

    name: Annotated[Text, wire("CompanyName", "Name")] = ""
    timezone: Annotated[Text, wire("Timezone", "TimeZone")] = ""
    currency: Annotated[Text, wire("Currency")] = ""


class ReceiptStatus(StrEnum):
    """OK: done at once; QUEUED: accepted, which is not success (reference §1.4, §3.5)."""

    OK = "OK"
    QUEUED = "QUEUED"


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to a write. `batch_id` names its submission; None if the answer names none."""

    status: ReceiptStatus
    batch_id: str | None


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be read: where it stood, its Id as far as it has one, and what is wrong.

    `at` is the date of its event, as far as that can be read.
    """

    page: int
    index: int
    id: str
    errors: tuple[str, ...]
    at: datetime | None = None

    def __str__(self) -> str:
        return f"row {self.index + 1} of page {self.page} ({self.id or 'no Id'}): " + "; ".join(
            self.errors
        )


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a listing, without the rows that earlier pages had (reference §2.4).

    `page` counts from 1; `pages` and `total` are None where the answer does not say; `date` is
    the server's clock (Date header).
    """

    rows: list[T]
    page: int
    pages: int | None = None
    total: int | None = None
    next_uri: str | None = None
    date: datetime | None = None
    bad: list[BadRow] = field(default_factory=list)
