"""Mutation testing of reconcile/ with mutmut: `make mutation [ONLY=diff] [JOBS=1]`.

Every function is changed in one small way at a time, and the tests that state a case must notice.
The property tests and TPC-DS are left out: what only a random case notices is not counted. At
least FLOOR per cent must be noticed, and whatever is not must stand, with the reason, in
`survivors.toml`. A whole run writes docs/mutation.md.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from difflib import unified_diff
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
WORLD = ROOT / "var" / "mutation"
LISTED = HERE / "survivors.toml"
DOCUMENT = ROOT / "docs" / "mutation.md"
FLOOR = 90
KILLED = frozenset((1, 3, 24, 36, 152, 255, -24))
"""mutmut's exit codes of a mutant that made a test fail, or that made the tests run too long."""
MANGLED = re.compile(r"\bx_(?=\w+__mutmut_)|\bxǁ\w+ǁ(?=\w+__mutmut_)|__mutmut_(orig|\d+)")
LEFT_OUT = ("test_properties.py", "test_tpcds.py", "test_mutation.py")


class Mutant(NamedTuple):
    """One change of one function: the lines taken out and put in, and whether a test noticed."""

    where: str
    """Module and function, `diff._cover`."""
    before: str
    after: str
    killed: bool

    @property
    def said(self) -> str:
        return f"{self.where}: {self.before} => {self.after}"


class Reason(NamedTuple):
    """Why some mutants survive."""

    why: str
    mutants: tuple[str, ...]


def lay_out() -> None:
    """Copy the room, its tests and what they need to a place where mutmut may work."""
    shutil.rmtree(WORLD, ignore_errors=True)
    quiet = shutil.ignore_patterns("__pycache__", *LEFT_OUT)
    package = WORLD / "src" / "clawback"  # mutmut names modules by their path below src/
    shutil.copytree(ROOT / "include" / "clawback", package, ignore=quiet)
    shutil.copytree(HERE, WORLD / "tests" / "reconcile", ignore=quiet)
    (WORLD / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "rules.md", WORLD / "docs")
    (WORLD / "pyproject.toml").write_text(SETTINGS)


SETTINGS = """\
[tool.mutmut]
source_paths = ["src"]
only_mutate = ["src/clawback/reconcile/*"]
also_copy = ["docs"]
pytest_add_cli_args_test_selection = ["tests/reconcile"]
pytest_add_cli_args = ["-p", "pytest_timeout", "--timeout=10", "--assert=plain", "--tb=no"]
use_git_change_detection = false
timeout_multiplier = 2.0
timeout_constant = 20.0

[tool.pytest.ini_options]
addopts = "--strict-markers --import-mode=importlib -p no:cacheprovider"
"""


