"""The decision table: what to do after a request."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from clawback.impact.errors import Verdict
from clawback.impact.respond import Decision, asks_for_less, decide, said
from clawback.impact.wire import decode

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
OK, RETRY, WAIT = Verdict.OK, Verdict.RETRY, Verdict.WAIT
REFUSE, STOP, DOUBT = Verdict.REFUSE, Verdict.STOP, Verdict.IN_DOUBT

QUEUED = {"Status": "QUEUED", "QueuedUri": "/A/B"}
ERROR = {"Status": "ERROR", "Message": "no"}
PAGE: dict[str, Any] = {"@page": "1", "Actions": []}


@pytest.mark.parametrize(
    ("outcome", "answer", "read", "write"),
    [
        (200, PAGE, OK, DOUBT),
        (200, QUEUED, OK, OK),
        (201, {"Status": "ok", "Uri": "/A"}, OK, OK),
        (200, ERROR, REFUSE, REFUSE),
        (200, None, RETRY, DOUBT),
        (204, None, RETRY, DOUBT),
        (301, None, STOP, STOP),
        (302, ERROR, STOP, STOP),
        (400, ERROR, REFUSE, REFUSE),
        (401, None, STOP, STOP),
        (402, ERROR, REFUSE, REFUSE),
        (403, {"status": 403, "title": "Access Denied"}, STOP, STOP),
        (404, None, REFUSE, REFUSE),
        (405, None, REFUSE, REFUSE),
        (408, None, RETRY, DOUBT),
        (409, ERROR, REFUSE, REFUSE),
        (422, ERROR, REFUSE, REFUSE),
        (425, None, RETRY, DOUBT),
        (429, None, WAIT, WAIT),
        (500, ERROR, RETRY, DOUBT),
        (502, None, RETRY, DOUBT),
        (503, None, RETRY, DOUBT),
        (504, None, RETRY, DOUBT),
        (520, None, RETRY, DOUBT),
        (httpx.ConnectError("refused"), None, RETRY, RETRY),
        (httpx.ConnectTimeout("slow"), None, RETRY, RETRY),
        (httpx.PoolTimeout("busy"), None, RETRY, RETRY),
        (httpx.ReadTimeout("slow"), None, RETRY, DOUBT),
        (httpx.ReadError("reset"), None, RETRY, DOUBT),
        (httpx.WriteError("reset"), None, RETRY, DOUBT),
        (httpx.WriteTimeout("slow"), None, RETRY, DOUBT),
        (httpx.RemoteProtocolError("cut"), None, RETRY, DOUBT),
        (httpx.DecodingError("gzip"), None, RETRY, DOUBT),
        (httpx.ProxyError("tunnel"), None, RETRY, DOUBT),
        (httpx.LocalProtocolError("header"), None, STOP, STOP),
        (httpx.UnsupportedProtocol("ftp"), None, STOP, STOP),
    ],
    ids=lambda value: value if isinstance(value, str) else repr(value)[:30],
)
def test_the_decision_table(
    outcome: int | Exception, answer: dict[str, Any] | None, read: Verdict, write: Verdict
) -> None:
    """Each outcome has one verdict for a read and one for a write; a doubtful write is no retry."""
    assert decide(write=False, outcome=outcome, now=NOW, answer=answer).verdict is read
    assert decide(write=True, outcome=outcome, now=NOW, answer=answer).verdict is write


@pytest.mark.parametrize(
    ("failure", "sent"),
    [
        (httpx.ConnectError("x"), False),
        (httpx.ConnectTimeout("x"), False),
        (httpx.PoolTimeout("x"), False),
        (httpx.UnsupportedProtocol("x"), False),
        (httpx.ReadTimeout("x"), True),
        (httpx.WriteError("x"), True),
        (httpx.ProxyError("x"), True),
    ],
)
def test_a_request_counts_as_sent_unless_it_certainly_was_not(
    failure: Exception, sent: bool
) -> None:
    """Only a connection that never stood proves that nothing left."""
    assert decide(write=True, outcome=failure, now=NOW).sent is sent


@pytest.mark.parametrize(
    ("status", "headers", "until"),
    [
        (429, {"Retry-After": "30"}, 30),
        (429, {"X-RateLimit-Reset": "1200"}, 1200),
        (429, {}, 60),
        (503, {"Retry-After": "30"}, 30),
        (503, {}, None),
    ],
)
def test_the_time_of_the_next_try_comes_from_the_answer(
    status: int, headers: dict[str, str], until: int | None
) -> None:
    """A 429 always names a time; an outage only if impact.com does."""
    decision = decide(write=False, outcome=status, now=NOW, headers=headers)
    assert decision.until == (None if until is None else NOW + timedelta(seconds=until))
    assert isinstance(decision, Decision)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            (
                b'{"Status":"ERROR","Message":"Validation Failed","Errors":'
                b'[{"Field":"AccountId","Message":"Not a numeric value"}]}'
            ),
            "Validation Failed; AccountId: Not a numeric value",
        ),
        (
            (
                b'{"Status":"ERROR","Message":"Validation Errors","Errors":'
                b'{"Error":{"Field":"Amount","Message":"too long"}}}'
            ),
            "Validation Errors; Amount: too long",
        ),
        (b'{"Status":"ERROR","Message":"x","Errors":[]}', "x"),
        (b'{"Status":"ERROR","Message":"Action not found"}', "Action not found"),
        (b'{"status":401,"title":"Unauthorized"}', "Unauthorized"),
        (
            b'{"Status":"ERROR","errors":[{"field":"a","level":"ERROR","message":"b"}]}',
            "a: b",
        ),
        (b'{"error":"Bad","errorCode":"E1","message":"Wrong","status":400}', "Wrong; Bad"),
        (b'{"errors":"plain"}', "plain"),
        (b"", ""),
        (b"upstream timed out", "upstream timed out"),
        (b"<html>nothing for people</html>", ""),
        (
            (
                b"<ImpactRadiusResponse><Status>ERROR</Status><Message>M</Message><Errors><Error>"
                b"<Field>F</Field><Message>G</Message></Error><Error><Field>H</Field>"
                b"<Message>I</Message></Error></Errors></ImpactRadiusResponse>"
            ),
            "M; F: G; H: I",
        ),
    ],
)
def test_an_error_speaks_from_each_of_its_shapes(body: bytes, expected: str) -> None:
    """The message is found in every body shape of reference §3.7, an empty one included."""
    try:
        answer = decode(body)
    except ValueError:
        answer = None
    assert said(answer, body) == expected


@pytest.mark.parametrize(
    ("words", "less"),
    [
        ("Too many results. Narrow your date range or use a larger PageSize", True),
        ("The number of records exceeds 10 times the page size", True),
        ("Result has more than 10 pages", True),
        ("Please increase the page size", True),
        ("Please use a smaller window", True),
        ("PageSize must be at least 2000", False),
        ("CampaignId is required", False),
        ("StartDate requires EndDate", False),
        ("", False),
    ],
)
def test_a_plea_for_less_is_told_from_other_refusals(words: str, less: bool) -> None:
    """Only a listing that is too long is worth halving (reference §2.3.7)."""
    assert asks_for_less(words) is less
