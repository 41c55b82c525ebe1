"""What can go wrong with impact.com, each as a sentence that says where and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from clawback.errors import ClawbackError
from clawback.impact.budget import RequestKind


class Verdict(StrEnum):
    """What to do after a request."""

    OK = "ok"
    RETRY = "retry"
    """Nothing was changed; the same request may be sent again."""
    WAIT = "wait"
    """The limit is spent; nothing was changed; send again after `until`."""
    REFUSE = "refuse"
    """impact.com will not do it; sending it again helps nothing."""
    STOP = "stop"
    """No request of this account can succeed until a person mends the set-up."""
    IN_DOUBT = "in_doubt"
    """A write that may have taken effect; read back before anything is sent again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """The request that failed and what came back; `body` is redacted, ≤2,000 characters."""

    kind: RequestKind = RequestKind.OTHER
    method: str = ""
    path: str = ""
    status: int | None = None
    body: str = ""
    request_id: str | None = None


class ImpactError(ClawbackError):
    """Base of all. `verdict` says what to do; `in_doubt` that a write may have taken effect."""

    verdict: Verdict = Verdict.STOP

    def __init__(self, message: str, where: Where, verdict: Verdict | None = None) -> None:
        super().__init__(message)
        self.where = where
        self.verdict = verdict or type(self).verdict

    @property
    def status(self) -> int | None:
        """The HTTP status; None if no answer came."""
        return self.where.status

    @property
    def kind(self) -> RequestKind:
        return self.where.kind

    @property
    def method(self) -> str:
        return self.where.method

    @property
    def path(self) -> str:
        return self.where.path

    @property
    def body(self) -> str:
        """The answer's body, redacted and cut."""
        return self.where.body

    @property
    def request_id(self) -> str | None:
        return self.where.request_id

    @property
    def in_doubt(self) -> bool:
        return self.verdict is Verdict.IN_DOUBT

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), str(self), dict(self.__dict__))


def _rebuild(kind: type[ImpactError], message: str, state: dict[str, Any]) -> ImpactError:
    """An error as it was before it was pickled."""
    error = kind.__new__(kind, message)
    error.__dict__.update(state)
    return error


class AuthenticationError(ImpactError):
    """401: AccountSID and AuthToken do not belong together (reference §1.2)."""


class PermissionDenied(ImpactError):  # noqa: N818 - says what happened
    """403: the token is disabled or its scopes leave this out (reference §1.2)."""


class RateLimited(ImpactError):  # noqa: N818 - says what happened
    """429: nothing may be sent before `retry_at` (aware UTC; reference §6)."""

    verdict = Verdict.WAIT

    def __init__(self, message: str, where: Where, retry_at: datetime) -> None:
        super().__init__(message, where)
        self.retry_at = retry_at


class Refused(ImpactError):  # noqa: N818 - says what happened
    """400, 402, 404, 405, 409, 422 and the like: this request will not be done."""

    verdict = Verdict.REFUSE


class TooManyPages(Refused):
    """The listing is longer than ten pages: narrow the window or raise the page size (§2.3)."""


class Unavailable(ImpactError):  # noqa: N818 - says what happened
    """5xx, a connection that failed, or a time-out.

    `sent` is False only if it is certain that the request never left. `retry_at` is when
    impact.com asked to come back (aware UTC), None if it did not say.
    """

    verdict = Verdict.RETRY

    def __init__(
        self,
        message: str,
        where: Where,
        verdict: Verdict | None = None,
        *,
        sent: bool = True,
        retry_at: datetime | None = None,
    ) -> None:
        super().__init__(message, where, verdict)
        self.sent = sent
        self.retry_at = retry_at


class ListingMoved(Unavailable):
    """Rows left the listing while it was paged, so one may have been missed; list it again."""


class MalformedAnswer(ImpactError):  # noqa: N818 - says what happened
    """HTML, a truncated body, no mapping, or a page that is none."""

    verdict = Verdict.RETRY
