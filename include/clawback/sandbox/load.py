"""Reads a world: one action a line in the API's own JSON shape plus "Items"."""

from __future__ import annotations

import gc
import gzip
import io
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import IO, Any, cast
from zoneinfo import ZoneInfo

import orjson

from clawback.errors import ClawbackError
from clawback.sandbox import fields as f
from clawback.sandbox.store import Store, Times

OPEN_ENDED = 730 * 86400
"""Seconds after which an action without a locking date locks by itself (reference §8)."""
_REQUIRED = ("Id", "CampaignId", "EventDate", "Items")
_EXTENSIONS = frozenset(("_refuse", "_visible_from", "_original", "_updates", "_modifications"))
_ACTION_BLANK: dict[str, Any] = dict.fromkeys(f.ACTION.names, "")
_TEXTS = {str}
_QUARTER = 900
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - local times are written from it, zone and all
_ITEM_NUMBERS = ("Quantity", "SaleAmount", "Payout", "Rebate")
_ITEM_CURRENCIES = ("SaleAmountCurrency", "PayoutCurrency", "RebateCurrency")
_action_money = itemgetter(*sorted(f.ACTION.numbers))
_item_needs = itemgetter(*_ITEM_NUMBERS, *_ITEM_CURRENCIES)
_ITEM_BLANK: dict[str, Any] = {
    **dict.fromkeys(f.ITEM.names, ""),
    "Quantity": "1",
    "SaleAmount": "0.00",
    "Payout": "0.00",
    "Rebate": "0.00",
}


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The actions of a world file, plain or gzipped.

    Raises ClawbackError for a file or a line that is none.
    """
    try:
        with _open(path) as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _parse(line, path, number)
    except (OSError, EOFError) as error:
        raise ClawbackError(
            f"world {path}: cannot be read ({error}); give a .jsonl or .jsonl.gz file"
        ) from error


def _open(path: Path) -> IO[bytes]:
    with path.open("rb") as probe:
        gzipped = probe.read(2) == b"\x1f\x8b"
    if not gzipped:
        return path.open("rb")
    return io.BufferedReader(cast("io.RawIOBase", gzip.open(path)), 1 << 20)


def _parse(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        action = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise ClawbackError(f"world {path}, line {number}: no JSON ({error})") from error
    if not isinstance(action, dict) or not all(map(action.get, _REQUIRED)):
        missing = [key for key in _REQUIRED if not isinstance(action, dict) or not action.get(key)]
        raise ClawbackError(
            f"world {path}, line {number}: {', '.join(missing)} missing; "
            "a line is an action in the API's JSON shape plus Items"
        )
    return cast("dict[str, Any]", action)


class Loader:
    """Turns world lines into rows of a store, with times in the account's zone."""

    def __init__(self, store: Store, zone: str) -> None:
        self._store = store
        self._zone = ZoneInfo(zone)

    def load(self, actions: Iterable[Mapping[str, Any]]) -> list[tuple[int, Mapping[str, Any]]]:
        """Take every action; gives back those that carry an extension (keys with `_`)."""
        special: list[tuple[int, Mapping[str, Any]]] = []
        collecting = gc.isenabled()
        gc.disable()  # a million fresh objects and no cycle among them
        try:
            for line in actions:
                row = self._store.append(*self.read(line))
                if not _EXTENSIONS.isdisjoint(line):
                    special.append((row, line))
            self._store.seal()
        finally:
            if collecting:
                gc.enable()
        return special

    def read(self, line: Mapping[str, Any]) -> tuple[dict[str, str], list[dict[str, str]], Times]:
        """One world line as values of the wire, original items and times.

        Raises ClawbackError if a time or a number in it is none.
        """
        try:
            return self._read(line)
        except (ValueError, KeyError, TypeError, InvalidOperation) as error:
            raise ClawbackError(
                f"world: action {line.get('Id', '?')}: {error!r} is not as the API writes it"
            ) from error

    def _read(self, line: Mapping[str, Any]) -> tuple[dict[str, str], list[dict[str, str]], Times]:
        action: dict[str, Any] = {**_ACTION_BLANK, **line}
        items = action.pop("Items")
        if set(map(type, action.values())) != _TEXTS or "_visible_from" in line:
            items = line.get("_original") or items
            action = _reported(action, modified="_original" in line)
        action["State"] = action["State"] or f.PENDING
        currency = action["Currency"] = action["Currency"] or "USD"
        values = [item_values(item, currency) for item in items]
        _fill_money(action, values)
        return action, values, self._times(action)

    def _times(self, action: dict[str, str]) -> Times:
        """Creation, event and locking; every date becomes local to the account on the way."""
        zone = self._zone
        action["EventDate"], event = _local(action["EventDate"], zone)
        created, locking = event, event + OPEN_ENDED
        if action["CreationDate"]:
            action["CreationDate"], created = _local(action["CreationDate"], zone)
        else:
            action["CreationDate"] = action["EventDate"]
        if action["LockingDate"]:
            action["LockingDate"], locking = _local(action["LockingDate"], zone)
        for name in ("ReferringDate", "ClearedDate"):
            if action[name]:
                action[name] = _local(action[name], zone)[0]
        return created, event, locking


