"""Bytes to mappings: JSON or XML as impact.com writes them (reference §1.4, §2.4), or a refusal."""

from __future__ import annotations

from typing import Any
from xml.parsers import expat

import msgspec
import orjson

Mapping = dict[str, Any]
"""A decoded answer: scalars, lists and further mappings under impact.com's own names."""

ROOT = "ImpactRadiusResponse"
PAGING = frozenset(("@page", "@numpages", "@pagesize", "@total", "@nextpageuri", "@uri"))
_DEEPEST = 32
_LONG = 65_536
_PARTS = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Unreadable(ValueError):  # noqa: N818 - a reason, which becomes a MalformedAnswer
    """The bytes are no answer of impact.com; the text says what they are instead."""


def decode(content: bytes) -> Mapping:
    """The mapping that a body holds, whatever its content type claims.

    XML comes out in the shape of the JSON: the attributes of a collection as `@` keys beside it.
    A list of more than 64 kB may be left as it came (`msgspec.Raw`), for a reader that knows its
    rows: `clawback.impact.rows`.
    Raises Unreadable for HTML, a truncated or empty body, and anything but a mapping.
    """
    head = content[:512].lstrip(b"\xef\xbb\xbf \t\r\n")
    if not head:
        raise Unreadable("an empty body")
    if head.startswith(b"<"):
        lowered = head.lower()
        if lowered.startswith(b"<!doctype html") or b"<html" in lowered:
            raise Unreadable("an HTML page")
        return _hoisted(_parse_xml(content))
    body = content.removeprefix(b"\xef\xbb\xbf")
    try:
        answer = _in_parts(body) if len(body) > _LONG else orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"neither JSON nor XML, or cut off ({error.msg})") from None
    if not isinstance(answer, dict):
        raise Unreadable(f"JSON, but a {type(answer).__name__} and no mapping")
    return answer


def _in_parts(body: bytes) -> Any:
    """A long body, its long lists left as they are; one that is no mapping is decoded whole."""
    try:
        parts = _PARTS.decode(body)
    except (msgspec.MsgspecError, RecursionError):
        return orjson.loads(body)
    return {name: _short(memoryview(part), part) for name, part in parts.items()}


def _short(seen: memoryview, part: msgspec.Raw) -> Any:
    return part if len(seen) > _LONG and seen[0] == ord("[") else orjson.loads(seen)


def as_list(value: Any) -> list[Any]:
    """A list as it is, a lone object as a list of one (reference §2.4)."""
    return value if isinstance(value, list) else [value]


def _parse_xml(content: bytes) -> Mapping:
    """The children of the root; a document type is refused, so there are no entities."""
    builder = _Builder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    try:
        parser.Parse(content.lstrip(), True)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise Unreadable(f"XML that is cut off or broken ({reason})") from None
    except (LookupError, ValueError) as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable(f"XML of an unknown encoding ({error})") from None
    return builder.document()


def _refuse_doctype(*_: object) -> None:
    raise Unreadable("XML with a document type, which impact.com never sends")


class _Builder:
    """Collects elements: those with children become mappings, repeated ones lists."""

    def __init__(self) -> None:
        self._stack: list[tuple[Mapping, list[str]]] = [({}, [])]

    def start(self, _tag: str, attributes: dict[str, str]) -> None:
        if len(self._stack) > _DEEPEST:
            raise Unreadable(f"XML nested deeper than {_DEEPEST} levels")
        named = {f"@{name}": value for name, value in attributes.items()} if attributes else {}
        self._stack.append((named, []))

    def text(self, data: str) -> None:
        self._stack[-1][1].append(data)

    def end(self, tag: str) -> None:
        mapping, parts = self._stack.pop()
        value: Any = "".join(parts).strip()
        if mapping and not (value and all(name.startswith("@") for name in mapping)):
            value = mapping
        parent = self._stack[-1][0]
        if tag not in parent:
            parent[tag] = value
        elif isinstance(parent[tag], list):
            parent[tag].append(value)
        else:
            parent[tag] = [parent[tag], value]

    def document(self) -> Mapping:
        root = self._stack[0][0]
        if set(root) != {ROOT}:
            raise Unreadable(f"XML of another kind (<{next(iter(root), '')}>)")
        content = root[ROOT]
        return content if isinstance(content, dict) else {}


def _hoisted(answer: Mapping) -> Mapping:
    """A collection's paging attributes, lifted beside it as JSON has them."""
    if len(answer) != 1:
        return answer
    ((name, inner),) = answer.items()
    if not isinstance(inner, dict) or not PAGING & set(inner):
        return answer
    envelope = {key: value for key, value in inner.items() if key.startswith("@")}
    rows = [value for key, value in inner.items() if not key.startswith("@")]
    return {**envelope, name: rows[0]} if rows else envelope
