"""Keeps secrets and customers out of what is shown: errors, logs, stored bodies."""

from __future__ import annotations

import re
from base64 import b64encode
from urllib.parse import quote, quote_plus

from clawback.impact.account import Account

LONGEST = 2_000
"""Characters of a body that are kept."""
CUT = "[cut]"
_SHORTEST = 6

_NAMES = (
    r"(?:Customer\w*|IpAddress|CallerId|SharedId|Note|Authorization|AuthToken|Password|[\w-]*Token)"
)
_PATTERNS = (
    (
        re.compile(rf'("{_NAMES}"\s*:\s*)("(?:[^"\\]|\\.)*"?|[^\s,}}\]]+)', re.IGNORECASE),
        r'\1"[cut]"',
    ),
    (re.compile(rf"(<({_NAMES})(?:\s[^>]*)?>)[^<]*", re.IGNORECASE), rf"\1{CUT}"),
    (re.compile(rf"\b({_NAMES}=)[^&\s\"'<]*", re.IGNORECASE), rf"\1{CUT}"),
    (re.compile(r"\b(Basic|Bearer)\s+[A-Za-z0-9+/=._~-]{6,}", re.IGNORECASE), rf"\1 {CUT}"),
    (re.compile(r"[\w.+-]{1,64}(?:@|%40)[\w-]{1,63}(?:\.[\w-]{1,63})+"), CUT),
)


def secrets_of(account: Account) -> tuple[str, ...]:
    """The forms in which the token could show up.

    A token too short to be one (only a test has it) is left: cutting it would cut into words.
    """
    token = account.auth_token
    pair = b64encode(f"{account.account_sid}:{token}".encode()).decode()
    forms = dict.fromkeys((pair, token, quote(token, safe=""), quote_plus(token)))
    return tuple(form for form in forms if len(form) >= _SHORTEST)


def redact(text: str, secrets: tuple[str, ...]) -> str:
    """`text` without `secrets` and customer fields, at most LONGEST characters."""
    head = text[: 8 * LONGEST]
    for secret in secrets:
        head = head.replace(secret, CUT)
    head = head[: 2 * LONGEST]
    for pattern, replacement in _PATTERNS:
        head = pattern.sub(replacement, head)
    return head if len(head) <= LONGEST else f"{head[: LONGEST - 1]}…"
