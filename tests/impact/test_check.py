"""The test button: one sentence for each state that an account can be in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from clawback.impact.account import Account
from clawback.impact.check import UnknownCampaign, check_account
from clawback.impact.client import ImpactClient
from clawback.impact.errors import (
    AuthenticationError,
    ImpactError,
    PermissionDenied,
    Refused,
    Unavailable,
)
from clawback.impact.retry import NO_WAITS

CAMPAIGNS = {"@page": "1", "Campaigns": [{"Id": "1000", "Name": "Acme"}, {"Id": 7, "Name": "Old"}]}
NO_ACTIONS = {"@page": "1", "@total": "0", "Actions": []}


def test_a_good_account_is_told_with_its_campaign(client: ImpactClient, script: Any) -> None:
    """Two small requests are enough, and the sentence names the campaign."""
    script.then(CAMPAIGNS).then(NO_ACTIONS)
    assert "campaign 1000 (Acme)" in check_account(client)
    assert script.seen[1].query["PageSize"] == "2000"
    assert len(script.seen) == 2


def test_campaigns_may_be_out_of_scope(client: ImpactClient, script: Any) -> None:
    """A token that may read actions but not campaigns is good enough."""
    script.then(status=403).then(NO_ACTIONS)
    assert "campaign 1000" in check_account(client)


@pytest.mark.parametrize(
    ("steps", "error", "mend"),
    [
        ([{"status": 401}], AuthenticationError, "copy both again"),
        ([{"status": 403}, {"status": 403}], PermissionDenied, "scope"),
        ([{"body": CAMPAIGNS}, {"status": 403}], PermissionDenied, "scope"),
        ([{"status": 403}, {"status": 400}], Refused, "check campaign_id"),
        ([{"status": 503}], Unavailable, "later"),
    ],
)
def test_each_fault_has_its_own_sentence(
    client: ImpactClient,
    script: Any,
    steps: list[dict[str, Any]],
    error: type[ImpactError],
    mend: str,
) -> None:
    """Wrong token, missing scope, refused campaign and outage are told apart."""
    for step in steps:
        script.then(**step)
    with pytest.raises(error) as caught:
        check_account(client)
    assert mend in str(caught.value)


def test_an_unknown_campaign_is_named_with_those_there_are(account: Account, script: Any) -> None:
    """A campaign that the account does not have is found before any run."""
    script.then(CAMPAIGNS)
    unknown = replace(account, campaign_id="999")
    with (
        ImpactClient(unknown, retry=NO_WAITS) as client,
        pytest.raises(UnknownCampaign) as caught,
    ):
        check_account(client)
    assert "no campaign 999" in str(caught.value)
    assert "1000 (Acme), 7 (Old)" in str(caught.value)


def test_a_host_that_does_not_exist_is_told(account: Account) -> None:
    """A wrong host ends with the connection's host as the thing to mend."""
    nowhere = replace(account, base_url="http://impact.invalid")
    with ImpactClient(nowhere, retry=NO_WAITS) as client, pytest.raises(Unavailable) as caught:
        check_account(client)
    assert "cannot reach impact.invalid" in str(caught.value)
    assert "check the host" in str(caught.value)
