"""Errors say what, where and what to do, and never a secret."""

from __future__ import annotations

import pickle
from base64 import b64encode
from datetime import UTC, datetime
from urllib.parse import quote

import httpx
import pytest

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
)
from clawback.impact.judge import Judge, Reply, server_time
from clawback.impact.redact import LONGEST, redact, secrets_of
from clawback.impact.respond import Call

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TOKEN = "s3cret/Token+of=the~account"
ACCOUNT = Account("https://api.impact.com", "IRexample", TOKEN, "1000")
READ = Call(RequestKind.LIST_ACTIONS, "GET", "/Advertisers/IRexample/Actions")
WRITE = Call(RequestKind.MODIFY, "PUT", "/Advertisers/IRexample/Actions", form={"ActionId": "1"})


def judged(call: Call, status: int, body: bytes = b"", **headers: str) -> ImpactError:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    with pytest.raises(ImpactError) as caught:
        Judge(ACCOUNT).answer(call, Reply(status, names, body), NOW)
    return caught.value


@pytest.mark.parametrize(
    ("call", "status", "body", "kind", "mend"),
    [
        (READ, 401, b"", AuthenticationError, "login and password of the impact.com connection"),
        (READ, 403, b"", PermissionDenied, "do not let it read this"),
        (WRITE, 403, b"", PermissionDenied, "do not let it write this"),
        (READ, 429, b"", RateLimited, "wait until 2026-11-23 12:01:00Z"),
        (READ, 400, b'{"Message":"narrow the date range"}', TooManyPages, "narrow the window"),
        (WRITE, 400, b'{"Message":"narrow the date range"}', Refused, "stays as it was"),
        (READ, 404, b"", Refused, "no such thing"),
        (READ, 422, b"", Refused, "campaign_id"),
        (WRITE, 503, b"", Unavailable, "read the action back before sending it again"),
        (READ, 503, b"", Unavailable, "run the task again later"),
        (READ, 200, b"<html>", MalformedAnswer, "with an HTML page"),
        (WRITE, 200, b"<html>", MalformedAnswer, "read the action back"),
        (WRITE, 200, b"{}", MalformedAnswer, "a mapping without a status"),
        (READ, 301, b"", MalformedAnswer, "check the host api.impact.com"),
    ],
)
def test_each_error_is_a_sentence_with_its_mend(
    call: Call, status: int, body: bytes, kind: type[ImpactError], mend: str
) -> None:
    """The class tells the case, the text what happened, where, and what to do."""
    error = judged(call, status, body)
    assert type(error) is kind
    assert mend in str(error)
    assert f"impact.com answered {status} to {call.method} /Advertisers/IRexample/Actions" in str(
        error
    )
    assert (error.status, error.kind, error.method, error.path) == (
        status,
        call.kind,
        call.method,
        call.path,
    )


def test_a_write_that_may_have_landed_is_in_doubt() -> None:
    """5xx and unreadable answers leave a write in doubt; a refusal or a 429 does not."""
    assert judged(WRITE, 500).in_doubt
    assert judged(WRITE, 200, b'{"Status":"QUE').in_doubt
    assert not judged(WRITE, 400).in_doubt
    assert not judged(WRITE, 429).in_doubt
    assert not judged(READ, 500).in_doubt
    broken = Judge(ACCOUNT).failure(WRITE, httpx.ReadTimeout("slow"), NOW)
    refused = Judge(ACCOUNT).failure(WRITE, httpx.ConnectError("refused"), NOW)
    assert (broken.sent, broken.in_doubt) == (True, True)
    assert (refused.sent, refused.in_doubt) == (False, False)
    assert "cannot reach api.impact.com" in str(refused)


def test_errors_survive_pickling() -> None:
    """An error that crosses a process keeps its class, text and figures."""
    for error in (
        judged(READ, 429, Retry_After="9"),
        judged(WRITE, 503, b"x", Retry_After="9", X_Request_Id="r-1"),
        judged(READ, 400),
    ):
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
        assert type(copy) is type(error)
        assert (str(copy), copy.__dict__) == (str(error), error.__dict__)
    assert judged(READ, 429, Retry_After="9").verdict is Verdict.WAIT


