"""What no document settles about impact.com, as named switches (reference §9)."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from clawback.errors import ClawbackError

Timing = Literal["at_once", "submission"]


class Profile(BaseModel):
    """One account's answers to the open questions; every default is the likeliest answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    zone: str = Field("America/Los_Angeles", description="the account's time zone (§2.2)")
    # Wire (§9.1, §9.3)
    scalars: Literal["strings", "numbers"] = Field(
        "strings",
        description="ids and money as JSON strings, or as the OpenAPI document types them",
    )
    envelope: Literal["strings", "numbers"] = Field("strings", description="@page, @total ... as")
    empty_list: Literal["array", "missing", "object"] = Field(
        "array", description="a list without rows: [], no key at all, or {}"
    )
    single_row: Literal["array", "object"] = Field(
        "array", description="a list of one row: an array of one, or the row itself"
    )
    absent: Literal["empty", "null", "missing"] = Field("empty", description="a value not there")
    error_body: Literal["generic", "errors_object", "title", "lower", "legacy", "empty"] = Field(
        "generic", description="which of the known error bodies (§3.7)"
    )
    # Reading (§9.3-7, §9.21)
    unknown_id_status: Literal[400, 403, 404] = 404
    default_days: int = Field(7, description="the window when no date is given; the help says 30")
    window_days: int = 45
    history_days: int = 3 * 366
    cap_all_windows: bool = Field(
        default=True,
        description="45 days bind ActionDate* and LockingDate* too, not StartDate only",
    )
    naive_dates: Literal["account", "utc", "error"] = Field(
        "account", description="the zone of a time without offset"
    )
    small_page: Literal["error", "clamp"] = Field("error", description="PageSize under 2,000")
    max_page_size: int | None = Field(None, description="none published")
    oid_filter: bool = Field(
        default=False, description="Oid/OrderId filter GET Actions; undocumented"
    )
    # Writing (§9.2, §9.8-14, §9.16)
    missing_parameter: Timing = Field("at_once", description="a malformed or missing parameter")
    refused_write: Timing = Field(
        "submission", description="well formed, but refused: locked, unknown, a wrong code ..."
    )
    quantity_rescales: bool = Field(
        default=True, description="Quantity without Amount changes SaleAmount in proportion"
    )
    amount_meaning: Literal["line_total", "unit_price"] = "line_total"
    indexed_items: bool = Field(default=True, description="Sku2, Sku3 ... are honoured")
    indexed_amounts: bool = Field(
        default=True, description="Amount2, ItemSubTotalDelta2, Category2 ... are honoured"
    )
    first_index_one: bool = Field(default=False, description="Sku1 is taken for Sku")
    max_items_per_call: int | None = None
    partial_failure: Literal["refuse_all", "apply_valid"] = "refuse_all"
    duplicate_sku: Literal["first", "all", "refused"] = Field(
        "first", description="which lines of an action a Sku that stands twice names"
    )
    order_amount_spread: Literal["proportional", "first"] = Field(
        "proportional", description="how Amount without Sku reaches the items"
    )
    all_zero_reverses: bool = Field(default=True, description="all items at 0: state REVERSED")
    put_on_reversed: Literal["refuse", "restore"] = "refuse"
    put_on_approved: Literal["change", "refuse"] = Field(
        "change", description="APPROVED before its locking date"
    )
    repeated_delete: Literal["refuse", "ignore"] = "refuse"
    reason_optional: bool = Field(default=False, description="PUT with DispositionCode alone")
    json_bodies: bool = Field(default=True, description="a JSON body on PUT and DELETE")
    delete_query: bool = Field(default=False, description="DELETE's fields in the query string")
    payout_rounding: Literal["half_even", "half_up", "down"] = "half_even"
    max_modifications: int = Field(1000, description="per action (§3.6)")
    # Codes that this account has configured (§3.4)
    modifying_codes: tuple[str, ...] = ()
    rejecting_codes: tuple[str, ...] = ()
    approving_codes: tuple[str, ...] = Field((), description="APPROVED works only if it is here")
    customer_statuses: tuple[str, ...] = ("NEW", "EXISTING")
    # Updates (§9.24)
    update_quantity: Literal["new", "difference"] = "new"
    delete_rows: Literal["per_item", "per_action"] = "per_item"
    reset_rows: Literal["changed", "all", "per_action", "none"] = "changed"
    untouched_rows: bool = Field(default=False, description="a change also writes untouched items")
    # Submissions (§9.15)
    submission_visible_after: float = Field(0.0, description="404 for so many seconds after QUEUED")
    error_texts: dict[str, tuple[str, str]] = Field(
        default_factory=dict, description="cause of a refusal: [ErrorType, ErrorReason]"
    )
    # Limits (§6, §9.17)
    rate_headers: Literal["brand", "partner", "live"] = "brand"
    rate_reset: Literal["seconds", "epoch"] = "seconds"
    retry_after: bool = Field(default=False, description="brand documents do not have it")

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"{zone!r} is no time zone; write it like America/New_York") from None
        return zone


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
