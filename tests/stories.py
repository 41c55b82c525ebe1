"""What happens in the live Airflow: stories that go on at the same time, each in its own store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import insert, select, update

from clawback.ledger.store import Ledger
from clawback.ledger.tables import actions, approvals, changes
from live import Live
from stores import EXAMPLE, MONTH, SICK, drifting_rows, spread
from street import NOW, Store, back

Told = dict[str, Any]
GATE = "approve_changes"


# --- approvals ------------------------------------------------------------------------------


def approved(live: Live, store: Store) -> Told:
    """The scheduler's own run is over the threshold; a person approves it."""
    live.pause(EXAMPLE, paused=False)
    run = live.first(store.dag)
    shown = live.question(store.dag, run, GATE)
    before = store.writes()
    asked = live.links(store.dag, run, GATE)
    live.answer(store.dag, run, GATE, "Approve")
    tasks = live.ended(store.dag, run)
    sent = live.links(store.dag, run, "submit_changes", index=0)
    [export] = live.until("the downstream Dag", lambda: live.runs(EXAMPLE))
    live.ended(EXAMPLE, export["dag_run_id"])
    return {
        "shown": shown["body"],
        "before": before,
        "asked": asked,
        "sent": sent,
        "page": live.page(sent["Run in the Returns page"]),
        "stranger": live.page(sent["Run in the Returns page"], known=False),
        "tasks": tasks,
        "books": live.books(store.dag, run),
        "items": [store.items(order) for order in store.ids],
        "export": live.log(EXAMPLE, export["dag_run_id"], "export"),
    }


def refused(live: Live, store: Store) -> Told:
    """A person refuses, and thinks better of it: the decision lets the next run ask again."""
    run = live.first(store.dag)
    live.question(store.dag, run, GATE)
    live.answer(store.dag, run, GATE, "Reject", "looks doubled")
    tasks = live.ended(store.dag, run)
    books = live.books(store.dag, run)
    decision = {
        "program": store.name,
        "hold": "approval_refused",
        "verb": "retry",
        "reason": "the rows were checked",
    }
    live.pause("hold_decisions", paused=False)
    wrong = {"logical_date": None, "conf": decision | {"verb": "shrug"}}
    live.ask("POST", "/dags/hold_decisions/dagRuns", wrong, status=400)
    decided = live.trigger("hold_decisions", **decision)
    live.ended("hold_decisions", decided)
    writes = store.writes()
    again = live.trigger(store.dag)
    live.question(store.dag, again, GATE)
    live.answer(store.dag, again, GATE, "Approve")
    live.ended(store.dag, again)
    return {
        "tasks": tasks,
        "books": books,
        "decided": live.xcom("hold_decisions", decided, "decide"),
        "after": live.books(store.dag, again),
        "explained": explained(live, "O-1", store.name),
        "writes": writes,
    }


def explained(live: Live, order: str, program: str) -> str:
    from clawback.steps.explain import explain

    with Ledger.open(live.ledger_url) as ledger:
        return "\n".join(" ".join(map(str, entry)) for entry in explain(ledger, order, program))


def late(live: Live, store: Store) -> Told:
    """Nobody answers; a later run asks again, and is approved in the end."""
    first = live.first(store.dag)
    tasks = live.ended(store.dag, first)
    books, writes = live.books(store.dag, first), store.writes()
    answered = live.until("an answer in time", lambda: answer_the_next(live, store, first))
    live.ended(store.dag, answered)
    live.pause(store.dag, paused=True)
    return {
        "tasks": tasks,
        "books": books,
        "writes": writes,
        "after": live.books(store.dag, answered),
    }


def answer_the_next(live: Live, store: Store, first: str) -> str:
    """Approve a later run that asks; empty if none does just now, or it was too late for it."""
    for run in live.runs(store.dag, state="running"):
        name = str(run["dag_run_id"])
        if name != first and live.asks(store.dag, name, GATE):
            try:
                live.answer(store.dag, name, GATE, "Approve")
            except AssertionError:
                return ""
            return name if signed(live, store) else ""
    return ""


