"""The account outside Airflow: the same connection gives the same account as through the hook."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clawback.impact.account import Account
from clawback.program import Program
from clawback.surroundings import ConnectionMissingError, account_of

PROGRAM = Program(name="shop", campaign_id="1000", currency="EUR")
GOOD: dict[str, Any] = {"conn_type": "impact", "login": "IRx", "password": "tok-s3cret"}


def account(value: str) -> Account:
    return account_of(PROGRAM, {"AIRFLOW_CONN_IMPACT_DEFAULT": value})


def test_times_and_blanks_are_read_as_airflow_reads_them() -> None:
    """Time-outs of the extras count, and blanks around a value that was pasted do not."""
    extra = {"connect_timeout": " 2.5", "read_timeout": 30, "agency_sid": " ", "api_version": "13 "}
    pasted = {"host": " https://x.test/ ", "login": " IRx\n", "password": "tok-s3cret\n"}
    found = account(json.dumps(GOOD | pasted | {"extra": extra}))
    assert (found.connect_timeout.total_seconds(), found.read_timeout.total_seconds()) == (2.5, 30)
    assert (found.base_url, found.account_sid) == ("https://x.test", "IRx")
    assert (found.auth_token, found.api_version, found.agency_sid) == ("tok-s3cret", "13", None)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ('{"conn_type": "impact", "password": "tok-s3cret"', "is not valid JSON"),
        (json.dumps(GOOD | {"extra": {"read_timeout": "soon"}}), "no usable extra read_timeout"),
        (json.dumps(GOOD | {"extra": {"connect_timeout": -1}}), "no usable extra connect_timeout"),
        (json.dumps(GOOD | {"login": " "}), "has no login"),
    ],
)
def test_what_is_wrong_is_said_of_the_impact_connection(value: str, said: str) -> None:
    """The message names this connection, not the warehouse's, and no secret."""
    with pytest.raises(ConnectionMissingError, match=said) as caught:
        account(value)
    assert "the impact.com connection 'impact_default'" in str(caught.value)
    assert "warehouse" not in str(caught.value)
    assert "s3cret" not in str(caught.value)
