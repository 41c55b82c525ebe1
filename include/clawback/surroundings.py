"""What a run outside Airflow takes from its environment: the connections, as Airflow names them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta

from clawback.errors import ClawbackError
from clawback.impact.account import DEFAULT_BASE_URL, Account
from clawback.program import Program
from clawback.warehouse.connections import (
    Connect,
    Settings,
    UnreadableConnectionError,
    from_connection,
    from_files,
    parse,
)

PREFIX = "AIRFLOW_CONN_"
_EXAMPLE = '{"conn_type": "impact", "login": "<AccountSID>", "password": "<AuthToken>"}'
_TIMES = ("connect_timeout", "read_timeout")
_DAY = 86400


class ConnectionMissingError(ClawbackError):
    """A connection that the program names is not set, or lacks a part."""


def account_of(program: Program, environ: Mapping[str, str] | None = None) -> Account:
    """The impact.com account behind the program's connection.

    Raises ConnectionMissingError with what to set; the token never reaches the message.
    """
    name = program.connections.impact
    value = _value(name, os.environ if environ is None else environ)
    if value is None:
        raise ConnectionMissingError(
            f"the impact.com connection {name!r} of program {program.name!r} is not set; "
            f"set {PREFIX}{name.upper()} to {_EXAMPLE}"
        )
    try:
        settings = parse(value)
    except UnreadableConnectionError as error:
        raise ConnectionMissingError(
            f"the impact.com connection {name!r} cannot be read: {error.why}; write "
            f"{PREFIX}{name.upper()} like {_EXAMPLE}"
        ) from None
    return _account(name, settings, program.campaign_id)


def _account(name: str, settings: Settings, campaign_id: str) -> Account:
    """The account in a connection, as ImpactHook reads it: blanks around a value do not count."""
    login, token = settings.login.strip(), settings.password.strip()
    for part, held in (("login", login), ("password", token)):
        if not held:
            what = "the AccountSID" if part == "login" else "the AuthToken"
            raise ConnectionMissingError(
                f"the impact.com connection {name!r} has no {part}; put {what} there"
            )
    given = {k: "" if v is None else str(v).strip() for k, v in settings.extra.items()}
    extra = {k: v for k, v in given.items() if v}
    times = {k: _seconds(name, k, extra[k]) for k in _TIMES if k in extra}
    try:
        return Account(
            base_url=_address(settings),
            account_sid=login,
            auth_token=token,
            campaign_id=campaign_id,
            api_version=extra.get("api_version", "14"),
            agency_sid=extra.get("agency_sid"),
            advertiser_id=extra.get("advertiser_id"),
            **times,
        )
    except ValueError as error:
        raise ConnectionMissingError(f"the impact.com connection {name!r}: {error}") from None


def _seconds(name: str, key: str, text: str) -> timedelta:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < _DAY:
        raise ConnectionMissingError(
            f"the impact.com connection {name!r} has no usable extra {key}; write the seconds as "
            "a number above 0"
        )
    return timedelta(seconds=seconds)


def _address(settings: Settings) -> str:
    host = (settings.host or DEFAULT_BASE_URL).strip().rstrip("/")
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
