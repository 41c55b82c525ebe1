"""The books as people see them."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from clawback.demo import report


def shown(books: dict[str, Any], width: int = 100) -> str:
    out = StringIO()
    report.show(books, Console(width=width, file=out))
    return out.getvalue()


def words(text: str, first: str) -> list[str]:
    """The words of the line that starts with `first`."""
    return next(line.split() for line in text.splitlines() if line.startswith(first))


def test_every_outcome_that_occurs_has_a_row(books: dict[str, Any]) -> None:
    """Outcomes stand with lines, amount and payout, and add up; empty ones are left out."""
    text = shown(books)
    assert words(text, "confirmed")[:4] == ["confirmed", "7", "12.34", "1.23"]
    assert words(text, "total")[:4] == ["total", "10", "15.34", "1.43"]
    assert "the books balance" in text
    assert "pending" not in text


def test_holds_money_and_requests_are_told(books: dict[str, Any]) -> None:
    """Hold reasons come with their number, money with its currency, requests by kind."""
    text = shown(books)
    assert words(text, "unknown_sku") == ["unknown_sku", "2"]
    assert "contested" not in text
    assert words(text, "commission recovered") == ["commission", "recovered", "123.45", "USD"]
    assert words(text, "commission lost")[-2:] == ["6.78", "USD"]
    assert words(text, "modify") == ["modify", "5"]
    assert words(text, "requests per confirmed change")[-1] == "1.5"
    assert words(text, "changes confirmed")[2:] == ["6", "of", "7", "planned"]


def test_no_confirmed_change_is_no_division(books: dict[str, Any]) -> None:
    """A run that confirmed nothing shows a dash where the ratio would stand."""
    text = shown(books | {"requests_per_confirmed_change": None})
    assert words(text, "requests per confirmed change")[-1] == "-"


@pytest.mark.parametrize(
    ("key", "value"), [("unexplained", 1), ("lines", 11), ("read", 8), ("carried_in", 3)]
)
def test_books_that_do_not_balance_say_so(books: dict[str, Any], key: str, value: int) -> None:
    """A line that is missing, unexplained or of unknown origin is shouted out."""
    wrong = books | {key: value}
    assert report.balances(books)
    assert not report.balances(wrong)
    assert "DO NOT BALANCE" in shown(wrong)


def test_it_fits_a_narrow_terminal(books: dict[str, Any]) -> None:
    """Names and figures are never cut at 80 columns."""
    assert "\u2026" not in shown(books, width=80)
