"""How faults show on the wire: refusals, silence, broken and foreign answers."""

from __future__ import annotations

import asyncio

from clawback.sandbox.facts import BadRequest
from clawback.sandbox.faults import Rule
from clawback.sandbox.http import Answer, Receive, Scope, Send, abort, send_answer

_HTML = b"<!DOCTYPE html><html><head><title>%s</title></head><body><h1>%s</h1></body></html>"
_SILENT = {"reset": "reset", "timeout_after": "timeout"}
"""Faults after which nothing is answered, and how the log tells of them."""
_TITLES = {
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


def refuse(rule: Rule) -> None:
    """The faults that strike before anything is done. Raises BadRequest with their status."""
    if rule.fault == "rate_limited":
        raise BadRequest("Too Many Requests", status=429)
    if rule.fault == "no_write_scope":
        raise BadRequest("Access Denied", status=403)
    if rule.fault == "server_error":
        raise BadRequest(_TITLES.get(rule.status, "Error"), status=rule.status)
    if rule.fault == "reset":
        raise BadRequest("The connection is reset", status=500)


def spoil(answer: Answer, rules: list[Rule]) -> int | str:
    """Change an answer as the striking faults do; gives what will be seen of it.

    That is its status, or `reset` or `timeout` if nothing will be.
    """
    for rule in rules:
        if rule.fault in _SILENT:
            return _SILENT[rule.fault]
        _spoil(answer, rule)
    return answer.status


async def deliver(
    answer: Answer, rules: list[Rule], scope: Scope, receive: Receive, send: Send
) -> None:
    """Send a spoilt answer as the striking faults let it go: late, cut short, or not at all."""
    for rule in rules:
        if rule.fault in ("latency", "timeout_after"):
            await _wait(rule.seconds, receive)
        if rule.fault in _SILENT:
            abort(scope)
            return
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
