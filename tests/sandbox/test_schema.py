"""schemathesis against the OpenAPI document that the sandbox serves for itself."""

from __future__ import annotations

from typing import Any

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

CHECKS = [
    checks.not_a_server_error,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
]
NAMES = [
    "listActions",
    "updateActionOrItems",
    "reverseAction",
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


@pytest.fixture(scope="module", params=["default", "numbers", "partner"])
def served(request: Any, tmp_path_factory: Any, world_at: Any, make_action: Any) -> Any:
    """A sandbox under a named profile, and its own document."""
    from clawback.sandbox import profile
    from clawback.sandbox.limits import RateLimit
    from clawback.sandbox.server import SandboxServer
    from clawback.sandbox.settings import Settings

    world = world_at(tmp_path_factory.mktemp("world") / "w.jsonl", [make_action(1)])
    options = {"world": world, "port": 0, "rate_limit": RateLimit(10**9)}
    with SandboxServer(Settings(profile=profile.load(request.param), **options)) as server:
        yield server, schemathesis.openapi.from_url(f"{server.base_url}/openapi.json")


@pytest.mark.parametrize("name", NAMES)
def test_no_answer_outside_the_schema(served: Any, name: str) -> None:
    """No generated request meets a 5xx or an answer that the document does not promise."""
    server, schema = served
    operation = schema.find_operation_by_id(name)

    @settings(
        max_examples=10,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def run(case: Any) -> None:
        case.call_and_validate(
            base_url=f"{server.base_url}/Advertisers/{server.account_sid}",
            headers={"Accept": "application/json"},
            auth=(server.account_sid, server.auth_token),
            checks=CHECKS,
        )

    run()
    assert server.sandbox.counts.total() > 0
