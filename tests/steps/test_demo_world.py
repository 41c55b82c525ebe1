"""The demo world end to end: every outcome, balanced books, and impact.com as it should be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from oracle import differs, expected

from clawback.program import Program, find_program
from clawback.sandbox.seed import ORDERS, SEED, SeededWorld, generate
from lab import NOW, Lab, counted, held


@dataclass
class Demo:
    """The demo world and its lab, after two runs."""

    world: SeededWorld
    lab: Lab
    before: dict[str, Any]
    books: dict[str, Any]
    again: dict[str, Any]
    after: dict[str, Any]
    writes: list[dict[str, Any]]
    requests: int


@pytest.fixture(scope="module")
def demo(shared_lab: Any) -> Iterator[Demo]:
    world = generate(SEED, ORDERS, NOW)
    with shared_lab(actions=world.actions) as lab:
        lab.choices = Program.load(find_program("demo")).model_dump()
        lab.rows = world.returns
        before = lab.state()
        books = lab.run()
        after, writes, requests = lab.state(), lab.writes, len(lab.requests())
        yield Demo(world, lab, before, books, lab.run(), after, writes, requests)


def test_the_books_balance(demo: Demo) -> None:
    """Lines read are the sum over outcomes, and nothing is unexplained."""
    books = demo.books
    assert books["unexplained"] == 0
    assert books["lines"] == books["read"] == sum(counted(books).values()) == len(demo.lab.rows)


def test_every_outcome_occurs(demo: Demo) -> None:
    """The demo shows each outcome that needs no planted cause, and seven reasons to hold."""
    assert counted(demo.books).keys() == {
        *("confirmed", "already_settled", "not_attributed", "ignored", "locked", "held"),
        *("rejected", "invalid"),
    }
    assert held(demo.books).keys() == {
        *("ambiguous_action", "unknown_sku", "duplicate_sku", "over_returned"),
        *("baseline_unknown", "currency_mismatch", "outside_lookback"),
    }


def test_impact_holds_what_the_rows_say(demo: Demo) -> None:
    """Every action in the sandbox stands as an independent reading of the rows has it."""
    wanted = expected(demo.world.actions, demo.world.returns, NOW)
    story = {action["Id"]: demo.world.expectations[action["Oid"]] for action in demo.world.actions}
    faults = {
        f"{action_id} ({story[action_id]})": fault
        for action_id, shown in demo.after.items()
        if (fault := differs(wanted[action_id], shown))
    }
    assert faults == {}


def test_the_oracle_sees_differences(demo: Demo) -> None:
    """Before the run, the sandbox did not stand as it should: the comparison can fail."""
    wanted = expected(demo.world.actions, demo.world.returns, NOW)
    assert sum(bool(differs(wanted[i], shown)) for i, shown in demo.before.items()) > 100


def test_recovered_is_what_payouts_fell_by(demo: Demo) -> None:
    """The commission recovered is the payout before minus after, read from impact.com."""
    fell = sum(
        Decimal(shown["Payout"]) - Decimal(demo.after[i]["Payout"])
        for i, shown in demo.before.items()
    )
    assert Decimal(demo.books["commission_recovered"]) == fell > 0


def test_nothing_locked_is_written_to(demo: Demo) -> None:
    """No write names an action whose locking date has passed."""
    written = {w["body"].partition("ActionId=")[2].partition("&")[0] for w in demo.writes}
    assert written
    assert not [i for i in written if demo.before[i]["_locked"]]


def test_requests_are_few(demo: Demo) -> None:
    """Reading a world and proving every change costs little more than one request a change."""
    per_change = demo.books["requests_per_confirmed_change"]
    assert demo.books["requests"]["total"] == demo.requests
    assert per_change < 1.6


def test_a_second_run_sends_nothing(demo: Demo) -> None:
    """Over settled data nothing is written, nothing is counted twice, and the books balance."""
    assert demo.lab.writes == demo.writes
    assert demo.again["commission_recovered"] == "0.00"
    assert demo.again["commission_lost_to_locking"] == "0.00"
    assert demo.again["unexplained"] == 0
    assert "confirmed" not in counted(demo.again)
