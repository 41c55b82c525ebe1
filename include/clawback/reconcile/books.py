"""The books of a run: every line in one outcome, in lines and in money, and nothing unexplained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from clawback.money import ZERO, quantize
from clawback.reconcile.outcomes import Hold, Outcome

CHANGES = ("planned", "submitted", "confirmed", "rejected")
REQUESTS = (
    *("list_actions", "list_action_updates", "list_items"),
    *("modify", "reverse", "get_submission"),
)


class Row(NamedTuple):
    """One line of a run as the books see it, or the money of a further action of a line.

    `outcome` None is a line that nothing explains. `counted` says that the line became final in
    this run. `own` is False for the money of a line whose own row stands elsewhere.
    """

    outcome: Outcome | None
    hold: Hold | None = None
    amount: Decimal | None = None
    payout: Decimal | None = None
    currency: str = ""
    counted: bool = False
    carried: bool = False
    own: bool = True


class Head(NamedTuple):
    """Whose books these are. `read` and `carried_in` are the lines that the run took up."""

    program: str
    run_id: str
    start: datetime
    end: datetime
    currency: str
    read: int
    carried_in: int


@dataclass(slots=True)
class Total:
    """Lines and money of one outcome in one currency."""

    lines: int = 0
    amount: Decimal = ZERO
    payout: Decimal = ZERO

    def to_json(self, currency: str) -> dict[str, Any]:
        return {
            "lines": self.lines,
            "amount": money_text(self.amount, currency),
            "payout": money_text(self.payout, currency),
        }


@dataclass(slots=True)
class Money:
    """What lines in one currency come to: by outcome, recovered, and lost to locking."""

    outcomes: dict[Outcome, Total] = field(default_factory=dict)
    recovered: Decimal = ZERO
    lost: Decimal = ZERO

    def add(self, row: Row) -> None:
        if row.outcome is None:
            return
        total = self.outcomes.get(row.outcome)
        if total is None:
            total = self.outcomes[row.outcome] = Total()
        if row.own:
            total.lines += 1
        if row.amount is not None:
            total.amount += row.amount
        if row.payout is not None:
            total.payout += row.payout
            if row.counted and row.outcome is Outcome.CONFIRMED:
                self.recovered += row.payout
            elif row.counted and row.outcome is Outcome.LOCKED:
                self.lost += row.payout


@dataclass(slots=True)
class Books:
    """The outcomes of a run. Money is in `head.currency`, or stands under `other` by currency."""

    head: Head
    lines: dict[Outcome, int]
    held: dict[Hold, int]
    own: Money
    other: dict[str, Money]
    lines_without_money: int
    unexplained: int
    changes: dict[str, int]
    requests: dict[str, int]

    @property
    def balances(self) -> bool:
        """Whether lines read plus lines carried in are the sum over outcomes."""
        return not self.unexplained

    @property
    def requests_per_confirmed_change(self) -> float | None:
        """None where nothing was confirmed."""
        confirmed = self.changes["confirmed"]
        return round(sum(self.requests.values()) / confirmed, 2) if confirmed else None

    def to_json(self) -> dict[str, Any]:
        """The books as books.json says them; money as decimal strings."""
        head, currency = self.head, self.head.currency
        return {
            "program": head.program,
            "run_id": head.run_id,
            "window": {"start": _time_text(head.start), "end": _time_text(head.end)},
            "lines": head.read + head.carried_in,
            "read": head.read,
            "carried_in": head.carried_in,
            "outcomes": {o.value: self._outcome(o) for o in Outcome},
            "held": {hold.value: self.held[hold] for hold in Hold if hold in self.held},
            "unexplained": self.unexplained,
            "changes": self.changes,
            "requests": {"total": sum(self.requests.values()), "by_kind": self.requests},
            "requests_per_confirmed_change": self.requests_per_confirmed_change,
            "currency": currency,
            "commission_recovered": money_text(self.own.recovered, currency),
            "commission_lost_to_locking": money_text(self.own.lost, currency),
            "lines_without_money": self.lines_without_money,
            "other_currencies": {c: _other(self.other[c], c) for c in sorted(self.other)},
        }

    def _outcome(self, outcome: Outcome) -> dict[str, Any]:
        """All lines of an outcome, whatever their currency; its money in the program's own."""
        told = self.own.outcomes.get(outcome, Total()).to_json(self.head.currency)
        return told | {"lines": self.lines.get(outcome, 0)}


def balance(
    head: Head,
    rows: Iterable[Row],
    *,
    changes: Mapping[str, int],
    requests: Mapping[str, int],
) -> Books:
    """Build the books from a stream of rows; nothing but totals is kept.

    `unexplained` counts rows without an outcome, and every line read or carried in that no row
    speaks of, or that more rows speak of than were taken up.
    """
    books = Books(
        head=head,
        lines={},
        held={},
        own=Money(),
        other={},
        lines_without_money=0,
        unexplained=0,
        changes={name: changes.get(name, 0) for name in CHANGES},
        requests={name: requests.get(name, 0) for name in REQUESTS}
        | {name: n for name, n in sorted(requests.items()) if n and name not in REQUESTS},
    )
    read = carried = 0
    for row in rows:
        if row.own:
            carried += row.carried
            read += not row.carried
            _count(books, row)
        _money_of(books, row).add(row)
    books.unexplained += abs(head.read - read) + abs(head.carried_in - carried)
    return books


def _count(books: Books, row: Row) -> None:
    if row.outcome is None:
        books.unexplained += 1
        return
    books.lines[row.outcome] = books.lines.get(row.outcome, 0) + 1
    if row.hold is not None and row.outcome is Outcome.HELD:
        books.held[row.hold] = books.held.get(row.hold, 0) + 1
    if row.amount is None:
        books.lines_without_money += 1


def _money_of(books: Books, row: Row) -> Money:
    if not row.currency or row.currency == books.head.currency:
        return books.own
    return books.other.setdefault(row.currency, Money())


def _other(money: Money, currency: str) -> dict[str, Any]:
    return {
        "outcomes": {
            o.value: money.outcomes[o].to_json(currency) for o in Outcome if o in money.outcomes
        },
        "commission_recovered": money_text(money.recovered, currency),
        "commission_lost_to_locking": money_text(money.lost, currency),
    }


def money_text(amount: Decimal, currency: str) -> str:
    """An amount as a decimal string with the digits of its currency."""
    return format(quantize(amount, currency), "f")


def _time_text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
