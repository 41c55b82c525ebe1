"""A worker that is killed at any commit and around any request leaves nothing half-done.

Every boundary of a run, one by one: the process is killed there with SIGKILL, then either its step
is tried again, as Airflow does, or nobody comes back and the next run finds what it left.
"""

from __future__ import annotations

import itertools
import os
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from ledgers import Ledgers

from clawback.ledger.store import Ledger
from clawback.ledger.tables import change_lines, changes, return_lines, runs
from clawback.steps.close import balanced
from lab import Lab, action, back, cancelled
from workers import Ended, Workers

_numbers = itertools.count(1)
Then = Callable[[Workers, Lab, Ended], None]

QUICK, SLOW = 2.0, 900.0
"""Seconds until a queued write takes effect."""
SAMPLE = 97
"""Every so many boundaries, from another one in each case; CLAWBACK_KILLS=all takes every one."""
OVER = {"confirm": {"poll_seconds": 30, "deadline_minutes": 60}, "canary": 3}

SOLD = [
    action("O-1"),
    action("O-2", ("A", 2, "40.00"), ("B", 3, "60.00"), ("C", 2, "30.00")),
    action("O-3"),
    action("O-4", ("A", 2, "400.00"), ("B", 1, "60.00")),
    action("O-5", ("A", 4, "80.00")),
]
ROWS = [
    back("O-1"),
    back("O-2"),
    back("O-2", "B", 2, id="R-2"),
    cancelled("O-3"),
    back("O-4"),
    back("O-5", quantity=3),
]


@contextmanager
def scene(home: Path, url: str, patch: pytest.MonkeyPatch, latency: float) -> Iterator[Lab]:
    """Five orders that need every form of request; impact.com will refuse one of them."""
    home.mkdir(parents=True)
    settings = {"queue_latency": latency, "seed": 3}
    with (
        Ledger.open(url, upgrade=False) as ledger,
        Lab.open(home, ledger, patch, SOLD, settings) as lab,
    ):
        lab.choices, lab.rows = OVER, ROWS
        lab.act("refuse", SOLD[3]["Id"], error_type="Validation", error_reason="NOT_TODAY")
        yield lab


HOLDS = {
    "O-1": {"A": (1, 20), "B": (1, 60)},
    "O-2": {"A": (1, 20), "B": (1, 20), "C": (2, 30)},
    "O-4": {"A": (2, 400), "B": (1, 60)},
    "O-5": {"A": (1, 20)},
}
NEEDED = 4
REFUSED = ("O-4", "A")


def retry(workers: Workers, lab: Lab, first: Ended) -> None:
    """Five minutes later the step that was killed begins again, and the run goes on to its end."""
    catch_up(lab)
    lab.pass_time(minutes=5)
    again = workers.do(lab, step=first.steps[-1])
    assert again.status == 0, again.said


def abandon(workers: Workers, lab: Lab, first: Ended) -> None:
    """Nobody comes back to the run; the next ones find what it left."""
    del first
    catch_up(lab)
    for number in range(4):
        lab.pass_time(minutes=1 if not number else 120)
        done = workers.do(lab, run_id=f"next-{number}")
        assert done.status == 0, done.said


def catch_up(lab: Lab) -> None:
    """Put the lab's clock where the worker has left the sandbox's."""
    said = lab.http.get("/_sandbox/clock").json()["now"]
    lab.clock.set(max(lab.clock.now(), datetime.fromisoformat(said)))


def payouts(lab: Lab) -> dict[str, Decimal]:
    """What each order is paid."""
    return {shown["Oid"]: Decimal(shown["Payout"]) for shown in lab.state().values()}


def check(lab: Lab, sold: dict[str, Decimal]) -> None:
    """Every line in one outcome, every action as desired, no effect twice, the money true."""
    closed = [row["books"] for row in lab.table(runs) if row["books"]]
    assert closed
    assert all(balanced(books) for books in closed), closed
    ended = {(r["order_id"], r["sku"]): r["outcome"] for r in lab.table(return_lines)}
    assert ended.pop(REFUSED) == "rejected"
    assert set(ended.values()) <= {"confirmed", "already_settled"}, ended
    state = lab.state()
    for shown in state.values():
        if shown["Oid"] == "O-3":
            assert shown["State"] == "REVERSED"
            continue
        items = {i["Sku"]: (int(i["Quantity"]), Decimal(i["SaleAmount"])) for i in shown["Items"]}
        assert items == HOLDS[shown["Oid"]], shown["Oid"]
    assert sum(shown["_modifications"] for shown in state.values()) <= NEEDED + 1
    one_effect_each(lab)
    gone = sum(sold.values()) - sum(payouts(lab).values())
    assert sum(Decimal(books["commission_recovered"]) for books in closed) == gone
    assert {row["state"] for row in lab.table(changes)} <= {"confirmed", "rejected", "dropped"}
    booked = [row for row in lab.table(change_lines) if row["booked_run"]]
    assert sum(row["payout"] for row in booked) == gone


