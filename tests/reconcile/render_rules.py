"""Writes docs/rules.md from the decision table: `python tests/reconcile/render_rules.py`."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import table_learning  # noqa: F401 - says its rows when it is loaded, as the next three do
import table_outcome  # noqa: F401
import table_state  # noqa: F401
import table_time  # noqa: F401
from table import ROWS, SECTIONS

TARGET = Path(__file__).resolve().parents[2] / "docs" / "rules.md"
HEAD = """# The rules

What becomes of a return line, and what is asked of impact.com. Each row is a test
(`table.py` and its neighbours in `tests/reconcile/`); this page is written from the table by
`python tests/reconcile/render_rules.py`.

How to read the last column: `line 1 planned` is the outcome of line 1 (a hold's reason after the
slash, several actions joined by a comma); `change A:1/50` lowers item A to quantity 1 and amount
50, `-` leaves a component as it is; `change reverse` reverses the whole action. Unless a row says
otherwise an item is 2 units for 100, a line returns 1 unit of A, and nothing is locked.
"""


ORDERED = sorted(ROWS, key=lambda row: SECTIONS.index(row.section))


def render() -> str:
    """The whole document."""
    parts = [HEAD]
    for section, rows in groupby(ORDERED, key=lambda row: row.section):
        parts.append(
            f"\n## {section}\n\n| rule | given | then | comes out |\n| --- | --- | --- | --- |\n"
        )
        for row in rows:
            out = "<br>".join(f"`{text}`" for text in row.expect)
            cells = [row.rule, row.given, row.then, out]
            parts.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n")
    return "".join(parts)


if __name__ == "__main__":
    TARGET.write_text(render())
