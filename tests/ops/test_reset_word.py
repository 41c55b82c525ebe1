"""A reset that goes by a person's word: without it, or with another, nothing is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from clawback.ledger import resets
from clawback.ledger.resets import ResetState
from clawback.ledger.tables import events
from clawback.steps import reset_word
from clawback.steps.preflight import preflight
from clawback.steps.reset import ResetError, reset_confirm, reset_orders, reset_preview, reset_send
from clawback.steps.reset_told import ends
from clawback.steps.reset_word import Word, word_of
from clawback.steps.runtime import RunKind, RunRequest, Runtime
from lab import Lab, action, back, counted

Maker = Callable[..., Lab]


def opened(lab_of: Maker, **settings: Any) -> tuple[Lab, Runtime]:
    """A lab with a lowered action, and an open run that is to reset it."""
    lab = lab_of([action("O-1")], **settings)
    lab.rows = [back("O-1")]
    assert counted(lab.run()) == {"confirmed": 1}
    lab.pass_time(hours=1)
    rt, sid = lab.runtime(), lab.account.account_sid
    orders = reset_orders(rt, sid, ["O-1"])
    preflight(rt, RunRequest(RunKind.MANUAL, order_ids=orders), sid)
    return lab, rt


def test_nothing_goes_without_a_word(lab_of: Maker) -> None:
    """Nobody asked, a refusal and a time-out are all no word; the ledger keeps each."""
    lab, rt = opened(lab_of)
    with pytest.raises(ResetError, match="nobody has approved this reset"):
        word_of(rt)
    for no in (lambda: reset_word.refused(rt, "Ann", "not now"), lambda: reset_word.timed_out(rt)):
        no()
        with pytest.raises(ResetError, match="nobody has approved"):
            word_of(rt)
    kept = [row["became"] for row in lab.table(events) if row["run_id"] == rt.run_id]
    assert kept[-2:] == [reset_word.REFUSED, reset_word.TIMED_OUT]


def test_the_last_word_counts_and_is_about_what_was_shown(lab_of: Maker) -> None:
    """Approved is approved for the fingerprint that was shown, by the name that said so."""
    lab, rt = opened(lab_of)
    with lab.client(rt) as client:
        shown = reset_preview(rt, client, ["O-1"], "wrong row")
        reset_word.asked(rt, shown)
        reset_word.refused(rt, "Ann", "")
        reset_word.approved(rt, "Ben", shown["fingerprint"])
        word = word_of(rt)
        assert word == Word("Ben", shown["fingerprint"])
        told = reset_send(rt, client, ["O-1"], "wrong row", by=word.by, seen=word.seen)
    assert told.counts == {"sent": 1}


def test_the_ends_are_told_and_none_at_all_is_an_error(lab_of: Maker) -> None:
    """What impact.com refused is said in its words; if nothing was reset, the task fails on it."""
    lab, rt = opened(lab_of)
    with lab.client(rt) as client:
        reset_send(rt, client, ["O-1"], "wrong row", by="Ben")
        lab.pass_time(minutes=1)
        assert reset_confirm(rt, client).done
    [line] = ends(rt)
    assert line.endswith("is back to what was first reported: proved")
    with lab.ledger.begin() as conn:
        [row] = resets.of_run(conn, rt.run_id)
        lost = {"state": ResetState.LOST.value, "error": "it never showed"}
        resets.set_reset(conn, row["id"], [ResetState.DONE], **lost)
    with pytest.raises(ResetError, match=r"no action was reset .*it never showed"):
        ends(rt)
