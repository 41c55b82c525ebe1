"""Simple orders are written down without the rules' objects, and come out just the same."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection

from clawback.clock import Clock
from clawback.ledger import runs
from clawback.ledger.bulk import insert_rows
from clawback.ledger.store import Ledger
from clawback.ledger.tables import actions, items, reads, return_lines
from clawback.program import Program
from clawback.reconcile.facts import Learned
from clawback.steps.brisk import Brisk, in_units
from clawback.steps.columns import Sheet
from clawback.steps.load import Raw
from clawback.steps.preflight import preflight
from clawback.steps.runtime import RunKind, RunRequest, Runtime
from clawback.steps.sheet import Brief, Planner

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ACCOUNT = "IRbrisk"
ORDERS = 600
PROGRAM = {
    "name": "brisk",
    "campaign_id": "1000",
    "currency": "USD",
    "reasons": {"map": {"damaged": {"modify": "OTHER", "reverse": "ORDER_ERROR"}}},
}
_LINE = (
    *("program", "order_id", "return_id", "sku", "variant", "order_key", "status", "kind"),
    *("quantity", "amount", "currency", "reason", "returned_at", "updated_at", "ordered_at"),
    *("ordered_quantity", "ordered_amount", "voided", "vanished", "parent_sku", "content"),
    *("read_no", "seen_no", "outcome"),
)
_ACTION = (
    *("account", "id", "campaign_id", "tracker_id", "partner_id", "partner_name", "oid"),
    *("order_key", "state", "amount", "payout", "currency", "event_at", "created_at"),
    *("locking_at", "original_amount", "original_payout", "modifications", "generation"),
    *("planned_generation", "stale", "moved_run", "seen_at"),
)
_ITEM = (
    *("account", "action_id", "position", "sku", "quantity", "amount"),
    *("original_quantity", "original_amount", "source", "touched"),
)
Rows = list[tuple[Any, ...]]


def world(seed: int) -> tuple[Rows, Rows, Rows]:
    """Orders of one line, one action and a few items, with figures that are awkward to round."""
    dice = random.Random(seed)  # noqa: S311 - no secret
    lines: Rows = []
    held: Rows = []
    sold: Rows = []
    for n in range(ORDERS):
        key, currency = f"O{n:05}", dice.choice(("USD", "USD", "USD", "EUR", "JPY", "KWD"))
        places = {"JPY": 0, "KWD": 3}.get(currency, 2)
        own = [
            (f"S{m}", dice.randint(1, 7), _money(dice, places, dice.choice((0, 4, 6))))
            for m in range(dice.randint(1, 3))
        ]
        total = sum((amount for _, _, amount in own), Decimal(0))
        payout = (total * dice.randint(1, 30) / 100).quantize(Decimal(1).scaleb(-places))
        locking = dice.choice((None, *(NOW + timedelta(hours=h) for h in (1, 2, 500, 500, -1))))
        generation = dice.randint(0, 2)
        state = dice.choice(("PENDING", "PENDING", "APPROVED", "REVERSED"))
        held.append(
            (
                *(ACCOUNT, f"1000.{n}", "1000", "7", "1", "Partner", key, key, state, total),
                *(payout, currency, NOW, NOW, locking, total, dice.choice((payout, payout, None))),
                *(dice.choice((0, 0, 995)), generation, dice.choice((None, generation))),
                *(False, "run", NOW),
            )
        )
        for position, (sku, quantity, amount) in enumerate(own):
            source = dice.choice(("creation_record", "untouched_item", "first_sight", None))
            figures = (quantity, amount, quantity, amount)
            sold.append((ACCOUNT, f"1000.{n}", position, sku, *figures, source, False))
        lines.append(_returned(dice, key, currency, own[0], places))
    return lines, held, sold


def _money(dice: random.Random, places: int, digits: int) -> Decimal:
    return Decimal(dice.randint(0, 10 ** (places + digits))).scaleb(-places)


def _returned(
    dice: random.Random, key: str, currency: str, item: tuple[Any, ...], places: int
) -> tuple[Any, ...]:
    sku, quantity, cost = item
    units = dice.randint(1, quantity)
    share = (cost * units / quantity).quantize(Decimal(1).scaleb(-places))
    amount = dice.choice((None, None, share, share + 1, cost))
    ordered = dice.choice(((None, None), (quantity, cost), (quantity, None), (quantity, cost + 1)))
    reason = dice.choice(("damaged", "late", None))
    paid_in = dice.choice((currency,) * 9 + ("ZAR",))
    return (
        *("brisk", key, "R1", sku, "", key, "valid", "return", units, amount, paid_in, reason),
        *(NOW, NOW, NOW, *ordered, False, False, "", "", 1, 1),
        dice.choice((None, "planned", "confirmed")),
    )


def filled(ledger: Ledger, seed: int, *, dry: bool) -> Runtime:
    rt = Runtime(ledger, Program.model_validate(PROGRAM), Clock.at(NOW), "run")
    preflight(rt, RunRequest(RunKind.MANUAL, dry_run=dry), ACCOUNT)
    lines, held, sold = world(seed)
    with ledger.begin() as conn:
        insert_rows(conn, return_lines, _LINE, lines)
        insert_rows(conn, actions, _ACTION, held)
        insert_rows(conn, items, _ITEM, sold)
        read = [("brisk", 1, number) for number in range(1, ORDERS + 1) if number % 5]
        insert_rows(conn, reads, ("program", "read_no", "line_id"), read)
        runs.set_run(conn, rt.run_id, read_no=1)
    return rt


def sheet(conn: Connection, rt: Runtime) -> Sheet:
    brief = Brief(rt.run(), rt.program, Learned(), NOW, (), NOW)
    return Planner(brief).sheet(conn, [f"O{n:05}" for n in range(ORDERS)])


def values(made: Sheet) -> dict[str, Any]:
    """A sheet's rows, in one order, with the kind of every value."""
    return {
        name: sorted(map(_said, rows)) if isinstance(rows, list) else rows
        for name, rows in asdict(made).items()
    }


