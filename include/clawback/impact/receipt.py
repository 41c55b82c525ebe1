"""The answer to a write: done, or queued under a batch id (reference §3.5)."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from clawback.impact.judge import Answer
from clawback.impact.models import Receipt, ReceiptStatus
from clawback.impact.respond import status_word


def read_receipt(answer: Answer) -> Receipt:
    """The receipt in an answer that was judged to be one."""
    uri = answer.body.get("QueuedUri")
    batch_id = batch_of(uri) if isinstance(uri, str) else None
    return Receipt(ReceiptStatus(status_word(answer.body)), batch_id)


def batch_of(uri: str) -> str | None:
    """The last path segment, whatever stands before it; None if there is none."""
    try:
        path = urlsplit(uri.strip()).path
    except ValueError:
        return None
    segment = path.rstrip("/").rpartition("/")[2]
    return unquote(segment.removesuffix(".json").removesuffix(".xml")) or None
