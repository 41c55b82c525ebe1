"""The clients against the sandbox: every switch of the wire, every fault, both kinds of client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from clawback.impact.account import Account
from clawback.impact.budget import RequestKind
from clawback.impact.check import UnknownCampaign, check_account
from clawback.impact.client import ImpactClient
from clawback.impact.errors import (
    AuthenticationError,
    ListingMoved,
    MalformedAnswer,
    PermissionDenied,
    RateLimited,
    Refused,
    Unavailable,
)
from clawback.impact.models import Action, ActionState, Submission
from clawback.impact.retry import NO_WAITS, RetryPolicy
from clawback.impact.windows import Window, WindowField, merge_windows
from clawback.sandbox import faults
from clawback.sandbox.profile import Profile
from clawback.sandbox.server import SandboxServer
from clawback.sandbox.settings import Settings

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SPAN = (NOW - timedelta(days=100), NOW + timedelta(hours=1))
LONG_AGO = Window(WindowField.EVENT, NOW - timedelta(days=900), NOW - timedelta(days=890))
LAST_WEEK = Window(WindowField.EVENT, NOW - timedelta(days=7), NOW)
PATIENT = RetryPolicy(first=timedelta(seconds=0.05), longest=timedelta(seconds=0.1), attempts=60)


def started(orders: int = 100, **settings: Any) -> SandboxServer:
    return SandboxServer(
        Settings(port=0, orders=orders, now=NOW, queue_latency=0.0, **settings)
    ).start()


def account_of(server: SandboxServer, **changes: Any) -> Account:
    account = Account(server.base_url, server.account_sid, server.auth_token, server.campaign_id)
    return replace(account, **changes)


@pytest.fixture(scope="module")
def big() -> Iterator[SandboxServer]:
    """A world of more than one page."""
    server = started(orders=9_000)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def plain() -> Iterator[SandboxServer]:
    """A small world with every switch at its default, for tests that change nothing in it."""
    server = started()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def scratch() -> Iterator[SandboxServer]:
    """A world for tests that write into it."""
    server = started(orders=300)
    yield server
    server.stop()


@pytest.fixture
def struck(plain: SandboxServer) -> Iterator[Callable[..., SandboxServer]]:
    """The small world under one fault."""

    def strike(fault: dict[str, Any]) -> SandboxServer:
        plain.sandbox.plan.replace(faults.parse([fault], "of the test"))
        return plain

    yield strike
    plain.sandbox.plan.replace(())


@pytest.fixture
def sandbox() -> Iterator[Callable[..., SandboxServer]]:
    """Starts sandboxes for one test."""
    running: list[SandboxServer] = []

    def start(**settings: Any) -> SandboxServer:
        running.append(started(**settings))
        return running[-1]

    yield start
    for server in running:
        server.stop()


def all_actions(client: Any, page_size: int = 20_000) -> list[Action]:
    return [
        row
        for window in merge_windows([SPAN])
        for page in client.list_actions(window, page_size=page_size)
        for row in page.rows
    ]


def settled(client: ImpactClient, batch_id: str | None) -> Submission:
    """The submission once it is complete; the sandbox needs a moment."""
    assert batch_id is not None
    for _ in range(1_000):
        submission = client.get_submission(batch_id)
        if submission.status.is_final:
            return submission
    raise AssertionError(f"{batch_id} was never completed")


class TestReading:
    """What both clients read of a whole world."""

    def test_every_action_is_listed_once(self, connect: Any, big: SandboxServer) -> None:
        """Windows and pages together give each action of the world that is reported, once."""
        found = all_actions(connect(account_of(big)), page_size=2_000)
        store = big.sandbox.world.store
        now = big.sandbox.now()
        reported = [row for row in range(len(store)) if big.sandbox.world.visible(row, now)]
        assert sorted(row.id for row in found) == sorted(
            store.own_value(row, "Id") for row in reported
        )
        assert len(found) > 2_900
        assert all(row.campaign_id == big.campaign_id for row in found)

    def test_pages_tell_their_place_and_the_servers_clock(
        self, connect: Any, big: SandboxServer
    ) -> None:
        """Page numbers, totals and the Date header come with the rows."""
        (window, *_) = [w for w in merge_windows([SPAN]) if w.end > NOW - timedelta(days=30)]
        pages = list(connect(account_of(big)).list_actions(window, page_size=2_000))
        assert [page.page for page in pages] == list(range(1, len(pages) + 1))
        assert len(pages) == pages[0].pages
        assert sum(len(page.rows) for page in pages) == pages[0].total
        assert pages[0].next_uri is not None
        assert pages[-1].next_uri is None
        assert abs(pages[0].date - NOW) < timedelta(minutes=5)

    def test_items_and_updates_add_up_to_the_actions(
        self, connect: Any, plain: SandboxServer
    ) -> None:
        """Items and the deltas of the updates each sum to an action's amount."""
        client = connect(account_of(plain))
        actions = {row.id: row for row in all_actions(client)}
        sums = dict.fromkeys(actions, 0)
        for window in merge_windows([SPAN]):
            for page in client.list_action_updates(window):
                for row in page.rows:
                    sums[row.action_id] += row.delta_amount
        assert sums == {id_: action.amount for id_, action in actions.items()}
        for action in list(actions.values())[:5]:
            assert client.get_action(action.id) == action
            items = client.list_items(action.id)
            assert sum(item.sale_amount for item in items) == action.amount

    @pytest.mark.parametrize(
        "switches",
        [
            {"scalars": "numbers"},
            {"envelope": "numbers"},
            {"absent": "null"},
            {"absent": "missing"},
            {"empty_list": "missing"},
            {"empty_list": "object"},
            {"single_row": "object"},
            {"zone": "Asia/Kolkata"},
            {
                "scalars": "numbers",
                "envelope": "numbers",
                "absent": "missing",
                "empty_list": "missing",
                "single_row": "object",
            },
        ],
        ids=str,
    )
    def test_every_form_of_the_wire_gives_the_same_data(
        self,
        sandbox: Callable[..., SandboxServer],
        plain: SandboxServer,
        switches: dict[str, Any],
    ) -> None:
        """Whatever the open questions of reference §9.1 turn out to be, the rows are the same."""
        found = []
        for server in (plain, sandbox(profile=Profile(**switches))):
            with ImpactClient(account_of(server), retry=NO_WAITS) as client:
                actions = all_actions(client)
                (nothing,) = client.list_actions(LONG_AGO)
                assert (nothing.rows, nothing.bad) == ([], [])
                items = [client.list_items(action.id) for action in actions[:8]]
                found.append((actions, items, client.campaigns()))
        assert found[0] == found[1]
        assert len(found[0][0]) > 8

    @pytest.mark.parametrize(
        "shape", ["generic", "errors_object", "title", "lower", "legacy", "empty"]
    )
    def test_every_error_body_is_told(
        self, sandbox: Callable[..., SandboxServer], shape: str
    ) -> None:
        """A refusal and a wrong token are told apart in each shape of reference §3.7."""
        account = account_of(sandbox(profile=Profile(error_body=shape)))
        wrong = replace(account, auth_token="wrong-token")
        with ImpactClient(account) as client, pytest.raises(Refused, match=r"404"):
            client.get_action("1.2.3")
        with ImpactClient(wrong) as client, pytest.raises(AuthenticationError, match=r"both again"):
            client.campaigns()

    def test_a_listing_that_is_too_long_asks_to_be_narrowed(
        self, connect: Any, sandbox: Callable[..., SandboxServer]
    ) -> None:
        """More than ten pages is an error that windows can mend; a long window is another."""
        server = sandbox(profile=Profile(window_days=10))
        client = connect(account_of(server))
        with pytest.raises(Refused):
            list(client.list_actions(Window(WindowField.UPDATED, SPAN[0], NOW)))

    @pytest.mark.parametrize(
        "fault",
        [
            {"fault": "server_error", "status": 500, "times": 2},
            {"fault": "server_error", "status": 502, "body": "html", "times": 1},
            {"fault": "server_error", "status": 504, "body": "empty", "times": 1},
            {"fault": "reset", "times": 2},
            {"fault": "html", "times": 1},
            {"fault": "truncated", "cut": "json", "times": 1},
            {"fault": "truncated", "cut": "wire", "times": 1},
            {"fault": "latency", "seconds": 0.05, "times": 1},
        ],
        ids=str,
    )
    def test_faults_that_pass_leave_no_trace(
        self, connect: Any, struck: Callable[..., SandboxServer], fault: dict[str, Any]
    ) -> None:
        """With a passing fault the listing is the one without it."""
        server = struck({**fault, "after": 10})
        client = connect(account_of(server))
        calm = all_actions(client)
        struck(fault)
        assert all_actions(client) == calm
        assert server.sandbox.plan.struck[0] >= 1

    def test_rows_that_slide_in_are_given_once(self, connect: Any, big: SandboxServer) -> None:
        """Pages that overlap because rows were added on top repeat nothing."""
        client = connect(account_of(big))
        calm = [row.id for row in all_actions(client, page_size=2_000)]
        rule = {"fault": "shifted_rows", "rows": 3, "min_page": 2}
        big.sandbox.plan.replace(faults.parse([rule], "of the test"))
        try:
            shifted = [row.id for row in all_actions(client, page_size=2_000)]
        finally:
            big.sandbox.plan.replace(())
        assert len(shifted) == len(set(shifted))
        assert set(shifted) <= set(calm)

    def test_rows_that_fall_out_while_paging_make_the_listing_incomplete(
        self, connect: Any, big: SandboxServer
    ) -> None:
        """A row that slips over the page border is noticed instead of missed."""
        rule = {"fault": "shifted_rows", "rows": -3, "min_page": 2}
        big.sandbox.plan.replace(faults.parse([rule], "of the test"))
        try:
            with pytest.raises(ListingMoved):
                all_actions(connect(account_of(big)), page_size=2_000)
        finally:
            big.sandbox.plan.replace(())

    def test_a_rate_limit_says_when_to_come_back(
        self, connect: Any, struck: Callable[..., SandboxServer]
    ) -> None:
        """A 429 is raised with the time that its headers name, on a later page as on the first."""
        server = struck({"fault": "rate_limited"})
        with pytest.raises(RateLimited) as caught:
            list(connect(account_of(server), now=lambda: NOW).list_actions(LAST_WEEK))
        assert NOW < caught.value.retry_at <= NOW + timedelta(hours=1)