def one_effect_each(lab: Lab) -> None:
    """Whatever was written twice to an item said the same both times."""
    said: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for entry in lab.writes:
        form = dict(parse_qsl(entry["body"]))
        for name, value in form.items():
            number = name.lstrip("SkuQantiyAmo")
            sku = form.get(f"Sku{number}", "") if name not in {"ActionId", "Reason"} else ""
            said[form["ActionId"], sku, name.rstrip("0123456789")].add(value)
    for (action_id, _, name), values in said.items():
        assert name == "ActionId" or len(values) == 1, (action_id, name, values)


@dataclass
class Killer:
    """Kills runs that have come as far as their plan, which is the same each time."""

    workers: Workers
    home: Path
    ledgers: Ledgers
    patch: pytest.MonkeyPatch

    def prepare(self, latency: float) -> int:
        """Plan a run, keep the ledger as it is then, and see it through; gives its boundaries."""
        self._latency = latency
        with self.ledgers.new() as url, self._scene(url) as lab:
            self._sold = payouts(lab)
            planned = self.workers.do(lab, last="approve", here=True)
            assert planned.status == 0, planned.said
            catch_up(lab)
            self._planned_at = lab.clock.now()
            lab.ledger.close()
            self.ledgers.keep(url)
            whole = self.workers.do(lab, step="prove", here=True)
            assert whole.status == 0, whole.said
            catch_up(lab)
            check(lab, self._sold)
        return len(whole.boundaries)

    def kill(self, k: int, then: Then) -> None:
        """Kill the run at its k-th boundary, do what follows, and look at what is left."""
        with self.ledgers.again() as url, self._scene(url) as lab:
            lab.until(self._planned_at)
            killed = self.workers.do(lab, step="prove", kill_at=k)
            assert killed.killed or killed.status == 0, (k, killed)
            try:
                then(self.workers, lab, killed)
                check(lab, self._sold)
            except AssertionError as error:
                where = f"{k}, in {killed.steps[-1]}, before {killed.boundaries[-1]}"
                raise AssertionError(f"killed at {where}: {error}") from error

    @contextmanager
    def _scene(self, url: str) -> Iterator[Lab]:
        home = self.home / str(next(_numbers))
        with scene(home, url, self.patch, self._latency) as lab:
            yield lab


@pytest.fixture
def killer(
    workers: Workers, tmp_path: Path, ledgers: Ledgers, monkeypatch: pytest.MonkeyPatch
) -> Killer:
    return Killer(workers, tmp_path, ledgers, monkeypatch)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("then", "latency"),
    [(retry, QUICK), (retry, SLOW), (abandon, QUICK), (abandon, SLOW)],
    ids=["retried", "retried-slow-queue", "abandoned", "abandoned-slow-queue"],
)
def test_a_kill_anywhere_leaves_nothing_half_done(
    killer: Killer, then: Then, latency: float, database: str
) -> None:
    """Killed at each commit and around each request, one by one, the books and the effects hold."""
    every = 1 if os.environ.get("CLAWBACK_KILLS") == "all" else SAMPLE
    first = 1 + zlib.crc32(f"{database} {then.__name__} {latency}".encode()) % every
    n = killer.prepare(latency)
    for k in range(first, n + 1, every):
        killer.kill(k, then)


@pytest.mark.parametrize("database", ["sqlite"])
def test_a_kill_before_the_plan_is_made_good_by_a_retry(
    workers: Workers, ledgers: Ledgers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while it reads warehouse and impact.com or plans, a run tried again ends as any."""
    n = 0
    for k in itertools.count(1, 9):
        with ledgers.new() as url, scene(tmp_path / str(k), url, monkeypatch, QUICK) as lab:
            sold = payouts(lab)
            killed = workers.do(lab, last="approve", kill_at=k)
            if not killed.killed:
                break
            retry(workers, lab, killed)
            check(lab, sold)
            n += 1
    assert n > 2
