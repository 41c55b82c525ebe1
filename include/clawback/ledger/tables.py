"""The ledger's tables. Times are UTC, money is exact, ids are impact.com's or the warehouse's."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from clawback.ledger.types import Money, Utc

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
# SQLite counts rows up by itself only where the key is declared INTEGER.
Serial = BigInteger().with_variant(Integer, "sqlite")
OPEN_CHANGE = "state IN ('planned', 'sending', 'queued')"

programs = Table(
    "programs",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("account", String(64), nullable=False),
    Column("campaign_id", String(64), nullable=False),
    Column("watermark", Utc),  # the end of the last closed window
    Column("reads", Integer, nullable=False, server_default="0"),  # extracts so far
)

cursors = Table(
    "cursors",  # how far the incremental listing of a campaign has come, by last-updated date
    metadata,
    Column("account", String(64), primary_key=True),
    Column("campaign_id", String(64), primary_key=True),
    Column("listed_to", Utc, nullable=False),
    Column("fresh_at", Utc, nullable=False),  # when it was last repeated
    Column("lease", String(255), nullable=False, server_default=""),  # who repeats it now
    Column("lease_until", Utc),
)

runs = Table(
    "runs",
    metadata,
    Column("id", String(250), primary_key=True),
    Column("program", String(64), ForeignKey("programs.name"), nullable=False),
    Column("account", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("dry_run", Boolean, nullable=False),
    Column("window_start", Utc, nullable=False),
    Column("window_end", Utc, nullable=False),
    Column("order_ids", JSON, nullable=False),
    Column("read_no", Integer),  # the extract whose rows this run read; null until it ended
    Column("opened_at", Utc, nullable=False),
    Column("closed_at", Utc),
    Column("deadline", Utc),  # until when confirmation is awaited
    Column("books", JSON),
)

return_lines = Table(
    "return_lines",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("program", String(64), nullable=False),
    Column("order_id", String(255), nullable=False),
    Column("return_id", String(255), nullable=False),
    Column("sku", String(255), nullable=False),
    Column("variant", String(80), nullable=False),  # '' for the row that counts
    Column("order_key", String(255), nullable=False),  # the order id as compared
    Column("status", String(16), nullable=False),  # valid, invalid, superseded, duplicate
    Column("kind", String(16)),
    Column("quantity", BigInteger),
    Column("amount", Money),
    Column("currency", String(3)),
    Column("reason", String(255)),
    Column("returned_at", Utc),
    Column("updated_at", Utc),
    Column("ordered_at", Utc),
    Column("ordered_quantity", BigInteger),
    Column("ordered_amount", Money),
    Column("voided", Boolean, nullable=False),
    Column("vanished", Boolean, nullable=False),
    Column("parent_sku", String(255), nullable=False),
    Column("content", String(64), nullable=False),  # hash of the row
    Column("errors", JSON),
    Column("raw", Text),
    Column("read_no", Integer, nullable=False),  # the last extract that read this row
    Column("seen_no", Integer, nullable=False),  # the last extract that read its key at all
    Column("outcome", String(16)),  # as of the last closed run
    Column("hold", String(32)),
    Column("final_run", String(250)),  # the run in which it became final
    UniqueConstraint("program", "order_id", "return_id", "sku", "variant"),
    Index("ix_return_lines_order", "program", "order_key"),
    Index("ix_return_lines_read", "program", "read_no"),
    Index("ix_return_lines_outcome", "program", "outcome"),
)

reads = Table(
    "reads",  # which lines an extract has read; forgotten when its run is closed
    metadata,
    Column("program", String(64), primary_key=True),
    Column("read_no", Integer, primary_key=True, autoincrement=False),
    Column("line_id", BigInteger, primary_key=True, autoincrement=False),
)

actions = Table(
    "actions",
    metadata,
    Column("account", String(64), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("campaign_id", String(64), nullable=False),
    Column("tracker_id", String(64), nullable=False),
    Column("partner_id", String(64), nullable=False),
    Column("partner_name", String(255), nullable=False),
    Column("oid", String(255), nullable=False),
    Column("order_key", String(255), nullable=False),
    Column("state", String(16), nullable=False),
    Column("amount", Money, nullable=False),
    Column("payout", Money, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("event_at", Utc, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("locking_at", Utc),
    Column("cleared_at", Utc),
    Column("original_amount", Money),
    Column("original_payout", Money),
    Column("modifications", Integer, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("settled", JSON),  # what our confirmed changes brought it to
    Column("refused", JSON),  # {"generation", "identity", "error", "final"} of the last refusal
    Column("planned_generation", Integer),  # the generation that a live plan last saw
    Column("stale", Boolean, nullable=False),  # its items are older than its listing
    Column("moved_run", String(250)),  # the run whose listing last saw it new or moved
    Column("seen_at", Utc, nullable=False),
    Index("ix_actions_order", "account", "campaign_id", "order_key"),
    Index("ix_actions_moved", "account", "moved_run"),
)

items = Table(
    "items",
    metadata,
    Column("account", String(64), primary_key=True),
    Column("action_id", String(64), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("sku", String(255), nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("amount", Money, nullable=False),
    Column("original_quantity", BigInteger),
    Column("original_amount", Money),
    Column("source", String(32)),
    Column("touched", Boolean, nullable=False),
)

updates = Table(
    "updates",
    metadata,
    Column("account", String(64), primary_key=True),
    Column("id", String(128), primary_key=True),
    Column("action_id", String(64), nullable=False),
    Column("sku", String(255), nullable=False),
    Column("quantity", BigInteger),
    Column("delta_amount", Money, nullable=False),
    Column("delta_payout", Money, nullable=False),
    Column("disposition", String(64), nullable=False),
    Column("updated_at", Utc, nullable=False),
    Index("ix_updates_action", "account", "action_id"),
)

coverage = Table(
    "coverage",  # spans of event dates that have been listed whole
    metadata,
    Column("id", Serial, primary_key=True),
    Column("account", String(64), nullable=False),
    Column("campaign_id", String(64), nullable=False),
    Column("start_at", Utc, nullable=False),
    Column("end_at", Utc, nullable=False),
    Column("listed_at", Utc, nullable=False),
    Index("ix_coverage_campaign", "account", "campaign_id"),
)

changes = Table(
    "changes",
    metadata,
    Column("id", String(64), primary_key=True),  # the identity of the change
    Column("account", String(64), nullable=False),
    Column("program", String(64), nullable=False),
    Column("run_id", String(250), ForeignKey("runs.id"), nullable=False),
    Column("action_id", String(64), nullable=False),
    Column("order_key", String(255), nullable=False),
    Column("verb", String(16), nullable=False),
    Column("desired", JSON, nullable=False),
    Column("reason", String(64), nullable=False),
    Column("reasons", JSON, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("before_amount", Money, nullable=False),
    Column("before_payout", Money, nullable=False),
    Column("before_items", JSON, nullable=False),
    Column("expected_amount", Money, nullable=False),
    Column("expected_payout", Money, nullable=False),
    Column("after_amount", Money),
    Column("after_payout", Money),
    Column("locking_at", Utc),
    Column("urgent", Boolean, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("shard", Integer, nullable=False),
    Column("canary", Boolean, nullable=False),
    Column("approved", Boolean),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("error", Text),
    Column("hold", String(32)),  # why a refused change is held
    Column("created_at", Utc, nullable=False),
    Column("sent_at", Utc),
    Column("settled_at", Utc),
    Index(
        "uq_changes_open",
        "account",
        "action_id",
        unique=True,
        sqlite_where=text(OPEN_CHANGE),
        postgresql_where=text(OPEN_CHANGE),
    ),
    Index("ix_changes_run", "run_id", "shard"),
    Index("ix_changes_state", "account", "program", "state"),
    Index("ix_changes_order", "program", "order_key"),
)

change_lines = Table(
    "change_lines",
    metadata,
    Column("change_id", String(64), ForeignKey("changes.id"), primary_key=True),
    Column("line_id", BigInteger, primary_key=True),
    Column("amount", Money, nullable=False),
    Column("payout", Money),
    Column("booked_run", String(250)),  # the run whose books counted it as recovered
    Index("ix_change_lines_line", "line_id"),
)

submissions = Table(
    "submissions",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("change_id", String(64), ForeignKey("changes.id"), nullable=False),
    Column("run_id", String(250), nullable=False),
    Column("verb", String(16), nullable=False),
    Column("form", JSON, nullable=False),
    Column("shape", String(16), nullable=False),
    # sending, queued, complete, refused, unsent, lost, past
    Column("state", String(16), nullable=False),
    Column("batch_id", String(128)),
    Column("sent_at", Utc, nullable=False),
    Column("polled_at", Utc),
    Column("error_type", String(255)),
    Column("error_reason", Text),
    Index("ix_submissions_change", "change_id"),
)

run_lines = Table(
    "run_lines",  # what a run made of a line, on each action of its order
    metadata,
    Column("run_id", String(250), primary_key=True),
    Column("line_id", BigInteger, primary_key=True),
    Column("action_id", String(64), primary_key=True),  # '' where no action is concerned
    Column("carried", Boolean, nullable=False),
    Column("change_id", String(64)),
    Column("outcome", String(16), nullable=False),
    Column("hold", String(32)),
    Column("note", Text, nullable=False),
    Column("amount", Money),
    Column("payout", Money),
    Column("currency", String(3), nullable=False),
    Index("ix_run_lines_line", "line_id"),
)

events = Table(
    "events",  # append-only: one row a transition
    metadata,
    Column("id", Serial, primary_key=True),
    Column("at", Utc, nullable=False),
    Column("run_id", String(250), nullable=False),
    Column("subject", String(16), nullable=False),  # change, line, run, action, account
    Column("subject_id", String(255), nullable=False),
    Column("was", String(64), nullable=False),
    Column("became", String(64), nullable=False),
    Column("detail", JSON, nullable=False),
    Index("ix_events_subject", "subject", "subject_id"),
)

evidence = Table(
    "evidence",  # append-only: what was read that proves or refutes a change
    metadata,
    Column("id", Serial, primary_key=True),
    Column("at", Utc, nullable=False),
    Column("run_id", String(250), nullable=False),
    Column("change_id", String(64), ForeignKey("changes.id"), nullable=False),
    Column("source", String(32), nullable=False),  # actions, items, submission
    Column("judgement", String(16), nullable=False),
    Column("detail", JSON, nullable=False),
    Index("ix_evidence_change", "change_id"),
)

learned = Table(
    "learned",
    metadata,
    Column("account", String(64), primary_key=True),
    Column("fact", String(64), primary_key=True),
    Column("value", Boolean, nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("at", Utc, nullable=False),
)

request_counts = Table(
    "request_counts",
    metadata,
    Column("run_id", String(250), primary_key=True),
    Column("kind", String(32), primary_key=True),
    Column("n", Integer, nullable=False),
)

budgets = Table(
    "budgets",  # what impact.com last said of an account's allowance
    metadata,
    Column("account", String(64), primary_key=True),
    Column("allowance", Integer, nullable=False),
    Column("remaining", Integer),
    Column("resets_at", Utc),
    Column("said_at", Utc),
    Column("blocked_until", Utc),  # after a 429
)

budget_uses = Table(
    "budget_uses",  # requests of an account, by second
    metadata,
    Column("account", String(64), primary_key=True),
    Column("second", Utc, primary_key=True),
    Column("n", Integer, nullable=False),
)

decisions = Table(
    "decisions",  # what people answered to holds; withdrawn, never deleted
    metadata,
    Column("id", Serial, primary_key=True),
    Column("program", String(64), nullable=False),
    Column("order_id", String(255), nullable=False),
    Column("order_key", String(255), nullable=False),
    Column("verb", String(32), nullable=False),
    Column("value", String(255), nullable=False),  # what the verb is about; '' is all of it
    Column("reason", Text, nullable=False),
    Column("decided_by", String(255), nullable=False),
    Column("decided_at", Utc, nullable=False),
    Column("withdrawn_by", String(255)),
    Column("withdrawn_at", Utc),
    Index("ix_decisions_order", "program", "order_key"),
)

approvals = Table(
    "approvals",  # a person's answer to a planned change; append-only
    metadata,
    Column("id", Serial, primary_key=True),
    Column("change_id", String(64), ForeignKey("changes.id"), nullable=False),
    Column("run_id", String(250), nullable=False),
    Column("answer", String(16), nullable=False),  # approved, refused
    Column("answered_by", String(255), nullable=False),
    Column("answered_at", Utc, nullable=False),
    Column("reason", Text, nullable=False),
    Index("ix_approvals_change", "change_id"),
)

OPEN_RESET = "state IN ('sending', 'queued')"
resets = Table(
    "resets",  # actions put back to what was first reported; apart from changes: these go up
    metadata,
    Column("id", String(64), primary_key=True),
    Column("account", String(64), nullable=False),
    Column("program", String(64), nullable=False),
    Column("run_id", String(250), ForeignKey("runs.id"), nullable=False),
    Column("action_id", String(64), nullable=False),
    Column("order_key", String(255), nullable=False),
    Column("reason", Text, nullable=False),
    Column("requested_by", String(255), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("before_state", String(16), nullable=False),
    Column("before_amount", Money, nullable=False),
    Column("before_payout", Money, nullable=False),
    Column("original_amount", Money),
    Column("after_amount", Money),
    Column("after_payout", Money),
    # sending, queued, done, refused, lost (never seen), unsent (certainly never left)
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("batch_id", String(128)),
    Column("error", Text),
    Column("sent_at", Utc, nullable=False),
    Column("settled_at", Utc),
    Index(
        "uq_resets_open",
        "account",
        "action_id",
        unique=True,
        sqlite_where=text(OPEN_RESET),
        postgresql_where=text(OPEN_RESET),
    ),
    Index("ix_resets_run", "run_id"),
    Index("ix_resets_action", "account", "action_id"),
)
