"""The commands of the person who runs it: doctor, decide, audit, reset, plan, program add."""

from __future__ import annotations

import getpass
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer

from clawback.clock import Clock
from clawback.errors import ClawbackError

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
program_app = typer.Typer(no_args_is_help=True, help="The program files.")


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(doctor)
    app.command()(decide)
    app.command()(audit)
    app.command()(reset)
    app.command()(plan)
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
_HELD = "held:"
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
    order_id: Annotated[
        str,
        typer.Argument(
            help="The order id, as the warehouse writes it; held:REASON is every order held so."
        ),
    ],
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

    who: dict[str, Any] = {"reason": reason, "by": by or whoami(), "now": Clock.from_env().now()}
    with told(), Ledger.open() as ledger:
        loaded = Program.load(find_program(program))
        if order_id.startswith(_HELD):
            hold = order_id.removeprefix(_HELD)
            kept = step.decide_held(ledger, loaded, hold, verb, value, **who)
        else:
            kept = [step.decide(ledger, loaded, order_id, verb, value, **who)]
    for one in kept:
        _say_decided(one)


def _say_decided(kept: dict[str, Any]) -> None:
    if kept["id"] is None:
        typer.echo(f"order {kept['order_id']}: {len(kept['withdrawn'])} decisions withdrawn")
        return
    replaced = f", instead of {len(kept['withdrawn'])} before" if kept["withdrawn"] else ""
    what = f"{kept['verb']} {kept['value']}".strip()
    typer.echo(f"order {kept['order_id']}: {what} kept{replaced}; the next run takes it up")


def audit(
    program: Name,
    *,
    days: Annotated[float, typer.Option(help="How far back, by the date of the order.")] = 30,
    as_json: Json = False,
) -> None:
    """Compare impact.com and the warehouse with the ledger; nothing is written or planned."""
    from clawback.impact.client import ImpactClient
    from clawback.steps import audit as step

    with told(), _at_work(program, "audit") as (rt, world):
        account = world.account
        with ImpactClient(account, gate=rt.gate(account.account_sid)) as client:
            found = step.audit(rt, client, days, world.connect)
    if as_json:
        _print(found)
        return
    typer.echo(f"{found['actions_compared']} actions compared, {found['drifted']} differences")
    for cause, part in found["drift"].items():
        if part["count"]:
            orders = ", ".join(part["order_ids"][:10])
            money = f"{part['amount']} of sales, {part['payout']} of commission"
            typer.echo(f"  {cause}: {part['count']} ({money} {found['currency']}): {orders}")


def reset(
    program: Name,
    targets: Annotated[list[str], typer.Argument(help="ActionIds or order ids.")],
    *,
    reason: Annotated[str, typer.Option(help="Why; kept in the ledger.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False,
    as_json: Json = False,
) -> None:
    """Undo every modification of some actions, then bring their orders to the desired state."""
    from clawback.steps import reset_run

    with told(), _at_work(program, "reset") as (rt, world):
        shown = reset_run.preview(rt, targets, reason, world)
        typer.echo(shown["markdown"], err=True)
        if not shown["actions"]:
            typer.echo("error: none of these actions may be reset", err=True)
            raise typer.Exit(1)
        if not (yes or typer.confirm("Reset them?", err=True)):
            raise typer.Exit(1)
        seen = shown["fingerprint"]
        books = reset_run.reset_and_run(rt, targets, reason, whoami(), seen, world)
    if as_json:
        _print(books)
        return
    ended = {name: part["lines"] for name, part in books["outcomes"].items() if part["lines"]}
    typer.echo(f"run {books['run_id']}: " + ", ".join(f"{n} {name}" for name, n in ended.items()))


def plan(
    program: Name,
    *,
    run: Annotated[str, typer.Option(help="The run's id; default: the run opened last.")] = "",
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV on stdout.")] = False,
) -> None:
    """Show what a run has planned, dry or live, and what became of each change."""
    from clawback.ledger.runs import newest_run
    from clawback.ledger.store import Ledger
    from clawback.program import Program, find_program
    from clawback.steps import show
    from clawback.steps.runtime import Runtime

    with told(), Ledger.open() as ledger:
        loaded = Program.load(find_program(program))
        with ledger.read() as conn:
            run_id = run or newest_run(conn, loaded.name)
        rt = Runtime(ledger, loaded, Clock.from_env(), run_id)
        if as_csv:
            show.write_csv(rt, sys.stdout)
        else:
            typer.echo(f"run {run_id}\n{show.table(rt)}")


@contextmanager
def _at_work(name: str, what: str) -> Iterator[tuple[Any, Any]]:
    """The runtime of a new run of a program, and the world it works in."""
    from clawback.ledger.store import Ledger
    from clawback.program import Program, find_program
    from clawback.steps.local import World
    from clawback.steps.runtime import Runtime
    from clawback.surroundings import account_of, warehouse_of

    program, clock = Program.load(find_program(name)), Clock.from_env()
    world = World(account_of(program), warehouse_of(program))
    run_id = f"{what}/{clock.now():%Y%m%dT%H%M%SZ}-{uuid4().hex[:8]}"
    with Ledger.open() as ledger:
        yield Runtime(ledger, program, clock, run_id), world


@program_app.command("add")
def program_add(
    name: Annotated[str, typer.Argument(help="Lower-case letters, digits and underscores.")],
    *,
    campaign_id: Annotated[str, typer.Option(help="impact.com's id of the program.")],
    currency: Annotated[str, typer.Option(help="ISO 4217, that of the account.")] = "USD",
    dags: Annotated[Path, typer.Option(help="The folder of Airflow's Dag files.")] = Path("dags"),
) -> None:
    """Write a program file and its Dag file; neither replaces one that is there."""
    from clawback.steps.scaffold import add_program

    with told():
        for path in add_program(name, campaign_id, currency, dags):
            typer.echo(f"wrote {path}")
    typer.echo(f"next: set its connections, then run `clawback doctor {name}`")


def _print(data: dict[str, Any]) -> None:
    typer.echo(json.dumps(data, indent=2))
