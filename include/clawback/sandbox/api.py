"""The Brand API as an ASGI application: one request from its first byte to its last."""

from __future__ import annotations

import hmac
import re
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from http import HTTPStatus

from clawback.sandbox import answers, mishaps
from clawback.sandbox.allowances import Allowances
from clawback.sandbox.core import Logged, Sandbox
from clawback.sandbox.facts import BadRequest
from clawback.sandbox.faults import WRITES, Rule, effects
from clawback.sandbox.http import (
    Answer,
    Receive,
    Scope,
    Send,
    basic_credentials,
    form_of,
    header,
    query_of,
    read_body,
)
from clawback.sandbox.profile import Profile
from clawback.sandbox.rows import Format
from clawback.sandbox.target import Target
from clawback.sandbox.wire import CONTENT_TYPES, Wire

NEWEST_VERSION = 14


class BrandApi:
    """Serves one sandbox; every request is logged, counted and subject to the faults."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._allowances = Allowances(sandbox)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._allowances.entered():
            exchange = Exchange(self._sandbox, scope, self._allowances)
            answer = await exchange.answer(receive)
            answer.headers.append((b"date", _http_date(int(exchange.now))))
            exchange.note(mishaps.spoil(answer, exchange.rules))
            await mishaps.deliver(answer, exchange.rules, scope, receive, send)


class Exchange:
    """One request, its faults and its answer."""

    def __init__(self, sandbox: Sandbox, scope: Scope, allowances: Allowances) -> None:
        self._sandbox = sandbox
        self._allowances = allowances
        self._scope = scope
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = b""
        self.rules: list[Rule] = []
        self.now = sandbox.now()
        self._params = query_of(scope)
        self._method = _method(scope["method"], self._params, sandbox.settings.profile)
        raw = scope.get("raw_path") or scope["path"].encode()
        self._path = raw.decode("latin-1")
        self._target = Target.parse(self._path)
        self._kind = self._target.kind(self._method) if self._target else None
        self._form = _format(scope, self._target)
        self._wire = Wire(self._form, sandbox.settings.profile)
        self._user = ""

    async def answer(self, receive: Receive) -> Answer:
        try:
            status, body = 200, await self._serve(receive)
        except BadRequest as error:
            status, body = error.status, self._wire.error(error)
            if error.status == HTTPStatus.METHOD_NOT_ALLOWED:
                self._headers.append((b"allow", b"GET, PUT, DELETE, POST"))
            if error.status == HTTPStatus.UNAUTHORIZED:
                self._headers.append((b"www-authenticate", b'Basic realm="impact.com"'))
        return Answer(status, body, CONTENT_TYPES[self._form], self._headers)

    async def _serve(self, receive: Receive) -> bytes:
        target = self._target
        self._body = await read_body(receive)
        if target is None:
            raise BadRequest("Not Found", status=404)
        self._authenticate(target)
        self._limit()
        kind = self._kind
        if kind is None:
            if target.read_kind():
                raise BadRequest("Method Not Allowed", status=405)
            raise BadRequest("Not Found", status=404)
        self._meet_faults(kind)
        ask = answers.Ask(
            target=target,
            params=_filters(self._params),
            now=self.now,
            wire=self._wire,
            version=_version(self._scope, self._params, self._sandbox.settings.profile),
            slid=sum(rule.rows for rule in self.rules if rule.fault == "shifted_rows"),
        )
        if kind in WRITES:
            return self._write(kind, ask)
        return answers.read(kind, ask, self._sandbox)

    def _authenticate(self, target: Target) -> None:
        """Reference §1.2: 401 without good credentials, 403 for an account that is not theirs."""
        settings = self._sandbox.settings
        given = basic_credentials(self._scope)
        if given is None:
            raise BadRequest("Unauthorized", status=401)
        token = settings.auth_token.get_secret_value()
        users = [settings.account_sid, *([settings.agency_sid] if target.agency else [])]
        if given[0] not in users or not hmac.compare_digest(given[1].encode(), token.encode()):
            raise BadRequest("Unauthorized", status=401)
        self._user = given[0]
        own = (settings.account_sid, settings.account_id)
        if target.account not in own or target.agency not in ("", settings.agency_sid):
            raise BadRequest("Access Denied", status=403)

    def _limit(self) -> None:
        self._allowance = self._allowances.take(self._user, self._kind in WRITES, self.now)
        self._headers += self._allowances.headers(self._allowance, self.now)
        if not self._allowance.allowed:
            raise BadRequest("Too Many Requests", status=429)

    def _meet_faults(self, kind: str) -> None:
        plan = self._sandbox.plan
        if not plan.rules:
            return
        text = f"{self._path}?{self._scope['query_string'].decode('latin-1')}"
        text += "\n" + self._body.decode("utf-8", "replace")
        page = re.fullmatch("[0-9]{1,9}", self._params.get("Page", ""))
        self.rules = plan.strike(kind, text, int(page[0]) if page else 1)
        for rule in self.rules:
            if rule.fault == "rate_limited":
                self._headers[:] = self._allowances.refused(self._allowance, rule, self.now)
            mishaps.refuse(rule)

    def _write(self, verb: str, ask: answers.Ask) -> bytes:
        profile = self._sandbox.settings.profile
        content_type = header(self._scope, b"content-type")
        form = form_of(self._body, content_type, json_allowed=profile.json_bodies)
        if verb == "reverse" and profile.delete_query:
            form = {**ask.params, **form}
        return answers.write(verb, form, ask, self._sandbox, effects(self.rules))

    def note(self, delivered: int | str) -> None:
        kind = self._kind or "other"
        self._sandbox.note(
            Logged(
                time=self.now,
                user=self._user,
                method=self._scope["method"],
                path=self._path,
                query=self._scope["query_string"].decode("latin-1"),
                kind=kind,
                status=delivered,
                body=self._body.decode("utf-8", "replace") if kind in WRITES else "",
                faults=tuple(rule.fault for rule in self.rules),
            )
        )


def _method(method: str, params: dict[str, str], profile: Profile) -> str:
    """POST with `_method` stands for another verb (reference §1.3, §9.16)."""
    meant = params.get("_method", "").upper()
    if method == "POST" and meant in ("PUT", "DELETE") and profile.method_override:
        return meant
    return method


def _format(scope: Scope, target: Target | None) -> Format:
    """JSON with the Accept header or the suffix, else XML (reference §1.4)."""
    if target is not None and target.form is not None:
        return target.form
    return "json" if "application/json" in header(scope, b"accept").lower() else "xml"


def _filters(params: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in params.items() if name != "_method"}


def _version(scope: Scope, params: dict[str, str], profile: Profile) -> int:
    """Header IR-Version or the query parameter, else the newest (reference §1.5, §9.23)."""
    asked = header(scope, b"ir-version")
    for name in profile.version_names:
        asked = asked or params.get(name, "")
    asked = asked or str(NEWEST_VERSION)
    if not (asked.isascii() and asked.isdecimal() and 1 <= int(asked[:6]) <= NEWEST_VERSION):
        raise BadRequest("Validation Failed", (profile.version_names[0], "No such version"))
    return int(asked)


@lru_cache(maxsize=16)
def _http_date(seconds: int) -> bytes:
    return format_datetime(datetime.fromtimestamp(seconds, UTC), usegmt=True).encode()
