"""A person's word on a reset, kept as events of its run: asked, approved, refused, or nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from clawback.ledger import runs
from clawback.ledger.tables import events
from clawback.steps.reset_guard import ResetError
from clawback.steps.runtime import Runtime

ASKED = "reset asked"
APPROVED = "reset approved"
REFUSED = "reset refused"
TIMED_OUT = "reset timed out"


@dataclass(frozen=True, slots=True)
class Word:
    """Who approved a reset, and the fingerprint of what they were shown."""

    by: str
    seen: str


def asked(rt: Runtime, shown: Mapping[str, Any]) -> None:
    """Note that a person is asked about this preview."""
    kept = {"seen": shown["fingerprint"], "reason": shown["reason"]}
    actions = [action["action_id"] for action in shown["actions"]]
    _note(rt, ASKED, kept | {"actions": actions})


def approved(rt: Runtime, by: str, seen: str) -> dict[str, Any]:
    """A person approves what they were shown; nothing else may be sent."""
    _note(rt, APPROVED, told := {"by": by, "seen": seen})
    return told


def refused(rt: Runtime, by: str, why: str) -> dict[str, Any]:
    """A person refuses: no action is reset in this run."""
    _note(rt, REFUSED, told := {"by": by, "why": why})
    return told


def timed_out(rt: Runtime) -> dict[str, Any]:
    """Nobody answered: no action is reset in this run, and nobody is asked again by itself."""
    _note(rt, TIMED_OUT, told := {"timed_out": True})
    return told


def word_of(rt: Runtime) -> Word:
    """The word that this run's resets go by; raises ResetError where nobody has approved them."""
    here = select(events.c.became, events.c.detail).where(
        events.c.run_id == rt.run_id,
        events.c.subject == "run",
        events.c.subject_id == rt.run_id,
        events.c.became.in_([APPROVED, REFUSED, TIMED_OUT]),
    )
    with rt.ledger.read() as conn:
        last = conn.execute(here.order_by(events.c.id.desc()).limit(1)).one_or_none()
    if last is None or last.became != APPROVED:
        raise ResetError(
            "nobody has approved this reset, so nothing was sent; trigger the Dag anew and approve "
            "what it shows"
        )
    return Word(last.detail["by"], last.detail["seen"])


def _note(rt: Runtime, became: str, detail: Mapping[str, Any]) -> None:
    with rt.ledger.begin() as conn:
        runs.note(conn, rt.run_id, rt.clock.now(), ("run", rt.run_id), "", became, detail)
