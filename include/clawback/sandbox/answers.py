"""What each kind of request is answered: the documented resources (reference §2-5)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress

from clawback.sandbox import fields as f
from clawback.sandbox import papers, query
from clawback.sandbox.core import Sandbox
from clawback.sandbox.facts import BadRequest
from clawback.sandbox.papers import Tree
from clawback.sandbox.resource import Resource, Row
from clawback.sandbox.target import Target
from clawback.sandbox.wire import Wire, envelope

_SHORT_VERSION = 11
_FORBIDDEN = 403


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, ready to be answered; `slid` rows have just slid in on top (a fault)."""

    target: Target
    params: Mapping[str, str]
    now: float
    wire: Wire
    version: int
    slid: int = 0


@dataclass(frozen=True, slots=True)
class Walk:
    """One page of a listing; `moved` rows slid in on top since its first (< 0: fell out)."""

    paging: query.Paging
    moved: int


def read(kind: str, ask: Ask, sandbox: Sandbox) -> bytes:
    """The body of a 200. Raises BadRequest for everything else."""
    return _READERS[kind](ask, sandbox)


def write(
    verb: str, form: dict[str, str], ask: Ask, sandbox: Sandbox, effects: dict[str, object]
) -> bytes:
    """Queue a write. Raises BadRequest where it is refused at once."""
    batch_id = sandbox.submit(verb, form, ask.now, effects)
    folder = sandbox.settings.profile.queued_path
    return ask.wire.queued(f"{ask.target.prefix}/{folder}/{batch_id}")


def _page(
    ask: Ask,
    resource: Resource,
    walk: Walk,
    found: Sequence[int],
    show: Callable[[int], Row],
) -> bytes:
    """One page of a listing as it has slid since its first page was read."""
    paging = walk.paging
    start = max(0, (paging.page - 1) * paging.size - walk.moved)
    end = max(0, paging.page * paging.size - walk.moved)
    rows = map(show, found[start:end])
    around = envelope(ask.target.path, ask.params, paging, max(0, len(found) + walk.moved))
    older = _of_version(resource, ask.version)
    return ask.wire.rows(older, _cut(rows, resource, older), around)


def _of_version(resource: Resource, version: int) -> Resource:
    """Version 11 and older show fewer fields of actions and updates (reference-schemas §8)."""
    if version > _SHORT_VERSION or resource not in (f.ACTION, f.UPDATE):
        return resource
    hidden = f.HIDDEN_IN_V11 if resource is f.ACTION else set(f.UPDATE.names) - {*f.UPDATE_IN_V11}
    names = tuple(name for name in resource.names if name not in hidden)
    return replace(
        resource,
        names=names,
        common=tuple(name for name in resource.common if name in names),
        integers=resource.integers & set(names),
        numbers=resource.numbers & set(names),
    )


def _cut(rows: Iterable[Row], resource: Resource, older: Resource) -> Iterable[Row]:
    """Rows of a resource with the values that its older form has."""
    if older is resource:
        return rows
    common = [name in older.common for name in resource.common]
    own = [name in older.own for name in resource.own]
    return (Row(tuple(compress(a, common)), tuple(compress(b, own))) for a, b in rows)


def _one(ask: Ask, resource: Resource, row: Row) -> bytes:
    older = _of_version(resource, ask.version)
    [cut] = _cut([row], resource, older)
    return ask.wire.row(older, cut)


def _list_actions(ask: Ask, sandbox: Sandbox) -> bytes:
    asked = query.dated(ask.params, sandbox.settings.profile, ask.now)
    _known_campaign(asked.campaign, sandbox)
    found = sandbox.listing.actions(asked, ask.now)
    query.check_pages(len(found), asked.paging.size, sandbox.settings.profile)

    def show(row: int) -> Row:
        return sandbox.listing.show.action(row, ask.now, ask.target.prefix)

    return _page(ask, f.ACTION, _walk(ask, sandbox, asked.paging), found, show)


def _list_updates(ask: Ask, sandbox: Sandbox) -> bytes:
    asked = query.dated(ask.params, sandbox.settings.profile, ask.now)
    _known_campaign(asked.campaign, sandbox)
    found = sandbox.listing.updates(asked, ask.now)
    query.check_pages(len(found), asked.paging.size, sandbox.settings.profile)

    def show(reference: int) -> Row:
        update = sandbox.world.history.get(reference)
        return sandbox.listing.show.update(update, ask.now, ask.target.prefix)

    return _page(ask, f.UPDATE, _walk(ask, sandbox, asked.paging), found, show)


def _walk(ask: Ask, sandbox: Sandbox, paging: query.Paging) -> Walk:
    asked = tuple(sorted((k, v) for k, v in ask.params.items() if k not in ("Page", "PageSize")))
    listing = (ask.target.path, paging.size, asked)
    return Walk(paging, sandbox.listing.moved(listing, paging.page, ask.slid))


def _known_campaign(campaign: str, sandbox: Sandbox) -> None:
    if campaign != sandbox.campaign_id and campaign not in sandbox.world.store.campaigns():
        raise BadRequest("Validation Failed", ("CampaignId", "No such campaign in this account"))


def _action_row(ask: Ask, sandbox: Sandbox) -> int:
    row = sandbox.world.store.find(ask.target.segments[1])
    if row is None or not sandbox.world.visible(row, ask.now):
        raise _unknown("Action", ask.target.segments[1], sandbox)
    return row


def _unknown(what: str, name: str, sandbox: Sandbox) -> BadRequest:
    status = sandbox.settings.profile.unknown_id_status
    if status == _FORBIDDEN:
        return BadRequest("Access Denied", status=403)
    return BadRequest(f"{what} {name} not found", status=status)


