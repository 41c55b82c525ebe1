"""Walks the reference's tables: every endpoint, parameter, rule, field and enum, by section."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from clawback.sandbox import fields as f

WEEK = {"StartDate": "2026-11-13T12:00:00Z", "EndDate": "2026-11-20T12:00:00Z"}
EVENT = {"ActionDateStart": "2026-11-01T00:00:00Z", "ActionDateEnd": "2026-11-20T00:00:00Z"}
LOCKING = {"LockingDateStart": "2026-12-01T00:00:00Z", "LockingDateEnd": "2026-12-31T00:00:00Z"}

# reference-schemas §1: endpoint, its kind of answer.
ENDPOINTS = [
    ("GET", "Actions?CampaignId=1000", "Actions"),
    ("GET", "Actions/1000.4636.1", "Id"),
    ("GET", "Actions/1000.4636.1/Items", "ActionItems"),
    ("GET", "Actions/1000.4636.1/Items/A", "Sku"),
    ("GET", "ActionUpdates?CampaignId=1000", "ActionUpdates"),
    ("GET", "ActionUpdates/1000.4636.1.10000000", "Id"),
    ("GET", "APISubmissions", "APISubmission"),
    ("GET", "Campaigns", "Campaigns"),
    ("GET", "Campaigns/1000", "Id"),
    ("GET", "CompanyInformation", "CompanyName"),
]

# reference-schemas §2 and §3, in the order of the tables.
FIELDS = {
    "Actions/1000.4636.1": """Id CampaignId CampaignName ActionTrackerId ActionTrackerName EventCode
        MediaPartnerId MediaPartnerName State AdId ClientCost Payout DeltaPayout IntendedPayout
        Amount DeltaAmount IntendedAmount Currency ReferringDate EventDate CreationDate LockingDate
        ClearedDate ReferringType ReferringDomain PromoCode Oid CustomerId CustomerStatus
        CustomerPostCode CustomerArea CustomerCity CustomerRegion CustomerCountry IpAddress
        SharedId CallerId Note Uri""",
    "Actions/1000.4636.1/Items/A": """Sku ItemName Category Quantity SaleAmount SaleAmountCurrency
        Payout PayoutCurrency Rebate RebateCurrency AdjustmentDate AdjustmentReason Uri""",
    "ActionUpdates/1000.4636.1.10000000": """Id ActionId CampaignId ActionTrackerId EventTypeId
        EventTypeName EventCode MediaPartnerId State StateDetail StateDetailDescription AdId
        Disposition DeltaPayout DeltaAmount Currency Category Sku Quantity CatalogName
        CatalogCategory CatalogDescription CatalogManufacturer CatalogOriginalFormatCategory
        CatalogSubCategory PayoutLevel DefaultPayoutRate ContractId UpdateDate LockingDate
        ClearingDate ActionDate Oid CustomerId CustomerStatus SharedId ActionUri Uri""",
    "APISubmissions/": """BatchId AccountId SubmissionDate CampaignId ActionTrackerId MediaPartnerId
        EventCode OrderId Payload Type Status CompletionDate ErrorType ErrorReason Uri""",
}

# Section, parameters, field at fault (None: answered 200).
RULES: list[tuple[str, dict[str, str], str | None]] = [
    ("§2.1 CampaignId is required", {**WEEK, "CampaignId": ""}, "CampaignId"),
    ("§2.1 CampaignId is a number", {"CampaignId": "acme"}, "CampaignId"),
    ("§2.1 CampaignId of another account", {"CampaignId": "999"}, "CampaignId"),
    ("§2.1 State PENDING", {"State": "PENDING"}, None),
    ("§2.1 State APPROVED", {"State": "APPROVED"}, None),
    ("§2.1 State REVERSED", {"State": "REVERSED"}, None),
    ("§2.5 no other state", {"State": "LOCKED"}, "State"),
    ("§2.1 StartDate and EndDate", WEEK, None),
    ("§2.3-4 StartDate needs EndDate", {"StartDate": WEEK["StartDate"]}, "StartDate"),
    ("§2.1 EndDate needs StartDate", {"EndDate": WEEK["EndDate"]}, "EndDate"),
    ("§2.1 ActionDateStart alone", {"ActionDateStart": EVENT["ActionDateStart"]}, None),
    ("§2.1 ActionDateEnd needs start", {"ActionDateEnd": EVENT["ActionDateEnd"]}, "ActionDateEnd"),
    ("§2.1 LockingDateStart alone", {"LockingDateStart": LOCKING["LockingDateStart"]}, None),
    (
        "§2.1 LockingDateEnd needs start",
        {"LockingDateEnd": "2026-12-31T00:00:00Z"},
        "LockingDateEnd",
    ),
    ("§2.1 both locking dates", LOCKING, None),
    ("§2.3-3 no date at all", {}, None),
    (
        "§2.3-2 45 days",
        {"StartDate": "2026-10-06T00:00:00Z", "EndDate": "2026-11-20T00:00:00Z"},
        None,
    ),
    (
        "§2.3-2 more than 45 days",
        {"StartDate": "2026-10-06T00:00:00Z", "EndDate": "2026-11-20T00:00:01Z"},
        "StartDate",
    ),
    (
        "§2.3-1 more than 3 years back",
        {"StartDate": "2023-11-01T00:00:00Z", "EndDate": "2023-11-20T00:00:00Z"},
        "StartDate",
    ),
    (
        "§2.3-1 less than 3 years back",
        {"StartDate": "2023-12-01T00:00:00Z", "EndDate": "2023-12-20T00:00:00Z"},
        None,
    ),
    ("§2.2 a date without time", {**WEEK, "EndDate": "2026-11-20"}, "EndDate"),
    ("§2.2 an American date", {**WEEK, "StartDate": "11/13/2026"}, "StartDate"),
    ("§2.2 a + that was not encoded", {**WEEK, "EndDate": "2026-11-20T12:00:00 02:00"}, "EndDate"),
    ("§2.2 an offset", {**WEEK, "EndDate": "2026-11-20T12:00:00+02:00"}, None),
    ("§2.2 no such day", {**WEEK, "EndDate": "2026-11-31T12:00:00Z"}, "EndDate"),
    ("§2.3 the end before the start", {**WEEK, "EndDate": "2026-11-10T12:00:00Z"}, "EndDate"),
    ("§2.3-6 PageSize 2,000", {"PageSize": "2000"}, None),
    ("§2.3-6 PageSize under 2,000", {"PageSize": "1999"}, "PageSize"),
    ("§2.1 PageSize is a number", {"PageSize": "all"}, "PageSize"),
    ("§2.1 Page starts at 1", {"Page": "0"}, "Page"),
    ("§2.1 Page past the end is empty", {"Page": "9"}, None),
    ("§1.5 IrVersion", {"IrVersion": "14"}, None),
    ("§1.5 no such version", {"IrVersion": "99"}, "IrVersion"),
]


@pytest.fixture(name="reader", scope="module")
def _reader(tmp_path_factory: Any, world_at: Any, make_action: Any) -> Any:
    """One sandbox for everything that only reads: four actions and two submissions."""
    from clawback.sandbox.server import SandboxServer
    from clawback.sandbox.settings import Settings

    world = [
        make_action(1),
        make_action(2, EventDate="2026-10-25T10:00:00Z", CreationDate="2026-11-14T10:00:00Z"),
        make_action(3, State="REVERSED", CreationDate="2026-11-16T10:00:00Z"),
        make_action(4, CreationDate="2026-10-28T10:00:00Z", LockingDate="2026-11-18T10:00:00Z"),
    ]
    path = world_at(tmp_path_factory.mktemp("world") / "w.jsonl", world)
    from datetime import UTC, datetime

    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    with SandboxServer(Settings(world=path, port=0, now=now, speed=0, queue_latency=0)) as server:
        auth = (server.account_sid, server.auth_token)
        base = f"{server.base_url}/Advertisers/{server.account_sid}/"
        with httpx.Client(base_url=base, auth=auth, headers={"Accept": "application/json"}) as http:
            yield http


@pytest.mark.parametrize(("method", "path", "key"), ENDPOINTS)
@pytest.mark.parametrize("suffix", ["", ".json"])
def test_schemas_1_endpoints(reader: Any, method: str, path: str, key: str, suffix: str) -> None:
    """Schemas §1, §1.4: every endpoint is there, with and without the .json suffix."""
    resource, _, query = path.partition("?")
    accept = {"Accept": "*/*"} if suffix else {}
    response = reader.request(method, f"{resource}{suffix}?{query}", headers=accept)
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"].startswith("application/json")
    assert key in response.json()


@pytest.mark.parametrize("path", FIELDS)
def test_schemas_2_3_fields(reader: Any, path: str) -> None:
    """Schemas §2, §3: every documented field, no other, and every scalar is a string."""
    if path == "APISubmissions/":
        form = {"ActionId": "1000.4636.99", "Reason": "ORDER_UPDATE"}
        path += reader.put("Actions", data=form).json()["QueuedUri"].rsplit("/", 1)[-1]
        shown = reader.get(path).json()
        assert list(shown) == FIELDS["APISubmissions/"].split()
    else:
        shown = reader.get(path).json()
        assert list(shown) == FIELDS[path].split()
    assert {type(value) for value in shown.values()} == {str}


@pytest.mark.parametrize(("rule", "params", "at_fault"), RULES, ids=[rule[0] for rule in RULES])
@pytest.mark.parametrize("resource", ["Actions", "ActionUpdates"])
def test_2_parameters_and_rules(
    reader: Any, resource: str, rule: str, params: dict[str, str], at_fault: str | None
) -> None:
    """§2.1-2.3: each parameter is read, and each rule that is broken is named."""
    response = reader.get(resource, params={"CampaignId": "1000", **params})
    if at_fault is None:
        assert response.status_code == 200, rule
    else:
        assert response.status_code == 400, rule
        assert response.json()["Errors"][0]["Field"] == at_fault


@pytest.mark.parametrize(
    ("section", "params", "numbers"),
    [
        ("§2.3-3 the last 7 days", {}, [3, 1, 2]),
        ("§2.1 StartDate is the last update", WEEK, [3, 1, 2]),
        ("§2.1 on or after", {**WEEK, "StartDate": "2026-11-15T10:05:00Z"}, [3, 1]),
        ("§2.1 on or before", {**WEEK, "EndDate": "2026-11-15T10:05:00Z"}, [1, 2]),
        ("§2.1 ActionDate is EventDate", EVENT, [3, 1, 4]),
        ("§2.1 LockingDate", LOCKING, [3, 1, 2]),
        ("§2.1 two pairs at once", {**EVENT, **LOCKING}, [3, 1]),
        ("§2.1 State", {**EVENT, "State": "PENDING"}, [1]),
        ("§8 locked is APPROVED", {**EVENT, "State": "APPROVED"}, [4]),
        ("§2.5 REVERSED", {**EVENT, "State": "REVERSED"}, [3]),
        ("§2.1 no order filter", {**EVENT, "Oid": "ORDER-1", "ActionId": "x"}, [3, 1, 4]),
    ],
)
def test_2_windows_filter_their_own_field(
    reader: Any, section: str, params: dict[str, str], numbers: list[int]
) -> None:
    """§2.1, §2.4: each pair filters its field; newest CreationDate first."""
    rows = reader.get("Actions", params={"CampaignId": "1000", **params}).json()["Actions"]
    assert [int(row["Id"].rsplit(".", 1)[-1]) for row in rows] == numbers, section


@pytest.mark.parametrize("code", sorted(f.REASONS))
def test_3_1_every_reason(desk: Any, code: str) -> None:
    """§3.1: PUT takes every documented Reason and shows it as the disposition."""
    desk.done(desk.put(Sku="A", Quantity="1", Reason=code))
    if code != "RESET":
        assert desk.updates()[0]["Disposition"] == code
        assert desk.items()["A"]["AdjustmentReason"] == code


@pytest.mark.parametrize("code", sorted(f.REJECTING_CODES))
def test_3_2_every_rejecting_code(desk: Any, code: str) -> None:
    """§3.2: DELETE takes every documented DispositionCode."""
    desk.done(desk.delete(DispositionCode=code))
    assert {row["Disposition"] for row in desk.updates()} == {code}


@pytest.mark.parametrize("code", ["ORDER_UPDATE", "PARTNER_NOT_ACTIVE", "MP_RETURN", "rejected"])
def test_3_2_codes_that_do_not_reject(desk: Any, code: str) -> None:
    """§3.2, §3.4: codes of the other verb, of another list or in other case are refused."""
    assert desk.refused(desk.delete(DispositionCode=code)) == "DISPOSITION_CODE_NOT_FOUND"


def test_3_3_approved_needs_a_code(desk: Any) -> None:
    """§3.3: APPROVED is no Reason unless an approving code is configured."""
    assert desk.refused(desk.put(Reason="APPROVED")) == "DISPOSITION_CODE_NOT_FOUND"


@pytest.mark.parametrize(("verb", "kind"), [("put", "Modification"), ("delete", "Reversal")])
def test_4_submission_life(desk: Any, verb: str, kind: str) -> None:
    """§4: Queued, In Progress, Complete; the payload is what was submitted."""
    uri = getattr(desk, verb)().json()["QueuedUri"]
    path = uri.removeprefix(desk.root + "/")
    seen = []
    for _ in range(3):
        seen.append(desk.json(path)["Status"])
        desk.pass_time(2.5)
    shown = desk.json(path)
    assert seen == ["Queued", "In Progress", "Complete"]
    assert (shown["Type"], shown["OrderId"], shown["Uri"]) == (kind, "ORDER-1", uri)
    assert shown["Payload"].startswith("ActionId=1000.4636.1&")
    assert shown["CompletionDate"] == "2026-11-20T04:00:05-08:00"


def test_4_kept_ninety_days(desk: Any) -> None:
    """§4: a submission can be read for 90 days."""
    path = desk.put().json()["QueuedUri"].removeprefix(desk.root + "/")
    desk.pass_time(90 * 86400)
    assert desk.get(path).status_code == 200
    desk.pass_time(1)
    assert desk.get(path).status_code == 404
    assert desk.json("APISubmissions")["APISubmission"] == []


def test_2_3_more_than_ten_pages(desk_of: Any, make_action: Any) -> None:
    """§2.3-7: a total of more than ten pages is an error; a larger page is the way out."""
    desk = desk_of([make_action(n) for n in range(20_001)])
    few = desk.get("Actions", CampaignId="1000", **EVENT, PageSize=2000)
    assert (few.status_code, few.json()["Errors"][0]["Field"]) == (400, "PageSize")
    assert desk.get("Actions", CampaignId="1000", **EVENT, PageSize=2001).status_code == 200


def test_1_5_version_11_shows_less(desk: Any) -> None:
    """Schemas §8: under version 11 the models are shorter."""
    headers = {"Accept": "application/json", "IR-Version": "11"}
    shown = desk.http.get(f"{desk.root}/Actions/1000.4636.1", headers=headers).json()
    assert "Amount" in shown
    assert not {"EventCode", "ClientCost", "DeltaAmount", "IntendedPayout"} & set(shown)
    update = desk.listed("ActionUpdates", CampaignId="1000", IrVersion="11")[0]
    names = ["Id", "ActionId", "State", "DeltaPayout", "DeltaAmount", "UpdateDate", "Uri"]
    assert sorted(update) == sorted(names)


@pytest.mark.parametrize(
    ("auth", "status"),
    [
        (None, 401),
        (("someone", "else"), 401),
        (("{sid}", "wrong"), 401),
        (("{sid}", "{token}"), 200),
    ],
)
def test_1_2_credentials(desk: Any, auth: Any, status: int) -> None:
    """§1.2: HTTP Basic with AccountSID and AuthToken; anything else is 401."""
    names = {"{sid}": desk.server.account_sid, "{token}": desk.server.auth_token}
    given = auth and tuple(names.get(part, part) for part in auth)
    response = httpx.get(f"{desk.server.base_url}{desk.root}/Campaigns", auth=given)
    assert response.status_code == status
    assert ("WWW-Authenticate" in response.headers) is (status == 401)


def test_1_2_another_account_is_403(desk: Any) -> None:
    """§1.2: good credentials do not open another account."""
    assert desk.http.get(f"/Advertisers/IR{'x' * 32}/Campaigns").status_code == 403


@pytest.mark.parametrize("user", ["account_sid", "agency_sid"])
def test_1_1_agency_prefix(desk: Any, user: str) -> None:
    """§1.1: every endpoint is reached through the agency, and its URIs stay there."""
    server = desk.server
    root = f"/Agencies/{server.agency_sid}/Advertisers/{server.account_sid}"
    auth = (getattr(server, user), server.auth_token)
    window = {"CampaignId": "1000", **EVENT}
    page = desk.http.get(f"{root}/Actions.json", params=window, auth=auth).json()
    assert page["@uri"].startswith(root)
    shown = desk.http.get(page["Actions"][0]["Uri"], auth=auth)
    assert (shown.status_code, "<Action>" in shown.text) == (200, True)
    assert desk.http.get(f"/Agencies/IRother/{root[10:]}/Campaigns", auth=auth).status_code != 200


@pytest.mark.parametrize("verb", ["PUT", "DELETE"])
def test_1_3_method_override(desk: Any, verb: str) -> None:
    """§1.3: POST with _method stands for PUT and DELETE."""
    form = {"ActionId": "1000.4636.1", "Sku": "A", "Quantity": "1"}
    form |= {"Reason": "ORDER_UPDATE", "DispositionCode": "ORDER_UPDATE"}
    form |= {"DispositionCode": "REJECTED"} if verb == "DELETE" else {}
    url = f"{desk.root}/Actions?_method={verb}"
    response = desk.http.post(url, data=form, headers={"Accept": "application/json"})
    desk.done(response)
    assert desk.action()["Amount"] == ("80.00" if verb == "PUT" else "0.00")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "Nothing", 404),
        ("GET", "Actions/1000.4636.9", 404),
        ("GET", "Actions/1000.4636.1/Items/NONE", 404),
        ("GET", "Actions/1000.4636.1/Other", 404),
        ("GET", "ActionUpdates/1000.4636.1.1", 404),
        ("GET", "APISubmissions/A-none", 404),
        ("GET", "Campaigns/7", 404),
        ("POST", "Actions", 405),
        ("PATCH", "Actions", 405),
        ("PUT", "Actions/1000.4636.1", 405),
        ("DELETE", "Actions/1000.4636.1/Items/A", 405),
        ("PUT", "Campaigns", 405),
    ],
)
def test_3_7_status_codes(reader: Any, method: str, path: str, status: int) -> None:
    """§3.7, §3.1: 404 for what is not there, 405 for a verb a resource does not have."""
    assert reader.request(method, path).status_code == status


def test_3_5_queued_answer(desk: Any) -> None:
    """§3.5: a write is answered Status and QueuedUri, and nothing else."""
    body = desk.put(Sku="A", Quantity="1").json()
    assert list(body) == ["Status", "QueuedUri"]
    assert body["QueuedUri"].startswith(f"{desk.root}/APISubmissions/A-")
