"""What a sandbox is started with."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr

from clawback.sandbox.faults import Rule
from clawback.sandbox.limits import RateLimit
from clawback.sandbox.profile import Profile


class Settings(BaseModel):
    """The options of `clawback sandbox`; times are aware UTC, `queue_latency` is in seconds."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    host: str = "127.0.0.1"
    port: int = Field(8585, ge=0, le=65535)
    seed: int = 7
    orders: int = Field(2000, ge=0)
    world: Path | None = None
    state: Path | None = None
    now: AwareDatetime | None = None
    speed: float = Field(1.0, ge=0)
    account_sid: str = ""
    auth_token: SecretStr = SecretStr("")
    agency_sid: str = ""
    rate_limit: RateLimit = RateLimit()
    queue_latency: float = Field(2.0, ge=0)
    profile: Profile = Profile()
    faults: tuple[Rule, ...] = ()
    control: bool = True

    def with_credentials(self) -> Settings:
        """The same with what was left out derived from the seed."""
        return self.model_copy(
            update={
                "account_sid": self.account_sid or "IR" + derived(self.seed, "sid", 32),
                "auth_token": self.auth_token
                if self.auth_token.get_secret_value()
                else SecretStr(derived(self.seed, "token", 32)),
                "agency_sid": self.agency_sid or "IR" + derived(self.seed, "agency", 32),
            }
        )

    @property
    def account_id(self) -> str:
        """The account's number, as APISubmissions show it."""
        return str(int(hashlib.sha256(self.account_sid.encode()).hexdigest()[:6], 16) + 1000)


def derived(seed: int, what: str, length: int) -> str:
    """Letters and digits that look random and are the same for the same seed."""
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    digest = hashlib.blake2b(f"{what}:{seed}".encode(), digest_size=64).digest()
    return "".join(alphabet[byte % len(alphabet)] for byte in digest[:length])
