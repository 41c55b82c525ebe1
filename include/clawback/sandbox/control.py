"""The control API under /_sandbox/: true state, request log, clock, faults, acts; loopback only."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

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
    advance: float = Field(0.0, ge=0)
    speed: float | None = Field(None, ge=0)


def _loopback_only(request: Request) -> None:
    host = request.client.host if request.client else ""
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise HTTPException(403, "the control API answers on loopback only")


def router(sandbox: Sandbox) -> APIRouter:
    """The routes; they answer JSON of the sandbox's own making, not impact.com's."""
    api = APIRouter(prefix="/_sandbox", dependencies=[Depends(_loopback_only)])
    api.add_api_route("/clock", _clock_reader(sandbox), methods=["GET"])
    api.add_api_route("/clock", _clock_setter(sandbox), methods=["POST"])
    api.add_api_route("/faults", _faults_reader(sandbox), methods=["GET"])
    api.add_api_route("/faults", _faults_setter(sandbox), methods=["POST"])
    api.add_api_route("/act", _actor(sandbox), methods=["POST"])
    api.add_api_route("/state", _state_reader(sandbox), methods=["GET"])
    api.add_api_route("/requests", _log_reader(sandbox), methods=["GET"])
    api.add_api_route("/requests", _log_clearer(sandbox), methods=["DELETE"], status_code=204)
    api.add_api_route("/profile", _profile_reader(sandbox), methods=["GET"])
    return api


def _show_clock(sandbox: Sandbox) -> dict[str, Any]:
    return {"now": _iso(sandbox.now()), "speed": sandbox.clock.speed}


def _clock_reader(sandbox: Sandbox) -> Any:
    async def read_clock() -> dict[str, Any]:
        return _show_clock(sandbox)

    return read_clock


def _clock_setter(sandbox: Sandbox) -> Any:
    async def set_clock(setting: ClockSetting) -> dict[str, Any]:
        now = sandbox.now()
        wanted = now if setting.now is None else setting.now.timestamp()
        if wanted < now:
            raise HTTPException(400, f"the clock reads {_iso(now)} and cannot be put back")
        sandbox.set_clock(wanted + setting.advance, setting.speed)
        return _show_clock(sandbox)

    return set_clock


def _show_faults(sandbox: Sandbox) -> list[dict[str, Any]]:
    plan = sandbox.plan
    return [
        rule.model_dump(mode="json") | {"struck": struck}
        for rule, struck in zip(plan.rules, plan.struck, strict=True)
    ]


def _faults_reader(sandbox: Sandbox) -> Any:
    async def read_faults() -> list[dict[str, Any]]:
        return _show_faults(sandbox)

    return read_faults


def _faults_setter(sandbox: Sandbox) -> Any:
    async def set_faults(request: Request) -> list[dict[str, Any]]:
        try:
            rules = faults.parse(await request.json(), "of the request")
        except ClawbackError as error:
            raise HTTPException(400, str(error)) from error
        except ValueError as error:
            raise HTTPException(400, f"the body is no JSON: {error}") from error
        sandbox.plan.replace(rules)
        return _show_faults(sandbox)

    return set_faults


def _actor(sandbox: Sandbox) -> Any:
    async def act(wanted: Act) -> dict[str, Any]:
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

    return act


def _state_reader(sandbox: Sandbox) -> Any:
    async def read_state(
        action_id: str | None = None, start: int = 0, limit: int | None = None
    ) -> dict[str, Any]:
        now = sandbox.now()
        store = sandbox.world.store
        rows: Any = range(len(store))
        if action_id is not None:
            found = store.find(action_id)
            rows = [] if found is None else [found]
        rows = rows[start:] if limit is None else rows[start : start + limit]
        return {
            "now": _iso(now),
            "campaign_id": sandbox.campaign_id,
            "total": len(store),
            "actions": [_show_action(sandbox, row, now) for row in rows],
            "open_submissions": [
                s.batch_id for s in sandbox.world.submissions.values() if s.completed is None
            ],
        }

    return read_state


def _show_action(sandbox: Sandbox, row: int, now: float) -> dict[str, Any]:
    """One action in the API's shape, its items now and as reported, and its modifications."""
    prefix = f"/Advertisers/{sandbox.settings.account_sid}"
    listing, store = sandbox.listing, sandbox.world.store
    values = listing.action(row, now, prefix)

    def shown(items: tuple[Item, ...]) -> Iterator[dict[str, str]]:
        for item in items:
            yield dict(zip(f.ITEM.names, listing.item(values[0], item, prefix), strict=True))

    return {
        **dict(zip(f.ACTION.names, values, strict=True)),
        "Items": list(shown(store.standing(row).items)),
        "_original": list(shown(store.original_items(row))),
        "_modifications": store.standing(row).modifications,
        "_locked": store.locking[row] <= now,
        "_visible": sandbox.world.visible(row, now),
    }


def _log_reader(sandbox: Sandbox) -> Any:
    async def read_log(kind: str | None = None, since: int = 0) -> dict[str, Any]:
        chosen = [entry for entry in sandbox.log if kind is None or entry.kind == kind]
        return {
            "total": sum(sandbox.counts.values()),
            "by_kind": dict(sandbox.counts),
            "requests": [asdict(e) | {"time": _iso(e.time)} for e in chosen[since:]],
        }

    return read_log


def _log_clearer(sandbox: Sandbox) -> Any:
    async def clear_log() -> Response:
        sandbox.log.clear()
        sandbox.counts.clear()
        return Response(status_code=204)

    return clear_log


def _profile_reader(sandbox: Sandbox) -> Any:
    async def read_profile() -> dict[str, Any]:
        return sandbox.settings.profile.model_dump(mode="json")

    return read_profile


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
