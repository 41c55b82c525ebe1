"""Weighs a plan against the program's thresholds, and tells a person what it would do."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from decimal import Decimal
from statistics import median
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, select, type_coerce

from clawback.ledger.changes import ChangeState
from clawback.ledger.runs import Run
from clawback.ledger.tables import actions, changes, runs
from clawback.ledger.types import Money
from clawback.money import ZERO
from clawback.program import Approval, Thresholds
from clawback.reconcile.books import money_text
from clawback.reconcile.facts import Verb
from clawback.steps.runtime import Runtime

LARGEST = 10
LOOK_BACK = 30
"""How many earlier runs tell what is usual."""
_FEWEST = 5
_SPREAD = 1.4826  # makes the median deviation comparable to a standard deviation
_DAY = timedelta(days=1)
# A difference of two amounts is an amount too, which SQLAlchemy does not know.
_DROP = type_coerce(changes.c.before_amount - changes.c.expected_amount, Money())
_STAKE = type_coerce(changes.c.before_payout - changes.c.expected_payout, Money())
_FIGURES = (
    func.count(),
    func.sum(case((changes.c.verb == Verb.REVERSE.value, 1), else_=0)),
    func.sum(_DROP),
    func.sum(_STAKE),
)


@dataclass(frozen=True, slots=True)
class Weight:
    """What some planned changes come to; money in the program's currency."""

    changes: int
    reversals: int
    amount: Decimal
    payout: Decimal


NOTHING = Weight(0, 0, ZERO, ZERO)


def weigh(rt: Runtime) -> dict[str, Any]:
    """What the run has planned, whether it goes over a threshold, and why; small JSON.

    `over` is true where a person must answer first, `waits` where that is so and the run is live;
    `ordinary` and `urgent` say which part of the plan that is (urgent changes are judged apart
    only where the program has thresholds for them); `meanwhile` counts those that go without.
    `fingerprint` is the same for the same changes. Without thresholds nothing is ever over.
    """
    run, limits = rt.run(), rt.program.approval
    with rt.ledger.read() as conn:
        parts = {
            urgent: _weight(conn, run, changes.c.urgent.is_(urgent)) for urgent in (False, True)
        }
        revenue = _revenue(conn, rt, run) if _needs_revenue(limits) else None
        largest = _largest(conn, run)
        unusual = list(_unusual(conn, run))
        fingerprint = fingerprint_of(conn, run)
        meanwhile = _approved(conn, run)
    whole = _sum(parts[False], parts[True])
    ordinary, urgent = _judged(limits, parts[False], parts[True], rt.program.currency, revenue)
    told = {
        "over": bool(ordinary or urgent),
        "waits": bool(ordinary or urgent) and not run.dry_run,
        "why": [*ordinary, *(f"urgent changes: {text}" for text in urgent)],
        "ordinary": bool(ordinary),
        "urgent": bool(urgent or (ordinary and limits.urgent is None)),
        "program": run.program,
        "run_id": run.id,
        "currency": rt.program.currency,
        "changes": whole.changes,
        "urgent_changes": parts[True].changes,
        "meanwhile": meanwhile,
        "reversals": whole.reversals,
        "amount": money_text(whole.amount, rt.program.currency),
        "payout": money_text(whole.payout, rt.program.currency),
        "day_revenue": None if revenue is None else money_text(revenue, rt.program.currency),
        "largest": largest,
        "unusual": unusual,
        "fingerprint": fingerprint,
    }
    return told | {"markdown": markdown(told)}


def planned(run: Run) -> ColumnElement[bool]:
    """The changes of a run that wait for a word (of a dry run: that a live one would send).

    What is approved already, as urgent changes within their own threshold are, is none of them,
    and neither is what waits for the canary.
    """
    state = ChangeState.DRY if run.dry_run else ChangeState.PLANNED
    unasked = changes.c.approved.is_(None)
    return (changes.c.run_id == run.id) & (changes.c.state == state) & unasked


def _made(run: Run) -> ColumnElement[bool]:
    """Every change that a run has planned, whatever became of it."""
    dry = changes.c.state == ChangeState.DRY
    return (changes.c.run_id == run.id) & (dry if run.dry_run else ~dry)


