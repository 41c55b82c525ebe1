"""The Returns page: what each page of it shows, and that nothing in it is taken for markup."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import event, update

from clawback.ledger import runs as stock
from clawback.ledger.changes import ChangeState
from clawback.ledger.tables import changes, runs
from clawback.monitor import pages, plan, words
from clawback.monitor import runs as listed
from clawback.monitor.pages import AbsentError
from clawback.monitor.plan import SORTS, Which
from clawback.monitor.site import Reader
from clawback.reconcile.outcomes import Hold, Outcome
from clawback.steps.explain import explain
from lab import Lab, action, back

Maker = Callable[..., Lab]


def text(page: pages.Page) -> str:
    """What a page says, its markup taken away."""
    shown = re.sub(r"<style>.*?</style>|<[^>]+>", " ", page.html, flags=re.DOTALL)
    return " ".join(shown.split())


RUN = "returns_reconciliation__lab/manual__2026-11-20T12:00:00+00:00"
DRY = "returns_reconciliation__lab/manual__2026-11-20T13:00:00+00:00"
FIVE = [f"F-{n}" for n in range(1, 6)]


def run_page(lab: Lab, reader: Reader, run: str = RUN, **which: Any) -> pages.Page:
    return pages.run_page(lab.ledger, reader, run, Which(**which))


@pytest.fixture
def own(lab_of: Maker) -> Lab:
    """A lab that a test may do something to; its one run has confirmed an order."""
    lab = lab_of([action("O-1")])
    lab.rows = [back("O-1")]
    lab.run(run_id=RUN)
    return lab


def test_a_run_shows_its_books(ran: Lab, reader: Reader) -> None:
    """Lines, money, holds, requests and changes stand there as the frozen books have them."""
    said = text(run_page(ran, reader))
    assert "balanced" in said
    assert "4 return lines: 4 read, 0 carried in" in said
    assert "2 of 2 changes confirmed" in said
    assert "confirmed 2" in said
    assert "unknown sku 1 the returned SKU stands on no item" in said
    assert "not attributed 1" in said
    assert "402.00 USD commission recovered" in said
    assert "list actions" in said


def test_a_run_shows_its_whole_plan(ran: Lab, reader: Reader) -> None:
    """Each change is a row: order, action, partner, money before and after, and its state."""
    page = run_page(ran, reader)
    assert "2 changes · CSV" in text(page)
    assert "=1+1 1000.4636." in text(page)
    assert "4,060.00 → 0.00" not in text(page)
    assert "4,000.00 → 0.00" in text(page)
    assert "/returns/order?program=lab&amp;id=O-1" in page.html
    assert "/dags/returns_reconciliation__lab/runs/manual__2026-11-20T12%3A00" in page.html


def test_nothing_of_others_is_taken_for_markup(ran: Lab, reader: Reader) -> None:
    """A partner's name, a SKU and a note with markup in them are shown, and do nothing."""
    shown = [
        run_page(ran, reader),
        pages.held_page(ran.ledger, reader, "lab", "", 1),
        pages.order_page(ran.ledger, reader, "lab", "O-3"),
        pages.message(reader, 404, "<script>", "<script>", "javascript:<script>"),
    ]
    for page in shown:
        assert "<script" not in page.html
        assert "&lt;script&gt;" in page.html


def test_the_plan_as_csv_holds_no_formula(ran: Lab, reader: Reader) -> None:
    """All changes are there, and what a spreadsheet would work out is led by an apostrophe."""
    run = pages.run_for(ran.ledger, reader, RUN)
    found = list(csv.DictReader(pages.plan_csv(ran.ledger, run)))
    assert sorted(row["order_id"] for row in found) == ["'=1+1", "O-1"]


def orders_of(page: pages.Page) -> list[str]:
    return re.findall(r"id=(F-\d)\"", page.html)


