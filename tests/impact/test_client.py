"""Both clients over a real socket: requests as documented, answers judged, reads tried again."""

from __future__ import annotations

import logging
import socket
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from clawback.impact.account import Account
from clawback.impact.budget import BudgetSpent, RequestKind
from clawback.impact.client import ImpactClient
from clawback.impact.errors import (
    AuthenticationError,
    MalformedAnswer,
    PermissionDenied,
    RateLimited,
    Refused,
    TooManyPages,
    Unavailable,
)
from clawback.impact.models import Receipt, ReceiptStatus, SubmissionStatus
from clawback.impact.retry import RetryPolicy
from clawback.impact.windows import Window, WindowField

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
WINDOW = Window(WindowField.UPDATED, NOW - timedelta(days=3), NOW)
SID = "IRexampleAccountSid000000000000001"
TOKEN = "s3cret/Token+of=the~account"
ROOT = f"/Advertisers/{SID}"
FORM = {"ActionId": "1000.1.1", "Reason": "ORDER_UPDATE", "Amount": "5.00"}
QUEUED = {"Status": "QUEUED", "QueuedUri": f"{ROOT}/APISubmissions/A-1f"}


def action(number: int) -> dict[str, Any]:
    return {
        "Id": f"1000.1.{number}",
        "CampaignId": "1000",
        "State": "PENDING",
        "Amount": "20.00",
        "Payout": "2.00",
        "Currency": "USD",
        "EventDate": "2026-11-01T10:00:00-07:00",
        "CreationDate": "2026-11-01T10:05:00-07:00",
        "Oid": f"O-{number}",
    }


def page(*numbers: int, at: int = 1, of: int = 1, total: int | None = None) -> dict[str, Any]:
    uri = f"{ROOT}/Actions?CampaignId=1000&Page={at + 1}" if at < of else ""
    return {
        "@page": str(at),
        "@numpages": str(of),
        "@total": str(len(numbers) if total is None else total),
        "@nextpageuri": uri,
        "Actions": [action(number) for number in numbers],
    }


class Ledger:
    """A gate that writes down what passes."""

    def __init__(self, allowed: int = 99) -> None:
        self.asked: list[RequestKind] = []
        self.learned: list[tuple[RequestKind, int, str | None]] = []
        self.allowed = allowed

    def acquire(self, kind: RequestKind) -> None:
        if len(self.asked) >= self.allowed:
            raise BudgetSpent(NOW)
        self.asked.append(kind)

    def learn(
        self, kind: RequestKind, status: int, headers: Mapping[str, str], now: datetime
    ) -> None:
        assert now.tzinfo is not None
        self.learned.append((kind, status, headers.get("x-ratelimit-remaining")))


