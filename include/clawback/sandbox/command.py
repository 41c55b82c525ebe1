"""`clawback sandbox`: the options of the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr

from clawback.clock import parse_time
from clawback.errors import ClawbackError
from clawback.sandbox.limits import RateLimit

_DEFAULT_LIMIT = "1000/3600"


def sandbox(  # noqa: PLR0913  # one argument per option of the command line
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = 8585,
    seed: Annotated[int, typer.Option(help="Seed of the generated world and of chance.")] = 7,
    orders: Annotated[int, typer.Option(help="Orders in the generated world.")] = 2000,
    world: Annotated[
        Path | None, typer.Option(help="Load this .jsonl or .jsonl.gz instead of generating.")
    ] = None,
    state: Annotated[
        Path | None, typer.Option(help="Folder that lets the sandbox survive a restart.")
    ] = None,
    now: Annotated[str, typer.Option(help="The time at which its clock starts.")] = "",
    speed: Annotated[float, typer.Option(help="How fast its clock goes; 0 stands still.")] = 1.0,
    account_sid: Annotated[str, typer.Option(help="AccountSID; derived from the seed.")] = "",
    auth_token: Annotated[
        str, typer.Option(help="AuthToken; derived from the seed.", envvar="CLAWBACK_SANDBOX_TOKEN")
    ] = "",
    rate_limit: Annotated[str, typer.Option(help="Requests/seconds.")] = _DEFAULT_LIMIT,
    queue_latency: Annotated[
        float, typer.Option(help="Seconds until a queued write takes effect.")
    ] = 2.0,
    profile: Annotated[str, typer.Option(help="A named profile, or a file of switches.")] = "",
    faults: Annotated[Path | None, typer.Option(help="A file of fault rules.")] = None,
) -> None:
    """Serve impact.com's Brand API offline; prints one JSON line when it is ready."""
    from clawback.sandbox import faults as fault_rules
    from clawback.sandbox import profile as profiles
    from clawback.sandbox.server import serve
    from clawback.sandbox.settings import Settings

    try:
        settings = Settings(
            host=host,
            port=port,
            seed=seed,
            orders=orders,
            world=world,
            state=state,
            now=_time(now),
            speed=speed,
            account_sid=account_sid,
            auth_token=SecretStr(auth_token),
            rate_limit=RateLimit.parse(rate_limit),
            queue_latency=queue_latency,
            profile=profiles.load(profile or None),
            faults=fault_rules.load(faults) if faults else (),
        )
        serve(settings)
    except (ClawbackError, ValueError) as error:
        typer.echo(f"clawback sandbox: {error}", err=True)
        raise typer.Exit(2) from error


def _time(text: str) -> object:
    return parse_time(text) if text else None


def main() -> None:
    """The command by itself."""
    typer.run(sandbox)
