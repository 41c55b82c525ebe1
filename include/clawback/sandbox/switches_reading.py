"""Switches about what is read: values, lists, windows and pages (reference §2, §9.1, §9.3-7)."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

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


class Reading(BaseModel):
    """How answers look, and which questions are answered."""

    zone: str = Field("America/Los_Angeles", description="the account's time zone (§2.2)")
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
    version_query: Literal["IrVersion", "IR-Version", "both"] = Field(
        "IrVersion", description="the query parameter that asks for a version (§1.5, §9.23)"
    )
