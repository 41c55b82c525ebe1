"""Programs and the company: nested objects under the names that impact.com's documents give."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pytest

from clawback.sandbox import papers

# Brand API v14, Programs and Account Information, in the order of the documents.
PROGRAM = """Id Name State Type Categories ShortDescription LongDescription ListInMarketplace
    DisplayServicingAgency Rating SearchKeywords ShippingRegions Resources CompanyContacts
    GiftCardPayouts TrademarkBidding ThirdPartyImpressionPixel MobileReadyAds DisplayFutureAds
    PromoCodeTracking TrackingDomain SiteDefinition ImpressionTracking ViewThroughCrediting
    IdentityMatching HasStandDownPolicy GatewayTrackingSettings DirectTrackingSettings Uri"""
COMPANY = """CompanyName Industry Website PrimaryPhoneNumber PrimaryPhoneNumberCountry
    SecondaryPhoneNumber SecondaryPhoneNumberCountry MinimumContactRating Timezone Currency
    RegisteredForIndirectTax IndirectTaxNumber OrganizationType EinSsnForeignTaxId
    CorporateAddress BillingAddress FinancialContact TechnicalContact CommercialContact
    SecurityContact Uri"""
PARTS = {
    "Categories": "PrimaryCategory PrimarySubCategories AdditionalCategory AdditionalSubCategories",
    "Resources": "CompanyHomepage ExampleLandingPage InformationPage AdditionalRelatedLinks",
    "GatewayTrackingSettings": """DefaultLandingPage MediaPartnerTrackingTemplate
        CampaignTrackingTemplate SSLSupport DeepLinking DeepLinkDomains ThirdPartyGatewayUrl
        ThirdPartyGatewayQueryStringParameters UniqueClickWindowLength UniqueClickWindowType""",
    "DirectTrackingSettings": "UnidentifiedName SessionWindowLength",
    "Industry": "IndustryId IndustryName",
    "CorporateAddress": "AddressLine1 AddressLine2 City State PostalCode Country",
    "SecurityContact": """UserId Name Email WorkPhoneNumber WorkPhoneNumberCountry CellPhoneNumber
        CellPhoneNumberCountry""",
}


def scalars(value: Any) -> set[type]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return set().union(*(scalars(one) for one in value)) if value else set()
    return {type(value)}


@pytest.mark.parametrize(
    ("path", "names"), [("Campaigns/1000", PROGRAM), ("CompanyInformation", COMPANY)]
)
def test_names(desk: Any, path: str, names: str) -> None:
    """Every documented name is there, nested ones too, and no other; every scalar is a string."""
    shown = desk.json(path)
    assert list(shown) == names.split()
    for part in PARTS.keys() & shown.keys():
        assert list(shown[part]) == PARTS[part].split()
    assert scalars(shown) == {str}


def test_the_list_shows_the_same(desk: Any) -> None:
    """§2.4: a list of programs has the envelope of every list, and whole programs in it."""
    page = desk.json("Campaigns")
    assert page["Campaigns"] == [desk.json("Campaigns/1000")]
    assert (page["@total"], page["@numpages"], page["@pagesize"]) == ("1", "1", "1000")


def test_what_is_known(desk: Any) -> None:
    """A program is active and carries its name; the company its zone in words and its currency."""
    program, company = desk.json("Campaigns/1000"), desk.json("CompanyInformation")
    assert [program[name] for name in ("Id", "Name", "State", "Type")] == [
        "1000",
        "Acme",
        "ACTIVE",
        "Performance",
    ]
    assert company["Timezone"] == "(GMT -08:00) Pacific Time (US & Canada); Tijuana"
    assert (company["Currency"], company["Uri"]) == ("USD", f"{desk.root}/CompanyInformation")


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ("America/Chicago", "(GMT -06:00) Central Time (US & Canada)"),
        ("Europe/Berlin", "(GMT +01:00) Europe/Berlin"),
        ("Asia/Kolkata", "(GMT +05:30) Asia/Kolkata"),
        ("America/St_Johns", "(GMT -03:30) America/St_Johns"),
    ],
)
@pytest.mark.parametrize("now", [1_784_000_000, 1_768_000_000])
def test_timezone_in_words(zone: str, words: str, now: float) -> None:
    """A time zone is written with its offset in winter, in summer too."""
    assert papers.timezone(zone, now) == words


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({}, ["900", "1000", "10000"]),
        ({"Name": "Acme"}, ["1000"]),
        ({"State": "ACTIVE"}, ["900", "1000", "10000"]),
        ({"State": "CLOSED"}, []),
        ({"Name": "Acme", "State": "CLOSED"}, []),
        ({"Page": "2", "PageSize": "2"}, ["10000"]),
    ],
)
def test_programs_by_name_and_state(
    desk_of: Any, make_action: Any, params: dict[str, str], found: list[str]
) -> None:
    """Programs are sorted by number and filtered by Name and State, as the documents have it."""
    more = [("10000", "Tenth"), ("900", "Ninth")]
    world = [
        make_action(n, CampaignId=id_, CampaignName=name) for n, (id_, name) in enumerate(more)
    ]
    desk = desk_of([*world, make_action(9)])
    assert [row["Id"] for row in desk.json("Campaigns", **params)["Campaigns"]] == found


def test_no_such_program_state(desk: Any) -> None:
    """A State that programs do not have is refused."""
    assert desk.get("Campaigns", State="PENDING").json()["Errors"][0]["Field"] == "State"


def test_type_is_of_version_14(desk: Any) -> None:
    """§1.5: version 14 added a program's Type, and nothing else."""
    names = PROGRAM.split()
    assert list(desk.json("Campaigns/1000", IrVersion="14")) == names
    names.remove("Type")
    assert list(desk.json("Campaigns/1000", IrVersion="13")) == names


