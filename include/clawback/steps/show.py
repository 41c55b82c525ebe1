"""The plan of a run for people: as a table, as CSV, and each shard in a few words."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable, Iterator
from io import StringIO
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from sqlalchemy import ColumnElement, Connection, RowMapping, case, func, select, type_coerce

from clawback.ledger.changes import ChangeState
from clawback.ledger.runs import Run
from clawback.ledger.tables import actions, changes
from clawback.ledger.types import Money
from clawback.money import ZERO, in_words
from clawback.reconcile.books import money_text
from clawback.steps.runtime import Runtime

PLANS_ENV = "CLAWBACK_PLANS"
"""The folder into which every run writes its plan as CSV; unset writes none."""
SHOWN = 200
_WIDTH = 160
_STREAMED = 1000
_STAKE = type_coerce(changes.c.before_payout - changes.c.expected_payout, Money())
COLUMNS = (
    *("order_id", "action_id", "partner", "what", "code", "sales_before", "sales_after"),
    *("commission_before", "commission_after", "currency", "locks", "urgent", "state"),
)


def labels(rt: Runtime) -> list[str]:
    """What each shard of the run's plan holds, by its number: "shard 3 · 250 changes · $4,120".

    The money is the commission at stake, in whole units.
    """
    run = rt.run()
    here = (
        select(changes.c.shard, changes.c.currency, func.count(), func.sum(_STAKE))
        .where(_of(run), changes.c.state == ChangeState.PLANNED)
        .group_by(changes.c.shard, changes.c.currency)
    )
    counts: dict[int, int] = {}
    money: dict[int, list[str]] = {}
    with rt.ledger.read() as conn:
        rows = conn.execute(here.order_by(changes.c.shard, changes.c.currency)).all()
    for shard, currency, n, stake in rows:
        counts[shard] = counts.get(shard, 0) + n
        money.setdefault(shard, []).append(in_words(stake or ZERO, currency))
    last = max(counts, default=-1)
    return [_label(n, counts.get(n, 0), money.get(n, [])) for n in range(last + 1)]


def _label(shard: int, count: int, money: Iterable[str]) -> str:
    changes_ = "1 change" if count == 1 else f"{count:,} changes"
    return " · ".join([f"shard {shard}", changes_, *money])


def first_action(rt: Runtime, shard: int | None = None) -> tuple[str, str] | None:
    """ActionId and order id of the run's change that locks first (of a shard); None without any."""
    here = _rows_of(rt.run())
    if shard is not None:
        here = here.where(changes.c.shard == shard)
    with rt.ledger.read() as conn:
        row = conn.execute(here.limit(1)).mappings().first()
    return None if row is None else (row["action_id"], row["oid"] or row["order_key"])


def plan_rows(conn: Connection, run: Run) -> Iterator[dict[str, str]]:
    """The changes that a run has planned, by COLUMNS; those that lock first first.

    They are streamed: a plan may have hundreds of thousands.
    """
    rows = conn.execute(_rows_of(run), execution_options={"yield_per": _STREAMED})
    for row in rows.mappings():
        yield _row(row)


def _of(run: Run) -> ColumnElement[bool]:
    dry = changes.c.state == ChangeState.DRY
    return (changes.c.run_id == run.id) & (dry if run.dry_run else ~dry)


def _rows_of(run: Run) -> Any:
    same = (actions.c.account == changes.c.account) & (actions.c.id == changes.c.action_id)
    open_end = case((changes.c.locking_at.is_(None), 1), else_=0)
    return (
        select(*(changes.c[name] for name in _SHOWN), actions.c.partner_name, actions.c.oid)
        .outerjoin(actions, same)
        .where(_of(run))
        .order_by(open_end, changes.c.locking_at, _STAKE.desc(), changes.c.id)
    )


_MONEY = ("before_amount", "expected_amount", "before_payout", "expected_payout")
_SHOWN = (
    *("order_key", "action_id", "verb", "reason", *_MONEY),
    *("currency", "locking_at", "urgent", "state"),
)


def _row(row: RowMapping) -> dict[str, str]:
    currency, locks = row["currency"], row["locking_at"]
    told = (
        *(row["oid"] or row["order_key"], row["action_id"], row["partner_name"] or ""),
        *(row["verb"], row["reason"]),
        *(money_text(row[name], currency) for name in _MONEY),
        *(currency, f"{locks:%Y-%m-%d %H:%M}Z" if locks else ""),
        *("yes" if row["urgent"] else "", row["state"]),
    )
    return dict(zip(COLUMNS, told, strict=True))


def table(rt: Runtime, most: int = SHOWN) -> str:
    """The run's plan as a plain table of at most `most` rows, for a log."""
    run = rt.run()
    found = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in COLUMNS:
        right = name.startswith(("sales", "commission"))
        found.add_column(name, justify="right" if right else "left", overflow="fold")
    count = 0
    with rt.ledger.read() as conn:
        for row in plan_rows(conn, run):
            count += 1
            if count <= most:
                found.add_row(*(_plain(text) for text in row.values()))
    if not count:
        return "Nothing is planned."
    out = StringIO()
    Console(file=out, width=_WIDTH, color_system=None, markup=False, emoji=False).print(found)
    told = f"{count:,} changes are planned"
    if count > most:
        told += f"; the first {most:,} are shown, all stand in: {command(run)}"
    lines = (line.rstrip() for line in out.getvalue().splitlines())
    return "\n".join([told, *(line for line in lines if line)])


def _plain(text: str) -> str:
    """Text of others without what would move a terminal's cursor or break a line."""
    return "".join(c if c.isprintable() else " " for c in text)


def command(run: Run) -> str:
    """What to type for the whole plan as CSV."""
    return f"clawback plan {run.program} --run '{run.id}' --csv"


def write_csv(rt: Runtime, out: TextIO) -> int:
    """Write the run's plan as CSV with a heading; returns how many changes there are."""
    run, count = rt.run(), -1  # the heading is no change
    with rt.ledger.read() as conn:
        for line in csv_lines(conn, run):
            out.write(line)
            count += 1
    return count


def csv_lines(conn: Connection, run: Run) -> Iterator[str]:
    """The plan of a run as lines of CSV, a heading first; only a few rows are held at a time.

    A cell that a spreadsheet would take for a formula is led by an apostrophe.
    """
    line = StringIO()
    writer = csv.writer(line)
    for cells in chain([COLUMNS], (row.values() for row in plan_rows(conn, run))):
        writer.writerow([_cell(text) for text in cells])
        yield line.getvalue()
        line.seek(0)
        line.truncate()


def _cell(text: str) -> str:
    plain = _plain(text)
    return f"'{plain}" if plain.lstrip().startswith(_FORMULA) else plain


_FORMULA = ("=", "+", "-", "@")


def keep_csv(rt: Runtime) -> Path | None:
    """Write the run's plan into the folder CLAWBACK_PLANS; None where that is not set.

    Raises OSError where the folder cannot be written.
    """
    home = os.environ.get(PLANS_ENV)
    if not home:
        return None
    path = Path(home) / f"{re.sub(r'[^A-Za-z0-9._-]', '_', rt.run_id)}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as out:
        write_csv(rt, out)
    return path
