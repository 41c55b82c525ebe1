"""ImpactClient and AsyncImpactClient: the reads and writes that Clawback needs of impact.com."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self, TypeVar

import httpx
from tenacity import AsyncRetrying, Retrying, retry_if_exception

from clawback.impact.account import Account
from clawback.impact.budget import OPEN_GATE, Gate, RequestKind
from clawback.impact.calls import PAGE_SIZE
from clawback.impact.core import DEFAULT_RETRY, Core, utc_now
from clawback.impact.judge import Answer, Reply
from clawback.impact.models import (
    Action,
    ActionItem,
    ActionUpdate,
    Campaign,
    Company,
    Page,
    Receipt,
    Submission,
)
from clawback.impact.paging import Listing
from clawback.impact.receipt import read_receipt
from clawback.impact.respond import Call
from clawback.impact.retry import Now, RetryPolicy
from clawback.impact.rows import COMPANIES, SUBMISSIONS
from clawback.impact.windows import Window

T = TypeVar("T")


class ImpactClient(Core):
    """The Brand API over one connection pool, for one thread; a context manager.

    Requests are tried again within `retry`, a write only if it certainly never left or was put
    off. Every method raises an ImpactError (see `clawback.impact.errors`) or what the gate raises
    (BudgetSpent).
    `now` is the clock that answers are judged by; `transport` replaces the network.
    """

    def __init__(
        self,
        account: Account,
        *,
        gate: Gate = OPEN_GATE,
        transport: httpx.BaseTransport | None = None,
        retry: RetryPolicy = DEFAULT_RETRY,
        now: Now = utc_now,
    ) -> None:
        super().__init__(account, gate, retry, now)
        self._http = httpx.Client(transport=transport, **self._settings())
        self._again = Retrying(
            stop=retry.stop,
            wait=retry.wait(now),
            retry=retry_if_exception(retry.worth_it(now)),
            reraise=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def list_actions(self, window: Window, *, page_size: int = PAGE_SIZE) -> Iterator[Page[Action]]:
        """The campaign's actions in `window`, page by page, each Id once (reference §2.1-§2.4).

        The next page is under way while one is used. A listing that breaks off raises; the pages
        before are then incomplete.
        """
        return self._pages_ahead(self._actions(window, page_size))

    def list_action_updates(
        self, window: Window, *, page_size: int = PAGE_SIZE
    ) -> Iterator[Page[ActionUpdate]]:
        """The campaign's action updates in `window`, as `list_actions` (reference §5)."""
        return self._pages_ahead(self._updates(window, page_size))

    def list_items(self, action_id: str) -> list[ActionItem]:
        """An action's items in the order they were recorded (reference §2.7)."""
        return self._all(self._items(action_id))

    def get_action(self, action_id: str) -> Action:
        """An action as it stands now (reference §2.7)."""
        call = self._calls.get(RequestKind.GET_ACTION, "Actions", action_id)
        return self._action(call, self._tried(call), action_id)

    def get_submission(self, batch_id: str) -> Submission:
        """What became of a queued write; kept for 90 days (reference §4)."""
        call = self._calls.get(RequestKind.GET_SUBMISSION, "APISubmissions", batch_id)
        return self._one(call, SUBMISSIONS, self._tried(call), "APISubmission")

    def campaigns(self) -> list[Campaign]:
        """The account's programs."""
        return self._all(self._campaigns())

    def company(self) -> Company:
        """Whose account it is."""
        call = self._calls.get(RequestKind.OTHER, "CompanyInformation")
        return self._one(call, COMPANIES, self._tried(call), "CompanyInformation")

    def modify(self, form: Mapping[str, str]) -> Receipt:
        """PUT Actions (reference §3.1). Raises ValueError if the form names no action or Reason.

        An ImpactError with `in_doubt` means that the write may have taken effect.
        """
        return read_receipt(self._tried(self._calls.modify(form)))

    def reverse(self, form: Mapping[str, str]) -> Receipt:
        """DELETE Actions (reference §3.2); as `modify`, with a DispositionCode."""
        return read_receipt(self._tried(self._calls.reverse(form)))

    def _pages(self, listing: Listing[T]) -> Iterator[Page[T]]:
        while listing.call is not None:
            yield listing.take(self._tried(listing.call))

    def _all(self, listing: Listing[T]) -> list[T]:
        first = listing.call
        return [row for page in self._pages(listing) for row in self._whole(first, page)]

    def _pages_ahead(self, listing: Listing[T]) -> Iterator[Page[T]]:
        """As `_pages`, asking for the next page before one is used.

        Only the waiting for impact.com is done in a thread; the gate is asked, and answers are
        judged, in the caller's.
        """
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="impact") as thread:
            coming: Future[httpx.Response] | None = None
            while listing.call is not None:
                page = listing.take(self._tried(listing.call, coming))
                coming = None
                if listing.call is not None:
                    self._gate.acquire(listing.call.kind)
                    request = self._request(self._http, listing.call)
                    coming = thread.submit(self._http.send, request)
                yield page

    def _tried(self, call: Call, coming: Future[httpx.Response] | None = None) -> Answer:
        """The answer to a request, tried again where that may help; `coming` is its first try."""
        first = [] if coming is None else [coming]
        return self._again(self._once, call, first)

    def _once(self, call: Call, coming: list[Future[httpx.Response]]) -> Answer:
        if not coming:
            self._gate.acquire(call.kind)
        try:
            if coming:
                response = coming.pop().result()
            else:
                response = self._http.send(self._request(self._http, call))
        except (httpx.RequestError, httpx.InvalidURL) as failure:
            raise self._failed(call, failure) from failure
        self._gate.learn(call.kind, response.status_code, response.headers, self._now())
        reply = Reply(response.status_code, response.headers, response.content)
        return self._answered(call, reply)


