"""What a run outside Airflow takes from its environment: the connections, as Airflow names them."""

from __future__ import annotations

import os
from collections.abc import Mapping

from clawback.errors import ClawbackError
from clawback.impact.account import DEFAULT_BASE_URL, Account
from clawback.program import Program
from clawback.warehouse.connections import Connect, Settings, from_connection, from_files, parse

PREFIX = "AIRFLOW_CONN_"


class ConnectionMissingError(ClawbackError):
    """A connection that the program names is not set, or lacks a part."""


def account_of(program: Program, environ: Mapping[str, str] | None = None) -> Account:
    """The impact.com account behind the program's connection.

    Raises ConnectionMissingError with what to set; the token never reaches the message.
    """
    name = program.connections.impact
    value = _value(name, os.environ if environ is None else environ)
    if value is None:
        example = '{"conn_type": "impact", "login": "<AccountSID>", "password": "<AuthToken>"}'
        raise ConnectionMissingError(
            f"the impact.com connection {name!r} of program {program.name!r} is not set; "
            f"set {PREFIX}{name.upper()} to {example}"
        )
    return _account(name, parse(value), program.campaign_id)


def _account(name: str, settings: Settings, campaign_id: str) -> Account:
    for part, held in (("login", settings.login), ("password", settings.password)):
        if not held:
            what = "the AccountSID" if part == "login" else "the AuthToken"
            raise ConnectionMissingError(
                f"the impact.com connection {name!r} has no {part}; put {what} there"
            )
    extra = {k: str(v) for k, v in settings.extra.items() if v not in {None, ""}}
    try:
        return Account(
            base_url=_address(settings),
            account_sid=settings.login,
            auth_token=settings.password,
            campaign_id=campaign_id,
            api_version=extra.get("api_version", "14"),
            agency_sid=extra.get("agency_sid"),
            advertiser_id=extra.get("advertiser_id"),
        )
    except ValueError as error:
        raise ConnectionMissingError(f"the impact.com connection {name!r}: {error}") from None


def _address(settings: Settings) -> str:
    host = (settings.host or DEFAULT_BASE_URL).rstrip("/")
    if "://" not in host:
        host = f"{settings.schema or 'https'}://{host}"
    port = settings.port
    return f"{host}:{port}" if port and ":" not in host.partition("://")[2] else host


def warehouse_of(program: Program, environ: Mapping[str, str] | None = None) -> Connect:
    """A factory of connections to the program's warehouse, or to its files.

    Raises ConnectionMissingError or WarehouseError with what to mend.
    """
    if program.warehouse.files:
        return from_files()
    name = program.connections.warehouse
    value = _value(name, os.environ if environ is None else environ)
    if value is None:
        example = '{"conn_type": "duckdb", "host": "/path/to/warehouse.duckdb"}'
        raise ConnectionMissingError(
            f"the warehouse connection {name!r} of program {program.name!r} is not set; "
            f"set {PREFIX}{name.upper()} to {example}"
        )
    return from_connection(value)


def _value(conn_id: str, environ: Mapping[str, str]) -> str | None:
    return environ.get(f"{PREFIX}{conn_id.upper()}") or None
