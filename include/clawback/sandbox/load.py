"""Reads a world: one action a line in the API's own JSON shape plus "Items"."""

from __future__ import annotations

import gc
import re
import zlib
from array import array
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import Any

import orjson

from clawback.errors import ClawbackError
from clawback.sandbox import fields as f
from clawback.sandbox.blocks import ahead, blocks, whole_lines
from clawback.sandbox.extensions import KEYS, Extension, extension_of, time
from clawback.sandbox.moments import Localizer
from clawback.sandbox.store import Reported, Store
from clawback.sandbox.values import NUMBER, WHOLE, ItemValues, WrongField, item_values, number, text

OPEN_ENDED = 730 * 86400
"""Seconds after which an action without a locking date locks by itself (reference §8)."""
Line = Mapping[str, Any]

_REQUIRED = ("Id", "CampaignId", "EventDate", "Items")
_MOST_ITEMS = 65_535
_PLAIN_KEYS = len(f.ACTION_SHARED) + len(f.ACTION_OWN) + len(("State", "Items"))
_NUMBERS = tuple(name for name in f.ACTION_OWN if name in f.ACTION.numbers)
_MONEY = slice(1, 1 + len(_NUMBERS))
_DATES = slice(f.ACTION_OWN.index("ReferringDate"), f.ACTION_OWN.index("ClearedDate") + 1)
_CAMPAIGN = f.ACTION_SHARED.index("CampaignId")
_CURRENCY = f.ACTION_SHARED.index("Currency")
_own_of = itemgetter(*f.ACTION_OWN)
_shared_of = itemgetter(*f.ACTION_SHARED)
_item_shared_of = itemgetter(*f.ITEM_SHARED)
_item_own_of = itemgetter(*f.ITEM_OWN)
_state_of = {"": f.PENDING, **{state: state for state in f.STATES}}

# The shape of a line that needs no second look: every value a text, and every number one.
_APART = "\x1f"
_ANY, _SOME = "[^\x1f]*", "[^\x1f]+"
_money_shape = re.compile(_APART.join((NUMBER,) * len(_NUMBERS))).fullmatch
_item_shape = re.compile(_APART.join((_SOME, WHOLE, NUMBER, NUMBER))).fullmatch
_item_shared_shape = re.compile(
    _APART.join(
        NUMBER if name == "Rebate" else _SOME if name.endswith("Currency") else _ANY
        for name in f.ITEM_SHARED
    )
).fullmatch


class BadLine(ClawbackError):  # noqa: N818  # it names a line of a file, not a failure of ours
    """A world line that is no action; the message names line, field and mend."""


def lines(path: Path) -> Iterator[tuple[int, Any]]:
    """The lines of a world file, plain or gzipped, by number.

    Raises ClawbackError for a file that cannot be read, or a line that is no JSON.
    """
    at = 0
    try:
        for block in ahead(whole_lines(blocks(path))):
            for line in block:
                at += 1
                if line and not line.isspace():
                    yield at, orjson.loads(line)
    except (OSError, EOFError, zlib.error) as error:
        raise ClawbackError(
            f"world {path}: cannot be read ({error}); give a .jsonl or .jsonl.gz file"
        ) from error
    except orjson.JSONDecodeError as error:
        raise BadLine(
            f"world {path}, line {at}: no JSON ({error}); give one object a line"
        ) from error


