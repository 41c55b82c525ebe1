"""Account: where impact.com is, who asks, and for which campaign."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import quote, urlsplit

DEFAULT_BASE_URL = "https://api.impact.com"


@dataclass(frozen=True, slots=True)
class Account:
    """Credentials and address of one impact.com brand account (reference §1.1, §1.2).

    `base_url` stops before /Advertisers. `account_sid` and `auth_token` are the user and password
    of Basic authentication. An agency gives its own SID and token, `agency_sid`, and as
    `advertiser_id` the brand it works for (else `account_sid` is taken). Raises ValueError if it
    cannot be used as it is.
    """

    base_url: str
    account_sid: str
    auth_token: str = field(repr=False)
    campaign_id: str
    api_version: str = "14"
    agency_sid: str | None = None
    advertiser_id: str | None = None
    connect_timeout: timedelta = timedelta(seconds=10)
    read_timeout: timedelta = timedelta(seconds=120)

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(
                f"{_without_user(self.base_url)!r} is no address of impact.com; set the"
                f" connection's host to something like {DEFAULT_BASE_URL}"
            )
        if parts.username or parts.password:
            raise ValueError(
                "the address of impact.com holds a user or password; put the AccountSID into the"
                " connection's login and the AuthToken into its password"
            )
        for name, value in (
            ("AccountSID (login)", self.account_sid),
            ("AuthToken (password)", self.auth_token),
            ("campaign_id (extra)", self.campaign_id),
        ):
            _check_word(name, value)

    @property
    def origin(self) -> str:
        """Scheme, host and port: what a root-relative URI of an answer is joined to (§2.4)."""
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def prefix(self) -> str:
        """The path below `base_url` that every resource of this account starts with."""
        if self.agency_sid is None:
            return f"/Advertisers/{quote(self.account_sid, safe='')}"
        brand = quote(self.advertiser_id or self.account_sid, safe="")
        return f"/Agencies/{quote(self.agency_sid, safe='')}/Advertisers/{brand}"


def _without_user(url: str) -> str:
    """`url` without what stands before an @: it may be a password."""
    _, at, tail = url.rpartition("@")
    return f"…@{tail}" if at else url


def _check_word(name: str, value: str) -> None:
    """Refuse an empty value, or one that a header or URL cannot carry."""
    if not value or value.strip() != value or not value.isprintable() or not value.isascii():
        raise ValueError(
            f"the {name} of the impact.com connection is empty or holds blanks or characters that"
            " do not belong there; copy it again from impact.com: Settings → Technical → API"
        )