def test_scalars_as_typed(desk_of: Any) -> None:
    """§9.1: under scalars=numbers ids are integers and flags booleans, in nested objects too."""
    program = desk_of(profile={"scalars": "numbers", "absent": "null"}).json("Campaigns/1000")
    assert (program["Id"], program["ListInMarketplace"]) == (1000, False)
    assert program["GatewayTrackingSettings"]["SSLSupport"] is False
    assert program["DirectTrackingSettings"] == {
        "UnidentifiedName": None,
        "SessionWindowLength": None,
    }


def test_absent_parts(desk_of: Any) -> None:
    """§9.1: under absent=missing an empty value has no name, in nested objects too."""
    company = desk_of(profile={"absent": "missing"}).json("CompanyInformation")
    assert company["BillingAddress"] == {}
    assert "Website" not in company


def test_xml_nests_alike(desk: Any) -> None:
    """§1.4: XML has the same names, one element inside the other; list members in the singular."""
    root = ET.fromstring(desk.http.get(f"{desk.root}/Campaigns/1000").content)  # noqa: S314  # ours
    assert [part.tag for part in root[0]] == PROGRAM.split()
    assert root.findtext("Campaign/GatewayTrackingSettings/SSLSupport") == "false"
    company = ET.fromstring(desk.http.get(f"{desk.root}/CompanyInformation").content)  # noqa: S314  # ours
    assert [part.tag for part in company.findall("CompanyInformation/*")] == COMPANY.split()
    from clawback.sandbox.profile import Profile
    from clawback.sandbox.wire import Wire

    tree = papers.program("1", "A&B", "/x") | {
        "ShippingRegions": ["UNITEDSTATES", "CANADA"],
        "Categories": dict.fromkeys(PARTS["Categories"].split(), "")
        | {"PrimarySubCategories": ["Shoes"], "AdditionalSubCategories": []},
    }
    said = ET.fromstring(Wire("xml", Profile()).paper(papers.PROGRAM, tree))  # noqa: S314  # ours
    regions = said.findall("Campaign/ShippingRegions/ShippingRegion")
    assert [region.text for region in regions] == ["UNITEDSTATES", "CANADA"]
    assert said.findtext("Campaign/Categories/PrimarySubCategories/PrimarySubCategory") == "Shoes"
    assert said.findtext("Campaign/Name") == "A&B"
