"""Answers that make no sense: no crash, nothing raised at impact.com, and each is named."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
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


Spoil = Callable[[dict[str, Any], str], str | None]
SENTENCE = re.compile(r"impact\.com.* (GET|PUT|DELETE) /\S+ \(\w+\).*; .+", re.DOTALL)
"""An error names the request and says what to do."""
pytestmark = pytest.mark.parametrize("database", ["sqlite"])


class Spoiling(httpx.BaseTransport):
    """A network that spoils some answers: `spoil` is given each, by its path, and says what."""

    def __init__(self, inner: httpx.BaseTransport, spoil: Spoil) -> None:
        self._inner, self._spoil = inner, spoil
        self.spoilt: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._inner.handle_request(request)
        if response.status_code != 200:
            return response
        found = json.loads(response.content)
        said = self._spoil(found, f"{request.method} {request.url.path}")
        if said is None:
            return response
        self.spoilt.append(said)
        kept = {k: v for k, v in response.headers.items() if k != "content-length"}
        return httpx.Response(200, headers=kept, content=json.dumps(found).encode())


class AtRandom:
    """Spoils two of five answers: a field, a row, or the whole."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311 - a story, not a secret

    def __call__(self, found: dict[str, Any], place: str) -> str | None:
        if self._random.random() > 0.4:
            return None
        rows = [v for v in found.values() if isinstance(v, list) and v]
        row: Any = self._random.choice(rows[0]) if rows and self._random.random() < 0.8 else found
        if rows and self._random.random() < 0.1:
            rows[0].append(dict(row) if isinstance(row, dict) else row)
            return f"{place} a row twice"
        name = self._random.choice(sorted(row))
        if self._random.random() < 0.15:
            del row[name]
        else:
            row[name] = self._random.choice(NONSENSE)
        return f"{place} {name} {str(row.get(name, 'gone'))[:30]!r}"


class Always:
    """Puts one value in the place of another in every answer of a kind: of its rows, or its own."""

    def __init__(self, kind: str, name: str, value: Any) -> None:
        self._kind, self._name, self._value = kind, name, value

    def __call__(self, found: dict[str, Any], place: str) -> str | None:
        method, _, path = self._kind.partition(" ")
        if not (place.startswith(method) and path in place):
            return None
        rows = [row for v in found.values() if isinstance(v, list) for row in v]
        for one in [found] if self._name in found else rows:
            one[self._name] = self._value
        return place


def told(lab: InsideLab) -> list[str]:
    """What the ledger's events say of answers."""
    return [
        str(row["detail"].get("row") or row["detail"].get("said"))
        for row in lab.table(events)
        if row["became"] in {"bad_row", "items_unread", "in_doubt"}
    ]


@pytest.fixture
def lab(
    new_ledger: Callable[[str], AbstractContextManager[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[InsideLab]:
    with (
        new_ledger("ledger") as url,
        Ledger.open(url, upgrade=False) as ledger,
        InsideLab.within(tmp_path, ledger, monkeypatch, {"seed": 1}) as lab,
    ):
        for n in range(4):
            lab.act("add", action=action(f"O-{n}"))
        lab.rows = [back("O-0"), cancelled("O-1"), back("O-2"), back("O-2", "B", id="b")]
        yield lab


@pytest.mark.parametrize("seed", range(1, 13))
def test_nonsense_in_answers_breaks_nothing(lab: InsideLab, seed: int) -> None:
    """Runs over spoilt answers end in words; nothing rises, and all books that close balance."""
    promises, spoiling = Promises(lab), Spoiling(lab.inside, AtRandom(seed))
    said: list[str] = []
    for _ in range(3):
        promises.begin()
        try:
            lab.run(client={"transport": spoiling})
        except ClawbackError as error:
            said.append(str(error))
        promises.look()
        lab.pass_time(hours=24)
    print(f"seed {seed}: {spoiling.spoilt}, told: {said + told(lab)}")  # noqa: T201 - for a failure
    assert [sentence for sentence in said if not SENTENCE.fullmatch(sentence)] == []


@pytest.mark.parametrize(
    ("kind", "name", "value", "named"),
    [
        (
            "GET /Actions",
            "Amount",
            "12,5",
            r"row \d+ of page 1 \(1000\.[\d.]+\): Amount is no amount",
        ),
        ("GET /Actions", "Id", [], r"row \d+ of page 1 \(no Id\): Id is"),
        ("GET /Actions", "EventDate", "0000-00-00", r"row \d+ .*: EventDate is no time"),
        ("GET /ActionUpdates", "DeltaAmount", "NaN", r"row \d+ .*: DeltaAmount is"),
        ("GET /ActionUpdates", "@total", "NaN", r"GET \S+/ActionUpdates .*its @total is no amount"),
        ("GET /Actions", "Actions", " 7 ", r"GET \S+/Actions .*its Actions is a str and no list"),
        ("PUT /Actions", "Status", "0x10", r"PUT \S+/Actions .*without a status"),
    ],
)
def test_what_makes_no_sense_is_named(
    lab: InsideLab, kind: str, name: str, value: Any, named: str
) -> None:
    """The error or the event says which answer, which row, which field, and what stood there."""
    said: list[str] = []
    try:
        lab.run(client={"transport": Spoiling(lab.inside, Always(kind, name, value))})
    except ClawbackError as error:
        said.append(str(error))
    said += told(lab)
    assert [one for one in said if re.search(named, one)], said
