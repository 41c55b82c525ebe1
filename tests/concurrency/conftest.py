"""The worker processes that work at once."""

from collections.abc import Iterator

import pytest

from workers import Workers


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with Workers() as started:
        yield started
