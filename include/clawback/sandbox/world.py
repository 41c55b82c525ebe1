"""The account: its actions, its queue of writes and its history."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from clawback.sandbox import fields as f
from clawback.sandbox import others, pricing, rules, writes
from clawback.sandbox.extensions import Extension
from clawback.sandbox.facts import BadRequest, Refusal, Submission, Write
from clawback.sandbox.history import Change, History
from clawback.sandbox.load import Loader
from clawback.sandbox.profile import Profile
from clawback.sandbox.query import DAY
from clawback.sandbox.refusals import field_of, texts_of
from clawback.sandbox.store import Store
from clawback.sandbox.ticking import lock_instant, stamp


class World:
    """All state of one sandbox; `profile` answers what no document settles.

    Times are epoch seconds and must not go back from one call to the next.
    """

    def __init__(self, profile: Profile, seed: int, latency: float) -> None:
        self.profile = profile
        self.store = Store(profile)
        self.history = History(self.store, profile)
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

    def load(self, numbered: Iterable[tuple[int, Mapping[str, Any]]], source: str) -> None:
        """Take the lines of a world by number. Raises BadLine as the loader does."""
        for row, said in self._loader.load(numbered, source):
            self._extend(row, said)
        self.version += 1

    def check_new(self, line: Mapping[str, Any]) -> None:
        """Raises BadLine if `add` would."""
        self._loader.one(line)

    def add(self, line: Mapping[str, Any], at: float) -> int:
        """A conversion reported now, or at the time its line gives; BadLine as the loader does."""
        now = stamp(int(at), self.profile.zone)
        reported, said = self._loader.one({"CreationDate": now, **line})
        row = self.store.add(reported)
        if said is not None:
            self._extend(row, said)
        self.version += 1
        return row

    def _extend(self, row: int, said: Extension) -> None:
        """How an action stands, what happened to it, what it refuses."""
        if said.refusal is not None:
            self._refused[row] = said.refusal
        for update in said.updates:
            self.history.adopt(row, update)
        standing = others.already_changed(self.store.original(row), said)
        if standing is not None:
            self.store.change(row, standing)

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
        due = at + self._latency * self._pace(batch_id)
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

    def _pace(self, batch_id: str) -> float:
        """By how much of the latency a write waits (reference §9.15)."""
        if self.profile.write_order == "accepted":
            return 1.0
        digest = hashlib.blake2b(batch_id.encode(), digest_size=4).digest()
        return int.from_bytes(digest, "big") / 2**31

    def _check(self, verb: str, form: Mapping[str, str], at: float) -> int | None:
        """The action a write is about, if there is one.

        Raises BadRequest for what the profile refuses at once.
        """
        row = None
        try:
            row = self.target(form, at)
            write = writes.parse(verb, form, self.profile)
            if self.profile.refuses_at_once:
                self._outcome(_existing(row), write, at, at)
        except BadRequest as error:
            self._answer_at_once("malformed", error.message, *error.fields)
        except Refusal as refusal:
            field = (field_of(refusal), refusal.message)
            self._answer_at_once(refusal.cause, "Validation Failed", field)
        return row

    def _answer_at_once(self, cause: str, message: str, *fields: tuple[str, str]) -> None:
        """Refuse now what is not refused by the submission (reference §9.2)."""
        timing = self.profile.timing(cause)
        if timing != "submission":
            raise BadRequest(message, *fields, status=400 if timing == "at_once" else timing)

    def target(self, form: Mapping[str, str], at: float) -> int | None:
        """The action that a write names; of an order's several the newest (reference §3.6).

        None if there is none yet. Raises BadRequest if the form names nothing.
        """
        action_id, tracker, order = writes.target(form)
        if action_id:
            row = self.store.find(action_id)
            rows = [] if row is None else [row]
        else:
            rows = self.store.find_order(order, tracker)
        rows = [row for row in rows if self.visible(row, at)]
        return rows[-1] if rows else None

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
        row = _existing(self.target(form, at))
        written = at + float(str(effects.get("skew", 0)))
        outcome = self._outcome(row, write, at, written)
        self._settle(row, write, outcome, written, str(effects.get("duplicate", "")))
        return outcome.refusals

    def _outcome(self, row: int, write: Write, at: float, written: float) -> rules.Outcome:
        if row in self._refused:
            raise Refusal("configured", "The action refuses every write", self._refused[row])
        now = replace(self.store.standing(row), state=self.store.state_at(row, at))
        factor, rate = self._contract(row)
        terms = pricing.Terms(
            profile=self.profile,
            currency=self.store.currency(row),
            locked=self.store.locks[row] <= at,
            written=int(written),
            stamp=stamp(int(written), self.profile.zone),
            factor=factor,
            rate=rate,
        )
        meant = pricing.in_currency(write, terms)
        return rules.apply(meant, now, self.store.original(row), terms)

    def _settle(
        self, row: int, write: Write, outcome: rules.Outcome, written: float, duplicate: str = ""
    ) -> None:
        change = Change(row, write, self.store.standing(row), outcome.standing, int(written))
        self.store.change(row, outcome.standing)
        for draft in outcome.rows:
            self.history.write(change, draft)
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
        self._settle(row, write, self._outcome(row, write, at, at), at)
        self.version += 1

    def lock(self, row: int, at: int) -> None:
        """Lock an action now, by the latest LockingDate that has it locked."""
        date = at
        while (late := lock_instant(date, self.profile) - at) > 0:
            date -= late
        self.set_locking(row, date)

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
        """Whether it can be read: not too fresh for this profile, and not too old (§4, §9.15)."""
        days = self.profile.submission_days
        kept = days is None or now - days * DAY <= submission.at
        return kept and submission.at <= now - self.profile.submission_visible_after

    def kept_submissions(self, now: float) -> list[Submission]:
        """Those that can be read, newest first."""
        return [s for s in reversed(self.submissions.values()) if self.is_kept(s, now)]


def _existing(row: int | None) -> int:
    """The action a write names. Raises Refusal if there is none."""
    if row is None:
        raise Refusal("unknown_action", "No such action")
    return row
