"""reconciliation_audit, run by Airflow in this process over a real sandbox."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

pytestmark = pytest.mark.airflow


def audited(shop: Any) -> tuple[Any, dict[str, Any]]:
    """A run of the audit, and what it told of the program."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(shop.dags / "reconciliation_audit.py"))
    assert bag.import_errors == {}
    dag_run = bag.dags["reconciliation_audit"].test()
    assert str(dag_run.state) == "success"
    [ti] = [ti for ti in dag_run.get_task_instances() if ti.task_id == "audit_program"]
    return ti, ti.xcom_pull(task_ids="audit_program", map_indexes=0)


def test_an_audit_finds_what_vanished_and_writes_nothing(shop: Any) -> None:
    """After a settled run nothing has drifted; a return row that is deleted is found and named."""
    shop.run()
    shop.forget_requests()
    quiet, told = audited(shop)
    assert told["drifted"] == 0, told["drift"]
    assert quiet.rendered_map_index == "demo: 0 drifted"
    with duckdb.connect(str(shop.warehouse)) as connection:
        [order] = connection.execute("SELECT order_id FROM returns LIMIT 1").fetchone() or [""]
        connection.execute("DELETE FROM returns WHERE order_id = ?", [order])
    _, told = audited(shop)
    assert told["drift"]["vanished_from_warehouse"]["order_ids"] == [order]
    assert shop.writes() == 0
