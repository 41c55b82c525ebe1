"""A run's summary as a message: Markdown, Slack, Teams, or the plain JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_SLACK_LONGEST = 2900
"""A section of a Slack message holds 3,000 characters."""


def to_markdown(told: Mapping[str, Any]) -> str:
    """A summary for people, as Markdown."""
    return "\n\n".join(_message(told, _MARKDOWN))


def to_slack(told: Mapping[str, Any]) -> dict[str, Any]:
    """A summary as the body of a Slack incoming webhook (text, and one section of mrkdwn)."""
    text = "\n".join(_message(told, _SLACK))
    head = f"{told['program']}: {_headline(told)}"
    section = {"type": "section", "text": {"type": "mrkdwn", "text": text[:_SLACK_LONGEST]}}
    return {"text": _safe(head), "blocks": [section]}


def to_teams(told: Mapping[str, Any]) -> dict[str, Any]:
    """A summary as an Adaptive Card for a Teams workflow webhook."""
    body = [{"type": "TextBlock", "wrap": True, "text": to_markdown(told)}]
    card = {"type": "AdaptiveCard", "version": "1.4", "body": body}
    content = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": content, "content": card}]}


def body_of(told: Mapping[str, Any], style: str) -> dict[str, Any]:
    """The body to post for a program's `alerts.style`: slack, teams or json."""
    if style == "slack":
        return to_slack(told)
    return to_teams(told) if style == "teams" else dict(told)


def _safe(text: str) -> str:
    """Text that Slack reads as text: its three control characters escaped."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _headline(told: Mapping[str, Any]) -> str:
    books = told["books"]
    if books is None:
        return "the run failed" if told["failed_tasks"] else "the run is still open"
    dry = "dry run: " if told["dry_run"] else ""
    money = f"{books['commission_recovered']} {told['currency']} recovered"
    return f"{dry}{books['lines']:,} lines, {money}"


@dataclass(frozen=True, slots=True)
class _Style:
    """How a kind of message writes bold text, links, and text that is only text."""

    bold: Callable[[str], str]
    link: Callable[[str, str], str]
    safe: Callable[[str], str]


_MARKDOWN = _Style(lambda text: f"**{text}**", lambda name, url: f"[{name}]({url})", str)
_SLACK = _Style(lambda text: f"*{text}*", lambda name, url: f"<{url}|{name}>", _safe)


def _message(told: Mapping[str, Any], style: _Style) -> Iterator[str]:
    """The lines of a message."""
    safe = style.safe
    yield style.bold(safe(f"{told['program']}: {_headline(told)}"))
    for alert in told["alerts"]:
        yield f"{style.bold(alert['level'])} {safe(alert['name'])}: {safe(alert['said'])}"
    books = told["books"]
    if books is not None:
        ended = ", ".join(f"{n:,} {name}" for name, n in books["lines_by_outcome"].items())
        yield f"- {ended or 'nothing to do'}"
        lost = f"{books['commission_lost_to_locking']} {told['currency']} lost to locking"
        yield f"- {lost}, {books['requests']['total']:,} requests"
    for text in told["needs_a_person"]:
        yield f"- {safe(text)}"
    if told["links"]:
        yield " · ".join(style.link(name, url) for name, url in told["links"].items())
