"""Two runs with every kind of end on each database, and a reader of the page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from clawback.ledger.store import Ledger
from clawback.monitor.site import Reader
from lab import Lab, action, back, cancelled

HOSTILE = "<script>alert('x')</script>"
RUN = "returns_reconciliation__lab/manual__2026-11-20T12:00:00+00:00"
DRY = "returns_reconciliation__lab/manual__2026-11-20T13:00:00+00:00"
FIVE = [f"F-{n}" for n in range(1, 6)]


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str:
    """SQLite, unless the test asks for another by an indirect parameter."""
    return str(getattr(request, "param", "sqlite"))


@pytest.fixture
def reader() -> Reader:
    """Somebody who may see everything."""
    return Reader("/returns", "", lambda _program: True)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """To look at only: a run whose names are hostile, and a dry one with a plan of five changes.

    The first has confirmed two orders, holds one, and has found no action for another. Of the
    five, the later its number the larger the change.
    """
    home = tmp_path_factory.mktemp("ran")
    with ExitStack() as stack:
        url = f"sqlite:///{home}/ledger.db"
        if request.param == "postgresql":
            template = request.getfixturevalue("upgraded_postgres")
            make = request.getfixturevalue("database_of")
            url = stack.enter_context(make(request.getfixturevalue("postgres_uri"), template))
        ledger = stack.enter_context(Ledger.open(url))
        patched = stack.enter_context(pytest.MonkeyPatch.context())
        lab = stack.enter_context(Lab.open(home, ledger, patched, sold(), {}))
        lab.rows = [back("O-1"), cancelled("=1+1"), back("O-3", HOSTILE), back("O-4")]
        lab.run(run_id=RUN)
        lab.pass_time(hours=1)
        lab.rows = [back(order, at=lab.clock.now()) for order in FIVE]
        lab.run(run_id=DRY, dry_run=True)
        yield lab


def sold() -> list[dict[str, object]]:
    return [
        action("O-1", ("A", 2, "40.00"), MediaPartnerName=f"{HOSTILE} & Sons"),
        action("=1+1", ("A", 2, "4000.00")),
        action("O-3"),
        *(action(order, ("A", 2, f"{100 * n}.00")) for n, order in enumerate(FIVE, 1)),
    ]
