"""The control API under /_sandbox/: true state, request log, clock, faults, acts; loopback only."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, HTTPException, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from clawback.errors import ClawbackError
from clawback.sandbox import faults
from clawback.sandbox import fields as f
from clawback.sandbox.acts import Act
from clawback.sandbox.core import Sandbox
from clawback.sandbox.facts import BadRequest, Item, Refusal


class ClockSetting(BaseModel):
    """`now` sets the clock, `advance` moves it by seconds, `speed` changes its pace."""

    model_config = ConfigDict(extra="forbid")

    now: AwareDatetime | None = None
    advance: float = Field(0.0, ge=0, le=1e9)
    speed: float | None = Field(None, ge=0)


def _loopback_only(request: Request) -> None:
    host = request.client.host if request.client else ""
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise HTTPException(403, "the control API answers on loopback only")


def _of_app(request: Request) -> Sandbox:
    sandbox: Sandbox = request.app.state.sandbox
    return sandbox


Here = Annotated[Sandbox, Depends(_of_app)]
router = APIRouter(prefix="/_sandbox", dependencies=[Depends(_loopback_only)])


@router.get("/clock")
async def read_clock(sandbox: Here) -> dict[str, Any]:
    """What time the sandbox's clock reads, and how fast it goes."""
    return {"now": _iso(sandbox.now()), "speed": sandbox.clock.speed}


@router.post("/clock")
async def set_clock(setting: ClockSetting, sandbox: Here) -> dict[str, Any]:
    """Put the clock forward; what falls due on the way happens in its order."""
    now = sandbox.now()
    wanted = now if setting.now is None else setting.now.timestamp()
    if wanted < now:
        raise HTTPException(400, f"the clock reads {_iso(now)} and cannot be put back")
    sandbox.set_clock(wanted + setting.advance, setting.speed)
    return await read_clock(sandbox)


@router.get("/faults")
async def read_faults(sandbox: Here) -> list[dict[str, Any]]:
    """The rules in force and how often each has struck."""
    plan = sandbox.plan
    return [
        rule.model_dump(mode="json") | {"struck": struck}
        for rule, struck in zip(plan.rules, plan.struck, strict=True)
    ]


@router.post("/faults")
async def set_faults(request: Request, sandbox: Here) -> list[dict[str, Any]]:
    """Put other rules in the place of all there are; [] ends the misbehaviour."""
    try:
        rules = faults.parse(await request.json(), "of the request")
    except ClawbackError as error:
        raise HTTPException(400, str(error)) from error
    except ValueError as error:
        raise HTTPException(400, f"the body is no JSON: {error}") from error
    sandbox.plan.replace(rules)
    return await read_faults(sandbox)


@router.post("/act")
async def act(wanted: Act, sandbox: Here) -> dict[str, Any]:
    """Let another person, the contract or a partner do something."""
    now = sandbox.now()
    try:
        action_id = sandbox.act(wanted, now)
    except BadRequest as error:
        fields = "; ".join(f"{name}: {message}" for name, message in error.fields)
        raise HTTPException(error.status, fields or error.message) from error
    except Refusal as refusal:
        raise HTTPException(409, f"{refusal.cause}: {refusal.message}") from refusal
    except ClawbackError as error:
        raise HTTPException(400, str(error)) from error
    return {"at": _iso(now), "act": wanted.act, "action_id": action_id}


@router.get("/state")
async def read_state(
    sandbox: Here, action_id: str | None = None, start: int = 0, limit: int | None = None
) -> Response:
    """The true state: every action with its items now and as reported, seen or unseen."""
    now = sandbox.now()
    store = sandbox.world.store
    rows: Sequence[int] = range(len(store))
    if action_id is not None:
        found = store.find(action_id)
        rows = [] if found is None else [found]
    rows = rows[start:] if limit is None else rows[start : start + limit]
    state = {
        "now": _iso(now),
        "campaign_id": sandbox.campaign_id,
        "total": len(store),
        "actions": [_show_action(sandbox, row, now) for row in rows],
        "open_submissions": [
            s.batch_id for s in sandbox.world.submissions.values() if s.completed is None
        ],
    }
    return Response(orjson.dumps(state), media_type="application/json")


@router.get("/requests")
async def read_log(sandbox: Here, kind: str | None = None, since: int = 0) -> Response:
    """Who asked what, when, with which answer; `since` skips so many of the first entries."""
    chosen = [entry for entry in sandbox.log if kind is None or entry.kind == kind]
    log = {
        "total": sum(sandbox.counts.values()),
        "by_kind": dict(sandbox.counts),
        "requests": [asdict(e) | {"time": _iso(e.time)} for e in chosen[since:]],
    }
    return Response(orjson.dumps(log), media_type="application/json")


@router.delete("/requests", status_code=204)
async def clear_log(sandbox: Here) -> None:
    """Forget the log and its counters."""
    sandbox.log.clear()
    sandbox.counts.clear()


@router.get("/profile")
async def read_profile(sandbox: Here) -> dict[str, Any]:
    """The switches in force."""
    return sandbox.settings.profile.model_dump(mode="json")


def _show_action(sandbox: Sandbox, row: int, now: float) -> dict[str, Any]:
    """One action in the API's shape, its items now and as reported, and its modifications."""
    prefix = f"/Advertisers/{sandbox.settings.account_sid}"
    show, store = sandbox.listing.show, sandbox.world.store
    values = f.ACTION.values(show.action(row, now, prefix))

    def shown(items: tuple[Item, ...]) -> Iterator[dict[str, str]]:
        for item in items:
            yield dict(zip(f.ITEM.names, show.item(values[0], item, prefix).own, strict=True))

    return {
        **dict(zip(f.ACTION.names, values, strict=True)),
        "Items": list(shown(store.standing(row).items)),
        "_original": list(shown(store.original_items(row))),
        "_modifications": store.standing(row).modifications,
        "_locked": store.locks[row] <= now,
        "_visible": sandbox.world.visible(row, now),
    }


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
