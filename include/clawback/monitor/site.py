"""Who reads the page, where it is mounted, and what its addresses are."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from clawback.program import Program, ProgramError, find_program

_DAG_RUN = re.compile(r"([^/]+)/([^/#]+)")
_NO_DAG = frozenset({"cli", "reset", "audit"})
"""What the ids of runs begin with that were made outside Airflow."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks, and from where.

    `home` is the path under which the page is mounted, `airflow` that of Airflow's UI; `framed`
    says that the page is shown inside Airflow, which lets no link out of the frame.
    `may_see` answers for a program's name.
    """

    home: str
    airflow: str
    may_see: Callable[[str], bool]
    framed: bool = False

    def link(self, page: str = "", /, **query: Any) -> str:
        """The address of a page; what is empty is left out of the query."""
        given = {name: value for name, value in query.items() if value not in {"", None, False}}
        return f"{self.home}/{page}" + (f"?{urlencode(given)}" if given else "")

    def in_airflow(self, run_id: str) -> str:
        """The page of a run in Airflow's UI; empty for one that was made outside Airflow."""
        found = _DAG_RUN.match(run_id)
        if self.framed or found is None or found[1] in _NO_DAG:
            return ""
        dag_id, dag_run = (quote(part, safe="") for part in found.groups())
        return f"{self.airflow}/dags/{dag_id}/runs/{dag_run}"


def action_link(program: str, reader: Reader) -> Callable[[str, str], str]:
    """The address of an action in impact.com's UI, by its id and its order's; empty for none."""
    if reader.framed:
        return lambda _action, _order: ""
    try:
        return Program.load(find_program(program)).page_of_action
    except ProgramError:  # its own Dag says so
        return lambda _action, _order: ""


def shares(counts: Mapping[str, int], width: int = 1000) -> list[tuple[str, int, float, float]]:
    """Parts of a bar: name, count, where it begins and how wide it is; each can be seen."""
    total = sum(counts.values())
    least = width / 250
    wide = {name: max(least, n / total * width) for name, n in counts.items() if n}
    scale = width / sum(wide.values()) if wide else 0
    found, at = [], 0.0
    for name, part in wide.items():
        found.append((name, counts[name], round(at, 2), round(part * scale, 2)))
        at += part * scale
    return found
