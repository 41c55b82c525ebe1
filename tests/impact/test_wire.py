"""Bytes to mappings: JSON and XML give the same, and everything else is named."""

from __future__ import annotations

import json
from typing import Any
from xml.sax.saxutils import escape

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clawback.impact.wire import Unreadable, decode

FUZZ = settings(
    derandomize=True,
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],  # the first text loads Unicode's tables
)


def xml(inner: str) -> bytes:
    text = f'<?xml version="1.0" encoding="UTF-8"?><ImpactRadiusResponse>{inner}'
    return f"{text}</ImpactRadiusResponse>".encode()


ENVELOPE = {"@page": "1", "@numpages": "1", "@total": "2", "@nextpageuri": ""}
ATTRIBUTES = 'page="1" numpages="1" total="2" nextpageuri=""'


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        (
            (
                f"<Actions {ATTRIBUTES}><Action><Id>1.2.3</Id><Oid/></Action>"
                "<Action><Id>1.2.4</Id><Oid>A&amp;B é</Oid></Action></Actions>"
            ),
            {**ENVELOPE, "Actions": [{"Id": "1.2.3", "Oid": ""}, {"Id": "1.2.4", "Oid": "A&B é"}]},
        ),
        (
            f"<Actions {ATTRIBUTES}><Action><Id>1.2.3</Id></Action></Actions>",
            {**ENVELOPE, "Actions": {"Id": "1.2.3"}},
        ),
        (f"<Actions {ATTRIBUTES}/>", ENVELOPE),
        (f"<Actions {ATTRIBUTES}>\n  </Actions>", ENVELOPE),
        ("<Action><Id>1</Id></Action>", {"Action": {"Id": "1"}}),
        (
            "<Status>QUEUED</Status><QueuedUri>/A/B-1</QueuedUri>",
            {"Status": "QUEUED", "QueuedUri": "/A/B-1"},
        ),
        ("", {}),
    ],
)
def test_xml_comes_out_in_the_shape_of_the_json(inner: str, expected: dict[str, Any]) -> None:
    """A collection's attributes become @ keys, repeated elements a list (reference §1.4, §2.4)."""
    assert decode(xml(inner)) == expected


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty body"),
        (b"  \n", "empty body"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "HTML"),
        (b"<html><head>", "HTML"),
        (b'{"@page": "1", "Actions": [{"Id": "1', "cut off"),
        (xml("<Actions>")[:60], "cut off or broken"),
        (b"<foo/>", "another kind"),
        (b"[1, 2]", "list"),
        (b'"QUEUED"', "str"),
        (b'{"Amount": NaN}', "neither JSON nor XML"),
        (b"\xff\xfe{\x00}\x00", "neither JSON nor XML"),
        (b"service unavailable", "neither JSON nor XML"),
        (
            (
                b'<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/hostname">]>'
                b"<ImpactRadiusResponse><Id>&e;</Id></ImpactRadiusResponse>"
            ),
            "document type",
        ),
        (
            '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE r []><r/>'.encode("utf-16"),
            "",
        ),
        (b"<ImpactRadiusResponse>" + b"<a>" * 50, "nested"),
        (b'<?xml version="1.0" encoding="nope"?><ImpactRadiusResponse/>', ""),
    ],
)
def test_what_is_no_answer_is_refused_by_name(content: bytes, reason: str) -> None:
    """HTML, cut-off bodies, other types and documents with entities never pass for data."""
    with pytest.raises(Unreadable) as caught:
        decode(content)
    assert reason in str(caught.value)


def test_a_byte_order_mark_is_no_fault() -> None:
    """A mark at the head of JSON or XML is skipped."""
    assert decode(b"\xef\xbb\xbf" + json.dumps({"a": 1}).encode()) == {"a": 1}
    assert decode(b"\xef\xbb\xbf" + xml("<a>1</a>")) == {"a": "1"}


letters = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x2FF), max_size=12)
rows = st.lists(
    st.fixed_dictionaries({"Id": letters, "Oid": letters, "Note": letters}), min_size=2, max_size=4
)


@FUZZ
@given(rows)
def test_any_text_survives_xml_as_it_survives_json(listed: list[dict[str, str]]) -> None:
    """Whatever the values hold, both formats give the same rows (but for outer blanks)."""
    stripped = [{name: value.strip() for name, value in row.items()} for row in listed]
    inner = "".join(
        "<Action>" + "".join(f"<{n}>{escape(v)}</{n}>" for n, v in row.items()) + "</Action>"
        for row in stripped
    )
    answer = {**ENVELOPE, "Actions": stripped}
    assert decode(xml(f"<Actions {ATTRIBUTES}>{inner}</Actions>")) == answer
    assert decode(json.dumps(answer).encode()) == answer


@FUZZ
@given(
    st.binary(max_size=200), st.sampled_from([b"", b"<", b"{", b'<?xml version="1.0"?>', xml("")])
)
def test_no_bytes_break_the_reader(tail: bytes, head: bytes) -> None:
    """Any bytes give a mapping or a named refusal, never another exception."""
    try:
        answer = decode(head + tail)
    except Unreadable:
        return
    assert isinstance(answer, dict)


@FUZZ
@given(st.integers(1, 400))
def test_a_cut_off_list_is_never_read_as_a_short_one(length: int) -> None:
    """However much of it is lost, a truncated answer is refused."""
    whole = xml(
        f"<Actions {ATTRIBUTES}><Action><Id>1</Id></Action><Action><Id>2</Id></Action></Actions>"
    )
    body = json.dumps({**ENVELOPE, "Actions": [{"Id": "1"}, {"Id": "2"}]}).encode()
    for content in (whole, body):
        with pytest.raises(Unreadable):
            decode(content[: len(content) - 1 - length % (len(content) - 1)])


LONG = [{"Id": f"1.2.{i}", "Oid": "x" * 80} for i in range(1000)]


def test_a_long_list_waits_for_its_reader() -> None:
    """The rows of a full page are left as they came; all else of it is decoded."""
    answer = decode(json.dumps({**ENVELOPE, "Actions": LONG, "Note": ["é"]}).encode())
    rows = answer.pop("Actions")
    assert isinstance(rows, msgspec.Raw)
    assert json.loads(memoryview(rows).tobytes()) == LONG
    assert answer == {**ENVELOPE, "Note": ["é"]}


def test_a_long_mapping_is_decoded() -> None:
    """Only lists wait."""
    lone = {"Id": "1.2.3", "Oid": "x" * 80_000}
    assert decode(json.dumps({**ENVELOPE, "Actions": lone}).encode()) == {
        **ENVELOPE,
        "Actions": lone,
    }


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (json.dumps({"Actions": LONG}).encode()[:-20], "cut off"),
        (json.dumps(LONG).encode(), "list"),
        (b'{"Actions": ' + b"[" * 100_000, "neither JSON nor XML"),
    ],
    ids=["cut off", "no mapping", "nested"],
)
def test_a_long_answer_that_is_none_is_named(content: bytes, reason: str) -> None:
    """What is said of a short body is said of a long one."""
    with pytest.raises(Unreadable, match=reason):
        decode(content)
