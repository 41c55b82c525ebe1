"""The story of an order: every line, action, change, submission and piece of evidence, in time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, RowMapping, select, union

from clawback.ledger.store import Ledger
from clawback.ledger.tables import (
    actions,
    approvals,
    changes,
    decisions,
    events,
    evidence,
    items,
    learned,
    programs,
    resets,
    return_lines,
    run_lines,
    runs,
    submissions,
    updates,
)


class Entry(NamedTuple):
    """One thing that is known of an order; `at` is aware UTC."""

    at: datetime
    what: str
    subject: str
    detail: str


def explain(ledger: Ledger, order_id: str, program: str | None = None) -> list[Entry]:
    """Everything that the ledger holds of an order, in the order in which it happened."""
    with ledger.read() as conn:
        everything = select(programs.c.name)
        names = list(conn.scalars(everything)) if program is None else [program]
        lines = _lines(conn, order_id, names)
        keys = {row["order_key"] for row in lines} | {order_id}
        sold = _actions(conn, keys) or ([] if lines else _actions_named(conn, order_id))
        made = _changes(conn, keys | {row["order_key"] for row in sold}, lines, names)
        told = [
            *_of_lines(conn, lines),
            *_of_actions(conn, sold),
            *_of_changes(conn, made),
            *_of_people(conn, keys, made, program),
        ]
        if told:
            told += _of_account(conn, {row["account"] for row in sold})
    return sorted(told)


def render(entries: Iterable[Entry], console: Console | None = None) -> None:
    """Print a story as a table."""
    table = Table(box=None, pad_edge=False)
    for name in ("time (UTC)", "what", "of", "detail"):
        table.add_column(name, no_wrap=name == "time (UTC)", overflow="fold")
    for entry in entries:
        table.add_row(f"{entry.at:%Y-%m-%d %H:%M:%S}", entry.what, entry.subject, entry.detail)
    (console or Console()).print(table)


def _lines(conn: Connection, order_id: str, names: list[str]) -> list[RowMapping]:
    """The lines of an order, each way of naming it by its own index."""
    mine = return_lines.c.program.in_(names)
    ids = union(
        *(
            select(return_lines.c.id).where(mine, column == order_id)
            for column in (return_lines.c.order_id, return_lines.c.order_key)
        )
    )
    here = select(return_lines).where(return_lines.c.id.in_(ids)).order_by(return_lines.c.id)
    return list(conn.execute(here).mappings())


def _actions(conn: Connection, keys: Iterable[str]) -> list[RowMapping]:
    """The actions of some orders, campaign by campaign, as the index has them."""
    found: list[RowMapping] = []
    for account, campaign in conn.execute(
        select(programs.c.account, programs.c.campaign_id).distinct()
    ).all():
        here = (actions.c.account == account) & (actions.c.campaign_id == campaign)
        mine = select(actions).where(here, actions.c.order_key.in_(list(keys)))
        found += conn.execute(mine).mappings()
    # Sorted here: asked to sort, SQLite reads all actions by their id instead.
    return sorted(found, key=lambda row: str(row["id"]))


def _actions_named(conn: Connection, order_id: str) -> list[RowMapping]:
    """The actions of an order that nobody has returned; looks through all of them."""
    return list(conn.execute(select(actions).where(actions.c.oid == order_id)).mappings())


def _changes(
    conn: Connection, keys: Iterable[str], lines: Iterable[RowMapping], names: list[str]
) -> list[RowMapping]:
    """The changes of the order, and those that its lines once had under another key."""
    line_ids = [row["id"] for row in lines]
    mine = changes.c.program.in_(names)
    ids = union(
        select(changes.c.id).where(mine, changes.c.order_key.in_(list(keys))),
        select(run_lines.c.change_id).where(
            run_lines.c.line_id.in_(line_ids), run_lines.c.change_id.is_not(None)
        ),
    )
    here = select(changes).where(changes.c.id.in_(ids)).order_by(changes.c.created_at)
    return list(conn.execute(here).mappings())


def _of_lines(conn: Connection, lines: list[RowMapping]) -> Iterator[Entry]:
    named = {row["id"]: f"line {row['return_id']} {row['sku'] or '(order)'}" for row in lines}
    for row in lines:
        said = _some(row, "kind quantity amount currency reason")
        marks = [row["status"], *(n for n in ("voided", "vanished") if row[n])]
        errors = row["errors"] or []
        yield Entry(
            row["returned_at"] or row["updated_at"] or _EPOCH,
            "returned",
            named[row["id"]],
            f"{said} [{', '.join(marks)}] {'; '.join(errors)}".strip(),
        )
    rows = conn.execute(
        select(run_lines, runs.c.closed_at, runs.c.opened_at)
        .join(runs, runs.c.id == run_lines.c.run_id)
        .where(run_lines.c.line_id.in_(list(named)))
    ).mappings()
    for row in rows:
        held = f" ({row['hold']})" if row["hold"] else ""
        money = f" {row['amount']} {row['currency']}, payout {row['payout']}"
        yield Entry(
            row["closed_at"] or row["opened_at"],
            "ended as" if row["closed_at"] else "planned as",
            named[row["line_id"]],
            f"{row['outcome']}{held}{money} {row['note']} [run {row['run_id']}]",
        )


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def _of_actions(conn: Connection, sold: list[RowMapping]) -> Iterator[Entry]:
    for row in sold:
        names = ("state", "amount", "payout", "currency", "partner_name", "locking_at")
        yield Entry(
            row["event_at"], "sold", f"action {row['id']}", _text({n: row[n] for n in names})
        )
        mine = (updates.c.account == row["account"]) & (updates.c.action_id == row["id"])
        for update in conn.execute(select(updates).where(mine)).mappings():
            said = _some(update, "sku quantity delta_amount delta_payout disposition")
            yield Entry(update["updated_at"], "impact.com update", f"action {row['id']}", said)
        yield from _of_resets(conn, row)
        held = (items.c.account == row["account"]) & (items.c.action_id == row["id"])
        for item in conn.execute(select(items).where(held)).mappings():
            said = _some(item, "quantity amount original_quantity original_amount source")
            yield Entry(row["seen_at"], "holds", f"item {item['sku']}", said)


def _of_resets(conn: Connection, sold: RowMapping) -> Iterator[Entry]:
    mine = (resets.c.account == sold["account"]) & (resets.c.action_id == sold["id"])
    for row in conn.execute(select(resets).where(mine)).mappings():
        said = _some(row, "reason before_amount original_amount state error after_amount")
        by = f"by {row['requested_by']} [run {row['run_id']}]"
        yield Entry(row["sent_at"], "reset", f"action {sold['id']}", f"{said} {by}")


def _of_changes(conn: Connection, made: list[RowMapping]) -> Iterator[Entry]:
    ids = [row["id"] for row in made]
    for row in made:
        subject = f"change {row['id'][:12]}"
        said = _some(row, "verb action_id desired reason reasons before_amount")
        yield Entry(row["created_at"], "planned", subject, said)
        if row["settled_at"] is not None:
            said = _some(row, "state after_amount after_payout error")
            yield Entry(row["settled_at"], "settled", subject, said)
    for row in _where(conn, submissions, submissions.c.change_id, ids):
        said = _text(
            {n: row[n] for n in ("form", "state", "batch_id", "error_type", "error_reason")}
        )
        yield Entry(row["sent_at"], "submitted", f"change {row['change_id'][:12]}", said)
    for row in _where(conn, evidence, evidence.c.change_id, ids):
        said = f"{row['judgement']} by {row['source']}: {_text(row['detail'])}"
        yield Entry(row["at"], "evidence", f"change {row['change_id'][:12]}", said)
    for row in _where(conn, events, events.c.subject_id, ids, events.c.subject == "change"):
        said = f"{row['was'] or 'nothing'} → {row['became']} {_text(row['detail'])}".strip()
        yield Entry(row["at"], "event", f"change {row['subject_id'][:12]}", said)


def _of_people(
    conn: Connection, keys: Iterable[str], made: list[RowMapping], program: str | None
) -> Iterator[Entry]:
    """What people decided on the order and answered about its changes."""
    for row in _where(conn, decisions, decisions.c.order_key, list(keys)):
        if program is not None and row["program"] != program:
            continue
        about = f"{row['verb']} {row['value']}".strip()
        said = f"{about}: {row['reason']}"
        yield Entry(row["decided_at"], "decided", f"by {row['decided_by']}", said)
        if row["withdrawn_at"] is not None:
            yield Entry(row["withdrawn_at"], "withdrawn", f"by {row['withdrawn_by']}", said)
    for row in _where(conn, approvals, approvals.c.change_id, [row["id"] for row in made]):
        said = f"by {row['answered_by']} {row['reason']} [run {row['run_id']}]"
        yield Entry(row["answered_at"], row["answer"], f"change {row['change_id'][:12]}", said)


def _of_account(conn: Connection, accounts: Iterable[str]) -> Iterator[Entry]:
    for row in _where(conn, learned, learned.c.account, list(accounts)):
        said = f"{row['fact']} = {row['value']} ({_text(row['evidence'])})"
        yield Entry(row["at"], "learned", f"account {row['account']}", said)


def _where(
    conn: Connection, table: Any, column: Any, values: list[str], *more: Any
) -> Iterator[RowMapping]:
    yield from conn.execute(select(table).where(column.in_(values), *more)).mappings()


def _text(values: Any) -> str:
    """Named values in one line, those that say nothing left out."""
    return ", ".join(
        f"{k} {_plain(v)}" for k, v in dict(values).items() if v is not None and v != ""
    )


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _some(row: RowMapping, names: str) -> str:
    return _text({name: row[name] for name in names.split()})
