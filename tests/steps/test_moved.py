"""What moves between plan and proof: dropped and planned again, given up, contested, refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from clawback.impact.errors import Unavailable
from clawback.ledger.tables import actions, change_lines, changes, cursors, submissions
from clawback.steps import prove, submit
from clawback.steps.close import BooksDoNotBalanceError, close
from lab import Lab, Maker, action, back, cancelled, counted, held

HOUR = timedelta(hours=1)


def after(lab: Lab, step: str, act: Callable[[], Any]) -> dict[str, Any]:
    """A run in which something happens after a step; gives its books."""

    def tell(name: str, _: object) -> None:
        if name == step:
            lab.pass_time(seconds=30)
            act()
            lab.pass_time(seconds=30)

    return lab.run(world=lab.world(tell=tell))


def lowered(lab: Lab, one: dict[str, Any]) -> Callable[[], None]:
    return lambda: lab.act("modify", one["Id"], fields={"Sku": "A", "Amount": "70.00"})


def test_what_moved_after_the_plan_is_planned_again_in_the_same_run(lab_of: Maker) -> None:
    """A change planned on what no longer stands is dropped; what is right now is sent instead."""
    lab = lab_of([one := action("O-1", ("A", 4, "80.00")), action("O-2")])
    lab.rows = [back("O-1"), back("O-2")]
    books = after(lab, "plan_changes", lowered(lab, one))
    assert counted(books) == {"confirmed": 2}
    assert lab.items(one["Id"])["A"] == (3, 60)
    assert sorted(row["state"] for row in lab.table(changes)) == [
        "confirmed",
        "confirmed",
        "dropped",
    ]
    assert len(lab.writes) == 2


def test_what_settled_itself_after_the_plan_is_not_sent(lab_of: Maker) -> None:
    """An action that somebody has reversed since is settled; the same run says so."""
    lab = lab_of([one := action("O-1"), action("O-2")])
    lab.rows = [cancelled("O-1"), back("O-2")]
    books = after(lab, "plan_changes", lambda: lab.act("reverse", one["Id"]))
    assert counted(books) == {"confirmed": 1, "already_settled": 1}
    assert len(lab.writes) == 1


def test_what_a_person_must_see_is_not_sent_unseen(lab_of: Maker) -> None:
    """Where plans are approved, what moved after the plan waits for the next plan."""
    lab = lab_of([one := action("O-1", ("A", 4, "80.00"))])
    lab.choices = {"approval": {"changes": 1000}}
    lab.rows = [back("O-1")]
    books = after(lab, "plan_changes", lowered(lab, one))
    assert (counted(books), lab.writes) == ({"planned": 1}, [])
    lab.pass_time(hours=1)
    assert counted(lab.run()) == {"confirmed": 1}


@pytest.mark.parametrize("database", ["sqlite"])
def test_a_move_seen_after_planning_is_planned_by_the_next_run(lab_of: Maker) -> None:
    """An order that no row touches any more comes back when its action moved after the plan."""
    lab = lab_of([one := action("O-1", ("A", 4, "80.00")), two := action("O-2")])
    lab.rows = [back("O-1"), back("O-2")]
    lab.run()
    lab.pass_time(days=10)
    lab.rows = []
    lab.run()
    lab.act("reset", one["Id"])
    lab.pass_time(minutes=5)
    lab.run(order_ids=("O-2",))
    assert two["Id"] in lab.state()
    lab.pass_time(hours=1)
    assert held(lab.run()) == {"contested": 1}


def test_an_effect_undone_before_it_was_seen_is_contested(lab_of: Maker) -> None:
    """Somebody resets an action between our effect and our look: held, not rejected, not fought."""
    lab = lab_of([one := action("O-1", ("A", 4, "80.00"))], queue_latency=5.0)
    lab.choices = {"confirm": {"poll_seconds": 60, "deadline_minutes": 30}, "canary": 0}
    lab.rows = [back("O-1")]
    books = after(lab, "submit_changes 0", lambda: lab.act("reset", one["Id"]))
    assert held(books) == {"contested": 1}
    assert books["commission_recovered"] == "0.00"
    lab.pass_time(days=1)
    assert held(lab.run()) == {"contested": 1}
    assert len(lab.writes) == 1
    assert lab.items(one["Id"])["A"] == (4, 80)


def test_a_submission_that_failed_may_be_retried(lab_of: Maker) -> None:
    """Refused by the queue, then wanted again: it is sent anew, and the old reply says nothing."""
    lab = lab_of([one := action("O-1", ("A", 4, "80.00"))])
    lab.act("refuse", one["Id"], error_type="Validation", error_reason="NOT_TODAY")
    lab.rows = [back("O-1")]
    assert counted(lab.run()) == {"rejected": 1}
    lab.act("refuse", one["Id"])
    with lab.ledger.begin() as conn:
        conn.execute(update(actions).values(refused=None, generation=0))
    lab.pass_time(days=1)
    assert counted(lab.run()) == {"confirmed": 1}
    assert [row["state"] for row in lab.table(submissions)] == ["past", "queued"]
    assert len(lab.writes) == 2
    assert lab.items(one["Id"])["A"] == (3, 60)


class Deaf(httpx.BaseTransport):
    """A network that swallows every write before it arrives."""

    def __init__(self) -> None:
        self._inner = httpx.HTTPTransport()
        self.swallowed = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.method in {"PUT", "DELETE"}:
            self.swallowed += 1
            raise httpx.ReadTimeout("no answer", request=request)
        return self._inner.handle_request(request)

    def close(self) -> None:
        """Several clients use this one, one after the other."""
        self._inner.close()
        self._inner = httpx.HTTPTransport()


def test_a_change_that_stays_in_doubt_is_given_up(lab_of: Maker) -> None:
    """What three attempts left in doubt for longer than the program waits is planned anew."""
    lab = lab_of([one := action("O-1", ("A", 4, "80.00"))])
    lab.choices = {"confirm": {"deadline_minutes": 30, "give_up_hours": 5}, "canary": 0}
    lab.rows = [back("O-1")]
    deaf = Deaf()
    assert counted(lab.run(client={"transport": deaf})) == {"pending": 1}
    for _ in range(3):
        lab.pass_time(hours=1)
        assert counted(lab.run(client={"transport": deaf})) == {"pending": 1}
    assert deaf.swallowed == 3
    lab.pass_time(hours=3)
    lab.run(client={"transport": deaf})
    assert [row["state"] for row in lab.table(changes)] == ["dropped"]
    lab.pass_time(hours=1)
    assert counted(lab.run()) == {"confirmed": 1}
    assert (lab.items(one["Id"])["A"], len(lab.writes)) == ((3, 60), 1)


def test_what_was_just_sent_again_is_not_lost(lab_of: Maker) -> None:
    """A change in doubt for days that is sent again is waited for from then on."""
    lab = lab_of([action("O-1", ("A", 4, "80.00"))], queue_latency=30.0)
    lab.choices = {"confirm": {"deadline_minutes": 30}, "canary": 0}
    lab.rows = [back("O-1")]
    lab.strike({"fault": "server_error", "kinds": ["get_action"]})
    with pytest.raises(Unavailable):
        lab.run(client={"transport": Deaf()})
    lab.strike()
    lab.pass_time(days=3)
    books = lab.run()
    assert (counted(books), books["commission_recovered"]) == ({"confirmed": 1}, "2.00")
    assert len(lab.writes) == 1


def test_what_is_sent_again_never_rises(lab_of: Maker) -> None:
    """A change in doubt whose item somebody has lowered further leaves that item alone."""
    one = action("O-1", ("A", 4, "80.00"), ("B", 4, "80.00"))
    lab = lab_of([one])
    lab.choices = {"confirm": {"deadline_minutes": 30}, "canary": 0}
    lab.rows = [back("O-1"), back("O-1", "B", id="R-b")]
    lab.run(client={"transport": Deaf()})
    lab.act("modify", one["Id"], fields={"Sku": "A", "Quantity": "1", "Amount": "20.00"})
    for _ in range(2):
        lab.pass_time(hours=1)
        lab.run()
    assert lab.items(one["Id"]) == {"A": (1, 20), "B": (3, 60)}


def test_an_action_that_is_gone_ends_its_change_alone(lab_of: Maker) -> None:
    """In doubt, and impact.com knows the action no more: it is rejected, the run goes on."""
    lab = lab_of([one := action("O-1"), action("O-2")])
    lab.choices = {"confirm": {"deadline_minutes": 30}, "canary": 0}
    lab.rows = [back("O-1"), back("O-2")]
    lab.run(client={"transport": Deaf()})
    lab.pass_time(hours=1)
    gone = {"fault": "server_error", "status": 404, "kinds": ["get_action"]}
    lab.strike(gone | {"contains": one["Id"].replace(".", "[.]") + "(?![0-9])"})
    assert counted(lab.run()) == {"rejected": 1, "pending": 1}
    assert "404" in lab.notes()


def test_a_busy_listing_is_waited_for(lab_of: Maker) -> None:
    """While another process lists the account, nothing is sent; afterwards it goes on."""
    lab = lab_of([action("O-1")])
    lab.rows = [back("O-1")]
    waited: list[str] = []

    def hold(name: str, _: object) -> None:
        if name == "approve_changes":
            lab.pass_time(minutes=20)
            until = lab.clock.now() + timedelta(minutes=1)
            with lab.ledger.begin() as conn:
                conn.execute(update(cursors).values(lease="another", lease_until=until))
            rt = lab.runtime(lab.table(changes)[0]["run_id"])
            with lab.client(rt) as client:
                for step in (prove.prove(rt, client), submit.submit(rt, client, 0)):
                    waited.append(step.waiting_for)
                    assert (step.done, lab.writes) == (False, [])

    assert counted(lab.run(world=lab.world(tell=hold))) == {"confirmed": 1}
    assert waited == ["listing", "listing"]


def test_a_failed_canary_holds_what_is_like_it(lab_of: Maker) -> None:
    """A form of request that impact.com refuses is sent for the canary only; the rest is held."""
    lab = lab_of([action(f"O-{n}", ("A", 4, f"{80 + n}.00")) for n in range(4)] + [action("O-9")])
    lab.choices = {"canary": 2}
    lab.strike({"fault": "failed_submission", "kinds": ["modify"]})
    lab.rows = [back(f"O-{n}") for n in range(4)] + [cancelled("O-9")]
    books = lab.run()
    assert counted(books) == {"rejected": 1, "held": 3, "confirmed": 1}
    assert held(books) == {"canary_failed": 3}
    assert len(lab.writes) == 2


def test_money_that_does_not_add_up_unbalances_the_books(lab_of: Maker) -> None:
    """Shares that are not what left the payout fail the run, and the books say by how much."""
    lab = lab_of([action("O-1"), action("O-2")])
    lab.rows = [back("O-1"), back("O-2")]

    def spoil(name: str, _: object) -> None:
        if name == "confirm_changes":
            share = lab.table(change_lines)[0]
            here = change_lines.c.line_id == share["line_id"]
            with lab.ledger.begin() as conn:
                conn.execute(update(change_lines).where(here).values(payout=Decimal("1.50")))

    with pytest.raises(BooksDoNotBalanceError, match=r"0\.50 USD"):
        lab.run(run_id="spoilt", world=lab.world(tell=spoil))
    with pytest.raises(BooksDoNotBalanceError, match="unexplained"):
        close(lab.runtime("spoilt"))
