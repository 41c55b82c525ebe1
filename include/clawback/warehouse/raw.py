"""What is kept of a row as it came: its key, its cells as JSON, and a hash of its content."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from hashlib import blake2b

from clawback.warehouse.cells import MAX_TEXT, Alien, Native

MAX_RAW = 4096
_UNSTORABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_CUTS = (200, 30)


def content_of(values: Iterable[object]) -> str:
    """A hash of values: equal numbers and times give the same, however they were written."""
    return hash_of("\x1f".join([v if type(v) is str else _canonical(v) for v in values]))


def _canonical(value: object) -> str:
    if value is None:
        return ""
    kind = type(value)
    if kind is Decimal:
        text = str(value)
        return text.rstrip("0").rstrip(".") if "." in text else text
    return str(value.timestamp()) if kind is datetime else str(value)  # type: ignore[attr-defined]  # `kind` narrows only for a reader


def digest(cells: Mapping[str, Native]) -> str:
    """A hash of a broken row's cells, type and value, in full."""
    return hash_of("\x1f".join(f"{name}={_typed(value)}" for name, value in cells.items()))


def _typed(value: Native) -> str:
    if isinstance(value, Alien):
        return f"Alien:{value.name}"
    if type(value) is int:
        return f"int:{value:x}"
    return f"{type(value).__name__}:{value}"


def hash_of(text: str) -> str:
    """The hash of a text that stands for a row."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def key_text(value: Native) -> str:
    """An id of a broken row as far as it can be read: storable text of at most 255 characters."""
    if value is None:
        return ""
    return _UNSTORABLE.sub("\ufffd", _shown(value, MAX_TEXT))


def raw_json(cells: Mapping[str, Native]) -> str:
    """The cells as a JSON object of at most 4 KB; long cells are cut, empty ones are null."""
    for cut in _CUTS:
        text = json.dumps({name: _jsonable(value, cut) for name, value in cells.items()})
        if len(text) <= MAX_RAW:
            break
    return text


def _jsonable(value: Native, cut: int) -> str | bool | int | float | None:
    if value is None or type(value) is bool:
        return value
    if type(value) is int and abs(value) < 10**15:
        return value
    return _UNSTORABLE.sub("\ufffd", _shown(value, cut))


def _shown(value: Native, cut: int) -> str:
    if isinstance(value, Alien):
        return f"<{value.name[:cut]}>"
    if type(value) is int and abs(value) >= 10**40:
        return f"<int of {value.bit_length()} bits>"
    if isinstance(value, str):
        return value if len(value) <= cut else f"{value[: cut - 1]}…"
    return _moment_text(value)[:cut]


def _moment_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime | date) else str(value)
