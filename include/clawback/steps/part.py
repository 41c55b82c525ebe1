"""A change of which only a part took effect: that part is booked, the rest ends as it must."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from hashlib import sha256

from sqlalchemy import Connection, RowMapping, insert, select, update

from clawback.ledger import actions as stock
from clawback.ledger import changes as book
from clawback.ledger import runs
from clawback.ledger.changes import ChangeState, Step
from clawback.ledger.codec import desired_from_json, desired_to_json, items_from_json
from clawback.ledger.tables import change_lines, changes, return_lines, run_lines
from clawback.ledger.tables import runs as run_table
from clawback.money import ZERO, minor_unit, quantize
from clawback.reconcile.changes import identity
from clawback.reconcile.evidence import judge
from clawback.reconcile.facts import Action, Desired, ItemTarget, Judgement, Observed, Rules
from clawback.reconcile.resolve import impact_sku, normalise
from clawback.steps import settle


@dataclass(frozen=True, slots=True)
class Part:
    """What of a change took effect, as just read back, and what did not.

    `whole` says that all of it is there that impact.com did not refuse; `requests` are the
    submissions that it has made.
    """

    done: Desired
    rest: Desired
    action: Action
    whole: bool
    requests: tuple[int, ...]

    def __bool__(self) -> bool:
        return bool(self.done.items)


def may_be_in_part(row: RowMapping, sent: Sequence[RowMapping]) -> bool:
    """Whether a change names several items, and impact.com has made a request of it."""
    return len(row["desired"]["items"]) > 1 and bool(_skus(_made(sent)))


def part_of(row: RowMapping, sent: Sequence[RowMapping], action: Action, units: int) -> Part:
    """What of a change stands in an action that was just read, items and all.

    Only what a request of this change has asked for that impact.com completed without an error;
    what was lower before it is not its doing. `units` is the tolerance in minor units.
    """
    desired, made = desired_from_json(row["desired"]), _made(sent)
    asked = _skus(made)
    wanted = [target for target in desired.items if target.sku in asked]
    done = [target for target in wanted if _stands(row, target, action, units)]
    rest = tuple(target for target in desired.items if target not in done)
    return Part(
        replace(desired, items=tuple(done)),
        replace(desired, items=rest),
        action,
        len(done) == len(wanted),
        tuple(s["id"] for s in made),
    )


def _made(sent: Iterable[RowMapping]) -> list[RowMapping]:
    """The requests that impact.com has completed without an error."""
    ended = [s for s in sent if s["state"] == "complete"]
    return [s for s in ended if not s["error_type"] and not s["error_reason"]]


def _skus(made: Iterable[RowMapping]) -> set[str]:
    return {v for s in made for k, v in s["form"].items() if k.startswith("Sku")}


def _stands(row: RowMapping, target: ItemTarget, action: Action, units: int) -> bool:
    seen = Observed(action.state, action.amount, action.payout, action.items, items_current=True)
    verdict = judge(
        Desired(items=(target,)),
        settle.action_before(row, action),
        seen,
        None,
        deadline_passed=False,
        tolerance=units * minor_unit(row["currency"]),
    )
    return verdict is Judgement.CONFIRMED


def book_part(conn: Connection, step: Step, row: RowMapping, part: Part, rules: Rules) -> bool:
    """Make of what took effect a change of its own, confirmed, with its lines and its money.

    The change itself has just ended; it keeps the other lines. A refusal of the rest is remembered
    for the action as it now stands, so that the rest is not sent again. `step` is the end of the
    change.
    """
    lines = _lines(conn, row, part, rules)
    made = _insert(conn, step, row, part)
    _hand_over(conn, row["id"], made, lines)
    for submission in part.requests:
        book.set_submission(conn, submission, change_id=made, state="complete")
    proved = replace(step, was=ChangeState.QUEUED, became=ChangeState.CONFIRMED)
    before = stock.action_rows(conn, row["account"], [row["action_id"]])[row["action_id"]]
    settle.confirm(conn, proved, book.get_change(conn, made), part.action)
    known = stock.action_rows(conn, row["account"], [row["action_id"]])[row["action_id"]]
    if step.became in {ChangeState.REJECTED, ChangeState.LOCKED}:
        now = known["generation"]
        rest = identity(row["account"], row["action_id"], part.rest, now)
        told = before["refused"] | {"generation": now, "identity": rest}
        stock.set_action(conn, row["account"], row["action_id"], refused=told)
    return True


def _insert(conn: Connection, step: Step, row: RowMapping, part: Part) -> str:
    """Insert what took effect as a sent change; gives its id."""
    made = part_id(row["id"], step.at)
    amount, payout = _expected(row, part.done.items)
    values = {
        **row,
        "id": made,
        "desired": desired_to_json(part.done),
        "expected_amount": amount,
        "expected_payout": payout,
        "canary": False,
        "state": ChangeState.QUEUED,
        "error": None,
    }
    conn.execute(insert(changes).values(values))
    told = {"part_of": row["id"]}
    runs.note(conn, step.run_id, step.at, ("change", made), "", ChangeState.QUEUED, told)
    return made


def part_id(change_id: str, at: datetime) -> str:
    """The identity of the part of a change that was found to have taken effect at a time."""
    return sha256(f"{change_id}\x1d{at.isoformat()}".encode()).hexdigest()[:32]


def _expected(row: RowMapping, done: Iterable[ItemTarget]) -> tuple[Decimal, Decimal]:
    """Amount and payout that a part alone was to leave, at the rate of before."""
    before, amount = items_from_json(row["before_items"]), row["before_amount"]
    for target in done:
        now = sum((i.amount for i in before if i.sku == target.sku), ZERO)
        amount -= ZERO if target.amount is None else now - target.amount
    if not row["before_amount"]:
        return amount, row["before_payout"]
    payout = row["before_payout"] * amount / row["before_amount"]
    return amount, quantize(payout, row["currency"])


def _lines(conn: Connection, row: RowMapping, part: Part, rules: Rules) -> list[int]:
    """The lines whose goods the part is about; of none, those about no refused goods, or all."""
    done = {normalise(target.sku, rules.skus) for target in part.done.items}
    rest = {normalise(target.sku, rules.skus) for target in part.rest.items}
    here = (
        select(return_lines.c.id, return_lines.c.sku, return_lines.c.parent_sku)
        .join(change_lines, change_lines.c.line_id == return_lines.c.id)
        .where(change_lines.c.change_id == row["id"])
        .order_by(return_lines.c.id)
    )
    about = {
        line.id: {impact_sku(sku, rules) for sku in (line.sku, line.parent_sku) if sku}
        for line in conn.execute(here)
    }
    mine = [line for line, skus in about.items() if skus & done]
    others = [line for line, skus in about.items() if not skus & rest]
    return mine or others or list(about)


def _hand_over(conn: Connection, change_id: str, made: str, lines: Sequence[int]) -> None:
    """Give lines of a change to its part, also in the runs that are still open."""
    mine = (change_lines.c.change_id == change_id) & change_lines.c.line_id.in_(lines)
    conn.execute(update(change_lines).where(mine).values(change_id=made))
    still_open = select(run_table.c.id).where(run_table.c.closed_at.is_(None))
    told = (
        (run_lines.c.change_id == change_id)
        & run_lines.c.line_id.in_(lines)
        & run_lines.c.run_id.in_(still_open)
    )
    conn.execute(update(run_lines).where(told).values(change_id=made))
