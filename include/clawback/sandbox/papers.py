"""The account's own papers: its company and its programs, as version 14 of the Brand API has them.

The reference names these two resources without their fields. The names and types here are facts of
impact.com's own documents of version 14 (Account Information, Programs); the public Singer tap
reads the same names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

Kind = Literal["string", "integer", "boolean"]
Shape: TypeAlias = "Kind | dict[str, Shape] | list[Shape]"
"""What a value is: one of three scalars, an object by its names, or a list of one thing."""
Tree: TypeAlias = "str | dict[str, Tree] | list[Tree]"
"""A value of some shape; scalars are texts of the wire."""

_TYPED_FROM = 14
STATES = (
    "ACTIVE",
    "AWAITING_REVIEW",
    "CANCELLED",
    "CLOSED",
    "DEACTIVATED",
    "DELINQUENT",
    "REJECTED",
    "SETUP",
    "SETUP_COMPLETE",
)


@dataclass(frozen=True, slots=True)
class Paper:
    """One kind of nested object: its list's key, its name in XML, and its shape."""

    key: str
    element: str
    shape: dict[str, Shape]


def _texts(*names: str) -> dict[str, Shape]:
    return dict.fromkeys(names, "string")


_ADDRESS: Shape = _texts("AddressLine1", "AddressLine2", "City", "State", "PostalCode", "Country")
_CONTACT: Shape = _texts(
    "UserId",
    "Name",
    "Email",
    "WorkPhoneNumber",
    "WorkPhoneNumberCountry",
    "CellPhoneNumber",
    "CellPhoneNumberCountry",
)
COMPANY = Paper(
    "CompanyInformation",
    "CompanyInformation",
    {
        "CompanyName": "string",
        "Industry": _texts("IndustryId", "IndustryName"),
        **_texts(
            "Website",
            "PrimaryPhoneNumber",
            "PrimaryPhoneNumberCountry",
            "SecondaryPhoneNumber",
            "SecondaryPhoneNumberCountry",
            "MinimumContactRating",
            "Timezone",
            "Currency",
            "RegisteredForIndirectTax",
            "IndirectTaxNumber",
            "OrganizationType",
            "EinSsnForeignTaxId",
        ),
        "CorporateAddress": _ADDRESS,
        "BillingAddress": _ADDRESS,
        "FinancialContact": _CONTACT,
        "TechnicalContact": _CONTACT,
        "CommercialContact": _CONTACT,
        "SecurityContact": _CONTACT,
        "Uri": "string",
    },
)
PROGRAM = Paper(
    "Campaigns",
    "Campaign",
    {
        "Id": "integer",
        **_texts("Name", "State", "Type"),
        "Categories": {
            "PrimaryCategory": "string",
            "PrimarySubCategories": ["string"],
            "AdditionalCategory": "string",
            "AdditionalSubCategories": ["string"],
        },
        **_texts("ShortDescription", "LongDescription"),
        "ListInMarketplace": "boolean",
        "DisplayServicingAgency": "boolean",
        "Rating": "integer",
        "SearchKeywords": "string",
        "ShippingRegions": ["string"],
        "Resources": {
            **_texts("CompanyHomepage", "ExampleLandingPage", "InformationPage"),
            "AdditionalRelatedLinks": [_texts("LinkType", "LinkDisplayName", "LinkUrl")],
        },
        "CompanyContacts": [_texts("FirstName", "LastName", "EmailAddress", "PhoneNumber")],
        "GiftCardPayouts": "boolean",
        "TrademarkBidding": "boolean",
        "ThirdPartyImpressionPixel": "string",
        "MobileReadyAds": "boolean",
        "DisplayFutureAds": "boolean",
        "PromoCodeTracking": "boolean",
        **_texts("TrackingDomain", "SiteDefinition"),
        "ImpressionTracking": "boolean",
        "ViewThroughCrediting": "boolean",
        "IdentityMatching": "string",
        "HasStandDownPolicy": "boolean",
        "GatewayTrackingSettings": {
            **_texts(
                "DefaultLandingPage", "MediaPartnerTrackingTemplate", "CampaignTrackingTemplate"
            ),
            "SSLSupport": "boolean",
            "DeepLinking": "boolean",
            **_texts(
                "DeepLinkDomains",
                "ThirdPartyGatewayUrl",
                "ThirdPartyGatewayQueryStringParameters",
                "UniqueClickWindowLength",
                "UniqueClickWindowType",
            ),
        },
        "DirectTrackingSettings": {"UnidentifiedName": "string", "SessionWindowLength": "integer"},
        "Uri": "string",
    },
)
# How impact.com names the zones that its documents show; others go by their own name.
_ZONES = {
    "America/Los_Angeles": "Pacific Time (US & Canada); Tijuana",
    "America/Chicago": "Central Time (US & Canada)",
}


def of_version(paper: Paper, version: int) -> Paper:
    """A program has a Type from version 14 on (reference §1.5)."""
    if paper is not PROGRAM or version >= _TYPED_FROM:
        return paper
    shape = {name: kind for name, kind in paper.shape.items() if name != "Type"}
    return Paper(paper.key, paper.element, shape)


def program(number: str, name: str, uri: str) -> dict[str, Tree]:
    """An active program about which nothing but its number and name is known."""
    known = {
        "Id": number,
        "Name": name,
        "State": "ACTIVE",
        "Type": "Performance",
        "IdentityMatching": "NONE",
        "Uri": uri,
    }
    return _blank(PROGRAM.shape) | known


def company(zone: str, currency: str, now: float, uri: str) -> dict[str, Tree]:
    """The account's owner, who has given away little but time zone and currency."""
    known = {
        "CompanyName": "Sandbox Brand",
        "MinimumContactRating": "1",
        "Timezone": timezone(zone, now),
        "Currency": currency,
        "RegisteredForIndirectTax": "false",
        "OrganizationType": "OTHER",
        "Uri": uri,
    }
    return _blank(COMPANY.shape) | known


def timezone(zone: str, now: float) -> str:
    """A zone as impact.com writes it: a name for people behind its offset in winter."""
    local = datetime.fromtimestamp(now, UTC).astimezone(ZoneInfo(zone))
    ahead = (local.utcoffset() or timedelta()) - (local.dst() or timedelta())
    minutes = int(ahead.total_seconds()) // 60
    sign = "-" if minutes < 0 else "+"
    hours, rest = divmod(abs(minutes), 60)
    return f"(GMT {sign}{hours:02}:{rest:02}) {_ZONES.get(zone, zone)}"


def _blank(shape: Mapping[str, Shape]) -> dict[str, Tree]:
    return {name: _nothing(kind) for name, kind in shape.items()}


def _nothing(kind: Shape) -> Tree:
    if isinstance(kind, dict):
        return _blank(kind)
    if isinstance(kind, list):
        return []
    return "false" if kind == "boolean" else ""
