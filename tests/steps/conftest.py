"""Makes `oracle` importable, and opens labs that several tests look into."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from clawback.ledger.store import Ledger
from lab import Lab


@contextmanager
def _opened(home: Path, empty: Path, **settings: Any) -> Iterator[Lab]:
    shutil.copy(empty, home / "ledger.db")
    with (
        pytest.MonkeyPatch.context() as patch,
        Ledger.open(f"sqlite:///{home / 'ledger.db'}") as ledger,
        Lab.open(home, ledger, patch, settings.pop("actions", ()), settings) as lab,
    ):
        yield lab


@pytest.fixture(scope="module")
def shared_lab(tmp_path_factory: pytest.TempPathFactory, upgraded_sqlite: Path) -> Any:
    """Opens a lab for a whole module: `with shared_lab(world=path) as lab`."""
    return lambda **settings: _opened(tmp_path_factory.mktemp("lab"), upgraded_sqlite, **settings)
