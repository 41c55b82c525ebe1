"""Writes down what comes of simple orders, from the ledger's rows to the ledger's rows.

They are what `Planner` makes of the same orders the general way, value for value; a test compares
the two.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from sqlalchemy import Dialect

from clawback.ledger.bulk import encode_plain, encode_rows
from clawback.ledger.runs import Run
from clawback.ledger.tables import change_lines, changes, run_lines
from clawback.ledger.values import Row, shown, to_json
from clawback.money import minor_unit
from clawback.reconcile.changes import REVERSED_STATE, item_state, named
from clawback.reconcile.facts import Rules, Verb
from clawback.reconcile.outcomes import Outcome
from clawback.reconcile.quick import Effect, Quick
from clawback.reconcile.reasons import ITEM_REASON
from clawback.reconcile.verdicts import UNMAPPED
from clawback.steps.columns import BUCKETS, CHANGE, CHANGE_LINE, RUN_LINE, Sheet
from clawback.steps.load import Raw

_PLANNED = Outcome.PLANNED.value
_MODIFY, _REVERSE = Verb.MODIFY.value, Verb.REVERSE.value
_REVERSED = '{"reverse":true,"items":[],"amount":null}'
_MILLION = 1_000_000


class Brisk:
    """Takes the simple orders out of many; `state` is that of the changes it plans.

    `prefix` goes before a change's identity: a dry run's changes are its own.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - a run, its rules, and where its rows go
        self, run: Run, rules: Rules, now: datetime, dialect: Dialect, state: str, prefix: str
    ) -> None:
        times = [(now, now + rules.safety_margin)]
        ((at, soon),) = encode_rows(dialect, changes, ("created_at", "locking_at"), times)
        self._run, self._rules, self._dialect, self._prefix = run, rules, dialect, prefix
        self._quick, self._soon = Quick(rules, at), soon
        self._head = (run.account, run.program, run.id)
        self._tail = (False, None, state, 0, None, None, at, None)

    def sheet(self, raw: Raw, keys: Sequence[str], buckets: int) -> tuple[Sheet, list[str]]:
        """The encoded rows of the simple orders among `keys`, and the keys of the others."""
        made, rest = Sheet(), []
        effect_of, held, busy, decided = self._quick.effect, raw.items, raw.busy, raw.decided
        for key in keys:
            lines, found = raw.lines.get(key, ()), raw.actions.get(key, ())
            if len(lines) == 1 and len(found) == 1 and key not in decided:
                line, action = lines[0], found[0]
                items = held.get(action[1], ())
                effect = effect_of(line, action, items) if action[1] not in busy else None
                if effect is not None:
                    self._write(made, effect, line, action, items, buckets)
                    continue
            rest.append(key)
        made.outcomes[_PLANNED] += len(made.lines)
        return self._encoded(made), rest

    def _write(  # noqa: PLR0913, PLR0917 - an order's rows, and what comes of them
        self,
        made: Sheet,
        effect: Effect,
        line: Row,
        action: Row,
        items: Sequence[Row],
        buckets: int,
    ) -> None:
        key, action_id, currency, generation = line[0], action[1], action[7], action[14]
        verb, desired, reason, state = self._asked(effect, line, currency)
        name = self._prefix + named(self._run.account, action_id, state, generation)
        locking, amount = action[9], action[5]
        urgent = locking is not None and locking <= self._soon
        shard = zlib.crc32(action_id.encode()) % BUCKETS % buckets
        made.changes.append(
            (
                *(name, *self._head, action_id, key, verb, desired, reason),
                *(to_json([line[9] or ""]), currency, amount, action[6], _before(items)),
                *(amount - effect.drop, effect.payout_left, locking, urgent, generation, shard),
                *self._tail,
            )
        )
        made.change_lines.append((name, line[1], effect.drop))
        made.lines.append(
            (
                *(self._run.id, line[1], action_id, name, _PLANNED, None),
                "" if effect.left is not None else self._default_taken(line[9]),
                *(effect.worth, effect.payout, currency, line[-1] is None),
            )
        )
        if action[-1] != generation and not self._run.dry_run:
            made.seen.append((self._run.account, action_id, generation))

    def _asked(self, effect: Effect, line: Row, currency: str) -> tuple[str, str, str, str]:
        """Verb, desired state as JSON, reason, and the desired state in words."""
        left, amount = effect.left, effect.amount
        if left is None or amount is None:
            codes = self._rules.reasons.get(line[9] or "", self._rules.default_codes)
            return _REVERSE, _REVERSED, codes.reverse, REVERSED_STATE
        text = in_units(amount, currency) if amount else "0"
        desired = {"reverse": False, "items": [[line[4], left, text]], "amount": None}
        state = item_state(line[4], left, text.rstrip("0").rstrip(".") if "." in text else text)
        return _MODIFY, to_json(desired), ITEM_REASON, state

    def _default_taken(self, reason: str | None) -> str:
        """That a reason is not mapped, where its code is asked for."""
        known = not reason or reason in self._rules.reasons
        return "" if known else UNMAPPED.format(reason)

    def _encoded(self, made: Sheet) -> Sheet:
        """The rows with their money as the driver takes it; all else is as it takes it."""
        dialect = self._dialect
        made.changes = encode_plain(dialect, changes, CHANGE, made.changes)
        made.change_lines = encode_plain(dialect, change_lines, CHANGE_LINE, made.change_lines)
        made.lines = encode_plain(dialect, run_lines, RUN_LINE, made.lines)
        return made


def _before(items: Sequence[Row]) -> str:
    """An action's items as `items_to_json` has them."""
    return to_json(
        [
            [
                *(sku, quantity, shown(amount), had),
                *(None if cost is None else shown(cost), source or None, bool(touched)),
            ]
            for _, sku, quantity, amount, had, cost, source, touched in items
        ]
    )


@lru_cache(maxsize=64)
def _digits(currency: str) -> int:
    """How many decimal places a currency has."""
    return -int(minor_unit(currency).normalize().as_tuple().exponent)


def in_units(amount: int, currency: str) -> str:
    """Millionths that are whole minor units, with as many places as the currency has: 50.00."""
    whole, rest = divmod(amount, _MILLION)
    digits = _digits(currency)
    return f"{whole}.{rest:06}"[: digits - 6] if digits else str(whole)
