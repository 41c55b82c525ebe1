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

ROOT = Path(__file__).resolve().parents[2]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
HEADINGS = set(re.findall(r"^### `?(.+?)`?$", RUNBOOK, re.MULTILINE))
STEPS = Path(__file__).resolve().parents[2] / "include" / "clawback" / "steps"
ALERTS = [
    name
    for path in sorted(STEPS.glob("*.py"))
    for name in re.findall(r'Alert\(\s*f?"([a-z_{}]+)"', path.read_text("utf-8"))
]


def _failures() -> set[str]:
    """The names of the errors that a task or a command of an operator can end with."""
    bases: dict[str, set[str]] = {}
    for home in (ROOT / "include" / "clawback", ROOT / "plugins" / "impact_provider"):
        for file in home.rglob("*.py"):
            if {"demo", "sandbox", "migrations"} & set(file.parts):
                continue
            for name, parents in _CLASS.findall(file.read_text(encoding="utf-8")):
                bases[name] = {parent.strip() for parent in parents.split(",")}
    found = {"ClawbackError"}
    while more := {name for name, parents in bases.items() if parents & found} - found:
        found |= more
    return found - {"ClawbackError"}


_CLASS = re.compile(r"^class (\w+)\(([\w, ]+)\):", re.MULTILINE)
FAILURES = _failures()


@pytest.mark.parametrize("hold", list(Hold))
def test_every_hold_reason_has_its_heading(hold: Hold) -> None:
    """A held line's message links to docs/runbook.md#REASON, which must be there."""
    assert hold.value in HEADINGS


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_has_its_heading(outcome: Outcome) -> None:
    """Whatever a line ends as is explained."""
    assert outcome.value in HEADINGS


@pytest.mark.parametrize("name", [*Hold, *Outcome])
def test_every_hold_and_outcome_says_what_to_do(name: str) -> None:
    """Under its heading stands what it means, and what to do or that nothing is to be done."""
    text = RUNBOOK.partition(f"\n### {name}\n")[2].partition("\n#")[0]
    assert re.search(r"\*\*Do:\*\*|Nothing to do|See \*|clawback ", text), f"mend ### {name}"


def test_every_failure_is_explained() -> None:
    """Whatever ends a task's log is in the table of failures, by the name it stands there with."""
    table = RUNBOOK.partition("\n## Failures\n")[2].partition("\n###")[0]
    missing = sorted(FAILURES - set(re.findall(r"`([A-Za-z]+)`", table)))
    assert missing == [], "add a row to the table under Failures in docs/runbook.md"


def test_no_row_explains_a_failure_that_is_gone() -> None:
    """A row of the table names errors that there are."""
    table = RUNBOOK.partition("\n## Failures\n")[2].partition("\n###")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert set(re.findall(r"`([A-Za-z]+)`", " ".join(rows))) == FAILURES


def test_every_alert_has_its_heading() -> None:
    """An alert's name is its heading."""
    assert len(ALERTS) >= 7
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
