"""impact.com for Apache Airflow: the connection type, hook, operators and the Dag builder."""

from __future__ import annotations

from typing import Any

PACKAGE = "clawback"
MOUNT = "/returns"
"""Where the Returns page is mounted in Airflow's api-server."""

_SECONDS = {"type": ["number", "null"], "minimum": 1, "maximum": 600}


def _text(label: str, description: str, pattern: str | None = None) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": ["string", "null"]}
    if pattern:
        schema["pattern"] = pattern
    return {"label": label, "description": description, "schema": schema}


def _seconds(label: str, description: str, default: int) -> dict[str, Any]:
    return {
        "label": label,
        "description": description,
        "schema": {**_SECONDS, "default": default},
    }


def _conn_fields() -> dict[str, Any]:
    """The extras of an impact connection, as the Airflow UI shows them (reference §1.1, §1.5)."""
    return {
        "campaign_id": _text(
            "Campaign id",
            "The impact.com program (CampaignId) that actions are listed for; digits only. "
            "A program file may name its own.",
            "^[0-9]*$",
        ),
        "api_version": _text(
            "API version", "The IrVersion to ask for; empty is 14.", "^([0-9]{1,3})?$"
        ),
        "agency_sid": _text(
            "Agency SID",
            "Only for agencies that pass through to a brand: the agency's own SID. Login and "
            "password are then the agency's, and the advertiser id below names the brand.",
        ),
        "advertiser_id": _text(
            "Advertiser id", "Only with an agency SID: the id of the brand.", "^[0-9]*$"
        ),
        "connect_timeout": _seconds(
            "Connect timeout", "Seconds to wait for a connection to impact.com.", 10
        ),
        "read_timeout": _seconds(
            "Read timeout", "Seconds to wait for an answer; full pages take a while.", 120
        ),
    }


def get_provider_info() -> dict[str, Any]:
    """What Airflow reads through the entry point `apache_airflow_provider`."""
    return {
        "package-name": PACKAGE,
        "name": "impact.com",
        "description": "Keeps impact.com commissions true to what customers really kept.",
        "connection-types": [
            {
                "connection-type": "impact",
                "hook-class-name": "impact_provider.hooks.ImpactHook",
                "hook-name": "impact.com",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "port", "extra"],
                    "relabeling": {
                        "host": "API address",
                        "login": "Account SID",
                        "password": "Auth token",
                    },
                    "placeholders": {
                        "host": "https://api.impact.com",
                        "login": "IRxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
                        "password": "Settings > Technical > API in impact.com",
                        "campaign_id": "1000",
                        "api_version": "14",
                    },
                },
                "conn-fields": _conn_fields(),
            }
        ],
    }