class TestWriting:
    """What the sync client writes."""

    def pending(self, client: ImpactClient) -> Action:
        actions = all_actions(client)
        return next(
            a
            for a in actions
            if a.state is ActionState.PENDING
            and a.locking_date is not None
            and a.locking_date > NOW + timedelta(days=2)
            and len(client.list_items(a.id)) > 1
        )

    def test_a_reversal_takes_effect(self, scratch: SandboxServer) -> None:
        """DELETE with a form body is understood, queued and applied."""
        with ImpactClient(account_of(scratch), retry=NO_WAITS) as client:
            action = self.pending(client)
            receipt = client.reverse({"ActionId": action.id, "DispositionCode": "ITEM_RETURNED"})
            submission = settled(client, receipt.batch_id)
            assert (submission.type, submission.failed) == ("Reversal", False)
            assert client.get_action(action.id).state is ActionState.REVERSED

    def test_a_modification_takes_effect(self, scratch: SandboxServer) -> None:
        """PUT of a remaining quantity and amount is understood, queued and applied."""
        with ImpactClient(account_of(scratch), retry=NO_WAITS) as client:
            action = self.pending(client)
            item = client.list_items(action.id)[0]
            form = {"ActionId": action.id, "Reason": "ORDER_UPDATE", "Sku": item.sku}
            receipt = client.modify({**form, "Quantity": "0"})
            assert not settled(client, receipt.batch_id).failed
            left = client.get_action(action.id)
            assert left.amount == action.amount - item.sale_amount
            changed = next(i for i in client.list_items(action.id) if i.sku == item.sku)
            assert (changed.quantity, changed.sale_amount) == (0, 0)
            assert changed.adjustment_date is not None

    @pytest.mark.parametrize(
        ("fault", "error"),
        [
            ({"fault": "timeout_after", "seconds": 5}, Unavailable),
            ({"fault": "reset"}, Unavailable),
            ({"fault": "server_error", "status": 503}, Unavailable),
            ({"fault": "html"}, MalformedAnswer),
            ({"fault": "truncated"}, MalformedAnswer),
            ({"fault": "no_write_scope"}, PermissionDenied),
            ({"fault": "rate_limited"}, RateLimited),
        ],
        ids=str,
    )
    def test_a_write_that_meets_a_fault_is_sent_once(
        self,
        scratch: SandboxServer,
        fault: dict[str, Any],
        error: type[Exception],
    ) -> None:
        """Whatever comes back, one write leaves; what may have landed is said to be in doubt."""
        server = scratch
        account = account_of(server, read_timeout=timedelta(seconds=0.5))
        with ImpactClient(account) as client:
            action = self.pending(client)
            rule = {"kinds": ["reverse"], **fault}
            server.sandbox.plan.replace(faults.parse([rule], "of the test"))
            with pytest.raises(error) as caught:
                client.reverse({"ActionId": action.id, "DispositionCode": "REJECTED"})
            assert server.sandbox.plan.struck == [1]
            server.sandbox.plan.replace(())
        doubted = error in {Unavailable, MalformedAnswer}
        assert caught.value.in_doubt is doubted  # type: ignore[attr-defined]
        assert caught.value.kind is RequestKind.REVERSE  # type: ignore[attr-defined]

    def test_a_refused_write_is_refused_at_once_or_by_its_submission(
        self, scratch: SandboxServer, sandbox: Callable[..., SandboxServer]
    ) -> None:
        """Both answers to an unknown action (reference §9.2) end as a refusal."""
        form = {"ActionId": "1.2.3", "DispositionCode": "REJECTED"}
        with ImpactClient(account_of(scratch), retry=NO_WAITS) as client:
            assert settled(client, client.reverse(form).batch_id).failed
        profile = Profile(refused_write="at_once")
        strict = account_of(sandbox(profile=profile))
        with ImpactClient(strict) as client, pytest.raises(Refused):
            client.reverse(form)


