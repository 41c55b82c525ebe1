"""Reads a large file of lines in blocks, unpacking the next while the last is worked on."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

_BLOCK = 1 << 20
_PACKED = 1 << 18
_MAGIC = b"\x1f\x8b"
_WITH_HEADER = 16 + zlib.MAX_WBITS
T = TypeVar("T")


def blocks(path: Path) -> Iterator[bytes]:
    """The content of a file, gzipped or not.

    Raises OSError if it cannot be read, EOFError or zlib.error if it is packed and broken.
    """
    with path.open("rb") as file:
        gzipped = file.read(2) == _MAGIC
        file.seek(0)
        if gzipped:
            yield from _unpacked(iter(lambda: file.read(_PACKED), b""))
        else:
            yield from iter(lambda: file.read(_BLOCK), b"")


def _unpacked(packed: Iterable[bytes]) -> Iterator[bytes]:
    """The content of a gzip file, which may have several members."""
    member = zlib.decompressobj(_WITH_HEADER)
    begun = False
    for block in packed:
        rest = block
        while rest:
            yield member.decompress(rest)
            begun, rest = not member.eof, member.unused_data
            if member.eof:
                member = zlib.decompressobj(_WITH_HEADER)
                rest = rest.lstrip(b"\0")  # padding
    if begun:
        raise EOFError("it ends in the middle")


def whole_lines(content: Iterable[bytes]) -> Iterator[list[bytes]]:
    """The lines of some blocks, without their ends; a line may reach over several blocks."""
    begun: list[bytes] = []
    for block in content:
        first, *others = block.split(b"\n")
        begun.append(first)
        if others:
            yield [b"".join(begun), *others[:-1]]
            begun = others[-1:]
    last = b"".join(begun)
    if last:
        yield [last]


def ahead(items: Iterator[T]) -> Iterator[T]:
    """The same, each made in a thread of its own while the one before is worked on."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item
