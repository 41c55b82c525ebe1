"""Rules for every Dag of the project; each failure says how to mend it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
DAGS = ROOT / "dags"
PROGRAMS = ROOT / "include" / "programs"
SECONDS_TO_PARSE = 1.0

SEALED = textwrap.dedent(
    """
    import socket, sqlite3, sys, time
    from pathlib import Path
    from airflow.dag_processing.dagbag import DagBag
    import duckdb, httpx, sqlalchemy

    def refuse(*args, **kwargs):
        raise AssertionError("a Dag file reaches out while it is parsed")

    socket.socket.connect = refuse
    socket.create_connection = refuse
    socket.getaddrinfo = refuse
    sqlite3.connect = sqlite3.dbapi2.connect = refuse
    duckdb.connect = refuse
    sqlalchemy.create_engine = refuse
    httpx.Client.send = httpx.AsyncClient.send = refuse
    began = time.perf_counter()
    bag = DagBag(dag_folder=sys.argv[1])
    for name, text in bag.import_errors.items():
        sys.exit(f"{name}: {text}")
    print("PARSED", len(bag.dags), time.perf_counter() - began)
    """
)


@pytest.fixture(scope="module")
def bag() -> Any:
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(dag_folder=str(DAGS))


@pytest.fixture(scope="module")
def tasks(bag: Any) -> list[Any]:
    return [task for dag in bag.dags.values() for task in dag.tasks]


def names(found: list[Any]) -> list[str]:
    return [f"{task.dag_id}.{task.task_id}" for task in found]


def test_every_dag_file_can_be_imported(bag: Any) -> None:
    """No Dag file has an import error, and each holds a Dag."""
    assert bag.import_errors == {}
    files = {path.name for path in DAGS.glob("*.py")}
    assert {Path(dag.fileloc).name for dag in bag.dags.values()} == files, (
        "a file in dags/ holds no Dag: it must contain the words airflow and dag"
    )


def test_every_dag_file_parses_quickly(bag: Any) -> None:
    """Airflow parses all Dag files again and again; none may take a second."""
    slow = {s.file: s.duration.total_seconds() for s in bag.dagbag_stats}
    assert {f: s for f, s in slow.items() if s >= SECONDS_TO_PARSE} == {}, (
        "import heavy modules inside execute(), not at the top of the module"
    )


def test_parsing_touches_neither_network_nor_database(bag: Any) -> None:
    """With sockets and databases broken, every Dag file still parses."""
    done = subprocess.run(  # noqa: S603 - our own interpreter and text
        [sys.executable, "-c", SEALED, str(DAGS)],
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"PARSED {len(bag.dags)} " in done.stdout


def test_every_dag_has_tags_and_a_runbook(bag: Any) -> None:
    """Whoever finds a Dag in the UI can filter for it and read what to do."""
    assert [d.dag_id for d in bag.dags.values() if "clawback" not in d.tags] == []
    assert [d.dag_id for d in bag.dags.values() if len(d.doc_md or "") < 200] == [], (
        "give the Dag a doc_md in impact_provider/runbook.py"
    )


def test_every_task_has_a_runbook(tasks: list[Any]) -> None:
    """Each task says what it does and what to do when it fails."""
    silent = [t for t in tasks if "**If it fails**" not in (t.doc_md or "")]
    assert names(silent) == [], "give the task a doc_md in impact_provider/runbook.py"


def test_every_task_has_an_owner(tasks: list[Any]) -> None:
    """No task belongs to Airflow's placeholder owner."""
    assert names([t for t in tasks if t.owner in {"", "airflow"}]) == [], "set default_args owner"


def test_every_task_is_retried_with_backoff_and_judgement(tasks: list[Any]) -> None:
    """Outages are ridden out, growing slower; errors that a person must mend are not retried."""
    assert names([t for t in tasks if t.retries < 1]) == [], "set retries"
    assert names([t for t in tasks if not t.retry_exponential_backoff]) == [], "set the backoff"
    assert names([t for t in tasks if t.retry_policy is None]) == [], "set retry_policy=BY_ERROR"


def test_every_task_has_a_limit_in_time(tasks: list[Any]) -> None:
    """A task that hangs does not hold its slot for ever."""
    assert names([t for t in tasks if t.execution_timeout is None]) == [], "set execution_timeout"


