"""The Returns page as a web application: who may see what, and which address shows which page."""

from __future__ import annotations

import base64
import hashlib
import logging
import os
import threading
from collections.abc import Callable
from typing import Annotated
from urllib.parse import quote

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, get_user, requires_access_dag
from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, Response, StreamingResponse
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException as AnyHTTPException

from clawback.ledger.store import URL_ENV, Ledger, LedgerError
from clawback.monitor import pages
from clawback.monitor.opening import open_to_read
from clawback.monitor.pages import AbsentError, Page
from clawback.monitor.plan import FIRST, Which
from clawback.monitor.site import Reader
from impact_provider import MOUNT
from impact_provider.dag import dag_id as dag_of

log = logging.getLogger(__name__)
Number = Annotated[int, Query(ge=1, le=100_000)]
Text = Annotated[str, Query(max_length=300)]
Id = Annotated[str, Query(alias="id", max_length=300)]
_TITLES = {401: "Please log in", 403: "Not for you", 404: "Not found", 405: "Not possible"}


class Shelf:
    """Keeps the ledger open from one request to the next, until it fails."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: tuple[str, Ledger] | None = None

    def take(self) -> Ledger:
        """The ledger of this process's environment; raises LedgerError."""
        url = os.environ.get(URL_ENV, "")
        with self._lock:
            if self._held is None or self._held[0] != url:
                self._drop()
                self._held = (url, open_to_read(url))
            return self._held[1]

    def forget(self) -> None:
        """Open it anew next time."""
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        if self._held is not None:
            self._held[1].close()
        self._held = None


def reader_of(request: Request, user: GetUserDep) -> Reader:
    """Who asks: a user whom Airflow knows; a program is for whoever may see its Dag's runs."""

    def may_see(program: str) -> bool:
        try:
            requires_access_dag("GET", DagAccessEntity.RUN, dag_of(program))(request, user)
        except HTTPException:
            return False
        return True

    return _reader(request, may_see)


def _reader(request: Request, may_see: Callable[[str], bool]) -> Reader:
    home = str(request.scope.get("root_path", "")).rstrip("/")
    framed = request.headers.get("sec-fetch-dest") == "iframe"
    return Reader(home, home.removesuffix(MOUNT), may_see, framed)


ReaderDep = Annotated[Reader, Depends(reader_of)]


def build() -> FastAPI:
    """The application; nobody sees any of it who has not logged in to Airflow."""
    app = FastAPI(
        title="Returns",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(get_user)],
    )
    shelf = Shelf()
    _routes(app, shelf)
    _refusals(app, shelf)
    return app


def _routes(app: FastAPI, shelf: Shelf) -> None:
    @app.get("/")
    def overview(reader: ReaderDep) -> Response:
        return _html(pages.overview(shelf.take(), reader))

    @app.get("/program")
    def program(reader: ReaderDep, name: Text, page: Number = 1) -> Response:
        return _html(pages.program_page(shelf.take(), reader, name, page))

    @app.get("/run")
    def run(
        reader: ReaderDep, run_id: Id, sort: Text = FIRST, down: bool = False, page: Number = 1
    ) -> Response:
        return _html(pages.run_page(shelf.take(), reader, run_id, Which(sort, down, page)))

    @app.get("/plan.csv")
    def plan(reader: ReaderDep, run_id: Id) -> Response:
        ledger = shelf.take()
        found = pages.run_for(ledger, reader, run_id)
        name = quote(f"plan-{found.id.replace('/', '-')}.csv", safe="")
        headers = _HEADERS | {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
        lines = pages.plan_csv(ledger, found)
        return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)

    @app.get("/dag/{dag_id}/{run_id:path}")
    def dag_run(reader: ReaderDep, dag_id: str, run_id: str) -> Response:
        return _html(pages.dag_run_page(shelf.take(), reader, dag_id, run_id))

    @app.get("/held")
    def held(reader: ReaderDep, program: Text, hold: Text = "", page: Number = 1) -> Response:
        return _html(pages.held_page(shelf.take(), reader, program, hold, page))

    @app.get("/order")
    def order(reader: ReaderDep, program: Text, order_id: Id) -> Response:
        return _html(pages.order_page(shelf.take(), reader, program, order_id.strip()))


def _refusals(app: FastAPI, shelf: Shelf) -> None:
    """What is shown instead of a page: one sentence, and never a traceback."""

    @app.exception_handler(LedgerError)
    def unopened(request: Request, error: LedgerError) -> Response:
        log.warning("The Returns page cannot open the ledger: %s", error)
        return _said(request, 503, "The ledger cannot be read", f"{error}.")

    @app.exception_handler(DBAPIError)
    def broken(request: Request, error: DBAPIError) -> Response:
        shelf.forget()
        log.warning("The Returns page cannot read the ledger: %s", type(error.orig).__name__)
        said = "Its database did not answer; see that it runs, and load this page again."
        return _said(request, 503, "The ledger cannot be read", said)

    @app.exception_handler(AbsentError)
    def absent(request: Request, error: AbsentError) -> Response:
        return _said(request, 404, _TITLES[404], str(error))

    @app.exception_handler(RequestValidationError)
    def wrong(request: Request, _error: RequestValidationError) -> Response:
        return _said(request, 400, "Not an address of this page", "Begin at its first page.")

    @app.exception_handler(AnyHTTPException)
    def refused(request: Request, error: AnyHTTPException) -> Response:
        title = _TITLES.get(error.status_code, "Not possible")
        return _said(request, error.status_code, title, f"{error.detail}.")


def _said(request: Request, status: int, title: str, said: str) -> Response:
    reader = _reader(request, lambda _program: False)
    log_in = ""
    if status == 401:  # noqa: PLR2004 - HTTP's own number
        here = quote(str(request.url), safe="")
        log_in = f"{reader.airflow}/api/v2/auth/login?next={here}"
    return _html(pages.message(reader, status, title, said, log_in))


def _html(page: Page) -> Response:
    return HTMLResponse(page.html, page.status, headers=_HEADERS)


_STYLE = base64.b64encode(hashlib.sha256(pages.style().encode()).digest()).decode()
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE}'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'self'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
"""Nothing but its own style sheet is loaded or run, whatever a return's note may hold."""