class AsyncImpactClient(Core):
    """The same reads for an event loop (the Airflow trigger); it has no writes.

    The gate is called in a thread, so that one that asks a database does not block the loop.
    """

    def __init__(
        self,
        account: Account,
        *,
        gate: Gate = OPEN_GATE,
        transport: httpx.AsyncBaseTransport | None = None,
        retry: RetryPolicy = DEFAULT_RETRY,
        now: Now = utc_now,
    ) -> None:
        super().__init__(account, gate, retry, now)
        self._http = httpx.AsyncClient(transport=transport, **self._settings())
        self._again = AsyncRetrying(
            stop=retry.stop,
            wait=retry.wait(now),
            retry=retry_if_exception(retry.worth_it(now)),
            reraise=True,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def list_actions(
        self, window: Window, *, page_size: int = PAGE_SIZE
    ) -> AsyncIterator[Page[Action]]:
        """As ImpactClient.list_actions."""
        return self._pages(self._actions(window, page_size))

    def list_action_updates(
        self, window: Window, *, page_size: int = PAGE_SIZE
    ) -> AsyncIterator[Page[ActionUpdate]]:
        """As ImpactClient.list_action_updates."""
        return self._pages(self._updates(window, page_size))

    async def list_items(self, action_id: str) -> list[ActionItem]:
        """As ImpactClient.list_items."""
        return await self._all(self._items(action_id))

    async def get_action(self, action_id: str) -> Action:
        """As ImpactClient.get_action."""
        call = self._calls.get(RequestKind.GET_ACTION, "Actions", action_id)
        return self._action(call, await self._tried(call), action_id)

    async def get_submission(self, batch_id: str) -> Submission:
        """As ImpactClient.get_submission."""
        call = self._calls.get(RequestKind.GET_SUBMISSION, "APISubmissions", batch_id)
        return self._one(call, SUBMISSIONS, await self._tried(call), "APISubmission")

    async def campaigns(self) -> list[Campaign]:
        """As ImpactClient.campaigns."""
        return await self._all(self._campaigns())

    async def company(self) -> Company:
        """As ImpactClient.company."""
        call = self._calls.get(RequestKind.OTHER, "CompanyInformation")
        return self._one(call, COMPANIES, await self._tried(call), "CompanyInformation")

    async def _pages(self, listing: Listing[T]) -> AsyncIterator[Page[T]]:
        while listing.call is not None:
            yield listing.take(await self._tried(listing.call))

    async def _all(self, listing: Listing[T]) -> list[T]:
        first = listing.call
        return [row async for page in self._pages(listing) for row in self._whole(first, page)]

    async def _tried(self, call: Call) -> Answer:
        return await self._again(self._once, call)

    async def _once(self, call: Call) -> Answer:
        await asyncio.to_thread(self._gate.acquire, call.kind)
        try:
            response = await self._http.send(self._request(self._http, call))
        except (httpx.RequestError, httpx.InvalidURL) as failure:
            raise self._failed(call, failure) from failure
        status, headers = response.status_code, response.headers
        await asyncio.to_thread(self._gate.learn, call.kind, status, headers, self._now())
        return self._answered(call, Reply(status, headers, response.content))
