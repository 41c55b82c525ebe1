"""Writes the two files of a further program: its settings and its Dag."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from clawback.errors import ClawbackError
from clawback.program import Program, ProgramError, programs_home

_SETTINGS = """\
# The impact.com program {name}. `clawback doctor {name}` checks all of it.
# Keys that are commented out may be left out.
name: {name}
campaign_id: "{campaign_id}"       # impact.com: the program's id
currency: {currency}                 # that of the account
timezone: UTC                 # of times that the warehouse writes without a zone
schedule: "0 6 * * *"         # when the Dag runs, in that zone

connections:                  # Airflow connections, or AIRFLOW_CONN_<ID> outside Airflow
  impact: impact_{name}
  warehouse: warehouse_{name}

warehouse:
  statement: returns.duckdb.sql   # below include/sql: the query that yields the contract

# action_trackers: ["2240"]   # only these event types; empty takes all
# lookback_days: 90           # how long after an order returns come
# order_ids: {{trim: false, case: "", prefix: ""}}   # how ids are made alike
# skus: {{trim: false, case: "", prefix: "", mapping: {{}}}}

reasons:                      # your reason codes, and impact.com's code for each write
  map:
    damaged: {{modify: ORDER_UPDATE, reverse: ITEM_RETURNED}}
    cancelled: {{modify: ORDER_UPDATE, reverse: ORDER_ERROR}}
  ignore: [exchange, replacement]

# approval:                   # above any of these, a run waits for a person
#   changes: 500
#   amount: 20000
#   payout: 2000
#   revenue_share: 0.05       # of what was attributed in the last day
#   urgent: {{changes: 1000}}   # changes that lock soon are judged by these alone

# alerts:
#   connection: ""            # an Airflow http connection; empty sends nothing
#   style: slack              # slack, teams or json
#   held: null
#   rejected: 1
#   locking_days: 3
"""
_DAG = """\
\"\"\"The Airflow Dag of the program {name}; the file must hold the word airflow to be read.\"\"\"

from impact_provider.dag import build

dag = build("{name}.yaml")
"""


def add_program(name: str, campaign_id: str, currency: str, dags: Path) -> list[Path]:
    """Write include/programs/NAME.yaml and its Dag file into `dags`; gives their paths.

    Raises ClawbackError, and writes nothing, for a name, id or currency that no program may have,
    a folder that is not there, or a file that is there already.
    """
    values = {"name": name, "campaign_id": campaign_id, "currency": currency}
    settings = _SETTINGS.format(**values)
    _check(settings)
    files = {
        programs_home() / f"{name}.yaml": settings,
        dags / f"returns_reconciliation__{name}.py": _DAG.format(**values),
    }
    for path in files:
        if path.exists():
            raise ClawbackError(f"{path} is there already and is left as it is; take another name")
        if not path.parent.is_dir():
            raise ClawbackError(f"there is no folder {path.parent}; run this in the project's root")
    return list(_write(files))


def _check(settings: str) -> None:
    """See that the file can be loaded as it is, before anything is written."""
    try:
        campaign = Program.model_validate(yaml.safe_load(settings)).campaign_id.strip()
    except (yaml.YAMLError, ValueError):
        campaign = ""
    if not campaign:
        raise ProgramError(
            "no program may be called so: take a name of lower-case letters, digits and "
            "underscores, the campaign's id, and a currency such as USD"
        )


def _write(files: dict[Path, str]) -> Iterator[Path]:
    for path, text in files.items():
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
        yield path
