"""The seeded demo world: a shop's orders, their actions at impact.com and its returns.

A line of the world is an action in the API's own JSON shape plus `Items`. Keys with an underscore
are for the sandbox alone: `_refuse` ({"ErrorType", "ErrorReason"}: every write to it fails so),
`_visible_from` (the time at which the conversion is reported), `_original` (the items as they were
reported, if they were changed since) and `_updates` (rows of ActionUpdates for these changes).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

from clawback.errors import ClawbackError
from clawback.sandbox import seed_rows as row
from clawback.sandbox import seed_scenarios as story
from clawback.sandbox.seed_actions import CAMPAIGN
from clawback.sandbox.seed_shop import Shop

ORDERS = 2000
SEED = 7
NO_RETURN = "no_return"
_PARTNER_SHARE = 3
"""One order in three is driven by a partner."""

# How many orders of 2,000 tell each story; each is told at least once in every world.
STORIES: tuple[tuple[story.Scenario, int], ...] = (
    (story.organic, 150),
    (story.partial_return, 50),
    (story.one_of_several, 50),
    (story.several_skus, 32),
    (story.repeated_sku, 12),
    (story.full_return, 36),
    (story.full_in_steps, 6),
    (story.cancelled, 16),
    (story.goodwill, 12),
    (story.order_goodwill, 3),
    (story.gift_kept, 3),
    (story.shipped_later, 3),
    (story.locked, 14),
    (story.settled_by_hand, 5),
    (story.reversed_by_hand, 2),
    (story.over_returned, 3),
    (story.over_returned_last, 2),
    (story.unknown_sku, 4),
    (story.duplicate_sku, 2),
    (story.duplicate_sku_all, 2),
    (story.ambiguous, 3),
    (story.baseline_conflict, 3),
    (story.other_currency, 3),
    (story.long_ago, 3),
    (story.split_by_sku, 2),
    (story.two_trackers, 2),
    (story.reattributed, 3),
    (story.refused, 3),
    (story.reported_later, 4),
    (story.other_offset, 2),
    (row.superseded, 5),
    (row.voided, 3),
    (row.withdrawn, 3),
    (row.exchanged, 6),
    (row.shipping_refund, 2),
    (row.negative_quantity, 1),
    (row.fractional_quantity, 1),
    (row.unknown_kind, 1),
    (row.two_stories, 1),
    (row.no_order, 0),  # so once: two orders without an id would be one
)


@dataclass(frozen=True, slots=True)
class SeededWorld:
    """A world: what impact.com knows, what the warehouse says, and which story each order tells.

    `actions` are world lines of `campaign_id`; `returns` are rows of the contract's columns, in
    the order of their updates; `expectations` maps an order id to its story's name.
    """

    campaign_id: str
    actions: list[dict[str, Any]]
    returns: list[dict[str, Any]]
    expectations: dict[str, str]


def generate(seed: int, orders: int, now: datetime) -> SeededWorld:
    """The world of so many orders in the 60 days up to `now`; the same for the same arguments.

    Raises ClawbackError if the orders are too few for all stories.
    """
    told = [(scenario, max(1, round(count * orders / ORDERS))) for scenario, count in STORIES]
    plain = orders - sum(count for _, count in told)
    if plain < 0:
        raise ClawbackError(
            f"{orders} orders are too few for {len(STORIES)} stories; ask for {_least()} or more"
        )
    shop = Shop(Random(f"clawback {seed} {orders}"), now.astimezone(UTC).replace(microsecond=0))  # noqa: S311 - a world is drawn, not a secret
    for scenario, count in told:
        shop.scenario = scenario.__name__
        for _ in range(count):
            scenario(shop)
    _fill(shop, orders, plain)
    return SeededWorld(
        CAMPAIGN,
        sorted(
            shop.actions, key=lambda action: (shop.moment(action["CreationDate"]), action["Id"])
        ),
        sorted(shop.returns, key=lambda line: (line["updated_at"], line["return_id"])),
        shop.expectations,
    )


def _fill(shop: Shop, orders: int, plain: int) -> None:
    """The orders that nobody returned; so many of them are partners' that a third of all are."""
    shop.scenario = NO_RETURN
    driven = len({action["Oid"] for action in shop.actions})
    for at in range(plain):
        order = shop.order(age=(0.2, 59.9))
        if at < orders // _PARTNER_SHARE - driven:
            shop.report(order, lock_days=shop.random.randint(30, 60))


def _least() -> int:
    return next(
        n
        for n in range(len(STORIES), ORDERS)
        if sum(max(1, round(count * n / ORDERS)) for _, count in STORIES) <= n
    )
