"""The plain data that the rules read and write: lines, actions, changes, verdicts."""

from __future__ import annotations

from dataclasses import field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from clawback.reconcile.outcomes import Hold, Outcome
from clawback.reconcile.record import record


class Kind(StrEnum):
    """What a return line reports."""

    RETURN = "return"
    ADJUSTMENT = "adjustment"
    CANCELLATION = "cancellation"


class LineKey(NamedTuple):
    """The identity of a return line; `sku` is empty for a line about the whole order."""

    order_id: str
    return_id: str
    sku: str


@record
class Line:
    """A valid return line as the ledger holds it. Amounts are in `currency`, times aware UTC."""

    id: int
    key: LineKey
    kind: Kind
    quantity: int | None
    amount: Decimal | None
    currency: str
    reason: str
    returned_at: datetime
    ordered_at: datetime | None = None
    ordered_quantity: int | None = None
    ordered_amount: Decimal | None = None
    voided: bool = False
    vanished: bool = False
    """Known from an earlier extract, absent from a complete extract of its order."""
    parent_sku: str = ""


class ActionState(StrEnum):
    """impact.com's three states of an action (reference §2.5)."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REVERSED = "REVERSED"


class Source(StrEnum):
    """Where an item's original figures come from, best first."""

    CREATION = "creation_record"
    UNTOUCHED = "untouched_item"
    WAREHOUSE = "warehouse"
    FIRST_SIGHT = "first_sight"


@record
class Item:
    """An item of an action: what impact.com holds now and what it held at first.

    `amount` is the line total (reference §2.7). Originals are None where no source is known.
    """

    sku: str
    quantity: int
    amount: Decimal
    original_quantity: int | None
    original_amount: Decimal | None
    source: Source | None = None
    touched: bool = False


@record
class ItemTarget:
    """What an item should hold: remaining quantity and amount; None leaves the component out."""

    sku: str
    quantity: int | None
    amount: Decimal | None


@record
class Desired:
    """What an action should hold. Exactly one of `reverse`, `items`, `amount` speaks.

    `items` lists only items that change; `amount` is an order total, for actions without items.
    """

    reverse: bool = False
    items: tuple[ItemTarget, ...] = ()
    amount: Decimal | None = None


@record
class Action:
    """An impact.com action with its items, as last listed. Money in `currency`.

    `settled_by_us` is the desired state of our last confirmed change of this action, if any;
    `open_change` says that an earlier change of it is sent and not yet seen;
    `refused_final` that impact.com refused a change of its present generation as final;
    `rejected` is the error of a change with `rejected_identity`, which is not sent again until
    desired or observed state differ.
    """

    id: str
    tracker_id: str
    partner_id: str
    state: ActionState
    amount: Decimal
    payout: Decimal
    currency: str
    created_at: datetime
    locking_at: datetime | None
    cleared_at: datetime | None = None
    items: tuple[Item, ...] = ()
    original_amount: Decimal | None = None
    original_payout: Decimal | None = None
    modifications: int = 0
    generation: int = 0
    settled_by_us: Desired | None = None
    open_change: bool = False
    refused_final: bool = False
    rejected_identity: str = ""
    rejected: str = ""


class Decision(NamedTuple):
    """A person's answer to a hold.

    `verb` is pick_action, accept_baseline, ignore, retry or stand_back.
    """

    verb: str
    value: str
    reason: str
    by: str


@record
class Order:
    """All that is known of one order: every return line of it and every action of its order id.

    `span_listed` says whether the whole span of dates in which its conversion may have been
    reported has been listed, so that an absent action means that no partner was credited.
    """

    order_id: str
    lines: tuple[Line, ...]
    actions: tuple[Action, ...] = ()
    span_listed: bool = True
    decisions: tuple[Decision, ...] = ()


class Verb(StrEnum):
    """The two writes of impact.com's API: PUT modifies, DELETE reverses (reference §3)."""

    MODIFY = "modify"
    REVERSE = "reverse"


