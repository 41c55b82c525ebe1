"""Reads a page of rows column by column: the quick way, for a page without a flaw.

Every value still goes through the reader of its field (`clawback.impact.fields`), or through a
check that takes only what that reader takes; what raises here is read again, row by row, by the
slow way that says what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields
from decimal import Decimal
from operator import attrgetter, itemgetter
from typing import Any, Generic, TypeVar, cast, get_type_hints

import msgspec
from pydantic import AliasChoices, PlainValidator
from pydantic.fields import FieldInfo

from clawback.impact import fields as readers

T = TypeVar("T")
Values = Sequence[Any]
Reader = Callable[[Any], Any]
_AMOUNT = r"[+-]?\d{1,15}(?:\.\d{0,12})?"
_AMOUNTS = re.compile(rf"{_AMOUNT}(?:\n{_AMOUNT})*", re.ASCII)
_ALL_TEXT = {str}


class Columns(Generic[T]):
    """Reads rows into one kind of dataclass, whose fields are in the order of its constructor."""

    def __init__(self, kind: type[T]) -> None:
        self._kind = kind
        hints = get_type_hints(kind, include_extras=True)
        named = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]  # dataclass
        self._columns = [
            _Column(hints[name].__metadata__, required=field.default is MISSING)
            for name, field in named.items()
        ]
        self._fields = list(named)
        self._decoder = msgspec.json.Decoder(list[self._texts()])  # type: ignore[misc]  # made here

    def rows(self, raw: Sequence[Any]) -> list[T]:
        """Every row, in order. Raises LookupError or ValueError if any row needs a longer look."""
        if not raw:
            return []
        if set(map(type, raw)) != {dict}:
            raise ValueError("a row is no mapping")
        return list(map(self._kind, *[column.read(column.of(raw)) for column in self._columns]))

    def unread(self, raw: msgspec.Raw) -> list[T]:
        """As `rows`, of a list that is still JSON; only what is wanted of it is decoded.

        Raises what `rows` raises, and msgspec.MsgspecError or RecursionError for a row that is not
        made of texts alone.
        """
        texts = self._decoder.decode(raw)
        if not texts:
            return []
        columns = zip(self._columns, self._fields, strict=True)
        read = [column.read(list(map(attrgetter(name), texts))) for column, name in columns]
        return list(map(self._kind, *read))

    def _texts(self) -> type[msgspec.Struct]:
        """A row as impact.com documents it: of every field that is wanted, a text, "" if absent."""
        wanted = [
            (name, str, msgspec.field(name=column.names[0], **column.default))
            for name, column in zip(self._fields, self._columns, strict=True)
        ]
        return msgspec.defstruct(f"{self._kind.__name__}Texts", wanted, kw_only=True, gc=False)


class _Column:
    """One field: its names at impact.com, and how its values are read."""

    def __init__(self, metadata: Sequence[Any], *, required: bool) -> None:
        (validator,) = [one for one in metadata if isinstance(one, PlainValidator)]
        reader = cast(Reader, validator.func)
        (info,) = [one for one in metadata if isinstance(one, FieldInfo)]
        alias = info.validation_alias
        names = alias.choices if isinstance(alias, AliasChoices) else [alias]
        self.names = [str(name) for name in names]
        self._required = required
        self._reader = reader
        self._all: Callable[[Values], Values] | None = _WHOLE_COLUMNS.get(reader)

    @property
    def default(self) -> dict[str, str]:
        """What msgspec is told of a row without the field: an error where it may be elsewhere."""
        return {} if self._required or len(self.names) > 1 else {"default": ""}

    def read(self, values: Values) -> Values:
        if self._all is not None and set(map(type, values)) == _ALL_TEXT:
            return self._all(values)
        return list(map(self._reader, values))

    def of(self, raw: Sequence[dict[str, Any]]) -> list[Any]:
        """The field's values; None where an optional one is missing, which reads like null."""
        name, *others = self.names
        try:
            return list(map(itemgetter(name), raw))
        except KeyError:
            if self._required and not others:
                raise
        if not others:
            return [row.get(name) for row in raw]
        return [row.get(next((n for n in self.names if n in row), name)) for row in raw]


def _texts(values: Sequence[str]) -> Values:
    if max(map(len, values)) > readers.LONGEST_TEXT:
        raise ValueError("a text is too long")
    return list(map(str.strip, values))


def _keys(values: Sequence[str]) -> Values:
    found = _texts(values)
    if not all(found):
        raise ValueError("a key is empty")
    return found


def _amounts(reader: Reader) -> Callable[[Values], Values]:
    """Reads a column that holds nothing but plain decimals with one look for all."""

    def read(values: Sequence[str]) -> Values:
        joined = "\n".join(values)
        plain = joined.count("\n") == len(values) - 1 and _AMOUNTS.fullmatch(joined)
        return list(map(Decimal if plain else reader, values))

    return read


def _once_each(reader: Reader) -> Callable[[Values], Values]:
    """Reads a text that stands many times in a column once."""

    def read(values: Sequence[str]) -> Values:
        known = {value: reader(value) for value in set(values)}
        return [known[value] for value in values]

    return read


_WHOLE_COLUMNS: dict[Reader, Callable[[Any], Values]] = {
    readers.text: _texts,
    readers.key: _keys,
    readers.money: _amounts(readers.money),
    readers.money_or_zero: _amounts(readers.money_or_zero),
    **{
        reader: _once_each(reader)
        for reader in (
            *(readers.whole, readers.whole_or_none),
            *(readers.instant, readers.instant_or_none),
        )
    },
}
