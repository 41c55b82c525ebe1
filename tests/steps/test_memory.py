"""What a step keeps in memory does not grow with what it works through."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "steps.py"
ALLOWED = 25
"""Megabytes: less than one more batch of rows would take, far less than all of them."""


def grown(lines: int) -> int:
    """By how many megabytes extracting so many lines raises the peak of a process of its own."""
    command = [sys.executable, str(SCRIPT), str(lines), "--steps", "extract"]
    told = subprocess.run(  # noqa: S603 - our own script, no shell
        command, capture_output=True, text=True, check=True, timeout=600
    ).stdout
    found = re.search(r"peak (\d+) MB \(at start (\d+) MB\)", told)
    assert found, told
    return int(found[1]) - int(found[2])


def test_extracting_more_lines_takes_no_more_memory() -> None:
    """Ten batches of lines take the memory that two take."""
    assert grown(50_000) - grown(10_000) < ALLOWED
