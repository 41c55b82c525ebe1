"""One look at an account, for a connection's test button: fine, or what to mend."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice

from clawback.impact.budget import RequestKind
from clawback.impact.client import ImpactClient
from clawback.impact.errors import PermissionDenied, Refused, Where
from clawback.impact.models import Campaign
from clawback.impact.windows import Window, WindowField

_SMALLEST_PAGE = 2_000
_SHOWN = 10
_LOOK_BACK = timedelta(minutes=1)


class UnknownCampaign(Refused):
    """The account has no campaign of that id."""


def check_account(client: ImpactClient, now: datetime | None = None) -> str:
    """A sentence that says the account can be used; at most two small requests.

    Raises an ImpactError whose text is the sentence for: a wrong token, a missing scope, an
    unknown campaign, an unreachable host.
    """
    account = client.account
    known = _campaigns(client)
    named = next((c for c in known or () if c.id == account.campaign_id), None)
    if known is not None and named is None:
        raise _unknown(client, known)
    moment = now or datetime.now(UTC)
    window = Window(WindowField.EVENT, moment - _LOOK_BACK, moment)
    for _ in islice(client.list_actions(window, page_size=_SMALLEST_PAGE), 1):
        pass
    name = f" ({named.name})" if named and named.name else ""
    return f"impact.com accepts the token and lists campaign {account.campaign_id}{name}'s actions"


def _campaigns(client: ImpactClient) -> list[Campaign] | None:
    """The account's campaigns; None if the token may not list them, which is no fault."""
    try:
        return client.campaigns()
    except PermissionDenied:
        return None


def _unknown(client: ImpactClient, known: list[Campaign]) -> UnknownCampaign:
    account = client.account
    there = ", ".join(f"{c.id} ({c.name})" for c in known[:_SHOWN]) or "none at all"
    return UnknownCampaign(
        f"impact.com accepts the token, but the account has no campaign {account.campaign_id};"
        f" set campaign_id of the impact.com connection to one of those it has: {there}",
        Where(kind=RequestKind.OTHER, method="GET", path=f"{account.prefix}/Campaigns", status=200),
    )