def signed(live: Live, store: Store) -> bool:
    """Whether somebody has approved changes of the store."""
    with Ledger.open(live.ledger_url) as ledger, ledger.read() as conn:
        here = select(approvals.c.id).where(approvals.c.run_id.startswith(f"{store.dag}/"))
        return conn.execute(here.limit(1)).first() is not None


# --- backfills ------------------------------------------------------------------------------


def days(live: Live, store: Store) -> Told:
    """Airflow's own backfill over thirty days: dry as it comes, then live, and live again."""
    live.ended(store.dag, live.first(store.dag))
    store.put(spread())
    counts = []
    sends = ("--dag-run-conf", '{"dry_run": false}')
    for conf in ((), sends, sends):
        live.cli(
            *("backfill", "create", "--dag-id", store.dag, "--max-active-runs", "3"),
            *("--from-date", f"{MONTH[0]:%Y-%m-%d}", "--to-date", f"{MONTH[1]:%Y-%m-%d}"),
            *("--reprocess-behavior", "completed", *conf),
        )
        runs = [str(run["dag_run_id"]) for run in backfilled(live, store)]
        for run in runs:
            live.ended(store.dag, run)
        live.until("the end of the backfill", lambda: over(live, store))
        counts.append((len(runs), store.writes()))
    return {"counts": counts, "items": [store.items(order) for order in store.ids]}


def over(live: Live, store: Store) -> bool:
    """Whether Airflow takes every backfill of the Dag for done; until then there is no other."""
    found = live.ask("GET", f"/backfills?dag_id={store.dag}")["backfills"]
    return all(backfill["completed_at"] for backfill in found)


def backfilled(live: Live, store: Store) -> list[dict[str, Any]]:
    return live.runs(store.dag, run_type="backfill")


def span(live: Live, store: Store) -> Told:
    """returns_backfill over thirty days: with a wrong value, dry, live, and live again."""
    live.pause("returns_backfill", paused=False)
    window = {
        "program": store.name,
        "window_start": MONTH[0].isoformat(),
        "window_end": MONTH[1].isoformat(),
        "window_days": 16,
    }
    wrong = {"logical_date": None, "conf": window | {"window_start": "yesterday"}}
    live.ask("POST", "/dags/returns_backfill/dagRuns", wrong, status=400)
    writes = []
    for choice in ({}, {"dry_run": False}, {"dry_run": False}):
        run = live.trigger("returns_backfill", **window, **choice)
        live.ended("returns_backfill", run)
        writes.append(store.writes())
    found = [ti for ti in live.instances("returns_backfill", run) if ti["map_index"] >= 0]
    return {
        "writes": writes,
        "names": sorted(str(ti["rendered_map_index"]) for ti in found),
        "items": [store.items(order) for order in store.ids],
    }


# --- reset ----------------------------------------------------------------------------------


def undone(live: Live, store: Store) -> Told:
    """Orders are settled, one is locked; a return is withdrawn; reset, refused at first.

    The order O-8 locks in three hours, and impact.com's queue takes two.
    """
    live.ended(store.dag, live.first(store.dag))
    slow_queue(live, store, timedelta(hours=2))
    settled = {order: store.items(order) for order in store.ids}
    left = [back(f"O-{n}") for n in (2, 3, 8, 9)]
    store.put([back("O-1", voided=True, updated=NOW), *left])
    live.pause(store.reset_dag, paused=False)
    wanted = {"targets": ["O-1", "O-2", "O-8", "O-9"], "reason": "the return of O-1 was withdrawn"}
    path = f"/dags/{store.reset_dag}/dagRuns"
    live.ask("POST", path, {"logical_date": None, "conf": wanted | {"targets": []}}, status=400)
    writes = [store.writes()]
    no = live.trigger(store.reset_dag, **wanted)
    live.question(store.reset_dag, no, "approve_reset")
    live.answer(store.reset_dag, no, "approve_reset", "Reject", "not yet")
    refusal = live.ended(store.reset_dag, no)
    writes.append(store.writes())
    run = live.trigger(store.reset_dag, **wanted)
    shown = live.question(store.reset_dag, run, "approve_reset")
    live.answer(store.reset_dag, run, "approve_reset", "Approve")
    tasks = live.ended(store.reset_dag, run)
    return {
        "settled": settled,
        "refusal": refusal,
        "writes": writes,
        "shown": shown["body"],
        "tasks": tasks,
        "items": {order: store.items(order) for order in store.ids},
        "books": live.books(store.reset_dag, run),
        "explained": explained(live, "O-1", store.name),
    }


