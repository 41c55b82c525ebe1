"""What others do to the account: people in the UI, contracts, new conversions."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from clawback.sandbox.facts import BadRequest
from clawback.sandbox.world import World


class Act(BaseModel):
    """One act; `action_id` names its action except for `add` and `contract`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    act: Literal["modify", "reverse", "reset", "restore", "lock", "contract", "add", "refuse"]
    action_id: str = ""
    fields: dict[str, str] = Field(default_factory=dict, description="modify: as in a PUT's form")
    code: str = Field("OTHER", description="reverse: its DispositionCode")
    locking_date: datetime | None = Field(None, description="lock: another date than now")
    media_partner_id: str = Field("", description="contract: of this partner alone")
    factor: Decimal = Field(Decimal(1), ge=0, description="contract: new rate over old")
    rate: Decimal | None = Field(
        None, ge=0, description="contract: new rate, a share of the amount"
    )
    action: dict[str, Any] | None = Field(None, description="add: a world line")
    error_type: str = ""
    error_reason: str = ""


def check(act: Act, world: World) -> None:
    """What is wrong with an act on its face, before it is kept for a restart.

    Raises BadRequest if it is incomplete or its action unknown, BadLine if it adds no action.
    """
    if act.act == "add":
        if not act.action:
            raise BadRequest("add needs an action: a world line")
        world.check_new(act.action)
    elif act.act != "contract" and world.store.find(act.action_id) is None:
        raise BadRequest(f"no action {act.action_id!r}", status=404)


def perform(act: Act, world: World, at: float) -> str | None:
    """Do it at the given time; gives the ActionId concerned.

    Raises BadRequest, BadLine or Refusal if it cannot be done.
    """
    if act.act == "add":
        row = world.add(act.action or {}, at)
        return world.store.own_value(row, "Id")
    if act.act == "contract":
        scope = act.action_id or act.media_partner_id or "*"
        world.contract(scope, factor=act.factor, rate=act.rate)
        return act.action_id or None
    _to_action(act, world, at)
    return act.action_id


def _to_action(act: Act, world: World, at: float) -> None:
    row = world.store.find(act.action_id)
    if row is None:
        raise BadRequest(f"no action {act.action_id!r}", status=404)
    target = {"ActionId": act.action_id}
    if act.act == "modify":
        world.change("modify", {"Reason": "ORDER_UPDATE", **act.fields, **target}, at)
    elif act.act == "reset":
        world.change("modify", {"Reason": "RESET", **target}, at)
    elif act.act == "reverse":
        world.change("reverse", {"DispositionCode": act.code, **target}, at)
    elif act.act == "restore":
        world.restore(row, at)
    elif act.act == "lock":
        if act.locking_date is None:
            world.lock(row, int(at))
        else:
            world.set_locking(row, int(act.locking_date.timestamp()))
    else:
        texts = (act.error_type, act.error_reason)
        world.refuse(row, texts if act.error_type else None)
