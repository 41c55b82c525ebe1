"""When a run counts as late, and who is told: Airflow's own DeadlineAlert."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

from impact_provider.notifier import RunNotifier

if TYPE_CHECKING:
    from clawback.program import Program

NAME = "deadline_missed"
UNDER_TEST = ["dags", "test"]


def deadline_of(program_file: str, program: Program) -> DeadlineAlert | None:
    """The deadline of a program's runs; None where its file asks for none.

    It counts from when the run was queued, and the triggerer tells, so that a scheduler or a
    worker that is stuck does not keep it quiet. None under `airflow dags test` as well: Airflow
    3.3.2 then looks a deadline up by its definition instead of its id, and breaks off as soon as
    the run has succeeded.
    """
    hours = program.alerts.deadline_hours
    if hours is None or sys.argv[1:3] == UNDER_TEST:
        return None
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(hours=hours),
        callback=AsyncCallback(RunNotifier, {"program": program_file}),
        name=NAME,
    )
