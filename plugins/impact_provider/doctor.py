"""account_doctor: the read-only examination of whole set-ups, a mapped task for each program."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, BaseOperator

from clawback.clock import Clock
from clawback.errors import ClawbackError
from impact_provider import runbook_by_hand
from impact_provider.notifier import RunNotifier
from impact_provider.parts import by_hand, of_programs
from impact_provider.programs import ChooseOperator
from impact_provider.runtime import returns_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from clawback.impact.account import Account
    from clawback.program import Program
    from clawback.steps.chart import Check

DAG_ID = "account_doctor"
CHECKS = "checks"
"""The XCom key under which every check stands, also of a task that failed."""


class DoctorError(ClawbackError):
    """Some checks failed; the message names each with its mend."""


class ExamineOperator(BaseOperator):
    """Examines the set-up of one program: a line in the log for each check, with its mend.

    Writes nothing anywhere, and sends at most ten requests. Raises DoctorError if a check fails.
    """

    template_fields: Sequence[str] = ("program",)

    def __init__(self, *, program: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.program = program
        self.summary = ""
        """What the grid shows for this mapped task."""

    def execute(self, context: Context) -> None:
        from clawback.steps.chart import Status
        from clawback.steps.doctor import Patient, doctor
        from clawback.steps.findings import complaint

        patient = Patient(self.program, _account, returns_of, Clock.from_env(), os.environ)
        checks = doctor(patient)
        for check in checks:
            self.log.log(_LEVELS.get(check.status, logging.INFO), "%s", _line(check))
        context["ti"].xcom_push(CHECKS, [check.to_json() for check in checks])
        failed = sum(check.status is Status.FAIL for check in checks)
        self.summary = f"{self.program}: {f'{failed} failed' if failed else 'sound'}"
        if fault := complaint(self.program, checks):
            raise DoctorError(fault)


_LEVELS = {"warn": logging.WARNING, "fail": logging.ERROR}


def _line(check: Check) -> str:
    mend = f" → {check.mend}" if check.mend else ""
    return f"{check.status:5} {check.name:18} {check.said}{mend}"


def _account(program: Program) -> Account:
    from impact_provider.hooks import ImpactHook

    return ImpactHook(program.connections.impact, program.campaign_id).account()


def build() -> DAG:
    """The Dag `account_doctor`; reads the names of the program files and nothing else."""
    dag = by_hand(
        DAG_ID,
        "doctor",
        description="Checks whole set-ups without changing anything; what to run on the first day",
        on_failure_callback=RunNotifier(),
        params={"programs": of_programs("Which programs are examined. Empty: all.")},
        doc_md=runbook_by_hand.DOCTOR,
    )
    with dag:
        chosen = ChooseOperator(
            task_id="choose_programs", doc_md=runbook_by_hand.TASKS["choose_programs"]
        )
        ExamineOperator.partial(
            task_id="examine_program",
            doc_md=runbook_by_hand.TASKS["examine_program"],
            map_index_template="{{ task.summary }}",
        ).expand(program=chosen.output)
    return dag
