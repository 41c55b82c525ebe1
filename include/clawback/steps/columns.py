"""What a plan writes: rows of changes, of the lines they cover, and of the run's lines."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from sqlalchemy import Dialect

from clawback.ledger.bulk import encode_rows
from clawback.ledger.tables import actions, change_lines, changes, run_lines
from clawback.ledger.values import Row

CHANGE = (
    *("id", "account", "program", "run_id", "action_id", "order_key", "verb", "desired", "reason"),
    *("reasons", "currency", "before_amount", "before_payout", "before_items"),
    *("expected_amount", "expected_payout", "locking_at", "urgent", "generation", "shard"),
    *("canary", "approved", "state", "attempts", "error", "hold", "created_at", "sent_at"),
)
CHANGE_LINE = ("change_id", "line_id", "amount")
RUN_LINE = (
    *("run_id", "line_id", "action_id", "change_id", "outcome", "hold", "note", "amount"),
    *("payout", "currency", "carried"),
)
SEEN_KEY, SEEN = ("account", "id"), ("planned_generation",)
ACTION_ID, URGENT = CHANGE.index("action_id"), CHANGE.index("urgent")
BUCKETS = 720720  # divides evenly by every shard count up to 16


@dataclass(slots=True)
class Sheet:
    """Rows of changes, of the lines they cover, of the run's lines, and of actions now seen.

    The columns are CHANGE, CHANGE_LINE, RUN_LINE, and SEEN_KEY with SEEN. Every change is written
    down as won; where another run holds its action the writer says so.
    """

    changes: list[Row] = field(default_factory=list)
    change_lines: list[Row] = field(default_factory=list)
    lines: list[Row] = field(default_factory=list)
    seen: list[Row] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)

    def encoded(self, dialect: Dialect) -> Sheet:
        """The same rows as the database's driver takes them."""
        return replace(
            self,
            changes=encode_rows(dialect, changes, CHANGE, self.changes),
            change_lines=encode_rows(dialect, change_lines, CHANGE_LINE, self.change_lines),
            lines=encode_rows(dialect, run_lines, RUN_LINE, self.lines),
            seen=encode_rows(dialect, actions, (*SEEN_KEY, *SEEN), self.seen),
        )

    def and_then(self, other: Sheet) -> Sheet:
        """The rows of both."""
        return Sheet(
            self.changes + other.changes,
            self.change_lines + other.change_lines,
            self.lines + other.lines,
            self.seen + other.seen,
            self.outcomes + other.outcomes,
        )
