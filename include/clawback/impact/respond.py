"""What to do with an answer or a failure: one pure decision, and the error that tells it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from clawback.impact.budget import RequestKind, read_limits
from clawback.impact.errors import Verdict
from clawback.impact.wire import as_list

_NO_HEADERS: Mapping[str, str] = {}
_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_IMPOSSIBLE = (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL)
_TRANSIENT = frozenset((408, 425))
_LONGEST_SAID = 300


@dataclass(frozen=True, slots=True)
class Call:
    """One request to be: what for, where to, with what.

    `path` is below the base URL, or below the host if `at_root` (a page that an answer named).
    `query` is encoded already.
    """

    kind: RequestKind
    method: str
    path: str
    query: str = ""
    form: Mapping[str, str] | None = None
    at_root: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path} ({self.kind})"


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict; `until` is the earliest time of the next try, `sent` whether it may have left."""

    verdict: Verdict
    until: datetime | None = None
    sent: bool = True


def decide(
    *,
    write: bool,
    outcome: int | Exception,
    now: datetime,
    headers: Mapping[str, str] = _NO_HEADERS,
    answer: Mapping[str, Any] | None = None,
) -> Decision:
    """What to do after a request that ended in `outcome`: an HTTP status or httpx's exception.

    `answer` is the decoded body, None if it cannot be read. Statuses are those of reference §3.7.
    """
    if isinstance(outcome, Exception):
        return _after_failure(outcome, write=write)
    if 200 <= outcome < 300:  # noqa: PLR2004 - HTTP's own classes
        return _after_success(answer, write=write)
    if outcome in {401, 403} or 300 <= outcome < 400:  # noqa: PLR2004 - as above
        return Decision(Verdict.STOP)
    if outcome == 429:  # noqa: PLR2004 - as above
        return Decision(Verdict.WAIT, read_limits(headers, now).retry_at(now))
    if 400 <= outcome < 500 and outcome not in _TRANSIENT:  # noqa: PLR2004 - as above
        return Decision(Verdict.REFUSE)
    pause = read_limits(headers, now).retry_after
    return Decision(_doubtful(write=write), None if pause is None else now + pause)


def _doubtful(*, write: bool) -> Verdict:
    return Verdict.IN_DOUBT if write else Verdict.RETRY


def _after_failure(failure: Exception, *, write: bool) -> Decision:
    if isinstance(failure, _NEVER_LEFT):
        return Decision(Verdict.RETRY, sent=False)
    if isinstance(failure, _IMPOSSIBLE):
        return Decision(Verdict.STOP, sent=False)
    return Decision(_doubtful(write=write))


def _after_success(answer: Mapping[str, Any] | None, *, write: bool) -> Decision:
    if answer is None:
        return Decision(_doubtful(write=write))
    if status_word(answer) == "ERROR":
        return Decision(Verdict.REFUSE)
    if write and status_word(answer) not in {"OK", "QUEUED"}:
        return Decision(Verdict.IN_DOUBT)
    return Decision(Verdict.OK)


def status_word(answer: Mapping[str, Any]) -> str:
    """The `Status` of an answer in capitals; "" if it has none."""
    word = answer.get("Status")
    return word.strip().upper() if isinstance(word, str) else ""


def said(answer: Mapping[str, Any] | None, content: bytes) -> str:
    """What an error answer says, from any of the shapes of reference §3.7; "" if nothing.

    Not redacted yet.
    """
    if answer is None:
        plain = content[:_LONGEST_SAID].decode("utf-8", "replace").strip()
        return "" if plain.startswith("<") else plain
    lower = {name.lower(): value for name, value in answer.items()}
    head = next((t for name in _HEADLINES if (t := _scalar(lower.get(name)))), "")
    parts = [head, *_details(lower.get("errors")), *_details(lower.get("error"))]
    return "; ".join(dict.fromkeys(part for part in parts if part))[:_LONGEST_SAID]


_HEADLINES = ("message", "title", "error", "errormessage", "errorcode", "detail")


def _scalar(value: Any) -> str:
    return str(value).strip() if isinstance(value, (str, int)) else ""


def _details(errors: Any) -> Iterator[str]:
    """The lines of an `Errors` list, or of the object that XML makes of a single one."""
    if isinstance(errors, dict) and isinstance(errors.get("Error"), (dict, list)):
        errors = errors["Error"]
    for entry in as_list(errors):
        if isinstance(entry, dict):
            lower = {name.lower(): _scalar(value) for name, value in entry.items()}
            yield ": ".join(t for t in (lower.get("field"), lower.get("message")) if t)
        else:
            yield _scalar(entry)


_ASKS_FOR_LESS = re.compile(
    r"(narrow|small|short|reduc|less).{0,40}(range|window|dates?|period)"
    r"|(larg|great|bigger|increas|rais).{0,40}page.?size"
    r"|too many (pages|results|records|rows)"
    r"|(more than|exceed\w*|over).{0,20}(10|ten) (pages|times)",
    re.IGNORECASE,
)


def asks_for_less(words: str) -> bool:
    """Whether a refusal asks for a narrower range or larger pages (reference §2.3.7, §9.4)."""
    return _ASKS_FOR_LESS.search(words) is not None
