"""What the scenarios of a folder need, read from their source: nothing is imported or run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Needs:
    """What one scenario, a test function, says that it needs."""

    programs: frozenset[str] = frozenset()
    """The arguments of its markers ``programs``."""
    kernel: frozenset[str] = frozenset()
    """The arguments of its markers ``kernel``."""
    filters: bool = False
    """It captures with a filter expression, itself or through a fixture."""


def read_needs(folder: Path) -> tuple[Needs, ...] | None:
    """The needs of each test function below a folder; None where there is no such folder.

    A function counts once, however many times it runs (address families, parameters). A file that
    is no Python is left out: pytest says so better.
    """
    if not folder.is_dir():
        return None
    trees = {path: tree for path in sorted(folder.rglob("*.py")) if (tree := _parsed(path))}
    capturing = _capturing_fixtures(list(trees.values()))
    return tuple(
        needs
        for path, tree in trees.items()
        if path.name.startswith("test_")
        for needs in _of_file(tree, capturing)
    )


def _parsed(path: Path) -> ast.Module | None:
    try:
        return ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None


def _of_file(tree: ast.Module, capturing: frozenset[str]) -> Iterator[Needs]:
    """Module, classes and functions: each has the markers of what it stands in, and its own."""

    def inside(body: list[ast.stmt], outer: list[ast.expr]) -> Iterator[Needs]:
        marks = [*outer, *_pytestmark(body)]
        for each in body:
            if isinstance(each, ast.ClassDef) and each.name.startswith("Test"):
                yield from inside(each.body, [*marks, *each.decorator_list])
            elif isinstance(each, Function) and each.name.startswith("test"):
                own = [*marks, *each.decorator_list]
                yield Needs(
                    _arguments(own, "programs"), _arguments(own, "kernel"), _uses(each, capturing)
                )

    return inside(tree.body, [])


def _pytestmark(body: list[ast.stmt]) -> Iterator[ast.expr]:
    for each in body:
        if isinstance(each, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "pytestmark" for target in each.targets
        ):
            yield each.value


def _arguments(marks: list[ast.expr], name: str) -> frozenset[str]:
    """The texts in all ``pytest.mark.NAME(…)``."""
    return frozenset(
        argument.value
        for mark in marks
        for call in ast.walk(mark)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == f"pytest.mark.{name}"
        for argument in call.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    )


def _capturing_fixtures(trees: list[ast.Module]) -> frozenset[str]:
    """The names of fixtures that capture with a filter, themselves or through others."""
    fixtures = [
        each
        for tree in trees
        for each in ast.walk(tree)
        if isinstance(each, Function)
        and any("fixture" in ast.unparse(decorator) for decorator in each.decorator_list)
    ]
    found: frozenset[str] = frozenset()
    while True:
        wider = frozenset(each.name for each in fixtures if _uses(each, found))
        if wider == found:
            return found
        found = wider


def _uses(function: Function, capturing: frozenset[str]) -> bool:
    """Whether it calls ``capture`` of a host with an expression, or asks for such a fixture."""
    return any(each.arg in capturing for each in function.args.args) or any(
        isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "capture"
        and bool(call.args)
        for call in ast.walk(function)
    )
