"""The requests of the Brand API that Clawback makes, built but not sent (reference §2, §3, §4)."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from clawback.impact.account import Account
from clawback.impact.budget import RequestKind
from clawback.impact.respond import Call
from clawback.impact.windows import Window

PAGE_SIZE = 20_000
"""impact.com's default; at least 2,000, and a listing has at most ten pages (reference §2.3)."""


class Calls:
    """Builds the calls of one account."""

    def __init__(self, account: Account) -> None:
        self._prefix = account.prefix
        self._campaign = account.campaign_id

    def listing(self, kind: RequestKind, resource: str, window: Window, page_size: int) -> Call:
        """Actions or ActionUpdates of the campaign in a window."""
        params = {"CampaignId": self._campaign, "PageSize": str(page_size), **window.params()}
        return Call(kind, "GET", f"{self._prefix}/{resource}", encode(params))

    def get(self, kind: RequestKind, *segments: str) -> Call:
        """A read of the resource that `segments` name."""
        path = "/".join(quote(_segment(segment), safe="") for segment in segments)
        return Call(kind, "GET", f"{self._prefix}/{path}")

    def modify(self, form: Mapping[str, str]) -> Call:
        """PUT Actions (reference §3.1)."""
        _check_target(form)
        if not form.get("Reason"):
            raise ValueError("a modification needs a Reason (reference §3.1); add it to the form")
        return Call(RequestKind.MODIFY, "PUT", f"{self._prefix}/Actions", form=form)

    def reverse(self, form: Mapping[str, str]) -> Call:
        """DELETE Actions, with a form body (reference §3.2)."""
        _check_target(form)
        if not form.get("DispositionCode"):
            raise ValueError("a reversal needs a DispositionCode (reference §3.2); add it")
        return Call(RequestKind.REVERSE, "DELETE", f"{self._prefix}/Actions", form=form)


def encode(fields: Mapping[str, str]) -> str:
    """Percent-encoded UTF-8, so that the + of an offset survives (reference §1.3, §2.2)."""
    return urlencode(fields, quote_via=quote)


def _segment(segment: str) -> str:
    """Refuse what would name another resource than the one meant."""
    if segment.strip(".") == "":
        raise ValueError(f"{segment!r} is no id; an empty id would address the whole collection")
    return segment


def _check_target(form: Mapping[str, str]) -> None:
    if not form.get("ActionId") and not (form.get("ActionTrackerId") and form.get("OrderId")):
        raise ValueError(
            "a write must say which action: ActionId, or ActionTrackerId and OrderId (§3.1)"
        )
