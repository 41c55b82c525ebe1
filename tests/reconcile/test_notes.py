"""What the note of a verdict says, word for word."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from reconcile_makers import (
    ANSWER,
    GONE,
    NOW,
    ORDERWISE,
    RESTORE,
    REVERSED,
    RULES,
    SOLD,
    action,
    adjustment,
    cancellation,
    item,
    line,
    money,
    plan,
    unlisted,
)

from clawback.reconcile.changes import identity
from clawback.reconcile.facts import (
    Decision,
    Desired,
    OrderPlan,
)


def ordering(n: int = 1, *, ordered: int = 3, cost: object = 150, **more: object) -> object:
    return line(n, ordered_quantity=ordered, ordered_amount=money(str(cost)), **more)


NOTES: list[tuple[Callable[[], OrderPlan], str]] = [
    (
        lambda: plan([line()]),
        "the order's whole date span was listed and holds no action of it",
    ),
    (
        lambda: plan([line()], span_listed=False),
        (
            "the days on which this order may have been reported are not all listed, so a "
            "missing action proves nothing; supply ordered_at or raise lookback_days"
        ),
    ),
    (
        lambda: plan([line()], action(item(), id="a"), action(item(), id="b")),
        (
            "several actions carry order O1 (a, b) and nothing tells which one counts; answer"
            " pick_action with one of them"
        ),
    ),
    (
        lambda: plan([line(voided=True)], action(item())),
        "the warehouse voided this line; it counts nothing",
    ),
    (
        lambda: plan([line(vanished=True)], action(item())),
        "the warehouse does not hold this line any more; it counts nothing",
    ),
    (
        lambda: plan(
            [line(reason="exchange")],
            action(item()),
            rules=replace(RULES, ignored_reasons=frozenset({"exchange"})),
        ),
        "the program ignores the reason 'exchange'",
    ),
    (
        lambda: plan([line()], action(item()), decisions=(Decision("ignore", "R1", "b", "me"),)),
        "a person decided to ignore this line",
    ),
    (
        lambda: plan([line()], decisions=(Decision("ignore", "", "b", "me"),), span_listed=False),
        (
            "a person decided to ignore: the days on which this order may have been reported "
            "are not all listed, so a missing action proves nothing; supply ordered_at or "
            "raise lookback_days"
        ),
    ),
    (
        lambda: plan([line(1, "X")], action(item())),
        (
            "action 1.2.3 holds no SKU 'X'; map it in the program's sku_map, name its "
            "parent_sku, or set unknown_sku: amount"
        ),
    ),
    (
        lambda: plan([line()], action(item(), item("A", 1, 60))),
        (
            "action 1.2.3 holds A on several lines and only part of it came back; lower the "
            "right line by hand at impact.com, then answer ignore"
        ),
    ),
    (
        lambda: plan([adjustment(1, "", 30)], action(item(), item("A", 1, 60))),
        (
            "action 1.2.3 holds one SKU twice, so an amount off the order cannot be spread; "
            "settle it by hand, then answer ignore"
        ),
    ),
    (
        lambda: plan([adjustment(1, "", 30)], action(unlisted("A", 1, 50))),
        (
            "an item's original figures are not known, so an amount off the order cannot be "
            "spread; accept a baseline for it first"
        ),
    ),
    (
        lambda: plan(
            [adjustment(1, "", 30)],
            action(unlisted("A", 1, 50), original_amount=None),
            rules=ORDERWISE,
        ),
        "action 1.2.3 was changed before it was first seen; settle it by hand, then answer ignore",
    ),
    (
        lambda: plan([line(1, "X", 1, parent_sku="A")], action(item())),
        (
            "the line gives no amount and no ordered figures to derive one from; supply "
            "amount, or ordered_quantity and ordered_amount"
        ),
    ),
    (
        lambda: plan([line(1, "A", 3)], action(item())),
        f"3 of A came back where 2 were left; {ANSWER}",
    ),
    (
        lambda: plan([adjustment(1, "A", 120)], action(item())),
        f"120 off A was paid back where 100 was left; {ANSWER}",
    ),
    (
        lambda: plan([adjustment(1, "", 120)], action(item())),
        f"120 off the order was paid back where 100 was left; {ANSWER}",
    ),
    (
        lambda: plan([line(1, "A", 3, 30, ordered_quantity=2)], action(item()), rules=ORDERWISE),
        f"3 of A came back of 2 ordered; {ANSWER}",
    ),
    (
        lambda: plan([line(1, "A", 1, 40, currency="EUR")], action(item())),
        (
            "the line is in EUR, the action in USD; supply the action's currency, or "
            "ordered_amount and currency_rule: ratio"
        ),
    ),
    (
        lambda: plan([line(1, "A", 1)], action(unlisted("A", 1, 50))),
        (
            "A was changed before it was first seen (now 1 for 50) and the warehouse gives no"
            " ordered quantity and amount; supply ordered_quantity and ordered_amount, or "
            "accept a baseline with clawback decide"
        ),
    ),
    (
        lambda: plan([ordering()], action(item(now=(1, 50)))),
        (
            "A: impact.com says 2 were sold, the warehouse 3; find out which is right and "
            "accept a baseline with clawback decide"
        ),
    ),
    (
        lambda: plan([line()], action(item(), open_change=True)),
        "an earlier change of action 1.2.3 is not yet seen",
    ),
    (
        lambda: plan([line()], action(item(), refused_final=True)),
        "impact.com refused a change of action 1.2.3 as final",
    ),
    (
        lambda: plan([line()], action(item(), cleared_at=NOW)),
        "action 1.2.3 was paid out on 2026-11-23",
    ),
    (
        lambda: plan([line()], action(item(), locking_at=NOW)),
        "action 1.2.3 locked on 2026-11-23 00:00 UTC",
    ),
    (
        lambda: plan([line()], action(item()), decisions=(Decision("stand_back", "", "b", "me"),)),
        "a person decided to stand back from this action",
    ),
    (
        lambda: plan([line()], action(item(), settled_by_us=SOLD)),
        (
            "someone raised action 1.2.3 after our confirmed change; find out why, then "
            "answer retry to lower it again or stand_back to leave it"
        ),
    ),
    (
        lambda: plan([line()], action(item(), modifications=999)),
        (
            "action 1.2.3 has nearly used up the modifications that impact.com allows one "
            "action; ask impact.com's support to change it, then answer ignore"
        ),
    ),
    (lambda: plan([line(voided=True)], action(item(now=(1, 50)), settled_by_us=SOLD)), RESTORE),
    (
        lambda: plan([line()], action(item("A", 3, 150, now=(1, 50)), settled_by_us=SOLD)),
        RESTORE,
    ),
    (
        lambda: plan([line()], action(item(now=(1, 50)))),
        "action 1.2.3 had been lowered by another hand; nothing was sent for this line",
    ),
    (
        lambda: plan([cancellation()], action(item(), state=REVERSED)),
        "action 1.2.3 had been lowered by another hand; nothing was sent for this line",
    ),
    (lambda: plan([line()], action(item(now=(1, 50)), settled_by_us=SOLD)), ""),
    (lambda: plan([line()], action(item(), state=REVERSED, settled_by_us=GONE)), RESTORE),
    (lambda: plan([adjustment(1, "A", "0.01")], action(item())), ""),
    (
        lambda: plan([line(1, "A", 1, "0.02")], action(item(now=(1, "99.98")))),
        "action 1.2.3 had been lowered by another hand; nothing was sent for this line",
    ),
]


@pytest.mark.parametrize(("planned", "note"), NOTES)
def test_a_note_says_why_and_what_to_do(planned: Callable[[], OrderPlan], note: str) -> None:
    """Every note a verdict can carry, word for word."""
    (verdict,) = planned().verdicts
    assert verdict.note == note
    assert verdict.action_id in {"", "1.2.3"}


def test_reversed_by_another_hand_after_our_change_is_told() -> None:
    """Our change lowered the action, then somebody reversed it: that was not ours."""
    made = plan([line(1, "A", 2)], action(item(), state=REVERSED, settled_by_us=SOLD))
    assert "another hand" in made.verdicts[0].note
    ours = plan([line(1, "A", 2)], action(item(), state=REVERSED, settled_by_us=GONE))
    assert ours.verdicts[0].note == ""


def test_a_line_tells_all_that_there_is_to_know() -> None:
    """What impact.com answered before and that the reason is not mapped stand side by side."""
    known = identity("IRtest", "1.2.3", Desired(reverse=True), 0)
    held = action(item(), rejected_identity=known, rejected="no such code")
    (verdict,) = plan([line(1, "A", 2)], held).verdicts
    assert verdict.note == (
        "no such code; the program maps no code for the reason 'returned', so its default was taken"
    )
    (verdict,) = plan([line(1, "A", 2, reason="")], action(item())).verdicts
    assert not verdict.note
