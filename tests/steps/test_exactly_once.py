"""Whatever dies or answers badly, every effect comes about once and every line is explained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest

from clawback.errors import ClawbackError
from clawback.impact.errors import AuthenticationError, Unavailable
from clawback.ledger.tables import changes, events, evidence, runs, submissions
from clawback.steps import approve, confirm, extract, plan, preflight, sheet, submit, sync
from clawback.steps.close import close
from clawback.steps.runtime import RunKind, RunRequest, Runtime
from lab import Lab, Maker, action, back, cancelled, counted, held

REQUEST = RunRequest(RunKind.MANUAL)


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours catches it."""


class Falling(httpx.BaseTransport):
    """A network on which the process dies just after impact.com took a write, or `before`."""

    def __init__(self, *, before: bool = False) -> None:
        self._real, self._before = httpx.HTTPTransport(), before

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self._before and request.method in {"PUT", "DELETE"}:
            raise Killed
        response = self._real.handle_request(request)
        if request.method in {"PUT", "DELETE"}:
            response.read()
            response.close()
            raise Killed
        return response

    def close(self) -> None:
        self._real.close()


def prepared(lab: Lab) -> Runtime:
    """A run that has come as far as submit."""
    rt = lab.runtime()
    preflight.preflight(rt, REQUEST, lab.server.account_sid)
    extract.extract(rt, lab.connect)
    with lab.client(rt) as client:
        sync.sync(rt, client)
    plan.plan(rt)
    approve.approve(rt, by="the test")
    return rt


def die_in_submit(lab: Lab, rt: Runtime) -> None:
    with pytest.raises(Killed), lab.client(rt, transport=Falling()) as client:
        submit.submit(rt, client, 0)


def go_on(lab: Lab, rt: Runtime) -> dict[str, Any]:
    """What a retry does from submit on; gives the books."""
    with lab.client(rt) as client:
        until_done(lab, partial(submit.submit, rt, client, 0))
        until_done(lab, partial(confirm.confirm, rt, client))
    return close(rt)


def void(lab: Lab) -> None:
    """The warehouse voids the one line there is."""
    lab.rows = [back("O-1", voided=True, updated=lab.clock.now() - timedelta(seconds=1))]


def until_done(lab: Lab, step: Callable[[], Any]) -> None:
    while not (progress := step()).done:
        lab.until(progress.wait_until + timedelta(seconds=1))


def test_a_kill_between_intent_and_answer_has_one_effect(lab_of: Maker) -> None:
    """A retry reads back what it left in doubt; what has arrived is not sent again."""
    lab = lab_of([one := action("O-1")])
    lab.rows = [back("O-1")]
    rt = prepared(lab)
    die_in_submit(lab, rt)
    assert [row["state"] for row in lab.table(changes)] == ["sending"]
    lab.pass_time(minutes=5)
    books = go_on(lab, rt)
    assert counted(books) == {"confirmed": 1}
    assert (books["commission_recovered"], len(lab.writes)) == ("2.00", 1)
    assert lab.items(one["Id"])["A"] == (1, 20)


def test_a_reversal_in_doubt_has_one_effect(lab_of: Maker) -> None:
    """The same for a DELETE, which impact.com would refuse the second time."""
    lab = lab_of([one := action("O-1")])
    lab.rows = [cancelled("O-1")]
    rt = prepared(lab)
    die_in_submit(lab, rt)
    lab.pass_time(minutes=5)
    assert counted(go_on(lab, rt)) == {"confirmed": 1}
    assert (len(lab.writes), lab.state()[one["Id"]]["State"]) == (1, "REVERSED")


@pytest.mark.parametrize("latency", [2, 3600])
def test_what_a_dead_run_left_in_doubt_is_ended_by_the_next(lab_of: Maker, latency: int) -> None:
    """A change in `sending` whose run never comes back is settled by the next run."""
    lab = lab_of([one := action("O-1")], queue_latency=latency)
    lab.rows = [back("O-1")]
    die_in_submit(lab, prepared(lab))
    lab.pass_time(hours=2)
    books = lab.run()
    assert counted(books) == {"confirmed": 1}
    assert (books["commission_recovered"], len(lab.writes)) == ("2.00", 1)
    assert lab.items(one["Id"])["A"] == (1, 20)


@pytest.mark.parametrize("database", ["sqlite"])
def test_what_a_dead_run_read_is_explained_by_the_next(lab_of: Maker) -> None:
    """A line that only a dead run has read gets its word though the warehouse lost its order."""
    lab = lab_of([one := action("O-1")])
    lab.rows = [back("O-1")]
    die_in_submit(lab, prepared(lab))
    lab.rows = []
    lab.pass_time(days=2)
    books = lab.run()
    assert (counted(books), books["carried_in"]) == ({"confirmed": 1}, 1)
    assert (books["commission_recovered"], len(lab.writes)) == ("2.00", 1)
    assert lab.items(one["Id"])["A"] == (1, 20)
    lab.pass_time(days=1)
    assert counted(lab.run()) == {}