def mutate(jobs: int, modules: Iterable[str]) -> None:
    """Let mutmut make its mutants and try each of them; its own words go to a log."""
    names = [f"clawback.reconcile.{module}.*" for module in modules]
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(jobs), *names]
    log = WORLD / "mutmut.log"
    with log.open("w") as out:
        done = subprocess.run(  # noqa: S603 - our own interpreter, module names of our own
            command,
            cwd=WORLD,
            env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            stdout=out,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        sys.exit(f"mutmut failed; the end of {log} says:\n{log.read_text()[-2000:]}")


def mutants(modules: Iterable[str]) -> Iterator[Mutant]:
    """Every mutant that was tried, in the order of modules and functions."""
    home = WORLD / "mutants" / "src" / "clawback" / "reconcile"
    chosen = set(modules)
    for meta in sorted(home.glob("*.py.meta")):
        module = meta.name.removesuffix(".py.meta")
        if chosen and module not in chosen:
            continue
        codes = json.loads(meta.read_text())["exit_code_by_key"]
        spans = json.loads((home / f"{module}.py.spans").read_text())["spans"]
        lines = (home / f"{module}.py").read_text().splitlines()
        for key, code in codes.items():
            if code is None:
                sys.exit(f"{key} was not tried; the run in {WORLD} was interrupted, repeat it")
            name = key.rpartition(".")[2]
            mangled = name.partition("__mutmut_")[0]
            old, new = (_body(lines, *spans[n]) for n in (f"{mangled}__mutmut_orig", name))
            where = f"{module}.{mangled[2:].replace('ǁ', '.')}"
            yield Mutant(where, *_difference(old, new), code in KILLED)


def _body(lines: list[str], first: int, last: int) -> list[str]:
    """The lines of a function, under the name that it has in the source."""
    return [MANGLED.sub("", line.strip()) for line in lines[first - 1 : last]]


def _difference(old: list[str], new: list[str]) -> tuple[str, str]:
    changed = list(unified_diff(old, new, n=0, lineterm=""))[2:]
    gone = " ".join(line[1:] for line in changed if line.startswith("-"))
    come = " ".join(line[1:] for line in changed if line.startswith("+"))
    return gone, come


def listed() -> tuple[Reason, ...]:
    """The survivors that are known, by reason."""
    told = tomllib.loads(LISTED.read_text())
    return tuple(Reason(each["why"], tuple(each["mutants"])) for each in told["reason"])


def render(tried: list[Mutant], reasons: Iterable[Reason]) -> str:
    """docs/mutation.md: the figures by module, and every survivor with its reason."""
    alive = Counter(m.said for m in tried if not m.killed)
    parts = [HEAD, "\n| module | mutants | killed | survive | killed, % |\n"]
    parts.append("| --- | ---: | ---: | ---: | ---: |\n")
    modules = dict.fromkeys(m.where.partition(".")[0] for m in tried)
    parts += [_figures(x, [m for m in tried if m.where.startswith(f"{x}.")]) for x in modules]
    parts.append(_figures("all", tried))
    parts.append("\n## Survivors\n")
    for reason in reasons:
        mine = [said for said in reason.mutants if alive[said]]
        if mine:
            parts.append(f"\n### {reason.why}\n\n")
            parts += [f"- `{said}`{_times(alive[said])}\n" for said in mine]
    return "".join(parts)


def _times(count: int) -> str:
    return f" ({count} alike)" if count > 1 else ""


def _figures(name: str, some: list[Mutant]) -> str:
    killed = sum(m.killed for m in some)
    return f"| {name} | {len(some)} | {killed} | {len(some) - killed} | {rate(some):.1f} |\n"


def rate(some: list[Mutant]) -> float:
    """The per cent of mutants that a test noticed."""
    return 100 * sum(m.killed for m in some) / len(some)


HEAD = """# Mutation testing of reconcile/

`make mutation` changes every function of `include/clawback/reconcile/` in one small way at a time
(an operator, a constant, an argument, a condition) and runs the tests that state a case on each
such mutant; a mutant that no test notices survives. The property tests and the TPC-DS case are
left out, so that nothing counts as noticed by chance. The command fails under 90 per cent, and
names every survivor that is not listed in `tests/reconcile/survivors.toml` with its reason.

`make mutation ONLY="diff whole"` tries some modules, `JOBS=1` leaves a core free. This page is
written by a whole run.
"""


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description="Mutation testing of reconcile/.")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--judge", action="store_true", help="judge the last run again")
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="such as diff; default all")
    asked = parser.parse_args()
    started = time.monotonic()
    if not asked.judge:
        lay_out()
        mutate(asked.jobs, asked.modules)
    tried = list(mutants(asked.modules))
    took = time.monotonic() - started
    sys.exit(_verdict(tried, whole=not asked.modules, minutes=took / 60))


def _verdict(tried: list[Mutant], *, whole: bool, minutes: float) -> int:
    """Say what came out; the exit code."""
    reasons = listed()
    known = {said for reason in reasons for said in reason.mutants}
    alive = [m for m in tried if not m.killed]
    new = [m for m in alive if m.said not in known]
    say(
        f"{len(tried)} mutants, {len(tried) - len(alive)} killed ({rate(tried):.1f} %), "
        f"{len(alive)} survive, {len(new)} of them not listed; {minutes:.0f} minutes"
    )
    for mutant in new:
        say(f"  {json.dumps(mutant.said, ensure_ascii=False)},")
    if whole:
        stale = known - {m.said for m in alive}
        for said in sorted(stale):
            say(f"  no longer survives, take it off the list: {said}")
        if not new and not stale:
            DOCUMENT.write_text(render(tried, reasons))
    if new:
        say(f"Write a test that notices them, or add them to {LISTED.name} with the reason.")
    return int(bool(new) or rate(tried) < FLOOR)


if __name__ == "__main__":
    main()
