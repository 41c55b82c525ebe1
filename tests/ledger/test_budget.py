"""The request budget holds in every window, for all processes of an account together."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from ledger_rows import ACCOUNT, AT
from sqlalchemy import insert, select

from clawback.impact.budget import BudgetSpent, RequestKind
from clawback.ledger.budget import HOUR, MINUTE, LedgerGate
from clawback.ledger.store import Ledger
from clawback.ledger.tables import budget_uses, request_counts
from lab import LabClock

KIND = RequestKind.LIST_ACTIONS
PROCESS = """
import sys
from datetime import datetime
from lab import LabClock
from clawback.impact.budget import BudgetSpent, RequestKind
from clawback.ledger.budget import LedgerGate
from clawback.ledger.store import Ledger

with Ledger.open(sys.argv[1], upgrade=False) as ledger:
    clock = LabClock(datetime.fromisoformat(sys.argv[2]))
    gate = LedgerGate(ledger, "IRtest", "run-" + sys.argv[3], clock, 0.25)
    passed = 0
    try:
        while passed < 100:
            gate.acquire(RequestKind.MODIFY)
            passed += 1
    except BudgetSpent:
        pass
    print(passed)
"""


@pytest.fixture
def clock() -> LabClock:
    return LabClock(AT)


@pytest.fixture
def gate(ledger: Ledger, clock: LabClock) -> LedgerGate:
    """A gate that leaves a quarter to others."""
    return LedgerGate(ledger, ACCOUNT, "run-1", clock, 0.25)


def learn(gate: LedgerGate, status: int = 200, **headers: object) -> None:
    named = {name.replace("_", "-"): str(value) for name, value in headers.items()}
    gate.learn(KIND, status, named, gate.clock.now())


def passed(gate: LedgerGate, most: int = 100) -> int:
    """How many requests pass before the budget is spent."""
    for n in range(most):
        try:
            gate.acquire(KIND)
        except BudgetSpent:
            return n
    return most


def until(gate: LedgerGate) -> datetime:
    with pytest.raises(BudgetSpent) as caught:
        gate.acquire(KIND)
    return caught.value.until


def test_a_share_is_left_to_others(gate: LedgerGate) -> None:
    """Of an allowance of 40 an hour, a reserve of a quarter leaves 30."""
    learn(gate, X_RateLimit_Limit=40)
    assert passed(gate) == 30


def test_without_a_word_the_documented_allowance_holds(gate: LedgerGate) -> None:
    """Before any answer, it is 1,000 an hour less the reserve."""
    with gate.ledger.begin() as conn:
        conn.execute(insert(budget_uses).values(account=ACCOUNT, second=AT, n=748))
    assert passed(gate) == 2


def test_each_request_is_counted_for_its_run(gate: LedgerGate, ledger: Ledger) -> None:
    """What passed is counted by kind; what was refused is not."""
    learn(gate, X_RateLimit_Limit=4)
    assert passed(gate) == 3
    with ledger.read() as conn:
        (row,) = conn.execute(select(request_counts)).mappings().all()
    assert (row["run_id"], row["kind"], row["n"]) == ("run-1", "list_actions", 3)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("database", ["sqlite"])
def test_no_rolling_hour_holds_more_than_its_share(
    gate: LedgerGate, clock: LabClock, seed: int
) -> None:
    """However requests fall, no hour of any start holds more than allowance less reserve."""
    learn(gate, X_RateLimit_Limit=40)
    random, times = Random(seed), list[datetime]()  # noqa: S311 - a course of events, no secret
    named = list[timedelta]()
    while clock.now() < AT + 4 * HOUR:
        try:
            gate.acquire(KIND)
        except BudgetSpent as spent:
            named.append(spent.until - clock.now())
            clock.set(spent.until)
            continue
        times.append(clock.now())
        clock.set(clock.now() + timedelta(seconds=random.choice([0, 0, 1, 30, 200])))
    assert max(most_in_an_hour(times)) <= 30
    assert len(times) >= 90
    assert all(timedelta() < wait <= HOUR + MINUTE for wait in named)


def most_in_an_hour(times: list[datetime]) -> Iterator[int]:
    for at, first in enumerate(times):
        yield sum(first <= other < first + HOUR for other in times[at:])


def test_a_spent_budget_names_the_time_when_it_holds_again(
    gate: LedgerGate, clock: LabClock
) -> None:
    """At the time that is named a request passes, and that is at most a minute too late."""
    learn(gate, X_RateLimit_Limit=4)
    gate.acquire(KIND)
    first = clock.now()
    clock.set(AT + timedelta(minutes=20))
    assert passed(gate) == 2
    clock.set(AT + timedelta(minutes=40))
    named = until(gate)
    assert first + HOUR <= named <= first + HOUR + MINUTE
    clock.set(named)
    assert passed(gate) == 1


def test_what_others_spend_counts(gate: LedgerGate, clock: LabClock) -> None:
    """What impact.com says is left wins over what was counted here, until it resets."""
    learn(gate, X_RateLimit_Limit=40, X_RateLimit_Remaining=10, X_RateLimit_Reset=600)
    named = until(gate)
    assert timedelta(seconds=599) < named - clock.now() <= timedelta(seconds=600)
    clock.set(named)
    assert passed(gate) == 30


def test_what_is_left_is_not_given_out_twice(gate: LedgerGate) -> None:
    """Requests that leave before the next answer count against what the last one said is left."""
    learn(gate, X_RateLimit_Limit=40, X_RateLimit_Remaining=15, X_RateLimit_Reset=600)
    assert passed(gate) == 5
    learn(gate, X_RateLimit_Limit=40, X_RateLimit_Remaining=14, X_RateLimit_Reset=599)
    assert passed(gate) == 0


def test_a_new_window_is_believed(gate: LedgerGate, clock: LabClock) -> None:
    """After the reset, what impact.com then says is left counts afresh."""
    learn(gate, X_RateLimit_Limit=40, X_RateLimit_Remaining=10, X_RateLimit_Reset=600)
    clock.set(AT + timedelta(seconds=601))
    gate.acquire(KIND)
    learn(gate, X_RateLimit_Limit=40, X_RateLimit_Remaining=39, X_RateLimit_Reset=3600)
    assert passed(gate) == 29


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"Retry-After": "90"}, 90), ({}, 60), ({"X-RateLimit-Reset": "700"}, 700)],
)
def test_a_429_stops_everyone(
    gate: LedgerGate, clock: LabClock, headers: dict[str, str], seconds: int
) -> None:
    """After 429 nothing leaves until the time that it names, or for a minute if it names none."""
    gate.learn(KIND, 429, headers, AT)
    other = LedgerGate(gate.ledger, ACCOUNT, "run-2", clock)
    assert until(other) == AT + timedelta(seconds=seconds)
    clock.set(AT + timedelta(seconds=seconds))
    other.acquire(KIND)


def test_accounts_have_budgets_of_their_own(gate: LedgerGate, clock: LabClock) -> None:
    """One account's spent budget does not stop another's requests."""
    learn(gate, X_RateLimit_Limit=4)
    assert passed(gate) == 3
    assert passed(LedgerGate(gate.ledger, "IRother", "run-1", clock), 5) == 5


@pytest.mark.parametrize("headers", [{}, {"X_RateLimit_Remaining": 40, "X_RateLimit_Reset": 3000}])
def test_processes_share_one_budget(
    gate: LedgerGate, ledger_url: str, headers: dict[str, int]
) -> None:
    """Three workers at once get no more between them than one would alone, and no less."""
    learn(gate, X_RateLimit_Limit=40, **headers)
    folder = str(Path(__file__).parents[1])
    started = [
        subprocess.Popen(  # noqa: S603 - our own program, no shell
            [sys.executable, "-c", PROCESS, ledger_url, AT.isoformat(), str(number)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": folder},
        )
        for number in range(3)
    ]
    try:
        said = [process.communicate(timeout=60) for process in started]
    finally:
        for process in started:
            process.kill()
    assert all(process.returncode == 0 for process in started), said
    assert sum(int(out) for out, _ in said) == 30
