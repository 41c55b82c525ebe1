"""Keeps what happened in a folder, so that a sandbox survives a restart and a kill."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from clawback.errors import ClawbackError

Event = dict[str, Any]


class Journal:
    """Append-only JSON lines; each is handed to the operating system before it is answered.

    The first line says which world it belongs to. A last line that a kill cut short is dropped.
    """

    def __init__(self, folder: Path, origin: dict[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "journal.jsonl"
        self.events = list(self._read())
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        if self.events:
            self.origin = self._same(self.events.pop(0), origin)
        else:
            self.origin = origin
            self.append(origin)

    def append(self, event: Event) -> None:
        os.write(self._file, orjson.dumps(event) + b"\n")

    def close(self) -> None:
        os.close(self._file)

    def _read(self) -> Iterator[Event]:
        if not self._path.exists():
            return
        content = self._path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            os.truncate(self._path, len(whole))
        for line in whole.splitlines():
            yield orjson.loads(line)

    def _same(self, found: Event, wanted: dict[str, Any]) -> dict[str, Any]:
        different = [key for key in wanted if key != "now" and found.get(key) != wanted[key]]
        if different:
            raise ClawbackError(
                f"state {self._path.parent} was written with another {', '.join(different)}; "
                "start with the same options, or give an empty folder"
            )
        return found


def fingerprint(path: Path) -> str:
    """A world file's content, to know it again."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()[:32]
