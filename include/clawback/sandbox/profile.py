"""What no document settles about impact.com, as named switches (reference §9)."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from clawback.errors import ClawbackError

Timing = Literal["at_once", "submission"]
ErrorBody = Literal[
    "generic",
    "errors_object",
    "errors_empty",
    "message",
    "title",
    "lower",
    "warnings",
    "legacy",
    "error_code",
    "empty",
]
Status = Annotated[int, Field(ge=400, lt=500)]
Cause = Literal[
    "malformed",
    "unknown_action",
    "unknown_sku",
    "duplicate_sku",
    "code",
    "customer_status",
    "out_of_range",
    "modification_limit",
    "locked",
    "approved",
    "reversed",
]
"""Why a write is refused (§9.2)."""


class Profile(BaseModel):
    """One account's answers to the open questions; every default is the likeliest answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    zone: str = Field("America/Los_Angeles", description="the account's time zone (§2.2)")
    # Wire (§9.1, §9.3)
    scalars: Literal["strings", "numbers"] = Field(
        "strings",
        description="ids and money as JSON strings, or as the OpenAPI document types them (§9.1)",
    )
    envelope: Literal["strings", "numbers"] = Field(
        "strings", description="@page, @total ... as (§2.4, §9.1)"
    )
    empty_list: Literal["array", "missing", "object"] = Field(
        "array", description="a list without rows: [], no key at all, or {} (§9.1)"
    )
    single_row: Literal["array", "object"] = Field(
        "array", description="a list of one row: an array of one, or the row itself (§9.1)"
    )
    absent: Literal["empty", "null", "missing"] = Field(
        "empty", description="a value not there (§9.1)"
    )
    error_body: ErrorBody = Field(
        "generic", description="which of the known error bodies (§3.7, §9.3)"
    )
    # Reading (§9.3-7, §9.20-23)
    unknown_id_status: Literal[400, 403, 404] = Field(
        404, description="an id that does not exist or is someone else's (§9.3)"
    )
    window_error_status: Literal[400, 402, 403, 422] = Field(
        400, description="a list that breaks a rule of dates or pages (§9.4)"
    )
    default_days: int = Field(
        7, ge=1, description="the window when no date is given; the help says 30 (§2.3)"
    )
    window_days: int = Field(45, ge=1, description="the longest window (§2.3)")
    window_inclusive: bool = Field(
        default=True, description="a window of exactly window_days is not too long (§9.5)"
    )
    history_days: int | None = Field(
        None,
        ge=1,
        description="how far back a window may begin; null is three calendar years, an older "
        "page says 750 days (§2.3, §9.21)",
    )
    cap_all_windows: bool = Field(
        default=True,
        description="45 days and 3 years bind ActionDate* and LockingDate* too (§9.5)",
    )
    other_windows_alone: bool = Field(
        default=True,
        description="ActionDate* and LockingDate* may stand without StartDate (§9.5)",
    )
    date_bounds: Literal["inclusive", "half_open", "exclusive"] = Field(
        "inclusive", description="on or after and on or before, or neither quite (§9.5)"
    )
    naive_dates: Literal["account", "utc", "error"] = Field(
        "account", description="the zone of a time without offset (§9.5)"
    )
    small_page: Literal["error", "clamp"] = Field(
        "error", description="PageSize under 2,000 (§9.4)"
    )
    max_page_size: int | None = Field(None, ge=2000, description="none published (§9.6)")
    oid_filter: bool = Field(
        default=False, description="Oid/OrderId filter GET Actions; undocumented (§9.7)"
    )
    state_details: bool = Field(
        default=False, description="updates say OPEN, PAYMENT_PENDING, PAID (§5, §9.20)"
    )
    version_query: Literal["IrVersion", "IR-Version", "both"] = Field(
        "IrVersion", description="the query parameter that asks for a version (§1.5, §9.23)"
    )
    method_override: bool = Field(
        default=True, description="POST with _method works on Actions (§1.3, §9.16)"
    )
    # Writing (§9.2, §9.8-14, §9.16)
    missing_parameter: Timing = Field(
        "at_once", description="a malformed or missing parameter (§9.2)"
    )
    refused_write: Timing = Field(
        "submission",
        description="well formed, but refused: locked, unknown, a wrong code ... (§9.2)",
    )
    refusal_timing: dict[Cause, Timing | Status] = Field(
        default_factory=dict,
        description="a cause that is refused otherwise: submission, at_once (400), or at once "
        "with another 4xx (§9.2, §3.7)",
    )
    write_order: Literal["accepted", "shuffled"] = Field(
        "accepted",
        description="in which order queued writes take effect: as accepted, or each after a "
        "seeded share, 0 to 2, of the latency (§9.15)",
    )
    quantity_rescales: bool = Field(
        default=True, description="Quantity without Amount changes SaleAmount in proportion (§9.9)"
    )
    amount_meaning: Literal["line_total", "unit_price"] = Field(
        "line_total", description="what Amount beside a Quantity is (§9.9)"
    )
    indexed_items: bool = Field(default=True, description="Sku2, Sku3 ... are honoured (§9.12)")
    indexed_amounts: bool = Field(
        default=True, description="Amount2, ItemSubTotalDelta2, Category2 ... are honoured (§9.12)"
    )
    first_index_one: bool = Field(default=False, description="Sku1 is taken for Sku (§9.12)")
    max_items_per_call: int | None = Field(
        None, description="more items in one call are 400 (§9.12)"
    )
    partial_failure: Literal["refuse_all", "apply_valid"] = Field(
        "refuse_all", description="one bad item among good ones (§9.12)"
    )
    duplicate_sku: Literal["first", "all", "refused"] = Field(
        "first", description="which lines of an action a Sku that stands twice names (§9.11)"
    )
    order_amount_spread: Literal["proportional", "first"] = Field(
        "proportional", description="how Amount without Sku reaches the items (§9.8)"
    )
    all_zero_reverses: bool = Field(
        default=True, description="all items at 0: state REVERSED (§9.10)"
    )
    item_amount_zero: Literal["item", "action"] = Field(
        "item", description="what Amount=0 beside a Sku empties (§9.10)"
    )
    put_on_reversed: Literal["refuse", "restore"] = Field(
        "refuse", description="PUT on a reversed action (§9.14, §9.25)"
    )
    put_on_approved: Literal["change", "refuse"] = Field(
        "change", description="APPROVED before its locking date (§9.14, §9.19)"
    )
    repeated_delete: Literal["refuse", "ignore", "count"] = Field(
        "refuse", description="a DELETE of what is reversed: count is a no-op that counts (§9.14)"
    )
    reason_optional: bool = Field(
        default=False, description="PUT with DispositionCode alone (§9.13)"
    )
    reason_conflict: Literal["both", "reason", "disposition", "refused"] = Field(
        "both",
        description="Reason and DispositionCode that differ: both count, each shown in its own "
        "field, or the one replaces the other, or the write is refused (§9.13)",
    )
    json_bodies: bool = Field(default=True, description="a JSON body on PUT and DELETE (§9.16)")
    delete_query: bool = Field(
        default=False, description="DELETE's fields in the query string (§9.16)"
    )
    payout_rounding: Literal["half_even", "half_up", "down"] = Field(
        "half_even", description="the last digit of a payout (§9.18)"
    )
    reset_payout: Literal["original", "contract"] = Field(
        "original",
        description="the commission after a RESET: as it was reported, or by the contract in "
        "force (§3.3, §8)",
    )
    max_modifications: int = Field(1000, description="per action (§3.6)")
    # Locking (§8, §9.19)
    locking_instant: Literal["exact", "day_start", "day_end"] = Field(
        "exact", description="when on the day of its LockingDate an action locks (§9.19)"
    )
    locking_zone: str | None = Field(
        None,
        description="the zone of a LockingDate; null: the offset it is shown with (§9.19)",
    )
    locking_grace: float = Field(
        0.0, ge=0, description="seconds from that instant to the lock (§9.19)"
    )
    # Codes that this account has configured (§3.4)
    modifying_codes: tuple[str, ...] = Field((), description="codes that modify (§3.4)")
    rejecting_codes: tuple[str, ...] = Field((), description="codes that reject (§3.4)")
    approving_codes: tuple[str, ...] = Field(
        (), description="APPROVED works only if it is here (§3.3)"
    )
    customer_statuses: tuple[str, ...] = Field(
        ("NEW", "EXISTING"), description="those that are configured (§3.1)"
    )
    # Updates (§9.20, §9.24)
    update_quantity: Literal["new", "difference"] = Field(
        "new", description="what an update's Quantity says (§9.24)"
    )
    delete_rows: Literal["per_item", "per_action"] = Field(
        "per_item", description="the rows of a reversal (§9.24)"
    )
    reset_rows: Literal["changed", "all", "per_action", "none"] = Field(
        "changed", description="the rows of a RESET (§9.24)"
    )
    untouched_rows: bool = Field(
        default=False, description="a change also writes untouched items (§9.24)"
    )
    approval_rows: Literal["none", "per_item", "per_action"] = Field(
        "none", description="the rows of an approval by code; locking writes none (§9.20)"
    )
    update_state: Literal["current", "written"] = Field(
        "current",
        description="an update's State: that of its action now (the help's word), or the one that "
        "the update brought (§5, §9.20)",
    )
    # Delta* and Intended* of an action (§2.6, §9.20)
    delta_meaning: Literal["latest", "total"] = Field(
        "latest",
        description="the latest modification's change, or that of all since the report (§9.20)",
    )
    intended_meaning: Literal["original", "before_latest", "current"] = Field(
        "original",
        description="as reported, as before the latest change, or what would be paid now (§9.20)",
    )
    # Submissions (§9.15)
    submission_visible_after: float = Field(
        0.0, description="404 for so many seconds after QUEUED (§9.15)"
    )
    error_texts: dict[Cause, tuple[str, str]] = Field(
        default_factory=dict, description="cause of a refusal: [ErrorType, ErrorReason] (§9.2)"
    )
    # Limits (§6, §9.17)
    rate_headers: Literal["brand", "partner", "live"] = Field(
        "brand", description="which of the three accounts names the headers (§6, §9.17)"
    )
    rate_reset: Literal["seconds", "epoch"] = Field(
        "seconds", description="the unit of the reset (§6, §9.17)"
    )
    retry_after: bool = Field(
        default=False, description="Retry-After on a 429; brand documents do not have it (§6)"
    )
    rate_buckets: Literal["account", "user", "verb"] = Field(
        "account", description="who shares a budget: all, each user, or reads and writes (§9.17)"
    )
    concurrency_limit: int | None = Field(
        None, ge=1, description="requests at a time; a number also sends its headers (§6, §9.17)"
    )

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