def slow_queue(live: Live, store: Store, latency: timedelta) -> None:
    """Let the ledger have seen that every change took so long to show."""
    mine = (changes.c.program == store.name) & changes.c.settled_at.is_not(None)
    with Ledger.open(live.ledger_url) as ledger, ledger.begin() as conn:
        for row in conn.execute(select(changes.c.id, changes.c.settled_at).where(mine)).all():
            sent = update(changes).where(changes.c.id == row.id)
            conn.execute(sent.values(sent_at=row.settled_at - latency))


# --- audit and doctor -----------------------------------------------------------------------


def drifted(live: Live, store: Store) -> Told:
    """Orders are settled, then drift in six ways; the audit finds them and hands them over."""
    live.ended(store.dag, live.first(store.dag))
    store.put([*drifting_rows()[:5], back("O-9")])
    live.pause("returns_backfill", paused=False)
    only = {"program": store.name, "order_ids": ["O-9"], "dry_run": False}
    live.ended("returns_backfill", live.trigger("returns_backfill", **only))
    store.act("modify", "O-1", fields={"Sku": "A", "Quantity": "2", "Amount": "35.00"})
    store.act("reset", "O-2")
    store.act("contract", "O-3", factor="1.5")
    store.act("modify", "O-3", fields={"Sku": "B", "Quantity": "1", "Amount": "60.00"})
    unlist(live, store, "O-4")
    store.act("lock", "O-9")
    writes = store.writes()
    # The weekly run that unpausing starts would look at the sick programs as well.
    live.abandon("reconciliation_audit", live.first("reconciliation_audit"))
    audits = live.trigger("reconciliation_audit", programs=[store.name], hand_over=True)
    live.ended("reconciliation_audit", audits)
    handed = f"audit__{store.name}__{audits}"
    live.ended("returns_backfill", handed)
    return {
        "told": live.xcom("reconciliation_audit", audits, "audit_program", index=0),
        "handed": live.ask("GET", f"/dags/returns_backfill/dagRuns/{handed}")["conf"],
        "done": live.xcom("returns_backfill", handed, "reconcile_window", index=0),
        "writes": store.writes() - writes,
    }


def unlist(live: Live, store: Store, order: str) -> None:
    """Put an action into the ledger that impact.com does not list."""
    mine = actions.c.account == store.server.account_sid
    with Ledger.open(live.ledger_url) as ledger, ledger.begin() as conn:
        row = conn.execute(select(actions).where(mine, actions.c.oid == order)).mappings().one()
        conn.execute(insert(actions).values({**row, "id": "9.9.9", "tracker_id": "7777"}))


def examined(live: Live, store: Store) -> Told:
    """The doctor looks at twelve broken programs and at a sound one, in one run."""
    live.pause("account_doctor", paused=False)
    names = [*(f"sick_{name}" for name in SICK), store.name]
    run = live.trigger("account_doctor", programs=names)
    live.ended("account_doctor", run, "failed")
    found = {}
    for index, name in enumerate(names):
        checks = live.xcom("account_doctor", run, "examine_program", index=index, key="checks")
        found[name] = {check["name"]: check for check in checks}
    states = {
        names[ti["map_index"]]: (ti["state"], ti["try_number"], ti["rendered_map_index"])
        for ti in live.instances("account_doctor", run)
        if ti["map_index"] >= 0
    }
    sick = names.index("sick_campaign")
    log = live.log("account_doctor", run, "examine_program", index=sick)
    return {"checks": found, "states": states, "log": log}


STORIES: dict[str, Callable[[Live, Store], Told]] = {
    "late": late,
    "days": days,
    "undone": undone,
    "drifted": drifted,
    "approved": approved,
    "refused": refused,
    "span": span,
}
