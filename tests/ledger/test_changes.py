"""A change passes from state to state in one place only, and every step is kept."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from itertools import product
from threading import Barrier, Thread

import pytest
from ledger_rows import ACCOUNT, AT, add_change, fill, open_run
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from clawback.impact.models import Action
from clawback.impact.models import ActionState as Listed
from clawback.ledger import changes as book
from clawback.ledger.actions import Listing, save_actions
from clawback.ledger.changes import ChangeState, ImpossibleTransitionError, Step, move
from clawback.ledger.store import Ledger
from clawback.ledger.tables import changes, events

POSSIBLE = {
    ("planned", "planned"),
    ("planned", "sending"),
    ("planned", "dropped"),
    ("planned", "refused"),
    ("sending", "sending"),
    ("sending", "queued"),
    ("sending", "planned"),
    ("sending", "rejected"),
    ("sending", "locked"),
    ("sending", "dropped"),
    ("queued", "confirmed"),
    ("queued", "rejected"),
    ("queued", "locked"),
    ("queued", "dropped"),
    ("queued", "sending"),
    ("queued", "refused"),
    ("dropped", "planned"),
    ("refused", "planned"),
    ("rejected", "planned"),
}


def step(was: str, became: str) -> Step:
    return Step("run-1", AT, ChangeState(was), ChangeState(became))


def states(ledger: Ledger) -> dict[str, str]:
    with ledger.read() as conn:
        rows = conn.execute(select(changes.c.id, changes.c.state))
        return {row.id: row.state for row in rows}


def told(ledger: Ledger) -> list[tuple[str, str]]:
    with ledger.read() as conn:
        here = select(events.c.was, events.c.became).where(events.c.subject == "change")
        return [(row.was, row.became) for row in conn.execute(here.order_by(events.c.id))]


@pytest.fixture
def planned(ledger: Ledger) -> Ledger:
    """A ledger with one planned change, c1."""
    with ledger.begin() as conn:
        open_run(conn)
        add_change(conn)
    return ledger


def test_only_possible_transitions_pass(ledger: Ledger) -> None:
    """Every pair of states either passes and leaves one event, or raises and leaves none."""
    pairs = list(product(ChangeState, ChangeState))
    with ledger.begin() as conn:
        open_run(conn)
        for number, (was, became) in enumerate(pairs):
            add_change(conn, f"{was}-{became}", state=was, action_id=f"a{number}")
    for was, became in pairs:
        name = f"{was}-{became}"
        if (was, became) in POSSIBLE:
            with ledger.begin() as conn:
                assert move(conn, name, step(was, became))
            continue
        with pytest.raises(ImpossibleTransitionError, match=f"from {was} to {became}"):  # noqa: SIM117 - the transaction is taken back
            with ledger.begin() as conn:
                move(conn, name, step(was, became))
    ends = {name: name.partition("-") for name in states(ledger)}
    assert states(ledger) == {
        name: became if (was, became) in POSSIBLE else was
        for name, (was, _, became) in ends.items()
    }
    assert sorted(told(ledger)) == sorted(POSSIBLE)


def test_a_final_change_never_opens_again() -> None:
    """Confirmed and locked lead nowhere."""
    assert not {was for was, _ in POSSIBLE} & {"confirmed", "locked", "dry"}


def test_a_lost_race_changes_nothing(planned: Ledger) -> None:
    """The second of two movers is told so, and neither values nor events are written for it."""
    with planned.begin() as conn:
        assert move(conn, "c1", step("planned", "sending"), attempts=1)
    with planned.begin() as conn:
        assert not move(conn, "c1", step("planned", "dropped"), error="late")
        assert not move(conn, "nobody", step("planned", "dropped"))
    assert states(planned) == {"c1": "sending"}
    assert told(planned) == [("planned", "sending")]


def test_of_many_movers_one_wins(planned: Ledger) -> None:
    """Eight movers at once: one moves the change, and one event stands."""
    start, won = Barrier(8), []

    def try_it() -> None:
        start.wait()
        with planned.begin() as conn:
            won.append(move(conn, "c1", step("planned", "sending")))

    threads = [Thread(target=try_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 7 + [True]
    assert told(planned) == [("planned", "sending")]


def test_one_open_change_per_action(planned: Ledger) -> None:
    """A second open change of an action is refused by the database; another action's is not."""
    for state in book.OPEN:
        with pytest.raises(IntegrityError), planned.begin() as conn:
            add_change(conn, "c2", state=state)
    with planned.begin() as conn:
        add_change(conn, "c3", action_id="1000.1.2")
        add_change(conn, "c4", account="IRother")
        for number, state in enumerate(set(ChangeState) - set(book.OPEN)):
            add_change(conn, f"done-{number}", state=state)


def test_changes_go_in_the_order_of_need(ledger: Ledger) -> None:
    """Urgent first, then what locks first, then the larger payout; no locking date goes last."""
    late, soon = AT + timedelta(days=9), AT + timedelta(days=2)
    wanted = {
        "urgent": {"urgent": True, "locking_at": late},
        "soon-large": {"locking_at": soon, "before_payout": Decimal(90)},
        "soon-small": {"locking_at": soon, "before_payout": Decimal(9)},
        "late": {"locking_at": late, "before_payout": Decimal(500)},
        "never": {"before_payout": Decimal(999)},
    }
    with ledger.begin() as conn:
        open_run(conn)
        for number, name in enumerate(sorted(wanted)):
            add_change(conn, name, action_id=f"a{number}", **wanted[name])
        rows = book.in_state(conn, "run-1", [ChangeState.PLANNED])
    assert [row["id"] for row in rows] == list(wanted)


def test_intent_and_evidence_are_kept_in_order(ledger: Ledger) -> None:
    """Submissions and evidence of a change can be read back as they were written."""
    fill(ledger)
    with ledger.begin() as conn:
        (sent,) = book.submissions_of(conn, ["c1"])["c1"]
        book.set_submission(conn, sent["id"], state="queued", batch_id="A-1")
        (sent,) = book.submissions_of(conn, ["c1"])["c1"]
        assert (sent["state"], sent["batch_id"], sent["form"]) == (
            "queued",
            "A-1",
            {"ActionId": "1000.1.1"},
        )
        assert book.open_changes(conn, ACCOUNT, ["1000.1.1", "x"]).keys() == {"1000.1.1"}


def test_what_was_ever_sent_for_an_action_is_known(ledger: Ledger) -> None:
    """A change that was only planned does not count, nor one of another action or program."""
    with ledger.begin() as conn:
        open_run(conn)
        held = [
            Action(
                id=name,
                campaign_id="1",
                state=Listed.PENDING,
                amount=Decimal(5),
                payout=Decimal(1),
                currency="USD",
                event_date=AT,
                creation_date=AT,
                oid="O-1",
            )
            for name in ("A-1", "A-2")
        ]
        save_actions(conn, Listing(ACCOUNT, "run-1", AT, str), held)
        add_change(conn, action_id="A-1")
        asked = ("lab", ACCOUNT, "A-1")
        assert not book.ever_sent(conn, *asked)
        conn.execute(changes.update().values(sent_at=AT, state="confirmed"))
        assert book.ever_sent(conn, *asked)
        assert not book.ever_sent(conn, "lab", ACCOUNT, "A-2")
        assert not book.ever_sent(conn, "other", ACCOUNT, "A-1")
