"""Takes a request's path apart: account, resource, format, and the kind it counts as."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from clawback.sandbox.rows import Format

_READS = {
    ("Actions", 1): "list_actions",
    ("Actions", 2): "get_action",
    ("Actions", 3): "list_items",
    ("Actions", 4): "get_item",
    ("ActionUpdates", 1): "list_action_updates",
    ("ActionUpdates", 2): "get_action_update",
    ("APISubmissions", 1): "list_submissions",
    ("APISubmissions", 2): "get_submission",
    ("Campaigns", 1): "list_campaigns",
    ("Campaigns", 2): "get_campaign",
    ("CompanyInformation", 1): "get_company",
}
_WRITES = {"PUT": "modify", "DELETE": "reverse"}


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes; `prefix` is the path up to the resource, `path` all of it."""

    path: str
    prefix: str
    agency: str
    account: str
    segments: tuple[str, ...]
    form: Format | None

    @classmethod
    def parse(cls, raw_path: str) -> Target | None:
        """None if the path lies outside the API."""
        parts = raw_path.strip("/").split("/")
        agency, at = "", 0
        if parts[0] == "Agencies" and parts[1:]:
            agency, at = unquote(parts[1]), 2
        if len(parts) < at + 3 or parts[at] != "Advertisers":
            return None
        names = parts[at + 2 :]
        form: Format | None = None
        for suffix, named in ((".json", "json"), (".xml", "xml")):
            if names[-1].endswith(suffix):
                names[-1] = names[-1].removesuffix(suffix)
                form = "json" if named == "json" else "xml"
        return cls(
            path=raw_path,
            prefix="/" + "/".join(parts[: at + 2]),
            agency=agency,
            account=unquote(parts[at + 1]),
            segments=tuple(unquote(name) for name in names),
            form=form,
        )

    def read_kind(self) -> str | None:
        """What a GET here asks for; None if there is no such resource."""
        if self.segments[2:] and self.segments[2] != "Items":
            return None
        return _READS.get((self.segments[0], len(self.segments)))

    def kind(self, method: str) -> str | None:
        """The kind of request, as the log and the faults name it; None if there is none."""
        if method in ("GET", "HEAD"):
            return self.read_kind()
        return _WRITES.get(method) if self.segments == ("Actions",) else None
