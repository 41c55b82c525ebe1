"""The demo's directory: what lies where, who may use it, and what is remembered between runs."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from clawback.clock import Clock, parse_time
from clawback.errors import ClawbackError

ACCOUNT = "IRdemoClawback0000000000000000000001"
IMPACT = "impact_demo"
WAREHOUSE = "warehouse_demo"


class SceneError(ClawbackError):
    """The demo's directory cannot be used."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What the demo's world was made from; kept, so that the next run finds the same world."""

    seed: int
    orders: int
    now: datetime
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Scene:
    """The paths of one demo world."""

    path: Path

    @property
    def world(self) -> Path:
        return self.path / "world.jsonl"

    @property
    def warehouse(self) -> Path:
        return self.path / "warehouse.duckdb"

    @property
    def sandbox(self) -> Path:
        return self.path / "sandbox"

    @property
    def airflow(self) -> Path:
        return self.path / "airflow"

    @property
    def books(self) -> Path:
        return self.path / "books.json"

    @property
    def ledger_url(self) -> str:
        return f"sqlite:///{self.path / 'ledger.db'}"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the directory alone. Raises SceneError if another demo does, or if it is read-only.

        The lock is the kernel's: it ends with the process, however that ends.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = (self.path / ".lock").open("w")
        except OSError as error:
            raise SceneError(
                f"cannot write to {self.path} ({error.strerror}); mend that and try again"
            ) from None
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise SceneError(
                    f"another demo is running in {self.path}; wait for it, or stop it with Ctrl-C"
                ) from None
            yield

    @property
    def _memory(self) -> Path:
        return self.path / "demo.json"

    def recall(self) -> Memory | None:
        """What an earlier run remembered; None where no world is complete."""
        try:
            kept = json.loads(self._memory.read_text())
            return Memory(kept["seed"], kept["orders"], parse_time(kept["now"]), kept["token"])
        except (FileNotFoundError, KeyError, ValueError):
            return None

    def remember(self, memory: Memory) -> None:
        """Written last, when the world is complete; only its owner may read it."""
        text = json.dumps(
            {
                "seed": memory.seed,
                "orders": memory.orders,
                "now": memory.now.isoformat(),
                "token": memory.token,
            }
        )
        fresh = self._memory.with_suffix(".new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        fresh.replace(self._memory)


def new_memory(seed: int, orders: int) -> Memory:
    """The memory of a world that is to be made now."""
    return Memory(seed, orders, Clock.from_env().now(), secrets.token_urlsafe(24))
