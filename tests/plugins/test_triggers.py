"""ConfirmTrigger: waits lightly, counts what it asks, and always ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from airflow.sdk.module_loading import import_string

from clawback.sandbox.server import SandboxServer
from clawback.sandbox.settings import Settings
from impact_provider.triggers import STATUSES, ConfirmTrigger, News

Connect = Callable[..., str]
JSON = (str, int, float)
PATIENCE = 240
"""Seconds after which a wait has surely gone wrong, also on a busy machine."""


def iso(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def trigger(conn_id: str, **changes: Any) -> ConfirmTrigger:
    given: dict[str, Any] = {
        "impact_conn_id": conn_id,
        "campaign_id": "",
        "since": iso(-1),
        "expected": 1,
        "interval": 0.1,
        "longest": 0.4,
        "deadline": iso(PATIENCE),
    }
    return ConfirmTrigger(**given | changes)


async def event_of(one: ConfirmTrigger) -> dict[str, Any]:
    events = [event.payload async for event in one.run()]
    assert len(events) == 1
    payload: dict[str, Any] = events[0]
    assert payload["status"] in STATUSES
    return payload


def pending(sandbox: SandboxServer) -> list[str]:
    """ActionIds that can still be changed."""
    state = httpx.get(f"{sandbox.base_url}/_sandbox/state").json()
    return [
        action["Id"]
        for action in state["actions"]
        if action["State"] == "PENDING" and not action["_locked"] and action["_visible"]
    ]


def reverse(sandbox: SandboxServer, action_id: str) -> None:
    answer = httpx.request(
        "DELETE",
        f"{sandbox.base_url}/Advertisers/{sandbox.account_sid}/Actions",
        data={"ActionId": action_id, "DispositionCode": "ITEM_RETURNED"},
        auth=(sandbox.account_sid, sandbox.auth_token),
    )
    assert answer.status_code == 200, answer.text


def asked(sandbox: SandboxServer) -> int:
    log = httpx.get(f"{sandbox.base_url}/_sandbox/requests").json()
    return int(log["by_kind"].get("list_action_updates", 0))


@pytest.fixture
def frozen() -> Iterator[SandboxServer]:
    """A sandbox whose clock stands still: what is queued takes effect when a test lets it."""
    with SandboxServer(Settings(port=0, orders=60, queue_latency=5, speed=0.0)) as server:
        yield server


async def take_effect(sandbox: SandboxServer, polls: int) -> None:
    """Let everything that is queued take effect once the sandbox has been asked so often."""
    while await asyncio.to_thread(asked, sandbox) < polls:  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0.05)
    await asyncio.to_thread(advance, sandbox)


def advance(sandbox: SandboxServer) -> None:
    answer = httpx.post(f"{sandbox.base_url}/_sandbox/clock", json={"advance": 10})
    assert answer.status_code == 200, answer.text


async def all_of(
    sandbox: SandboxServer, polls: int, triggers: list[ConfirmTrigger]
) -> list[dict[str, Any]]:
    """The events of some triggers that run at once, while the queue moves after so many polls."""
    events = [event_of(one) for one in triggers]
    *told, _ = await asyncio.gather(*events, take_effect(sandbox, polls))
    return told


def here(sandbox: SandboxServer) -> dict[str, Any]:
    """The fields of a connection to this sandbox."""
    return {
        "host": sandbox.base_url,
        "login": sandbox.account_sid,
        "password": sandbox.auth_token,
        "extra": {"campaign_id": sandbox.campaign_id},
    }


def test_it_fires_when_the_expected_actions_have_moved(
    connect: Connect, frozen: SandboxServer
) -> None:
    """Two queued reversals that take effect resume the task, with every request counted."""
    for action_id in pending(frozen)[:2]:
        reverse(frozen, action_id)
    one = trigger(connect(**here(frozen)), expected=2, since=iso(-PATIENCE))
    [event] = asyncio.run(all_of(frozen, 2, [one]))
    assert event["status"] == "moved"
    assert event["kind"] == "list_action_updates"
    assert event["requests"] == asked(frozen) > 2


def test_it_goes_quiet_when_no_more_actions_move(connect: Connect, sandbox: SandboxServer) -> None:
    """If some have moved and the rest does not, the task is resumed long before the deadline."""
    reverse(sandbox, pending(sandbox)[0])
    event = asyncio.run(event_of(trigger(connect(), expected=5, longest=0.2)))
    assert event["status"] == "quiet"


def test_it_ends_at_the_deadline(connect: Connect) -> None:
    """Nothing moves: the deadline resumes the task, not before, and polls have grown rare."""
    deadline = iso(1.5)
    event = asyncio.run(event_of(trigger(connect(), deadline=deadline)))
    assert event["status"] == "deadline"
    assert datetime.now(UTC) >= datetime.fromisoformat(deadline)
    assert event["requests"] <= 5


def test_started_again_it_waits_no_longer(connect: Connect) -> None:
    """A triggerer that takes over builds it from its arguments; the deadline stays the same."""
    path, arguments = trigger(connect(), deadline=iso(-0.1)).serialize()
    event = asyncio.run(event_of(import_string(path)(**arguments)))
    assert event == {"status": "deadline", "kind": "list_action_updates", "requests": 0}


def test_its_arguments_are_scalars_without_a_secret(
    connect: Connect, sandbox: SandboxServer
) -> None:
    """What Airflow stores are ids, numbers and absolute times; never the token."""
    path, arguments = trigger(connect()).serialize()
    assert path == "impact_provider.triggers.ConfirmTrigger"
    assert all(type(value) in JSON for value in arguments.values())
    assert sandbox.auth_token not in str(arguments)
    assert sandbox.auth_token not in repr(trigger(connect()))


def test_a_refused_token_resumes_the_task(connect: Connect) -> None:
    """The trigger does not poll on with a token that is refused: the task finds out why."""
    event = asyncio.run(event_of(trigger(connect(password="wrong"))))
    assert event["status"] == "quiet"
    assert event["requests"] == 1


def test_a_missing_connection_resumes_the_task() -> None:
    """A connection that was deleted meanwhile is the task's to complain about."""
    event = asyncio.run(event_of(trigger("nowhere_at_all")))
    assert event == {"status": "quiet", "kind": "list_action_updates", "requests": 0}


