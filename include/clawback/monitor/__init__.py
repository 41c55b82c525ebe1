"""The Returns page: what the ledger knows of runs and orders, as plain HTML."""
