"""How faults show on the wire: refusals, silence, broken and foreign answers."""

from __future__ import annotations

import asyncio

from clawback.sandbox.facts import BadRequest
from clawback.sandbox.faults import Rule
from clawback.sandbox.http import Answer, Receive, Scope, Send, abort, send_answer

_HTML = b"<!DOCTYPE html><html><head><title>%s</title></head><body><h1>%s</h1></body></html>"
_TITLES = {
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


def refuse(rule: Rule, headers: list[tuple[bytes, bytes]]) -> None:
    """The faults that strike before anything is done. Raises BadRequest with their status."""
    if rule.fault == "rate_limited":
        if rule.headers and rule.retry_after:
            headers.append((b"Retry-After", str(max(1, int(rule.seconds))).encode()))
        raise BadRequest("Too Many Requests", status=429)
    if rule.fault == "no_write_scope":
        raise BadRequest("Access Denied", status=403)
    if rule.fault == "server_error":
        raise BadRequest(_TITLES.get(rule.status, "Error"), status=rule.status)
    if rule.fault == "reset":
        raise BadRequest("The connection is reset", status=500)


async def deliver(
    answer: Answer, rules: list[Rule], scope: Scope, receive: Receive, send: Send
) -> None:
    """Send an answer as the striking faults leave it: late, changed, cut short, or not at all."""
    for rule in rules:
        if rule.fault in ("latency", "timeout_after"):
            await _wait(rule.seconds, receive)
        if rule.fault in ("reset", "timeout_after"):
            abort(scope)
            return
        _spoil(answer, rule)
    await send_answer(answer, send)
    if answer.promised is not None:
        abort(scope)


async def _wait(seconds: float, receive: Receive) -> None:
    """Wait, or until the client has gone."""
    gone = asyncio.ensure_future(_gone(receive))
    await asyncio.wait({gone}, timeout=seconds)
    gone.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue


def _spoil(answer: Answer, rule: Rule) -> None:
    html = rule.fault == "html" or (rule.fault == "server_error" and rule.body == "html")
    if html:
        answer.status = rule.html_status if rule.fault == "html" else answer.status
        title = _TITLES.get(answer.status, "Welcome").encode()
        answer.body = _HTML % (title, title)
        answer.content_type = b"text/html;charset=UTF-8"
    elif rule.fault == "server_error" and rule.body == "empty":
        answer.body = b""
    elif rule.fault == "truncated":
        whole = len(answer.body)
        answer.body = answer.body[: whole // 2]
        answer.promised = whole if rule.cut == "wire" else None
