"""How the page writes things: numbers, money, times, and what each outcome and hold means."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from clawback.money import quantize

NOTHING = "—"
OUTCOMES = {
    "confirmed": "changed at impact.com, and the effect was read back",
    "already_settled": "the action already stood there; nothing was sent",
    "not_attributed": "no partner was credited with the order",
    "ignored": "voided, superseded, or a reason that the program ignores",
    "locked": "the locking date has passed: the commission is lost",
    "held": "a person must decide",
    "rejected": "impact.com refused the change",
    "invalid": "the row breaks the contract",
    "planned": "not sent yet",
    "pending": "sent, and not seen yet",
}
HOLDS = {
    "ambiguous_action": "several live actions carry the order",
    "unknown_sku": "the returned SKU stands on no item of the action",
    "duplicate_sku": "the action holds the SKU on several lines, and only a part came back",
    "over_returned": "more came back than was sold",
    "baseline_unknown": "what was sold at first is not known, or told differently",
    "currency_mismatch": "the row is in another currency than the action",
    "modification_limit": "the action has nearly used up its 1,000 modifications",
    "restore_needed": "a return was withdrawn after the action had been lowered",
    "contested": "someone raised the action after our confirmed change",
    "outside_lookback": "the days in which the order may have been reported are not all listed",
    "canary_failed": "a kind of request did not do what it should on this account",
    "approval_refused": "a person refused the change",
}
STATES = {
    "dry": "only shown; this run sends nothing",
    "planned": "not sent yet",
    "sending": "being sent, or in doubt whether it arrived",
    "queued": "accepted by impact.com, effect not seen yet",
    "confirmed": "its effect was read back",
    "rejected": "refused by impact.com",
    "locked": "the action had locked",
    "refused": "held: a person refused it, or somebody undid it",
    "dropped": "no longer wanted as it was; planned anew where needed",
}


def number(value: int) -> str:
    """A count: 12,345."""
    return f"{value:,}"


def money(amount: Decimal | str | None, currency: str) -> str:
    """An amount with the digits of its currency: 1,234.50."""
    if amount is None:
        return NOTHING
    return f"{quantize(Decimal(amount), currency):,f}"


def moment(at: datetime | None) -> str:
    """A time in UTC, to the minute."""
    return NOTHING if at is None else f"{at:%Y-%m-%d %H:%M}"


def span(length: timedelta) -> str:
    """How long something took: 45 s, 12 min, 3 h 20 min, 2 d 4 h."""
    seconds = int(length.total_seconds())
    if seconds < 120:  # noqa: PLR2004 - two minutes are told in seconds
        return f"{seconds} s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if not hours:
        return f"{minutes} min"
    return f"{days} d {hours % 24} h" if days else f"{hours} h {minutes % 60} min"


def spoken(name: str) -> str:
    """A name of the ledger in words: already settled."""
    return name.replace("_", " ")
