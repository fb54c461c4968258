"""The harness's own source, read as syntax trees: for the tests that hold the architecture. Pure.

Nothing is imported: what a module would do is read from what it says.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[1]
PACKAGE = "sockstates"
SOURCES = PROJECT / "harness"
"""The source root: the folder below which the import package lies."""


@dataclass(frozen=True)
class Module:
    """One source file: its dotted name, its path and its syntax tree."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def part(self) -> str:
        """The folder of the package it belongs to: ``sockstates.lab``."""
        names = self.name.split(".")
        deep = 3 if names[1:2] == ["sandbox"] else 2
        while not (SOURCES / Path(*names[:deep])).is_dir():
            deep -= 1
        return ".".join(names[:deep])


def read_module(path: Path) -> Module:
    """The module in this file."""
    root = SOURCES if path.is_relative_to(SOURCES) else PROJECT
    relative = path.relative_to(root).with_suffix("")
    names = relative.parts[:-1] if relative.name == "__init__" else relative.parts
    return Module(".".join(names), path, ast.parse(path.read_text(), str(path)))


def modules(*folders: str) -> list[Module]:
    """Every module below these folders of the project."""
    return [
        read_module(path) for folder in folders for path in sorted((PROJECT / folder).rglob("*.py"))
    ]


def imports(module: Module) -> Iterator[tuple[str, int]]:
    """Every module that this one names in an import statement, absolute, with the line."""
    package = module.name if module.path.name == "__init__.py" else module.name.rpartition(".")[0]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            yield base, node.lineno
            for alias in node.names:
                if _is_module(f"{base}.{alias.name}"):
                    yield f"{base}.{alias.name}", node.lineno


def _is_module(name: str) -> bool:
    where = SOURCES / Path(*name.split("."))
    return name.startswith(PACKAGE) and (where.with_suffix(".py").is_file() or where.is_dir())


def dotted(node: ast.expr) -> str:
    """``os.path.join`` for the expression that says so; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr}" if before else node.attr
    return ""
