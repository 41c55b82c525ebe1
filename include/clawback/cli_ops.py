"""The commands of the person who runs it: doctor, decide, audit, reset, program add."""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from clawback.clock import Clock
from clawback.errors import ClawbackError

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
program_app = typer.Typer(no_args_is_help=True, help="The program files.")


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(doctor)
    app.command()(decide)
    app.add_typer(program_app, name="program")


def whoami() -> str:
    """Who runs this command, as the ledger keeps it."""
    return getpass.getuser()


@contextmanager
def told() -> Iterator[None]:
    """Errors that are meant for people become one line and exit status 1."""
    try:
        yield
    except ClawbackError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error


Name = Annotated[str, typer.Argument(help="The program file, or its name.")]
_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red", "skip": "bright_black"}


def doctor(program: Name, *, as_json: Json = False) -> None:
    """Check a whole set-up without changing anything: one line a check, with its mend.

    Exit status 1 if a check fails. At most ten requests go to impact.com.
    """
    from clawback.steps import doctor as step
    from clawback.surroundings import account_of, warehouse_of

    patient = step.Patient(program, account_of, warehouse_of, Clock.from_env(), os.environ)
    checks = step.doctor(patient)
    sound = step.healthy(checks)
    if as_json:
        _print({"healthy": sound, "checks": [check.to_json() for check in checks]})
    else:
        for check in checks:
            typer.echo(
                typer.style(f"{check.status.value:5}", fg=_COLOURS[check.status.value])
                + f"{check.name:18} {check.said}"
            )
            if check.mend:
                typer.echo(f"{'':23} → {check.mend}")
    raise typer.Exit(0 if sound else 1)


def decide(  # noqa: PLR0913 - one argument per option of the command line
    order_id: Annotated[str, typer.Argument(help="The order id, as the warehouse writes it.")],
    verb: Annotated[
        str,
        typer.Argument(
            help="pick_action, accept_baseline, ignore, retry, stand_back; or withdraw, to take "
            "a decision back."
        ),
    ],
    *,
    program: Annotated[str, typer.Option(help="The program file, or its name.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the ledger.")],
    value: Annotated[str, typer.Option(help="What it is about: see docs/runbook.md.")] = "",
    by: Annotated[str, typer.Option(help="Who decides; default: the user of this shell.")] = "",
) -> None:
    """Answer a hold; the next run takes it up, and `clawback explain` shows it."""
    from clawback.ledger.store import Ledger
    from clawback.program import Program, find_program
    from clawback.steps import decide as step

    with told(), Ledger.open() as ledger:
        kept = step.decide(
            ledger,
            Program.load(find_program(program)),
            order_id,
            verb,
            value,
            reason=reason,
            by=by or whoami(),
            now=Clock.from_env().now(),
        )
    _say_decided(kept)


def _say_decided(kept: dict[str, Any]) -> None:
    if kept["id"] is None:
        typer.echo(f"order {kept['order_id']}: {len(kept['withdrawn'])} decisions withdrawn")
        return
    replaced = f", instead of {len(kept['withdrawn'])} before" if kept["withdrawn"] else ""
    what = f"{kept['verb']} {kept['value']}".strip()
    typer.echo(f"order {kept['order_id']}: {what} kept{replaced}; the next run takes it up")


def _print(data: dict[str, Any]) -> None:
    typer.echo(json.dumps(data, indent=2))
