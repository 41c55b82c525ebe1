"""How an action that was modified shows its money, beside what was reported (reference §2.6)."""

from __future__ import annotations

from decimal import Decimal

from clawback.sandbox import fields as f
from clawback.sandbox.facts import Standing
from clawback.sandbox.items import money
from clawback.sandbox.profile import Profile

_COST = f.ACTION_OWN.index("ClientCost")
_STATUS = f.ACTION_SHARED.index("CustomerStatus")
_PLACES = {
    name: tuple(f.ACTION_OWN.index(kind + name) for kind in ("", "Delta", "Intended"))
    for name in ("Payout", "Amount")
}


def present(own: list[str], standing: Standing, profile: Profile) -> None:
    """Set the money in the values of ACTION_OWN, so far as reported, to how an action stands."""
    own[_COST] = str(standing.cost)
    for name, value, delta in (
        ("Payout", standing.payout, standing.delta_payout),
        ("Amount", standing.amount, standing.delta_amount),
    ):
        plain, changed, intended = _PLACES[name]
        own[changed] = _delta(value, delta, own[plain], profile)
        own[intended] = _intended(value, delta, own[intended], profile)
        own[plain] = str(value)


def shared_by(shared: tuple[str, ...], standing: Standing) -> tuple[str, ...]:
    """The values of ACTION_SHARED with the customer status that stands."""
    return (*shared[:_STATUS], standing.customer_status, *shared[_STATUS + 1 :])


def _delta(value: Decimal, delta: Decimal, reported: str, profile: Profile) -> str:
    """A modified action's Delta*."""
    total = profile.delta_meaning == "total"
    return str(value - money(reported) if total else delta)


def _intended(value: Decimal, delta: Decimal, reported: str, profile: Profile) -> str:
    """A modified action's Intended*."""
    meaning = profile.intended_meaning
    if meaning == "original":
        return reported
    return str(value if meaning == "current" else value - delta)
