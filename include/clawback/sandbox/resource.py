"""Kinds of objects on the wire, and the values of one object in two parts: common and own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import NamedTuple


class Row(NamedTuple):
    """The values of one object: those that many objects have in common, and its own."""

    common: tuple[str, ...]
    own: tuple[str, ...]


@dataclass(frozen=True)
class Resource:
    """One kind of object on the wire.

    `key` is its list's name in JSON and XML, `element` the name of one of them in XML; `integers`
    and `numbers` are the fields that the OpenAPI document types so. `names` are all fields in the
    order of the wire, `common` those of a row's common values in that order.
    """

    key: str
    element: str
    names: tuple[str, ...]
    common: tuple[str, ...] = ()
    integers: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()

    @cached_property
    def own(self) -> tuple[str, ...]:
        """The fields of a row's own values."""
        return tuple(name for name in self.names if name not in self.common)

    def values(self, row: Row) -> tuple[str, ...]:
        """All values of a row in the order of `names`."""
        return self._arranged((*row.common, *row.own))

    @cached_property
    def _arranged(self) -> Callable[[tuple[str, ...]], tuple[str, ...]]:
        at = {name: place for place, name in enumerate((*self.common, *self.own))}
        return itemgetter(*(at[name] for name in self.names))
