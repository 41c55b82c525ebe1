"""The doctor's look at an impact.com account: five reads, and what they say of the set-up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import TypeVar

from clawback.clock import Clock
from clawback.impact.account import Account
from clawback.impact.budget import BudgetSpent
from clawback.impact.client import ImpactClient
from clawback.impact.errors import (
    AuthenticationError,
    ImpactError,
    PermissionDenied,
    RateLimited,
    Refused,
)
from clawback.impact.models import Action, ActionUpdate, Page
from clawback.impact.retry import RetryPolicy
from clawback.impact.windows import MAX_DAYS, Window, WindowField
from clawback.program import Program
from clawback.reconcile.facts import Rules
from clawback.reconcile.resolve import impact_sku, normalise
from clawback.steps.chart import Chart
from clawback.steps.compare import match
from clawback.steps.findings import say_campaign, say_clock, say_foreign, say_match
from clawback.steps.looks import first_actions, first_updates, may_ask_submissions
from clawback.steps.meter import Meter
from clawback.warehouse.contract import ReturnRow

SCOPES = ("scope_actions", "scope_updates", "scope_submissions")
LISTED = ("trackers", "currency", "order_ids", "skus", "locking")
IMPACT = ("credentials", "campaign", *SCOPES, "clock", "budget", *LISTED)
_SPAN = timedelta(days=28)
_DAY = timedelta(days=1)
_ENOUGH = 20
_MANY_LOCKED = 0.1
_RETRY = RetryPolicy(attempts=2)
_RENEW = "renew it at impact.com: Settings → Technical → API, and put it into the connection"
T = TypeVar("T")


@dataclass(slots=True)
class Examination:
    """Makes the reads and writes what they say into the chart."""

    chart: Chart
    program: Program
    account: Account
    clock: Clock
    sample: list[ReturnRow]
    actions: list[Action] = field(default_factory=list)
    updates: list[ActionUpdate] = field(default_factory=list)

    def make(self) -> None:
        meter = Meter(self.clock)
        with ImpactClient(self.account, gate=meter, retry=_RETRY) as client:
            if self._credentials(client):
                self._campaign(client)
                self._lists(client)
        self._clock(meter)
        self._budget(meter)
        self.chart.skip(IMPACT, "an earlier check failed")

    def _credentials(self, client: ImpactClient) -> bool:
        """Whether the account can be asked at all."""
        try:
            company = client.company()
        except (AuthenticationError, RateLimited) as error:
            name = "budget" if isinstance(error, RateLimited) else "credentials"
            self.chart.failed(name, error)
            return False
        except (PermissionDenied, Refused):
            self.chart.ok("credentials", "accepted (the token may not read whose account it is)")
            return True
        except ImpactError as error:
            self.chart.failed("credentials", error)
            return False
        name = company.name or self.account.account_sid
        self.chart.ok("credentials", f"accepted; the account is {name}'s")
        if company.currency and company.currency != self.program.currency:
            say_foreign(self.chart, self.program.currency, company.currency, "the account is kept")
        return True

    def _campaign(self, client: ImpactClient) -> None:
        campaign = self.program.campaign_id
        try:
            known = {c.id: c.name for c in client.campaigns()}
        except ImpactError as error:
            said = f"the account's programs cannot be listed ({_short(error)})"
            self.chart.warn("campaign", said, "see below whether its actions are listed")
            return
        say_campaign(self.chart, campaign, known)

    def _lists(self, client: ImpactClient) -> None:
        window = self._window()
        page = self._asked("scope_actions", "Actions", lambda: first_actions(client, window))
        rows = self._asked("scope_updates", "ActionUpdates", lambda: first_updates(client, window))
        self._asked("scope_submissions", "APISubmissions", lambda: may_ask_submissions(client))
        if page is not None:
            self.actions, self.updates = page.rows, rows or []
            self._listed(page)

    def _asked(self, name: str, resource: str, ask: Callable[[], T]) -> T | None:
        """What a read gives; None where the token may not make it."""
        try:
            found = ask()
        except PermissionDenied:
            self.chart.fail(
                name,
                f"the token may not read {resource} (403)",
                f"give the token the scope of {resource} at impact.com: Settings → Technical → API",
            )
            return None
        except (ImpactError, BudgetSpent) as error:
            self.chart.failed(name, error)
            return None
        self.chart.ok(name, f"{resource} can be read")
        return found

    def _window(self) -> Window:
        """Event dates to list: those in which most of the sample's newest orders lie."""
        now = self.clock.now()
        last = max((row.ordered_at or row.returned_at for row in self.sample), default=now)
        end = min(last + _DAY, now)
        dated = any(row.ordered_at is not None for row in self.sample)
        span = _SPAN if dated or not self.sample else timedelta(days=MAX_DAYS)
        return Window(WindowField.EVENT, end - span, end)

    def _listed(self, page: Page[Action]) -> None:
        """What the listed actions say of the program file and of the warehouse."""
        if not self.actions:
            said = "no action is listed around the newest orders, so ids cannot be compared"
            mend = "check campaign_id, and that conversions are reported"
            self.chart.warn("order_ids", said, mend)
            return
        self._trackers()
        self._currency()
        self._order_ids(page)
        self._skus()
        self._locking()

    def _trackers(self) -> None:
        seen = Counter(f"{a.tracker_id} ({a.tracker_name})" for a in self.actions)
        ids = {a.tracker_id for a in self.actions}
        missing = [t for t in self.program.action_trackers if t not in ids]
        there = ", ".join(name for name, _ in seen.most_common(10))
        if not missing:
            self.chart.ok("trackers", f"seen among recent actions: {there}")
            return
        some = len(missing) < len(self.program.action_trackers)
        (self.chart.warn if some else self.chart.fail)(
            "trackers",
            f"no recent action is of action tracker {', '.join(missing)}; there are {there}",
            "mend action_trackers in the program file, or leave it out to take them all",
        )

    def _currency(self) -> None:
        seen = Counter(a.currency for a in self.actions)
        mine, rows = self.program.currency, Counter(row.currency for row in self.sample)
        main = seen.most_common(1)[0][0]
        other = sum(n for currency, n in rows.items() if currency != mine)
        if mine not in seen:
            say_foreign(self.chart, mine, main, "recent actions are")
        elif other:
            self.chart.warn(
                "currency",
                f"{other} of {len(self.sample)} rows of the warehouse are not in {mine}",
                "convert them in the statement, or set currency_rule: ratio; else they are held",
            )
        else:
            self.chart.ok("currency", f"program, actions and warehouse agree on {mine}")

    def _order_ids(self, page: Page[Action]) -> None:
        how = self.program.order_ids.rules()
        since = min(a.event_date for a in self.actions) if (page.pages or 1) > 1 else None
        orders = {
            normalise(row.order_id, how)
            for row in self.sample
            if row.ordered_at is None or self._within(row.ordered_at, since)
        }
        found = match(orders, {normalise(a.oid, how) for a in self.actions}, "order_ids")
        say_match(self.chart, "order_ids", found, "orders of the warehouse have an action")
        if not found.found and not found.hint and found.compared:
            ours, theirs = min(orders), self.actions[0].oid
            mend = f"compare {ours!r} (warehouse) with {theirs!r} (Oid at impact.com)"
            say = self.chart.fail if found.compared >= _ENOUGH else self.chart.warn
            say("order_ids", f"none of {found.compared} orders has an action", mend)

    def _within(self, ordered: datetime, since: datetime | None) -> bool:
        window = self._window()
        return max(window.start, since or window.start) <= ordered <= window.end

    def _skus(self) -> None:
        rules = self.program.rules(self.account.account_sid)
        held = _skus_by_order(self.updates, rules)
        if not any(held.values()):
            self.chart.ok("skus", "recent actions carry no SKU: they are kept by order amount")
            return
        ours: set[str] = set()
        theirs: set[str] = set()
        for row in self.sample:
            key = normalise(row.order_id, rules.order_ids)
            if row.sku and held.get(key):
                ours.add(impact_sku(row.sku, rules))
                theirs |= held[key]
        if not ours:
            self.chart.skip(("skus",), "no order of the sample has an action to compare with")
            return
        found = match(ours, theirs, "skus")
        say_match(self.chart, "skus", found, "SKUs of the warehouse stand on their actions")

    def _locking(self) -> None:
        terms = [
            (a.locking_date - a.event_date) / _DAY
            for a in self.actions
            if a.locking_date is not None
        ]
        if not terms:
            said = "recent actions have no locking date: they lock by themselves after 730 days"
            self.chart.ok("locking", said)
            return
        locked, compared = self._lost()
        days = f"actions lock {median(terms):.0f} days after the order (median)"
        if compared and locked > _MANY_LOCKED * compared:
            self.chart.warn(
                "locking",
                f"{days}; {locked} of {compared} returns came after their action had locked",
                "lengthen the locking period in the contracts, or bring returns in sooner",
            )
        else:
            self.chart.ok("locking", f"{days}; {locked} of {compared} returns came too late")

    def _lost(self) -> tuple[int, int]:
        """Of the sample's returns with an action: how many came after it had locked, and all."""
        how = self.program.order_ids.rules()
        locks = {normalise(a.oid, how): a.locking_date for a in self.actions if a.locking_date}
        mine = [(normalise(row.order_id, how), row.updated_at) for row in self.sample]
        known = [(locks[key], moment) for key, moment in mine if key in locks]
        return sum(moment >= lock for lock, moment in known), len(known)

    def _clock(self, meter: Meter) -> None:
        say_clock(self.chart, meter.skew)

    def _budget(self, meter: Meter) -> None:
        limit, left = meter.limits.limit, meter.limits.remaining
        if limit is None or left is None:
            self.chart.skip(("budget",), "impact.com did not say what is left")
            return
        reserve = int(limit * self.program.budget.reserve_share)
        said = f"{left} of {limit} requests left this hour, {reserve} of them kept for others"
        if left > reserve:
            self.chart.ok("budget", f"{said} ({meter.requests} used by these checks)")
            return
        mend = "wait for the reset, see who else uses the account, or lower budget.reserve_share"
        self.chart.fail("budget", said, mend)


def _skus_by_order(updates: list[ActionUpdate], rules: Rules) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for update in updates:
        if update.sku:
            key = normalise(update.oid, rules.order_ids)
            found.setdefault(key, set()).add(normalise(update.sku, rules.skus))
    return found


def _short(error: ImpactError) -> str:
    return f"HTTP {error.status}" if error.status else str(error)
