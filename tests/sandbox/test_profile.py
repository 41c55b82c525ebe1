"""Profiles: files and names, and what every switch owes (the switches' own tests stand apart)."""

from __future__ import annotations

from typing import Any

import pytest

from clawback.errors import ClawbackError
from clawback.sandbox.profile import Profile, load, names, parse


def test_every_switch_names_its_source() -> None:
    """Each switch says what it settles and where the reference leaves that open."""
    silent = [
        name
        for name, field in Profile.model_fields.items()
        if not field.description or "§" not in field.description
    ]
    assert silent == []


def test_named_profiles_load() -> None:
    """The profiles that come along are valid, and the default one is the default."""
    assert set(names()) >= {"default", "literal", "numbers", "partner", "strict"}
    assert load("default") == load(None) == Profile()
    assert all(load(name) for name in names())


def test_profile_file(tmp_path: Any) -> None:
    """A file names the switches that differ from the default."""
    path = tmp_path / "mine.yaml"
    path.write_text("scalars: numbers\nmodifying_codes: [SWAP]\n", "utf-8")
    assert load(str(path)) == Profile(scalars="numbers", modifying_codes=("SWAP",))


def test_unknown_switch_is_named() -> None:
    """A misspelt switch, value or name is refused with a sentence."""
    with pytest.raises(ClawbackError, match="scalar: Extra inputs"):
        parse({"scalar": "numbers"}, "here")
    with pytest.raises(ClawbackError, match="zone"):
        parse({"zone": "Mars/Olympus"}, "here")
    with pytest.raises(ClawbackError, match="no such profile or file"):
        load("nowhere")
