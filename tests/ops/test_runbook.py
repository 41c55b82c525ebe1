"""The runbook has an entry for everything that a person may be told, and its commands exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from clawback.cli import app
from clawback.reconcile.outcomes import Hold, Outcome
from clawback.steps.audit import Cause
from clawback.steps.decide import VERBS
from clawback.steps.examine import IMPACT

RUNBOOK = (Path(__file__).resolve().parents[2] / "docs" / "runbook.md").read_text(encoding="utf-8")
HEADINGS = set(re.findall(r"^### `?(.+?)`?$", RUNBOOK, re.MULTILINE))
ALERTS = re.findall(
    r'Alert\(\s*f?"([a-z_{}]+)"',
    (Path(__file__).resolve().parents[2] / "include/clawback/steps/tell.py").read_text("utf-8"),
)


@pytest.mark.parametrize("hold", list(Hold))
def test_every_hold_reason_has_its_heading(hold: Hold) -> None:
    """A held line's message links to docs/runbook.md#REASON, which must be there."""
    assert hold.value in HEADINGS


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_has_its_heading(outcome: Outcome) -> None:
    """Whatever a line ends as is explained."""
    assert outcome.value in HEADINGS


def test_every_alert_has_its_heading() -> None:
    """An alert's name is its heading."""
    assert len(ALERTS) >= 6
    names = {a for a in ALERTS if "{" not in a} | {"rejected_lines", "held_lines"}
    assert names <= HEADINGS


def test_causes_verbs_and_checks_are_explained() -> None:
    """The tables name every drift, every decision and every check of the doctor."""
    named = set(re.findall(r"`([a-z_]+)`", RUNBOOK))
    assert {*(cause.value for cause in Cause), *VERBS, *IMPACT} <= named


def test_every_command_of_the_runbook_exists() -> None:
    """`clawback WORD` in the text is a command of the command line."""
    known = set(get_command(app).commands)  # type: ignore[attr-defined]  # the root is a group
    used = set(re.findall(r"`clawback ([a-z]+)", RUNBOOK))
    assert used <= known
    assert {"doctor", "decide", "reset", "audit", "explain", "run"} <= used
