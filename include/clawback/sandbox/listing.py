"""Finds the rows that a query names, newest first."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

from clawback.sandbox.query import Query
from clawback.sandbox.show import Show
from clawback.sandbox.world import World

_REMEMBERED = 8
_WALKS = 1000


class Listing:
    """Answers queries about a world; remembers the last few, for the pages that follow."""

    def __init__(self, world: World, account_id: str) -> None:
        self._world = world
        self.show = Show(world, account_id)
        self._known: OrderedDict[tuple[object, ...], Sequence[int]] = OrderedDict()
        self._moved: OrderedDict[tuple[object, ...], int] = OrderedDict()

    # Which rows

    def actions(self, query: Query, now: float) -> Sequence[int]:
        """Rows of the actions that match, newest CreationDate first (reference §2.4)."""
        return self._remember("actions", query, now, self._find_actions)

    def updates(self, query: Query, now: float) -> Sequence[int]:
        """References of the updates that match, newest first (reference §5)."""
        return self._remember("updates", query, now, self._find_updates)

    def _remember(
        self,
        kind: str,
        query: Query,
        now: float,
        find: Callable[[Query, float], Sequence[int]],
    ) -> Sequence[int]:
        key = (
            kind,
            query.campaign,
            query.state,
            query.updated,
            query.event,
            query.locking,
            query.order_id,
            self._world.version,
            *self._passed(query, now),
        )
        if key in self._known:
            self._known.move_to_end(key)
        else:
            self._known[key] = find(query, now)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return self._known[key]

    def _passed(self, query: Query, now: float) -> tuple[int, int, int, int]:
        """How much of what the clock brings about has happened: creations, updates, locks."""
        store = self._world.store
        return (
            store.by_created.count(-math.inf, now),
            self._world.history.by_date.count(-math.inf, now),
            store.by_locks.count(-math.inf, now) if query.state else 0,
            store.by_locking.count(-math.inf, now) if query.locking else 0,
        )

    def moved(self, walk: tuple[object, ...], page: int, rows: int) -> int:
        """How far a listing has slid since its first page was read, `rows` more just now.

        A walk is one listing apart from its page; who reads the same one at the same time shares
        it. Rows that slid in on top stay there: later pages begin as much earlier.
        """
        if page == 1:
            self._moved.pop(walk, None)
            return 0
        moved = self._moved.get(walk, 0) + rows
        if rows:
            self._moved[walk] = moved
            self._moved.move_to_end(walk)
            if len(self._moved) > _WALKS:
                self._moved.popitem(last=False)
        return moved

    def _find_actions(self, query: Query, now: float) -> Sequence[int]:
        store = self._world.store
        windows = (
            (store.by_updated, store.updated, query.updated),
            (store.by_event, store.event, query.event),
            (store.by_locking, store.locking, query.locking),
        )
        asked = [(index, column, window) for index, column, window in windows if window]
        asked.sort(key=lambda entry: entry[0].count(*entry[2]))
        index, _, window = asked[0]
        rows: Iterable[int] = index.between(*window)
        for _, column, (low, high) in asked[1:]:
            rows = [row for row in rows if low <= column[row] <= high]
        rows = self._campaign(rows, query.campaign)
        if query.locking:
            rows = [row for row in rows if self.show.locking(row, now) is not None]
        if query.state:
            rows = [row for row in rows if store.state_at(row, now) == query.state]
        if query.order_id:
            rows = [row for row in rows if store.own_value(row, "Oid") == query.order_id]
        return self._newest_first(rows, now)

    def _newest_first(self, rows: Iterable[int], now: float) -> list[int]:
        """Those that exist by now, by CreationDate, then by the order of loading."""
        created = self._world.store.created
        found = [row for row in rows if created[row] <= now]
        found.sort()
        found.sort(key=created.__getitem__)
        found.reverse()
        return found

    def _find_updates(self, query: Query, now: float) -> Sequence[int]:
        creations, later = self._creations(query, now), self._later(query, now)
        if query.state:
            creations = self._in_state(creations, query.state, now)
            later = self._in_state(later, query.state, now)
        return self._merge(creations, later)

    def _in_state(self, found: list[int], state: str, now: float) -> list[int]:
        history = self._world.history
        return [ref for ref in found if self.show.state(history.get(ref), now) == state]

    def _merge(self, creations: list[int], later: list[int]) -> list[int]:
        """Two lists of updates, each newest first, as one; the second is the shorter as a rule."""
        merged: list[int] = []
        done = 0
        for reference in later:
            at = bisect_left(creations, self._age(reference), lo=done, key=self._age)
            merged += creations[done:at]
            merged.append(reference)
            done = at
        return merged + creations[done:]

    def _age(self, reference: int) -> tuple[int, int]:
        """Grows from the newest update to the oldest."""
        at, number = self._world.history.sort_key(reference)
        return -at, -number

    def _creations(self, query: Query, now: float) -> list[int]:
        store, history = self._world.store, self._world.history
        low, high = query.updated or (-math.inf, math.inf)
        rows: Iterable[int] = store.by_created.between(low, min(high, now))
        if query.event and not query.updated:
            rows = store.by_event.between(*query.event)
        rows = self._newest_first(self._in_windows(rows, query, now), now)
        return [ref for row in rows for ref in reversed(history.creations(row))]

    def _later(self, query: Query, now: float) -> list[int]:
        history = self._world.history
        low, high = query.updated or (-math.inf, math.inf)
        found = history.later(low, min(high, now))
        kept = set(self._in_windows({history.row_of(ref) for ref in found}, query, now))
        found = [ref for ref in found if history.row_of(ref) in kept]
        return sorted(found, key=history.sort_key, reverse=True)

    def _in_windows(self, rows: Iterable[int], query: Query, now: float) -> Iterable[int]:
        store = self._world.store
        for column, window in ((store.event, query.event), (store.locking, query.locking)):
            if window:
                low, high = window
                rows = [row for row in rows if low <= column[row] <= high]
        if query.locking:
            rows = [row for row in rows if self.show.locking(row, now) is not None]
        return self._campaign(rows, query.campaign)

    def _campaign(self, rows: Iterable[int], campaign: str) -> Iterable[int]:
        store = self._world.store
        if store.campaigns().keys() == {campaign}:
            return rows
        groups = store.campaigns().get(campaign, set())
        return [row for row in rows if store.group[row] in groups]
