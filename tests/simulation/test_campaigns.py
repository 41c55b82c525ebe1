"""Seeded campaigns with random faults: whatever happens, the promises hold."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from campaign import Campaign

from clawback.ledger.store import Ledger
from clawback.sandbox.limits import RateLimit
from lab import Lab

FIRST = int(os.environ.get("CLAWBACK_FIRST_SEED", "1"))
SEEDS = int(os.environ.get("CLAWBACK_SEEDS", "6"))


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
def test_a_campaign_keeps_every_promise(
    seed: int, upgraded_sqlite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through outages, deaths and meddling: books balance, nothing rises, all settles."""
    path = tmp_path / "ledger.db"
    path.write_bytes(upgraded_sqlite.read_bytes())
    story: list[str] = []
    settings = {"seed": seed, "queue_latency": 30.0, "rate_limit": RateLimit.parse("100000/3600")}
    with (
        Ledger.open(f"sqlite:///{path}", upgrade=False) as ledger,
        Lab.open(tmp_path, ledger, monkeypatch, [], settings) as lab,
    ):
        try:
            Campaign(lab, seed, story.append).play()
        except BaseException:
            print("\n".join(story))  # noqa: T201 - what led to the failure
            print(f"replay: make soak FIRST={seed} SEEDS=1")  # noqa: T201
            raise
