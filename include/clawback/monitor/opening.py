"""The ledger as the page opens it: to read only, and not waited for when it is away."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from clawback.ledger.store import URL_ENV, Ledger, LedgerError

_CONNECT_SECONDS = "5"
_QUERY = re.compile(r"(://[^\s?]*)\?\S*")


def open_to_read(url: str | None = None) -> Ledger:
    """The ledger at `url` (default: CLAWBACK_LEDGER_URL), over connections that cannot write.

    Raises LedgerError where there is none, it cannot be reached, or it is at another migration;
    the message holds no password, whichever part of the URL it stands in.
    """
    named = url or os.environ.get(URL_ENV, "")
    try:
        ledger = Ledger.open(_patient(named), upgrade=False)
    except LedgerError as error:
        raise LedgerError(_QUERY.sub(r"\1", str(error))) from None
    ledger.engine.dispose()  # its first connection could still write
    event.listen(ledger.engine, "connect", _read_only)
    return ledger


def _patient(named: str) -> str:
    """The URL with a limit to how long a server is waited for.

    Raises LedgerError for a file that is not there: opening it would make an empty one.
    """
    try:
        url = make_url(named)
    except ArgumentError:
        return named  # the ledger says what is wrong with it
    if url.get_backend_name() == "sqlite":
        if url.database and not Path(url.database).is_file():
            raise LedgerError(
                f"there is no ledger at {url.database}; the first run makes it, and {URL_ENV} must "
                "name the same for Airflow's api-server as for its workers"
            )
        return named
    if "connect_timeout" not in url.query:
        url = url.update_query_dict({"connect_timeout": _CONNECT_SECONDS})
    return url.render_as_string(hide_password=False)


def _read_only(dbapi: Any, _record: object) -> None:
    if hasattr(dbapi, "set_session"):  # psycopg2
        dbapi.set_session(readonly=True)
    elif hasattr(dbapi, "read_only"):  # psycopg
        dbapi.read_only = True
    else:
        dbapi.execute("PRAGMA query_only=ON")
