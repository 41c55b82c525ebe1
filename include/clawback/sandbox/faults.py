"""Misbehaviour by rule: which request meets which fault, decided by order and seed alone."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from clawback.errors import ClawbackError

FaultName = Literal[
    "latency",
    "rate_limited",
    "server_error",
    "reset",
    "timeout_after",
    "html",
    "truncated",
    "no_write_scope",
    "shifted_rows",
    "lost_submission",
    "failed_submission",
    "delayed_update",
    "duplicate_rows",
    "clock_skew",
    "contract_change",
    "locked_meanwhile",
    "other_person",
]
Kind = Literal[
    "list_actions",
    "get_action",
    "list_items",
    "get_item",
    "list_action_updates",
    "get_action_update",
    "list_submissions",
    "get_submission",
    "list_campaigns",
    "get_campaign",
    "get_company",
    "modify",
    "reverse",
]
"""The kinds of request that a fault can strike, as the request log names them."""
WRITES = ("modify", "reverse")
_LISTS = tuple(kind for kind in get_args(Kind) if kind.startswith("list_"))
# Faults of what becomes of a write, which no other request has.
_OF_WRITES_ONLY = frozenset(
    (
        "lost_submission",
        "failed_submission",
        "delayed_update",
        "duplicate_rows",
        "clock_skew",
        "contract_change",
        "locked_meanwhile",
        "other_person",
    )
)
_OF_WRITES = _OF_WRITES_ONLY | {"timeout_after", "no_write_scope"}
_OF_LISTS = frozenset(("shifted_rows",))


class Rule(BaseModel):
    """One fault and the requests that meet it; docs/sandbox.md describes each.

    `seconds` is real time for latency and timeout_after, the sandbox's time for delayed_update
    and clock_skew.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    fault: FaultName
    # Which requests
    kinds: tuple[Kind, ...] = Field((), description="as the request log names them; () is any")
    contains: str = Field("", description="a pattern that path, query or body must contain")
    min_page: int = Field(1, ge=1, description="only from this Page on")
    after: int = Field(0, ge=0, description="let so many matching requests pass first")
    every: int = Field(1, ge=1, description="of the rest, only every so many")
    times: int | None = Field(None, ge=1, description="at most so often")
    probability: float = Field(1.0, ge=0, le=1)
    # How
    seconds: float = Field(1.0, description="how long, late or skewed")
    status: int = Field(503, ge=400, le=599, description="of server_error")
    headers: bool = Field(default=True, description="rate_limited with its headers")
    retry_after: bool | None = Field(None, description="rate_limited with Retry-After")
    body: Literal["error", "html", "empty"] = Field("error", description="of server_error")
    html_status: int = Field(200, description="of html")
    cut: Literal["json", "wire"] = Field(
        "json", description="truncated: a short but whole answer, or a connection that breaks off"
    )
    rows: int = Field(1, description="shifted_rows: so many rows slid in on top (< 0: fell out)")
    lost: Literal["missing", "stuck"] = Field("missing", description="of lost_submission")
    same_id: bool = Field(default=True, description="duplicate_rows under one Id or two")
    error_type: str = "Validation"
    error_reason: str = "SYSTEM_ERROR"
    factor: float = Field(1.5, ge=0, description="contract_change: new rate over old")
    person: Literal["lower", "raise", "reverse"] = "lower"

    @model_validator(mode="after")
    def _can_strike(self) -> Rule:
        only = WRITES if self.fault in _OF_WRITES_ONLY else ()
        only = _LISTS if self.fault in _OF_LISTS else only
        never = [kind for kind in self.kinds if only and kind not in only]
        if never:
            raise ValueError(
                f"{self.fault} never strikes {', '.join(never)}, only {', '.join(only)}"
            )
        return self

    def applies_to(self, kind: str) -> bool:
        if self.kinds:
            return kind in self.kinds
        if self.fault in _OF_WRITES:
            return kind in WRITES
        return self.fault not in _OF_LISTS or kind.startswith("list_")


class FaultPlan:
    """The rules in force and how often each has matched and struck."""

    def __init__(self, rules: tuple[Rule, ...], seed: int) -> None:
        self._seed = seed
        self.replace(rules)

    def replace(self, rules: tuple[Rule, ...]) -> None:
        self.rules = rules
        self._patterns = [re.compile(rule.contains) for rule in rules]
        self._matched = [0] * len(rules)
        self.struck = [0] * len(rules)

    def strike(self, kind: str, request: str, page: int) -> list[Rule]:
        """The rules that strike this request, in their order."""
        return [
            rule
            for number, rule in enumerate(self.rules)
            if rule.applies_to(kind)
            and page >= max(rule.min_page, 2 if rule.fault == "shifted_rows" else 1)
            and (not rule.contains or self._patterns[number].search(request))
            and self._strikes(number, rule)
        ]

    def _strikes(self, number: int, rule: Rule) -> bool:
        nth = self._matched[number] = self._matched[number] + 1
        due = nth > rule.after and (nth - rule.after - 1) % rule.every == 0
        if not due or (rule.times is not None and self.struck[number] >= rule.times):
            return False
        if rule.probability < 1 and self._draw(number, nth) >= rule.probability:
            return False
        self.struck[number] += 1
        return True

    def _draw(self, number: int, nth: int) -> float:
        """A number in [0, 1) that depends on seed, rule and the request's turn only."""
        digest = hashlib.blake2b(f"{self._seed}:{number}:{nth}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") / 2**64


def effects(rules: list[Rule]) -> dict[str, Any]:
    """What the striking rules do to an accepted write, in plain values for the journal."""
    found: dict[str, Any] = {}
    for rule in rules:
        if rule.fault == "lost_submission":
            found["lost"] = rule.lost
        elif rule.fault == "failed_submission":
            found |= {"error_type": rule.error_type, "error_reason": rule.error_reason}
        elif rule.fault == "delayed_update":
            found["delay"] = rule.seconds
        elif rule.fault == "duplicate_rows":
            found["duplicate"] = "same_id" if rule.same_id else "new_id"
        else:
            found |= _meddling(rule)
    return found


def _meddling(rule: Rule) -> dict[str, Any]:
    if rule.fault == "clock_skew":
        return {"skew": rule.seconds}
    if rule.fault == "contract_change":
        return {"contract_factor": str(rule.factor)}
    if rule.fault == "locked_meanwhile":
        return {"lock": True}
    return {"other_person": rule.person} if rule.fault == "other_person" else {}


def load(path: Path) -> tuple[Rule, ...]:
    """The rules of a YAML or JSON file: a list. Raises ClawbackError if one is malformed."""
    try:
        content = yaml.safe_load(path.read_text("utf-8")) or []
    except (OSError, yaml.YAMLError) as error:
        raise ClawbackError(f"faults {path}: cannot be read ({error})") from error
    return parse(content, str(path))


def parse(content: Any, source: str) -> tuple[Rule, ...]:
    if not isinstance(content, list):
        raise ClawbackError(f"faults {source}: must be a list of rules, each with its `fault`")
    try:
        rules = tuple(Rule.model_validate(entry) for entry in content)
        for rule in rules:
            re.compile(rule.contains)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "rule"
        raise ClawbackError(
            f"faults {source}: {where}: {first['msg']}; docs/sandbox.md lists the faults"
        ) from error
    except re.error as error:
        raise ClawbackError(f"faults {source}: contains: no pattern ({error})") from error
    return rules
