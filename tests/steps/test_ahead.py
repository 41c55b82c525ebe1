"""Working one item ahead changes when things are made, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from threading import Event, get_ident

import pytest

from clawback.steps.ahead import ahead


def test_items_come_in_order_and_are_made_in_another_thread() -> None:
    """Every item is given once, made in one thread that is not the caller's."""
    threads = set()

    def numbers() -> Iterator[int]:
        for n in range(5):
            threads.add(get_ident())
            yield n

    assert list(ahead(numbers())) == [0, 1, 2, 3, 4]
    assert len(threads) == 1
    assert get_ident() not in threads


def test_the_next_item_is_made_while_one_is_used() -> None:
    """The maker is one item ahead, and not two."""
    made = [Event() for _ in range(4)]

    def events() -> Iterator[int]:
        for n, event in enumerate(made):
            event.set()
            yield n

    with closing(ahead(events())) as items:
        assert next(items) == 0
        assert made[1].wait(5)
        assert not made[2].is_set()


def test_what_breaks_off_is_raised_in_its_place() -> None:
    """The items before an error are given first."""

    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("the second")

    items = ahead(broken())
    assert next(items) == 1
    with pytest.raises(ValueError, match="the second"):
        next(items)


def test_a_maker_that_is_left_is_closed() -> None:
    """Who stops half-way leaves no connection open."""
    closed = Event()

    def numbers() -> Iterator[int]:
        try:
            yield from range(9)
        finally:
            closed.set()

    with closing(ahead(numbers())) as items:
        next(items)
    assert closed.is_set()
