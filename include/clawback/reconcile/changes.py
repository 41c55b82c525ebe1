"""The change that an action needs, and what may keep it from being planned."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from typing import NamedTuple

from clawback.money import ZERO, quantize, share
from clawback.reconcile.answers import Context
from clawback.reconcile.claims import Draft, tolerance
from clawback.reconcile.diff import above, after
from clawback.reconcile.facts import Action, Desired, ItemTarget, PlannedChange, Verb
from clawback.reconcile.outcomes import Hold, Outcome
from clawback.reconcile.reasons import Taken, choose
from clawback.reconcile.shapes import requests_for


class Standing(NamedTuple):
    """What becomes of the lines that an action's change would cover."""

    outcome: Outcome
    hold: Hold | None = None
    note: str = ""


PLANNED = Standing(Outcome.PLANNED)
_MODIFY, _REVERSE = Verb.MODIFY, Verb.REVERSE
REVERSED_STATE = "reverse"


def identity(account: str, action_id: str, desired: Desired, generation: int) -> str:
    """The identity of a change: equal for equal desired states of one generation of an action."""
    if desired.reverse:
        state = REVERSED_STATE
    elif desired.amount is not None:
        state = f"amount={_plain(desired.amount)}"
    else:
        state = "\x1e".join(
            [item_state(t.sku, t.quantity, _plain(t.amount)) for t in _sorted(desired.items)]
        )
    return named(account, action_id, state, generation)


def named(account: str, action_id: str, state: str, generation: int) -> str:
    """The identity of a change to a desired state that is given in words."""
    text = f"{account}\x1d{action_id}\x1d{generation}\x1d{state}"
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def item_state(sku: str, quantity: int | None, amount: str) -> str:
    """The desired state of one item in words; `amount` without needless zeros."""
    return f"{sku}\x1f{quantity}\x1f{amount}"


def _sorted(targets: tuple[ItemTarget, ...]) -> Sequence[ItemTarget]:
    return targets if len(targets) == 1 else sorted(targets, key=lambda target: target.sku)


def _plain(amount: Decimal | None) -> str:
    """An amount as text that is equal for equal amounts (5, 5.0, 5.00)."""
    return "" if amount is None else format(amount.normalize(), "f")


def is_locked(action: Action, now: datetime) -> bool:
    """Whether nothing can be taken back any more (reference §3.6): locked, paid, refused as final.

    An empty locking date is not locked.
    """
    if action.cleared_at is not None or action.refused_final:
        return True
    return action.locking_at is not None and action.locking_at <= now


def change_of(made: Draft, desired: Desired, plan: Context) -> PlannedChange:
    """The one change that brings an action to `desired`, with the open claims as its lines."""
    covered = [
        Taken(claim.line.id, claim.line.reason, claim.takes)
        for claim in made.claims
        if claim.hold is None and not claim.covered
    ]
    return build(made.action, desired, after(made, desired), covered, plan, tuple(made.notes))


def build(  # noqa: PLR0913, PLR0917 - an action, what is wanted of it, and why
    action: Action,
    desired: Desired,
    expected: Decimal,
    lines: Sequence[Taken],
    plan: Context,
    notes: tuple[str, ...] = (),
) -> PlannedChange:
    """A change of `action` to `desired`, after which it should hold the amount `expected`."""
    rules = plan.rules
    verb = _REVERSE if desired.reverse else _MODIFY
    code, reasons, unmapped = choose(lines, verb, items=bool(desired.items), rules=rules)
    locking = action.locking_at
    return PlannedChange(
        identity=identity(rules.account, action.id, desired, action.generation),
        action_id=action.id,
        order_id=plan.order.order_id,
        verb=verb,
        desired=desired,
        reason=code,
        currency=action.currency,
        before_amount=action.amount,
        before_payout=action.payout,
        expected_amount=expected,
        expected_payout=_payout_at(action, expected, desired),
        locking_at=locking,
        urgent=locking is not None and locking - plan.now <= rules.safety_margin,
        generation=action.generation,
        line_ids=tuple([line.line_id for line in lines]),
        line_amounts=_line_amounts(lines, action.amount - expected, action.currency),
        reasons=reasons,
        codes_unmapped=unmapped,
        notes=notes,
    )


def _payout_at(action: Action, expected: Decimal, desired: Desired) -> Decimal:
    """The payout once the action holds `expected`, at the rate it has now."""
    if desired.reverse:
        return ZERO
    if not action.amount or expected == action.amount:
        return action.payout
    return quantize(action.payout * expected / action.amount, action.currency)


def _line_amounts(lines: Sequence[Taken], drop: Decimal, currency: str) -> tuple[Decimal, ...]:
    if len(lines) == 1:
        return (drop,)
    return tuple(share(drop, [line.amount for line in lines], currency))


def closed(action: Action, plan: Context) -> Standing | None:
    """What becomes of the lines of an action that no change may be planned for; else None."""
    if action.open_change:
        note = f"an earlier change of action {action.id} is not yet seen"
        return Standing(Outcome.PENDING, None, note)
    if is_locked(action, plan.now):
        return Standing(Outcome.LOCKED, None, _why_locked(action))
    if plan.answers.stands_back(action.id):
        return Standing(Outcome.IGNORED, None, "a person decided to stand back from this action")
    return None


def standing_of(action: Action, change: PlannedChange, plan: Context) -> Standing:
    """Whether a change may be planned, and what else becomes of its lines.

    Nothing speaks against it where a person says retry.
    """
    if plan.answers.retries(action.id):
        return PLANNED
    settled = action.settled_by_us
    if settled is not None and above(action, settled, tolerance(action.currency, plan.rules)):
        return Standing(Outcome.HELD, Hold.CONTESTED, _CONTESTED.format(action.id))
    if _limited(change, action, plan):
        return Standing(Outcome.HELD, Hold.MODIFICATION_LIMIT, _LIMIT.format(action.id))
    if action.rejected_identity and action.rejected_identity == change.identity:
        return Standing(Outcome.REJECTED, None, action.rejected)
    return PLANNED


_CONTESTED = (
    "someone raised action {} after our confirmed change; find out why, then answer retry to lower "
    "it again or stand_back to leave it"
)
_LIMIT = (
    "action {} has nearly used up the modifications that impact.com allows one action; ask "
    "impact.com's support to change it, then answer ignore"
)


def _why_locked(action: Action) -> str:
    if action.cleared_at is not None:
        return f"action {action.id} was paid out on {action.cleared_at:%Y-%m-%d}"
    if action.refused_final:
        return f"impact.com refused a change of action {action.id} as final"
    return f"action {action.id} locked on {action.locking_at:%Y-%m-%d %H:%M} UTC"


def _limited(change: PlannedChange, action: Action, plan: Context) -> bool:
    """Whether the change would need the last modification that the action has, or more."""
    room = plan.rules.modification_limit - 1 - action.modifications
    if room > len(change.desired.items):
        return False
    needed = requests_for(
        change.desired, action.id, change.reason, change.verb, plan.learned, action
    )
    return len(needed) > room
