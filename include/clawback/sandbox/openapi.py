"""The OpenAPI document that the sandbox serves for itself, true to its profile."""

from __future__ import annotations

from typing import Any

from clawback.sandbox import fields as f
from clawback.sandbox import papers, schemas
from clawback.sandbox.profile import Profile
from clawback.sandbox.settings import Settings

Json = dict[str, Any]
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
    "402": "a rule of dates or pages is broken",
    "403": "another account, or outside the token's scope",
    "404": "no such resource",
    "405": "the resource has no such method",
    "422": "a rule of dates or pages is broken",
    "429": "over the request limit",
}
_VERSION: Json = {"type": "integer", "minimum": 1, "maximum": 14}
_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"


def document(settings: Settings) -> Json:
    """What the API promises under this sandbox's profile."""
    account = f"/Advertisers/{settings.account_sid}"
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "impact.com Brand API, offline",
            "version": "14",
            "description": "A reproduction for tests; not impact.com's own document.",
        },
        "servers": [
            {"url": account, "description": "the brand's own"},
            {
                "url": f"/Agencies/{settings.agency_sid}{account}",
                "description": "through its agency",
            },
        ],
        "security": [{"basic": []}],
        "components": {
            "securitySchemes": {"basic": {"type": "http", "scheme": "basic"}},
            "schemas": schemas.schemas(settings.profile),
            "parameters": _version_parameters(settings.profile),
        },
        "paths": _paths(settings.profile),
    }


def _paths(profile: Profile) -> Json:
    """Every path with and without its suffix; what the suffix asks for comes as JSON only."""
    plain = _resources(profile)
    found: Json = {}
    for path, methods in plain.items():
        found[path] = methods
        found[path + ".json"] = {verb: _suffixed(one) for verb, one in methods.items()}
    for methods in found.values():
        for operation in methods.values():
            operation["parameters"] += [
                {"$ref": f"#/components/parameters/{name}"} for name in _version_parameters(profile)
            ]
    return found


def _suffixed(operation: Json) -> Json:
    return {
        **operation,
        "operationId": operation["operationId"] + "Json",
        "parameters": list(operation["parameters"]),
        "responses": {
            status: {**answer, "content": {_JSON: answer["content"][_JSON]}}
            for status, answer in operation["responses"].items()
        },
    }


def _version_parameters(profile: Profile) -> Json:
    """The version is asked for by header or in the query (reference §1.5)."""
    header = {"name": "IR-Version", "in": "header", "schema": _VERSION}
    asked = {
        f"Query{number}": {"name": name, "in": "query", "schema": _VERSION}
        for number, name in enumerate(profile.version_names)
    }
    return {"Header": header, **asked}


def _resources(profile: Profile) -> Json:
    item = "/Actions/{ActionId}/Items"
    update = "/ActionUpdates/{ActionUpdateId}"
    writes = {
        "put": _write("updateActionOrItems", _put_form(), profile),
        "delete": _write("reverseAction", _delete_form(), profile),
    }
    if profile.method_override:
        writes["post"] = _override(profile)
    return {
        "/Actions": {"get": _read("listActions", "ActionList", dated=True), **writes},
        "/Actions/{ActionId}": {"get": _read("getActionById", "Action", "ActionId")},
        item: {"get": _read("listActionItems", "ActionItemList", "ActionId", paged=True)},
        item + "/{Sku}": {"get": _read("getActionItemBySku", "ActionItem", "ActionId", "Sku")},
        "/ActionUpdates": {"get": _read("listActionUpdates", "ActionUpdateList", dated=True)},
        update: {"get": _read("getActionUpdateById", "ActionUpdate", "ActionUpdateId")},
        "/APISubmissions": {"get": _read("listApiSubmissions", "APISubmissionList", paged=True)},
        "/APISubmissions/{BatchId}": {
            "get": _read("getApiSubmissionById", "APISubmission", "BatchId")
        },
        "/Campaigns": {"get": _programs()},
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


def _programs() -> Json:
    operation = _read("listCampaigns", "CampaignList", paged=True)
    operation["parameters"] += [
        _query("Name", {"type": "string"}),
        _query("State", {"type": "string", "enum": list(papers.STATES)}),
    ]
    return operation


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
        _JSON: {"schema": {"$ref": f"#/components/schemas/{schema}"}},
        "text/xml": {"schema": {"type": "string"}},
    }
    return {"description": description, "content": media}


def _write(name: str, form: Json, profile: Profile) -> Json:
    kinds = [_FORM, _JSON] if profile.json_bodies else [_FORM]
    body = {"required": True, "content": {kind: {"schema": form} for kind in kinds}}
    responses = _responses("Queued") | {
        str(status): _content("Error", "the write is refused at once")
        for status in profile.refusal_timing.values()
        if isinstance(status, int)
    }
    return {"operationId": name, "parameters": [], "requestBody": body, "responses": responses}


def _override(profile: Profile) -> Json:
    """POST in the place of PUT and DELETE (reference §1.3)."""
    operation = _write("overrideMethod", {"anyOf": [_put_form(), _delete_form()]}, profile)
    verb = {"type": "string", "enum": ["PUT", "DELETE"]}
    operation["parameters"] = [_query("_method", verb) | {"required": True}]
    return operation


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
