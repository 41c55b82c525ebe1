"""Precheck: what every run looks at first; a set-up that cannot work is named with its mend."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from clawback.clock import Clock
from clawback.errors import ClawbackError
from clawback.impact.budget import BudgetSpent
from clawback.impact.errors import AuthenticationError, Unavailable
from clawback.sandbox.limits import RateLimit
from clawback.steps.chart import Status
from clawback.steps.precheck import ListeningGate, PrecheckError, precheck
from clawback.warehouse.errors import WarehouseError
from lab import CAMPAIGN, NOW, Lab, action

Maker = Callable[..., Lab]


def looked(lab: Lab, *, clock: Clock | None = None, **parts: Any) -> dict[str, Status]:
    rt = lab.runtime()
    gate = ListeningGate(rt.gate(lab.server.account_sid), clock or lab.clock)
    with lab.client(rt, gate=gate) as client:
        checks = precheck(rt.program, client, gate, parts.get("connect", lab.connect))
    return {check.name: check.status for check in checks}


def test_a_sound_set_up_takes_two_requests(lab_of: Maker) -> None:
    """Credentials, campaign, clock and warehouse are looked at, and the run counts the cost."""
    lab = lab_of([action("O-1")])
    found = looked(lab)
    assert set(found) == {"credentials", "campaign", "clock", "warehouse"}
    assert set(found.values()) == {Status.OK}
    assert len(lab.requests()) == 2
    assert lab.writes == []


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({"campaign_id": "4711"}, f"no campaign 4711; it has {CAMPAIGN}.*set campaign_id"),
    ],
)
def test_a_program_that_does_not_fit_the_account_is_refused(
    lab_of: Maker, choice: dict[str, Any], said: str
) -> None:
    """The message names the fault and the key to change."""
    lab = lab_of([action("O-1")])
    lab.choices.update(choice)
    with pytest.raises(PrecheckError, match=said):
        looked(lab)


def test_a_clock_that_is_hours_off_is_refused_and_a_minute_is_not(lab_of: Maker) -> None:
    """Windows would be wrong by as much; a small difference is only told."""
    lab = lab_of([action("O-1")])
    with pytest.raises(PrecheckError, match=r"differ by .* NTP"):
        looked(lab, clock=Clock.at(NOW - timedelta(hours=1)))
    assert looked(lab, clock=Clock.at(NOW - timedelta(minutes=3)))["clock"] is Status.WARN


def test_a_token_that_may_read_less_is_no_fault(lab_of: Maker) -> None:
    """Whose account it is need not be readable for a run to work."""
    lab = lab_of([action("O-1")])
    lab.strike({"fault": "server_error", "status": 403, "kinds": ["get_company", "list_campaigns"]})
    assert looked(lab) == {
        "credentials": Status.OK,
        "campaign": Status.SKIP,
        "clock": Status.OK,
        "warehouse": Status.OK,
    }


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"fault": "server_error", "status": 503, "kinds": ["get_company"]}, Unavailable),
        ({"fault": "server_error", "status": 401, "kinds": ["get_company"]}, AuthenticationError),
    ],
)
def test_what_impact_answers_is_judged_as_ever(
    lab_of: Maker, fault: dict[str, Any], error: type[ClawbackError]
) -> None:
    """An outage goes on as one, so that it is waited for; a refused token is refused at once."""
    lab = lab_of([action("O-1")])
    lab.strike(fault)
    with pytest.raises(error):
        looked(lab)


def test_a_spent_budget_is_waited_for(lab_of: Maker) -> None:
    """The run's own gate decides: nothing is asked beyond the share that is ours."""
    lab = lab_of([action("O-1")], rate_limit=RateLimit.parse("1/3600"))
    with pytest.raises(BudgetSpent):
        looked(lab)


def test_a_warehouse_that_does_not_open_is_named(lab_of: Maker) -> None:
    """Its own error goes on, with its mend."""
    lab = lab_of([action("O-1")])

    def away() -> Any:
        raise WarehouseError("the warehouse says: no such database; create it")

    with pytest.raises(WarehouseError, match="create it"):
        looked(lab, connect=away)