def test_the_check_tells_good_from_wrong(plain: SandboxServer) -> None:
    """The test button finds a good account, a wrong token and an unknown campaign."""
    account = account_of(plain)
    with ImpactClient(account, retry=NO_WAITS) as client:
        assert account.campaign_id in check_account(client, NOW)
    stranger = replace(account, auth_token="wrong-token")
    with ImpactClient(stranger) as client, pytest.raises(AuthenticationError):
        check_account(client, NOW)
    lost = replace(account, campaign_id="31")
    with ImpactClient(lost) as client, pytest.raises(UnknownCampaign):
        check_account(client, NOW)


class OnlyXml(httpx.HTTPTransport):
    """A network on which the Accept header gets lost."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        del request.headers["Accept"]
        return super().handle_request(request)


def test_xml_gives_what_json_gives(plain: SandboxServer, scratch: SandboxServer) -> None:
    """Without JSON every read and write works just the same (reference §1.4)."""
    with ImpactClient(account_of(plain)) as client:
        expected = all_actions(client)
        items = [client.list_items(action.id) for action in expected[:5]]
    with ImpactClient(account_of(plain), transport=OnlyXml()) as client:
        assert all_actions(client) == expected
        assert [client.list_items(action.id) for action in expected[:5]] == items
        assert [client.get_action(action.id) for action in expected[:5]] == expected[:5]
        assert next(iter(client.list_actions(LONG_AGO))).rows == []
        assert client.campaigns()[0].id == plain.campaign_id
        assert client.company().currency == "USD"
    with ImpactClient(account_of(scratch), transport=OnlyXml()) as client:
        receipt = client.reverse({"ActionId": "1.2.3", "DispositionCode": "REJECTED"})
        assert settled(client, receipt.batch_id).failed
        with pytest.raises(Refused, match=r"not found"):
            client.get_action("1.2.3")


def test_an_agency_reads_its_brands_actions(plain: SandboxServer) -> None:
    """The pass-through prefix leads to the same rows, page after page (reference §1.1)."""
    agency = account_of(plain, agency_sid=plain.agency_sid)
    with ImpactClient(agency, retry=NO_WAITS) as client:
        through = all_actions(client)
    with ImpactClient(account_of(plain), retry=NO_WAITS) as client:
        assert through == all_actions(client)
