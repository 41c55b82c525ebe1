"""Ledgers that can be kept as they are at a moment, and had again as they were."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


class Databases(Protocol):
    """Makes PostgreSQL databases: copies of another one by its name."""

    def __call__(self, template: str) -> AbstractContextManager[str]: ...


@dataclass
class Ledgers:
    """Empty ledgers, and copies of one that was kept; on SQLite always at the same place."""

    folder: Path
    empty: Path | str
    """A file, or the name of a PostgreSQL database."""
    databases: Databases | None = None
    stack: ExitStack = field(default_factory=ExitStack)

    @contextmanager
    def new(self) -> Iterator[str]:
        """The URL of an empty ledger at the newest migration."""
        with self._copy(self.empty) as url:
            yield url

    def keep(self, url: str) -> None:
        """Remember a ledger as it is now; nobody may be connected to it."""
        if self.databases is None:
            self._kept: Path | str = self.folder / "kept.db"
            shutil.copy(self.folder / "ledger.db", self._kept)
        else:
            copy = self.stack.enter_context(self.databases(_name(url)))
            self._kept = _name(copy)

    @contextmanager
    def again(self) -> Iterator[str]:
        """The URL of a copy of the ledger that was kept."""
        with self._copy(self._kept) as url:
            yield url

    @contextmanager
    def _copy(self, source: Path | str) -> Iterator[str]:
        if self.databases is not None:
            with self.databases(str(source)) as url:
                yield url
            return
        path = self.folder / "ledger.db"
        for stale in self.folder.glob("ledger.db*"):
            stale.unlink()
        shutil.copy(source, path)
        yield f"sqlite:///{path}"


def _name(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]
