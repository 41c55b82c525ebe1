"""The shapes of answers as JSON schemas, under a profile."""

from __future__ import annotations

from typing import Any

from clawback.sandbox import fields as f
from clawback.sandbox import papers
from clawback.sandbox.profile import Profile
from clawback.sandbox.resource import Resource

Json = dict[str, Any]
_ENVELOPE = (
    "page",
    "numpages",
    "pagesize",
    "total",
    "start",
    "end",
    "uri",
    "firstpageuri",
    "previouspageuri",
    "nextpageuri",
    "lastpageuri",
)
_ENUMS = {"State": list(f.STATES)}
_SUBMISSION_ENUMS = {
    "Type": ["Conversion", "Modification", "Reversal"],
    "Status": ["Queued", "In Progress", "Complete"],
}
_TEXT: Json = {"type": "string"}


def schemas(profile: Profile) -> Json:
    """Every schema by its name: objects, their lists, the answer to a write, and errors."""
    objects = {
        resource.element: _object(resource, profile)
        for resource in (f.ACTION, f.ITEM, f.UPDATE, f.SUBMISSION)
    }
    nested = {
        paper.element: _nested(paper.shape, profile) for paper in (papers.PROGRAM, papers.COMPANY)
    }
    lists = {
        listed.element + "List": _list(listed.key, listed.element, profile)
        for listed in (f.ACTION, f.ITEM, f.UPDATE, f.SUBMISSION, papers.PROGRAM)
    }
    queued = _record(
        Status={"const": "QUEUED"},
        QueuedUri={"type": "string", "pattern": f"^/.*/{profile.queued_path}/A-[0-9a-f-]+$"},
    )
    return {**objects, **nested, **lists, "Queued": queued, "Error": error(profile)}


def _record(**properties: Json) -> Json:
    """An object with these properties, all of them, and no other."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _object(resource: Resource, profile: Profile) -> Json:
    enums = _SUBMISSION_ENUMS if resource is f.SUBMISSION else _ENUMS
    schema = _record(**{name: _field(name, resource, profile, enums) for name in resource.names})
    # Version 11 shows fewer of an action's and an update's (reference-schemas §8).
    always = {
        "Action": [name for name in resource.names if name not in f.HIDDEN_IN_V11],
        "ActionUpdate": list(f.UPDATE_IN_V11),
    }
    schema["required"] = always.get(resource.element, list(resource.names))
    if profile.absent == "missing":
        del schema["required"]
    return schema


def _field(name: str, resource: Resource, profile: Profile, enums: dict[str, list[str]]) -> Json:
    if name in enums:
        return {"type": "string", "enum": enums[name]}
    if name in resource.integers:
        return _scalar("integer", profile)
    return _scalar("number" if name in resource.numbers else "string", profile)


def _scalar(kind: str, profile: Profile) -> Json:
    if profile.scalars == "strings":
        kind = "string"
    kinds = [kind, "null"] if profile.absent == "null" else [kind]
    # A number that is absent stays "" where absence is "".
    if kind != "string" and profile.absent == "empty":
        kinds.append("string")
    return {"type": kinds if len(kinds) > 1 else kind}


def _nested(shape: papers.Shape, profile: Profile) -> Json:
    if isinstance(shape, dict):
        schema = _record(**{name: _nested(kind, profile) for name, kind in shape.items()})
        # A program has a Type from version 14 on.
        schema["required"] = [name for name in schema["required"] if name != "Type"]
        if profile.absent == "missing":
            del schema["required"]
        return schema
    if isinstance(shape, list):
        return {"type": "array", "items": _nested(shape[0], profile)}
    return _scalar(shape, profile)


def _list(key: str, element: str, profile: Profile) -> Json:
    one = {"$ref": f"#/components/schemas/{element}"}
    rows: Json = {"type": "array", "items": one}
    if profile.single_row == "object":
        rows = {"anyOf": [rows, one]}
    if profile.empty_list == "object":
        rows = {"anyOf": [rows, {"type": "object", "maxProperties": 0}]}
    number: Json = {"type": "integer" if profile.envelope == "numbers" else "string"}
    around = {"@" + name: _TEXT if name.endswith("uri") else number for name in _ENVELOPE}
    schema = _record(**around, **{key: rows})
    if profile.empty_list == "missing":
        schema["required"] = list(around)
    return schema


def error(profile: Profile) -> Json:
    """The error body that the profile chose (reference §3.7)."""
    status: Json = {"type": "integer", "minimum": 400, "maximum": 599}
    said = {"Status": {"const": "ERROR"}, "Message": _TEXT}
    field = _record(Field=_TEXT, Message=_TEXT)
    low = _record(field=_TEXT, level={"enum": ["ERROR", "WARNING"]}, message=_TEXT)
    lows: Json = {"type": "array", "items": low}
    title = _record(status=status, title=_TEXT)
    plain = _record(**said)
    shapes: dict[str, Json] = {
        "generic": {
            "anyOf": [
                _record(**said, Errors={"type": "array", "items": field, "minItems": 1}),
                plain,
                title,  # the 401 and the 403 of a token
            ]
        },
        "errors_object": {"anyOf": [_record(**said, Errors=_record(Error=field)), plain]},
        "errors_empty": _record(**said, Errors={"type": "array", "maxItems": 0}),
        "message": plain,
        "title": title,
        "lower": _record(Status={"const": "ERROR"}, errors=lows),
        "warnings": _record(errors=lows, warnings={"type": "array", "items": low}),
        "legacy": _record(error={"const": "ERROR"}, status=status, message=_TEXT),
        "error_code": _record(errorCode={"const": "ERROR"}, status=status, message=_TEXT),
        "empty": {},
    }
    return shapes[profile.error_body]
