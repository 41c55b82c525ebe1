"""What both clients share: building requests and reading answers; nothing is sent from here."""

from __future__ import annotations

import logging
import ssl
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

import httpx

from clawback.impact.account import Account
from clawback.impact.budget import Gate, RequestKind
from clawback.impact.calls import Calls, encode
from clawback.impact.errors import ImpactError
from clawback.impact.judge import Answer, Judge, Reply
from clawback.impact.models import Action, ActionItem, ActionUpdate, Campaign, Page
from clawback.impact.paging import Listing
from clawback.impact.respond import Call
from clawback.impact.retry import Now, RetryPolicy
from clawback.impact.rows import ACTIONS, CAMPAIGNS, ITEMS, UPDATES, Reader
from clawback.impact.windows import Window

T = TypeVar("T")
DEFAULT_RETRY = RetryPolicy()
_FORM = "application/x-www-form-urlencoded"

# One line per request in every task log helps nobody; failures are told by the errors.
logging.getLogger("httpx").setLevel(logging.WARNING)


@cache
def _trust() -> ssl.SSLContext:
    """The certificates to trust; reading them takes longer than a request, so once a process."""
    return httpx.create_ssl_context()


def utc_now() -> datetime:
    return datetime.now(UTC)


class Core:
    """Builds and reads for one account."""

    def __init__(self, account: Account, gate: Gate, retry: RetryPolicy, now: Now) -> None:
        self.account = account
        self._gate = gate
        self._retry = retry
        self._now = now
        self._judge = Judge(account)
        self._calls = Calls(account)

    def _settings(self) -> dict[str, Any]:
        """Arguments for httpx; redirects are not followed, so credentials stay on one host."""
        account = self.account
        connect = account.connect_timeout.total_seconds()
        read = account.read_timeout.total_seconds()
        return {
            "auth": httpx.BasicAuth(account.account_sid, account.auth_token),
            "headers": {
                "Accept": "application/json",
                "IR-Version": account.api_version,
                "User-Agent": "clawback",
            },
            "timeout": httpx.Timeout(connect=connect, read=read, write=read, pool=connect),
            "verify": _trust(),
            "follow_redirects": False,
        }

    def _request(self, http: httpx.Client | httpx.AsyncClient, call: Call) -> httpx.Request:
        base = self.account.origin if call.at_root else self.account.base_url.rstrip("/")
        url = f"{base}{call.path}?{call.query}" if call.query else f"{base}{call.path}"
        if call.form is None:
            return http.build_request(call.method, url)
        content = encode(call.form).encode("ascii")
        return http.build_request(
            call.method, url, content=content, headers={"Content-Type": _FORM}
        )

    def _failed(self, call: Call, failure: Exception) -> ImpactError:
        return self._judge.failure(call, failure, self._now())

    def _answered(self, call: Call, reply: Reply) -> Answer:
        return self._judge.answer(call, reply, self._now())

    def _actions(self, window: Window, page_size: int) -> Listing[Action]:
        call = self._calls.listing(RequestKind.LIST_ACTIONS, "Actions", window, page_size)
        return Listing(self.account, call, ACTIONS, key="Actions")

    def _updates(self, window: Window, page_size: int) -> Listing[ActionUpdate]:
        kind = RequestKind.LIST_ACTION_UPDATES
        call = self._calls.listing(kind, "ActionUpdates", window, page_size)
        return Listing(self.account, call, UPDATES, key="ActionUpdates")

    def _items(self, action_id: str) -> Listing[ActionItem]:
        call = self._calls.get(RequestKind.LIST_ITEMS, "Actions", action_id, "Items")
        return Listing(self.account, call, ITEMS, key="ActionItems", unique=None)

    def _campaigns(self) -> Listing[Campaign]:
        call = self._calls.get(RequestKind.OTHER, "Campaigns")
        return Listing(self.account, call, CAMPAIGNS, key="Campaigns")

    def _one(self, call: Call, reader: Reader[T], answer: Answer, wrapper: str) -> T:
        try:
            return reader.one(answer.body, wrapper)
        except ValueError as flaw:
            raise self._judge.malformed(call, str(flaw)) from None

    def _action(self, call: Call, answer: Answer, action_id: str) -> Action:
        action = self._one(call, ACTIONS, answer, "Action")
        if action.id != action_id:
            raise self._judge.malformed(call, f"it is about another action, {action.id}")
        return action

    def _whole(self, call: Call | None, page: Page[T]) -> list[T]:
        """The rows of a page that must not lack any."""
        if page.bad and call is not None:
            raise self._judge.malformed(call, str(page.bad[0]))
        return page.rows
