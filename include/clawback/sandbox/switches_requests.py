"""Switches about how writes are taken, and how many requests (reference §4, §6, §9.2, §9.15-17)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

Timing = Literal["at_once", "submission"]
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


class Requests(BaseModel):
    """How a write is sent and refused, what its submission says, and what the limits are."""

    method_override: bool = Field(
        default=True, description="POST with _method works on Actions (§1.3, §9.16)"
    )
    json_bodies: bool = Field(default=True, description="a JSON body on PUT and DELETE (§9.16)")
    delete_query: bool = Field(
        default=False, description="DELETE's fields in the query string (§9.16)"
    )
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
    error_texts: dict[Cause, tuple[str, str]] = Field(
        default_factory=dict, description="cause of a refusal: [ErrorType, ErrorReason] (§9.2)"
    )
    write_order: Literal["accepted", "shuffled"] = Field(
        "accepted",
        description="in which order queued writes take effect: as accepted, or each after a "
        "seeded share, 0 to 2, of the latency (§9.15)",
    )
    queued_path: Literal["APISubmissions", "QueuedStatus", "BatchSummaries"] = Field(
        "APISubmissions",
        description="the folder that a QueuedUri names; the two others are of older pages, and "
        "nothing answers there (§3.5)",
    )
    submission_visible_after: float = Field(
        0.0, description="404 for so many seconds after QUEUED (§9.15)"
    )
    submission_days: int | None = Field(
        90,
        ge=1,
        description="for how many days a submission can be read, after which its id is unknown; "
        "null: for ever (§4, §9.15)",
    )
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