def test_an_outage_is_waited_out(connect: Connect, sandbox: SandboxServer) -> None:
    """Server errors do not end the wait; when impact.com answers again, the move is seen."""
    reverse(sandbox, pending(sandbox)[0])
    faults = f"{sandbox.base_url}/_sandbox/faults"
    rule = [{"fault": "server_error", "kinds": ["list_action_updates"], "times": 5}]
    answer = httpx.post(faults, json=rule)
    assert answer.status_code == 200, answer.text
    event = asyncio.run(event_of(trigger(connect(), deadline=iso(PATIENCE))))
    assert event["status"] == "moved"
    assert event["requests"] > 5


def test_many_waits_share_one_thread(connect: Connect, frozen: SandboxServer) -> None:
    """Twenty triggers go on side by side in one event loop: none keeps the others from asking."""
    reverse(frozen, pending(frozen)[0])
    conn_id = connect(**here(frozen))
    many = [trigger(conn_id, since=iso(-PATIENCE), longest=PATIENCE / 30) for _ in range(20)]
    events = asyncio.run(all_of(frozen, 20, many))
    assert {event["status"] for event in events} == {"moved"}
    assert min(event["requests"] for event in events) > 0


@pytest.mark.parametrize(
    ("seen", "status"),
    [
        ([3], "moved"),
        ([0, 0, 0, 0, 0, 0], ""),
        ([1, 2, 3], "moved"),
        ([0, 1], ""),
        ([1, 1], "quiet"),
        ([1, 2], ""),
        ([0, 1, 2, 2], "quiet"),
    ],
)
def test_news(seen: list[int], status: str) -> None:
    """All seen is moved; a poll without news after some is quiet; before any, it waits."""
    news = News(3)
    assert [news.take(count) for count in seen][-1] == status