def _reported(line: Mapping[str, Any], *, modified: bool) -> dict[str, str]:
    """An action as it was reported, from a line with extensions or with values that are no text.

    Of a modified one the amounts are left to be summed from its original items.
    """
    action = {name: text(line[name]) for name in f.ACTION.names}
    action["CreationDate"] = text(line.get("_visible_from")) or action["CreationDate"]
    if modified:
        action |= dict.fromkeys(("Amount", "Payout", "ClientCost"), "")
    return action


@lru_cache(maxsize=4096)
def _local(value: str, zone: ZoneInfo) -> tuple[str, int]:
    """A time in the account's zone, as text and in epoch seconds."""
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    epoch = int(moment.timestamp())
    ahead, suffix = _offset(zone, epoch // _QUARTER)
    return (_EPOCH + timedelta(seconds=epoch + ahead)).isoformat() + suffix, epoch


@lru_cache(maxsize=200_000)
def _offset(zone: ZoneInfo, quarter: int) -> tuple[int, str]:
    """How far a zone is ahead of UTC, in seconds and as text; it changes on quarters of an hour.

    Asked once per quarter, because a zone's own formatting is what loading would spend most on.
    """
    local = datetime.fromtimestamp(quarter * _QUARTER, UTC).astimezone(zone)
    ahead = local.utcoffset() or timedelta()
    return int(ahead.total_seconds()), local.isoformat(timespec="seconds")[19:]


def text(value: Any) -> str:
    if type(value) is str:
        return value
    return "" if value is None else str(value)


def item_values(item: Mapping[str, Any], currency: str) -> dict[str, str]:
    """An item as values of the wire; what a line leaves out gets its plain default."""
    values: dict[str, Any] = {**_ITEM_BLANK, **item}
    if set(map(type, values.values())) != _TEXTS:
        values = {name: text(value) for name, value in values.items()}
    if "" in _item_needs(values):
        values |= {name: _ITEM_BLANK[name] for name in _ITEM_NUMBERS if not values[name]}
        values |= {name: currency for name in _ITEM_CURRENCIES if not values[name]}
    for name in _ITEM_NUMBERS:
        float(values[name])
    if not values["Sku"]:
        raise ValueError("an item without Sku")
    return values


def _fill_money(action: dict[str, str], items: list[dict[str, str]]) -> None:
    """Amounts that a line leaves out are the sums of its items (reference §2.5, §2.6)."""
    if "" not in _action_money(action):
        return
    for kind, of_item in (("Amount", "SaleAmount"), ("Payout", "Payout")):
        total = action[kind] or str(sum(Decimal(item[of_item]) for item in items))
        for name in (kind, "Delta" + kind, "Intended" + kind):
            action[name] = action[name] or total
    action["ClientCost"] = action["ClientCost"] or action["Payout"]