@pytest.mark.parametrize("database", ["sqlite"])
def test_what_a_dry_run_read_is_not_taken_up(lab_of: Maker) -> None:
    """A dry run that died leaves nothing for the next run to act on."""
    lab = lab_of([action("O-1")])
    lab.rows = [back("O-1")]
    rt = lab.runtime()
    dry = replace(REQUEST, dry_run=True)
    preflight.preflight(rt, dry, lab.server.account_sid)
    extract.extract(rt, lab.connect)
    lab.rows = []
    lab.pass_time(days=2)
    assert (counted(lab.run()), lab.writes) == ({}, [])


@pytest.mark.parametrize("database", ["sqlite"])
def test_an_intent_whose_return_was_withdrawn_is_not_sent_again(lab_of: Maker) -> None:
    """What a dead run meant to send and never did is not sent for a line that was voided since."""
    lab = lab_of([one := action("O-1")])
    lab.rows = [back("O-1")]
    rt = prepared(lab)
    with pytest.raises(Killed), lab.client(rt, transport=Falling(before=True)) as client:
        submit.submit(rt, client, 0)
    lab.pass_time(days=1)
    void(lab)
    assert counted(lab.run()) == {"planned": 1}
    lab.pass_time(days=1)
    assert (counted(lab.run()), lab.writes) == ({"ignored": 1}, [])
    assert lab.items(one["Id"])["A"] == (2, 40)


@pytest.mark.parametrize("database", ["sqlite"])
@pytest.mark.parametrize("seen", [False, True])
def test_what_was_taken_off_for_a_withdrawn_line_is_booked(lab_of: Maker, seen: bool) -> None:
    """An effect is in the books though its line was voided before any; then a person must see."""
    lab = lab_of([action("O-1")])
    lab.rows = [back("O-1")]
    rt = prepared(lab)
    die_in_submit(lab, rt)
    if seen:
        lab.pass_time(minutes=5)
        with lab.client(rt) as client:
            until_done(lab, partial(submit.submit, rt, client, 0))
            until_done(lab, partial(confirm.confirm, rt, client))
    lab.pass_time(days=1)
    void(lab)
    books = lab.run()
    assert (counted(books), books["commission_recovered"]) == ({"confirmed": 1}, "2.00")
    for _ in range(2):
        lab.pass_time(days=1)
        books = lab.run()
        assert (held(books), books["commission_recovered"]) == ({"restore_needed": 1}, "0.00")
    assert len(lab.writes) == 1


@pytest.mark.parametrize("fault", ["reset", "timeout_after", "html", "server_error"])
def test_a_write_whose_answer_is_lost_has_one_effect(lab_of: Maker, fault: str) -> None:
    """Broken connections, time-outs, HTML and 5xx on a write end with the effect, once."""
    lab = lab_of([one := action("O-1", ("A", 4, "80.00"))])
    lab.strike({"fault": fault, "kinds": ["modify"], "times": 1, "seconds": 0.1})
    lab.rows = [back("O-1")]
    books = lab.run()
    if counted(books) != {"confirmed": 1}:
        lab.pass_time(hours=1)
        books = lab.run()
    assert counted(books) == {"confirmed": 1}
    assert lab.items(one["Id"])["A"] == (3, 60)
    assert lab.state()[one["Id"]]["_modifications"] <= 2


def test_steps_may_be_repeated(lab_of: Maker) -> None:
    """Each step called twice, as after a crash, comes to the same books as once."""
    lab = lab_of([action("O-1"), action("O-2")])
    lab.rows = [back("O-1"), cancelled("O-2"), back("O-3")]
    rt = lab.runtime()
    for _ in range(2):
        preflight.preflight(rt, REQUEST, lab.server.account_sid)
    for _ in range(2):
        extract.extract(rt, lab.connect)
    with lab.client(rt) as client:
        for _ in range(2):
            sync.sync(rt, client)
        for _ in range(2):
            plan.plan(rt)
        for _ in range(2):
            approve.approve(rt, by="the test")
        for _ in range(2):
            until_done(lab, partial(submit.submit, rt, client, 0))
        plan.plan(rt)
        for _ in range(2):
            until_done(lab, partial(confirm.confirm, rt, client))
    books = close(rt)
    assert counted(books) == {"confirmed": 2, "not_attributed": 1}
    assert (close(rt), len(lab.writes)) == (books, 2)


def test_a_spent_budget_waits_and_goes_on(lab_of: Maker) -> None:
    """With the hour's requests spent, submit asks to be called again when they come back."""
    lab = lab_of([action(f"O-{n}") for n in range(8)], rate_limit="8/3600")
    lab.rows = [back(f"O-{n}") for n in range(8)]
    lab.choices = {"budget": {"reserve_share": 0}}
    rt = prepared(lab)
    with lab.client(rt) as client:
        progress = submit.submit(rt, client, 0)
    assert (progress.done, progress.waiting_for) == (False, "budget")
    assert progress.wait_until is not None
    assert timedelta(minutes=30) < progress.wait_until - lab.clock.now() <= timedelta(minutes=62)
    assert not [entry for entry in lab.requests() if entry["status"] == 429]
    assert counted(go_on(lab, rt)) == {"confirmed": 8}
    assert len(lab.writes) == 8


