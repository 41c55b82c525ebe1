"""precheck: what every run looks at before it reads: two requests, and the warehouse's door.

It is the cheap part of the doctor's examination. An outage or a spent budget is no finding here:
the error goes on, so that the run waits for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from clawback.clock import Clock
from clawback.errors import ClawbackError
from clawback.impact.budget import Gate, RequestKind
from clawback.impact.client import ImpactClient
from clawback.impact.errors import PermissionDenied, Refused
from clawback.program import Program
from clawback.steps.chart import Chart, Check
from clawback.steps.findings import complaint, say_campaign, say_clock, say_foreign
from clawback.steps.meter import Meter
from clawback.warehouse.source import Connect


class PrecheckError(ClawbackError):
    """The set-up cannot work; the message names each fault with its mend."""


@dataclass(slots=True)
class ListeningGate:
    """Passes everything on to a run's own gate, and notes how far impact.com's clock is off."""

    inner: Gate
    clock: Clock
    heard: Meter = field(init=False)

    def __post_init__(self) -> None:
        self.heard = Meter(self.clock)

    def acquire(self, kind: RequestKind) -> None:
        self.inner.acquire(kind)

    def learn(
        self, kind: RequestKind, status: int, headers: Mapping[str, str], now: datetime
    ) -> None:
        self.inner.learn(kind, status, headers, now)
        self.heard.learn(kind, status, headers, now)


def precheck(
    program: Program, client: ImpactClient, gate: ListeningGate, connect: Connect
) -> list[Check]:
    """The checks, none of which failed; `gate` is the client's.

    Raises PrecheckError for a set-up that cannot work, and what the client and the warehouse raise
    where they cannot be asked: AuthenticationError, Unavailable, BudgetSpent, WarehouseError.
    """
    chart = Chart()
    _account(chart, program, client)
    _campaign(chart, program, client)
    say_clock(chart, gate.heard.skew)
    connect().close()
    chart.ok("warehouse", "the connection opens")
    if fault := complaint(program.name, chart.checks()):
        raise PrecheckError(fault)
    return chart.checks()


def _account(chart: Chart, program: Program, client: ImpactClient) -> None:
    try:
        company = client.company()
    except (PermissionDenied, Refused):
        chart.ok("credentials", "accepted (the token may not read whose account it is)")
        return
    chart.ok("credentials", f"accepted; the account is {company.name or 'there'}")
    if company.currency and company.currency != program.currency:
        say_foreign(chart, program.currency, company.currency, "the account is kept")


def _campaign(chart: Chart, program: Program, client: ImpactClient) -> None:
    try:
        known = {campaign.id: campaign.name for campaign in client.campaigns()}
    except (PermissionDenied, Refused):
        chart.skip(("campaign",), "the token may not list the account's programs")
        return
    say_campaign(chart, program.campaign_id, known)