class Loader:
    """Turns world lines into rows of a store, with times in the account's zone."""

    def __init__(self, store: Store, zone: str) -> None:
        self._store = store
        self._local = Localizer(zone)

    def load(
        self, numbered: Iterable[tuple[int, Line]], source: str
    ) -> list[tuple[int, Extension]]:
        """Take every action; gives back the rows that have extensions.

        Raises BadLine for a line that is no action, and for an Id that stands twice.
        """
        extended: list[tuple[int, Extension]] = []
        numbers = array("q")
        collecting = gc.isenabled()
        gc.disable()  # a million fresh objects and no cycle among them
        try:
            for at, line in numbered:
                try:
                    reported, extension = self.read(line)
                except WrongField as wrong:
                    raise BadLine(f"world {source}, line {at}: {_name(line)}{wrong}") from wrong
                row = self._store.append(reported)
                numbers.append(at)
                if extension is not None:
                    extended.append((row, extension))
            self._store.seal()
        finally:
            if collecting:
                gc.enable()
        self._refuse_twins(numbers, source)
        return extended

    def _refuse_twins(self, numbers: array[int], source: str) -> None:
        twins = self._store.twins()
        if twins:
            first, second = sorted(numbers[row] for row in twins)
            name = self._store.own_value(twins[0], "Id")
            raise BadLine(
                f"world {source}, lines {first} and {second}: Id: both are {name}; "
                "an action stands on one line, so leave one of them out"
            )

    def one(self, line: Line) -> tuple[Reported, Extension | None]:
        """One more action while serving. Raises BadLine if it is none or there already."""
        try:
            reported, extension = self.read(line)
        except WrongField as wrong:
            raise BadLine(f"the action: {_name(line)}{wrong}") from wrong
        name = reported.own[0]
        if self._store.find(name) is not None:
            raise BadLine(f"the action: Id: {name} is there already; give it another")
        return reported, extension

    def read(self, line: Line) -> tuple[Reported, Extension | None]:
        """One world line as it was reported, and its extensions.

        Raises WrongField for a value that is not as the API writes it.
        """
        plain = self._plain(line)
        return (plain, None) if plain is not None else self._careful(line)

    def _plain(self, line: Line) -> Reported | None:
        """A line as the API itself writes it; None for one that needs a careful look."""
        try:
            own, shared, state = _own_of(line), _shared_of(line), _state_of[line["State"]]
            items = [(_item_shared_of(item), _item_own_of(item)) for item in line["Items"]]
            usual = len(line) == _PLAIN_KEYS + ("Uri" in line) and 0 < len(items) <= _MOST_ITEMS
            if not (usual and _fit(shared, own)):
                return None
            for common, single in items:
                if not (_item_shape(_APART.join(single)) and _item_fit(common)):
                    return None
            return self._reported(shared, own, items, state)
        except (KeyError, TypeError, ValueError, OverflowError):
            return None

    def _careful(self, line: Any) -> tuple[Reported, Extension | None]:
        missing = [n for n in _REQUIRED if not isinstance(line, Mapping) or not line.get(n)]
        if missing:
            names = ", ".join(missing)
            raise WrongField(
                names, "missing; a line is an action in the API's JSON shape plus Items"
            )
        values = {name: text(name, line.get(name)) for name in f.ACTION.names}
        values["CreationDate"] = (
            text("_visible_from", line.get("_visible_from")) or (values["CreationDate"])
        )
        values["Currency"] = currency = values["Currency"] or "USD"
        state = values["State"] or f.PENDING
        if state not in f.STATES:
            raise WrongField("State", f"{state!r} is none of {', '.join(f.STATES)}")
        for name in f.ACTION_DATES:
            if values[name]:
                time(values[name], name, self._local)
        items = _items(line, currency)
        _fill_money(values, items, modified=bool(line.get("_original")))
        reported = self._reported(_shared_of(values), _own_of(values), items, state)
        special = any(key in line for key in KEYS)
        return reported, extension_of(line, currency, self._local) if special else None

    def _reported(
        self, shared: tuple[str, ...], own: tuple[str, ...], items: list[ItemValues], state: str
    ) -> Reported:
        """Every date becomes local to the account; a missing one is as the event, or far off."""
        local = self._local
        referring, happened, creation, lock, cleared = own[_DATES]
        written, event = local(happened)
        created, locking = event, event + OPEN_ENDED
        if referring:
            referring = written if referring == happened else local(referring)[0]
        if not creation or creation == happened:
            creation = written
        else:
            creation, created = local(creation)
        if lock:
            lock, locking = local(lock)
        if cleared:
            cleared = local(cleared)[0]
        dates = (referring, written, creation, lock, cleared)
        own = own[: _DATES.start] + dates + own[_DATES.stop :]
        return Reported(shared, own, items, state, (created, event, locking))


@lru_cache(maxsize=1 << 16)
def _item_fit(common: tuple[str, ...]) -> bool:
    return _item_shared_shape(_APART.join(common)) is not None


def _fit(shared: tuple[str, ...], own: tuple[str, ...]) -> bool:
    """Whether all of them are texts, money is money, and what every action has is there."""
    there = own[0] and shared[_CAMPAIGN] and shared[_CURRENCY]
    texts = _APART.join(shared) and _APART.join(own[_DATES.start :])
    return bool(there and texts and _money_shape(_APART.join(own[_MONEY])))


def _name(line: Any) -> str:
    given = line.get("Id") if isinstance(line, Mapping) else None
    return f"action {given}: " if given and not isinstance(given, list | Mapping) else ""


def _items(line: Line, currency: str) -> list[ItemValues]:
    """The items as they were reported: `_original` where the action stands modified."""
    name = "_original" if line.get("_original") else "Items"
    rows = line[name]
    if not isinstance(rows, list | tuple) or not isinstance(line["Items"], list | tuple):
        raise WrongField(name, "is no list; give a list of items")
    if len(rows) > _MOST_ITEMS:
        raise WrongField(name, f"has more than {_MOST_ITEMS} items; leave some out")
    return [item_values(row, f"{name}[{at}]", currency) for at, row in enumerate(rows)]


def _fill_money(values: dict[str, str], items: list[ItemValues], *, modified: bool) -> None:
    """Amounts that a line leaves out are the sums of its items (reference §2.5, §2.6).

    So are those of a modified action, whose line says what they are now.
    """
    for name in _NUMBERS:
        number(name, values[name])
    if modified:
        values |= dict.fromkeys(("Amount", "Payout", "ClientCost"), "")
    for kind, of_item in (("Amount", "SaleAmount"), ("Payout", "Payout")):
        at = f.ITEM_OWN.index(of_item)
        total = values[kind] or str(sum(Decimal(own[at]) for _, own in items))
        for name in (kind, "Delta" + kind, "Intended" + kind):
            values[name] = values[name] or total
    values["ClientCost"] = values["ClientCost"] or values["Payout"]
