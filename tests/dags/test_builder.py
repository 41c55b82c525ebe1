"""The Dag that the builder makes of a program file."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import TriggerRule
from airflow.sdk.exceptions import ParamValidationError

from clawback.program import ProgramError
from impact_provider.dag import build

TASKS = [
    "preflight",
    "extract_returns",
    "sync_actions",
    "plan_changes",
    "approve_changes",
    "prove_account",
    "submit_changes",
    "confirm_changes",
    "close_books",
]
URGENT = "submit_urgent"
SHOP = "name: shop\ncampaign_id: 77\ncurrency: EUR\ntimezone: Europe/Berlin\nschedule: 30 4 * * *\n"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "shop.yaml").write_text(SHOP)
    monkeypatch.setenv("CLAWBACK_PROGRAMS", str(tmp_path))
    return build("shop.yaml")


def test_the_tasks_stand_in_a_row(shop: Any) -> None:
    """The tasks are those of the design, each after the one before it; one stands beside."""
    sorted_ids = [task.task_id for task in shop.topological_sort()]
    assert [task_id for task_id in sorted_ids if task_id != URGENT] == TASKS
    for before, after in pairwise(TASKS):
        assert before in shop.task_dict[after].upstream_task_ids
    assert set(sorted_ids) == {*TASKS, URGENT}


def test_what_is_urgent_goes_beside_the_gate(shop: Any) -> None:
    """submit_urgent follows the plan and not the approval; the canary waits for both."""
    urgent = shop.task_dict[URGENT]
    assert urgent.upstream_task_ids == {"plan_changes"}
    assert urgent.downstream_task_ids == {"prove_account"}


def test_only_confirm_and_close_run_after_a_failure(shop: Any) -> None:
    """Nothing is sent after a failure; what was sent is still confirmed, and books are closed."""
    rules = {task.task_id: task.trigger_rule for task in shop.tasks}
    assert {name for name, rule in rules.items() if rule is TriggerRule.ALL_DONE} == {
        "confirm_changes",
        "close_books",
    }
    assert set(rules.values()) == {TriggerRule.ALL_DONE, TriggerRule.ALL_SUCCESS}


def test_submit_is_mapped_and_named_by_shard(shop: Any) -> None:
    """The grid shows a mapped task per shard, named by what it sends."""
    submit = shop.task_dict["submit_changes"]
    assert submit.is_mapped
    assert submit.partial_kwargs["map_index_template"] == "{{ task.summary }}"


def test_the_dag_is_named_after_the_program(shop: Any) -> None:
    """A program's Dag bears its name; only the embedded one goes without."""
    assert shop.dag_id == "returns_reconciliation__shop"


def test_the_schedule_is_the_programs_own(shop: Any) -> None:
    """Cron and time zone come from the program file, as a data-interval timetable."""
    assert "30 4 * * *" in str(shop.timetable)
    assert "Europe/Berlin" in str(shop.timetable)
    assert type(shop.timetable).__name__ == "CronDataIntervalTimetable"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("window_start", "yesterday"),
        ("window_end", "2026-11-31T00:00:00Z"),
        ("window_end", "2026-11-30"),
        ("order_ids", "A-1"),
        ("order_ids", [1]),
        ("order_ids", [""]),
        ("dry_run", "maybe"),
    ],
)
def test_a_wrong_param_is_refused_before_anything_runs(shop: Any, name: str, value: object) -> None:
    """The trigger form refuses what is no time, no list of ids or no yes or no."""
    with pytest.raises(ParamValidationError):
        shop.params.get_param(name).resolve(value)


def test_every_param_may_stay_empty_and_is_explained(shop: Any) -> None:
    """A run without Params is the normal run; the form says what each one is for."""
    shop.params.validate()
    assert set(shop.params.dump().values()) == {None}
    for name in ("window_start", "window_end", "order_ids", "dry_run"):
        assert shop.params.get_param(name).description


def test_a_broken_program_takes_no_other_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A malformed program file is the import error of its own Dag file, with the mend in it."""
    programs, dags = tmp_path / "programs", tmp_path / "dags"
    programs.mkdir()
    dags.mkdir()
    (programs / "shop.yaml").write_text(SHOP)
    (programs / "bad.yaml").write_text("name: bad\ncampaign_id: 1\ncurrency: dollars\n")
    for name in ("shop", "bad"):
        (dags / f"{name}.py").write_text(
            '"""An airflow dag."""\nfrom impact_provider.dag import build\n'
            f'dag = build("{name}.yaml")\n'
        )
    monkeypatch.setenv("CLAWBACK_PROGRAMS", str(programs))
    bag = DagBag(dag_folder=str(dags))
    assert set(bag.dags) == {"returns_reconciliation__shop", "action_reset__shop"}
    [error] = bag.import_errors.values()
    assert "bad.yaml: currency:" in error


def test_a_missing_program_names_those_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Dag file that names no program is told which ones exist."""
    (tmp_path / "shop.yaml").write_text(SHOP)
    monkeypatch.setenv("CLAWBACK_PROGRAMS", str(tmp_path))
    with pytest.raises(ProgramError, match=r"nope\.yaml: no such program file.*shop\.yaml"):
        build("nope.yaml")
