"""The pages themselves: what was asked for, read from the ledger and written as HTML."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from clawback.ledger.runs import Run, UnknownRunError, get_run
from clawback.ledger.store import Ledger
from clawback.monitor import held, runs, words
from clawback.monitor.plan import Which, plan_page
from clawback.monitor.site import Reader, action_link, shares
from clawback.reconcile.outcomes import Hold
from clawback.steps.close import balanced
from clawback.steps.explain import explain
from clawback.steps.show import csv_lines

_TEMPLATES = Path(__file__).parent / "templates"
TOLD = 1000
"""Of a longer story so many of the last entries are shown."""


@dataclass(frozen=True, slots=True)
class Page:
    """A status of HTTP and what is shown with it."""

    status: int
    html: str


class AbsentError(Exception):
    """What was asked for is not there, or not for this reader; the message says so."""


@cache
def templates() -> Environment:
    """The templates: everything is escaped, and a name that is not given is an error."""
    env = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters |= {name: getattr(words, name) for name in ("number", "money", "moment")}
    env.filters |= {"span": words.span, "spoken": words.spoken}
    env.globals |= {"OUTCOMES": words.OUTCOMES, "HOLDS": words.HOLDS, "STATES": words.STATES}
    return env


@cache
def style() -> str:
    """The style sheet that stands in every page."""
    return (_TEMPLATES / "style.css").read_text(encoding="utf-8")


def _page(template: str, reader: Reader, status: int = 200, /, **given: Any) -> Page:
    known = {"style": style(), "reader": reader, "program": "", **given}
    return Page(status, templates().get_template(template).render(known))


def message(reader: Reader, status: int, title: str, said: str, log_in: str = "") -> Page:
    """A page that only says something; `log_in` is where a reader may log in."""
    return _page("message.html", reader, status, title=title, said=said, log_in=log_in)


def overview(ledger: Ledger, reader: Reader) -> Page:
    """The latest runs of every program that the reader may see."""
    with ledger.read() as conn:
        names = [name for name in runs.program_names(conn) if reader.may_see(name)]
        latest = runs.latest_runs(conn, names)
    return _page("overview.html", reader, latest=latest)


def program_page(ledger: Ledger, reader: Reader, program: str, page: int) -> Page:
    """A program's runs."""
    with ledger.read() as conn:
        _need_program(reader, program, runs.program_names(conn))
        found, more = runs.runs_of(conn, program, page)
    return _page("program.html", reader, program=program, runs=found, page=page, more=more)


def _need_program(reader: Reader, program: str, known: list[str]) -> None:
    if program not in known or not reader.may_see(program):
        raise AbsentError(f"There is no program {program!r} that has run, or it is not for you.")


def run_for(ledger: Ledger, reader: Reader, run_id: str) -> Run:
    """A run that the reader may see; raises AbsentError."""
    with ledger.read() as conn:
        try:
            run = get_run(conn, run_id)
        except UnknownRunError:
            run = None
    if run is None or not reader.may_see(run.program):
        raise AbsentError(f"The ledger holds no run {run_id!r}, or it is not for you.")
    return run


def run_page(ledger: Ledger, reader: Reader, run_id: str, which: Which) -> Page:
    """One run: its books, what is held, its requests, its changes, and a page of its plan."""
    run = run_for(ledger, reader, run_id)
    with ledger.read() as conn:
        told = runs.tell_run(conn, run_id)
        shown = plan_page(conn, run, told.changes, which)
    books = run.books or {}
    counts = {name: part["lines"] for name, part in books["outcomes"].items()} if books else {}
    return _page(
        "run.html",
        reader,
        program=run.program,
        run=run,
        told=told,
        books=books,
        sound=balanced(books) if books else True,
        bar=shares(counts),
        plan=shown,
        action_link=action_link(run.program, reader),
    )


def dag_run_page(ledger: Ledger, reader: Reader, dag_id: str, run_id: str) -> Page:
    """What a Dag run has made: its run, or a list where it made several; says if it made none."""
    with ledger.read() as conn:
        found = [
            run for run in runs.runs_of_dag_run(conn, dag_id, run_id) if reader.may_see(run.program)
        ]
    if len(found) == 1:
        return run_page(ledger, reader, found[0].id, Which())
    if found:
        return _page("several.html", reader, program=found[0].program, runs=found, name=run_id)
    said = (
        f"{dag_id} {run_id} is not a run of Clawback, or it has not opened its run in the ledger "
        "yet: its first task does that."
    )
    return message(reader, 404, "Nothing to show", said)


def held_page(ledger: Ledger, reader: Reader, program: str, hold: str, page: int) -> Page:
    """The lines of a program that wait for a person, of one reason or of any."""
    if hold and hold not in set(Hold):
        raise AbsentError(f"There is no hold reason {hold!r}.")
    with ledger.read() as conn:
        _need_program(reader, program, runs.program_names(conn))
        found, more = held.held_lines(conn, program, hold, page)
    return _page("held.html", reader, program=program, hold=hold, lines=found, page=page, more=more)


def order_page(ledger: Ledger, reader: Reader, program: str, order_id: str) -> Page:
    """The story of an order, as `clawback explain` tells it."""
    with ledger.read() as conn:
        _need_program(reader, program, runs.program_names(conn))
    story = explain(ledger, order_id, program) if order_id else []
    if not story:
        raise AbsentError(f"The ledger knows no order {order_id!r} of {program}; see its spelling.")
    left_out = max(0, len(story) - TOLD)
    return _page(
        "order.html",
        reader,
        program=program,
        order_id=order_id,
        story=story[-TOLD:],
        left_out=left_out,
    )


def plan_csv(ledger: Ledger, run: Run) -> Iterator[str]:
    """The whole plan of a run as CSV, line by line, as `clawback plan --csv` writes it."""
    with ledger.read() as conn:
        yield from csv_lines(conn, run)
