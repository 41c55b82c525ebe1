"""An index that nothing reads: the changes of a run's lines are found from the line."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_run_lines_change", table_name="run_lines")


def downgrade() -> None:
    op.create_index("ix_run_lines_change", "run_lines", ["run_id", "change_id"])
