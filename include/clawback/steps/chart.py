"""What a doctor's examination found: one line a check, with the mend."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """How a check came out; SKIP was not looked at, because an earlier one failed."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Check:
    """One check: what was found, and what to do where something is wrong."""

    name: str
    status: Status
    said: str
    mend: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"status": self.status.value}


@dataclass(slots=True)
class Chart:
    """The checks so far, each name once: a later finding replaces an earlier one of its name."""

    _checks: dict[str, Check] = field(default_factory=dict)

    def ok(self, name: str, said: str) -> None:
        self._checks[name] = Check(name, Status.OK, said)

    def warn(self, name: str, said: str, mend: str) -> None:
        self._checks[name] = Check(name, Status.WARN, said, mend)

    def fail(self, name: str, said: str, mend: str) -> None:
        self._checks[name] = Check(name, Status.FAIL, said, mend)

    def failed(self, name: str, error: Exception) -> None:
        """A check that ended in an error whose last clause is the mend."""
        said, _, mend = str(error).rpartition("; ")
        self.fail(name, said or mend, mend if said else "mend what it names")

    def skip(self, names: Iterable[str], why: str) -> None:
        """Say of checks that have no finding why they were not made."""
        for name in names:
            self._checks.setdefault(name, Check(name, Status.SKIP, why))

    def checks(self) -> list[Check]:
        return list(self._checks.values())
