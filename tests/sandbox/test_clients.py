"""Clients as others write them read everything, page by page, every row exactly once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urljoin
from xml.etree import ElementTree as ET

import httpx
import pytest

from clawback.sandbox.limits import RateLimit
from clawback.sandbox.server import SandboxServer
from clawback.sandbox.settings import Settings

ACTIONS = 50_000
START = datetime(2026, 8, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 20, tzinfo=UTC)
Windows = list[tuple[str, str]]


@pytest.fixture(name="server", scope="module")
def _server(tmp_path_factory: Any, make_action: Any, make_item: Any) -> Iterator[SandboxServer]:
    """50,000 actions over 110 days, each a few minutes after the one before."""
    path = tmp_path_factory.mktemp("world") / "w.jsonl"
    step = (NOW - START) / ACTIONS
    template = json.dumps(
        make_action(0, [make_item("A", 2, "40.00", "4.00")], Id="@ID", EventDate="@AT", Oid="@ID")
        | {"CreationDate": "@AT", "ReferringDate": "@AT"}
    )
    with path.open("w") as file:
        for number in range(ACTIONS):
            at = (START + step * number).isoformat(timespec="seconds")
            line = template.replace("@ID", f"1000.4636.{number}").replace("@AT", at)
            file.write(line + "\n")
    settings = Settings(
        world=path, port=0, now=NOW, speed=0, queue_latency=0, rate_limit=RateLimit(10**6)
    )
    with SandboxServer(settings) as server:
        with httpx.Client(auth=(server.account_sid, server.auth_token)) as http:
            for number in range(0, ACTIONS, 500):
                form = {"ActionId": f"1000.4636.{number}", "DispositionCode": "REJECTED"}
                url = f"{server.base_url}/Advertisers/{server.account_sid}/Actions"
                http.request("DELETE", url, data=form).raise_for_status()
        yield server


def windows(days: int) -> Windows:
    """Side by side, so that none counts a second twice."""
    found, at = [], START
    while at < NOW + timedelta(days=1):
        end = at + timedelta(days=days) - timedelta(seconds=1)
        found.append((f"{at:%Y-%m-%dT%H:%M:%SZ}", f"{end:%Y-%m-%dT%H:%M:%SZ}"))
        at += timedelta(days=days)
    return found


def json_pages(server: SandboxServer, path: str, key: str, **params: Any) -> Iterator[Any]:
    """The manner of a Singer tap: `.json`, @nextpageuri behind the host, until there is none."""
    url: str | None = f"{server.base_url}/Advertisers/{server.account_sid}/{path}.json"
    auth = (server.account_sid, server.auth_token)
    with httpx.Client(auth=auth, headers={"Accept": "application/json"}, timeout=60) as http:
        while url:
            data = http.get(url, params=params or None).raise_for_status().json()
            if int(data.get("@total", "0")) == 0 or key not in data:
                return
            yield from data[key]
            params = {}
            following = data.get("@nextpageuri")
            url = f"{server.base_url}{following}" if following else None


def counted_pages(server: SandboxServer, path: str, key: str, **params: Any) -> Iterator[Any]:
    """The manner of an ETL script: Page=1, 2, ... until @page is @numpages."""
    url = f"{server.base_url}/Advertisers/{server.account_sid}/{path}"
    auth = (server.account_sid, server.auth_token)
    page = 1
    with httpx.Client(auth=auth, headers={"Accept": "application/json"}, timeout=60) as http:
        while True:
            data = http.get(url, params={**params, "Page": page}).raise_for_status().json()
            yield from data.get(key) or []
            if int(data["@page"]) >= int(data["@numpages"]):
                return
            page += 1


def xml_pages(server: SandboxServer, path: str, _key: str, **params: Any) -> Iterator[Any]:
    """The manner of the old Ruby and PHP clients: XML and its nextpageuri attribute."""
    url = f"{server.base_url}/Advertisers/{server.account_sid}/{path}"
    auth = (server.account_sid, server.auth_token)
    with httpx.Client(auth=auth, timeout=60) as http:
        while True:
            content = http.get(url, params=params or None).raise_for_status().content
            rows = ET.fromstring(content)[0]  # noqa: S314  # our own server's answer
            for row in rows:
                yield {field.tag: field.text or "" for field in row}
            if not rows.attrib["nextpageuri"]:
                return
            url, params = urljoin(server.base_url, rows.attrib["nextpageuri"]), {}


@pytest.mark.parametrize("pages", [json_pages, counted_pages, xml_pages])
def test_all_actions_once(server: SandboxServer, pages: Any) -> None:
    """Every action is read exactly once, by each manner of paging."""
    seen: Counter[str] = Counter()
    for start, end in windows(45):
        asked = {"CampaignId": 1000, "ActionDateStart": start, "ActionDateEnd": end}
        seen.update(r["Id"] for r in pages(server, "Actions", "Actions", PageSize=7000, **asked))
    assert len(seen) == ACTIONS
    assert set(seen.values()) == {1}


def test_all_updates_once(server: SandboxServer) -> None:
    """Every update is read exactly once: a creation for each action, and the hundred changes."""
    seen: Counter[str] = Counter()
    dispositions: Counter[str] = Counter()
    for start, end in windows(45):
        asked = {"CampaignId": 1000, "StartDate": start, "EndDate": end}
        for row in json_pages(server, "ActionUpdates", "ActionUpdates", **asked):
            seen[row["Id"]] += 1
            dispositions[row["Disposition"]] += 1
    assert set(seen.values()) == {1}
    assert dispositions == {"IR_BLANK": ACTIONS, "REJECTED": ACTIONS // 500}


@pytest.mark.parametrize(("pages", "key"), [(json_pages, "APISubmission"), (xml_pages, "")])
def test_all_submissions_once(server: SandboxServer, pages: Any, key: str) -> None:
    """Every submission is read exactly once, in pages of any size."""
    rows = list(pages(server, "APISubmissions", key, PageSize=30))
    assert len(rows) == len({row["BatchId"] for row in rows}) == ACTIONS // 500
    assert {row["Status"] for row in rows} == {"Complete"}
