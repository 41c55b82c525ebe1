"""What a run may rely on of its account: pinned by the program file, or learned."""

from __future__ import annotations

from dataclasses import fields

from sqlalchemy import Connection

from clawback.ledger.knowledge import facts_of
from clawback.reconcile.facts import Learned
from clawback.steps.runtime import Runtime


def what_is_known(conn: Connection, rt: Runtime, account: str) -> Learned:
    """What is known of the account's writes; what the program file pins wins."""
    facts, pinned = facts_of(conn, account), rt.program.pinned

    def known(name: str) -> bool | None:
        pin: bool | None = getattr(pinned, name)
        return facts.get(name) if pin is None else pin

    return Learned(**{field.name: known(field.name) for field in fields(Learned)})
