"""What the ledger writes when a change comes to its end: confirmed, rejected or locked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from sqlalchemy import Connection, RowMapping, update

from clawback.ledger import actions as stock
from clawback.ledger import changes as book
from clawback.ledger import runs
from clawback.ledger.changes import ChangeState, Step
from clawback.ledger.codec import desired_from_json, items_from_json, merge_settled
from clawback.ledger.store import alone
from clawback.ledger.tables import change_lines
from clawback.money import minor_unit, share
from clawback.reconcile.evidence import is_final, judge, payout_surprise
from clawback.reconcile.facts import Action, Desired, Item, Judgement, Observed, Reply
from clawback.reconcile.outcomes import Hold
from clawback.steps.others import Money, others_took


@dataclass(frozen=True, slots=True)
class View:
    """How a change is looked at.

    `items_current` says that the action's items were read after the change was sent, `late` that
    the deadline has passed; `units` is the tolerance in minor units of the currency.
    """

    items_current: bool = False
    late: bool = False
    units: int = 1


def judged(row: RowMapping, action: Action, view: View, reply: Reply | None = None) -> Judgement:
    """What the ledger's present view of an action says of a change."""
    before = action_before(row, action)
    seen = Observed(action.state, action.amount, action.payout, action.items, view.items_current)
    return judge(
        desired_from_json(row["desired"]),
        before,
        seen,
        reply,
        deadline_passed=view.late,
        tolerance=view.units * minor_unit(row["currency"]),
    )


def action_before(row: RowMapping, action: Action) -> Action:
    """The action as it was when a change of it was planned."""
    return replace(
        action,
        amount=row["before_amount"],
        payout=row["before_payout"],
        items=items_from_json(row["before_items"]),
    )


def confirm(conn: Connection, step: Step, row: RowMapping, action: Action) -> bool:
    """End a change as confirmed: its effect was read back.

    The amount and payout that were read back are shared over its lines by amount, to the cent,
    without what others have done to the action meanwhile: that counts as having been so before.
    """
    alone(conn, row["account"])
    others = others_took(conn, row, action)
    ours = Money(
        row["before_amount"] - action.amount - others.amount,
        row["before_payout"] - action.payout - others.payout,
    )
    values = {
        "before_amount": action.amount + ours.amount,
        "before_payout": action.payout + ours.payout,
        "after_amount": action.amount,
        "after_payout": action.payout,
        "settled_at": step.at,
    }
    if not book.move(conn, row["id"], step, **values):
        return False
    _share(conn, row, ours)
    if any(others):
        told = {"amount": str(others.amount), "payout": str(others.payout)}
        subject = ("change", row["id"])
        runs.note(conn, step.run_id, step.at, subject, step.became, "others_took", told)
    desired = desired_from_json(row["desired"])
    rows = stock.action_rows(conn, row["account"], [row["action_id"]], lock=True)
    known = rows[row["action_id"]]
    stock.save_items(conn, row["account"], {row["action_id"]: _settled_items(desired, action)})
    stock.set_action(
        conn,
        row["account"],
        row["action_id"],
        settled=merge_settled(known["settled"], desired),
        refused=None,
        generation=known["generation"] + 1,
        stale=False,
    )
    _tell_surprise(conn, step, row, action)
    detail = {"state": action.state, "amount": str(action.amount), "payout": str(action.payout)}
    book.add_evidence(conn, step.run_id, row["id"], step.at, "actions", "confirmed", detail)
    return True


def _tell_surprise(conn: Connection, step: Step, row: RowMapping, action: Action) -> None:
    """Note a payout that moved otherwise than the change explains (reference §8)."""
    unit = minor_unit(row["currency"])
    off = payout_surprise(row["expected_payout"], action.payout, row["before_payout"], unit)
    if off is not None:
        told = {"expected": str(row["expected_payout"]), "seen": str(action.payout)}
        subject = ("change", row["id"])
        runs.note(conn, step.run_id, step.at, subject, step.became, "payout_surprise", told)


def reject(conn: Connection, step: Step, row: RowMapping, error: tuple[str, str]) -> Step | None:
    """End a change as refused by impact.com: as locked if the refusal is final.

    Gives the step that it made, None where another process was quicker. `error` is impact.com's
    error type and reason; the action keeps it, so that the same change is not sent again until
    desired or observed state differ.
    """
    kind, reason = error
    final = is_final(kind, reason)
    became = ChangeState.LOCKED if final else ChangeState.REJECTED
    said = f"{kind}: {reason}" if kind and reason else kind or reason
    ended = replace(step, became=became)
    alone(conn, row["account"])
    if not book.move(conn, row["id"], ended, error=said, settled_at=step.at):
        return None
    refused = {
        "generation": row["generation"],
        "identity": row["id"],
        "error": said,
        "final": final,
    }
    stock.set_action(conn, row["account"], row["action_id"], refused=refused)
    detail = {"error_type": kind, "error_reason": reason}
    book.add_evidence(conn, step.run_id, row["id"], step.at, "submission", became.value, detail)
    return ended


def tell_part(conn: Connection, step: Step, row: RowMapping) -> None:
    """Note a refused change under which the payout fell all the same: no books count that."""
    known = stock.action_rows(conn, row["account"], [row["action_id"]]).get(row["action_id"])
    if known is not None and known["payout"] < row["before_payout"]:
        told = {"before": str(row["before_payout"]), "seen": str(known["payout"])}
        subject = ("change", row["id"])
        runs.note(conn, step.run_id, step.at, subject, step.became, "partial_effect", told)


def contest(conn: Connection, step: Step, row: RowMapping) -> bool:
    """Hold a change whose effect came about and was undone by somebody before it was seen.

    The action counts as settled by us, so that it stays held until a person decides.
    """
    ended = replace(step, became=ChangeState.REFUSED)
    values = {"hold": Hold.CONTESTED.value, "error": _UNDONE, "settled_at": step.at}
    alone(conn, row["account"])
    if not book.move(conn, row["id"], ended, **values):
        return False
    known = stock.action_rows(conn, row["account"], [row["action_id"]], lock=True)
    settled = merge_settled(known[row["action_id"]]["settled"], desired_from_json(row["desired"]))
    stock.set_action(conn, row["account"], row["action_id"], settled=settled)
    book.add_evidence(conn, step.run_id, row["id"], step.at, "updates", "undone", {})
    return True


_UNDONE = (
    "our change took effect, and somebody raised the action again before it was confirmed; find "
    "out why, then answer retry to lower it again or stand_back to leave it"
)


def _share(conn: Connection, row: RowMapping, ours: Money) -> None:
    lines = book.lines_of(conn, [row["id"]]).get(row["id"], [])
    weights = [line["amount"] for line in lines]
    amounts = share(ours.amount, weights, row["currency"])
    payouts = share(ours.payout, weights, row["currency"])
    for line, amount, payout in zip(lines, amounts, payouts, strict=True):
        here = (change_lines.c.change_id == row["id"]) & (change_lines.c.line_id == line["line_id"])
        conn.execute(update(change_lines).where(here).values(amount=amount, payout=payout))


def _settled_items(desired: Desired, action: Action) -> list[Item]:
    """The action's items with what was just confirmed of them."""
    if desired.reverse:
        gone = Decimal(0)
        return [replace(item, quantity=0, amount=gone, touched=True) for item in action.items]
    targets = {target.sku: target for target in desired.items}
    return [
        replace(
            item,
            quantity=item.quantity
            if (wanted := targets[item.sku].quantity) is None
            else min(item.quantity, wanted),
            touched=True,
        )
        if item.sku in targets
        else item
        for item in action.items
    ]
