"""The warehouse: the contract of a return line, and reading lines from any SQL connection."""
