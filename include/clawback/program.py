"""Program: one validated configuration per impact.com program, read from a YAML file."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from clawback.errors import ClawbackError
from clawback.impact.codes import check_reason
from clawback.reconcile import facts

PROGRAMS_ENV = "CLAWBACK_PROGRAMS"
SQL_ENV = "CLAWBACK_SQL"
_INCLUDE = Path(__file__).resolve().parents[1]


class ProgramError(ClawbackError):
    """A program file is missing or malformed; the message names the file, the key and the mend."""


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"{name!r} is no time zone; write one like Europe/Berlin") from None
    return name


def _web_address(text: str) -> str:
    if not text.startswith(("https://", "http://")) or set(_MARK.findall(text)) - _MARKS:
        raise ValueError("write an address like https://…/{action_id}, or with {order_id}")
    return text


_MARK = re.compile(r"\{[^}]*\}")
_MARKS = {"{action_id}", "{order_id}"}


def _text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Text = Annotated[str, BeforeValidator(_text)]
ActionUrl = Annotated[str, AfterValidator(_web_address)]
Zone = Annotated[str, AfterValidator(_zone)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Connections(_Part):
    """The ids of the Airflow connections; outside Airflow, AIRFLOW_CONN_<ID> is read."""

    impact: str = "impact_default"
    warehouse: str = "warehouse_default"


class Warehouse(_Part):
    """Where the returns come from: a statement below include/sql, and for files their path."""

    statement: str = "returns.duckdb.sql"
    files: str = ""
    variables: dict[str, str | int] = {}
    batch: int = Field(5000, ge=1, le=100_000)


class Ids(_Part):
    """How ids are made alike before they are compared; off by default."""

    trim: bool = False
    case: Literal["", "upper", "lower"] = ""
    prefix: str = ""
    pattern: str = ""

    def rules(self) -> facts.Normalise:
        return facts.Normalise(**self.model_dump())


class SkuIds(Ids):
    """As for order ids, with an optional mapping of the warehouse's SKUs to impact.com's."""

    mapping: dict[Text, Text] = {}

    def rules(self) -> facts.Normalise:
        return facts.Normalise(**self.model_dump(exclude={"mapping"}))


class Code(_Part):
    """impact.com's code for a merchant reason, for each of the two writes (reference §3)."""

    modify: str = facts.DEFAULT_CODES.modify
    reverse: str = facts.DEFAULT_CODES.reverse


class CustomCodes(_Part):
    """Disposition codes that the account has configured itself; case counts (reference §3.4)."""

    modify: tuple[str, ...] = ()
    reverse: tuple[str, ...] = ()


class Reasons(_Part):
    """What merchant reasons mean at impact.com, and which of them are no return at all."""

    map: dict[Text, Code] = {}
    ignore: tuple[Text, ...] = ()
    default: Code = Code()
    custom: CustomCodes = CustomCodes()

    @model_validator(mode="after")
    def _codes_exist(self) -> Self:
        for code in (self.default, *self.map.values()):
            check_reason("modify", code.modify, self.custom.modify)
            check_reason("reverse", code.reverse, self.custom.reverse)
        return self


class Pins(_Part):
    """Facts of the account's writes that a person vouches for; null is learned by the canary."""

    amount_follows_quantity: bool | None = None
    indexed_items: bool | None = None
    indexed_amounts: bool | None = None


class Shards(_Part):
    """How the changes of a run are cut into mapped tasks."""

    most: int = Field(16, ge=1, le=256)
    size: int = Field(250, ge=1)


class Budget(_Part):
    """How much of impact.com's hourly allowance is left to other users of the account."""

    reserve_share: float = Field(0.2, ge=0, lt=1)


class Confirm(_Part):
    """How long a run waits for its changes to show, and how it looks."""

    deadline_minutes: float = Field(240, gt=0)
    give_up_hours: float = Field(24, gt=0)
    """After this, a submission that is still queued counts as lost and its change is sent anew."""
    poll_seconds: float = Field(15, gt=0)
    poll_seconds_most: float = Field(600, gt=0)


Limit = Annotated[Decimal, Field(ge=0)]


class Thresholds(_Part):
    """What a plan may hold without a person's word; null is no limit. Money in the currency."""

    changes: int | None = Field(None, ge=0)
    amount: Limit | None = None
    payout: Limit | None = None
    revenue_share: Limit | None = None


class Approval(Thresholds):
    """When a plan waits for a person; `urgent` judges changes that lock soon on their own."""

    urgent: Thresholds | None = None

    @property
    def waits(self) -> bool:
        """Whether any plan would have to wait."""
        return any(value is not None for value in self.model_dump().values())


class Alerts(_Part):
    """When a run sends word; null never does. `connection` is an Airflow http connection.

    `held` and `rejected` are lines of a run, `locking_days` how soon an unsettled action locks,
    `payout_surprise` the commission that moved otherwise than planned, `deadline_hours` how long
    after it was queued a run may still be open.
    """

    connection: str = ""
    style: Literal["slack", "teams", "json"] = "slack"
    held: int | None = Field(None, ge=1)
    rejected: int | None = Field(1, ge=1)
    locking_days: int | None = Field(3, ge=0)
    locking_payout: Limit = Decimal(0)
    payout_surprise: Limit | None = Decimal(0)
    deadline_hours: float | None = Field(6, gt=0)


