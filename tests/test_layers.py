"""The house stands: a room imports only from floors below it, and Airflow stays at the top."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CLAWBACK = ROOT / "include" / "clawback"
FLOORS = [
    {"__main__"},
    {"cli"},
    {"cli_ops"},
    {"demo", "monitor"},
    {"steps", "surroundings"},
    {"ledger"},
    {"program"},
    {"reconcile"},
    {"sandbox"},
    {"impact"},
    {"warehouse"},
    {"clock", "money"},
    {"errors"},
]
"""The rooms of include/clawback, top floor first; rooms of one floor do not know each other."""
DOING_IO = {
    "airflow",
    "alembic",
    "asyncio",
    "duckdb",
    "fastapi",
    "httpx",
    "io",
    "logging",
    "os",
    "pathlib",
    "requests",
    "shutil",
    "socket",
    "sqlalchemy",
    "sqlite3",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "urllib.request",
    "uvicorn",
}
IMPURE_CALLS = {"now", "utcnow", "today", "open", "print", "input"}


def sources(*folders: Path) -> list[Path]:
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Every module that a file imports, with its line; relative ones made absolute."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from _from(node, path)


def _from(node: ast.ImportFrom, path: Path) -> Iterator[tuple[int, str]]:
    base = node.module or ""
    if node.level:
        home = path.relative_to(ROOT / "include").with_suffix("").parts[: -node.level]
        base = ".".join((*home, base)).rstrip(".")
    if base == "clawback":
        yield from ((node.lineno, f"clawback.{alias.name}") for alias in node.names)
    else:
        yield node.lineno, base


def within(module: str, names: set[str]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in names)


def floor_of(room: str) -> int:
    for number, rooms in enumerate(FLOORS):
        if room in rooms:
            return number
    pytest.fail(f"include/clawback/{room} stands on no floor; add it to FLOORS in {__file__}")


def room_of(path: Path) -> str:
    return path.relative_to(CLAWBACK).parts[0].removesuffix(".py")


def circles(path: Path) -> list[str]:
    own = room_of(path)
    if own == "__init__":
        return []
    faults = []
    for line, module in imports(path):
        if not within(module, {"clawback"}) or module == "clawback":
            continue
        room = module.split(".")[1]
        if room != own and floor_of(room) <= floor_of(own):
            faults.append(f"{path.relative_to(ROOT)}:{line} imports {module} from a floor above")
    return faults


def test_a_room_imports_only_from_floors_below_it() -> None:
    """No file below include/clawback imports from its own floor or from one above."""
    assert [fault for path in sources(CLAWBACK) for fault in circles(path)] == []


def test_airflow_is_known_to_dags_and_plugins_alone() -> None:
    """Nothing below include/ imports Airflow or the provider."""
    known = [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in sources(ROOT / "include")
        for line, module in imports(path)
        if within(module, {"airflow", "impact_provider", "monitor"})
    ]
    assert known == []


def test_the_rules_are_pure() -> None:
    """Nothing in reconcile/ imports what reads or writes, or asks what time it is."""
    faults = [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in sources(CLAWBACK / "reconcile")
        for line, module in imports(path)
        if within(module, DOING_IO)
    ]
    faults.extend(
        f"{path.relative_to(ROOT)}:{node.lineno} calls {_called(node)}()"
        for path in sources(CLAWBACK / "reconcile")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and _called(node) in IMPURE_CALLS
    )
    assert faults == []


def _called(node: ast.Call) -> str:
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def test_dags_are_thin() -> None:
    """A Dag file imports nothing but the provider: no logic, no HTTP, no SQL lives there."""
    faults = [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in sources(ROOT / "dags")
        for line, module in imports(path)
        if not within(module, {"impact_provider", "__future__"})
    ]
    assert faults == []
