"""Renders the returns statement of a warehouse dialect: a Jinja template that quotes by default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2 import Environment, StrictUndefined, TemplateError, TemplateSyntaxError, Undefined
from jinja2.exceptions import TemplateRuntimeError

from clawback.warehouse.errors import WarehouseError


class Sql(str):
    """Text that is SQL already and goes into the statement as it is."""

    __slots__ = ()


def literal(value: object, zone: str | None = None) -> Sql:
    """`value` as an SQL literal; a sequence becomes its literals with commas between, or NULL.

    A time is written in UTC with its offset, or, given `zone`, as the wall clock's time there
    without one (for columns that hold such times). Raises WarehouseError for a value that no
    dialect can be trusted to read as data.
    """
    if isinstance(value, Undefined):
        raise TemplateRuntimeError(str(value._undefined_message))  # noqa: SLF001 - Jinja's own words for what is missing
    if isinstance(value, Sql):
        return value
    if isinstance(value, datetime):
        return _time(value, zone)
    if isinstance(value, list | tuple):
        return Sql(", ".join(literal(one, zone) for one in value) or "NULL")
    return _scalar(value)


def _scalar(value: object) -> Sql:
    if value is None:
        return Sql("NULL")
    if isinstance(value, bool):
        return Sql("TRUE" if value else "FALSE")
    if isinstance(value, int | Decimal):
        return _number(value)
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, date):
        return _quoted(value.isoformat())
    raise WarehouseError(f"a {type(value).__name__} cannot be written into a statement; give text")


def _number(value: int | Decimal) -> Sql:
    text = format(value, "f") if isinstance(value, Decimal) else str(value)
    if not text.lstrip("-").replace(".", "", 1).isdigit():
        raise WarehouseError(f"{text} is no number for a statement; give a finite one")
    return Sql(text)


def _quoted(value: str) -> Sql:
    if "\\" in value or "\x00" in value:
        raise WarehouseError(
            f"{value[:60]!r} holds a backslash or a null byte, which some warehouses read as more "
            "than data; leave it out of the order ids or the program's variables"
        )
    return Sql("'" + value.replace("'", "''") + "'")


def _time(value: datetime, zone: str | None) -> Sql:
    if value.tzinfo is None:
        raise WarehouseError(f"{value} has no zone; give times with one")
    if zone is None:
        return Sql(f"'{value.astimezone(UTC).isoformat(sep=' ')}'")
    return Sql(f"'{value.astimezone(ZoneInfo(zone)).replace(tzinfo=None).isoformat(sep=' ')}'")


def identifier(name: str) -> Sql:
    """A table's or column's name, quoted part by part at its points."""
    if any(not part or '"' in part or not part.isprintable() for part in name.split(".")):
        raise WarehouseError(f"{name[:60]!r} is no name of a table or column; mend it")
    return Sql(".".join(f'"{part}"' for part in name.split(".")))


def _environment() -> Environment:
    made = Environment(  # noqa: S701 - SQL, not HTML: `finalize` quotes every value
        undefined=StrictUndefined, finalize=literal, trim_blocks=True, lstrip_blocks=True
    )
    made.filters.update(literal=literal, identifier=identifier)
    return made


def render(
    path: Path,
    *,
    window_start: datetime,
    window_end: datetime,
    order_ids: Sequence[str] | None = None,
    extras: Mapping[str, object] | None = None,
) -> str:
    """The statement that yields all lines of every order touched in [window_start, window_end).

    With `order_ids` it yields all lines of those orders and the window counts nothing. `extras`
    are the program's variables (`returns_files`, `timezone` …; an empty one counts as not given);
    a template that names an unknown one, or cannot be read, is a WarehouseError.
    """
    values: dict[str, object] = {"timezone": "UTC"}
    values.update(
        (name, value) for name, value in (extras or {}).items() if value not in ("", None)
    )
    values.update(window_start=window_start, window_end=window_end)
    values["order_ids"] = None if order_ids is None else list(order_ids)
    try:
        return _environment().from_string(path.read_text(encoding="utf-8")).render(values)
    except TemplateSyntaxError as error:
        raise WarehouseError(
            f"{path.name}, line {error.lineno}: {error.message}; mend it"
        ) from None
    except TemplateError as error:
        raise WarehouseError(
            f"{path.name}: {error}; set it in the program file, or mend the template"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise WarehouseError(
            f"{path} cannot be read ({reason}); name a returns statement that exists"
        ) from None
