"""The Dags that a person starts: what their forms refuse, and what their first task refuses."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import TriggerRule
from airflow.sdk.exceptions import ParamValidationError

from clawback.ledger.store import Ledger
from clawback.program import Program
from impact_provider import decisions, doctor, resets
from impact_provider.audit import build as build_audit
from impact_provider.programs import ChooseOperator
from impact_provider.runtime import ParamsError

SHOP = Program(name="shop", campaign_id="77", currency="EUR")
BUILT = {
    "reset": lambda: resets.build("shop.yaml", SHOP),
    "decisions": decisions.build,
    "doctor": doctor.build,
    "audit": build_audit,
}


@pytest.mark.parametrize(
    ("dag", "name", "value"),
    [
        ("reset", "targets", []),
        ("reset", "targets", "A-1"),
        ("reset", "targets", [""]),
        ("reset", "targets", ["A"] * 501),
        ("reset", "reason", ""),
        ("reset", "reason", "    "),
        ("reset", "dry_run", "maybe"),
        ("decisions", "program", "nosuch"),
        ("decisions", "verb", "shrug"),
        ("decisions", "hold", "tired"),
        ("decisions", "order_ids", "A-1"),
        ("decisions", "reason", "no"),
        ("doctor", "programs", ["nosuch"]),
        ("audit", "programs", "demo"),
        ("audit", "depth_days", 0),
        ("audit", "hand_over", "yes"),
    ],
)
def test_the_form_refuses_a_wrong_value(dag: str, name: str, value: object) -> None:
    """What is no target, answer, reason or program is refused before a run exists."""
    with pytest.raises(ParamValidationError):
        BUILT[dag]().params.get_param(name).resolve(value)


@pytest.mark.parametrize(
    ("dag", "missing"), [("reset", "targets"), ("reset", "reason"), ("decisions", "verb")]
)
def test_what_must_be_said_has_no_default(dag: str, missing: str) -> None:
    """A run without it is refused, not guessed at."""
    with pytest.raises(ParamValidationError):
        BUILT[dag]().params.get_param(missing).resolve()


def test_a_reset_is_closed_whatever_became_of_it() -> None:
    """Nothing is sent behind a refusal or a failure, and the books are closed on it."""
    dag = BUILT["reset"]()
    assert dag.dag_id == "action_reset__shop"
    ending = {"confirm_changes", "close_books"}
    for task in dag.tasks:
        always = TriggerRule.ALL_DONE
        assert task.trigger_rule is (always if task.task_id in ending else TriggerRule.ALL_SUCCESS)
    assert dag.task_dict["reset_actions"].upstream_task_ids == {"approve_reset"}


def given(**changed: Any) -> dict[str, Any]:
    plain: dict[str, Any] = dict.fromkeys(("order_ids", "hold", "value", "dry_run"))
    return plain | {"verb": "ignore", "reason": "by hand"} | changed


@pytest.mark.parametrize("params", [given(), given(order_ids=["A"], hold="contested")])
def test_a_decision_is_about_orders_or_about_a_hold(ledger: Ledger, params: dict[str, Any]) -> None:
    """Neither, or both, is refused with the mend."""
    with pytest.raises(ParamsError, match="give either order_ids, or hold"):
        decisions._decided(ledger, SHOP, params, "ann")


def test_a_decision_needs_somebody_who_decides() -> None:
    """A run that no user triggered keeps no decision."""
    nobody: Any = {"dag_run": SimpleNamespace(triggering_user_name=None)}
    with pytest.raises(ParamsError, match="a decision needs a name"):
        decisions.who(nobody)
    ann: Any = {"dag_run": SimpleNamespace(triggering_user_name="ann")}
    assert decisions.who(ann) == "ann"


@pytest.mark.parametrize(
    ("programs", "chosen"),
    [(None, ["demo"]), ([], ["demo"]), (["b", "a", "b"], ["b", "a"])],
)
def test_without_a_choice_all_programs_are_meant(programs: Any, chosen: list[str]) -> None:
    """The Param chooses; empty is every program file that there is."""
    context: Any = {"params": {"programs": programs}}
    assert ChooseOperator(task_id="choose_programs").execute(context) == chosen
