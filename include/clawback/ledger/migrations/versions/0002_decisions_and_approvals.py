"""What people decide: answers to holds and to plans above the thresholds, and resets."""

import sqlalchemy as sa
from alembic import op

from clawback.ledger.types import Money, Utc

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

OPEN_RESET = "state IN ('sending', 'queued')"
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "decisions",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("program", sa.String(length=64), nullable=False),
        sa.Column("order_id", sa.String(length=255), nullable=False),
        sa.Column("order_key", sa.String(length=255), nullable=False),
        sa.Column("verb", sa.String(length=32), nullable=False),
        sa.Column("value", sa.String(length=255), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.String(length=255), nullable=False),
        sa.Column("decided_at", Utc(timezone=True), nullable=False),
        sa.Column("withdrawn_by", sa.String(length=255), nullable=True),
        sa.Column("withdrawn_at", Utc(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_decisions"),
    )
    op.create_index("ix_decisions_order", "decisions", ["program", "order_key"])
    op.create_table(
        "approvals",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("change_id", sa.String(length=64), nullable=False),
        sa.Column("run_id", sa.String(length=250), nullable=False),
        sa.Column("answer", sa.String(length=16), nullable=False),
        sa.Column("answered_by", sa.String(length=255), nullable=False),
        sa.Column("answered_at", Utc(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["change_id"], ["changes.id"], name="fk_approvals_change_id"),
        sa.PrimaryKeyConstraint("id", name="pk_approvals"),
    )
    op.create_index("ix_approvals_change", "approvals", ["change_id"])
    op.create_table(
        "resets",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("program", sa.String(length=64), nullable=False),
        sa.Column("run_id", sa.String(length=250), nullable=False),
        sa.Column("action_id", sa.String(length=64), nullable=False),
        sa.Column("order_key", sa.String(length=255), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.String(length=255), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("before_state", sa.String(length=16), nullable=False),
        sa.Column("before_amount", Money(), nullable=False),
        sa.Column("before_payout", Money(), nullable=False),
        sa.Column("original_amount", Money(), nullable=True),
        sa.Column("after_amount", Money(), nullable=True),
        sa.Column("after_payout", Money(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.String(length=128), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("sent_at", Utc(timezone=True), nullable=False),
        sa.Column("settled_at", Utc(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_resets_run_id"),
        sa.PrimaryKeyConstraint("id", name="pk_resets"),
    )
    op.create_index(
        "uq_resets_open",
        "resets",
        ["account", "action_id"],
        unique=True,
        sqlite_where=sa.text(OPEN_RESET),
        postgresql_where=sa.text(OPEN_RESET),
    )
    op.create_index("ix_resets_run", "resets", ["run_id"])
    op.create_index("ix_resets_action", "resets", ["account", "action_id"])


def downgrade() -> None:
    op.drop_index("ix_resets_action", table_name="resets")
    op.drop_index("ix_resets_run", table_name="resets")
    op.drop_index("uq_resets_open", table_name="resets")
    op.drop_table("resets")
    op.drop_index("ix_approvals_change", table_name="approvals")
    op.drop_table("approvals")
    op.drop_index("ix_decisions_order", table_name="decisions")
    op.drop_table("decisions")