def _weight(conn: Connection, run: Run, which: ColumnElement[bool]) -> Weight:
    here = select(*_FIGURES).where(planned(run), which)
    n, reversals, amount, payout = conn.execute(here).one()
    return Weight(n, int(reversals or 0), amount or ZERO, payout or ZERO)


def _approved(conn: Connection, run: Run) -> int:
    here = select(func.count()).where(_made(run), changes.c.approved.is_(True))
    return int(conn.scalar(here) or 0)


def _sum(one: Weight, other: Weight) -> Weight:
    mine, theirs = asdict(one), asdict(other)
    return Weight(**{name: mine[name] + theirs[name] for name in mine})


def _judged(
    limits: Approval, ordinary: Weight, urgent: Weight, currency: str, revenue: Decimal | None
) -> tuple[list[str], list[str]]:
    """Why the ordinary and the urgent part of a plan go over; urgent is judged apart if asked."""
    if limits.urgent is None:
        return list(_over(limits, _sum(ordinary, urgent), currency, revenue)), []
    return (
        list(_over(limits, ordinary, currency, revenue)),
        list(_over(limits.urgent, urgent, currency, revenue)),
    )


def _over(
    limits: Thresholds, weight: Weight, currency: str, revenue: Decimal | None
) -> Iterator[str]:
    if not weight.changes:
        return
    if limits.changes is not None and weight.changes > limits.changes:
        yield f"{weight.changes:,} changes, {limits.changes:,} go without approval"
    for what, value, limit in (
        ("sales taken off", weight.amount, limits.amount),
        ("commission taken back", weight.payout, limits.payout),
    ):
        if limit is not None and value > limit:
            yield f"{what}: {value:,.2f} {currency}, {limit:,.2f} go without approval"
    share = limits.revenue_share
    if share is None:
        return
    if not revenue:
        yield "no sale of the last day is listed, so the share of its revenue cannot be told"
    elif weight.amount > share * revenue:
        yield (
            f"{weight.amount / revenue:.1%} of the last day's attributed revenue, "
            f"{share:.1%} go without approval"
        )


def _needs_revenue(limits: Approval) -> bool:
    parts = (limits, limits.urgent or limits)
    return any(part.revenue_share is not None for part in parts)


def _revenue(conn: Connection, rt: Runtime, run: Run) -> Decimal:
    """What was attributed in the last day, as reported at first."""
    now = rt.clock.now()
    first = func.coalesce(actions.c.original_amount, actions.c.amount, type_=actions.c.amount.type)
    here = select(func.sum(first)).where(
        actions.c.account == run.account,
        actions.c.campaign_id == rt.program.campaign_id,
        actions.c.event_at > now - _DAY,
        actions.c.event_at <= now,
    )
    return conn.scalar(here) or ZERO


def _largest(conn: Connection, run: Run) -> list[dict[str, Any]]:
    here = (
        select(changes, _STAKE.label("stake"), actions.c.partner_name, actions.c.oid)
        .outerjoin(
            actions,
            (actions.c.account == changes.c.account) & (actions.c.id == changes.c.action_id),
        )
        .where(planned(run))
        .order_by(_STAKE.desc(), changes.c.id)
        .limit(LARGEST)
    )
    return [
        {
            "order_id": row["oid"] or row["order_key"],
            "action_id": row["action_id"],
            "partner": row["partner_name"] or "",
            "verb": row["verb"],
            "reason": row["reason"],
            "amount": money_text(row["before_amount"] - row["expected_amount"], row["currency"]),
            "payout": money_text(row["stake"], row["currency"]),
            "currency": row["currency"],
            "locking_at": row["locking_at"].isoformat() if row["locking_at"] else None,
        }
        for row in conn.execute(here).mappings()
    ]


def fingerprint_of(conn: Connection, run: Run) -> str:
    """The same for the same planned changes, whatever their order."""
    ids = conn.scalars(select(changes.c.id).where(planned(run)).order_by(changes.c.id))
    digest = hashlib.sha256()
    for change_id in ids:
        digest.update(change_id.encode())
    return digest.hexdigest()[:32]


