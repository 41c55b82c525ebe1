"""The ledger of the page: read only, and one sentence where there is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from clawback.ledger.store import Ledger, LedgerError
from clawback.monitor.opening import open_to_read

both = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)


@both
def test_the_page_cannot_write(ledger_url: str) -> None:
    """Whatever a page would do by mistake, the database refuses to write."""
    with open_to_read(ledger_url) as ledger:
        with ledger.read() as conn:
            assert conn.scalar(text("SELECT count(*) FROM runs")) == 0
        with pytest.raises(DBAPIError), ledger.begin() as conn:
            conn.execute(text("DELETE FROM runs"))


def test_a_missing_file_is_not_made(tmp_path: Path) -> None:
    """Looking at a ledger that is not there leaves none behind."""
    path = tmp_path / "none" / "ledger.db"
    with pytest.raises(LedgerError, match=r"there is no ledger at .*; the first run makes it"):
        open_to_read(f"sqlite:///{path}")
    assert not path.parent.exists()


@both
def test_an_empty_ledger_is_not_upgraded(new_url: Callable[[], str]) -> None:
    """The page never migrates; it says what does."""
    url = new_url()
    if url.startswith("sqlite"):
        Path(url.removeprefix("sqlite:///")).touch()
    with pytest.raises(LedgerError, match="clawback ledger upgrade"):
        open_to_read(url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://lea:s3cret@127.0.0.1:1/books",
        "postgresql://127.0.0.1:1/books?user=lea&password=s3cret",
        "postgresql+psycopg2://lea:s3cret@127.0.0.1:1/books",
    ],
)
def test_a_ledger_out_of_reach_is_told_without_its_password(url: str) -> None:
    """The sentence names the place and never the secret."""
    with pytest.raises(LedgerError, match="cannot be opened") as told:
        open_to_read(url)
    assert "s3cret" not in str(told.value)
    assert "127.0.0.1" in str(told.value)


def test_no_ledger_named_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """An api-server without the variable says which it is."""
    monkeypatch.delenv("CLAWBACK_LEDGER_URL", raising=False)
    with pytest.raises(LedgerError, match="set CLAWBACK_LEDGER_URL"):
        open_to_read()


def test_the_variable_names_the_ledger(
    ledger: Ledger, ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The api-server finds the ledger as the tasks do."""
    monkeypatch.setenv("CLAWBACK_LEDGER_URL", ledger_url)
    with open_to_read() as found:
        assert found.engine.url.database == ledger.engine.url.database
