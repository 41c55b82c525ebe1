"""Lines, actions and items as the rules read them, made of the ledger's rows."""

from __future__ import annotations

from clawback.ledger.codec import desired_from_json
from clawback.ledger.values import Row
from clawback.reconcile.facts import Action, ActionState, Item, Kind, Line, LineKey, Source

_KINDS = {kind.value: kind for kind in Kind}
_STATES = {state.value: state for state in ActionState}
_SOURCES = {source.value: source for source in Source}


def item_of(row: Row) -> Item:
    """An item of a row with the columns ITEM."""
    _, sku, quantity, amount, had, cost, source, touched = row
    return Item(sku, quantity, amount, had, cost, _SOURCES[source] if source else None, touched)


def line_of(row: Row) -> Line:
    """A return line of a row that begins with the columns LINE."""
    _, line_id, order_id, return_id, sku, kind, quantity, amount, currency, reason, *more = row
    returned_at, ordered_at, ordered_quantity, ordered_amount, voided, vanished, parent, *_ = more
    return Line(
        line_id,
        LineKey(order_id, return_id, sku),
        _KINDS[kind],
        quantity,
        amount,
        currency,
        reason or "",
        returned_at,
        ordered_at,
        ordered_quantity,
        ordered_amount,
        voided,
        vanished,
        parent,
    )


def action_of(row: Row, held: tuple[Item, ...], opened: bool) -> Action:
    """An action of a row that begins with the columns ACTION; `opened`: a write is on its way."""
    _, action_id, tracker, partner, state, amount, payout, currency, created_at, *more = row
    locking_at, cleared_at, original, original_payout, modifications, generation, *last = more
    settled, refused = last[0], last[1] or {}
    final = bool(refused.get("final")) and refused.get("generation") == generation
    return Action(
        action_id,
        tracker,
        partner,
        _STATES[state],
        amount,
        payout,
        currency,
        created_at,
        locking_at,
        cleared_at,
        held,
        original,
        original_payout,
        modifications,
        generation,
        desired_from_json(settled) if settled else None,
        opened,
        final,
        "" if final else refused.get("identity", ""),
        "" if final else refused.get("error", ""),
    )
