"""What the evidence says of a sent change, and what it teaches about the account."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

from clawback.money import ZERO, quantize, share
from clawback.reconcile.facts import (
    Action,
    ActionState,
    Desired,
    Item,
    ItemTarget,
    Judgement,
    Learned,
    Observed,
    Reply,
    Request,
    Verb,
)

_FINAL_WORDS = frozenset(
    (
        *("LOCK", "LOCKED", "LOCKING", "FINAL", "FINALIZED", "FINALISED"),
        *("CLEARED", "PAID", "CLOSED", "IMMUTABLE", "APPROVED"),
    )
)


def is_final(error_type: str, error_reason: str) -> bool:
    """Whether a refusal says that the action can never be changed again (locked, paid, final).

    impact.com publishes no code for a failed modification (reference §4), so words decide.
    """
    words = re.split(r"[^A-Z]+", f"{error_type} {error_reason}".upper())
    return not _FINAL_WORDS.isdisjoint(words)


def judge(  # noqa: PLR0913 - everything that was asked, was there, was seen and was answered
    desired: Desired,
    before: Action,
    observed: Observed,
    reply: Reply | None,
    *,
    deadline_passed: bool,
    tolerance: Decimal,
) -> Judgement:
    """What is known of a sent change. Complete is no success in itself (reference §4).

    Confirmed is what stands at or below `desired` in every component it names, with no error in
    the reply (None: not polled). A refusal of an approved action counts as final. `tolerance` is
    the difference in money that is none.
    """
    complete = reply is not None and reply.complete
    if reply is not None and complete and (reply.error_type or reply.error_reason):
        final = is_final(reply.error_type, reply.error_reason)
        locked = final or before.state is ActionState.APPROVED
        return Judgement.LOCKED if locked else Judgement.REJECTED
    seen = _reached(desired, before, observed, tolerance)
    if seen is not None:
        return seen
    return Judgement.NO_EFFECT if complete and deadline_passed else Judgement.WAITING


def _reached(
    desired: Desired, before: Action, observed: Observed, tolerance: Decimal
) -> Judgement | None:
    """Confirmed, in doubt, or None where the desired state is not reached."""
    if observed.state is ActionState.REVERSED:
        return Judgement.CONFIRMED
    if desired.reverse:
        return None
    if desired.amount is not None:
        return Judgement.CONFIRMED if observed.amount - desired.amount <= tolerance else None
    listed = {item.sku for item in observed.items} if observed.items_current else set()
    if all(target.sku in listed for target in desired.items):
        low = all(_low(target, observed.items, tolerance) for target in desired.items)
        return Judgement.CONFIRMED if low else None
    slack = tolerance * len(desired.items)
    agrees = observed.amount - _amount_after(desired, before) <= slack
    return Judgement.DOUBT if agrees else None


def _low(target: ItemTarget, items: Iterable[Item], tolerance: Decimal) -> bool:
    """Whether the item stands at or below its target; several lines of one SKU together."""
    mine = [item for item in items if item.sku == target.sku]
    if target.quantity is not None and sum(i.quantity for i in mine) > target.quantity:
        return False
    amount = sum((i.amount for i in mine), ZERO)
    return target.amount is None or amount - target.amount <= tolerance


def _amount_after(desired: Desired, before: Action) -> Decimal:
    """The action's amount once every item named holds its target."""
    amount = before.amount
    for target in desired.items:
        if target.amount is not None:
            now = sum((i.amount for i in before.items if i.sku == target.sku), ZERO)
            amount -= max(now - target.amount, ZERO)
    return amount


def share_payout(total: Decimal, amounts: Sequence[Decimal], currency: str) -> list[Decimal]:
    """What was read back of a change, shared over its lines by amount, to the last minor unit."""
    return share(total, amounts, currency)


def payout_surprise(
    expected: Decimal, observed: Decimal, before: Decimal, tolerance: Decimal
) -> Decimal | None:
    """By how much a payout moved otherwise than its change explains; None where it did not.

    Any modification is paid by the terms in force at its time (reference §8), so a payout may
    even rise: then it ends above what it was `before`, whatever was expected.
    """
    off = observed - expected
    return off if abs(off) > tolerance or observed > before else None


class _Sent(NamedTuple):
    """One item of a sent form: `number` is 1 for the unnumbered fields."""

    number: int
    sku: str
    quantity: int | None
    amount: Decimal | None


def learn(
    learned: Learned,
    requests: Iterable[Request],
    before: Action,
    after: Observed,
    tolerance: Decimal,
) -> Learned:
    """What a proved canary teaches: what was sent, and what the items held before and after.

    A fact that one item speaks against is not so, whatever others say; what cannot be told apart
    stays as it was, and so does what an item shows that several requests have named. Needs
    `after.items_current`.
    """
    if not after.items_current or after.state is ActionState.REVERSED:
        return learned
    had = {item.sku: item for item in before.items}
    has = {item.sku: item for item in after.items}
    forms = [sent for r in requests if r.verb is Verb.MODIFY for sent in _sent(dict(r.form))]
    named = Counter(sent.sku for sent in forms)
    facts: dict[str, bool] = {}
    for sent in forms:
        if named[sent.sku] == 1 and sent.sku in had and sent.sku in has:
            told = _told(sent, had[sent.sku], has[sent.sku], before.currency, tolerance)
            for name, fact in told.items():
                facts[name] = fact and facts.get(name, True)
    return replace(learned, **facts) if facts else learned


def _sent(form: Mapping[str, str]) -> list[_Sent]:
    found = []
    number = 1
    while (sku := form.get(_name("Sku", number))) is not None:
        quantity, amount = form.get(_name("Quantity", number)), form.get(_name("Amount", number))
        found.append(
            _Sent(
                number,
                sku,
                None if quantity is None else int(quantity),
                None if amount is None else Decimal(amount),
            )
        )
        number += 1
    return found


def _name(field: str, number: int) -> str:
    return field if number == 1 else f"{field}{number}"


def _told(sent: _Sent, had: Item, has: Item, currency: str, tolerance: Decimal) -> dict[str, bool]:
    """The facts that one item of a form speaks for (True) or against (False)."""
    facts: dict[str, bool] = {}
    moved = sent.quantity is not None and sent.quantity != had.quantity
    taken = moved and has.quantity == sent.quantity
    if sent.number > 1 and moved:
        facts["indexed_items"] = taken
    scaled = None
    if had.quantity:
        scaled = quantize(had.amount * has.quantity / had.quantity, currency)
    if sent.amount is None:
        if taken and sent.quantity and scaled is not None and had.amount:
            facts.update(_follows(had, has, scaled, tolerance))
        return facts
    if sent.number == 1 or (moved and not taken):
        return facts
    arrived = abs(has.amount - sent.amount) <= tolerance
    if not arrived and taken and scaled is not None and had.amount:
        # The amount was ignored, so where it stands now is the quantity's doing.
        facts.update(_follows(had, has, scaled, tolerance))
    if scaled is not None and taken and abs(scaled - sent.amount) <= tolerance:
        facts["indexed_proportional"] = arrived
        if not arrived:
            facts["indexed_amounts"] = False
        return facts
    facts["indexed_amounts"] = arrived
    if arrived and not moved:
        facts["indexed_items"] = True
    return facts


def _follows(had: Item, has: Item, scaled: Decimal, tolerance: Decimal) -> dict[str, bool]:
    """Whether the amount followed the quantity, where only the quantity was sent."""
    if abs(has.amount - scaled) <= tolerance:
        return {"amount_follows_quantity": True}
    if abs(has.amount - had.amount) <= tolerance:
        return {"amount_follows_quantity": False}
    return {}
