"""The ledger opens, migrates both ways, and writes alike on both databases."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from ledger_rows import add_change, content_of, fill, open_run
from sqlalchemy import inspect, select
from sqlalchemy.exc import IntegrityError

from clawback.ledger.changes import ChangeState
from clawback.ledger.store import URL_ENV, Ledger, LedgerError, head, upsert
from clawback.ledger.tables import changes, metadata, programs, request_counts

NewUrl = Callable[[], str]


def tables_of(ledger: Ledger) -> set[str]:
    with ledger.read() as conn:
        return set(inspect(conn).get_table_names())


def test_an_empty_database_gets_every_table(new_url: NewUrl) -> None:
    """The first opening makes the whole ledger."""
    with Ledger.open(new_url()) as ledger:
        assert tables_of(ledger) == {*metadata.tables, "alembic_version"}


def test_the_newest_migration_is_what_the_code_believes(new_url: NewUrl) -> None:
    """Tables as migrated and tables as the code describes them do not differ."""
    with Ledger.open(new_url()) as ledger, ledger.read() as conn:
        context = MigrationContext.configure(conn, opts={"compare_type": True})
        differences: list[Any] = list(compare_metadata(context, metadata))
        assert differences == []


def test_open_changes_are_unique_after_migrating(new_url: NewUrl) -> None:
    """The partial index, which a comparison does not look into, came through the migration."""
    with Ledger.open(new_url()) as ledger, ledger.begin() as conn:
        open_run(conn)
        add_change(conn, "c1", state=ChangeState.CONFIRMED)
        add_change(conn, "c2", state=ChangeState.QUEUED)
        with pytest.raises(IntegrityError):
            add_change(conn, "c3", state=ChangeState.PLANNED)


def test_a_filled_ledger_goes_down_and_up_again(new_url: NewUrl) -> None:
    """Down to nothing leaves no table of ours behind; up again it can be used as before."""
    with Ledger.open(new_url()) as ledger:
        fill(ledger)
        ledger.downgrade("base")
        assert tables_of(ledger) <= {"alembic_version"}
        ledger.upgrade()
        assert set(content_of(ledger).values()) == {0}
        fill(ledger)
        assert content_of(ledger)["changes"] == 1


def test_opening_again_keeps_what_is_there(new_url: NewUrl) -> None:
    """A ledger that is up to date is left as it is."""
    url = new_url()
    with Ledger.open(url) as ledger:
        fill(ledger)
        before = content_of(ledger)
    with Ledger.open(url) as ledger:
        assert content_of(ledger) == before


def test_a_missing_migration_is_told_where_upgrading_is_not_wanted(new_url: NewUrl) -> None:
    """Without the right to upgrade, an old ledger is refused with the command that mends it."""
    with pytest.raises(LedgerError, match=f"needs {head()}; run `clawback ledger upgrade`"):
        Ledger.open(new_url(), upgrade=False)


def test_a_ledger_of_a_newer_version_is_told(ledger: Ledger, ledger_url: str) -> None:
    """A migration that this version does not know is refused, not run over."""
    with ledger.begin() as conn:
        conn.exec_driver_sql("UPDATE alembic_version SET version_num = 'from_tomorrow'")
    with pytest.raises(LedgerError, match="from_tomorrow, which this version does not know"):
        Ledger.open(ledger_url)


def test_two_processes_may_upgrade_at_once(new_url: NewUrl) -> None:
    """Of two first starts at the same time, neither fails, and the ledger is whole."""
    url = new_url()
    code = "from clawback.ledger.store import Ledger; Ledger.open().close()"
    started = [
        subprocess.Popen(  # noqa: S603 - our own program, no shell
            [sys.executable, "-W", "error", "-c", code],
            env=os.environ | {URL_ENV: url},
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    try:
        said = [process.communicate(timeout=100)[1] for process in started]
    finally:
        for process in started:
            process.kill()
    assert [process.returncode for process in started] == [0, 0], said
    with Ledger.open(url, upgrade=False) as ledger:
        assert tables_of(ledger) >= set(metadata.tables)


def test_an_upsert_updates_only_what_it_names(ledger: Ledger) -> None:
    """A row that is there keeps the columns that are not named; a new one is inserted."""
    row = {"name": "lab", "account": "IR1", "campaign_id": "1"}
    with ledger.begin() as conn:
        upsert(conn, programs, [row])
        upsert(conn, programs, [row | {"account": "IR2", "campaign_id": "2"}], update=["account"])
        upsert(conn, programs, [row | {"account": "IR3"}])
        upsert(conn, programs, [])
        found = conn.execute(select(programs)).mappings().all()
    assert [(r["account"], r["campaign_id"], r["reads"]) for r in found] == [("IR2", "1", 0)]


def test_a_transaction_that_fails_leaves_nothing(ledger: Ledger) -> None:
    """An error inside `begin` takes back all that was written in it."""
    two = [{"run_id": "r", "kind": "modify", "n": 1}, {"run_id": "r", "kind": "modify", "n": None}]
    with pytest.raises(IntegrityError), ledger.begin() as conn:
        upsert(conn, request_counts, two)
    assert content_of(ledger)["request_counts"] == 0


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "no ledger is named; set CLAWBACK_LEDGER_URL"),
        ("nonsense", "is no database URL"),
        ("postgresql://u:s3cret@127.0.0.1:1/x", "cannot be opened"),
        ("sqlite:////proc/nowhere/ledger.db", "ledger"),
    ],
)
def test_a_ledger_that_cannot_be_had_is_one_sentence(
    url: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is wrong with the URL is told without its password."""
    monkeypatch.delenv(URL_ENV, raising=False)
    with pytest.raises(LedgerError) as caught:
        Ledger.open(url)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_file_that_is_no_ledger_is_one_sentence(tmp_path: Path) -> None:
    """A path that leads to something else than a database is told as such."""
    path = tmp_path / "notes.txt"
    path.write_text("These are notes and not a database, and there are enough of them. " * 40)
    with pytest.raises(LedgerError, match="cannot be opened"):
        Ledger.open(f"sqlite:///{path}")
    assert changes.name in metadata.tables
