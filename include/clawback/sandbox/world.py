"""The account: its actions, its queue of writes and its history."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from clawback.sandbox import fields as f
from clawback.sandbox import others, rules, writes
from clawback.sandbox.facts import BadRequest, Refusal, Submission, Write
from clawback.sandbox.history import Change, History
from clawback.sandbox.load import Loader, text
from clawback.sandbox.profile import Profile
from clawback.sandbox.refusals import field_of, texts_of
from clawback.sandbox.store import Store
from clawback.sandbox.ticking import stamp

KEPT = 90 * 86400
"""Seconds a submission is kept (reference §4)."""


class World:
    """All state of one sandbox; `profile` answers what no document settles.

    Times are epoch seconds and must not go back from one call to the next.
    """

    def __init__(self, profile: Profile, seed: int, latency: float) -> None:
        self.profile = profile
        self.store = Store()
        self.history = History(self.store)
        self.submissions: dict[str, Submission] = {}
        self.version = 0
        self._seed = seed
        self._latency = latency
        self._accepted = 0
        self._turns = 0
        self._queue: list[tuple[float, int, Submission]] = []
        self._loader = Loader(self.store, profile.zone)
        self._contracts: dict[str, tuple[Decimal, Decimal | None]] = {}
        self._refused: dict[int, tuple[str, str]] = {}

    # Loading

    def load(self, actions: Iterable[Mapping[str, Any]]) -> None:
        for row, line in self._loader.load(actions):
            self._extend(row, line)
        self.version += 1

    def add(self, line: Mapping[str, Any], at: float) -> int:
        """A conversion reported now, or at the time its line gives."""
        line = {"CreationDate": stamp(int(at), self.profile.zone), **line}
        row = self.store.add(*self._loader.read(line))
        self._extend(row, line)
        self.version += 1
        return row

    def _extend(self, row: int, line: Mapping[str, Any]) -> None:
        """The extensions of a world line: how it stands, what happened to it, what it refuses."""
        store = self.store
        if refusal := line.get("_refuse"):
            self._refused[row] = (text(refusal["ErrorType"]), text(refusal["ErrorReason"]))
        standing = others.already_changed(store, self.history, row, line)
        if standing is not None:
            store.change(row, standing)

    # Time

    def advance(self, now: float) -> None:
        """Let everything happen that was due by now, in the order in which it was due."""
        while self._queue and self._queue[0][0] <= now:
            due, _, submission = heapq.heappop(self._queue)
            self._fall_due(submission, due)
            self.version += 1

    def visible(self, row: int, now: float) -> bool:
        return self.store.created[row] <= now

    # Writing

    def submit(
        self, verb: str, form: Mapping[str, str], at: float, effects: Mapping[str, Any]
    ) -> str:
        """Accept a write and queue it; gives its BatchId.

        Raises BadRequest where the profile refuses at once (reference §9.2).
        """
        others.meddle(self, form, at, effects)
        row = self._check(verb, form, at)
        self._accepted += 1
        batch_id = self._batch_id()
        if effects.get("lost") == "missing":
            return batch_id
        due = at + self._latency
        submission = Submission(batch_id, at, due, verb, dict(form), row, dict(effects))
        self.submissions[batch_id] = submission
        if effects.get("lost") != "stuck":
            self._enqueue(due, submission)
        return batch_id

    def _enqueue(self, due: float, submission: Submission) -> None:
        self._turns += 1  # of two that are due at once, the earlier one goes first
        heapq.heappush(self._queue, (due, self._turns, submission))

    def _batch_id(self) -> str:
        digest = hashlib.blake2b(f"{self._seed}:{self._accepted}".encode(), digest_size=16)
        h = digest.hexdigest()
        return f"A-{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"

    def _check(self, verb: str, form: Mapping[str, str], at: float) -> int | None:
        try:
            write = writes.parse(verb, form, self.profile)
            row = self._resolve(write, at)
            if self.profile.refused_write == "at_once":
                self._outcome(row, write, at, at)
        except BadRequest:
            if self.profile.missing_parameter == "at_once":
                raise
        except Refusal as refusal:
            if self.profile.refused_write == "at_once":
                raise BadRequest(
                    "Validation Failed", (field_of(refusal), refusal.message)
                ) from refusal
        else:
            return row
        return None

    def _resolve(self, write: Write, at: float) -> int:
        if write.action_id:
            row = self.store.find(write.action_id)
            rows = [] if row is None else [row]
        else:
            rows = self.store.find_order(write.order_id, write.tracker_id)
        rows = [row for row in rows if self.visible(row, at)]
        if not rows:
            raise Refusal("unknown_action", "No such action")
        return rows[-1]

    def _fall_due(self, submission: Submission, due: float) -> None:
        effects = submission.effects
        if submission.completed is None and effects.get("error_type"):
            submission.completed = due
            submission.error_type = str(effects["error_type"])
            submission.error_reason = str(effects.get("error_reason", ""))
            return
        delay = float(str(effects.get("delay", 0)))
        if submission.completed is None and delay:
            submission.completed = due
            self._enqueue(due + delay, submission)
            return
        try:
            refusals = self._perform(submission.verb, submission.fields, due, effects)
        except BadRequest as error:
            refusals = (Refusal("malformed", error.message),)
        except Refusal as refusal:
            refusals = (refusal,)
        if submission.completed is None:
            submission.completed = due
            self._note(submission, refusals)

    def _note(self, submission: Submission, refusals: tuple[Refusal, ...]) -> None:
        texts = [texts_of(refusal, self.profile) for refusal in refusals]
        if texts:
            submission.error_type = texts[0][0]
            submission.error_reason = " ".join(dict.fromkeys(reason for _, reason in texts))

    def _perform(
        self, verb: str, form: Mapping[str, str], at: float, effects: Mapping[str, Any]
    ) -> tuple[Refusal, ...]:
        write = writes.parse(verb, form, self.profile)
        row = self._resolve(write, at)
        written = at + float(str(effects.get("skew", 0)))
        outcome = self._outcome(row, write, at, written)
        self._settle(row, write, outcome, str(effects.get("duplicate", "")))
        return outcome.refusals

    def _outcome(self, row: int, write: Write, at: float, written: float) -> rules.Outcome:
        if row in self._refused:
            raise Refusal("configured", "The action refuses every write", self._refused[row])
        now = replace(self.store.standing(row), state=self.store.state_at(row, at))
        factor, rate = self._contract(row)
        terms = rules.Terms(
            profile=self.profile,
            currency=self.store.currency(row),
            at=int(at),
            written=int(written),
            stamp=stamp(int(written), self.profile.zone),
            factor=factor,
            rate=rate,
        )
        return rules.apply(write, now, self.store.original(row), terms)

    def _settle(self, row: int, write: Write, outcome: rules.Outcome, duplicate: str) -> None:
        before = self.store.standing(row)
        self.store.change(row, outcome.standing)
        for draft in outcome.rows:
            self.history.write(Change(row, write, before, outcome.standing), draft, self.profile)
            if duplicate:
                self.history.repeat(same_number=duplicate == "same_id")

    def _contract(self, row: int) -> tuple[Decimal, Decimal | None]:
        own = self._contracts
        if not own:
            return Decimal(1), None
        for scope in (
            self.store.own_value(row, "Id"),
            self.store.shared_value(row, "MediaPartnerId"),
            "*",
        ):
            if scope in own:
                return own[scope]
        return Decimal(1), None

    # What others do

    def change(self, verb: str, form: Mapping[str, str], at: float) -> None:
        """A change made by hand in the UI: at once, without a submission.

        Raises Refusal or BadRequest like a write through the API.
        """
        self._perform(verb, form, at, {})
        self.version += 1

    def restore(self, row: int, at: float) -> None:
        """Approve on a reversed action in the UI: pending again as it was reported (§3.3)."""
        write = Write("modify", f.RESET, f.RESET)
        self._settle(row, write, self._outcome(row, write, at, at), "")
        self.version += 1

    def set_locking(self, row: int, at: int) -> None:
        self.store.change(row, replace(self.store.standing(row), locking=at))
        self.version += 1

    def refuse(self, row: int, texts: tuple[str, str] | None) -> None:
        """Let every write to an action end with this ErrorType and ErrorReason, or no more."""
        if texts is None:
            self._refused.pop(row, None)
        else:
            self._refused[row] = texts

    def contract(
        self, scope: str, *, factor: Decimal = Decimal(1), rate: Decimal | None = None
    ) -> None:
        """New terms for an action, a partner (MediaPartnerId) or, with `*`, everyone."""
        self._contracts[scope] = (factor, rate)

    # Reading

    def is_kept(self, submission: Submission, now: float) -> bool:
        """Whether it can be read: not too fresh for this profile, and not past 90 days."""
        return now - KEPT <= submission.at <= now - self.profile.submission_visible_after

    def kept_submissions(self, now: float) -> list[Submission]:
        """Those that can be read, newest first."""
        return [s for s in reversed(self.submissions.values()) if self.is_kept(s, now)]
