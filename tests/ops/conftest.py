"""Operations run on a file ledger; the tests that write SQL of their own ask for both databases."""

from __future__ import annotations

import pytest


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str:
    """SQLite, unless the test asks for another by an indirect parameter."""
    return str(getattr(request, "param", "sqlite"))
