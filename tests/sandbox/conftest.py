"""Fixtures of the sandbox's tests: real servers on free ports with small worlds of their own."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from clawback.sandbox import faults as fault_rules
from clawback.sandbox.profile import Profile
from clawback.sandbox.server import SandboxServer
from clawback.sandbox.settings import Settings

# Plain HTTP needs no certificates, and loading them takes longer than most tests here.
PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def item(sku: str, quantity: int, amount: str, payout: str, **more: str) -> dict[str, str]:
    plain = {"Sku": sku, "Quantity": str(quantity), "SaleAmount": amount, "Payout": payout}
    return {"ItemName": f"Item {sku}", "Category": "Sports", "Rebate": "0.00", **plain, **more}


def action(number: int, items: list[dict[str, str]] | None = None, **more: Any) -> dict[str, Any]:
    """Action 1000.4636.<number>: two items, 100.00 at 10 % and 5 %, made five days ago."""
    items = items or [item("A", 2, "40.00", "4.00"), item("B", 1, "60.00", "3.00")]
    return {
        "Id": f"1000.4636.{number}",
        "CampaignId": "1000",
        "CampaignName": "Acme",
        "ActionTrackerId": "2240",
        "ActionTrackerName": "Sale",
        "MediaPartnerId": "10000",
        "MediaPartnerName": "Partner",
        "State": "PENDING",
        "AdId": "506720",
        "Currency": "USD",
        "ReferringDate": "2026-11-15T09:00:00Z",
        "EventDate": "2026-11-15T10:00:00Z",
        "CreationDate": "2026-11-15T10:05:00Z",
        "LockingDate": "2026-12-15T08:00:00Z",
        "ReferringType": "CLICK_COOKIE",
        "Oid": f"ORDER-{number}",
        "CustomerStatus": "NEW",
        "Items": items,
        **more,
    }


class Desk:
    """A client at one sandbox whose clock stands still until a test moves it."""

    def __init__(self, server: SandboxServer) -> None:
        self.server = server
        self.root = f"/Advertisers/{server.account_sid}"
        self.auth = (server.account_sid, server.auth_token)
        self.http = httpx.Client(base_url=server.base_url, auth=self.auth, timeout=30, verify=PLAIN)
        self.json_headers = {"Accept": "application/json"}

    def get(self, path: str, **params: Any) -> httpx.Response:
        return self.http.get(f"{self.root}/{path}", params=params, headers=self.json_headers)

    def json(self, path: str, **params: Any) -> Any:
        response = self.get(path, **params)
        assert response.status_code == 200, response.text
        return response.json()

    def listed(self, path: str, **params: Any) -> list[dict[str, Any]]:
        """All rows of Actions or ActionUpdates that were made in the last month."""
        window = {
            "ActionDateStart": "2026-10-20T00:00:00Z",
            "ActionDateEnd": "2026-11-30T00:00:00Z",
        }
        asked = {"CampaignId": "1000", **(params or window)}
        rows: list[dict[str, Any]] = self.json(path, **asked)[path]
        return rows

    def put(self, number: int | None = 1, **fields: str) -> httpx.Response:
        return self.send("PUT", {**self._target(number), "Reason": "ORDER_UPDATE", **fields})

    def delete(self, number: int | None = 1, **fields: str) -> httpx.Response:
        code = {"DispositionCode": "ITEM_RETURNED"}
        return self.send("DELETE", {**self._target(number), **code, **fields})

    def send(self, method: str, form: dict[str, str]) -> httpx.Response:
        url = f"{self.root}/Actions"
        return self.http.request(method, url, data=form, headers=self.json_headers)

    def _target(self, number: int | None) -> dict[str, str]:
        return {} if number is None else {"ActionId": f"1000.4636.{number}"}

    def settled(self, response: httpx.Response) -> dict[str, str]:
        """The submission of a queued write, after its latency."""
        assert response.status_code == 200, response.text
        assert response.json()["Status"] == "QUEUED"
        self.pass_time(10)
        batch_id = response.json()["QueuedUri"].rsplit("/", 1)[-1]
        submission: dict[str, str] = self.json(f"APISubmissions/{batch_id}")
        return submission

    def done(self, response: httpx.Response) -> None:
        """The write was carried out without an error."""
        submission = self.settled(response)
        assert (submission["Status"], submission["ErrorType"]) == ("Complete", ""), submission

    def refused(self, response: httpx.Response) -> str:
        """The write was accepted and came to nothing; gives its ErrorReason."""
        submission = self.settled(response)
        assert (submission["Status"], submission["ErrorType"]) == ("Complete", "Validation")
        return submission["ErrorReason"]

    def action(self, number: int = 1) -> dict[str, str]:
        shown: dict[str, str] = self.json(f"Actions/1000.4636.{number}")
        return shown

    def items(self, number: int = 1) -> dict[str, dict[str, str]]:
        rows = self.json(f"Actions/1000.4636.{number}/Items")["ActionItems"]
        return {row["Sku"]: row for row in rows}

    def updates(self, number: int = 1) -> list[dict[str, str]]:
        """What happened to an action after its creation, oldest first."""
        rows = self.listed("ActionUpdates")
        own = [row for row in rows if row["ActionId"] == f"1000.4636.{number}"]
        return [row for row in reversed(own) if row["Disposition"] != "IR_BLANK"]

    def control(self, method: str, path: str, body: Any = None) -> Any:
        response = self.http.request(method, f"/_sandbox/{path}", json=body)
        assert response.is_success, response.text
        return response.json() if response.content else None

    def pass_time(self, seconds: float) -> None:
        self.control("POST", "clock", {"advance": seconds})

    def act(self, act: str, number: int | None = 1, **more: Any) -> Any:
        target = {} if number is None else {"action_id": f"1000.4636.{number}"}
        return self.control("POST", "act", {"act": act, **target, **more})

    def strike(self, *rules: dict[str, Any]) -> None:
        self.control("POST", "faults", list(rules))


Starter = Callable[..., Desk]


def write_world(path: Path, actions: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in actions), "utf-8")
    return path


@pytest.fixture(name="make_action", scope="session")
def _make_action() -> Callable[..., dict[str, Any]]:
    return action


@pytest.fixture(name="make_item", scope="session")
def _make_item() -> Callable[..., dict[str, str]]:
    return item


@pytest.fixture(name="world_at", scope="session")
def _world_at() -> Callable[[Path, list[dict[str, Any]]], Path]:
    return write_world


@pytest.fixture(name="desk_of")
def _desk_of(tmp_path: Path) -> Iterator[Starter]:
    """Starts sandboxes: `desk_of([action(1)], profile={...}, faults=[...], rate_limit=...)`."""
    with ExitStack() as stack:
        yield lambda *a, **k: _start(stack, tmp_path, *a, **k)


def _start(
    stack: ExitStack,
    folder: Path,
    actions: list[dict[str, Any]] | None = None,
    profile: dict[str, Any] | None = None,
    faults: list[dict[str, Any]] | None = None,
    **more: Any,
) -> Desk:
    lines = actions if actions is not None else [action(1), action(2)]
    world = more.pop("world", None) or write_world(folder / "world.jsonl", lines)
    plain: dict[str, Any] = {"now": NOW, "speed": 0.0, "queue_latency": 5.0, "port": 0}
    settings = Settings(
        world=world,
        profile=Profile.model_validate(profile or {}),
        faults=fault_rules.parse(faults or [], "of the test"),
        **{**plain, **more},
    )
    desk = Desk(stack.enter_context(SandboxServer(settings)))
    stack.callback(desk.http.close)
    return desk


@pytest.fixture(name="switched")
def _switched(request: pytest.FixtureRequest, desk_of: Starter) -> Starter:
    """Starts sandboxes with the switch that the test is named after: `switched(value)`.

    After the value may come actions, and other switches by their names.
    """
    switch = request.function.__name__.removeprefix("test_")

    def start(value: Any, actions: list[dict[str, Any]] | None = None, **more: Any) -> Desk:
        return desk_of(actions, profile={switch: value, **more})

    return start


@pytest.fixture(name="desk")
def _desk(desk_of: Starter) -> Desk:
    """A sandbox with two actions alike and the default profile."""
    return desk_of()