def _unusual(conn: Connection, run: Run) -> Iterator[str]:
    """What of this plan stands out against the program's last runs."""
    before = _earlier(conn, run)
    if len(before) < _FEWEST:
        return
    mine = _history(conn, [run.id], _made(run)).get(run.id, NOTHING)
    past = list(_history(conn, before, changes.c.state != ChangeState.DRY).values())
    past += [NOTHING] * (len(before) - len(past))
    for what, value, values in (
        ("changes", mine.changes, [w.changes for w in past]),
        ("reversals of whole orders", mine.reversals, [w.reversals for w in past]),
        ("sales taken off", mine.amount, [w.amount for w in past]),
        ("commission taken back", mine.payout, [w.payout for w in past]),
    ):
        numbers = [float(v) for v in values]
        if float(value) > _bound(numbers):
            yield f"{what}: {value:,}, usually about {median(numbers):,.0f} a run"
    new = _codes(conn, [run.id]) - _codes(conn, before)
    if new and any(w.changes for w in past):
        yield f"codes not used in the last {len(before)} runs: {', '.join(sorted(new))}"


def _bound(values: Sequence[float]) -> float:
    """Above this a figure is unusual: three deviations over the median, at least a third of it."""
    middle = median(values)
    deviation = median([abs(v - middle) for v in values])
    return middle + 3 * max(_SPREAD * deviation, 0.1 * middle)


def _earlier(conn: Connection, run: Run) -> list[str]:
    here = select(runs.c.id).where(
        runs.c.program == run.program,
        runs.c.id != run.id,
        runs.c.closed_at.is_not(None),
        runs.c.dry_run.is_(False),
    )
    return list(conn.scalars(here.order_by(runs.c.closed_at.desc()).limit(LOOK_BACK)))


def _history(conn: Connection, ids: Sequence[str], which: ColumnElement[bool]) -> dict[str, Weight]:
    rows = conn.execute(
        select(changes.c.run_id, *_FIGURES)
        .where(changes.c.run_id.in_(ids), which)
        .group_by(changes.c.run_id)
    )
    return {run_id: Weight(n, int(r), amount, payout) for run_id, n, r, amount, payout in rows}


def _codes(conn: Connection, ids: Sequence[str]) -> set[str]:
    return set(conn.scalars(select(changes.c.reason).where(changes.c.run_id.in_(ids)).distinct()))


def markdown(told: Mapping[str, Any]) -> str:
    """What `weigh` found, for the person who is to answer."""
    money = f"{told['amount']} {told['currency']} of sales, {told['payout']} of commission"
    counts = f"{told['reversals']:,} whole orders, {told['urgent_changes']:,} urgent"
    head = [
        f"**{told['changes']:,} changes** of {told['program']}: {money}, {counts}.",
        "",
        *(f"- over the threshold: {text}" for text in told["why"]),
        *(f"- unusual: {text}" for text in told["unusual"]),
    ]
    if told["meanwhile"]:
        head.append(f"- {told['meanwhile']:,} more are within their threshold and go meanwhile")
    if not told["largest"]:
        return "\n".join(head)
    table = [
        "",
        "| order | partner | what | commission | locks |",
        "|---|---|---|---:|---|",
        *(_row(one) for one in told["largest"]),
    ]
    return "\n".join([*head, *table])


def _row(one: Mapping[str, Any]) -> str:
    locks = (one["locking_at"] or "open")[:10]
    what = f"{one['verb']} ({one['reason']})"
    cells = (one["order_id"], one["partner"], what, f"{one['payout']} {one['currency']}", locks)
    return "| " + " | ".join(_cell(str(cell)) for cell in cells) + " |"


def _cell(text: str) -> str:
    """Text of others in a table of Markdown: one line, and nothing in it that is markup."""
    return _MARKUP.sub(r"\\\g<0>", " ".join(text.split()))


_MARKUP = re.compile(r"[\\|`*_\[\]<>!#~]")
