"""The plan of one order: a verdict for every line, a change where an action must fall."""

from __future__ import annotations

from datetime import datetime

from clawback.reconcile.answers import NO_ANSWERS, Answers, Context
from clawback.reconcile.changes import PLANNED, change_of, closed, identity, is_locked, standing_of
from clawback.reconcile.claims import Claim, Draft, tolerance
from clawback.reconcile.desired import draft
from clawback.reconcile.diff import below, difference
from clawback.reconcile.facts import (
    Desired,
    Learned,
    Line,
    LineVerdict,
    Order,
    OrderPlan,
    PlannedChange,
    Rules,
)
from clawback.reconcile.outcomes import Hold, Outcome
from clawback.reconcile.resolve import Part, find, impact_sku, route
from clawback.reconcile.verdicts import ignored, unplaced, verdict_of, waive, withdrawn_note, worth

__all__ = ["identity", "is_locked", "plan_order"]


def plan_order(order: Order, rules: Rules, learned: Learned, now: datetime) -> OrderPlan:
    """What becomes of every line of an order, and the changes that its actions need.

    Deterministic: lines count in the order of returned_at, whatever order they come in. `now` is
    aware UTC; it decides what is locked and what is urgent.
    """
    answers = Answers.of(order.decisions) if order.decisions else NO_ANSWERS
    plan = Context(order, rules, learned, now, answers)
    live, withdrawn, verdicts = _sort_out(plan)
    changes: list[PlannedChange] = []
    held: set[int] = set()
    found = find(order.actions, rules, answers.picks)
    if found.parts:
        lines_of = route(live, found.parts, rules)
        gone_of = route(withdrawn, found.parts, rules) if withdrawn else [[]] * len(lines_of)
        for part, lines, gone in zip(found.parts, lines_of, gone_of, strict=True):
            own, change = _plan_part(part, lines, gone, plan)
            verdicts += own
            if change is not None:
                changes.append(change)
        if withdrawn:
            held = {v.line_id for v in verdicts if v.hold is Hold.RESTORE_NEEDED}
    if found.ambiguous or not found.parts:
        verdicts += [unplaced(line, found.ambiguous, plan) for line in live]
    verdicts += [ignored(x, withdrawn_note(x)) for x in withdrawn if x.id not in held]
    return OrderPlan(order.order_id, waive(verdicts, answers.ignored), tuple(changes))


def _sort_out(plan: Context) -> tuple[list[Line], list[Line], list[LineVerdict]]:
    """Lines that count, in the order of returned_at; withdrawn ones; verdicts of ignored ones."""
    live: list[Line] = []
    withdrawn: list[Line] = []
    verdicts: list[LineVerdict] = []
    waived = plan.answers.ignored
    for line in plan.order.lines:
        if line.voided or line.vanished:
            withdrawn.append(line)
        elif line.reason in plan.rules.ignored_reasons:
            verdicts.append(ignored(line, f"the program ignores the reason {line.reason!r}"))
        elif waived and line.key.return_id in waived:
            verdicts.append(ignored(line, "a person decided to ignore this line"))
        else:
            live.append(line)
    if len(live) > 1:
        live.sort(key=lambda line: (line.returned_at, line.key.return_id, line.key.sku, line.id))
    return live, withdrawn, verdicts


def _plan_part(
    part: Part, lines: list[Line], withdrawn: list[Line], plan: Context
) -> tuple[list[LineVerdict], PlannedChange | None]:
    """Plan one action: a verdict for each of its lines, and its change if it needs one."""
    settled = part.action.settled_by_us
    if not lines and settled is None:
        return [], None
    made = draft(part, lines, plan.rules, plan.answers.accept)
    lost = _restore(made, settled, withdrawn, plan) if settled is not None else []
    desired = difference(made, plan.rules)
    if desired is None or not any(c.hold is None and not c.covered for c in made.claims):
        return lost + [verdict_of(claim, made, PLANNED) for claim in made.claims], None
    change, standing = None, closed(made.action, plan)
    if standing is None:
        change = change_of(made, desired, plan)
        standing = standing_of(made.action, change, plan)
    # Item changes say ORDER_UPDATE, whatever the reason: there no default is taken.
    unmapped = () if change is None or desired.items else change.codes_unmapped
    verdicts = lost + [verdict_of(claim, made, standing, unmapped) for claim in made.claims]
    return verdicts, change if standing is PLANNED else None


def _restore(
    made: Draft, settled: Desired, withdrawn: list[Line], plan: Context
) -> list[LineVerdict]:
    """Hold the lines whose withdrawal would raise an action that we had lowered.

    Where no line was withdrawn (one was corrected downward), the last one of the item is held.
    """
    rules = plan.rules
    slack = tolerance(made.action.currency, rules)
    skus = below(made, settled, slack, rules, withdrawn=bool(withdrawn))
    if skus is None:
        return []
    mine = [line for line in withdrawn if not skus or _about(line, skus, rules)]
    if not mine:
        _hold_last(made, skus, rules)
    return [
        LineVerdict(
            line_id=line.id,
            action_id=made.action.id,
            outcome=Outcome.HELD,
            hold=Hold.RESTORE_NEEDED,
            note=_RESTORE.format(made.action.id),
            amount=worth(line),
            currency=line.currency,
        )
        for line in mine
    ]


_RESTORE = (
    "less came back than our confirmed change took off action {}, and a change never raises; "
    "run `clawback reset` for it, or answer ignore"
)


def _about(line: Line, skus: frozenset[str], rules: Rules) -> bool:
    """Whether a line is about one of these SKUs, or about the whole order."""
    own = (line.key.sku, line.parent_sku)
    return not line.key.sku or any(impact_sku(sku, rules) in skus for sku in own if sku)


def _hold_last(made: Draft, skus: frozenset[str], rules: Rules) -> None:
    claims: list[Claim] = [
        claim
        for claim in made.claims
        if claim.hold is None and (not skus or _about(claim.line, skus, rules))
    ]
    if claims:
        claims[-1].hold = Hold.RESTORE_NEEDED
        claims[-1].note = _RESTORE.format(made.action.id)
