"""The root of every error that is meant to be read by the person who runs Clawback."""

from __future__ import annotations


class ClawbackError(Exception):
    """What happened, where, and what to do, in one sentence that may be shown as it is."""