class TestReads:
    """The promises both clients keep."""

    def test_a_listing_asks_as_documented(
        self, connect: Any, script: Any, account: Account
    ) -> None:
        """Credentials, version, campaign, window and page size go out as reference §1, §2 say."""
        script.then(page(1), headers={"Date": "Mon, 23 Nov 2026 12:00:05 GMT"})
        found = list(connect(account).list_actions(WINDOW, page_size=2_000))
        seen = script.seen[0]
        assert (seen.method, seen.path) == ("GET", f"{ROOT}/Actions")
        assert seen.query == {
            "CampaignId": "1000",
            "PageSize": "2000",
            "StartDate": "2026-11-20T12:00:00Z",
            "EndDate": "2026-11-23T12:00:00Z",
        }
        assert b64decode(seen.headers["authorization"].split()[1]) == f"{SID}:{TOKEN}".encode()
        assert (seen.headers["accept"], seen.headers["ir-version"]) == ("application/json", "14")
        assert [row.oid for row in found[0].rows] == ["O-1"]
        assert found[0].date == datetime(2026, 11, 23, 12, 0, 5, tzinfo=UTC)

    def test_pages_are_followed_and_given_one_by_one(
        self, connect: Any, script: Any, account: Account
    ) -> None:
        """A page is given while one more, and no more than that, is fetched; each Id once."""
        script.then(page(1, 2, of=2, total=3)).then(page(2, 3, at=2, of=2, total=3))
        pages = iter(connect(account).list_actions(WINDOW))
        assert [row.oid for row in next(pages).rows] == ["O-1", "O-2"]
        assert len(script.seen) in {1, 2}
        assert [[row.oid for row in p.rows] for p in pages] == [["O-3"]]
        assert len(script.seen) == 2
        assert script.seen[1].query["Page"] == "2"

    def test_xml_answers_are_read_as_well(
        self, connect: Any, script: Any, account: Account
    ) -> None:
        """A service that ignores the Accept header is still understood (reference §1.4)."""
        fields = "".join(f"<{name}>{value}</{name}>" for name, value in action(1).items())
        attributes = 'page="1" numpages="1" total="1" nextpageuri=""'
        inner = f"<Actions {attributes}><Action>{fields}</Action></Actions>"
        script.then(f"<ImpactRadiusResponse>{inner}</ImpactRadiusResponse>")
        script.then(f"<ImpactRadiusResponse><Action>{fields}</Action></ImpactRadiusResponse>")
        client = connect(account)
        (only,) = client.list_actions(WINDOW)
        assert only.rows == [client.get_action("1000.1.1")]

    def test_single_resources_are_read(self, connect: Any, script: Any, account: Account) -> None:
        """Action, items, submission, campaigns and company come from their documented paths."""
        item = {"Sku": "a b", "Quantity": "2", "SaleAmount": "9.50", "Payout": ""}
        script.then(action(7)).then({"@page": "1", "ActionItems": [item, item]})
        script.then({"BatchId": "A-1", "Status": "Complete", "ErrorType": "Validation"})
        script.then({"@page": "1", "Campaigns": {"Id": 1000, "Name": "Acme"}})
        script.then({"CompanyName": "Acme", "Currency": "USD"})
        client = connect(account)
        assert client.get_action("1000.1.7").amount == Decimal("20.00")
        assert [i.sale_amount for i in client.list_items("1000.1.7")] == [Decimal("9.50")] * 2
        submission = client.get_submission("A-1")
        assert (submission.status, submission.failed) == (SubmissionStatus.COMPLETE, True)
        assert [c.name for c in client.campaigns()] == ["Acme"]
        assert client.company().currency == "USD"
        assert [seen.path.removeprefix(ROOT) for seen in script.seen] == [
            "/Actions/1000.1.7",
            "/Actions/1000.1.7/Items",
            "/APISubmissions/A-1",
            "/Campaigns",
            "/CompanyInformation",
        ]

    def test_an_id_cannot_reach_another_resource(
        self, connect: Any, script: Any, account: Account
    ) -> None:
        """An id from elsewhere is quoted, and one that names nothing is refused."""
        script.then(action(1), status=404)
        client = connect(account)
        with pytest.raises(Refused):
            client.get_action("../Campaigns?x=1#")
        assert script.seen[0].target == f"{ROOT}/Actions/..%2FCampaigns%3Fx%3D1%23"
        for empty in ("", "..", "."):
            with pytest.raises(ValueError, match="no id"):
                client.get_action(empty)
        assert len(script.seen) == 1

    def test_another_action_than_asked_for_is_no_answer(
        self, connect: Any, script: Any, account: Account
    ) -> None:
        """An answer about something else is never taken for this one."""
        script.then(action(8))
        with pytest.raises(MalformedAnswer, match="another action"):
            connect(account).get_action("1000.1.7")

    @pytest.mark.parametrize(
        "fault",
        [
            {"status": 500},
            {"status": 502, "body": "<html>bad gateway</html>"},
            {"status": 503, "headers": {"Retry-After": "0"}},
            {"status": 504},
            {"status": 520},
            {"status": 429, "headers": {"Retry-After": "0"}},
            {"drop": True},
            {"body": '{"@page": "1", "Act', "cut": True},
            {"body": '{"@page": "1", "Act'},
            {"body": "<html>maintenance</html>"},
            {"body": ""},
        ],
        ids=str,
    )
    def test_a_passing_fault_is_tried_again(
        self, connect: Any, script: Any, account: Account, fault: dict[str, Any]
    ) -> None:
        """Outages, broken connections, truncated and foreign bodies cost a read another try."""
        script.then(**fault).then(page(1))
        (only,) = connect(account).list_actions(WINDOW)
        assert len(only.rows) == 1
        assert len(script.seen) == 2

    @pytest.mark.parametrize(
        ("fault", "outcome"),
        [
            ({"status": 500}, (Unavailable, 4)),
            ({"drop": True}, (Unavailable, 4)),
            ({"body": "<html>maintenance</html>"}, (MalformedAnswer, 4)),
            ({"status": 401}, (AuthenticationError, 1)),
            ({"status": 403}, (PermissionDenied, 1)),
            ({"status": 400}, (Refused, 1)),
            ({"status": 400, "body": {"Message": "narrow your date range"}}, (TooManyPages, 1)),
            ({"body": {"Status": "ERROR", "Message": "no"}}, (Refused, 1)),
            ({"status": 429, "headers": {"Retry-After": "900"}}, (RateLimited, 1)),
            ({"status": 429}, (RateLimited, 1)),
            ({"status": 503, "headers": {"Retry-After": "900"}}, (Unavailable, 1)),
            ({"body": {"@page": "1", "Actions": "x"}}, (MalformedAnswer, 1)),
            (
                {"status": 302, "headers": {"Location": "https://x/"}},
                (MalformedAnswer, 1),
            ),
        ],
        ids=str,
    )
    def test_a_lasting_fault_is_raised_after_a_bounded_number_of_tries(
        self,
        connect: Any,
        script: Any,
        account: Account,
        fault: dict[str, Any],
        outcome: tuple[type[Exception], int],
    ) -> None:
        """What trying again cannot mend is raised at once, the rest after four tries."""
        script.then(**fault)
        error, tries = outcome
        with pytest.raises(error):
            list(connect(account).list_actions(WINDOW))
        assert len(script.seen) == tries

    def test_a_rate_limit_names_the_time_instead_of_sleeping(
        self, connect: Any, script: Any, account: Account
    ) -> None:
        """A wait beyond the policy's patience is left to the caller, with its end."""
        script.then(status=429, headers={"X-RateLimit-Reset": "1200"})
        client = connect(account, retry=RetryPolicy(), now=lambda: NOW)
        with pytest.raises(RateLimited) as caught:
            client.get_action("1000.1.1")
        assert caught.value.retry_at == NOW + timedelta(seconds=1200)
        assert len(script.seen) == 1

    def test_a_listing_that_breaks_off_raises(
        self, connect: Any, script: Any, account: Account
    ) -> None:
        """A fault on a later page is never the end of the list."""
        script.then(page(1, of=2, total=2)).then(status=500)
        pages = connect(account).list_actions(WINDOW)
        assert len(next(pages).rows) == 1
        with pytest.raises(Unavailable):
            next(pages)

    def test_items_that_cannot_be_read_are_not_left_out(
        self, connect: Any, script: Any, account: Account
    ) -> None:
        """An action's items are whole or an error, for desired state is computed from them."""
        script.then({"@page": "1", "ActionItems": [{"Sku": "a", "Quantity": "x"}]})
        with pytest.raises(MalformedAnswer, match="Quantity"):
            connect(account).list_items("1000.1.7")

    def test_every_request_passes_the_gate(
        self, connect: Any, script: Any, account: Account
    ) -> None:
        """Retries and pages are counted too, each answer is learned from, a spent budget stops."""
        gate = Ledger(allowed=3)
        script.then(status=500).then(
            page(1, of=3, total=3), headers={"X-RateLimit-Remaining": "41"}
        )
        script.then(page(2, at=2, of=3, total=3))
        with pytest.raises(BudgetSpent):
            list(connect(account, gate=gate).list_actions(WINDOW))
        kind = RequestKind.LIST_ACTIONS
        assert gate.asked == [kind] * 3
        assert gate.learned == [(kind, 500, None), (kind, 200, "41"), (kind, 200, None)]
        assert len(script.seen) == 3

    def test_an_unreachable_host_is_said_plainly(self, connect: Any, account: Account) -> None:
        """Nothing listens there: the error says so, and that nothing was sent."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(Unavailable, match=r"cannot reach 127\.0\.0\.1") as caught:
            connect(replace(account, base_url=url)).campaigns()
        assert not caught.value.sent

    def test_nothing_secret_is_logged(
        self, connect: Any, script: Any, account: Account, caplog: pytest.LogCaptureFixture
    ) -> None:
        """With every logger wide open, neither the token nor its encoded form comes out."""
        script.then(page(1))
        with caplog.at_level(logging.DEBUG):
            list(connect(account).list_actions(WINDOW))
        encoded = script.seen[0].headers["authorization"].split()[1]
        assert TOKEN not in caplog.text
        assert encoded not in caplog.text
        assert [r for r in caplog.records if r.name == "httpx"] == []


def modify(client: ImpactClient) -> Receipt:
    return client.modify(FORM)


def reverse(client: ImpactClient) -> Receipt:
    return client.reverse({"ActionId": "1000.1.1", "DispositionCode": "REJECTED"})


WRITE_FAULTS = [
    ({"status": 500}, Unavailable, True),
    ({"status": 503, "headers": {"Retry-After": "0"}}, Unavailable, True),
    ({"status": 504}, Unavailable, True),
    ({"drop": True}, Unavailable, True),
    ({"body": QUEUED, "cut": True}, Unavailable, True),
    ({"hang": 2.0, "body": QUEUED}, Unavailable, True),
    ({"body": "<html>sign in</html>"}, MalformedAnswer, True),
    ({"body": '{"Status":"QUE'}, MalformedAnswer, True),
    ({"body": {}}, MalformedAnswer, True),
    ({"status": 429, "headers": {"Retry-After": "900"}}, RateLimited, False),
    ({"status": 400, "body": {"Message": "locked"}}, Refused, False),
    ({"status": 404}, Refused, False),
    ({"status": 409}, Refused, False),
    ({"body": {"Status": "ERROR", "Message": "locked"}}, Refused, False),
    ({"status": 401}, AuthenticationError, False),
    ({"status": 403}, PermissionDenied, False),
]


class TestWrites:
    """The promises of modify and reverse."""

    def test_a_modification_is_a_form_on_put(self, client: ImpactClient, script: Any) -> None:
        """PUT Actions with percent-encoded UTF-8 and no id in the path (reference §3.1)."""
        script.then(QUEUED)
        form = {**FORM, "Sku": "é+/ &=", "Sku2": "b"}
        receipt = client.modify(form)
        seen = script.seen[0]
        assert (seen.method, seen.target) == ("PUT", f"{ROOT}/Actions")
        assert seen.headers["content-type"] == "application/x-www-form-urlencoded"
        assert seen.form == form
        assert b"%C3%A9%2B%2F%20%26%3D" in seen.body
        assert (receipt.status, receipt.batch_id) == (ReceiptStatus.QUEUED, "A-1f")

    def test_a_reversal_is_a_form_on_delete(self, client: ImpactClient, script: Any) -> None:
        """DELETE Actions carries its fields in the body (reference §3.2)."""
        script.then(QUEUED)
        form = {"ActionTrackerId": "2240", "OrderId": "O-1", "DispositionCode": "REJECTED"}
        client.reverse(form)
        assert (script.seen[0].method, script.seen[0].form) == ("DELETE", form)

    @pytest.mark.parametrize(
        ("body", "status", "batch"),
        [
            (QUEUED, "QUEUED", "A-1f"),
            ({"Status": "Queued", "QueuedUri": "/QueuedStatus/B%2D2.json?x=1"}, "QUEUED", "B-2"),
            ({"Status": "OK", "Uri": f"{ROOT}/Actions/1"}, "OK", None),
            ({"Status": "QUEUED"}, "QUEUED", None),
            ({"Status": "QUEUED", "QueuedUri": "http://["}, "QUEUED", None),
            (
                (
                    "<ImpactRadiusResponse><Status>QUEUED</Status>"
                    "<QueuedUri>/BatchSummaries/A-3/</QueuedUri></ImpactRadiusResponse>"
                ),
                "QUEUED",
                "A-3",
            ),
        ],
    )
    def test_each_form_of_receipt_is_read(
        self, client: ImpactClient, script: Any, body: Any, status: str, batch: str | None
    ) -> None:
        """The batch is the last segment of the URI, whatever stands before it (reference §3.5)."""
        script.then(body)
        receipt = client.modify(FORM)
        assert (receipt.status, receipt.batch_id) == (status, batch)

    @pytest.mark.parametrize("write", [modify, reverse])
    def test_a_write_that_was_put_off_is_sent_again(
        self, client: ImpactClient, script: Any, write: Callable[[ImpactClient], Receipt]
    ) -> None:
        """A 429 that asks for a short wait has changed nothing; the write follows after it."""
        script.then(status=429, headers={"Retry-After": "0"})
        script.then(QUEUED)
        assert write(client).batch_id
        assert len(script.seen) == 2

    @pytest.mark.parametrize("write", [modify, reverse])
    @pytest.mark.parametrize("case", WRITE_FAULTS, ids=str)
    def test_a_write_is_sent_once_whatever_happens(
        self,
        account: Account,
        script: Any,
        write: Callable[[ImpactClient], Receipt],
        case: tuple[dict[str, Any], type[Exception], bool],
    ) -> None:
        """No fault makes the client repeat a write; the error says whether it may have landed."""
        fault, error, in_doubt = case
        script.then(**fault)
        impatient = replace(account, read_timeout=timedelta(seconds=0.3))
        with ImpactClient(impatient) as client, pytest.raises(error) as caught:
            write(client)
        assert len(script.seen) == 1
        assert caught.value.in_doubt is in_doubt  # type: ignore[attr-defined]
        if isinstance(caught.value, Unavailable):
            assert caught.value.sent

    def test_a_write_that_never_left_says_so(self, account: Account) -> None:
        """A refused connection leaves no doubt: nothing was sent."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with ImpactClient(replace(account, base_url=url)) as client:
            with pytest.raises(Unavailable) as caught:
                client.reverse({"ActionId": "1", "DispositionCode": "REJECTED"})
            assert (caught.value.sent, caught.value.in_doubt) == (False, False)

    def test_a_form_that_names_no_action_never_leaves(
        self, client: ImpactClient, script: Any
    ) -> None:
        """Without a target or a reason there is no request."""
        for form in (
            {},
            {"OrderId": "O-1", "Reason": "OTHER"},
            {"ActionId": "", "Reason": "OTHER"},
        ):
            with pytest.raises(ValueError, match="which action"):
                client.modify(form)
        with pytest.raises(ValueError, match="Reason"):
            client.modify({"ActionId": "1"})
        with pytest.raises(ValueError, match="DispositionCode"):
            client.reverse({"ActionId": "1", "Reason": "OTHER"})
        assert script.seen == []

    def test_the_gate_knows_writes_by_their_kind(self, account: Account, script: Any) -> None:
        """Modifications and reversals are counted under their own names."""
        script.then(QUEUED)
        gate = Ledger()
        with ImpactClient(account, gate=gate) as client:
            client.modify(FORM)
            client.reverse({"ActionId": "1", "DispositionCode": "REJECTED"})
        assert gate.asked == [RequestKind.MODIFY, RequestKind.REVERSE]
        assert all(kind.is_write for kind in gate.asked)


def test_agencies_ask_below_their_own_prefix(account: Account, script: Any) -> None:
    """The pass-through prefix reaches the brand's resources (reference §1.1)."""
    script.then({"@page": "1", "Campaigns": []})
    agency = replace(account, agency_sid=SID, advertiser_id="77")
    with ImpactClient(agency) as client:
        assert client.campaigns() == []
    assert script.seen[0].path == f"/Agencies/{SID}/Advertisers/77/Campaigns"


def test_waits_are_bounded_and_random(account: Account, script: Any) -> None:
    """A policy's waits stay within its bounds, and a short wait that was asked for is kept."""
    script.then(status=503, headers={"Retry-After": "1"}).then({"@page": "1", "Campaigns": []})
    policy = RetryPolicy(first=timedelta(), longest=timedelta(), patience=timedelta(seconds=2))
    begun = datetime.now(UTC)
    with ImpactClient(account, retry=policy) as client:
        client.campaigns()
    assert timedelta(seconds=0.9) < datetime.now(UTC) - begun < timedelta(seconds=10)
