"""Findings that the doctor and every run's preflight word alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

from clawback.steps.chart import Chart, Check, Status
from clawback.steps.compare import Match

_SKEW = timedelta(minutes=1)
_MUCH_SKEW = timedelta(minutes=10)
_FEW = 0.5


def say_campaign(chart: Chart, campaign: str, known: Mapping[str, str]) -> None:
    """Whether the account has the campaign; `known` are its campaigns' names by id."""
    if campaign in known:
        chart.ok("campaign", f"{campaign} is {known[campaign] or 'there'}")
        return
    there = ", ".join(f"{i} ({name})" for i, name in list(known.items())[:10]) or "none"
    said = f"the account has no campaign {campaign}; it has {there}"
    chart.fail("campaign", said, "set campaign_id in the program file to one of them")


def say_clock(chart: Chart, skew: timedelta | None) -> None:
    """Whether this clock and impact.com's agree; `skew` is None where it did not say."""
    if skew is None:
        chart.skip(("clock",), "impact.com did not say what time it is")
        return
    off = abs(skew)
    said = f"this clock and impact.com's differ by {off.total_seconds():.0f} s"
    if off <= _SKEW:
        chart.ok("clock", said)
        return
    say = chart.fail if off > _MUCH_SKEW else chart.warn
    say("clock", said, "let this machine keep its time by NTP, and look at CLAWBACK_NOW")


def say_foreign(chart: Chart, mine: str, theirs: str, what: str) -> None:
    """That the account, or its actions, are in another currency than the program says."""
    said = f"{what} in {theirs}, the program in {mine}"
    chart.fail("currency", said, f"set currency: {theirs} in the program file")


def say_match(chart: Chart, name: str, found: Match, what: str) -> None:
    """How many of the warehouse's ids, `name`, are found at impact.com."""
    said = f"{found.found} of {found.compared} {what} ({found.rate:.0%})"
    if found.hint:
        chart.fail(name, f"{said}; written alike there would be more", found.hint)
    elif not found.compared:
        chart.warn(name, "nothing to compare in the sample", "look again after the next returns")
    elif name == "skus" and found.rate < _FEW:
        mend = "map them (skus.mapping), or return the SKUs that the conversions were reported with"
        (chart.warn if found.found else chart.fail)(name, said, mend)
    else:
        chart.ok(name, said)


def complaint(program: str, checks: Iterable[Check]) -> str:
    """What failed and how to mend it, in one text; empty if nothing did."""
    bad = [check for check in checks if check.status is Status.FAIL]
    if not bad:
        return ""
    told = "; ".join(f"{check.name}: {check.said} → {check.mend}" for check in bad)
    return f"{len(bad)} {'check' if len(bad) == 1 else 'checks'} of {program} failed: {told}"
