"""What is deployed: the compose file, the image, the credentials, the commands of the Makefile."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from clawback.demo.scene import ACCOUNT
from clawback.program import Program, find_program
from clawback.sandbox.seed_actions import CAMPAIGN

ROOT = Path(__file__).resolve().parents[2]
OFFICIAL = {
    "postgres",
    "redis",
    "airflow-apiserver",
    "airflow-scheduler",
    "airflow-dag-processor",
    "airflow-worker",
    "airflow-triggerer",
    "airflow-init",
}
"""The services of Airflow's own compose file for 3.3.2."""


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return found


def command(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own scripts
        arguments, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False, **more
    )


def lock() -> dict[str, str]:
    pins = re.findall(
        r"^([a-z0-9][a-z0-9._-]*)==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE
    )
    return dict(pins)


def test_the_compose_file_is_valid() -> None:
    """The compose schema, and docker compose where it exists, find no fault."""
    done = command("scripts/compose-check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_has_the_services_of_the_official_file(compose: dict[str, Any]) -> None:
    """Every service of Airflow's own file is there; sandbox and flower only with their profile."""
    services = compose["services"]
    assert {name for name, s in services.items() if "profiles" not in s} == OFFICIAL
    assert {name for name, s in services.items() if s.get("profiles") == ["demo"]} == {
        "demo-world",
        "sandbox",
    }


def test_every_service_that_stays_up_has_a_health_check(compose: dict[str, Any]) -> None:
    """What others wait for can be asked whether it is well."""
    for name, service in compose["services"].items():
        assert "healthcheck" in service or service["restart"] == "no" or name == "flower", name


def test_what_is_waited_for_exists_and_can_be_waited_for(compose: dict[str, Any]) -> None:
    """A service waited for as healthy has a health check; one waited for as completed ends."""
    services = compose["services"]
    for name, service in services.items():
        for other, rule in (service.get("depends_on") or {}).items():
            wanted = "healthcheck" if rule["condition"] == "service_healthy" else "command"
            assert wanted in services[other], f"{name} waits for {other}"
            if rule["condition"] == "service_completed_successfully":
                assert services[other]["restart"] == "no"


def test_versions_agree_with_the_lock(compose: dict[str, Any]) -> None:
    """The image is named for the Airflow that the lock installs, and that is 3.3.2."""
    assert lock()["apache-airflow"] == "3.3.2"
    built = [s["image"] for s in compose["services"].values() if "build" in s]
    assert len(built) > len(OFFICIAL) - 3
    assert {image.rpartition("airflow")[2] for image in built} == {"3.3.2"}
    assert "python:3.11" in (ROOT / "Dockerfile").read_text()


def test_the_image_installs_the_lock_with_hashes() -> None:
    """Nothing enters the image past requirements.txt, and all that is copied may be copied."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert "--no-deps --require-hashes -r requirements.txt" in dockerfile
    allowed = set(re.findall(r"^!(\S+)", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    copied = {
        word
        for line in re.findall(r"^COPY (.+)", dockerfile, re.MULTILINE)
        for word in line.split()[:-1]
    }
    assert copied == allowed
    assert all((ROOT / name).exists() for name in copied)


def test_make_env_writes_every_variable(tmp_path: Path) -> None:
    """Every credential of the compose file is written, random, private, and never overwritten."""
    wanted = set(re.findall(r"(?<!\$)\$\{(\w+)", (ROOT / "docker-compose.yml").read_text()))
    written = []
    for name in ("one", "two"):
        assert command("scripts/make-env", str(tmp_path / name)).returncode == 0
        text = (tmp_path / name).read_text()
        written.append(dict(line.split("=", 1) for line in text.splitlines() if line[0] != "#"))
    assert set(written[0]) == wanted
    assert all(written[0][key] != written[1][key] for key in wanted)
    assert all(re.fullmatch(r"[\w=-]{24,}", value) for value in written[0].values())
    assert (tmp_path / "one").stat().st_mode & 0o777 == 0o600
    again = command("scripts/make-env", str(tmp_path / "one"))
    assert again.returncode == 1
    assert "is there already" in again.stderr
    assert (tmp_path / "one").read_text().count(written[0]["SANDBOX_TOKEN"]) == 1


def test_no_credential_has_a_default(compose: dict[str, Any]) -> None:
    """Without .env compose refuses to start and says what to run; nothing secret stands in it."""
    text = (ROOT / "docker-compose.yml").read_text()
    assert set(re.findall(r"(?<!\$)\$\{\w+([^}]*)\}", text)) == {":?run make env"}
    assert compose["services"]["postgres"]["environment"]["POSTGRES_PASSWORD"].startswith("${")


def test_the_demo_profile_fits_the_demo_program(compose: dict[str, Any]) -> None:
    """Connections, account and campaign of the demo profile are those of the demo program."""
    environment = compose["x-airflow"]["environment"]
    program = Program.load(find_program("demo.yaml"))
    for name in (program.connections.impact, program.connections.warehouse):
        assert f"AIRFLOW_CONN_{name.upper()}" in environment
    impact = environment[f"AIRFLOW_CONN_{program.connections.impact.upper()}"]
    assert ACCOUNT in impact
    assert f'"campaign_id": "{CAMPAIGN}"' in impact
    assert program.campaign_id == CAMPAIGN
    assert f"--account-sid={ACCOUNT}" in compose["services"]["sandbox"]["command"]


def test_help_lists_every_target() -> None:
    """`make` alone lists every command of the Makefile with what it does."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    listed = re.findall(r"^make (\w+) +\S", command("make").stdout, re.MULTILINE)
    assert phony is not None
    assert set(listed) == targets == set(phony.group(1).split())
    assert {"setup", "demo", "up", "sandbox", "test", "lint", "lock", "env", "clean"} <= targets


@pytest.mark.skipif(shutil.which("bash") is None, reason="the scripts are bash")
@pytest.mark.parametrize(
    "script", [".ci/run", "scripts/setup", "scripts/make-env", "scripts/compose-check"]
)
def test_scripts_are_sound(script: str) -> None:
    """Every script parses, can be run, and stops at the first error."""
    assert command("bash", "-n", script).returncode == 0
    assert os.access(ROOT / script, os.X_OK)
    assert "set -euo pipefail" in (ROOT / script).read_text()


def test_setup_refuses_a_python_that_does_not_fit(tmp_path: Path) -> None:
    """Where only an unfit Python is found, setup ends saying what to install."""
    for name in ("bash", "dirname", "cat", "cksum"):
        (tmp_path / name).symlink_to(shutil.which(name) or "")
    old = tmp_path / "python3"
    old.write_text("#!/bin/bash\nexit 1\n")
    old.chmod(0o755)
    done = command("bash", "scripts/setup", env={"PATH": str(tmp_path), "HOME": str(tmp_path)})
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1] == (
        "setup: needs Python 3.11, 3.12 or 3.13; on Debian: apt install python3 python3-venv"
    )
