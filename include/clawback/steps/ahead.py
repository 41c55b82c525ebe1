"""For bulk work: one item ahead in a thread, and no needless search for garbage."""

from __future__ import annotations

import gc
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


def ahead(items: Iterator[T]) -> Generator[T, None, None]:
    """The same items in the same order, each made in a thread while the one before is used.

    All of them are made in one thread, which also closes a generator that is not used up. What
    making an item raises is raised here in its place. At most two items exist at once.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="ahead") as thread:
        try:
            coming = thread.submit(_next, items)
            while found := coming.result():
                coming = thread.submit(_next, items)
                yield found[0]
        finally:
            if isinstance(items, Generator):
                thread.submit(items.close).result()


def _next(items: Iterator[T]) -> tuple[T] | None:
    """The next item, wrapped; None at the end."""
    for item in items:
        return (item,)
    return None


@contextmanager
def uncollected() -> Iterator[None]:
    """Without Python's search for cycles while this lasts: bulk work makes none.

    Every search walks all rows of a page that is being read, which costs more than reading them.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
