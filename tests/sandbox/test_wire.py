"""The forms of the wire: envelope, XML, paging, text that needs care (reference §1.4, §2.4)."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pytest

WINDOW = {
    "CampaignId": "1000",
    "ActionDateStart": "2026-11-01T00:00:00Z",
    "ActionDateEnd": "2026-11-20T00:00:00+00:00",
}


def xml(desk: Any, path: str, **params: Any) -> ET.Element:
    response = desk.http.get(f"{desk.root}/{path}", params=params)
    assert response.headers["Content-Type"].startswith("text/xml")
    return ET.fromstring(response.content)  # noqa: S314  # our own server's answer


def test_json_envelope(desk_of: Any, make_action: Any) -> None:
    """§2.4: the eleven @ keys, strings all, zero-based, root-relative, empty where none."""
    desk = desk_of([make_action(n) for n in range(4500)])
    page = desk.json("Actions", **WINDOW, PageSize=2000, Page=2)
    uris = {k: v for k, v in page.items() if k.endswith("uri")}
    assert {k: v for k, v in page.items() if k[0] == "@" and k not in uris} == {
        "@page": "2",
        "@numpages": "3",
        "@pagesize": "2000",
        "@total": "4500",
        "@start": "2000",
        "@end": "3999",
    }
    assert all(uri.startswith(f"{desk.root}/Actions?CampaignId=1000&") for uri in uris.values())
    wanted = {"@firstpageuri": 1, "@previouspageuri": 1, "@nextpageuri": 3, "@lastpageuri": 3}
    for key, number in wanted.items():
        assert uris[key].endswith(f"&PageSize=2000&Page={number}")
    last = desk.http.get(uris["@nextpageuri"], headers=desk.json_headers).json()
    assert (last["@nextpageuri"], last["@end"], len(last["Actions"])) == ("", "4499", 500)
    first = desk.http.get(uris["@firstpageuri"], headers=desk.json_headers).json()
    assert first["@previouspageuri"] == ""


def test_xml_is_the_default(desk: Any) -> None:
    """§1.4: root ImpactRadiusResponse, attributes without @, the same rows as in JSON."""
    root = xml(desk, "Actions", **WINDOW)
    assert root.tag == "ImpactRadiusResponse"
    page = desk.json("Actions", **WINDOW)
    [actions] = root
    assert actions.attrib == {k[1:]: v for k, v in page.items() if k[0] == "@"}
    rows = [{field.tag: field.text or "" for field in row} for row in actions]
    assert rows == page["Actions"]


@pytest.mark.parametrize(
    ("path", "element"),
    [
        ("Actions/1000.4636.1", "Action"),
        ("Actions/1000.4636.1/Items/A", "ActionItem"),
    ],
)
def test_xml_of_one(desk: Any, path: str, element: str) -> None:
    """§1.4: a single object stands by its name below the root."""
    [one] = xml(desk, path)
    assert one.tag == element
    assert {field.tag: field.text or "" for field in one} == desk.json(path)


@pytest.mark.parametrize(
    ("path", "key", "element"),
    [
        ("Actions/1000.4636.1/Items", "ActionItems", "ActionItem"),
        ("ActionUpdates", "ActionUpdates", "ActionUpdate"),
        ("APISubmissions", "APISubmissions", "APISubmission"),
        ("Campaigns", "Campaigns", "Campaign"),
    ],
)
def test_xml_lists(desk: Any, path: str, key: str, element: str) -> None:
    """§1.4: each list has its documented name, and an empty one is there too."""
    params = WINDOW if path == "ActionUpdates" else {}
    [rows] = xml(desk, path, **params)
    assert rows.tag == key
    assert {row.tag for row in rows} <= {element}
    assert len(rows) == int(rows.attrib["total"])


def test_xml_of_a_write_and_of_an_error(desk: Any) -> None:
    """§1.4, §3.7: without an Accept header, writes and errors are XML too."""
    form = {"ActionId": "1000.4636.1", "Reason": "ORDER_UPDATE"}
    queued = ET.fromstring(desk.http.put(f"{desk.root}/Actions", data=form).content)  # noqa: S314  # ours
    assert queued.findtext("Status") == "QUEUED"
    error = ET.fromstring(desk.http.get(f"{desk.root}/Actions").content)  # noqa: S314  # ours
    assert error.findtext("Status") == "ERROR"
    assert error.findtext("Errors/Error/Field") == "CampaignId"


def test_text_that_needs_care(desk_of: Any, make_action: Any, make_item: Any) -> None:
    """Names with markup, quotes, accents and control characters survive both formats."""
    name = 'Größe <L> & "XL" \u2028 \u0001 \u0000 end'
    sku = "A/B C?&.json.x"
    items = [make_item(sku, 1, "10.00", "1.00", ItemName=name)]
    desk = desk_of([make_action(1, items, CampaignName=name)])
    assert desk.action()["CampaignName"] == name
    cleaned = name.replace("\u0001", "").replace("\u0000", "")
    [shown] = xml(desk, "Actions/1000.4636.1")
    assert shown.findtext("CampaignName") == cleaned
    [row] = desk.json("Actions/1000.4636.1/Items")["ActionItems"]
    found = desk.http.get(row["Uri"], headers=desk.json_headers)
    assert (found.status_code, found.json()["Sku"]) == (200, sku)
    desk.done(desk.put(Sku=sku, Quantity="0"))


def test_dates_are_local_to_the_account(desk: Any) -> None:
    """§2.2: dates carry the offset of the account's zone on that day."""
    shown = desk.action()
    assert shown["EventDate"] == "2026-11-15T02:00:00-08:00"
    assert shown["LockingDate"] == "2026-12-15T00:00:00-08:00"


def test_the_same_requests_give_the_same_bytes(desk_of: Any) -> None:
    """With the same seed and a clock that stands still, two sandboxes agree byte by byte."""

    def conversation() -> list[tuple[bytes, Any]]:
        desk = desk_of()
        said = [desk.get("Actions", **WINDOW), desk.put(Sku="A", Quantity="1")]
        desk.pass_time(60)
        said += [desk.get("ActionUpdates", **WINDOW), desk.get("APISubmissions"), desk.delete(2)]
        return [(r.content, sorted(r.headers.multi_items())) for r in said]

    assert conversation() == conversation()
