"""The verdict of a line: outcome, reason, and the money at stake."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from decimal import Decimal

from clawback.money import ZERO, quantize
from clawback.reconcile.answers import Context
from clawback.reconcile.changes import Standing
from clawback.reconcile.claims import Claim, Draft, ordered_share, tolerance
from clawback.reconcile.facts import Action, ActionState, Kind, Line, LineVerdict
from clawback.reconcile.outcomes import Hold, Outcome

_HELD, _SETTLED, _LOCKED = Outcome.HELD, Outcome.ALREADY_SETTLED, Outcome.LOCKED


UNMAPPED = "the program maps no code for the reason {!r}, so its default was taken"


def verdict_of(
    claim: Claim, made: Draft, standing: Standing, unmapped: Collection[str] = ()
) -> LineVerdict:
    """What becomes of a claim: held, settled by earlier reductions, or as its change stands.

    Its note also says where the warehouse's amount differs from impact.com's, and whether its
    reason is among the `unmapped` ones of the change, for which the default code is sent.
    """
    action, line = made.action, claim.line
    if claim.hold is not None:
        amount = worth(line)
        payout = _held_payout(claim, made, amount)
        return LineVerdict(
            line.id, action.id, _HELD, claim.hold, claim.note, amount, payout, line.currency
        )
    if claim.covered:
        outcome, hold, note = _SETTLED, None, _lowered_before(claim, made)
    else:
        outcome, hold, note = standing
        if line.reason and line.reason in unmapped:
            note = _joined(note, UNMAPPED.format(line.reason))
    note = _joined(note, claim.note)
    amount = line.amount
    if amount is None or line.currency != action.currency:
        amount = _derived(claim, made)
    if outcome is _LOCKED:
        lost = _payout(claim.takes, made)
    else:
        lost = _payout(claim.money or claim.takes or _rest(claim, made), made)
    return LineVerdict(line.id, action.id, outcome, hold, note, amount, lost, action.currency)


def _joined(*notes: str) -> str:
    return "; ".join(filter(None, notes))


def _lowered_before(claim: Claim, made: Draft) -> str:
    """A note where another hand, not ours, has taken off what a line asks for."""
    action = made.action
    ours, reversed_now = action.settled_by_us, action.state is ActionState.REVERSED
    if ours is not None and (ours.reverse or not reversed_now):
        return ""
    if not reversed_now and claim.money <= tolerance(action.currency, made.rules):
        return ""
    return f"action {action.id} had been lowered by another hand; nothing was sent for this line"


def _rest(claim: Claim, made: Draft) -> Decimal:
    """What a cancellation stands for: all that the other lines leave of the action."""
    if (
        claim.line.kind is not Kind.CANCELLATION
        or made.first is None
        or claim is not made.cancels[0]
    ):
        return ZERO
    return max(made.first - sum((c.money for c in made.claims), ZERO), ZERO)


def _derived(claim: Claim, made: Draft) -> Decimal | None:
    """The amount of a line that gives none in the action's currency."""
    money = claim.money or claim.takes or _rest(claim, made)
    if money or claim.units or claim.line.kind is Kind.CANCELLATION:
        return quantize(money, made.action.currency)
    return worth(claim.line) if claim.line.currency == made.action.currency else None


def _payout(money: Decimal, made: Draft) -> Decimal | None:
    """The commission on `money` of an action, at the rate it had at first."""
    if made.payout is None or made.first is None:
        return None
    if not made.first:
        return ZERO
    return quantize(made.payout * money / made.first, made.action.currency)


def _held_payout(claim: Claim, made: Draft, amount: Decimal | None) -> Decimal | None:
    """The commission at stake in a held line; what was never sold earned none."""
    if claim.hold is Hold.OVER_RETURNED:
        return ZERO
    money = claim.money or amount
    if money is None or claim.line.currency != made.action.currency:
        return None
    return _payout(money, made)


def worth(line: Line) -> Decimal | None:
    """A line's own amount, or that of its units at the ordered price, in the line's currency."""
    amount = ordered_share(line)
    return amount if amount is None or line.amount is not None else quantize(amount, line.currency)


def ignored(line: Line, note: str) -> LineVerdict:
    """The verdict of a line that counts nothing."""
    return LineVerdict(line.id, "", Outcome.IGNORED, None, note, worth(line), None, line.currency)


def withdrawn_note(line: Line) -> str:
    if line.voided:
        return "the warehouse voided this line; it counts nothing"
    return "the warehouse does not hold this line any more; it counts nothing"


def unplaced(line: Line, ambiguous: Sequence[Action], plan: Context) -> LineVerdict:
    """The verdict of a line whose order has no action, or none that can be told from another."""
    outcome, hold = Outcome.HELD, None
    if ambiguous:
        names = ", ".join(action.id for action in ambiguous)
        hold = Hold.AMBIGUOUS_ACTION
        note = (
            f"several actions carry order {plan.order.order_id} ({names}) and nothing tells which "
            "one counts; answer pick_action with one of them"
        )
    elif plan.order.span_listed:
        outcome = Outcome.NOT_ATTRIBUTED
        note = "the order's whole date span was listed and holds no action of it"
    else:
        hold = Hold.OUTSIDE_LOOKBACK
        note = (
            "the days on which this order may have been reported are not all listed, so a missing "
            "action proves nothing; supply ordered_at or raise lookback_days"
        )
    return LineVerdict(line.id, "", outcome, hold, note, worth(line), None, line.currency)


def waive(verdicts: list[LineVerdict], waived: frozenset[str]) -> tuple[LineVerdict, ...]:
    """The verdicts, with the holds that a person decided to ignore turned into ignored."""
    if not waived:
        return tuple(verdicts)
    return tuple(
        replace(v, outcome=Outcome.IGNORED, hold=None, note=f"a person decided to ignore: {v.note}")
        if v.hold is not None and ("" in waived or v.hold in waived)
        else v
        for v in verdicts
    )
