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

BACKFILL = """\
### Backfill by hand

Reconciles a window of the past, or certain orders, of one program. **It is dry unless `dry_run` is
false**: look at the books first, then trigger it again and send.

The window is cut into pieces of `window_days` days; each is a mapped task, named after its dates
and what came of them, and a run of its own in the ledger. They go one after the other.

**It is always safe to run again**: what is settled is not sent twice, so a window that broke off is
resumed by clearing its task, and a whole backfill by triggering it once more.

Changes over the program's `approval` thresholds stay *planned*: the next run of the program's own
Dag asks for them. Airflow's own backfill of the program's Dag works as well (docs/operations.md).
"""

AUDIT = """\
### Audit

Every week reads impact.com's present state in bulk and the warehouse, for each program, and
compares both with the ledger. It plans nothing and writes nothing at impact.com; each difference
stands in the ledger as an event, so that `clawback explain ORDER_ID` shows it.

Each program is a mapped task, named by how much has drifted. Its XCom holds the differences by
cause, and `order_ids`, the drifted orders. With `hand_over` these go to `returns_backfill` by
themselves, dry unless `dry_run` is false. docs/runbook.md says what each cause means.
"""

TASKS = {
    "audit_program": """\
Compares the actions of the last `depth_days` of one program; reads only.

**If it fails**: impact.com or the warehouse could not be read; the last line of the log names the
mend. Drift alone does not fail it: read its XCom.
""",
    "split_windows": """\
Looks whether the Params go together, and cuts the window into pieces. Reads and sends nothing.

**If it fails**: the last line of the log says which Param to change; trigger the Dag again with it.
""",
    "reconcile_window": """\
Reconciles one piece from beginning to end: reads, plans, approves what stays within the thresholds,
sends, waits for the proof (deferred) and closes the books. It waits for the piece before it.

**If it fails**: the last line of the log says what to mend. The other pieces go on. Clear the task
afterwards: what is settled is not sent again.
""",
    "preflight": """\
Opens the run in the ledger and chooses its window (the end of the last closed window minus the
overlap, the Params, or a backfill's data interval). Then looks with two requests whether the run
can work at all: credentials, campaign, currency, the clock, and that the warehouse opens.

**If it fails**: the program file, a connection, the token, the ledger (CLAWBACK_LEDGER_URL), the
clock or the Params are wrong; the last line of the log names the mend. Nothing has been read or
sent. The Dag `account_doctor` looks at all of the set-up.
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
    "submit_urgent": """\
Sends the changes that lock soon and stay within `approval.urgent` while `approve_changes` waits for
a person about the others. Where nobody is asked it has nothing to do: submit_changes sends all.

**If it fails**: clear it. Changes already sent are known to the ledger; one whose answer was lost
is read back before anything is sent again.
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

**If it fails**: impact.com could not be read. Clear it; it sends again only what a dead
process left in doubt.
""",
    "close_books": """\
Closes the books whatever happened: every line of the run has one outcome, and they add up. Then it
fails if a task of the run failed, so that no run is green over a lost shard. A live run that ends
well is announced on the asset `clawback_books_NAME`; if an alert is due, one message is posted
through the program's `alerts.connection`.

**If it fails**: either a task above is red (mend that one, then clear it with its downstream
tasks), or the books do not balance, which is a defect: keep the ledger and report it.
""",
}
