"""The `clawback` command: demo, sandbox, run, explain, ledger upgrade."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any
from uuid import uuid4

import typer

from clawback.cli_ops import register, whoami
from clawback.clock import Clock, parse_time
from clawback.errors import ClawbackError
from clawback.sandbox.command import sandbox

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Keeps impact.com commissions true to what customers really kept.",
)
ledger_app = typer.Typer(no_args_is_help=True, help="The ledger's own care.")
app.add_typer(ledger_app, name="ledger")
app.command()(sandbox)
register(app)


@contextmanager
def _told() -> Iterator[None]:
    """Errors that are meant for people become one line and exit status 1."""
    try:
        yield
    except ClawbackError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        typer.echo("error: interrupted; the next run goes on where this one was", err=True)
        raise typer.Exit(130) from None


def _moment(text: str | None, name: str) -> Any:
    if text is None:
        return None
    try:
        return parse_time(text)
    except ValueError as error:
        raise typer.BadParameter(f"{name}: {error}") from None


@app.command()
def demo() -> None:
    """Reconcile the demo world in a real Airflow and print its books."""
    from clawback.demo.runner import run_demo

    with _told():
        raise typer.Exit(run_demo())


@app.command()
def up() -> None:
    """Keep the demo world up, with the Airflow UI on 127.0.0.1:8080, until Ctrl-C."""
    from clawback.demo.runner import run_up

    with _told():
        raise typer.Exit(run_up())


@app.command()
def run(  # noqa: PLR0913 - one argument per option of the command line
    program: Annotated[str, typer.Argument(help="The program file, or its name.")],
    *,
    start: Annotated[str | None, typer.Option("--from", help="Start of the window.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="End of the window.")] = None,
    now: Annotated[str | None, typer.Option(help="The time that the clock starts at.")] = None,
    order: Annotated[list[str] | None, typer.Option(help="Only this order; repeatable.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Everything but the writes.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Approve a plan over the thresholds.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print books.json on stdout.")] = False,
) -> None:
    """Run all steps in this process, without Airflow, and print the books.

    Connections and ledger come from the environment: AIRFLOW_CONN_<ID> for those that the program
    names, CLAWBACK_LEDGER_URL. Without --from and --to it reads from the program's watermark.
    """
    from rich.console import Console

    from clawback.demo.report import show
    from clawback.steps.runtime import RunKind, RunRequest

    window = _moment(start, "--from"), _moment(end, "--to")
    moment = _moment(now, "--now")
    clock = Clock.from_env() if moment is None else Clock.at(moment)
    kind = RunKind.CLI if window != (None, None) else RunKind.MANUAL
    request = RunRequest(kind, *window, tuple(order or ()), dry_run)
    with _told():
        books = _run(program, request, clock, quiet=as_json, yes=yes)
    if as_json:
        typer.echo(json.dumps(books, indent=2))
    else:
        show(books, Console())


def _run(name: str, request: Any, clock: Clock, *, quiet: bool, yes: bool) -> dict[str, Any]:
    from clawback.ledger.store import Ledger
    from clawback.program import Program, find_program
    from clawback.steps.local import World, run_program
    from clawback.steps.runtime import Runtime
    from clawback.surroundings import account_of, warehouse_of

    def tell(step: str, counts: dict[str, Any]) -> None:
        if not quiet:
            said = ", ".join(f"{k} {v}" for k, v in counts.items() if isinstance(v, int | str))
            typer.echo(f"{step}: {said}", err=True)

    program = Program.load(find_program(name))
    by = f"{whoami()} with --yes" if yes else None
    world = World(account_of(program), warehouse_of(program), tell, approved_by=by)
    with Ledger.open() as ledger:
        run_id = f"cli/{clock.now():%Y%m%dT%H%M%SZ}-{uuid4().hex[:8]}"
        return run_program(Runtime(ledger, program, clock, run_id), request, world)


@app.command()
def explain(
    order_id: Annotated[str, typer.Argument(help="The order id, as the warehouse writes it.")],
    program: Annotated[str | None, typer.Option(help="Only this program.")] = None,
) -> None:
    """Tell everything that is known of an order, in the order in which it happened."""
    from clawback.ledger.store import Ledger
    from clawback.steps.explain import explain as story
    from clawback.steps.explain import render

    with _told(), Ledger.open() as ledger:
        events = story(ledger, order_id, program)
    if not events:
        typer.echo(f"error: the ledger knows no order {order_id!r}; check its spelling", err=True)
        raise typer.Exit(1)
    render(events)


@ledger_app.command()
def upgrade() -> None:
    """Bring the ledger to the newest migration; every start does it too."""
    from clawback.ledger.store import Ledger, head

    with _told(), Ledger.open() as ledger:
        url = ledger.engine.url.render_as_string()
        typer.echo(f"the ledger at {url} is at migration {head()}")


def main() -> None:
    """The console script's entry."""
    sys.exit(app())


if __name__ == "__main__":
    main()
