"""Pure comparisons for the doctor: whether ids match, and what would make them match."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

_ENOUGH = 0.2
"""What a change of spelling must add to the match rate to be worth proposing."""


@dataclass(frozen=True, slots=True)
class Match:
    """How many of `compared` ids were found; `hint` is what would make more of them match."""

    compared: int
    found: int
    hint: str = ""

    @property
    def rate(self) -> float:
        return self.found / self.compared if self.compared else 0.0


def match(ours: Collection[str], theirs: Collection[str], key: str) -> Match:
    """Compare ids that are already in the program's form; `key` is the part of the program file."""
    mine, other = set(ours), set(theirs)
    found = len(mine & other)
    if not mine or not other:
        return Match(len(mine), found)
    best, hint = found, ""
    for mend, spell in _spellings(mine, other):
        n = _found(mine, other, spell)
        if n > best:
            best, hint = n, f"set {key}: {mend}"
    worth = (best - found) / len(mine) >= _ENOUGH
    return Match(len(mine), found, hint if worth else "")


def _found(mine: set[str], other: set[str], spell: Callable[[str], str]) -> int:
    there = {spell(one) for one in other}
    return sum(spell(one) in there for one in mine)


def _spellings(mine: set[str], other: set[str]) -> Iterable[tuple[str, Callable[[str], str]]]:
    yield "{trim: true}", str.strip
    yield "{trim: true, case: upper}", lambda text: text.strip().upper()
    for prefix in sorted(_prefixes(mine, other) | _prefixes(other, mine)):
        yield f'{{prefix: "{prefix}"}}', lambda text, cut=prefix: text.removeprefix(cut)  # type: ignore[misc]  # a default binds the loop's value
    yield r"{pattern: '(\d+)$'}", _digits


def _digits(text: str) -> str:
    found = re.search(r"(\d+)$", text)
    return found[1] if found else text


def _prefixes(long: set[str], short: set[str]) -> set[str]:
    """What stands before the ids of one side that are otherwise those of the other."""
    found: dict[str, int] = {}
    for one in sorted(long)[:200]:
        for cut in range(1, min(len(one), 12)):
            if one[cut:] in short:
                found[one[:cut]] = found.get(one[:cut], 0) + 1
    return {prefix for prefix, n in found.items() if n > 1}
