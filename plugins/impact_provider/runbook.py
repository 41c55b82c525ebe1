"""The runbooks that Airflow shows: what a Dag or task does, what a failure means, what to do."""

from __future__ import annotations

DAG = """\
### {name}: returns reconciliation

Brings the commissions of impact.com campaign **{campaign}** to what customers really kept: reads
returns from the warehouse connection `{warehouse}`, lists the actions through the connection
`{impact}`, plans the fewest changes, sends them, and closes the books only on what was read back.

**By hand**: *Trigger* reads from where the last run ended; `window_start` and `window_end` read a
window, `order_ids` certain orders; `dry_run` plans without sending. Airflow's own backfill reads
its data intervals and is dry unless `dry_run` is false.

**It is always safe to run again**: what is settled is not sent twice.

**When it is red**, open the first red task: its log ends with one sentence that says what to mend.
Then clear that task with its downstream tasks, or just wait for the next run: nothing is lost.
`clawback explain ORDER_ID` tells the whole story of an order.
"""

TASKS = {
    "preflight": """\
Opens the run in the ledger and chooses its window (the end of the last closed window minus the
overlap, the Params, or a backfill's data interval).

**If it fails**: the program file, the connection `impact`, the ledger (CLAWBACK_LEDGER_URL) or the
Params are wrong; the last line of the log names the mend. Nothing has been read or sent.
""",
    "extract_returns": """\
Reads every return line of the orders touched in the window from the warehouse into the ledger.

**If it fails**: the warehouse cannot be reached, or the statement of the program does not yield the
columns of the contract. A single bad row never fails it; it ends as *invalid*.
""",
    "sync_actions": """\
Lists impact.com's actions and their updates, incrementally, and keeps them in the ledger.

**If it fails**: the token is refused (401, 403: renew it in the connection; not retried), or
impact.com is out of reach (retried). When the request budget is spent it defers until the reset.
""",
    "plan_changes": """\
Works out what each action should say, and the fewest changes; cuts them into shards.

**If it fails**: a defect or the ledger's database; nothing has been sent. Its XCom `counts` holds
the figures; its return value are the shards.
""",
    "approve_changes": """\
Lets the plan pass where it stays within the `approval` thresholds of the program file. Over them
it waits for a person as *awaiting input*, without a slot: open **Required Actions**, read the
summary, and approve or reject. Rejected changes are *held: approval_refused*. Without an answer an
hour before the next scheduled run (24 hours in a run by hand) they stay *planned*, an alert says
so, and the next run asks again. Only changes approved in the ledger are ever sent.

**If it fails**: the plan is not the one that was shown (clear the task: it asks again), or the
ledger's database; nothing has been sent.
""",
    "prove_account": """\
Sends a few changes of each shape that this account has not been seen to honour, and waits for
their proof (deferred) before the rest may go.

**If it fails**: the canary had no or another effect; its changes are *held: canary_failed*. Look at
one of them with `clawback explain` before you pin anything in the program file.
""",
    "submit_changes": """\
Sends the approved changes of one shard, earliest locking date first. When the request budget is
spent it defers until the reset and frees its slot. Skipped when there is nothing to send.

**If it fails**: clear it. Changes already sent are known to the ledger; one whose answer was lost
is read back before anything is sent again.
""",
    "confirm_changes": """\
Waits (deferred) until every sent change is seen at impact.com, is refused, or the deadline of the
program passes; the rest stays *pending* and the next run looks again.

**If it fails**: impact.com could not be read. Clear it; nothing is sent by this task.
""",
    "close_books": """\
Closes the books whatever happened: every line of the run has one outcome, and they add up. Then it
fails if a task of the run failed, so that no run is green over a lost shard.

**If it fails**: either a task above is red (mend that one, then clear it with its downstream
tasks), or the books do not balance, which is a defect: keep the ledger and report it.
""",
}