def test_what_a_stopped_run_has_not_sent_is_planned(lab_of: Maker) -> None:
    """A run that ends before it sent leaves its lines planned, and the next one sends them."""
    lab = lab_of([action("O-1")])
    lab.rows = [back("O-1")]
    books = close(prepared(lab))
    assert (counted(books), books["commission_recovered"]) == ({"planned": 1}, "0.00")
    assert counted(lab.run()) == {"confirmed": 1}
    assert len(lab.writes) == 1


def test_a_run_that_dies_before_planning_explains_what_it_read(lab_of: Maker) -> None:
    """Lines that were read and never planned are planned for the next run."""
    lab = lab_of([action("O-1")])
    lab.rows = [back("O-1")]
    lab.strike({"fault": "server_error", "kinds": ["list_actions"]})
    with pytest.raises(Unavailable):
        lab.run(run_id="broken")
    (row,) = lab.table(runs)
    assert row["books"] is not None
    assert counted(row["books"]) == {"planned": 1}
    lab.strike()
    assert counted(lab.run()) == {"confirmed": 1}


def test_a_run_that_dies_while_planning_balances(
    lab_of: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan that broke off half-way leaves no line unexplained."""
    lab = lab_of([action(f"O-{n}") for n in range(4)])
    lab.rows = [back(f"O-{n}") for n in range(4)]
    monkeypatch.setattr(plan, "_BATCH", 1)
    monkeypatch.setattr(plan, "_TOGETHER", 1)
    real, calls = sheet.Planner.sheet, []

    def falling(*args: Any, **more: Any) -> Any:
        calls.append(args)
        if len(calls) > 2:
            raise ClawbackError("the power went out")
        return real(*args, **more)

    monkeypatch.setattr(sheet.Planner, "sheet", falling)
    with pytest.raises(ClawbackError, match="power"):
        lab.run(run_id="broken")
    (row,) = lab.table(runs)
    assert counted(row["books"]) == {"planned": 4}
    assert row["books"]["unexplained"] == 0


def test_a_wrong_token_stops_before_anything_is_written(lab_of: Maker) -> None:
    """401 ends the run with one sentence; the books close and nothing was sent."""
    lab = lab_of([action("O-1")])
    lab.rows = [back("O-1")]
    wrong = replace(lab.account, auth_token="Wr0ngToken")
    with pytest.raises(AuthenticationError) as caught:
        lab.run(world=lab.world(account=wrong))
    assert "Wr0ngToken" not in str(caught.value)
    assert lab.writes == []
    assert counted(lab.run()) == {"confirmed": 1}


def test_a_token_without_the_right_to_write_leaves_all_planned(lab_of: Maker) -> None:
    """403 on the first write stops the run; every unsent change is still planned."""
    lab = lab_of([action("O-1"), action("O-2")])
    lab.rows = [back("O-1"), back("O-2")]
    lab.strike({"fault": "no_write_scope"})
    with pytest.raises(ClawbackError):
        lab.run()
    assert {row["state"] for row in lab.table(changes)} == {"planned"}
    assert len(lab.writes) == 1
    lab.strike()
    assert counted(lab.run()) == {"confirmed": 2}


def test_two_runs_over_the_same_days_write_once(lab_of: Maker) -> None:
    """A backfill beside a daily run: one change, one effect, money in one of the books only."""
    lab = lab_of([one := action("O-1")])
    lab.rows = [back("O-1")]
    first, second = prepared(lab), prepared(lab)
    books = [go_on(lab, first), go_on(lab, second)]
    assert sorted(b["commission_recovered"] for b in books) == ["0.00", "2.00"]
    assert (len(lab.writes), lab.items(one["Id"])["A"]) == (1, (1, 20))
    assert all(b["unexplained"] == 0 for b in books)


def test_what_has_happened_stays_told(lab_of: Maker) -> None:
    """Events and evidence are only ever appended: a later run changes none of the earlier."""
    lab = lab_of([action("O-1", ("A", 4, "80.00"))])
    lab.rows = [back("O-1")]
    lab.run()
    before = {table.name: lab.table(table) for table in (events, evidence)}
    assert all(before.values())
    lab.rows.append(back("O-1", id="R-2"))
    lab.pass_time(hours=1)
    lab.run()
    for table in (events, evidence):
        after = sorted(lab.table(table), key=lambda row: row["id"])
        assert after[: len(before[table.name])] == before[table.name]
        assert len(after) > len(before[table.name])


def test_the_token_is_nowhere(lab_of: Maker) -> None:
    """Neither ledger nor books hold the account's token after a whole run."""
    lab = lab_of([action("O-1")])
    lab.rows = [back("O-1"), back("O-2", quantity=-1)]
    books = lab.run()
    token = lab.server.auth_token
    assert token not in str(books)
    for table in (changes, submissions):
        assert token not in str(lab.table(table))
    if lab.ledger.engine.dialect.name == "sqlite":
        raw = b"".join(path.read_bytes() for path in lab.home.glob("ledger.db*"))
        assert token.encode() not in raw
