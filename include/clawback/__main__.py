"""`python -m clawback`: the same as the console script."""

from clawback.cli import app

app()
