"""Rows to data: a whole page the quick way, else by pydantic; rows that fail are named."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec
import orjson
from pydantic import TypeAdapter, ValidationError

from clawback.impact.columns import Columns
from clawback.impact.fields import instant_or_none, text
from clawback.impact.models import (
    Action,
    ActionItem,
    ActionUpdate,
    BadRow,
    Campaign,
    Company,
    Submission,
)
from clawback.impact.wire import as_list

T = TypeVar("T")


class Reader(Generic[T]):
    """Reads rows of one kind; unknown fields are ignored (reference §1.5)."""

    def __init__(self, kind: type[T]) -> None:
        self._one: TypeAdapter[T] = TypeAdapter(kind)
        self._many: TypeAdapter[list[T]] = TypeAdapter(list[kind])  # type: ignore[valid-type]
        self.columns = Columns(kind)

    def rows(self, raw: list[Any] | msgspec.Raw, page: int = 1) -> tuple[list[T], list[BadRow]]:
        """The rows that can be read, in order, and the others by name.

        Raises ValueError if `raw`, a list that is still JSON, is none.
        """
        if isinstance(raw, msgspec.Raw):
            try:
                return self.columns.unread(raw), []
            except (LookupError, ValueError, msgspec.MsgspecError, RecursionError):
                raw = as_list(orjson.loads(memoryview(raw)))
        try:
            return self.columns.rows(raw), []
        except (LookupError, ValueError):
            return self.row_by_row(raw, page)

    def row_by_row(self, raw: list[Any], page: int) -> tuple[list[T], list[BadRow]]:
        """As `rows`, the slow way, which names what is wrong."""
        try:
            return self._many.validate_python(raw), []
        except ValidationError as error:
            flaws = _by_row(error)
        good = [row for index, row in enumerate(raw) if index not in flaws]
        bad = [_bad(page, index, raw[index], tuple(flaws[index])) for index in sorted(flaws)]
        return self._many.validate_python(good), bad

    def one(self, answer: Mapping[str, Any], wrapper: str = "") -> T:
        """A bare object; XML wraps it into an element of its name. Raises ValueError."""
        inner = answer.get(wrapper)
        try:
            return self._one.validate_python(inner if isinstance(inner, dict) else answer)
        except ValidationError as error:
            raise ValueError("; ".join(_flaws(error, 0))) from None


def _by_row(error: ValidationError) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    for entry in error.errors(include_url=False, include_input=False):
        found[int(entry["loc"][0])].append(_flaw(entry["loc"][1:], entry))
    return dict(found)


def _flaws(error: ValidationError, depth: int) -> list[str]:
    return [
        _flaw(entry["loc"][depth:], entry)
        for entry in error.errors(include_url=False, include_input=False)
    ]


def _flaw(place: tuple[int | str, ...], entry: Any) -> str:
    """`Amount is empty`, from pydantic's words for it."""
    name = ".".join(str(part) for part in place) or "it"
    if entry["type"] == "missing":
        return f"{name} is missing"
    if entry["type"].startswith("dataclass"):
        return f"{name} is no mapping"
    return f"{name} {entry['msg'].removeprefix('Value error, ')}"


def _bad(page: int, index: int, row: Any, flaws: tuple[str, ...]) -> BadRow:
    return BadRow(page, index, _id(row), flaws, _at(row))


def _at(row: Any) -> datetime | None:
    """The date of the event that a row which cannot be read is about, as far as it can be."""
    if not isinstance(row, dict):
        return None
    try:
        return instant_or_none(row.get("EventDate") or row.get("ActionDate"))
    except ValueError:
        return None


def _id(row: Any) -> str:
    """The Id of a row that cannot be read, as far as it can be."""
    try:
        return text(row.get("Id"))[:100] if isinstance(row, dict) else ""
    except ValueError:
        return ""


ACTIONS = Reader(Action)
UPDATES = Reader(ActionUpdate)
ITEMS = Reader(ActionItem)
SUBMISSIONS = Reader(Submission)
CAMPAIGNS = Reader(Campaign)
COMPANIES = Reader(Company)
