"""The runbooks of the Dags that a person starts: reset, decisions, doctor, and the audit."""

from __future__ import annotations

RESET = """\
### {name}: reset

Puts actions of impact.com campaign **{campaign}** back to what was first reported, and then brings
their orders to what the returns ask for now. It is the only way to raise an action again: for a
return that was withdrawn (*held: restore_needed*), or a change that was wrong.

`targets` are ActionIds or order ids, `reason` is kept. The run shows what will be undone, then
waits as *awaiting input* for a person's word (**Required Actions** of `approve_reset`): nothing is
sent before. `dry_run` shows it and asks nobody.

**Left alone**, each with its reason in the log: what has locked or been paid out, what locks sooner
than an undo and a new change take (twice the observed queue latency, and a run), what has a write
under way, and what has nothing to undo.

**impact.com warns** that its reports may be off after a reset, and the commission is worked out
again by the contract terms in force now.

**It is safe to run again**: what is back at first is left alone, and the orders are planned anew.
"""

DECISIONS = """\
### Decisions on held orders

Answers a hold: pick an action, accept a baseline, ignore, retry, stand back, or withdraw what was
answered before. Name the orders in `order_ids`, or in `hold` every order that is held for one
reason. All of them are checked first: the answer is kept for all, or for none.

The name in the ledger is yours, as you are logged in. The next run of the program takes the answer
up; `clawback explain ORDER_ID` shows who decided what. docs/runbook.md says which answer fits which
hold. Triggered again, the same answer takes the place of itself.
"""

DOCTOR = """\
### Doctor

Examines whole set-ups and changes nothing: program file, connections, credentials, token scopes,
campaign, action trackers, clock, request budget, the statement's columns, order ids and SKUs,
currency, locking terms, ledger. **Run it on the first day**, and whenever a run fails oddly.

Each program is a mapped task, named by what failed; its log has a line for each check, with the
mend behind the arrow, and its XCom `checks` holds the same. At most ten requests go to impact.com.
The cheap part of it is made by `preflight` in every run.
"""

APPROVED_WITH_RESET = """\
Approves the new plan of these orders under the name of who approved the reset: their word was for
both, and an action that is left as first reported would be paid in full.

**If it fails**: the ledger's database; clear it. The actions are reset and wait to be lowered.
"""

TASKS = {
    "choose_programs": """\
Gives the programs of the Param `programs`, or all that there are; what follows is mapped over them.

**If it fails**: the folder of the program files (CLAWBACK_PROGRAMS) cannot be read by the workers.
""",
    "hand_over": """\
If `hand_over` is true, starts `returns_backfill` over this program's drifted orders, dry unless the
audit's `dry_run` is false. Skipped when nothing has drifted.

**If it fails**: `returns_backfill` is paused (unpause it, then clear this task), or is not there.
""",
    "examine_program": """\
Makes every check of one program; reads only.

**If it fails**: a check failed, and the last line of the log names each with its mend. Mend them in
the order of the log (what is *skip* was not looked at), then clear the task.
""",
    "decide": """\
Checks the answer against every order, then keeps it in the ledger: for all of them, or for none.

**If it fails**: the answer does not fit, and the last line of the log says for which order and what
would. Nothing was kept; trigger the Dag again. A withdrawn answer is `verb` withdraw.
""",
    "preview_reset": """\
Reads the actions at impact.com, one request each, and shows in a table what a reset would undo, and
which are left alone and why. Sends nothing.

**If it fails**: a target is unknown to the ledger, or none may be reset; the last line of the log
says why. Trigger the Dag again with other targets.
""",
    "approve_reset": """\
Waits for a person as *awaiting input*, without a slot: open **Required Actions**, read what will be
undone and impact.com's warning, and approve or reject. Rejected, or unanswered for 24 hours,
nothing is sent, and the run's books are closed on it. A dry run asks nobody.

**If it fails**: the ledger's database; clear it, and it asks again. Nothing has been sent.
""",
    "reset_actions": """\
Sends RESET for each approved action; every intent is in the ledger before its request leaves. When
the request budget is spent it defers until the reset of the hour.

**If it fails**: an action is not as it was when it was shown (nothing was sent: trigger the Dag
again), or the token may not write. Otherwise clear it: it goes on where it was.
""",
    "confirm_resets": """\
Looks again and again, asleep in between, whether each reset has shown: amount and items back at
first. A request whose answer was lost is read back before it is sent again.

**If it fails**: no action was reset; the log names impact.com's error. The orders are as they were.
If only some were refused, the log says so and the rest goes on.
""",
}
