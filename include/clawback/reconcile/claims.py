"""What a line claims of an action, and what it is worth there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from clawback.money import ZERO, minor_unit
from clawback.reconcile.facts import Action, Item, Line, Rules
from clawback.reconcile.outcomes import Hold
from clawback.reconcile.resolve import Part


@dataclass(slots=True)
class Claim:
    """What one line takes off one action: `units`, and `money` in the action's currency (exact).

    A held claim takes nothing. `takes` is the part that earlier reductions do not cover; a claim
    is `covered` if there is no such part.
    """

    line: Line
    units: int = 0
    money: Decimal = ZERO
    hold: Hold | None = None
    note: str = ""
    takes: Decimal = ZERO
    covered: bool = False


@dataclass(slots=True)
class Holding:
    """What an action holds of one SKU, first and now, and what its claims leave of it."""

    sku: str
    quantity: int
    amount: Decimal
    first_quantity: int
    first_amount: Decimal
    claims: list[Claim]
    left_quantity: int
    left_amount: Decimal
    skus: tuple[str, ...]
    unknown: bool = False
    held: bool = False
    """Its claims cannot be carried out (duplicate SKU); it stays as it is."""

    @property
    def gone(self) -> bool:
        return self.left_quantity == 0


@dataclass(slots=True)
class Draft:
    """An action with the claims on it, and what they leave of it.

    `whole` holds claims on the order as such, `cancels` its cancellations; `holdings` are the
    SKUs concerned, `others` the items that no claim touches. `first` and `payout` are what the
    action held at first, None where nothing tells; `left` is the amount it should hold if it is
    tracked without items. `accept` is a person's choice of baseline.
    """

    part: Part
    action: Action
    rules: Rules
    accept: str
    by_item: bool
    first: Decimal | None
    payout: Decimal | None
    claims: list[Claim] = field(default_factory=list)
    holdings: list[Holding] = field(default_factory=list)
    others: list[Item] = field(default_factory=list)
    whole: list[Claim] = field(default_factory=list)
    cancels: list[Claim] = field(default_factory=list)
    left: Decimal = ZERO
    nothing_left: bool = False
    notes: list[str] = field(default_factory=list)


def hold_all(claims: Iterable[Claim], hold: Hold, note: str) -> None:
    for claim in claims:
        if claim.hold is None:
            claim.hold, claim.note = hold, note
            claim.units, claim.money = 0, ZERO


def tolerance(currency: str, rules: Rules) -> Decimal:
    """The difference in money that is none: some minor units of the currency."""
    return minor_unit(currency) * rules.tolerance_units


def ordered_share(line: Line) -> Decimal | None:
    """A line's own amount, else what it cost when ordered in proportion to its units."""
    if line.amount is not None:
        return line.amount
    if line.ordered_amount is None or not line.ordered_quantity or line.quantity is None:
        return None
    return line.ordered_amount * line.quantity / line.ordered_quantity


def money_of(
    claim: Claim, currency: str, first: Decimal, rules: Rules, *, in_units: bool
) -> Decimal | None:
    """What a line takes off, in `currency`; None where its units tell, or nothing does.

    `first` is the original amount of what it is taken off. A line in another currency is held,
    unless the program converts by the ratio of `first` to the line's ordered amount.
    """
    line = claim.line
    if in_units and (line.amount is None or not rules.trust_amounts):
        return None
    amount = ordered_share(line)
    if amount is None or line.currency == currency:
        return amount
    if rules.currency_rule == "ratio" and line.ordered_amount:
        return amount * first / line.ordered_amount
    claim.hold = Hold.CURRENCY_MISMATCH
    claim.note = (
        f"the line is in {line.currency}, the action in {currency}; supply the action's currency, "
        "or ordered_amount and currency_rule: ratio"
    )
    return None


def over(claim: Claim, what: str) -> None:
    claim.hold = Hold.OVER_RETURNED
    claim.note = f"{what}; correct the row in the warehouse, or answer ignore with clawback decide"


def unvalued(claim: Claim) -> None:
    claim.hold = Hold.BASELINE_UNKNOWN
    claim.note = (
        "the line gives no amount and no ordered figures to derive one from; "
        "supply amount, or ordered_quantity and ordered_amount"
    )
