"""The books of a run as tables for people."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

_MEANING = {
    "confirmed": "changed at impact.com, and the effect was read back",
    "already_settled": "the action already stood there; nothing was sent",
    "not_attributed": "no partner was credited with the order",
    "ignored": "voided, superseded, or a reason the program ignores",
    "locked": "the locking date has passed: the commission is lost",
    "held": "a person must decide",
    "rejected": "impact.com refused the change",
    "invalid": "the row breaks the contract",
    "planned": "not sent yet",
    "pending": "sent and not seen yet",
}


def balances(books: Mapping[str, Any]) -> bool:
    """Whether every line that was read or carried in has exactly one outcome."""
    counted = sum(entry["lines"] for entry in books["outcomes"].values())
    return bool(
        books["unexplained"] == 0
        and counted == books["lines"]
        and books["lines"] == books["read"] + books["carried_in"]
    )


def render(books: Mapping[str, Any]) -> RenderableType:
    """Outcomes, hold reasons, money and requests."""
    parts = (
        _outcomes(books),
        _held(books),
        _money(books),
        _foreign(books),
        _requests(books),
    )
    shown = [part for part in parts if part is not None]
    spaced = [part for pair in zip(shown, [Text()] * len(shown), strict=True) for part in pair]
    return Group(*spaced[:-1])


def show(books: Mapping[str, Any], console: Console) -> None:
    """Print the books, for a width of 80 columns or more; the run's id is never cut."""
    console.print()
    console.print(_headline(books), soft_wrap=True, highlight=False)
    console.print()
    console.print(render(books))
    console.print()


def _headline(books: Mapping[str, Any]) -> str:
    window = books["window"]
    return (
        f"Books of {books['program']}, run {books['run_id']}\n"
        f"window {window['start']} to {window['end']}\n"
        f"{books['lines']} return lines: {books['read']} read, {books['carried_in']} carried in"
    )


def _grid(*columns: str, left: int = 1) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number < left else "right", no_wrap=True)
    return table


def _outcomes(books: Mapping[str, Any]) -> RenderableType:
    table = _grid("outcome", "lines", "amount", "payout")
    table.add_column("meaning", overflow="fold")
    lines, amount, payout = 0, Decimal(0), Decimal(0)
    for name, meaning in _MEANING.items():
        entry = books["outcomes"].get(name)
        if not entry or not entry["lines"]:
            continue
        lines += entry["lines"]
        amount += Decimal(entry["amount"])
        payout += Decimal(entry["payout"])
        table.add_row(
            name, str(entry["lines"]), entry["amount"], entry["payout"], Text(meaning, "dim")
        )
    verdict = "the books balance" if balances(books) else "THE BOOKS DO NOT BALANCE"
    style = "green" if balances(books) else "bold red"
    table.add_row("total", str(lines), str(amount), str(payout), Text(verdict, style), style="bold")
    return table


def _held(books: Mapping[str, Any]) -> Table | None:
    reasons = {name: lines for name, lines in books["held"].items() if lines}
    if not reasons:
        return None
    table = _grid("held because", "lines")
    for name, lines in sorted(reasons.items(), key=lambda entry: (-entry[1], entry[0])):
        table.add_row(name, str(lines))
    return table


def _money(books: Mapping[str, Any]) -> RenderableType:
    currency = books["currency"]
    table = _grid("money", "")
    table.add_row(
        "commission recovered", Text(f"{books['commission_recovered']} {currency}", "bold green")
    )
    table.add_row(
        "commission lost to locking", Text(f"{books['commission_lost_to_locking']} {currency}")
    )
    if books["lines_without_money"]:
        table.add_row("lines without money", str(books["lines_without_money"]))
    return table


def _foreign(books: Mapping[str, Any]) -> Table | None:
    """Lines in currencies that the program does not settle in; their money is added to nothing."""
    if not books["other_currencies"]:
        return None
    table = _grid("other currency", "outcome", "lines", "amount", "payout", left=2)
    for currency, found in books["other_currencies"].items():
        for outcome, entry in found["outcomes"].items():
            if entry["lines"]:
                figures = (str(entry["lines"]), entry["amount"], entry["payout"])
                table.add_row(currency, outcome, *figures)
    return table


def _requests(books: Mapping[str, Any]) -> RenderableType:
    requests, changes = books["requests"], books["changes"]
    table = _grid("requests to impact.com", "")
    for kind, number in requests["by_kind"].items():
        if number:
            table.add_row(kind, str(number))
    table.add_row("total", str(requests["total"]), style="bold")
    table.add_row("changes confirmed", f"{changes['confirmed']} of {changes['planned']} planned")
    each = books["requests_per_confirmed_change"]
    table.add_row("requests per confirmed change", "-" if each is None else str(each))
    return table
