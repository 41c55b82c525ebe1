"""What no document settles about impact.com, as named switches (reference §9)."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import ConfigDict, ValidationError, field_validator

from clawback.errors import ClawbackError
from clawback.sandbox.switches_reading import Reading
from clawback.sandbox.switches_records import Records
from clawback.sandbox.switches_requests import Requests, Timing
from clawback.sandbox.switches_writing import Writing


class Profile(Reading, Requests, Writing, Records):
    """One account's answers to the open questions; every default is the likeliest answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("zone", "locking_zone")
    @classmethod
    def _known_zone(cls, zone: str | None) -> str | None:
        try:
            ZoneInfo(zone or "UTC")
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"{zone!r} is no time zone; write it like America/New_York") from None
        return zone

    def timing(self, cause: str) -> Timing | int:
        """When a write that is refused for this cause is refused: in its submission, or at once."""
        usual = self.missing_parameter if cause == "malformed" else self.refused_write
        chosen = {str(known): timing for known, timing in self.refusal_timing.items()}
        return chosen.get(cause, usual)

    @property
    def version_names(self) -> tuple[str, ...]:
        """The query parameters that ask for a version, the first one first."""
        if self.version_query == "both":
            return ("IrVersion", "IR-Version")
        return (self.version_query,)

    @property
    def refuses_at_once(self) -> bool:
        """Whether some well-formed write is refused as soon as it comes."""
        timings = {self.refused_write, *self.refusal_timing.values()}
        return timings != {"submission"}


def names() -> list[str]:
    """The profiles that come with the sandbox."""
    folder = files("clawback.sandbox") / "profiles"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir())


def load(name_or_file: str | None) -> Profile:
    """A profile by name or from a YAML or JSON file.

    Raises ClawbackError if there is none, or if it names a switch that does not exist.
    """
    if name_or_file is None:
        return Profile()
    if name_or_file in names():
        text = (files("clawback.sandbox") / "profiles" / f"{name_or_file}.yaml").read_text("utf-8")
    else:
        text = _read(Path(name_or_file))
    return parse(yaml.safe_load(text) or {}, name_or_file)


def parse(content: Any, source: str) -> Profile:
    try:
        return Profile.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise ClawbackError(
            f"profile {source}: {where}: {first['msg']}; docs/sandbox.md lists the switches"
        ) from error


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise ClawbackError(
            f"profile {path}: no such profile or file ({error.strerror}); "
            f"the named ones are {', '.join(names())}"
        ) from error