def test_no_dag_catches_up(bag: Any) -> None:
    """Unpausing a Dag never starts a train of old runs: the watermark covers what was missed."""
    assert [d.dag_id for d in bag.dags.values() if d.catchup] == [], "set catchup=False"


def test_one_run_at_a_time(bag: Any) -> None:
    """Scheduled runs of a program queue up instead of overlapping."""
    assert [d.dag_id for d in bag.dags.values() if d.max_active_runs != 1] == []


def test_every_dag_tells_when_it_fails(bag: Any) -> None:
    """A run that fails is told through the program's webhook, whichever Dag it is of."""
    from impact_provider.notifier import RunNotifier

    silent = [
        dag.dag_id
        for dag in bag.dags.values()
        if not isinstance(dag.on_failure_callback, RunNotifier)
    ]
    assert silent == [], "set on_failure_callback=RunNotifier() on the Dag"


READS_ONLY = {"account_doctor"}


def test_every_dag_that_changes_something_can_be_tried_dry(bag: Any) -> None:
    """Whoever is unsure sets dry_run first; left empty it is what is safe for this Dag."""
    without = [
        dag.dag_id
        for dag in bag.dags.values()
        if dag.dag_id not in READS_ONLY and "dry_run" not in dag.params
    ]
    assert without == [], "add of_dry_run() to the Dag's params"


def test_every_field_of_a_form_is_explained_and_typed(bag: Any) -> None:
    """The trigger form names each field, says what it is for, and refuses a wrong type."""
    bare = [
        f"{dag.dag_id}.{name}"
        for dag in bag.dags.values()
        for name in dag.params
        if not {"title", "type"} <= set(dag.params.get_param(name).schema)
        or len(dag.params.get_param(name).description or "") < 20
    ]
    assert bare == [], "give the Param a title, a type and a description"


def test_no_list_can_only_be_chosen_from_examples(bag: Any) -> None:
    """Airflow's form lets nothing else be chosen of a list with examples: only whole choices."""
    closed = [
        f"{dag.dag_id}.{name}"
        for dag in bag.dags.values()
        for name in dag.params
        if "examples" in (schema := dag.params.get_param(name).schema)
        and schema["examples"] != schema.get("items", {}).get("enum")
    ]
    assert closed == [], "say the example in the Param's description instead"


def test_a_dag_with_a_schedule_needs_no_params(bag: Any) -> None:
    """What the scheduler starts has nobody to fill in a form."""
    for dag in bag.dags.values():
        if dag.timetable.can_be_scheduled:
            dag.params.validate()


def orphans(programs: Path, dags: Path) -> list[str]:
    """How to mend each program that no Dag file builds."""
    from clawback.program import Program
    from impact_provider.dag import dag_id

    faults = []
    for path in sorted(programs.glob("*.yaml")):
        wanted = dags / f"{dag_id(Program.load(path).name)}.py"
        if not wanted.is_file() or f'build("{path.name}")' not in wanted.read_text():
            faults.append(
                f"{path.name} has no Dag: run `clawback program add {path.stem}`, or write "
                f'dags/{wanted.name} with dag = build("{path.name}")'
            )
    return faults


def test_a_programs_dag_file_holds_its_reset_as_well(bag: Any) -> None:
    """The three lines that `clawback program add` writes make every Dag of a program."""
    mine = {dag.dag_id for dag in bag.dags.values() if "program:demo" in dag.tags}
    assert mine == {"returns_reconciliation", "action_reset"}


def test_every_program_has_its_dag_file() -> None:
    """A program file without a Dag file would silently never run."""
    assert orphans(PROGRAMS, DAGS) == []


def test_a_forgotten_dag_file_is_named_with_the_mend(tmp_path: Path) -> None:
    """The policy above does see a program without a Dag file, and says what to write."""
    (tmp_path / "shop.yaml").write_text("name: shop\ncampaign_id: 7\ncurrency: EUR\n")
    [fault] = orphans(tmp_path, DAGS)
    assert "clawback program add shop" in fault
    assert "dags/returns_reconciliation__shop.py" in fault
