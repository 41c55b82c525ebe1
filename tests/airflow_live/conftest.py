"""One Airflow for all of these tests, in which all stories go on at the same time."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

import stories
from live import PATIENCE, Live, airflow, webhook
from stores import settle
from street import Street


@dataclass
class Town:
    """The running Airflow, what has come of each story, and what the webhook was sent."""

    live: Live
    futures: dict[str, Future[dict[str, Any]]]
    posted: list[dict[str, Any]]

    def story(self, name: str) -> dict[str, Any]:
        """What a story told; its failure is the test's."""
        return self.futures[name].result(timeout=3 * PATIENCE)


@pytest.fixture(scope="session")
def metadata(postgres_uri: str) -> Iterator[str]:
    """The URL of a new database for Airflow."""
    name = f"airflow_{os.getpid()}"
    with psycopg.connect(postgres_uri, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    head, _, tail = postgres_uri.partition("?")
    yield f"{head.rpartition('/')[0]}/{name}?{tail}".replace("://", "+psycopg2://", 1)
    with psycopg.connect(postgres_uri, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def town(metadata: str) -> Iterator[Town]:
    home = Path(tempfile.mkdtemp(prefix="clawback-live-"))
    street = Street(home)
    threads = len(stories.STORIES) + 1
    try:
        with webhook() as (hook, posted):
            stores = settle(street, hook)
            # Airflow stops first: a story that still waits for it then ends by itself.
            with ThreadPoolExecutor(threads) as pool, airflow(home, street, metadata) as live:
                told = {
                    n: pool.submit(play, live, stores[n]) for n, play in stories.STORIES.items()
                }
                told["examined"] = pool.submit(stories.examined, live, stores["approved"])
                yield Town(live, told, posted)
    finally:
        street.close()
        shutil.rmtree(home, ignore_errors=True)