@record
class PlannedChange:
    """One planned write to one action.

    `identity` is the hash of account, ActionId, desired state and generation. `expected_amount`
    and `expected_payout` are what the action should hold afterwards. `line_ids` are the lines it
    covers, with the amount each takes off (`line_amounts`, same order). `reason` is the code for
    `verb`; `reasons` are all merchant reasons. `codes_unmapped` are reasons without a mapping.
    """

    identity: str
    action_id: str
    order_id: str
    verb: Verb
    desired: Desired
    reason: str
    currency: str
    before_amount: Decimal
    before_payout: Decimal
    expected_amount: Decimal
    expected_payout: Decimal
    locking_at: datetime | None
    urgent: bool
    generation: int
    line_ids: tuple[int, ...]
    line_amounts: tuple[Decimal, ...]
    reasons: tuple[str, ...] = ()
    codes_unmapped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@record
class LineVerdict:
    """What becomes of one line on one action (`action_id` empty: of the line as such).

    `outcome` PLANNED means that the change of `action_id` covers it. `amount` is the line's own
    or derived amount, `payout` the commission at stake, both in `currency`; None where unknown.
    """

    line_id: int
    action_id: str
    outcome: Outcome
    hold: Hold | None = None
    note: str = ""
    amount: Decimal | None = None
    payout: Decimal | None = None
    currency: str = ""


@record
class OrderPlan:
    """The plan of one order: a verdict for every line (at least one each), and its changes."""

    order_id: str
    verdicts: tuple[LineVerdict, ...]
    changes: tuple[PlannedChange, ...] = ()


@record
class Normalise:
    """How ids of the warehouse and of impact.com are made alike before they are compared."""

    trim: bool = False
    case: str = ""
    """"" leaves the case, "upper" or "lower" changes it."""
    prefix: str = ""
    """Taken off the front where present."""
    pattern: str = ""
    """A regular expression; its first group is the id. What does not match stays as it is."""


class Codes(NamedTuple):
    """The code a merchant reason maps to, for each verb."""

    modify: str
    reverse: str


DEFAULT_CODES = Codes("ORDER_UPDATE", "ITEM_RETURNED")


@record
class Rules:
    """A program's choices that the rules need; made from the program file."""

    account: str
    currency: str
    trackers: frozenset[str] = frozenset()
    """Empty: every action tracker of the campaign."""
    tracking: str = "auto"
    placeholder_skus: frozenset[str] = frozenset()
    unknown_sku: str = "hold"
    trust_amounts: bool = True
    full_return: str = "reverse"
    """"reverse" sends one DELETE, "items" sends each item with Quantity 0."""
    tolerance_units: int = 1
    order_ids: Normalise = Normalise()
    skus: Normalise = Normalise()
    sku_map: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, Codes] = field(default_factory=dict)
    ignored_reasons: frozenset[str] = frozenset()
    default_codes: Codes = DEFAULT_CODES
    currency_rule: str = "hold"
    """"hold", or "ratio" of action amount to ordered amount."""
    safety_margin: timedelta = timedelta(hours=2)
    modification_limit: int = 1000


@record
class Learned:
    """What is known of an account's writes (design, "Canary"); None is not known yet."""

    amount_follows_quantity: bool | None = None
    indexed_items: bool | None = None
    indexed_amounts: bool | None = None
    indexed_proportional: bool | None = None
    """Indexed items whose amounts are in proportion to their quantities come out right: either
    indexed amounts are honoured or amounts follow quantities; which of the two is not told."""


@record
class Request:
    """One request of a change: the form fields, in order (reference §3.1, §3.2)."""

    verb: Verb
    form: tuple[tuple[str, str], ...]
    shape: str
    """reverse, item, item_gone, items, order_amount: what the canary proves separately."""


class Judgement(StrEnum):
    """What the evidence says of a sent change."""

    CONFIRMED = "confirmed"
    WAITING = "waiting"
    REJECTED = "rejected"
    LOCKED = "locked"
    NO_EFFECT = "no_effect"
    DOUBT = "doubt"
    """The lists do not settle it: the action's Items must be read."""


@record
class Observed:
    """What was read of an action after a change of it was sent."""

    state: ActionState
    amount: Decimal
    payout: Decimal
    items: tuple[Item, ...] = ()
    items_current: bool = False
    """Whether `items` were read after the change was sent (Items list or update rows)."""


@record
class Reply:
    """What the submission of a change says: its error, empty when there is none."""

    complete: bool
    error_type: str = ""
    error_reason: str = ""
