"""What Airflow knows of the provider: the connection type and its form."""

from __future__ import annotations

import pytest
from airflow.providers_manager import ProvidersManager
from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime

from impact_provider import get_provider_info
from impact_provider.hooks import ImpactHook


@pytest.fixture(scope="module")
def manager() -> ProvidersManager:
    return ProvidersManager()


def test_airflow_lists_the_connection_type() -> None:
    """Airflow finds type, hook, hook class and connection argument through the entry point."""
    found = ProvidersManagerTaskRuntime().hooks["impact"]
    assert found is not None
    assert found.hook_class_name == "impact_provider.hooks.ImpactHook"
    assert found.connection_id_attribute_name == ImpactHook.conn_name_attr == "impact_conn_id"
    assert found.package_name == "clawback"
    assert found.hook_name == "impact.com"


def test_the_form_has_every_field_that_the_hook_reads(manager: ProvidersManager) -> None:
    """The form offers campaign, version, agency, advertiser and both time-outs, each explained."""
    widgets = manager.connection_form_widgets
    names = {key.removeprefix("extra__impact__") for key in widgets if "__impact__" in key}
    assert names == {
        "campaign_id",
        "api_version",
        "agency_sid",
        "advertiser_id",
        "connect_timeout",
        "read_timeout",
    }
    fields = get_provider_info()["connection-types"][0]["conn-fields"]
    assert all(field["label"] and field["description"] for field in fields.values())


def test_the_form_speaks_the_words_of_impact(manager: ProvidersManager) -> None:
    """Login and password are called what impact.com calls them; unused fields are hidden."""
    behaviour = manager.field_behaviours["impact"]
    assert behaviour["relabeling"] == {
        "host": "API address",
        "login": "Account SID",
        "password": "Auth token",
    }
    assert {"schema", "port"} <= set(behaviour["hidden_fields"])
