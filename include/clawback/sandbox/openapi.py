"""The OpenAPI document that the sandbox serves for itself, true to its profile."""

from __future__ import annotations

from typing import Any

from clawback.sandbox import fields as f
from clawback.sandbox.profile import Profile
from clawback.sandbox.settings import Settings

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
_WINDOWS = (
    "StartDate",
    "EndDate",
    "ActionDateStart",
    "ActionDateEnd",
    "LockingDateStart",
    "LockingDateEnd",
)
_ERRORS = {
    "400": "a rule is broken; Errors names the parameter",
    "401": "no or wrong credentials",
    "403": "another account, or outside the token's scope",
    "404": "no such resource",
    "405": "the resource has no such method",
    "429": "over the request limit",
}
_ENUMS = {"State": list(f.STATES)}
_SUBMISSION_ENUMS = {
    "Type": ["Conversion", "Modification", "Reversal"],
    "Status": ["Queued", "In Progress", "Complete"],
}


def document(settings: Settings) -> Json:
    """What the API promises under this sandbox's profile."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "impact.com Brand API, offline",
            "version": "14",
            "description": "A reproduction for tests; not impact.com's own document.",
        },
        "servers": [{"url": f"/Advertisers/{settings.account_sid}"}],
        "security": [{"basic": []}],
        "components": {
            "securitySchemes": {"basic": {"type": "http", "scheme": "basic"}},
            "schemas": _schemas(settings.profile),
        },
        "paths": _paths(),
    }


def _schemas(profile: Profile) -> Json:
    objects = {
        resource.element: _object(resource, profile)
        for resource in (f.ACTION, f.ITEM, f.UPDATE, f.SUBMISSION, f.CAMPAIGN, f.COMPANY)
    }
    lists = {
        resource.element + "List": _list(resource, profile)
        for resource in (f.ACTION, f.ITEM, f.UPDATE, f.SUBMISSION, f.CAMPAIGN)
    }
    queued = {
        "type": "object",
        "required": ["Status", "QueuedUri"],
        "properties": {
            "Status": {"const": "QUEUED"},
            "QueuedUri": {"type": "string", "pattern": "^/.*/APISubmissions/A-[0-9a-f-]+$"},
        },
    }
    return {**objects, **lists, "Queued": queued, "Error": _error(profile)}


def _object(resource: f.Resource, profile: Profile) -> Json:
    enums = _SUBMISSION_ENUMS if resource is f.SUBMISSION else _ENUMS
    properties = {name: _scalar(name, resource, profile, enums) for name in resource.names}
    answer: Json = {"type": "object", "properties": properties, "additionalProperties": False}
    if profile.absent != "missing":
        answer["required"] = list(resource.names)
    return answer


def _scalar(name: str, resource: f.Resource, profile: Profile, enums: dict[str, list[str]]) -> Json:
    kind = "string"
    if profile.scalars == "numbers" and name in resource.integers:
        kind = "integer"
    elif profile.scalars == "numbers" and name in resource.numbers:
        kind = "number"
    if name in enums:
        return {"type": "string", "enum": enums[name]}
    kinds = [kind, "null"] if profile.absent == "null" else [kind]
    # A number that is absent stays "" where absence is "".
    if kind != "string" and profile.absent == "empty":
        kinds.append("string")
    return {"type": kinds if len(kinds) > 1 else kind}


def _list(resource: f.Resource, profile: Profile) -> Json:
    one = {"$ref": f"#/components/schemas/{resource.element}"}
    rows: Json = {"type": "array", "items": one}
    if profile.single_row == "object":
        rows = {"anyOf": [rows, one]}
    if profile.empty_list == "object":
        rows = {"anyOf": [rows, {"type": "object", "maxProperties": 0}]}
    number: Json = {"type": "integer" if profile.envelope == "numbers" else "string"}
    around = {
        "@" + name: {"type": "string"} if name.endswith("uri") else number for name in _ENVELOPE
    }
    required = [*around, *([] if profile.empty_list == "missing" else [resource.key])]
    return {
        "type": "object",
        "properties": {**around, resource.key: rows},
        "required": required,
        "additionalProperties": False,
    }


def _error(profile: Profile) -> Json:
    if profile.error_body == "empty":
        return {}
    return {"type": "object", "minProperties": 1}


def _paths() -> Json:
    item = "/Actions/{ActionId}/Items"
    update = "/ActionUpdates/{ActionUpdateId}"
    return {
        "/Actions": {
            "get": _read("listActions", "ActionList", dated=True),
            "put": _write("updateActionOrItems", _put_form()),
            "delete": _write("reverseAction", _delete_form()),
        },
        "/Actions/{ActionId}": {"get": _read("getActionById", "Action", "ActionId")},
        item: {"get": _read("listActionItems", "ActionItemList", "ActionId", paged=True)},
        item + "/{Sku}": {"get": _read("getActionItemBySku", "ActionItem", "ActionId", "Sku")},
        "/ActionUpdates": {"get": _read("listActionUpdates", "ActionUpdateList", dated=True)},
        update: {"get": _read("getActionUpdateById", "ActionUpdate", "ActionUpdateId")},
        "/APISubmissions": {"get": _read("listApiSubmissions", "APISubmissionList", paged=True)},
        "/APISubmissions/{BatchId}": {
            "get": _read("getApiSubmissionById", "APISubmission", "BatchId")
        },
        "/Campaigns": {"get": _read("listCampaigns", "CampaignList", paged=True)},
        "/Campaigns/{CampaignId}": {"get": _read("getCampaignById", "Campaign", "CampaignId")},
        "/CompanyInformation": {"get": _read("getCompanyInformation", "CompanyInformation")},
    }


def _read(name: str, schema: str, *path: str, dated: bool = False, paged: bool = False) -> Json:
    parameters: list[Json] = [
        {"name": part, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for part in path
    ]
    if dated:
        parameters += _list_parameters()
    if dated or paged:
        parameters += [
            _query(name, {"type": "integer", "minimum": 1}) for name in ("Page", "PageSize")
        ]
    return {"operationId": name, "parameters": parameters, "responses": _responses(schema)}


def _list_parameters() -> list[Json]:
    time = {"type": "string", "format": "date-time"}
    return [
        _query("CampaignId", {"type": "integer", "minimum": 1}) | {"required": True},
        _query("State", {"type": "string", "enum": list(f.STATES)}),
        *(_query(name, time) for name in _WINDOWS),
    ]


def _query(name: str, schema: Json) -> Json:
    return {"name": name, "in": "query", "schema": schema}


def _responses(schema: str) -> Json:
    answers: Json = {"200": _content(schema, "as documented")}
    return answers | {status: _content("Error", text) for status, text in _ERRORS.items()}


def _content(schema: str, description: str) -> Json:
    media = {
        "application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}},
        "text/xml": {"schema": {"type": "string"}},
    }
    return {"description": description, "content": media}


def _write(name: str, form: Json) -> Json:
    body = {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": form}}}
    return {"operationId": name, "requestBody": body, "responses": _responses("Queued")}


def _target() -> Json:
    return {name: {"type": "string"} for name in ("ActionId", "ActionTrackerId", "OrderId")}


def _put_form() -> Json:
    number = {"type": "string", "pattern": "^[0-9]{1,8}(\\.[0-9]{2})?$"}
    each = {
        "Sku": {"type": "string", "maxLength": 255},
        "Quantity": {"type": "string", "pattern": "^[0-9]{1,6}$"},
        "Amount": number,
        "ItemSubTotalDelta": {"type": "string", "pattern": "^-?[0-9]{1,8}(\\.[0-9]{2})?$"},
        "Category": {"type": "string", "maxLength": 255},
    }
    properties = {
        **_target(),
        "Reason": {"type": "string", "enum": sorted(f.REASONS)},
        "DispositionCode": {"type": "string"},
        "CustomerStatus": {"type": "string"},
        **each,
        **{name + "2": schema for name, schema in each.items()},
    }
    return {"type": "object", "required": ["Reason"], "properties": properties}


def _delete_form() -> Json:
    code = {"type": "string", "enum": sorted(f.REJECTING_CODES)}
    properties = {**_target(), "DispositionCode": code}
    return {"type": "object", "required": ["DispositionCode"], "properties": properties}