@pytest.mark.parametrize(
    "leak",
    [
        TOKEN,
        quote(TOKEN, safe=""),
        b64encode(f"IRexample:{TOKEN}".encode()).decode(),
        "Basic dXNlcjpwYXNzd29yZA==",
    ],
)
def test_no_secret_comes_out_of_an_answer(leak: str) -> None:
    """A service that echoes the credentials does not bring them into an error."""
    filler = "x" * (LONGEST - 14)
    for body in (f'{{"Message":"got {leak}"}}', f"{filler}{leak}", f"<html>{leak}"):
        error = judged(READ, 400, body.encode(), X_Request_Id="r-1")
        shown = f"{error!s}{error!r}{error.body}{error.where}"
        assert leak not in shown
        assert leak.removeprefix("Basic ")[:12] not in shown
        assert len(error.body) <= LONGEST
    assert TOKEN not in repr(ACCOUNT)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"CustomerId":"c-1","Oid":"7"}', '{"CustomerId":"[cut]","Oid":"7"}'),
        ('{"CustomerCity": "Rome \\"x\\"", "IpAddress":"1.2.3.4"}', '"[cut]"'),
        ("<CustomerId>c-1</CustomerId><Oid>7</Oid>", "<CustomerId>[cut]</CustomerId><Oid>7</Oid>"),
        ("ActionId=1&CustomerId=c-1&Amount=2", "ActionId=1&CustomerId=[cut]&Amount=2"),
        ("write to jane.doe@example.com", "write to [cut]"),
        ("jane%40example.com", "[cut]"),
        ('{"CustomerId":"cut off c-1', '{"CustomerId":"[cut]"'),
    ],
)
def test_customer_fields_of_bodies_are_cut(text: str, shown: str) -> None:
    """In JSON, XML and forms alike; order numbers and amounts stay for the diagnosis."""
    found = redact(text, secrets_of(ACCOUNT))
    assert shown in found
    for private in ("c-1", "Rome", "1.2.3.4", "jane"):
        assert private not in found


def test_the_servers_clock_is_read_if_it_is_one() -> None:
    """The Date header gives the skew; anything else gives None."""
    assert server_time({"date": "Mon, 23 Nov 2026 12:00:00 GMT"}) == NOW
    assert server_time({"Date": "Mon, 23 Nov 2026 12:00:00 -0000"}) == NOW
    assert server_time({"Date": "noon"}) is None
    assert server_time({}) is None


@pytest.mark.parametrize(
    ("field", "value", "mend"),
    [
        ("base_url", "api.impact.com", "https://api.impact.com"),
        ("base_url", "ftp://api.impact.com", "https://api.impact.com"),
        ("base_url", "https://user:pw-1@api.impact.com", "connection's login"),
        ("base_url", "user:pw-1@api.impact.com", "https://api.impact.com"),
        ("account_sid", "", "AccountSID"),
        ("auth_token", "pw-1\n", "AuthToken"),
        ("auth_token", "pw-1é", "AuthToken"),
        ("campaign_id", " ", "campaign_id"),
    ],
)
def test_an_account_that_cannot_work_is_refused(field: str, value: str, mend: str) -> None:
    """A wrong setting is named with its mend before any request, and without the secret."""
    settings = {
        "base_url": "https://api.impact.com",
        "account_sid": "IRexample",
        "auth_token": "t",
        "campaign_id": "1",
    }
    with pytest.raises(ValueError, match=r".+") as caught:
        Account(**{**settings, field: value})  # type: ignore[arg-type]
    assert mend in str(caught.value)
    assert "pw-1" not in str(caught.value)


def test_the_prefix_serves_brands_and_their_agencies() -> None:
    """A brand asks below its own SID, an agency below its own and the brand's (reference §1.1)."""
    agency = Account("https://x", "IRag", "t", "1", agency_sid="IRag", advertiser_id="77")
    assert ACCOUNT.prefix == "/Advertisers/IRexample"
    assert agency.prefix == "/Agencies/IRag/Advertisers/77"
    assert Account("https://x:1/base/", "I", "t", "1").origin == "https://x:1"
