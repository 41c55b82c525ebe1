"""The ledger: what was read, planned, sent and seen, on SQLite or PostgreSQL."""
