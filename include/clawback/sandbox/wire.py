"""The forms of the wire: JSON and XML, paging envelopes, errors (reference §1.4)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlencode

import orjson

from clawback.sandbox.facts import BadRequest
from clawback.sandbox.fields import Resource
from clawback.sandbox.papers import Paper, Shape, Tree
from clawback.sandbox.profile import Profile
from clawback.sandbox.query import Paging

Format = Literal["json", "xml"]
ROOT = "ImpactRadiusResponse"
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
_NO_XML = re.compile("[^\x00\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SEPARATOR = "\x00"
CONTENT_TYPES: dict[Format, bytes] = {
    "json": b"application/json;charset=UTF-8",
    "xml": b"text/xml;charset=UTF-8",
}
Row = Sequence[str]
Encoded = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Wire:
    """Writes answers in one format for one profile; `resource` gives names and types."""

    form: Format
    profile: Profile

    def rows(self, resource: Resource, rows: Sequence[Row], envelope: Mapping[str, str]) -> bytes:
        if self.form == "xml":
            return _xml_list(resource, rows, envelope)
        if self.profile.scalars == "strings" and self.profile.absent == "empty":
            names = resource.names  # the rows as they are, without a question for each value
            objects = [dict(zip(names, row, strict=True)) for row in rows]
        else:
            objects = [self._object(resource, row) for row in rows]
        return self._list(resource.key, objects, envelope)

    def _list(self, key: str, rows: list[Any], envelope: Mapping[str, str]) -> bytes:
        answer: dict[str, Any] = {"@" + name: value for name, value in envelope.items()}
        if self.profile.envelope == "numbers":
            answer |= {k: int(v) for k, v in answer.items() if v.isascii() and v.isdecimal()}
        if len(rows) == 1 and self.profile.single_row == "object":
            answer[key] = rows[0]
        elif rows or self.profile.empty_list == "array":
            answer[key] = rows
        elif self.profile.empty_list == "object":
            answer[key] = {}
        return orjson.dumps(answer)

    def row(self, resource: Resource, row: Row) -> bytes:
        if self.form == "xml":
            return _document(_xml_rows(resource, [row]))
        return orjson.dumps(self._object(resource, row))

    def _object(self, resource: Resource, row: Row) -> dict[str, Any]:
        plain: dict[str, Any] = dict(zip(resource.names, row, strict=True))
        if self.profile.scalars == "numbers":
            for name in resource.integers:
                plain[name] = int(plain[name]) if plain.get(name) else plain.get(name)
            for name in resource.numbers:
                plain[name] = float(plain[name]) if plain.get(name) else plain.get(name)
        if self.profile.absent == "empty":
            return plain
        if self.profile.absent == "null":
            return {name: None if value == "" else value for name, value in plain.items()}
        return {name: value for name, value in plain.items() if value not in ("", None)}

    def papers(
        self, paper: Paper, trees: Sequence[dict[str, Tree]], envelope: Mapping[str, str]
    ) -> bytes:
        """A list of nested objects."""
        if self.form == "xml":
            inner = "".join(_xml_tree(paper.element, tree, paper.shape) for tree in trees)
            return _document(_xml_around(paper.key, envelope, inner))
        return self._list(paper.key, [self._typed(tree, paper.shape) for tree in trees], envelope)

    def paper(self, paper: Paper, tree: dict[str, Tree]) -> bytes:
        """One nested object."""
        if self.form == "xml":
            return _document(_xml_tree(paper.element, tree, paper.shape))
        return orjson.dumps(self._typed(tree, paper.shape))

    def _typed(self, tree: Tree, shape: Shape) -> Any:
        if isinstance(tree, dict) and isinstance(shape, dict):
            typed = {name: self._typed(tree[name], kind) for name, kind in shape.items()}
            if self.profile.absent == "missing":
                return {name: value for name, value in typed.items() if value not in ("", None)}
            return typed
        if isinstance(tree, list) and isinstance(shape, list):
            return [self._typed(one, shape[0]) for one in tree]
        if tree == "":
            return None if self.profile.absent == "null" else tree
        if self.profile.scalars == "numbers" and shape == "integer":
            return int(str(tree))
        return tree == "true" if self.profile.scalars == "numbers" and shape == "boolean" else tree

    def queued(self, uri: str) -> bytes:
        if self.form == "xml":
            return _document(f"<Status>QUEUED</Status><QueuedUri>{_text(uri)}</QueuedUri>")
        return orjson.dumps({"Status": "QUEUED", "QueuedUri": uri})

    def error(self, error: BadRequest) -> bytes:
        """The body of a 4xx or 5xx in the shape that the profile chose (reference §3.7)."""
        shape = self.profile.error_body
        if shape == "empty":
            return b""
        if self.form == "xml":
            return _xml_error(error)
        if shape == "generic" and error.status in (401, 403) and not error.fields:
            shape = "title"
        return orjson.dumps(_json_error(error, shape))


def _json_error(error: BadRequest, shape: str) -> dict[str, Any]:
    pairs = [{"Field": field, "Message": message} for field, message in error.fields]
    if shape == "title":
        return {"status": error.status, "title": error.message}
    if shape in ("lower", "warnings"):
        lower = [{"field": f, "level": "ERROR", "message": m} for f, m in error.fields]
        if shape == "warnings":
            return {"errors": lower, "warnings": []}
        return {"Status": "ERROR", "errors": lower}
    if shape in ("legacy", "error_code"):
        key = "error" if shape == "legacy" else "errorCode"
        return {key: "ERROR", "status": error.status, "message": error.message}
    answer: dict[str, Any] = {"Status": "ERROR", "Message": error.message}
    if shape == "errors_empty":
        answer["Errors"] = []
    elif pairs and shape != "message":
        answer["Errors"] = {"Error": pairs[0]} if shape == "errors_object" else pairs
    return answer


def _xml_error(error: BadRequest) -> bytes:
    inner = "".join(
        f"<Error><Field>{_text(field)}</Field><Message>{_text(message)}</Message></Error>"
        for field, message in error.fields
    )
    errors = f"<Errors>{inner}</Errors>" if inner else ""
    return _document(f"<Status>ERROR</Status><Message>{_text(error.message)}</Message>{errors}")


def _xml_list(resource: Resource, rows: Sequence[Row], envelope: Mapping[str, str]) -> bytes:
    key = resource.key if resource.key != resource.element else resource.key + "s"
    return _document(_xml_around(key, envelope, _xml_rows(resource, rows)))


def _xml_around(key: str, envelope: Mapping[str, str], inner: str) -> str:
    attributes = "".join(f' {name}="{_text(value)}"' for name, value in envelope.items())
    return f"<{key}{attributes}>{inner}</{key}>"


def _xml_tree(name: str, tree: Tree, shape: Shape) -> str:
    """A nested value; the members of a list stand under its name in the singular."""
    if isinstance(tree, dict) and isinstance(shape, dict):
        inner = "".join(_xml_tree(part, tree[part], kind) for part, kind in shape.items())
    elif isinstance(tree, list) and isinstance(shape, list):
        one = name[:-3] + "y" if name.endswith("ies") else name[:-1]
        inner = "".join(_xml_tree(one, member, shape[0]) for member in tree)
    else:
        inner = _text(str(tree))
    return f"<{name}>{inner}</{name}>"


def _xml_rows(resource: Resource, rows: Sequence[Row]) -> str:
    inner = "".join(f"<{name}>%s</{name}>" for name in resource.names)
    template = f"<{resource.element}>{inner}</{resource.element}>"
    # One pass of escaping for all values of all rows.
    escaped = _escape(_SEPARATOR.join([value for row in rows for value in row]))
    values = escaped.split(_SEPARATOR)
    width = len(resource.names)
    if len(values) != max(1, len(rows) * width):  # a value holds the separator itself
        clean = [[value.replace(_SEPARATOR, "") for value in row] for row in rows]
        return _xml_rows(resource, clean)
    return "".join(
        [template % tuple(values[at : at + width]) for at in range(0, len(rows) * width, width)]
    )


def _escape(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _NO_XML.sub("", text.replace('"', "&quot;"))


def _text(text: str) -> str:
    return _escape(text.replace(_SEPARATOR, ""))


def _document(inner: str) -> bytes:
    return f"{_HEAD}<{ROOT}>{inner}</{ROOT}>".encode()


def envelope(path: str, params: Mapping[str, str], paging: Paging, total: int) -> dict[str, str]:
    """The paging attributes: zero-based start and end, root-relative URIs, "" where none."""
    pages = max(1, -(-total // paging.size))
    start = (paging.page - 1) * paging.size
    end = min(start + paging.size, total) - 1

    def uri(page: int) -> str:
        filters = {k: v for k, v in params.items() if k not in ("Page", "PageSize")}
        return f"{path}?{urlencode({**filters, 'PageSize': paging.size, 'Page': page})}"

    query = urlencode(params)
    return {
        "page": str(paging.page),
        "numpages": str(pages),
        "pagesize": str(paging.size),
        "total": str(total),
        "start": str(start),
        "end": str(max(start, end)),
        "uri": f"{path}?{query}" if query else path,
        "firstpageuri": uri(1),
        "previouspageuri": uri(paging.page - 1) if 1 < paging.page <= pages + 1 else "",
        "nextpageuri": uri(paging.page + 1) if paging.page < pages else "",
        "lastpageuri": uri(pages),
    }
