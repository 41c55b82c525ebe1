"""doctor: read-only checks of a whole set-up, one line each with its mend; at most ten requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from clawback.clock import Clock
from clawback.errors import ClawbackError
from clawback.impact.account import Account
from clawback.ledger.store import URL_ENV, Ledger, head
from clawback.program import Program, find_program
from clawback.steps.chart import Chart, Check, Status
from clawback.steps.examine import IMPACT, Examination
from clawback.warehouse.contract import ReturnRow, contract_columns, parse_row
from clawback.warehouse.source import Connect, read, render

WAREHOUSE = ("warehouse", "statement", "rows")
EXECUTOR_ENV = "AIRFLOW__CORE__EXECUTOR"
_SAMPLE = 2000
_MOST_INVALID = 0.5
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined: a program by name or path, and where its connections come from."""

    program: str
    account: Callable[[Program], Account]
    connect: Callable[[Program], Connect]
    clock: Clock = field(default_factory=Clock)
    environ: Mapping[str, str] = field(default_factory=dict)


def doctor(patient: Patient) -> list[Check]:
    """Every check, in the order in which one would mend them; writes nothing anywhere."""
    chart = Chart()
    program = _program(chart, patient)
    if program is not None:
        sample = _warehouse(chart, patient, program)
        _impact(chart, patient, program, sample)
    _ledger(chart, patient.environ)
    return chart.checks()


def healthy(checks: list[Check]) -> bool:
    """Whether nothing failed."""
    return all(check.status is not Status.FAIL for check in checks)


def _program(chart: Chart, patient: Patient) -> Program | None:
    try:
        path = find_program(patient.program)
        program = Program.load(path)
    except ClawbackError as error:
        chart.failed("program", error)
        chart.skip(("connection", *IMPACT, *WAREHOUSE), "the program file cannot be read")
        return None
    chart.ok("program", f"{path.name} is well formed: campaign {program.campaign_id}")
    return program


def _impact(chart: Chart, patient: Patient, program: Program, sample: list[ReturnRow]) -> None:
    try:
        account = patient.account(program)
    except ClawbackError as error:
        chart.failed("connection", error)
        chart.skip(IMPACT, "there is no impact.com connection")
        return
    chart.ok("connection", f"{program.connections.impact} is complete: {account.base_url}")
    Examination(chart, program, account, patient.clock, sample).make()


def _warehouse(chart: Chart, patient: Patient, program: Program) -> list[ReturnRow]:
    """Check the warehouse from connection to rows; gives a sample of valid rows."""
    try:
        connect = patient.connect(program)
        connect().close()
    except ClawbackError as error:
        chart.failed("warehouse", error)
        chart.skip(WAREHOUSE, "the warehouse cannot be reached")
        return []
    chart.ok("warehouse", "the connection opens")
    try:
        rows = _sample(patient, program, connect)
    except ClawbackError as error:
        chart.failed("statement", error)
        chart.skip(WAREHOUSE, "the statement cannot be run")
        return []
    columns = sum(column.required for column in contract_columns())
    chart.ok("statement", f"{program.statement.name} yields the {columns} columns it must")
    return _rows(chart, program, rows)


def _sample(patient: Patient, program: Program, connect: Connect) -> list[dict[str, object]]:
    now = patient.clock.now()
    statement = render(
        program.statement,
        window_start=now - timedelta(days=program.lookback_days),
        window_end=now,
        extras={"returns_files": program.warehouse.files, **program.warehouse.variables},
    )
    batches: Any = read(connect, statement, batch=_SAMPLE, name=program.statement.name)
    with closing(batches):
        return [row for batch in islice(batches, 1) for row in batch]


def _rows(chart: Chart, program: Program, rows: list[dict[str, object]]) -> list[ReturnRow]:
    parsed = [parse_row(row, timezone=program.zone, currency=program.currency) for row in rows]
    good = [row for row in parsed if isinstance(row, ReturnRow)]
    errors = [row.errors[0] for row in parsed if not isinstance(row, ReturnRow)]
    if not rows:
        chart.warn(
            "rows",
            f"no row of the last {program.lookback_days} days",
            "if there were returns, compare the statement's window with the table's own times",
        )
    elif not errors:
        chart.ok("rows", f"all {len(rows)} rows of the sample keep the contract")
    else:
        say = chart.fail if len(errors) > _MOST_INVALID * len(rows) else chart.warn
        said = "; ".join(sorted(set(errors))[:_SHOWN])
        say(
            "rows",
            f"{len(errors)} of {len(rows)} rows break the contract: {said}",
            f"mend these columns in {program.statement.name}",
        )
    return good


def _ledger(chart: Chart, environ: Mapping[str, str]) -> None:
    """Check that the ledger opens at the newest migration, without making one."""
    url = environ.get(URL_ENV, "")
    if (file := _missing_file(url)) is not None:
        said = f"there is no ledger at {file} yet"
        chart.fail("ledger", said, "run `clawback ledger upgrade`, which makes it")
        return
    try:
        with Ledger.open(url or None, upgrade=False) as ledger:
            kind = ledger.engine.dialect.name
    except ClawbackError as error:
        chart.failed("ledger", error)
        return
    chart.ok("ledger", f"opens, at migration {head()}")
    _ledger_kind(chart, kind, environ.get(EXECUTOR_ENV, ""))


def _ledger_kind(chart: Chart, kind: str, executor: str) -> None:
    alone = not executor or executor.rpartition(".")[2] in {"LocalExecutor", "SequentialExecutor"}
    if kind == "sqlite" and not alone:
        chart.warn(
            "ledger_kind",
            f"the ledger is an SQLite file, and {executor} may run tasks on several machines",
            f"put the ledger into PostgreSQL: set {URL_ENV} to postgresql://…",
        )
    else:
        chart.ok("ledger_kind", f"{kind}, which suits the executor")


def _missing_file(url: str) -> str | None:
    """The file of an SQLite ledger that is not there; opening it would make it."""
    try:
        parsed = make_url(url) if url else None
    except ArgumentError:
        return None
    if parsed is None or parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    return None if Path(parsed.database).is_file() else parsed.database