def _said(row: tuple[Any, ...]) -> str:
    return repr([str(v) if isinstance(v, str) else _alike(v) for v in row])


def _alike(value: Any) -> Any:
    """Times that are one moment, and decimals that are one amount, look alike."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return value.normalize() if isinstance(value, Decimal) else value


@pytest.mark.parametrize(("seed", "dry"), [(1, False), (2, True), (3, False)])
def test_simple_orders_come_out_as_by_the_rules(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, seed: int, *, dry: bool
) -> None:
    """Row for row and value for value, whichever way an order goes."""
    rt = filled(ledger, seed, dry=dry)
    with ledger.read() as conn:
        quickly = sheet(conn, rt)
        monkeypatch.setattr(Brisk, "sheet", _none)
        by_rule = sheet(conn, rt)
    assert values(quickly) == values(by_rule)
    assert len(by_rule.changes) > ORDERS / 10


def _none(_: Brisk, __: Raw, keys: Sequence[str], ___: int) -> tuple[Sheet, list[str]]:
    return Sheet(), list(keys)


def test_most_simple_orders_go_the_brisk_way(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the comparison is about does happen: by item, and as a whole, in every currency."""
    rt, taken = filled(ledger, 1, dry=False), Sheet()
    usual = Brisk.sheet

    def watched(self: Brisk, raw: Raw, keys: Sequence[str], n: int) -> tuple[Sheet, list[str]]:
        nonlocal taken
        taken, rest = usual(self, raw, keys, n)
        return taken, rest

    monkeypatch.setattr(Brisk, "sheet", watched)
    with ledger.read() as conn:
        sheet(conn, rt)
    told = {(row[6], row[10]) for row in taken.changes}
    assert {(v, c) for v in ("modify", "reverse") for c in ("USD", "JPY", "KWD")} <= told
    assert len(taken.seen) < len(taken.changes)


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (50_000_000, "USD", "50.00"),
        (10_000, "USD", "0.01"),
        (667_000_000, "JPY", "667"),
        (6_667_000, "KWD", "6.667"),
    ],
)
def test_an_amount_has_its_currencys_places(amount: int, currency: str, text: str) -> None:
    """Millionths are written as the decimal that the rules round to."""
    assert in_units(amount, currency) == text
