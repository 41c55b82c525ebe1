"""docs/sandbox.md names everything there is to set."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from clawback.sandbox.acts import Act
from clawback.sandbox.faults import FaultName, Rule
from clawback.sandbox.profile import Profile, names
from clawback.sandbox.refusals import TEXTS

TEXT = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text("utf-8")


@pytest.mark.parametrize("switch", sorted(Profile.model_fields))
def test_every_switch_is_described(switch: str) -> None:
    """Each switch has its place in the table, with its default first."""
    row = next(line for line in TEXT.splitlines() if line.startswith("|") and f"`{switch}`" in line)
    default = Profile.model_fields[switch].default
    if isinstance(default, str):
        assert row.split("|")[2].strip().startswith(default)


def test_every_fault_act_profile_and_reason_is_described() -> None:
    """Faults with their parameters, acts, named profiles and reasons of refusals are all there."""
    words = [*get_args(FaultName), *get_args(Act.model_fields["act"].annotation), *names()]
    words += [name for name in Rule.model_fields if name != "fault"]
    assert [word for word in words if f"`{word}`" not in TEXT and f'"{word}"' not in TEXT] == []
    assert [reason for _, reason in TEXTS.values() if reason not in TEXT] == []


@pytest.mark.parametrize("number", range(1, 26))
def test_every_open_question_is_settled(number: int) -> None:
    """§9: each point names switches that there are, or says in words why it has none."""
    rows = [line for line in TEXT.splitlines() if line.startswith(f"| {number} |")]
    assert len(rows) == 1
    settled = rows[0].split("|")[2]
    switches = [name for name in re.findall("`([a-z_]+)`", settled) if not name.startswith("-")]
    assert set(switches) <= Profile.model_fields.keys()
    assert switches or "no switch:" in settled


def test_every_switch_settles_something() -> None:
    """Each switch answers a point of §9, or is a fact of the account or of another section."""
    table = TEXT.split("point by point:")[1].split("\n## ")[0]
    elsewhere = [
        name
        for name, field in Profile.model_fields.items()
        if f"`{name}`" not in table and "§9" in (field.description or "")
    ]
    assert elsewhere == []
