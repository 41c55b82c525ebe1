"""Listing: every page once, on one host, whole or not at all."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawback.impact.account import Account
from clawback.impact.budget import RequestKind
from clawback.impact.errors import ImpactError, ListingMoved, MalformedAnswer, Unavailable
from clawback.impact.judge import Answer
from clawback.impact.models import Campaign
from clawback.impact.paging import Listing
from clawback.impact.respond import Call
from clawback.impact.rows import CAMPAIGNS

ACCOUNT = Account("https://api.impact.com", "IR1", "t", "1")
FIRST = Call(RequestKind.OTHER, "GET", "/Advertisers/IR1/Campaigns", "A=1")


def listing(account: Account = ACCOUNT, unique: str | None = "id") -> Listing[Campaign]:
    return Listing(account, FIRST, CAMPAIGNS, key="Campaigns", unique=unique)


def rows(*ids: object) -> list[dict[str, object]]:
    return [{"Id": i} for i in ids]


def envelope(**values: Any) -> dict[str, Any]:
    return {f"@{name}": value for name, value in values.items()}


def take(pages: Listing[Campaign], body: dict[str, Any]) -> list[str]:
    return [row.id for row in pages.take(Answer(body)).rows]


def test_pages_are_followed_to_the_last() -> None:
    """The next URI of the envelope is asked for until the last page, rows in order."""
    pages = listing()
    uri = "/Advertisers/IR1/Campaigns?A=1&Page=2&StartDate=2026-01-01T00%3A00%3A00%2B02%3A00"
    body = {**envelope(page="1", numpages="2", total="3", nextpageuri=uri), "Campaigns": rows(1, 2)}
    assert take(pages, body) == ["1", "2"]
    assert pages.call is not None
    assert f"{pages.call.path}?{pages.call.query}" == uri
    assert pages.call.at_root
    assert take(pages, {**envelope(page="2", numpages="2", nextpageuri=""), "Campaigns": rows(3)})
    assert pages.call is None


@pytest.mark.parametrize(
    "end",
    [
        {},
        envelope(nextpageuri=None),
        envelope(page="1", numpages="1", nextpageuri="/Advertisers/IR1/Campaigns?Page=2"),
        envelope(page=1, numpages=1),
        envelope(page="1", numpages="0", total="0"),
    ],
)
def test_a_listing_ends_at_each_documented_sign(end: dict[str, Any]) -> None:
    """No next URI, or the last page by number, whatever else it says (reference §2.4)."""
    pages = listing()
    take(pages, {**end, "Campaigns": rows(1)})
    assert pages.call is None


def test_a_missing_next_uri_before_the_last_page_is_made_up_for() -> None:
    """A listing that says 1 of 3 and names no next page is not taken for whole."""
    pages = listing(Account("https://proxy/impact/", "IR1", "t", "1"))
    take(pages, {**envelope(page="1", numpages="3"), "Campaigns": rows(1)})
    assert pages.call is not None
    assert (pages.call.path, pages.call.query) == (
        "/impact/Advertisers/IR1/Campaigns",
        "A=1&Page=2",
    )


@pytest.mark.parametrize(
    "body",
    [
        envelope(page="1", numpages="1", total="0"),
        envelope(total=0),
        {**envelope(page="1"), "Campaigns": None},
        {**envelope(page="1"), "Campaigns": ""},
        {**envelope(page="1"), "Campaigns": {}},
        {**envelope(page="1"), "Campaigns": []},
        {"Campaigns": []},
    ],
)
def test_an_empty_listing_is_known_in_each_of_its_shapes(body: dict[str, Any]) -> None:
    """An empty list, or a missing one beside its envelope (reference §9.1)."""
    pages = listing()
    assert take(pages, body) == []
    assert pages.call is None


@pytest.mark.parametrize(
    ("body", "flaw"),
    [
        ({}, "neither Campaigns nor a paging envelope"),
        ({"Status": "OK"}, "neither Campaigns nor a paging envelope"),
        ({"Actions": []}, "neither Campaigns nor a paging envelope"),
        (envelope(total="5"), "counts 5 rows"),
        ({**envelope(total="5"), "Campaigns": []}, "counts 5 rows"),
        ({"Campaigns": "lots"}, "is a str and no list"),
        ({"Campaigns": 7}, "is a int and no list"),
        ({**envelope(page="one"), "Campaigns": []}, "its @page is no amount"),
        ({**envelope(numpages="1.5"), "Campaigns": []}, "its @numpages is no whole number"),
        ({**envelope(nextpageuri=["x"]), "Campaigns": []}, "its @nextpageuri is no text"),
    ],
)
def test_what_is_no_page_is_never_read_as_an_empty_one(body: dict[str, Any], flaw: str) -> None:
    """A mapping that shows neither rows nor an envelope is an error, not zero rows."""
    with pytest.raises(MalformedAnswer) as caught:
        listing().take(Answer(body))
    assert flaw in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        {"Campaigns": {"Id": 1}},
        {"Campaigns": {"Campaign": {"Id": 1}}},
        {"Campaigns": {"Campaign": [{"Id": 1}]}},
    ],
)
def test_a_lone_object_is_a_list_of_one(body: dict[str, Any]) -> None:
    """A single row may come bare (reference §2.4)."""
    assert take(listing(), body) == ["1"]


def test_a_row_that_shifts_to_the_next_page_comes_once() -> None:
    """Inserts during paging repeat rows; each Id is given once (reference §2.4)."""
    pages = listing()
    uri = "/Advertisers/IR1/Campaigns?Page=2"
    first = {**envelope(page=1, numpages=2, total=4, nextpageuri=uri), "Campaigns": rows(4, 3)}
    assert take(pages, first) == ["4", "3"]
    assert take(pages, {**envelope(page=2, numpages=2, total=5), "Campaigns": rows(3, 2, 1)}) == [
        "2",
        "1",
    ]
    assert take(listing(unique=None), {"Campaigns": rows(1, 1)}) == ["1", "1"]


def test_a_listing_that_lost_rows_while_it_was_read_is_not_whole() -> None:
    """Rows that leave a listing shift others past the page border; that is an error to retry."""
    pages = listing()
    uri = "/Advertisers/IR1/Campaigns?Page=2"
    take(pages, {**envelope(page=1, numpages=2, total=4, nextpageuri=uri), "Campaigns": rows(4, 3)})
    with pytest.raises(ListingMoved, match="list it again") as caught:
        take(pages, {**envelope(page=2, numpages=2, total=3), "Campaigns": rows(1)})
    assert isinstance(caught.value, Unavailable)


def test_rows_that_cannot_be_read_count_as_received() -> None:
    """A bad row is named on its page and does not make the listing incomplete."""
    page = listing().take(Answer({**envelope(total=2), "Campaigns": [{"Id": 1}, {"Name": "x"}]}))
    assert ([row.id for row in page.rows], len(page.bad)) == (["1"], 1)


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/Advertisers/IR1/Campaigns?Page=2",
        "//evil.example/Page=2",
        "http://api.impact.com/Advertisers/IR1/Campaigns?Page=2",
        "https://api.impact.com:8443/x",
        "https://api.impact.com@evil.example/x",
        "https://evil@api.impact.com/x",
        "http://[::1",
        "file:///etc/passwd",
    ],
)
def test_the_credentials_never_follow_to_another_place(uri: str) -> None:
    """Only scheme, host and port of the connection are asked for a next page."""
    with pytest.raises(MalformedAnswer):
        listing().take(Answer({**envelope(nextpageuri=uri), "Campaigns": rows(1)}))


def test_an_absolute_uri_of_the_same_host_is_followed() -> None:
    """The host's own name in other spellings is still the host."""
    pages = listing()
    take(pages, {**envelope(nextpageuri="https://API.impact.com:443/x?Page=2"), "Campaigns": []})
    assert pages.call is not None
    assert (pages.call.path, pages.call.query) == ("/x", "Page=2")


