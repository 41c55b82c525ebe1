"""What has been learned of an account's writes, with the evidence for it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from clawback.ledger.store import upsert
from clawback.ledger.tables import learned

SHAPE = "shape:"


def facts_of(conn: Connection, account: str) -> dict[str, bool]:
    """Everything known of an account: facts of its writes, and `shape:NAME` for proved shapes."""
    here = select(learned.c.fact, learned.c.value).where(learned.c.account == account)
    return {row.fact: row.value for row in conn.execute(here)}


def save_facts(
    conn: Connection,
    account: str,
    facts: Mapping[str, bool],
    evidence: Mapping[str, Any],
    at: datetime,
) -> None:
    """Keep facts with what shows them; a newer lesson replaces an older one."""
    rows = [
        {"account": account, "fact": fact, "value": value, "evidence": dict(evidence), "at": at}
        for fact, value in facts.items()
    ]
    upsert(conn, learned, rows, update=("value", "evidence", "at"))
