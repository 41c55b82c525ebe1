"""How actions, items, updates and submissions look, value by value in the order of the wire."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from urllib.parse import quote, urlencode

from clawback.sandbox import fields as f
from clawback.sandbox.facts import Item, Submission, UpdateRow
from clawback.sandbox.history import payout_rate
from clawback.sandbox.load import OPEN_ENDED
from clawback.sandbox.ticking import stamp
from clawback.sandbox.world import World

_CURRENCY = f.ACTION.names.index("Currency")
_LOCKING = f.ACTION.names.index("LockingDate")
_CLEARED = f.ACTION.names.index("ClearedDate")
# LockingDate, ClearingDate, ActionDate, Oid, CustomerId, CustomerStatus and SharedId of an update.
_about_update = itemgetter(
    *(
        f.ACTION.names.index(name)
        for name in (
            "LockingDate",
            "ClearedDate",
            "EventDate",
            "Oid",
            "CustomerId",
            "CustomerStatus",
            "SharedId",
        )
    )
)
_NO_CATALOG = ("",) * 6
_STATUS = {"modify": "Modification", "reverse": "Reversal"}
_DETAILS = {
    "OPEN": "The action has no locking date yet",
    "PAYMENT_PENDING": "The action is locked and will be paid",
    "PAID": "The action has been paid",
}


class Show:
    """Writes what a world holds as the API shows it at a time, below a prefix of the path."""

    def __init__(self, world: World, account_id: str) -> None:
        self._world = world
        self._account_id = account_id

    def locking(self, row: int, now: float) -> int | None:
        """The LockingDate an action shows; none while its locking is open-ended (reference §8)."""
        store = self._world.store
        locking = store.locking[row]
        open_ended = locking == store.event[row] + OPEN_ENDED and locking > now
        if open_ended and not store.own_value(row, "LockingDate"):
            return None
        return locking

    def state(self, update: UpdateRow, now: float) -> str:
        if self._world.profile.update_state == "written":
            return update.state
        return self._world.store.state_at(update.row, now)

    def action(self, row: int, now: float, prefix: str) -> tuple[str, ...]:
        store = self._world.store
        uri = f"{prefix}/Actions/"
        if row in store.changed:
            locking = self.locking(row, now)
            shown = None if locking is None else self._stamp(locking)
            return store.values(row, now, uri, shown)
        values = store.values(row, now, uri, None)
        if values[_LOCKING] or store.locking[row] > now:
            return values
        return (*values[:_LOCKING], self._stamp(store.locking[row]), *values[_LOCKING + 1 :])

    def items(self, row: int) -> tuple[Item, ...]:
        return self._world.store.standing(row).items

    def item(self, action_id: str, item: Item, prefix: str) -> tuple[str, ...]:
        return (
            item.sku,
            item.name,
            item.category,
            str(item.quantity),
            str(item.amount),
            item.currency,
            str(item.payout),
            item.payout_currency,
            item.rebate,
            item.rebate_currency,
            item.adjusted,
            item.adjustment,
            f"{prefix}/Actions/{action_id}/Items/{quote(item.sku, safe='')}",
        )

    def update(self, update: UpdateRow, now: float, prefix: str) -> tuple[str, ...]:
        action = self.action(update.row, now, prefix)
        (action_id, campaign, _, tracker, tracker_name, event_code, partner, _, _, ad, *_) = action
        update_id = f"{action_id}.{update.number}"
        state = self.state(update, now)
        return (
            update_id,
            action_id,
            campaign,
            tracker,
            tracker,
            tracker_name,
            event_code,
            partner,
            state,
            *self._state_detail(state, action),
            ad,
            update.disposition,
            update.delta_payout,
            update.delta_amount,
            action[_CURRENCY],
            update.category,
            update.sku,
            update.quantity,
            *_NO_CATALOG,
            "ITEM" if update.sku else "ACTION",
            payout_rate(update.delta_amount, update.delta_payout),
            f"S-{partner}",
            self._stamp(update.at),
            *_about_update(action),
            action[-1],
            f"{prefix}/ActionUpdates/{update_id}",
        )

    def _state_detail(self, state: str, action: Sequence[str]) -> tuple[str, str]:
        """StateDetail and its description; no document lists them all (reference §5, §9.20)."""
        detail = ""
        if self._world.profile.state_details:
            if state == f.APPROVED:
                detail = "PAID" if action[_CLEARED] else "PAYMENT_PENDING"
            elif state == f.PENDING and not action[_LOCKING]:
                detail = "OPEN"
        return detail, _DETAILS.get(detail, "")

    def submission(self, submission: Submission, now: float, prefix: str) -> tuple[str, ...]:
        store, row, form = self._world.store, submission.row, submission.fields
        completed = submission.completed
        if row is None:
            tracker = form.get("ActionTrackerId", "")
            known = tracker if tracker.isascii() and tracker.isdecimal() else ""
            about = ("", known, "", "", form.get("OrderId", ""))
        else:
            about = (
                store.shared_value(row, "CampaignId"),
                store.shared_value(row, "ActionTrackerId"),
                store.shared_value(row, "MediaPartnerId"),
                store.shared_value(row, "EventCode"),
                store.own_value(row, "Oid"),
            )
        return (
            submission.batch_id,
            self._account_id,
            self._stamp(int(submission.at)),
            *about,
            urlencode(form),
            _STATUS[submission.verb],
            _status(submission, now),
            "" if completed is None else self._stamp(int(completed)),
            submission.error_type,
            submission.error_reason,
            f"{prefix}/APISubmissions/{submission.batch_id}",
        )

    def _stamp(self, seconds: int) -> str:
        return stamp(seconds, self._world.profile.zone)


def _status(submission: Submission, now: float) -> str:
    """Queued for the first half of its wait, then In Progress, then Complete (reference §4)."""
    if submission.completed is not None:
        return "Complete"
    half = submission.at + (submission.due - submission.at) / 2
    return "Queued" if now < half else "In Progress"
