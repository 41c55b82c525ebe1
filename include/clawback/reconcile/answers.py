"""A person's decisions on an order, sorted by what they change in its plan."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from clawback.reconcile.facts import Decision, Learned, Order, Rules


class Answers(NamedTuple):
    """A person's decisions on an order, by what they change."""

    picks: frozenset[str] = frozenset()
    accept: str = ""
    """"impact" or "warehouse": the baseline to take where they conflict."""
    ignored: frozenset[str] = frozenset()
    """Return ids that count nothing, hold reasons that are waived, "" for every hold."""
    retry: frozenset[str] = frozenset()
    """ActionIds, or "" for every action of the order."""
    stand_back: frozenset[str] = frozenset()
    """ActionIds, or "" for every action of the order."""

    @classmethod
    def of(cls, decisions: Sequence[Decision]) -> Answers:
        def values(verb: str) -> frozenset[str]:
            return frozenset(d.value for d in decisions if d.verb == verb)

        accepted = [d.value or "impact" for d in decisions if d.verb == "accept_baseline"]
        return cls(
            picks=values("pick_action"),
            accept=accepted[-1] if accepted else "",
            ignored=values("ignore"),
            retry=values("retry"),
            stand_back=values("stand_back"),
        )

    def retries(self, action_id: str) -> bool:
        return bool(self.retry) and ("" in self.retry or action_id in self.retry)

    def stands_back(self, action_id: str) -> bool:
        return bool(self.stand_back) and ("" in self.stand_back or action_id in self.stand_back)


NO_ANSWERS = Answers()


class Context(NamedTuple):
    """What every part of an order's plan needs to know."""

    order: Order
    rules: Rules
    learned: Learned
    now: datetime
    answers: Answers
