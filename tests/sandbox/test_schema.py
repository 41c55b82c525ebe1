"""schemathesis against the OpenAPI document that the sandbox serves for itself."""

from __future__ import annotations

from typing import Any, get_args

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import checks
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from clawback.sandbox.limits import RateLimit
from clawback.sandbox.profile import load, names
from clawback.sandbox.server import SandboxServer
from clawback.sandbox.settings import Settings
from clawback.sandbox.switches_reading import ErrorBody

CHECKS = [
    checks.not_a_server_error,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
]
PLAIN = [
    "listActions",
    "updateActionOrItems",
    "reverseAction",
    "overrideMethod",
    "getActionById",
    "listActionItems",
    "getActionItemBySku",
    "listActionUpdates",
    "getActionUpdateById",
    "listApiSubmissions",
    "getApiSubmissionById",
    "listCampaigns",
    "getCampaignById",
    "getCompanyInformation",
]
EXAMPLES = {"": 4, "Json": 2}
"""Of each operation by the end of its name; five profiles make a minute of them."""


@pytest.fixture(scope="module", params=names())
def served(request: Any, tmp_path_factory: Any, world_at: Any, make_action: Any) -> Any:
    """A sandbox under a named profile, and its own document."""
    world = world_at(tmp_path_factory.mktemp("world") / "w.jsonl", [make_action(1)])
    options = {"world": world, "port": 0, "rate_limit": RateLimit(10**9)}
    with SandboxServer(Settings(profile=load(request.param), **options)) as server:
        yield server, schemathesis.openapi.from_url(f"{server.base_url}/openapi.json")


def explore(served: Any, name: str, suffix: str, prefix: str, accept: str) -> None:
    """Send generated requests; fails at a 5xx and at an answer outside the document."""
    server, schema = served
    operation = schema.find_operation_by_id(name + suffix)

    @settings(
        max_examples=EXAMPLES[suffix],
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def run(case: Any) -> None:
        case.call_and_validate(
            base_url=server.base_url + prefix,
            headers={"Accept": accept},
            auth=(server.account_sid, server.auth_token),
            checks=CHECKS,
        )

    run()
    assert server.sandbox.counts.total() > 0


@pytest.mark.parametrize("name", PLAIN)
def test_no_answer_outside_the_schema(served: Any, name: str) -> None:
    """No generated request meets a 5xx or an answer that the document does not promise."""
    explore(served, name, "", f"/Advertisers/{served[0].account_sid}", "application/json")


@pytest.mark.parametrize("name", PLAIN)
def test_nor_with_suffix_through_the_agency(served: Any, name: str) -> None:
    """§1.1, §1.4: the same holds below the agency's prefix, for paths that end in .json."""
    server, _ = served
    prefix = f"/Agencies/{server.agency_sid}/Advertisers/{server.account_sid}"
    explore(served, name, "Json", prefix, "*/*")


@pytest.mark.parametrize(
    "name", ["%0A", "%00", "..", "%2E%2E", "a%2Fb", "%FF", "*", "{x}", "%C3%85"]
)
@pytest.mark.parametrize("resource", ["Actions", "Actions/1000.4636.1/Items", "Campaigns"])
def test_odd_names_are_answered_in_kind(desk: Any, resource: str, name: str) -> None:
    """§3.7: whatever stands in a path, what cannot be found is answered by the API itself."""
    url = f"{desk.server.base_url}{desk.root}/{resource}/{name}.json"
    answer = desk.http.get(url)
    assert answer.status_code in (200, 404)
    assert answer.json()["Status"] == "ERROR"


def test_the_document_is_whole(served: Any) -> None:
    """Every operation is explored here, and each says which errors it may answer."""
    server, schema = served
    document = schema.raw_schema
    operations = [one for path in document["paths"].values() for one in path.values()]
    assert {one["operationId"] for one in operations} == {
        name + suffix for name in PLAIN for suffix in ("", "Json")
    }
    assert [one["url"] for one in document["servers"]] == [
        f"/Advertisers/{server.account_sid}",
        f"/Agencies/{server.agency_sid}/Advertisers/{server.account_sid}",
    ]
    for one in operations:
        asked = [parameter["$ref"] for parameter in one["parameters"] if "$ref" in parameter]
        assert asked[0] == "#/components/parameters/Header"
        assert {"200", "400", "401", "403", "404", "429"} <= one["responses"].keys()


@pytest.mark.parametrize("shape", get_args(ErrorBody))
def test_errors_have_a_schema(desk_of: Any, shape: str) -> None:
    """§3.7: the document gives the body of an error as the profile shapes it, and no other."""
    desk = desk_of(profile={"error_body": shape})
    document = desk.http.get("/openapi.json").json()
    schema = document["components"]["schemas"]["Error"]
    refused = [desk.get("Actions"), desk.get("Actions/none"), desk.put(None)]
    refused += [desk.http.get(f"{desk.root}/Campaigns.json", auth=("no", "body"))]
    assert [answer.status_code for answer in refused] == [400, 404, 400, 401]
    for answer in refused:
        if shape == "empty":
            assert (answer.content, schema) == (b"", {})
        else:
            jsonschema.validate(answer.json(), schema)
    if shape != "empty":
        for stranger in ({}, {"Status": "OK"}, {"anything": 1}):
            with pytest.raises(jsonschema.ValidationError):
                jsonschema.validate(stranger, schema)
