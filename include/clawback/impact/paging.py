"""Listing: walks the pages of a collection, whoever sends the requests (reference §2.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar
from urllib.parse import urljoin, urlsplit

import msgspec

from clawback.impact.account import Account
from clawback.impact.errors import ListingMoved, Where
from clawback.impact.fields import absent, text, whole_or_none
from clawback.impact.judge import Answer, Judge
from clawback.impact.models import Page
from clawback.impact.respond import Call
from clawback.impact.rows import Reader
from clawback.impact.wire import PAGING, as_list

T = TypeVar("T")
V = TypeVar("V")
MOST_PAGES = 1_000
"""A listing that goes on beyond this goes in circles; ten are documented (reference §2.3)."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """The paging figures of an answer; None where it does not say (reference §2.4)."""

    page: int | None
    pages: int | None
    total: int | None
    next_uri: str

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Envelope:
        """Read the `@` keys. Raises ValueError for one that is no number or no text."""
        return cls(
            page=_read(whole_or_none, body, "@page"),
            pages=_read(whole_or_none, body, "@numpages"),
            total=_read(whole_or_none, body, "@total"),
            next_uri=_read(text, body, "@nextpageuri"),
        )

    def check(self, received: int, key: str) -> None:
        """Raises ValueError if rows are counted and none is there."""
        if self.total and not received:
            raise ValueError(f"it counts {self.total} rows in all and shows none under {key}")


class Listing(Generic[T]):
    """One listing: `call` is the next request to send, None at the end; `take` reads its answer.

    `unique` names the attribute by which rows of later pages are recognised; None keeps all.
    """

    def __init__(
        self,
        account: Account,
        first: Call,
        reader: Reader[T],
        *,
        key: str,
        unique: str | None = "id",
    ) -> None:
        self.call: Call | None = first
        self._first = first
        self._account = account
        self._judge = Judge(account)
        self._reader = reader
        self._key = key
        self._unique = unique
        self._ids: set[str] = set()
        self._visited: set[str] = set()
        self._taken = 0
        self._received = 0
        self._total = 0

    def take(self, answer: Answer) -> Page[T]:
        """The page that `call` was answered with; moves `call` on.

        Raises MalformedAnswer if it is no page of this listing or leads in circles, ListingMoved
        if rows left the listing while it was read.
        """
        if self.call is None:
            raise ValueError("the listing has ended; ask `call` before `take`")
        try:
            envelope = Envelope.of(answer.body)
            rows, bad = self._reader.rows(self._raw_rows(answer.body), self._taken + 1)
            envelope.check(len(rows) + len(bad), self._key)
        except ValueError as flaw:
            raise self._judge.malformed(self.call, str(flaw)) from None
        self._taken += 1
        self._received += len(rows) + len(bad)
        self._total = max(self._total, envelope.total or 0)
        next_uri = self._next_uri(envelope)
        page = Page(
            rows=self._fresh(rows),
            page=self._taken,
            pages=envelope.pages,
            total=envelope.total,
            next_uri=next_uri,
            date=answer.date,
            bad=bad,
        )
        self._move_on(self.call, next_uri)
        return page

    def _raw_rows(self, body: Mapping[str, Any]) -> list[Any] | msgspec.Raw:
        found = body.get(self._key)
        if absent(found) or found == {}:
            if not PAGING & set(body):
                raise ValueError(f"it has neither {self._key} nor a paging envelope")
            return []
        if isinstance(found, dict):
            singular = found.get(self._key.removesuffix("s"))
            return as_list(found if singular is None else singular)
        if isinstance(found, (list, msgspec.Raw)):
            return found
        raise ValueError(f"its {self._key} is a {type(found).__name__} and no list")

    def _fresh(self, rows: list[T]) -> list[T]:
        """`rows` without those that this listing had already."""
        if self._unique is None:
            return rows
        fresh = []
        for row in rows:
            identity = getattr(row, self._unique)
            if identity not in self._ids:
                self._ids.add(identity)
                fresh.append(row)
        return fresh

    def _next_uri(self, envelope: Envelope) -> str | None:
        """Where the next page is: as the envelope says, else counted on; None at the end."""
        page = envelope.page or self._taken
        if envelope.pages is not None and page >= envelope.pages:
            return None
        if envelope.next_uri or envelope.pages is None:
            return envelope.next_uri or None
        base = urlsplit(self._account.base_url).path.rstrip("/")
        return f"{base}{self._first.path}?{self._first.query}&Page={page + 1}"

    def _move_on(self, call: Call, next_uri: str | None) -> None:
        if next_uri is None:
            self._check_complete(call)
            self.call = None
            return
        if next_uri in self._visited or self._taken >= MOST_PAGES:
            raise self._judge.malformed(call, f"page {self._taken} leads back to a page read")
        self._visited.add(next_uri)
        try:
            self.call = follow(self._account, self._first, next_uri)
        except ValueError as flaw:
            raise self._judge.malformed(call, str(flaw)) from None

    def _check_complete(self, call: Call) -> None:
        if self._received < self._total:
            raise ListingMoved(
                f"the listing {call} counted {self._total} rows but gave {self._received}: some"
                " moved while it was read; list it again, in smaller windows if this goes on",
                Where(kind=call.kind, method=call.method, path=call.path, status=200),
            )


def follow(account: Account, first: Call, uri: str) -> Call:
    """The request for a page `uri`, root-relative as a rule, on the account's own host only.

    Raises ValueError for another host, so that credentials never leave for one.
    """
    target = urlsplit(urljoin(f"{account.origin}/", uri))
    home = urlsplit(account.origin)
    if (target.scheme, _place(target.netloc, target.scheme)) != (
        home.scheme,
        _place(home.netloc, home.scheme),
    ):
        raise ValueError(f"its next page is on another host ({target.scheme}://{target.hostname})")
    return replace(first, path=target.path, query=target.query, at_root=True)


def _read(reader: Callable[[Any], V], body: Mapping[str, Any], name: str) -> V:
    """A value of the envelope; ValueError names it."""
    try:
        return reader(body.get(name))
    except ValueError as flaw:
        raise ValueError(f"its {name} {flaw}") from None


def _place(netloc: str, scheme: str) -> str:
    """Host and port in one spelling."""
    return netloc.lower().removesuffix(":443" if scheme == "https" else ":80")
