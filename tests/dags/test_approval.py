"""The gate before the writes: the Dag waits for a person, who answers, refuses or stays away."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from clawback.ledger.store import Ledger
from clawback.ledger.tables import approvals, events
from clawback.program import Program
from impact_provider.approval import patience

pytestmark = pytest.mark.airflow


@pytest.fixture
def strict(shop: Any) -> Any:
    """The shop with a threshold that its first plan is over."""
    limit(shop, "{changes: 5}")
    return shop


def limit(shop: Any, text: str) -> None:
    path = shop.home / "programs" / "demo.yaml"
    path.write_text(f"{path.read_text()}\napproval: {text}\n")


@contextmanager
def meanwhile(act: Callable[[], bool]) -> Iterator[None]:
    """While the body runs, try `act` again and again until it says that it is done.

    What the run and `act` do to the same rows at once may fail; then it is tried again, for
    nobody else would ever answer.
    """
    over = threading.Event()

    def watch() -> None:
        done = False
        while not done and not over.wait(0.3):
            with suppress(SQLAlchemyError):
                done = act()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def waiting() -> Any:
    """The task instance that waits for input, if any; and how long it waits."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session

    with create_session() as session:
        here = select(TaskInstance).where(TaskInstance.state == "awaiting_input")
        found = session.scalars(here).first()
        if found is not None:
            session.expunge(found)
        return found


def answers(option: str, **params: str) -> Callable[[], bool]:
    """Answer through Airflow's own API, as the Required Actions page does."""
    from airflow.api_fastapi.app import create_app
    from starlette.testclient import TestClient

    client = TestClient(create_app())

    def act() -> bool:
        found = waiting()
        if found is None:
            return False
        token = client.get("/auth/token").json()["access_token"]
        done = client.patch(
            f"/api/v2/dags/{found.dag_id}/dagRuns/{found.run_id}/taskInstances/"
            f"{found.task_id}/{found.map_index}/hitlDetails",
            json={"chosen_options": [option], "params_input": params},
            headers={"Authorization": f"Bearer {token}"},
        )
        return bool(done.status_code == 200)

    return act


def nobody_answers() -> bool:
    """Let the time of the question be over, and the scheduler's own sweep find it."""
    from airflow.jobs.job import Job
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session

    if waiting() is None:
        return False
    with create_session() as session:
        past = datetime.now(UTC) - timedelta(minutes=1)
        for found in session.scalars(
            select(TaskInstance).where(TaskInstance.state == "awaiting_input")
        ):
            found.trigger_timeout = past
    SchedulerJobRunner(job=Job()).check_awaiting_input_timeouts()
    return waiting() is None


def kept(table: Any) -> list[Any]:
    with Ledger.open() as ledger, ledger.read() as conn:
        return list(conn.execute(select(table)).mappings())


def states(dag_run: Any) -> dict[str, str]:
    return {ti.task_id: str(ti.state) for ti in dag_run.get_task_instances()}


@pytest.fixture(autouse=True)
def everyone_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS", "True")


def test_an_approved_plan_is_sent_under_the_name_of_who_approved_it(strict: Any) -> None:
    """Over the threshold the run waits; approved, it sends, and the ledger knows who said so."""
    with meanwhile(answers("Approve")):
        dag_run = strict.run()
    assert str(dag_run.state) == "success", states(dag_run)
    assert strict.books(dag_run)["changes"]["confirmed"] > 20
    signed = kept(approvals)
    assert {row["answer"] for row in signed} == {"approved"}
    assert all(row["answered_by"] not in {"", "unknown"} for row in signed)


def test_a_refused_plan_sends_nothing(strict: Any) -> None:
    """Refused changes end as held with name and reason; impact.com sees no write at all."""
    with meanwhile(answers("Reject", reason="looks doubled")):
        dag_run = strict.run()
    assert str(dag_run.state) == "success", states(dag_run)
    assert strict.writes() == 0
    books = strict.books(dag_run)
    assert books["held"]["approval_refused"] > 20
    assert books["changes"]["submitted"] == 0
    signed = kept(approvals)
    assert {(row["answer"], row["reason"]) for row in signed} == {("refused", "looks doubled")}


