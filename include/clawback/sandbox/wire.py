"""The forms of the wire: JSON and XML, paging envelopes, errors (reference §1.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import orjson

from clawback.sandbox.facts import BadRequest
from clawback.sandbox.papers import Paper, Shape, Tree
from clawback.sandbox.profile import Profile
from clawback.sandbox.query import Paging
from clawback.sandbox.resource import Resource, Row
from clawback.sandbox.rows import Format, encoded, joined, xml_text

ROOT = "ImpactRadiusResponse"
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
CONTENT_TYPES: dict[Format, bytes] = {
    "json": b"application/json;charset=UTF-8",
    "xml": b"text/xml;charset=UTF-8",
}


@dataclass(frozen=True, slots=True)
class Wire:
    """Writes answers in one format for one profile; `resource` gives names and types."""

    form: Format
    profile: Profile

    def rows(self, resource: Resource, rows: Iterable[Row], envelope: Mapping[str, str]) -> bytes:
        if self.form == "xml":
            key = resource.key if resource.key != resource.element else resource.key + "s"
            return _xml_list(key, encoded("xml", resource, rows), envelope)
        if self._plain:
            return self._list(resource.key, encoded("json", resource, rows), envelope)
        objects = [orjson.dumps(self._object(resource, row)) for row in rows]
        return self._list(resource.key, objects, envelope)

    @property
    def _plain(self) -> bool:
        """Whether every value of a row is written as the text that it is."""
        return self.profile.scalars == "strings" and self.profile.absent == "empty"

    def _list(self, key: str, rows: list[bytes], envelope: Mapping[str, str]) -> bytes:
        """A list of rows that are JSON already."""
        answer: dict[str, Any] = {"@" + name: value for name, value in envelope.items()}
        if self.profile.envelope == "numbers":
            answer |= {k: int(v) for k, v in answer.items() if v.isascii() and v.isdecimal()}
        head = orjson.dumps(answer)[:-1].decode()
        around = self._brackets(len(rows))
        if around is None:
            return f"{head}}}".encode()
        first, last = around
        return joined(f'{head},"{key}":{first}', b",", rows, last + "}")

    def _brackets(self, rows: int) -> tuple[str, str] | None:
        """What stands around so many rows; None if not even their key does (reference §9.1)."""
        if rows == 1 and self.profile.single_row == "object":
            return "", ""
        if rows or self.profile.empty_list == "array":
            return "[", "]"
        return ("{", "}") if self.profile.empty_list == "object" else None

    def row(self, resource: Resource, row: Row) -> bytes:
        if self.form == "xml":
            [one] = encoded("xml", resource, [row])
            return _document(one.decode())
        return orjson.dumps(self._object(resource, row))

    def _object(self, resource: Resource, row: Row) -> dict[str, Any]:
        plain: dict[str, Any] = dict(zip(resource.names, resource.values(row), strict=True))
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
            elements = [_xml_tree(paper.element, tree, paper.shape).encode() for tree in trees]
            return _xml_list(paper.key, elements, envelope)
        objects = [orjson.dumps(self._typed(tree, paper.shape)) for tree in trees]
        return self._list(paper.key, objects, envelope)

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
            return _document(f"<Status>QUEUED</Status><QueuedUri>{xml_text(uri)}</QueuedUri>")
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
        f"<Error><Field>{xml_text(field)}</Field><Message>{xml_text(message)}</Message></Error>"
        for field, message in error.fields
    )
    errors = f"<Errors>{inner}</Errors>" if inner else ""
    return _document(f"<Status>ERROR</Status><Message>{xml_text(error.message)}</Message>{errors}")


def _xml_list(key: str, rows: list[bytes], envelope: Mapping[str, str]) -> bytes:
    attributes = "".join(f' {name}="{xml_text(value)}"' for name, value in envelope.items())
    return joined(f"{_HEAD}<{ROOT}><{key}{attributes}>", b"", rows, f"</{key}></{ROOT}>")


def _xml_tree(name: str, tree: Tree, shape: Shape) -> str:
    """A nested value; the members of a list stand under its name in the singular."""
    if isinstance(tree, dict) and isinstance(shape, dict):
        inner = "".join(_xml_tree(part, tree[part], kind) for part, kind in shape.items())
    elif isinstance(tree, list) and isinstance(shape, list):
        one = name[:-3] + "y" if name.endswith("ies") else name[:-1]
        inner = "".join(_xml_tree(one, member, shape[0]) for member in tree)
    else:
        inner = xml_text(str(tree))
    return f"<{name}>{inner}</{name}>"


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
