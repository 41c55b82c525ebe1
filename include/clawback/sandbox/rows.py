"""Rows as text of the wire: what many of them have in common is escaped and joined once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Literal

import orjson

from clawback.sandbox.resource import Resource, Row

Format = Literal["json", "xml"]
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def encoded(form: Format, resource: Resource, rows: Iterable[Row]) -> list[bytes]:
    """Every row as a JSON object of strings, or as an XML element."""
    templates: dict[tuple[str, ...], str] = {}
    plain, escape = _PLAIN[form], _ESCAPES[form]
    written = []
    for common, own in rows:
        template = templates.get(common)
        if template is None:
            template = templates[common] = _template(form, resource, common)
        values = own if plain("".join(own)) else tuple(map(escape, own))
        written.append((template % values).encode())
    return written


def joined(head: str, apart: bytes, rows: list[bytes], tail: str) -> bytes:
    """Head, rows and tail in one go: a page has tens of megabytes, and each copy costs."""
    if not rows:
        return f"{head}{tail}".encode()
    rows[0] = head.encode() + rows[0]
    rows[-1] += tail.encode()
    return apart.join(rows)


def _template(form: Format, resource: Resource, common: tuple[str, ...]) -> str:
    """A row with its common values in place, and `%s` for each of its own."""
    escape = _ESCAPES[form]
    known = {
        name: escape(value).replace("%", "%%")
        for name, value in zip(resource.common, common, strict=True)
    }
    values = [(name, known.get(name, "%s")) for name in resource.names]
    if form == "json":
        return "{" + ",".join(f'"{name}":"{value}"' for name, value in values) + "}"
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in values)
    return f"<{resource.element}>{inner}</{resource.element}>"


def _plain_json(text: str) -> bool:
    """Whether a text needs no escaping in JSON."""
    return text.isprintable() and not ('"' in text or "\\" in text)


def _plain_xml(text: str) -> bool:
    """Whether a text needs no escaping in XML."""
    return text.isprintable() and not ("&" in text or "<" in text or ">" in text or '"' in text)


def json_text(text: str) -> str:
    """The inside of a JSON string."""
    return text if _plain_json(text) else orjson.dumps(text)[1:-1].decode()


def xml_text(text: str) -> str:
    """A text in XML; characters that XML cannot hold are left out."""
    if _plain_xml(text):
        return text
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _NO_XML.sub("", text.replace('"', "&quot;"))


_PLAIN: dict[Format, Callable[[str], bool]] = {"json": _plain_json, "xml": _plain_xml}
_ESCAPES: dict[Format, Callable[[str], str]] = {"json": json_text, "xml": xml_text}
