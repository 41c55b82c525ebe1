"""Rows on the wire: the quick way of writing a page says what the plain way would."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree as ET

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawback.sandbox import fields as f
from clawback.sandbox.resource import Resource, Row
from clawback.sandbox.rows import encoded, joined

RESOURCES = [f.ACTION, f.ITEM, f.UPDATE, f.SUBMISSION]
ODD = st.sampled_from(["", "%s", "%", "%%d", "{x}", "\\", '"', "&amp;", 'a,"b', "]]>", "\x00\x1f"])
TEXTS = st.one_of(ODD, st.text(st.characters(codec="utf-8"), max_size=6))


def rows_of(resource: Resource) -> st.SearchStrategy[list[Row]]:
    """Rows of which some have their common values in common."""
    common = st.tuples(*[TEXTS] * len(resource.common))
    own = st.tuples(*[TEXTS] * len(resource.own))
    return st.lists(common, min_size=1, max_size=2).flatmap(
        lambda known: st.lists(st.builds(Row, st.sampled_from(known), own), max_size=3)
    )


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.element)
@settings(max_examples=12, derandomize=True, deadline=None)
@given(data=st.data())
def test_rows_say_what_they_hold(resource: Resource, data: st.DataObject) -> None:
    """Whatever the values are, a row is their object in JSON, byte by byte, and their XML."""
    rows = data.draw(rows_of(resource))
    whole = [dict(zip(resource.names, resource.values(row), strict=True)) for row in rows]
    assert encoded("json", resource, rows) == [orjson.dumps(one) for one in whole]
    for text, one in zip(encoded("xml", resource, rows), whole, strict=True):
        shown = ET.fromstring(text.decode())  # noqa: S314  # our own text
        assert shown.tag == resource.element
        # XML cannot hold every character, and its readers take each line's end for one alike.
        wanted = {
            name: re.sub("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", value)
            for name, value in one.items()
        }
        wanted = {name: re.sub("\r\n?", "\n", value) for name, value in wanted.items()}
        assert {field.tag: field.text or "" for field in shown} == wanted


@pytest.mark.parametrize("count", [0, 1, 3])
def test_rows_are_joined(count: int) -> None:
    """Head, rows and tail make one list, however many rows there are."""
    rows = [b"{}"] * count
    assert json.loads(joined('{"a":[', b",", rows, "]}")) == {"a": [{}] * count}


def test_values_stand_in_the_order_of_the_wire() -> None:
    """Common and own values are put back among each other as the names have them."""
    resource = Resource("Things", "Thing", ("A", "B", "C"), common=("B",))
    assert resource.own == ("A", "C")
    assert resource.values(Row(("b",), ("a", "c"))) == ("a", "b", "c")