class Program(_Part):
    """One impact.com program (campaign) and how its returns are reconciled."""

    name: Name
    campaign_id: Text
    currency: Currency
    action_trackers: tuple[Text, ...] = ()
    timezone: Zone = "UTC"
    schedule: str = "0 6 * * *"
    connections: Connections = Connections()
    warehouse: Warehouse = Warehouse()
    overlap_days: float = Field(3, ge=0)
    lookback_days: int = Field(90, ge=1, le=1095)
    event_date_slack_days: int = Field(14, ge=0, le=365)
    watch_days: int = Field(60, ge=0)
    tracking: Literal["items", "order", "auto"] = "auto"
    placeholder_skus: tuple[str, ...] = ()
    unknown_sku: Literal["hold", "amount"] = "hold"
    trust_amounts: bool = True
    full_return: Literal["reverse", "items"] = "reverse"
    tolerance_units: int = Field(1, ge=0)
    currency_rule: Literal["hold", "ratio"] = "hold"
    safety_margin_minutes: float = Field(120, ge=0)
    order_ids: Ids = Ids()
    skus: SkuIds = SkuIds()
    reasons: Reasons = Reasons()
    learned: Pins = Pins()
    canary: int = Field(10, ge=0)
    shards: Shards = Shards()
    budget: Budget = Budget()
    confirm: Confirm = Confirm()
    approval: Approval = Approval()
    alerts: Alerts = Alerts()
    action_url: ActionUrl = "https://app.impact.com"
    """The page of an action in impact.com's UI, with {action_id} or {order_id} where they stand."""

    @classmethod
    def load(cls, path: Path) -> Program:
        """The program in a YAML file; raises ProgramError with the file, the key and the mend."""
        try:
            data: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ProgramError(
                f"{path}: no such program file; write it, or name one of {_known(path.parent)}"
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise ProgramError(f"{path}: cannot be read ({error}); mend its rights") from None
        except yaml.YAMLError as error:
            raise ProgramError(f"{path}: is not YAML: {_flat(str(error))}; mend it there") from None
        if not isinstance(data, dict):
            raise ProgramError(f"{path}: must be a mapping with name, campaign_id and currency")
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise ProgramError(f"{path}: {_faults(error)}") from None

    @property
    def statement(self) -> Path:
        """The file of the SQL statement that reads the returns."""
        named = Path(self.warehouse.statement)
        home = os.environ.get(SQL_ENV) or str(_INCLUDE / "sql")
        return named if named.is_absolute() else Path(home) / named

    def page_of_action(self, action_id: str, order_id: str) -> str:
        """The address of an action in impact.com's own UI."""
        parts = {"{action_id}": action_id, "{order_id}": order_id}
        url = self.action_url
        for mark, value in parts.items():
            url = url.replace(mark, quote(value, safe=""))
        return url

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def pinned(self) -> facts.Learned:
        return facts.Learned(**self.learned.model_dump())

    def rules(self, account: str) -> facts.Rules:
        """The program's choices in the form that the rules take, for one account."""
        codes = {k: facts.Codes(c.modify, c.reverse) for k, c in self.reasons.map.items()}
        default = self.reasons.default
        return facts.Rules(
            account=account,
            currency=self.currency,
            trackers=frozenset(self.action_trackers),
            tracking=self.tracking,
            placeholder_skus=frozenset(self.placeholder_skus),
            unknown_sku=self.unknown_sku,
            trust_amounts=self.trust_amounts,
            full_return=self.full_return,
            tolerance_units=self.tolerance_units,
            order_ids=self.order_ids.rules(),
            skus=self.skus.rules(),
            sku_map=dict(self.skus.mapping),
            reasons=codes,
            ignored_reasons=frozenset(self.reasons.ignore),
            default_codes=facts.Codes(default.modify, default.reverse),
            currency_rule=self.currency_rule,
            safety_margin=timedelta(minutes=self.safety_margin_minutes),
        )


def programs_home() -> Path:
    """The folder of the program files: CLAWBACK_PROGRAMS, else include/programs."""
    return Path(os.environ.get(PROGRAMS_ENV) or _INCLUDE / "programs")


def find_program(name_or_path: str) -> Path:
    """The file of a program: a path, or a file name below the programs' folder."""
    path = Path(name_or_path)
    if path.is_absolute() or path.exists():
        return path
    return programs_home() / (name_or_path if path.suffix else f"{name_or_path}.yaml")


def _known(folder: Path) -> str:
    names = sorted(p.name for p in folder.glob("*.yaml")) if folder.is_dir() else []
    return ", ".join(names) or "none in that folder"


def _flat(text: str) -> str:
    return " ".join(text.split())


def _faults(error: ValidationError) -> str:
    """Each fault as `key: what is wrong`; values are not repeated, they may be secret."""
    found = []
    for fault in error.errors(include_url=False, include_input=False):
        key = ".".join(str(part) for part in fault["loc"]) or "the file"
        kind, text = fault["type"], fault["msg"].removeprefix("Value error, ")
        if kind == "extra_forbidden":
            text = "no such key; take it out or correct its spelling"
        elif kind == "missing":
            text = "is missing; add it"
        found.append(f"{key}: {text}")
    return "; ".join(found)
