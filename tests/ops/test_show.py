"""Show: a run's plan as a table and as CSV, and its shards in a few words."""

from __future__ import annotations

import csv
from collections.abc import Callable
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from clawback.cli import app
from clawback.money import in_words
from clawback.program import Program
from clawback.steps import show
from lab import Lab, action, back

Maker = Callable[..., Lab]


def seen(lab_of: Maker, orders: int = 3, **run: Any) -> Lab:
    """A lab whose last run has planned a change for each of some orders."""
    lab = lab_of([action(f"O-{n}", ("A", 2, f"{2000 * n}.00")) for n in range(1, orders + 1)])
    lab.rows = [back(f"O-{n}") for n in range(1, orders + 1)]
    lab.choices["approval"] = {"changes": 0}
    lab.run(world=lab.world(approved_by=None), **run)
    return lab


def rows(lab: Lab) -> list[dict[str, str]]:
    out = StringIO()
    assert show.write_csv(lab.runtime(lab.last_run), out) == len(out.getvalue().splitlines()) - 1
    return list(csv.DictReader(StringIO(out.getvalue())))


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_plan_is_a_row_a_change(lab_of: Maker, dry_run: bool) -> None:
    """Dry or live, each planned change stands there with its money before and after."""
    lab = seen(lab_of, dry_run=dry_run)
    found = {row["order_id"]: row for row in rows(lab)}
    assert set(found) == {"O-1", "O-2", "O-3"}
    one = found["O-2"]
    assert (one["sales_before"], one["sales_after"]) == ("4000.00", "2000.00")
    assert (one["commission_before"], one["commission_after"]) == ("400.00", "200.00")
    assert one["state"] == ("dry" if dry_run else "planned")
    assert tuple(one) == show.COLUMNS


def test_a_long_plan_is_cut_and_the_command_for_all_of_it_named(lab_of: Maker) -> None:
    """The log shows the first rows and says how to get the rest."""
    rt = (lab := seen(lab_of)).runtime(lab.last_run)
    whole, cut = show.table(rt), show.table(rt, most=1)
    assert all(order in whole for order in ("O-1", "O-2", "O-3"))
    assert "O-3" in cut
    assert "O-1" not in cut
    assert f"clawback plan lab --run '{lab.last_run}' --csv" in cut


def test_a_shard_is_named_by_its_changes_and_money(lab_of: Maker) -> None:
    """The commission at stake, in the program's currency and whole units."""
    rt = (lab := seen(lab_of)).runtime(lab.last_run)
    assert show.labels(rt) == ["shard 0 · 3 changes · $600"]


@pytest.mark.parametrize(
    ("amount", "currency", "said"),
    [
        ("4120.40", "USD", "$4,120"),
        ("310", "EUR", "€310"),
        ("4119.5", "CHF", "4,120 CHF"),
        ("7", "CAD", "CA$7"),
        ("12000", "JPY", "¥12,000"),
    ],
)
def test_money_in_words_knows_its_currency(amount: str, currency: str, said: str) -> None:
    """A sign where one is known and plain, else the code."""
    assert in_words(Decimal(amount), currency) == said


def test_a_cell_is_never_a_formula(lab_of: Maker) -> None:
    """What a partner or an order is called is text to a spreadsheet, and stays on its line."""
    lab = lab_of([action("=1+1", MediaPartnerName="@SUM(A1)\n\x1b[31m")])
    lab.rows = [back("=1+1")]
    lab.run(dry_run=True)
    [row] = rows(lab)
    assert row["order_id"] == "'=1+1"
    assert row["partner"].startswith("'@SUM(A1)")
    assert "\x1b" not in show.table(lab.runtime(lab.last_run))


def test_the_plan_is_kept_where_it_is_asked_for(
    lab_of: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CLAWBACK_PLANS names a folder; a file a run, whatever the run is called."""
    lab = seen(lab_of)
    rt = lab.runtime(lab.last_run)
    monkeypatch.delenv(show.PLANS_ENV, raising=False)
    assert show.keep_csv(rt) is None
    monkeypatch.setenv(show.PLANS_ENV, str(tmp_path / "plans"))
    path = show.keep_csv(rt)
    assert path is not None
    assert path.parent == tmp_path / "plans"
    assert len(path.read_text().splitlines()) == 4


def test_the_command_prints_table_and_csv(lab_of: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """`clawback plan` shows the last run, or the one that is named."""
    lab = seen(lab_of)
    url = lab.ledger.engine.url.render_as_string(hide_password=False)
    monkeypatch.setenv("CLAWBACK_LEDGER_URL", url)
    program = lab.home / "lab.yaml"
    program.write_text("{name: lab, campaign_id: 1000, currency: USD}")
    shown = CliRunner().invoke(app, ["plan", str(program)])
    assert shown.exit_code == 0, shown.output
    assert lab.last_run in shown.output
    as_csv = CliRunner().invoke(app, ["plan", str(program), "--run", lab.last_run, "--csv"])
    assert as_csv.output.startswith("order_id,action_id,")
    wrong = CliRunner().invoke(app, ["plan", str(program), "--run", "nope"])
    assert wrong.exit_code == 1
    assert "holds no run 'nope'" in wrong.output


@pytest.mark.parametrize(
    ("url", "page"),
    [
        ("https://app.impact.com", "https://app.impact.com"),
        ("https://x.test/a/{action_id}?o={order_id}", "https://x.test/a/1000.1?o=A%2F%261"),
    ],
)
def test_an_action_has_a_page(url: str, page: str) -> None:
    """The program file says where; ids are made safe for an address."""
    given = {"name": "x", "campaign_id": "1", "currency": "USD", "action_url": url}
    assert Program.model_validate(given).page_of_action("1000.1", "A/&1") == page


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://x.test/{action}", "app"])
def test_a_page_is_a_web_address(url: str) -> None:
    """Anything else is refused with the key."""
    given = {"name": "x", "campaign_id": "1", "currency": "USD", "action_url": url}
    with pytest.raises(ValueError, match="action_url"):
        Program.model_validate(given)
