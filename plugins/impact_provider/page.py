"""The Returns page in Airflow: where it is mounted, its place in the menu, and its tab of a run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from airflow.plugins_manager import AirflowPlugin

from impact_provider import MOUNT

Message = MutableMapping[str, Any]


class LatePage:
    """The page's ASGI application, made when it is asked for the first time.

    Every process of Airflow loads its plugins, and only the api-server serves this one.
    """

    def __init__(self) -> None:
        self._app: Callable[..., Awaitable[None]] | None = None

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        if self._app is None:
            from impact_provider.page_app import build

            self._app = build()
        await self._app(scope, receive, send)


def under(base_url: str) -> str:
    """The path that the page has in an Airflow of that address; it may stand below a prefix."""
    return urlsplit(base_url).path.rstrip("/") + MOUNT


def _views() -> list[Any]:
    from airflow.configuration import conf

    home = under(str(conf.get("api", "base_url", fallback="")))
    return [
        # Without a url_route Airflow opens it as a page of its own: its frames let no link out.
        {"name": "Returns", "href": f"{home}/", "destination": "nav", "nav_top_level": True},
        # Its route is not "returns": so Airflow calls the view above, which has none.
        {
            "name": "Returns",
            "href": f"{home}/dag/{{DAG_ID}}/{{RUN_ID}}",
            "destination": "dag_run",
            "url_route": "returns_of_run",
        },
    ]


class ReturnsPlugin(AirflowPlugin):
    """Found through the entry point `airflow.plugins`."""

    name = "clawback_returns"
    fastapi_apps = [  # noqa: RUF012 - as Airflow declares it
        {"app": LatePage(), "url_prefix": MOUNT, "name": "Clawback: Returns"}
    ]
    external_views = _views()
