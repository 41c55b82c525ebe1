"""An Airflow of the tests' own: settings that must stand before Airflow is imported first."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MARK = "CLAWBACK_TESTS_AIRFLOW_HOME"
"""Says whose home it is: a child process (pytest-xdist) inherits the variables, not the home."""
FERNET_KEY = "Zm9yIHRlc3RzIG9ubHksIG9wZW5zIG5vdGhpbmchISE="


def prepare() -> Path:
    """Point Airflow at a fresh home and the project's Dags; once for a process."""
    owner, _, known = os.environ.get(MARK, "").partition(":")
    if owner == str(os.getpid()):
        return Path(known)
    home = Path(tempfile.mkdtemp(prefix="clawback-airflow-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    for name in [name for name in os.environ if name.startswith("AIRFLOW")]:
        del os.environ[name]
    os.environ.update(
        {
            MARK: f"{os.getpid()}:{home}",
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__API_AUTH__JWT_SECRET": "x" * 96,
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
            # A retry is waited for in real time.
            "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1",
            "AIRFLOW__CORE__FERNET_KEY": FERNET_KEY,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db?timeout=60",
        }
    )
    return home