def test_a_circle_of_pages_is_broken() -> None:
    """A next URI that was followed before ends the listing with an error."""
    pages = listing()
    body = {**envelope(nextpageuri="/x?Page=2"), "Campaigns": rows(1)}
    take(pages, body)
    with pytest.raises(MalformedAnswer, match="leads back"):
        take(pages, body)


def test_a_listing_without_an_end_is_broken_off() -> None:
    """Ever new next URIs do not keep a task busy for ever."""
    pages = listing()
    for page in range(999):
        take(pages, {**envelope(nextpageuri=f"/x?Page={page}"), "Campaigns": rows(page)})
    with pytest.raises(MalformedAnswer):
        take(pages, {**envelope(nextpageuri="/x?Page=new"), "Campaigns": rows(1000)})


@settings(derandomize=True, max_examples=100, deadline=None)
@given(
    ids=st.lists(st.integers(0, 999), unique=True, max_size=30),
    size=st.integers(1, 7),
    repeats=st.integers(0, 3),
    strings=st.booleans(),
)
def test_every_row_comes_exactly_once(
    ids: list[int], size: int, repeats: int, strings: bool
) -> None:
    """However long pages are and however many rows shift, each Id is given once and in order."""
    pages, found, at = listing(), list[str](), 0
    while pages.call is not None:
        page = at // size + 1
        count = max(1, -(-len(ids) // size))
        shown = ids[max(0, at - repeats) : at + size]
        uri = f"/p?Page={page + 1}" if page < count else ""
        figures = {"page": page, "numpages": count, "total": len(ids)}
        if strings:
            figures = {name: str(value) for name, value in figures.items()}  # type: ignore[misc]
        found += take(pages, {**envelope(**figures, nextpageuri=uri), "Campaigns": rows(*shown)})
        at += size
    assert found == [str(i) for i in ids]


@settings(derandomize=True, max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["@page", "@numpages", "@total", "@nextpageuri", "Campaigns", "Status"]),
        st.one_of(
            st.none(),
            st.integers(-5, 5),
            st.floats(),
            st.sampled_from(["", "1", "2", "x", "/p", "//h/p", "http://[", "?Page=2"]),
            st.lists(st.one_of(st.none(), st.just({"Id": "1"}), st.integers()), max_size=3),
            st.just({"Id": 1}),
        ),
    )
)
def test_any_mapping_is_a_page_or_an_error_of_ours(body: dict[str, Any]) -> None:
    """Nothing that a service can answer raises anything but an ImpactError."""
    try:
        page = listing().take(Answer(body))
    except ImpactError:
        return
    assert "Campaigns" in body or any(name.startswith("@") for name in body)
    assert page.page == 1
