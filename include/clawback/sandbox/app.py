"""Puts the Brand API, the control API and the OpenAPI document into one application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI

from clawback.sandbox import control, openapi
from clawback.sandbox.api import BrandApi
from clawback.sandbox.core import Sandbox
from clawback.sandbox.http import Receive, Scope, Send

Application = Callable[[Scope, Receive, Send], Awaitable[None]]
_DOCUMENT = "/openapi.json"
_CONTROL = "/_sandbox/"


def build(sandbox: Sandbox) -> Application:
    """The application of one sandbox; its document is at /openapi.json.

    Whatever else is asked goes to the Brand API as it came: a router in between would have its
    own answers for paths that it does not like.
    """
    own = _own(sandbox)
    brand = BrandApi(sandbox)
    prefixes = (_DOCUMENT, _CONTROL) if sandbox.settings.control else (_DOCUMENT,)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        serve = own if scope["path"].startswith(prefixes) else brand
        await serve(scope, receive, send)

    return application


def _own(sandbox: Sandbox) -> FastAPI:
    """What is the sandbox's own and none of impact.com's."""
    app = FastAPI(title="impact.com Brand API, offline", docs_url=None, redoc_url=None)

    def document() -> dict[str, Any]:
        return openapi.document(sandbox.settings)

    app.openapi = document  # type: ignore[method-assign]
    app.state.sandbox = sandbox
    app.router.routes.extend(control.router.routes)
    return app
