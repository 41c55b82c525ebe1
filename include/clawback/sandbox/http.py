"""The little of HTTP that the API needs: reading a request, sending an answer, breaking one off."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from clawback.sandbox.facts import BadRequest

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ABORT = "clawback.abort"
MAX_BODY = 1_000_000
_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"


class AbortingProtocol(HttpToolsProtocol):
    """uvicorn's HTTP, and a way for a fault to reset the connection."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {ABORT: {"abort": self.transport.abort}}


@dataclass(slots=True)
class Answer:
    """One answer before it is sent; `promised` is a Content-Length that the body falls short of."""

    status: int
    body: bytes
    content_type: bytes
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    promised: int | None = None


async def send_answer(answer: Answer, send: Send) -> None:
    length = len(answer.body) if answer.promised is None else answer.promised
    headers = [
        (b"content-length", str(length).encode()),
        *([(b"content-type", answer.content_type)] if answer.body else []),
        *answer.headers,
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    more = answer.promised is not None
    await send({"type": "http.response.body", "body": answer.body, "more_body": more})


def abort(scope: Scope) -> None:
    """Drop the connection without another byte."""
    scope["extensions"][ABORT]["abort"]()


async def read_body(receive: Receive) -> bytes:
    """The whole body. Raises BadRequest if it is larger than any form of this API."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            raise BadRequest("The body is too large")
        if not message.get("more_body"):
            return bytes(body)


def header(scope: Scope, name: bytes) -> str:
    for key, value in scope["headers"]:
        if key == name:
            return str(value.decode("latin-1"))
    return ""


def query_of(scope: Scope) -> dict[str, str]:
    text = scope["query_string"].decode("latin-1")
    return dict(parse_qsl(text, keep_blank_values=True))


def form_of(body: bytes, content_type: str, *, json_allowed: bool) -> dict[str, str]:
    """The fields of a form or JSON body. Raises BadRequest if it is neither (reference §1.3)."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == _JSON and json_allowed:
        fields = _json_fields(body)
    elif kind in (_FORM, ""):
        try:
            pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True)
        except ValueError:
            raise BadRequest("The body is not UTF-8") from None
        fields = dict(pairs)
    else:
        raise BadRequest(f"Content-Type must be {_FORM}")
    for name, value in fields.items():
        if "\x00" in name or "\x00" in value:
            raise BadRequest("Validation Failed", (name.replace("\x00", ""), "Invalid character"))
    return fields


def _json_fields(body: bytes) -> dict[str, str]:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        content = None
    if not isinstance(content, dict):
        raise BadRequest("The body is not a JSON object")
    if any(isinstance(value, (dict, list)) for value in content.values()):
        raise BadRequest("The body's values must be plain")
    return {
        name: value if isinstance(value, str) else orjson.dumps(value).decode()
        for name, value in content.items()
        if value is not None
    }


def basic_credentials(scope: Scope) -> tuple[str, str] | None:
    """User and password of HTTP Basic, or None (reference §1.2)."""
    scheme, _, coded = header(scope, b"authorization").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(coded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return (user, password) if colon else None
