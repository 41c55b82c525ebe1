"""ImpactHook: turns an Airflow connection into the impact.com client, for tasks and triggers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import amask_secret, mask_secret

from clawback.errors import ClawbackError
from impact_provider.errors import AirflowConnectionError, lacking, missing

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from clawback.impact.account import Account
    from clawback.impact.budget import Gate
    from clawback.impact.client import AsyncImpactClient, ImpactClient


class ImpactHook(BaseHook):
    """The impact.com Brand API behind an Airflow connection of type `impact`.

    Host, account SID (login), auth token (password) and the extras campaign_id, api_version,
    agency_sid, advertiser_id, connect_timeout and read_timeout (seconds) come from the connection
    (reference §1.1, §1.2, §1.5); `campaign_id` here, which a program knows, goes before the
    connection's. The token is given to Airflow's masker before anything else. Every method raises
    AirflowConnectionError if the connection is missing or lacks a field.
    """

    conn_name_attr = "impact_conn_id"
    default_conn_name = "impact_default"
    conn_type = "impact"
    hook_name = "impact.com"

    def __init__(
        self, impact_conn_id: str = default_conn_name, campaign_id: str = "", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.impact_conn_id = impact_conn_id
        self.campaign_id = campaign_id

    def account(self) -> Account:
        """The account that the connection describes."""
        try:
            conn = self.get_connection(self.impact_conn_id)
        except AirflowNotFoundException:
            raise missing(self.impact_conn_id, self.conn_type) from None
        account = to_account(conn, conn.extra_dejson, self.campaign_id)
        # Airflow masks the password as it was typed; what is sent has no blanks around it.
        mask_secret(account.auth_token)
        return account

    async def aaccount(self) -> Account:
        """`account()` for the triggerer: never blocks its event loop."""
        try:
            conn = await self.aget_connection(self.impact_conn_id)
        except AirflowNotFoundException:
            raise missing(self.impact_conn_id, self.conn_type) from None
        account = to_account(conn, await conn.aextra_dejson(), self.campaign_id)
        await amask_secret(account.auth_token)
        return account

    def client(self, gate: Gate | None = None) -> ImpactClient:
        """A client for tasks; `gate` counts requests and holds them to the shared budget."""
        from clawback.impact.client import ImpactClient

        return ImpactClient(self.account(), **_gated(gate))

    async def aclient(self, gate: Gate | None = None) -> AsyncImpactClient:
        """A client for triggers."""
        from clawback.impact.client import AsyncImpactClient

        return AsyncImpactClient(await self.aaccount(), **_gated(gate))

    def get_conn(self) -> ImpactClient:
        """The same as `client()`, under the name that Airflow's own code knows."""
        return self.client()

    def test_connection(self) -> tuple[bool, str]:
        """What the Test button of the Airflow UI shows; sends one request that reads."""
        from clawback.impact.check import check_account

        try:
            with self.client() as client:
                return True, check_account(client)
        except ClawbackError as error:
            return False, str(error)


def _gated(gate: Gate | None) -> dict[str, Any]:
    return {} if gate is None else {"gate": gate}


def to_account(conn: Connection, extras: Mapping[str, Any], campaign_id: str = "") -> Account:
    """The account in a connection and its extras; AirflowConnectionError names what is at fault."""
    from clawback.impact.account import Account

    if conn.conn_type != ImpactHook.conn_type:
        raise AirflowConnectionError(
            f"The Airflow connection {conn.conn_id!r} is of type {conn.conn_type!r}; "
            "give it the type 'impact'."
        )
    extra = _Extras(conn.conn_id, extras)
    try:
        return Account(
            account_sid=_needed(conn, "login", conn.login, "it is the account SID"),
            auth_token=_needed(conn, "password", conn.password, "it is the API auth token"),
            campaign_id=campaign_id
            or _needed(conn, "extra", extra.text("campaign_id"), "campaign_id is missing in it"),
            base_url=_address(conn),
            **extra.optional(),
        )
    except ValueError as error:
        raise AirflowConnectionError(f"The Airflow connection {conn.conn_id!r}: {error}.") from None


def _address(conn: Connection) -> str:
    """The API's address: the host, with scheme and port where they are apart; or the default."""
    from clawback.impact.account import DEFAULT_BASE_URL

    host = (conn.host or DEFAULT_BASE_URL).strip().rstrip("/")
    if "://" not in host:
        host = f"{conn.schema or 'https'}://{host}"
    authority = host.partition("://")[2]
    return f"{host}:{conn.port}" if conn.port and ":" not in authority else host


def _needed(conn: Connection, field: str, value: str | None, hint: str) -> str:
    if not value or not value.strip():
        raise lacking(conn.conn_id, field, hint)
    return value.strip()


class _Extras:
    """The extras of a connection; an empty one counts as absent."""

    def __init__(self, conn_id: str, values: Mapping[str, Any]) -> None:
        self._conn_id = conn_id
        self._values = values

    def optional(self) -> dict[str, Any]:
        """What the account can do without, as far as it is given."""
        found = {
            "api_version": self.text("api_version"),
            "agency_sid": self.text("agency_sid"),
            "advertiser_id": self.text("advertiser_id"),
            "connect_timeout": self._seconds("connect_timeout"),
            "read_timeout": self._seconds("read_timeout"),
        }
        return {name: value for name, value in found.items() if value is not None}

    def text(self, name: str) -> str | None:
        value = self._values.get(name)
        return None if value is None else str(value).strip() or None

    def _seconds(self, name: str) -> timedelta | None:
        text = self.text(name)
        if text is None:
            return None
        try:
            seconds = float(text)
        except ValueError:
            seconds = 0.0
        if not 0 < seconds < _DAY:
            raise lacking(self._conn_id, f"extra {name}", "it is a number of seconds above 0")
        return timedelta(seconds=seconds)


_DAY = 86400