def test_a_plan_is_sorted_and_leafed_through(
    ran: Lab, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By commission, a page at a time, forwards and back; a page too far is the last one."""
    monkeypatch.setattr(plan, "PAGE", 2)
    by = {"sort": "commission", "down": True}
    leaves = [run_page(ran, reader, DRY, page=n, **by) for n in (1, 2, 3, 9)]
    assert [orders_of(leaf) for leaf in leaves] == [
        ["F-5", "F-4"],
        ["F-3", "F-2"],
        ["F-1"],
        ["F-1"],
    ]
    assert "5 to 5 of 5" in text(leaves[2])
    assert "page=2" in leaves[0].html
    assert 'aria-sort="descending"' in leaves[0].html


def test_a_plan_can_be_sorted_by_each_column(ran: Lab, reader: Reader) -> None:
    """Every heading sorts, up and down, and an unknown one does no harm."""
    for sort in (*SORTS, "nonsense"):
        for down in (True, False):
            page = run_page(ran, reader, DRY, sort=sort, down=down)
            assert sorted(orders_of(page)) == FIVE, (sort, down)


def test_a_large_plan_is_not_sorted_but_shown(
    ran: Lab, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What would take long is left out, and the page says so."""
    monkeypatch.setattr(plan, "COUNTED", 4)
    monkeypatch.setattr(listed, "COUNTED", 4)
    page = run_page(ran, reader, DRY, sort="commission")
    assert len(orders_of(page)) == 5
    assert "too many to count by state" in text(page)
    assert "stands in the order in which it is sent" in text(page)
    assert "sort=" not in page.html


def test_an_open_run_says_how_far_it_is(own: Lab, reader: Reader) -> None:
    """Before its books are closed, a run shows its plan and its requests."""
    with own.ledger.begin() as conn:
        stock.set_run(conn, RUN, books=None, closed_at=None)
    said = text(run_page(own, reader))
    assert "its books are written when it closes" in said
    assert "planned 1 changes" in said
    assert "its books are written" in text(pages.overview(own.ledger, reader))


def test_books_that_do_not_balance_are_shouted(own: Lab, reader: Reader) -> None:
    """Nobody overlooks that nothing of the run can be believed."""
    with own.ledger.begin() as conn:
        books = stock.get_run(conn, RUN).books or {}
        stock.set_run(conn, RUN, books=books | {"unexplained": 3})
    said = text(run_page(own, reader))
    assert "The books do not balance. 3 lines are unexplained" in said
    assert "does not balance" in text(pages.overview(own.ledger, reader))


def test_an_order_is_told_as_explain_tells_it(ran: Lab, reader: Reader) -> None:
    """Every entry of `clawback explain` stands there, in its order."""
    page = pages.order_page(ran.ledger, reader, "lab", "O-1")
    shown = re.findall(r"<b>(.*?)</b>", page.html)
    assert shown == [entry.what for entry in explain(ran.ledger, "O-1", "lab")]
    assert "confirmed" in text(page)


def test_a_long_story_keeps_its_end(
    ran: Lab, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of very many entries the last are shown, and it is said how many are not."""
    monkeypatch.setattr(pages, "TOLD", 2)
    page = pages.order_page(ran.ledger, reader, "lab", "O-1")
    left = len(explain(ran.ledger, "O-1", "lab")) - 2
    assert len(re.findall(r"<b>(.*?)</b>", page.html)) == 2
    assert f"The first {left} entries are left out" in text(page)


def test_what_is_held_is_listed_by_reason(ran: Lab, reader: Reader) -> None:
    """A person finds the lines that wait for them, with what was found; others see none."""
    page = pages.held_page(ran.ledger, reader, "lab", "unknown_sku", 1)
    assert "O-3" in text(page)
    assert "unknown sku" in text(page)
    assert "R-O-3" in text(page)
    none = pages.held_page(ran.ledger, reader, "lab", "contested", 1)
    assert "Nothing is held for this" in text(none)
    with pytest.raises(AbsentError):
        pages.held_page(ran.ledger, reader, "lab", "nonsense", 1)


def test_the_first_page_lists_the_latest_runs(
    own: Lab, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest first, a few of each program, and a way to the others."""
    monkeypatch.setattr(listed, "LATEST", 2)
    monkeypatch.setattr(listed, "PAGE", 2)
    for n in (1, 2):
        own.pass_time(hours=1)
        own.run(run_id=f"cli/{n}")
    page = pages.overview(own.ledger, reader)
    assert re.findall(r"run\?id=([^\"]+)", page.html) == ["cli%2F2", "cli%2F1"]
    assert "all runs of lab" in text(page)
    older = pages.program_page(own.ledger, reader, "lab", 2)
    assert "cli%2F" not in older.html
    assert "manual__2026-11-20" in older.html
    assert "/dags/" not in pages.run_page(own.ledger, reader, "cli/2", Which()).html


def test_a_reader_sees_only_their_programs(ran: Lab) -> None:
    """What is not for a reader is answered like what is not there."""
    nobody = Reader("/returns", "", lambda _program: False)
    assert "No program has run yet" in text(pages.overview(ran.ledger, nobody))
    asked: list[Callable[[], Any]] = [
        lambda: pages.run_page(ran.ledger, nobody, RUN, Which()),
        lambda: pages.run_page(ran.ledger, nobody, "no/such", Which()),
        lambda: pages.program_page(ran.ledger, nobody, "lab", 1),
        lambda: pages.held_page(ran.ledger, nobody, "lab", "", 1),
        lambda: pages.order_page(ran.ledger, nobody, "lab", "O-1"),
    ]
    for ask in asked:
        with pytest.raises(AbsentError):
            ask()
    dag, _, dag_run = RUN.partition("/")
    assert pages.dag_run_page(ran.ledger, nobody, dag, dag_run).status == 404


def test_a_dag_run_leads_to_its_run(own: Lab, reader: Reader) -> None:
    """Its one run is shown at once, several are listed, and a foreign Dag is told apart."""
    dag, _, dag_run = RUN.partition("/")
    one = pages.dag_run_page(own.ledger, reader, dag, dag_run)
    assert "1 return lines" in text(one)
    own.run(run_id=f"{RUN}#2")
    several = pages.dag_run_page(own.ledger, reader, dag, dag_run)
    assert "2 runs of the ledger" in text(several)
    foreign = pages.dag_run_page(own.ledger, reader, "another_dag", dag_run)
    assert foreign.status == 404
    assert "not a run of Clawback" in text(foreign)


def test_a_frame_holds_no_link_that_leads_out(ran: Lab) -> None:
    """Airflow's frames let none out; what would do nothing when clicked is not there."""
    framed = Reader("/returns", "", lambda _program: True, framed=True)
    page = run_page(ran, framed)
    assert all(link.startswith("/returns/") for link in re.findall(r'href="([^"]+)"', page.html))
    assert "open Returns in Airflow" in text(page)


def test_actions_lead_to_impact_com(
    ran: Lab, reader: Reader, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program file says where an action's page is; without one there is no link."""
    assert "impact.com/" not in run_page(ran, reader).html
    (tmp_path / "lab.yaml").write_text(
        "name: lab\ncampaign_id: '1000'\ncurrency: USD\n"
        "action_url: https://app.impact.com/a/{action_id}\n"
    )
    monkeypatch.setenv("CLAWBACK_PROGRAMS", str(tmp_path))
    assert 'href="https://app.impact.com/a/1000.4636.' in run_page(ran, reader).html


BIG = ("changes", "run_lines", "return_lines", "actions", "items", "updates", "events")


def test_no_page_looks_through_a_large_table(own: Lab, reader: Reader) -> None:
    """Every look at what grows with the lines goes by an index, so that a large run is quick."""
    asked: list[tuple[str, Any]] = []

    def keep(_c: Any, _cursor: Any, sql: str, values: Any, *_: Any) -> None:
        asked.append((sql, values))

    event.listen(own.ledger.engine, "before_cursor_execute", keep)
    pages.overview(own.ledger, reader)
    run_page(own, reader)
    pages.held_page(own.ledger, reader, "lab", "", 1)
    pages.order_page(own.ledger, reader, "lab", "O-1")
    event.remove(own.ledger.engine, "before_cursor_execute", keep)
    with own.ledger.read() as conn:
        how = [
            (row[-1], sql)
            for sql, values in asked
            if sql.startswith("SELECT")
            for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)
        ]
    scans = [(step, sql) for step, sql in how if re.match(rf"SCAN ({'|'.join(BIG)})\b", step)]
    assert scans == []
    assert any(step.startswith("SEARCH changes") for step, _ in how)


def test_every_word_of_the_ledger_is_explained() -> None:
    """An outcome, a hold or a state that the page does not know would stand there unexplained."""
    assert set(words.OUTCOMES) == set(Outcome)
    assert set(words.HOLDS) == set(Hold)
    assert set(words.STATES) == set(ChangeState)


def test_each_outcome_has_a_colour() -> None:
    """A part of the bar that is drawn in no colour would be black."""
    assert [name for name in Outcome if f".{name} " not in pages.style()] == []


def test_money_and_time_are_written_for_people() -> None:
    """Digits by currency, thousands apart, and spans in the largest units that tell."""
    from datetime import timedelta

    assert words.money(Decimal("1234567.5"), "USD") == "1,234,567.50"
    assert words.money("1234.4", "JPY") == "1,234"
    assert words.money(None, "USD") == words.NOTHING
    spans = {45: "45 s", 600: "10 min", 12_000: "3 h 20 min", 190_000: "2 d 4 h"}
    assert {n: words.span(timedelta(seconds=n)) for n in spans} == spans


def test_an_old_change_is_found_by_its_line(own: Lab, reader: Reader) -> None:
    """A change made when order ids were compared otherwise still belongs to the order."""
    with own.ledger.begin() as conn:
        conn.execute(
            update(changes).where(changes.c.order_key == "O-1").values(order_key="another")
        )
        conn.execute(update(runs).values(account=runs.c.account))
    assert "submitted" in text(pages.order_page(own.ledger, reader, "lab", "O-1"))
