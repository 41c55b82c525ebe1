"""Makes the helpers importable, and gives ledgers on each database."""

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from ledgers import Ledgers

from workers import Workers


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with Workers() as started:
        yield started


@pytest.fixture
def ledgers(
    request: pytest.FixtureRequest, database: str, database_of: Any, tmp_path: Path
) -> Iterator[Ledgers]:
    if database == "sqlite":
        yield Ledgers(tmp_path, request.getfixturevalue("upgraded_sqlite"))
        return
    copy = partial(database_of, request.getfixturevalue("postgres_uri"))
    made = Ledgers(tmp_path, request.getfixturevalue("upgraded_postgres"), copy)
    with made.stack:
        yield made
