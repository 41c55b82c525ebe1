"""Seeded campaigns with random faults: whatever happens, the promises hold."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from campaign import ALLOWANCE, Campaign
from inside import InsideLab

from clawback.ledger.store import Ledger
from clawback.sandbox.limits import RateLimit

FIRST = int(os.environ.get("CLAWBACK_FIRST_SEED", "1"))
SEEDS = int(os.environ.get("CLAWBACK_SEEDS", "60"))
ON_POSTGRESQL = 5
"""Every so many seeds the ledger lies in PostgreSQL."""


def database_of(seed: int) -> str:
    return "sqlite" if seed % ON_POSTGRESQL else "postgresql"


@pytest.mark.parametrize(
    ("seed", "database"), [(seed, database_of(seed)) for seed in range(FIRST, FIRST + SEEDS)]
)
def test_a_campaign_keeps_every_promise(
    seed: int,
    new_ledger: Callable[[str], AbstractContextManager[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Through outages, deaths and meddling: books balance, nothing rises, all settles."""
    story: list[str] = []
    limit = RateLimit(ALLOWANCE, 3600)
    settings = {"seed": seed, "queue_latency": 30.0, "rate_limit": limit}
    with (
        new_ledger("ledger") as url,
        Ledger.open(url, upgrade=False) as ledger,
        InsideLab.within(tmp_path, ledger, monkeypatch, settings) as lab,
    ):
        try:
            Campaign(lab, seed, story.append).play()
        except BaseException:
            print("\n".join(story))  # noqa: T201 - what led to the failure
            print(f"replay: make soak FIRST={seed} SEEDS=1")  # noqa: T201
            raise