def _get_action(ask: Ask, sandbox: Sandbox) -> bytes:
    row = _action_row(ask, sandbox)
    return _one(ask, f.ACTION, sandbox.listing.show.action(row, ask.now, ask.target.prefix))


def _list_items(ask: Ask, sandbox: Sandbox) -> bytes:
    row = _action_row(ask, sandbox)
    paging = query.paging(ask.params, query.PLAIN_PAGE_SIZE, 1, sandbox.settings.profile)
    items = sandbox.listing.show.items(row)
    action_id = ask.target.segments[1]

    def show(at: int) -> Row:
        return sandbox.listing.show.item(action_id, items[at], ask.target.prefix)

    return _page(ask, f.ITEM, _walk(ask, sandbox, paging), range(len(items)), show)


def _get_item(ask: Ask, sandbox: Sandbox) -> bytes:
    row = _action_row(ask, sandbox)
    sku = ask.target.segments[3]
    for item in sandbox.listing.show.items(row):
        if item.sku == sku:
            action_id = ask.target.segments[1]
            return _one(ask, f.ITEM, sandbox.listing.show.item(action_id, item, ask.target.prefix))
    raise _unknown("Item", sku, sandbox)


def _get_update(ask: Ask, sandbox: Sandbox) -> bytes:
    name = ask.target.segments[1]
    action_id, _, number = name.rpartition(".")
    row = sandbox.world.store.find(action_id)
    if row is None or not re.fullmatch("[0-9]{1,15}", number):
        raise _unknown("ActionUpdate", name, sandbox)
    reference = sandbox.world.history.find(row, int(number))
    if reference is None or sandbox.world.history.sort_key(reference)[0] > ask.now:
        raise _unknown("ActionUpdate", name, sandbox)
    update = sandbox.world.history.get(reference)
    return _one(ask, f.UPDATE, sandbox.listing.show.update(update, ask.now, ask.target.prefix))


def _list_submissions(ask: Ask, sandbox: Sandbox) -> bytes:
    paging = query.paging(ask.params, query.PLAIN_PAGE_SIZE, 1, sandbox.settings.profile)
    kept = sandbox.world.kept_submissions(ask.now)

    def show(at: int) -> Row:
        return sandbox.listing.show.submission(kept[at], ask.now, ask.target.prefix)

    return _page(ask, f.SUBMISSION, _walk(ask, sandbox, paging), range(len(kept)), show)


def _get_submission(ask: Ask, sandbox: Sandbox) -> bytes:
    batch_id = ask.target.segments[1]
    submission = sandbox.world.submissions.get(batch_id)
    if submission is None or not sandbox.world.is_kept(submission, ask.now):
        raise _unknown("APISubmission", batch_id, sandbox)
    return _one(
        ask, f.SUBMISSION, sandbox.listing.show.submission(submission, ask.now, ask.target.prefix)
    )


def _programs(ask: Ask, sandbox: Sandbox) -> list[dict[str, Tree]]:
    """The account's programs in the order of their numbers."""
    store = sandbox.world.store
    known = {
        number: store.shared.values[min(groups)][1] for number, groups in store.campaigns().items()
    } or {sandbox.campaign_id: "Sandbox"}
    return [
        papers.program(number, name, f"{ask.target.prefix}/Campaigns/{number}")
        for number, name in sorted(known.items(), key=_by_number)
    ]


def _by_number(entry: tuple[str, str]) -> tuple[int, str]:
    number = entry[0]
    return (int(number) if number.isascii() and number.isdecimal() else 0, number)


def _list_campaigns(ask: Ask, sandbox: Sandbox) -> bytes:
    paging = query.paging(ask.params, query.PLAIN_PAGE_SIZE, 1, sandbox.settings.profile)
    state = ask.params.get("State") or ""
    if state and state not in papers.STATES:
        must = f"Must be one of {', '.join(papers.STATES)}"
        raise BadRequest("Validation Failed", ("State", must))
    wanted = {"Name": ask.params.get("Name") or "", "State": state}
    found = [
        program
        for program in _programs(ask, sandbox)
        if all(value in ("", program[name]) for name, value in wanted.items())
    ]
    start = (paging.page - 1) * paging.size
    around = envelope(ask.target.path, ask.params, paging, len(found))
    paper = papers.of_version(papers.PROGRAM, ask.version)
    return ask.wire.papers(paper, found[start : start + paging.size], around)


def _get_campaign(ask: Ask, sandbox: Sandbox) -> bytes:
    for program in _programs(ask, sandbox):
        if program["Id"] == ask.target.segments[1]:
            return ask.wire.paper(papers.of_version(papers.PROGRAM, ask.version), program)
    raise _unknown("Campaign", ask.target.segments[1], sandbox)


def _get_company(ask: Ask, sandbox: Sandbox) -> bytes:
    store = sandbox.world.store
    currency = store.currency(0) if len(store) else "USD"
    uri = f"{ask.target.prefix}/CompanyInformation"
    zone = sandbox.settings.profile.zone
    return ask.wire.paper(papers.COMPANY, papers.company(zone, currency, ask.now, uri))


_READERS: dict[str, Callable[[Ask, Sandbox], bytes]] = {
    "list_actions": _list_actions,
    "get_action": _get_action,
    "list_items": _list_items,
    "get_item": _get_item,
    "list_action_updates": _list_updates,
    "get_action_update": _get_update,
    "list_submissions": _list_submissions,
    "get_submission": _get_submission,
    "list_campaigns": _list_campaigns,
    "get_campaign": _get_campaign,
    "get_company": _get_company,
}
