"""Turns what came back into an answer or into the error that says what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from clawback.impact.account import Account
from clawback.impact.budget import RequestKind
from clawback.impact.errors import (
    AuthenticationError,
    ImpactError,
    MalformedAnswer,
    PermissionDenied,
    RateLimited,
    Refused,
    TooManyPages,
    Unavailable,
    Verdict,
    Where,
)
from clawback.impact.redact import redact, secrets_of
from clawback.impact.respond import Call, Decision, asks_for_less, decide, said
from clawback.impact.wire import Unreadable, decode

_REQUEST_IDS = ("x-request-id", "x-correlation-id", "x-amzn-trace-id", "cf-ray")
_LISTINGS = frozenset((RequestKind.LIST_ACTIONS, RequestKind.LIST_ACTION_UPDATES))
_READ_BACK = "the write may have taken effect, so read the action back before sending it again"
_LATER = "nothing is lost; run the task again later, and look at impact.com's status page"


@dataclass(frozen=True, slots=True)
class Answer:
    """A decoded answer, and the server's clock when it was given (None without a Date header)."""

    body: dict[str, Any]
    date: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer as it came; `headers` ignore case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Judge:
    """Judges replies and failures for one account, whose secrets it keeps out of every error."""

    def __init__(self, account: Account) -> None:
        self._host = urlsplit(account.base_url).netloc
        self._secrets = secrets_of(account)

    def answer(self, call: Call, reply: Reply, now: datetime) -> Answer:
        """The answer if it is one; else raises the ImpactError that fits."""
        try:
            body, flaw = decode(reply.content), ""
        except Unreadable as reason:
            body, flaw = None, str(reason)
        decision = decide(
            write=call.kind.is_write,
            outcome=reply.status,
            now=now,
            headers=reply.headers,
            answer=body,
        )
        if decision.verdict is Verdict.OK and body is not None:
            return Answer(body, server_time(reply.headers))
        raise self._error(call, reply, decision, body, flaw)

    def failure(self, call: Call, failure: Exception, now: datetime) -> Unavailable:
        """The error for a request that httpx could not bring to an answer."""
        decision = decide(write=call.kind.is_write, outcome=failure, now=now)
        detail = self._clean(str(failure)) or type(failure).__name__
        if decision.sent:
            lost = f"the connection to {self._host} broke or timed out at {call} ({detail})"
            mend = _READ_BACK if call.kind.is_write else _LATER
        else:
            lost = f"cannot reach {self._host} for {call} ({detail})"
            mend = "check the host of the impact.com connection, DNS and the way out of the network"
        return Unavailable(f"{lost}; {mend}", _where(call), decision.verdict, sent=decision.sent)

    def malformed(self, call: Call, flaw: str, verdict: Verdict = Verdict.RETRY) -> MalformedAnswer:
        """The error for an answer that decodes but is not what was asked for."""
        return MalformedAnswer(
            f"impact.com's answer to {call} is not what it should be: {self._clean(flaw)}; check"
            " the host and API version of the connection, and try again",
            _where(call, status=200),
            verdict,
        )

    def _error(
        self,
        call: Call,
        reply: Reply,
        decision: Decision,
        body: Mapping[str, Any] | None,
        flaw: str,
    ) -> ImpactError:
        where = self._where(call, reply)
        words = self._clean(said(body, reply.content))
        quote = f" (impact.com said: {words})" if words else ""
        what = f"impact.com answered {reply.status} to {call}{quote}"
        match decision.verdict:
            case Verdict.WAIT:
                return _rate_limited(what, where, decision)
            case Verdict.STOP:
                return _stopped(what, where, self._host)
            case Verdict.REFUSE:
                return _refused(what, where, call, words)
            case _ if 200 <= reply.status < 300:  # noqa: PLR2004 - HTTP's own class
                return _unreadable(what, where, call, decision, flaw)
            case _:
                mend = _READ_BACK if call.kind.is_write else _LATER
                return Unavailable(
                    f"{what}; {mend}", where, decision.verdict, retry_at=decision.until
                )

    def _where(self, call: Call, reply: Reply) -> Where:
        lower = {name.lower(): value for name, value in reply.headers.items()}
        request_id = next((lower[name] for name in _REQUEST_IDS if name in lower), None)
        text = reply.content[:100_000].decode("utf-8", "replace")
        return _where(call, reply.status, self._clean(text), request_id)

    def _clean(self, text: str) -> str:
        return redact(text, self._secrets)


def server_time(headers: Mapping[str, str]) -> datetime | None:
    """The Date header as aware UTC; None if it is missing or no date."""
    text = next((value for name, value in headers.items() if name.lower() == "date"), None)
    try:
        moment = parsedate_to_datetime(text) if text else None
    except ValueError:
        return None
    if moment is None or moment.tzinfo is None:
        return moment and moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC)


def _where(
    call: Call, status: int | None = None, body: str = "", request_id: str | None = None
) -> Where:
    return Where(
        kind=call.kind,
        method=call.method,
        path=call.path,
        status=status,
        body=body,
        request_id=request_id,
    )


def _rate_limited(what: str, where: Where, decision: Decision) -> RateLimited:
    until = decision.until
    if until is None:
        raise AssertionError("a decision to wait names the time")
    return RateLimited(
        f"{what}: the request limit is spent; wait until {until:%Y-%m-%d %H:%M:%SZ}, and see who"
        " else uses this account's token",
        where,
        until,
    )


def _stopped(what: str, where: Where, host: str) -> ImpactError:
    if where.status == 401:  # noqa: PLR2004 - HTTP's own
        return AuthenticationError(
            f"{what}: it does not know this AccountSID and AuthToken; copy both again into login"
            " and password of the impact.com connection (Settings → Technical → API)",
            where,
        )
    if where.status == 403:  # noqa: PLR2004 - HTTP's own
        access = "write" if where.kind.is_write else "read"
        return PermissionDenied(
            f"{what}: the token is disabled, or its scopes do not let it {access} this; give it"
            " the scope at impact.com (Settings → Technical → API → access tokens)",
            where,
        )
    return MalformedAnswer(
        f"{what}, a redirect, which the API never sends; check the host {host} of the impact.com"
        " connection (https://api.impact.com)",
        where,
        Verdict.STOP,
    )


def _refused(what: str, where: Where, call: Call, words: str) -> Refused:
    if call.kind in _LISTINGS and asks_for_less(words):
        return TooManyPages(f"{what}; narrow the window or raise the page size", where)
    if call.kind.is_write:
        mend = "the action stays as it was; look at the code, the SKU and the locking date"
    elif where.status == 404:  # noqa: PLR2004 - HTTP's own
        mend = "there is no such thing in this account; check the id and the connection's account"
    else:
        mend = "check campaign_id and API version of the connection, and the dates asked for"
    return Refused(f"{what}; {mend}", where)


def _unreadable(
    what: str, where: Where, call: Call, decision: Decision, flaw: str
) -> MalformedAnswer:
    found = flaw or "a mapping without a status"
    if call.kind.is_write:
        mend = _READ_BACK
    else:
        mend = "check the host of the connection and what stands between, and try again"
    return MalformedAnswer(f"{what}, but with {found}; {mend}", where, decision.verdict)