def test_a_question_that_nobody_answers_leaves_the_changes_planned(strict: Any) -> None:
    """A time-out is no refusal: nothing is sent or held, the ledger says so, the next run asks."""
    with meanwhile(nobody_answers):
        first = strict.run()
    assert str(first.state) == "success", states(first)
    assert strict.writes() == 0
    assert strict.books(first)["outcomes"]["planned"]["lines"] > 20
    assert strict.books(first)["held"].get("approval_refused", 0) == 0
    assert kept(approvals) == []
    assert "approval timed out" in {row["became"] for row in kept(events)}
    with meanwhile(answers("Approve")):
        second = strict.run()
    assert strict.books(second)["changes"]["confirmed"] > 20


def test_a_dry_run_never_waits(strict: Any) -> None:
    """A plan that is not going to be sent needs nobody's word."""
    dag_run = strict.run(dry_run=True)
    assert str(dag_run.state) == "success", states(dag_run)
    assert kept(approvals) == []


def test_a_plan_within_the_thresholds_does_not_wait(shop: Any) -> None:
    """Below its thresholds a program runs by itself."""
    limit(shop, "{changes: 100000, payout: 1000000}")
    dag_run = shop.run()
    assert str(dag_run.state) == "success", states(dag_run)
    assert shop.books(dag_run)["changes"]["confirmed"] > 20


def test_urgent_changes_within_their_threshold_go_even_if_the_rest_is_refused(shop: Any) -> None:
    """A refusal of the ordinary changes does not skip those that lock soon and may go."""
    path = shop.home / "programs" / "demo.yaml"
    days = 20
    path.write_text(f"{path.read_text()}\nsafety_margin_minutes: {days * 1440}\n")
    limit(shop, "{changes: 1, urgent: {changes: 100000}}")
    with meanwhile(answers("Reject")):
        dag_run = shop.run()
    assert str(dag_run.state) == "success", states(dag_run)
    books = shop.books(dag_run)
    assert books["changes"]["confirmed"] > 0
    assert books["held"]["approval_refused"] > 0


def test_urgent_changes_are_sent_while_the_question_stands(shop: Any) -> None:
    """Nobody has to answer before what locks soon is on its way to impact.com."""
    path = shop.home / "programs" / "demo.yaml"
    days = 20
    path.write_text(f"{path.read_text()}\nsafety_margin_minutes: {days * 1440}\n")
    limit(shop, "{changes: 1, urgent: {changes: 100000}}")
    answer, before = answers("Approve"), list[int]()

    def answer_at_last() -> bool:
        if waiting() is not None and shop.writes():
            before.append(shop.writes())
            return answer()
        return False

    with meanwhile(answer_at_last):
        dag_run = shop.run()
    assert str(dag_run.state) == "success", states(dag_run)
    assert 0 < before[0] < shop.writes()


DAILY = Program(name="shop", campaign_id="1", currency="EUR", timezone="Europe/Berlin")
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("schedule", "kind", "left"),
    [
        ("0 6 * * *", "scheduled", 22 * HOUR),
        ("0 6 * * *", "manual", 24 * HOUR),
        ("0 6 * * *", "backfill", 24 * HOUR),
        ("0 * * * *", "scheduled", HOUR / 2),
        ("0 6 * * 1", "scheduled", 6 * 24 * HOUR + 22 * HOUR),
    ],
)
def test_a_question_ends_before_the_next_run(schedule: str, kind: str, left: timedelta) -> None:
    """An hour before the next scheduled run, in the program's own time zone; a day by hand."""
    program = DAILY.model_copy(update={"schedule": schedule})
    now = datetime(2026, 11, 23, 6, tzinfo=UTC)
    found = patience(program, kind, now)
    assert found == left
    assert type(found) is timedelta, "a pendulum span cannot be told to Airflow's supervisor"
