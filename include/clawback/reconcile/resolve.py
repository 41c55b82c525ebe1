"""From an order id to its actions, and from a merchant's SKU to impact.com's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

from clawback.money import ZERO
from clawback.reconcile.facts import Action, ActionState, Item, Kind, Line, Normalise, Rules


def normalise(text: str, how: Normalise) -> str:
    """An id as it is compared: trimmed, in one case, without its prefix, cut to the pattern.

    Each step happens only where `how` asks for it; what the pattern does not match stays as it is.
    """
    if how.trim:
        text = text.strip()
    if how.case:
        text = _cased(text, how.case)
    if how.prefix:
        text = text.removeprefix(_cased(how.prefix, how.case))
    if how.pattern:
        match = re.search(how.pattern, text)
        text = (match and match[1 if match.re.groups else 0]) or text
    return text


def _cased(text: str, case: str) -> str:
    if case == "upper":
        return text.upper()
    return text.lower() if case == "lower" else text


def impact_sku(sku: str, rules: Rules) -> str:
    """A warehouse SKU as impact.com's, comparable: mapped where the program maps it."""
    how = rules.skus
    if rules.sku_map:
        sku = rules.sku_map.get(sku) or rules.sku_map.get(normalise(sku, how)) or sku
    return normalise(sku, how) if how.trim or how.case or how.prefix or how.pattern else sku


def by_sku(items: Iterable[Item], rules: Rules) -> dict[str, list[Item]]:
    """The usable items of an action by comparable SKU; more than one is a duplicate SKU."""
    how = rules.skus
    plain = not (how.trim or how.case or how.prefix or how.pattern)
    found: dict[str, list[Item]] = {}
    for item in items:
        sku = item.sku if plain else normalise(item.sku, how)
        if sku and sku not in rules.placeholder_skus:
            found.setdefault(sku, []).append(item)
    return found


def tracked_by_item(action: Action, rules: Rules) -> bool:
    """Whether the rules work on this action's items or on its amount alone.

    `auto` takes an item for a placeholder only if its SKU is empty or listed by the program.
    """
    if rules.tracking == "auto":
        return any(i.sku and i.sku not in rules.placeholder_skus for i in action.items)
    return rules.tracking == "items"


class Part(NamedTuple):
    """An action among those that an order is split over, with the weight of each in money."""

    action: Action
    weights: tuple[Decimal, ...] = ()
    nth: int = 0


class Found(NamedTuple):
    """The actions of an order that its lines concern; `ambiguous` says which could not be told."""

    parts: tuple[Part, ...]
    ambiguous: tuple[Action, ...] = ()


def find(actions: Sequence[Action], rules: Rules, picks: frozenset[str] = frozenset()) -> Found:
    """The actions to work on, each action tracker on its own. `picks` are a person's choices."""
    if rules.trackers:
        actions = [a for a in actions if a.tracker_id in rules.trackers]
    if len(actions) == 1:
        return Found((Part(actions[0]),))
    trackers: dict[str, list[Action]] = {}
    for action in sorted(actions, key=lambda a: (a.created_at, a.id)):
        trackers.setdefault(action.tracker_id, []).append(action)
    parts: list[Part] = []
    ambiguous: list[Action] = []
    for group in trackers.values():
        chosen = _of_one_tracker(group, rules, picks)
        parts += _parts(chosen)
        ambiguous += [] if chosen else group
    return Found(tuple(parts), tuple(ambiguous))


def _of_one_tracker(group: list[Action], rules: Rules, picks: frozenset[str]) -> list[Action]:
    """The actions of one tracker that the order's lines concern; none if it cannot be told."""
    picked = [a for a in group if a.id in picks]
    if picked or len(group) == 1 or _split_by_sku(group, rules):
        return picked or group
    live = [a for a in group if not _dead(a)]
    if not live:
        ours = [a for a in group if a.settled_by_us and a.settled_by_us.reverse]
        return (ours or group)[-1:]
    return live if len(live) == 1 or _split_by_sku(live, rules) else []


def _dead(action: Action) -> bool:
    """Reversed, or superseded: nothing is left on it to pay for."""
    if action.state is ActionState.REVERSED:
        return True
    had = action.original_amount
    return not action.amount and not action.payout and had is not None and had > 0


def _split_by_sku(group: Sequence[Action], rules: Rules) -> bool:
    """Whether each action holds SKUs of its own, so that every line finds its one action."""
    seen: set[str] = set()
    for action in group:
        skus = set(by_sku(action.items, rules))
        if not skus or skus & seen or not tracked_by_item(action, rules):
            return False
        seen |= skus
    return True


def _parts(actions: list[Action]) -> list[Part]:
    if len(actions) == 1:
        return [Part(actions[0])]
    weights = tuple(a.amount if a.original_amount is None else a.original_amount for a in actions)
    return [Part(action, weights, n) for n, action in enumerate(actions)]


def route(lines: Sequence[Line], parts: Sequence[Part], rules: Rules) -> list[list[Line]]:
    """The lines that concern each part, in the order of `parts`.

    A line about the whole order concerns all; one with a SKU those that hold it, and every action
    that is tracked without items. One that no action holds goes to the first, which says so.
    """
    if len(parts) == 1:
        return [list(lines)]
    held = [
        by_sku(p.action.items, rules) if tracked_by_item(p.action, rules) else None for p in parts
    ]
    routed: list[list[Line]] = [[] for _ in parts]
    for line in lines:
        goes = [n for n, skus in enumerate(held) if _concerns(line, skus, rules)]
        for n in goes or [0]:
            routed[n].append(line)
    return routed


def _concerns(line: Line, skus: dict[str, list[Item]] | None, rules: Rules) -> bool:
    if skus is None or not line.key.sku or line.kind is Kind.CANCELLATION:
        return True
    if impact_sku(line.key.sku, rules) in skus:
        return True
    return bool(line.parent_sku) and impact_sku(line.parent_sku, rules) in skus


def base_of(action: Action) -> tuple[Decimal | None, Decimal | None]:
    """What an action held at first, amount and payout; None where nothing tells.

    An action that nobody touched holds it still; else its items' originals give the amount, and
    the payout is taken to have fallen in proportion.
    """
    amount, payout = action.original_amount, action.original_payout
    if amount is not None and payout is not None:
        return amount, payout
    untouched = action.settled_by_us is None and not any(i.touched for i in action.items)
    if amount is None:
        amount = _sum_of_originals(action, untouched=untouched)
    if payout is None and amount is not None:
        if action.amount == amount or (untouched and action.state is not ActionState.REVERSED):
            payout = action.payout
        elif action.amount > 0:
            payout = action.payout * amount / action.amount
    return amount, payout


def _sum_of_originals(action: Action, *, untouched: bool) -> Decimal | None:
    originals = [i.original_amount for i in action.items]
    known = [a for a in originals if a is not None]
    if known and len(known) == len(originals):
        return sum(known, ZERO)
    return action.amount if untouched and action.state is not ActionState.REVERSED else None
