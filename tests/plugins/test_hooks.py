"""ImpactHook: from an Airflow connection to the impact.com client, over a real socket."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk import BaseHook, Connection
from airflow.sdk.log import redact

from clawback.errors import ClawbackError
from clawback.impact.account import Account
from clawback.impact.windows import Window, WindowField
from clawback.sandbox.server import SandboxServer
from impact_provider.errors import AirflowConnectionError
from impact_provider.hooks import ImpactHook, to_account

Connect = Callable[..., str]
TOKEN = "tok-Z8k2secretQ"


def account_of(**fields: Any) -> Account:
    given = {
        "conn_id": "c",
        "conn_type": "impact",
        "login": "IRx",
        "password": TOKEN,
        "extra": '{"campaign_id": 1000}',
    }
    made = Connection(**given | fields)
    return to_account(made, made.extra_dejson)


def test_every_field_of_the_connection_reaches_the_account() -> None:
    """Address, credentials and each extra come from the connection; times become durations."""
    extra = (
        '{"campaign_id": 1000, "api_version": 13, "agency_sid": "IRag", "advertiser_id": "77",'
        ' "connect_timeout": 2.5, "read_timeout": "30"}'
    )
    assert account_of(host="https://api.example.com/", extra=extra) == Account(
        base_url="https://api.example.com",
        account_sid="IRx",
        auth_token=TOKEN,
        campaign_id="1000",
        api_version="13",
        agency_sid="IRag",
        advertiser_id="77",
        connect_timeout=timedelta(seconds=2.5),
        read_timeout=timedelta(seconds=30),
    )


def test_empty_fields_of_the_form_count_as_absent() -> None:
    """The UI stores empty fields as empty strings or null; the defaults stand for them."""
    extra = '{"campaign_id": "5", "api_version": "", "agency_sid": null, "read_timeout": ""}'
    assert account_of(host="", extra=extra) == Account(
        base_url="https://api.impact.com", account_sid="IRx", auth_token=TOKEN, campaign_id="5"
    )


@pytest.mark.parametrize(
    ("fields", "address"),
    [
        ({"host": "api.impact.com"}, "https://api.impact.com"),
        ({"host": "sandbox", "schema": "http", "port": 8585}, "http://sandbox:8585"),
        ({"host": "http://127.0.0.1:8585"}, "http://127.0.0.1:8585"),
        ({"host": "http://127.0.0.1:8585", "port": 8585}, "http://127.0.0.1:8585"),
    ],
)
def test_the_host_may_be_given_whole_or_in_parts(fields: dict[str, Any], address: str) -> None:
    """Scheme and port stand in the host or in their own fields; https is the default."""
    assert account_of(**fields).base_url == address


def test_a_programs_campaign_goes_before_the_connections(connect: Connect) -> None:
    """One connection serves every program of an account."""
    assert ImpactHook(connect(), campaign_id="4711").account().campaign_id == "4711"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"login": ""}, r"'c' has no usable login"),
        ({"password": None}, r"'c' has no usable password"),
        ({"extra": "{}"}, r"'c' has no usable extra: campaign_id"),
        ({"extra": '{"campaign_id": 1, "read_timeout": "soon"}'}, r"extra read_timeout: .*seconds"),
        ({"extra": '{"campaign_id": 1, "connect_timeout": -1}'}, r"extra connect_timeout"),
        ({"extra": '{"campaign_id": 1, "connect_timeout": "nan"}'}, r"extra connect_timeout"),
        ({"host": "ftp://x"}, r"'c': .*no address of impact\.com"),
        ({"password": "tok\u00e9n"}, r"'c': the AuthToken"),
        ({"conn_type": "http"}, r"'c' is of type 'http'; give it the type 'impact'"),
    ],
)
def test_a_wrong_field_is_named_with_its_mend(fields: dict[str, Any], said: str) -> None:
    """One sentence names the connection, the field and what belongs there, never the token."""
    with pytest.raises(AirflowConnectionError, match=said) as caught:
        account_of(**fields)
    assert TOKEN not in str(caught.value)
    assert "tok\u00e9n" not in str(caught.value)


def test_a_missing_connection_is_named_with_its_mend() -> None:
    """The sentence says under which name to create it, in the UI or as a variable."""
    with pytest.raises(AirflowConnectionError, match="AIRFLOW_CONN_NOWHERE_AT_ALL") as caught:
        ImpactHook("nowhere_at_all").account()
    assert isinstance(caught.value, ClawbackError)


def test_a_missing_connection_is_named_in_the_triggerer_too() -> None:
    """The asynchronous way gives the same sentence."""
    with pytest.raises(AirflowConnectionError, match="AIRFLOW_CONN_NOWHERE_AT_ALL"):
        asyncio.run(ImpactHook("nowhere_at_all").aaccount())


def window() -> Window:
    now = datetime.now(UTC)
    return Window(WindowField.EVENT, now - timedelta(days=30), now)


def test_the_client_reads_through_the_connection(connect: Connect) -> None:
    """A task's client lists actions of the sandbox with what the connection says."""
    with ImpactHook(connect()).client() as client:
        assert [row.id for page in client.list_actions(window()) for row in page.rows]


def test_the_async_client_reads_the_same(connect: Connect) -> None:
    """The triggerer's client lists the same actions."""
    hook = ImpactHook(connect())

    async def listed() -> list[str]:
        async with await hook.aclient() as client:
            return [row.id async for page in client.list_actions(window()) for row in page.rows]

    with hook.client() as client:
        expected = [row.id for page in client.list_actions(window()) for row in page.rows]
    assert asyncio.run(listed()) == expected


def test_the_test_button_says_what_it_reached(connect: Connect, sandbox: SandboxServer) -> None:
    """A good connection is told with its campaign."""
    hook = BaseHook.get_hook(connect())
    assert isinstance(hook, ImpactHook)
    good, message = hook.test_connection()
    assert good, message
    assert sandbox.campaign_id in message


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"password": TOKEN}, "401"),
        ({"host": "http://127.0.0.1:9"}, "127.0.0.1:9"),
        ({"extra": {"campaign_id": "999999"}}, "999999"),
        ({"extra": {}}, "campaign_id"),
    ],
)
def test_the_test_button_says_what_to_mend(
    connect: Connect, changes: dict[str, Any], said: str
) -> None:
    """Whatever is wrong, the button answers with one sentence and without the token."""
    good, message = ImpactHook(connect(**changes)).test_connection()
    assert not good
    assert said in message
    assert "\n" not in message
    assert TOKEN not in message


def test_the_token_is_masked_and_never_shown(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    """The masker knows the token as soon as the hook does, and no repr or log line holds it."""
    caplog.set_level(logging.DEBUG)
    hook = ImpactHook(connect(password=f" {TOKEN}\n"))
    account = hook.account()
    assert account.auth_token == TOKEN
    hook.test_connection()
    assert redact(f"my {TOKEN}") == "my ***"
    assert TOKEN not in repr(account) + repr(hook) + repr(hook.client().__dict__)
    assert TOKEN not in caplog.text
