"""Rows found by a number: two sorted arrays instead of a million objects."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import compress, count, islice
from operator import eq, le


class SortedIndex:
    """Pairs of a key (a time in epoch seconds, or a hash) and a row, held in the order of keys.

    A bulk load appends and seals once; after that `add` and `remove` keep the order.
    """

    def __init__(self) -> None:
        self._keys = array("q")
        self._rows = array("q")
        self._sealed = True

    def append(self, key: int, row: int) -> None:
        """Take a pair without sorting; call `seal` before anything is looked up."""
        self._keys.append(key)
        self._rows.append(row)
        self._sealed = False

    def seal(self) -> None:
        keys = self._keys
        if self._sealed or all(map(le, keys, islice(keys, 1, None))):
            self._sealed = True
            return
        order = sorted(range(len(self._keys)), key=self._keys.__getitem__)
        self._rows = array("q", map(self._rows.__getitem__, order))
        self._keys = array("q", map(self._keys.__getitem__, order))
        self._sealed = True

    def fill(self, keys: array[int]) -> None:
        """Hold row i under keys[i], and nothing else."""
        self._keys = array("q", keys)
        self._rows = array("q", range(len(keys)))
        self._sealed = False
        self.seal()

    def add(self, key: int, row: int) -> None:
        at = bisect_right(self._keys, key)
        self._keys.insert(at, key)
        self._rows.insert(at, row)

    def remove(self, key: int, row: int) -> None:
        at = self._rows.index(row, bisect_left(self._keys, key))
        del self._keys[at]
        del self._rows[at]

    def between(self, low: float, high: float) -> array[int]:
        """The rows whose key lies in [low, high], in the order of keys."""
        return self._rows[bisect_left(self._keys, low) : bisect_right(self._keys, high)]

    def count(self, low: float, high: float) -> int:
        return max(0, bisect_right(self._keys, high) - bisect_left(self._keys, low))

    def repeated(self) -> Iterator[array[int]]:
        """The rows of each key that stands more than once."""
        keys = self._keys
        for at in compress(count(1), map(eq, keys, islice(keys, 1, None))):
            yield self.between(keys[at], keys[at])

    def __len__(self) -> int:
        return len(self._keys)


class Interner:
    """Equal tuples of strings are kept once, and named by a number."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, ...], int] = {}
        self.values: list[tuple[str, ...]] = []

    def number(self, value: tuple[str, ...]) -> int:
        known = self._numbers.get(value)
        if known is None:
            known = self._numbers[value] = len(self.values)
            self.values.append(value)
        return known
