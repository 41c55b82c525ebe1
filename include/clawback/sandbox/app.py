"""Puts the Brand API, the control API and the OpenAPI document into one application."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from clawback.sandbox import control, openapi
from clawback.sandbox.api import BrandApi
from clawback.sandbox.core import Sandbox


def build(sandbox: Sandbox) -> FastAPI:
    """The application of one sandbox; its document is at /openapi.json."""
    app = FastAPI(title="impact.com Brand API, offline", docs_url=None, redoc_url=None)

    def document() -> dict[str, Any]:
        return openapi.document(sandbox.settings)

    app.openapi = document  # type: ignore[method-assign]
    if sandbox.settings.control:
        app.state.sandbox = sandbox
        app.router.routes.extend(control.router.routes)
    app.mount("/", BrandApi(sandbox))
    return app
