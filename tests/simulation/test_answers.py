"""Answers that make no sense: no crash, nothing raised at impact.com, and each is named."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from inside import InsideLab
from promises import Promises

from clawback.errors import ClawbackError
from clawback.ledger.store import Ledger
from clawback.ledger.tables import events
from lab import action, back, cancelled

NONSENSE: tuple[Any, ...] = (
    *(None, "", [], {}, True, math.nan, math.inf, "NaN", "-Infinity", -(10**40), 10**40, "1e999"),
    *("\x00", "a\x00b", "\u202e\ud83d\udca5".encode("utf-16", "surrogatepass").decode("utf-16")),
    *("x" * 70_000, "'; DROP TABLE actions; --", "9999-12-31T23:59:59Z", "0000-00-00", "12,5"),
    *([{"a": 1}], {"a": []}, "١٢", " 7 ", "0x10", 1e308),
)


class Spoiling(httpx.BaseTransport):
    """A network that puts nonsense into some answers: a field, a row, or the whole."""

    def __init__(self, inner: httpx.BaseTransport, seed: int) -> None:
        self._inner, self._random = inner, Random(seed)  # noqa: S311 - a story, not a secret
        self.spoilt: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._inner.handle_request(request)
        if self._random.random() > 0.4 or response.status_code != 200:
            return response
        found = json.loads(response.content)
        self._spoil(found, request.url.path)
        content = json.dumps(found).encode()
        kept = {k: v for k, v in response.headers.items() if k != "content-length"}
        return httpx.Response(200, headers=kept, content=content)

    def _spoil(self, found: dict[str, Any], path: str) -> None:
        rows = [v for v in found.values() if isinstance(v, list) and v]
        row: Any = self._random.choice(rows[0]) if rows and self._random.random() < 0.8 else found
        if rows and self._random.random() < 0.1:
            rows[0].append(dict(row) if isinstance(row, dict) else row)
            return
        name = self._random.choice(sorted(row))
        if self._random.random() < 0.15:
            del row[name]
        else:
            row[name] = self._random.choice(NONSENSE)
        self.spoilt.append(f"{path} {name} {str(row.get(name, 'gone'))[:30]!r}")


@pytest.mark.parametrize("seed", range(1, 13))
@pytest.mark.parametrize("database", ["sqlite"])
def test_nonsense_in_answers_breaks_nothing(
    seed: int,
    new_ledger: Callable[[str], AbstractContextManager[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Runs over spoilt answers end in words; nothing rises, and all books that close balance."""
    with (
        new_ledger("ledger") as url,
        Ledger.open(url, upgrade=False) as ledger,
        InsideLab.within(tmp_path, ledger, monkeypatch, {"seed": seed}) as lab,
    ):
        for n in range(4):
            lab.act("add", action=action(f"O-{n}"))
        lab.rows = [back("O-0"), cancelled("O-1"), back("O-2"), back("O-2", "B", id="b")]
        promises, spoiling = Promises(lab), Spoiling(lab.inside, seed)
        said: list[str] = []
        for _ in range(3):
            promises.begin()
            try:
                lab.run(client={"transport": spoiling})
            except ClawbackError as error:
                said.append(str(error))
            promises.look()
            lab.pass_time(hours=24)
        told = said + [str(row) for row in lab.table(events) if row["became"] == "bad_row"]
        print(f"seed {seed}: {spoiling.spoilt}, told: {told}")  # noqa: T201 - for a failure
