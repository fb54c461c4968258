"""The arrows of the house, read from what every file imports; and what every file owes its reader.

    plugin, commands      doors: pytest and the command line; they know everything below
    lab                   the words of a scenario: asks and judges
    sandbox.client        the test process's side of a sandbox
    sandbox               the process that holds the labs, and what crosses to it
    sandbox.agent, .network, .witnesses, .rules      touch the kernel, record, judge nothing
    report, catalogue, ledger, evidence, captures, record, tls, tcp      pure
    virtual               kernels that are built and booted: knows nothing of the rest

Arrows run downwards only. What runs in the sandbox knows of the evidence only what can be recorded.
"""

import ast
import sys
from collections.abc import Iterator

import pytest

from tests.module_trees import PROJECT, Module, dotted, imports, modules

TCP, TLS, RECORD, EVIDENCE, CAPTURES, LEDGER, CATALOGUE, REPORT, LAB, VIRTUAL, COMMANDS, PLUGIN = (
    f"sockstates.{name}"
    for name in (
        *("tcp", "tls", "record", "evidence", "captures", "ledger", "catalogue", "report"),
        *("lab", "virtual", "commands", "plugin"),
    )
)
FACE = "sockstates"
SANDBOX = "sockstates.sandbox"
AGENT, NETWORK, WITNESSES, RULES, CLIENT = (
    f"{SANDBOX}.{name}" for name in ("agent", "network", "witnesses", "rules", "client")
)
PURE = (TCP, TLS, RECORD, EVIDENCE, CAPTURES, LEDGER, CATALOGUE, REPORT)
ARROWS: dict[str, set[str]] = {
    TCP: set(),
    TLS: {TCP},
    RECORD: {TCP},
    EVIDENCE: {RECORD, TCP},
    CAPTURES: {RECORD, TCP},
    LEDGER: set(),
    CATALOGUE: {EVIDENCE, RECORD, TCP},
    REPORT: {CAPTURES, EVIDENCE, LEDGER, RECORD, TCP, TLS},
    NETWORK: set(),
    RULES: {TCP},
    WITNESSES: {CAPTURES, NETWORK, RECORD, RULES, TCP},
    AGENT: {NETWORK, RECORD, RULES, SANDBOX, TCP, WITNESSES},
    SANDBOX: {AGENT, NETWORK, RECORD, RULES, TCP, WITNESSES},
    CLIENT: {NETWORK, RECORD, SANDBOX, TCP, WITNESSES},
    LAB: {CAPTURES, CLIENT, EVIDENCE, NETWORK, RECORD, RULES, SANDBOX, TCP, TLS, WITNESSES},
    VIRTUAL: set(),
    COMMANDS: {CAPTURES, CLIENT, EVIDENCE, LAB, NETWORK, RECORD, REPORT, TCP, VIRTUAL},
    PLUGIN: {
        *(CATALOGUE, CLIENT, COMMANDS, EVIDENCE, LAB, LEDGER, NETWORK, RECORD, REPORT, RULES, TCP),
        *(FACE, VIRTUAL),
    },
}
"""Part of the house -> the other parts that it may know."""
ANYBODY_KNOWS = {f"sockstates.{name}" for name in ("system", "programs", "terminal")}
"""What this machine is, where its programs lie, and what makes text harmless."""
EXCEPTIONS = {(CLIENT, LAB): "the line names the lab and the capture that it belongs to"}
SCENARIOS_KNOW = {FACE, LAB, EVIDENCE, RECORD, TCP, TLS}
BORN_IN = f"{SANDBOX}.process"
"""The recording half is this module and all that it imports."""
NOT_PURE = {
    *("pyroute2", "psutil", "fcntl", "ctypes", "subprocess", "socketserver", "selectors"),
    *("multiprocessing", "threading", "pwd", "grp", "resource", "pytest"),
}
MOST_LINES = 700
PRIVATE_PYTEST = "_pytest"

OURS = {module.name: module for module in modules("harness")}


def _packages_of(name: str) -> Iterator[str]:
    """A module's packages run when it is imported, but are not what its author asked for."""
    parts = name.split(".")
    yield from (".".join(parts[:length]) for length in range(1, len(parts)))


def _part(name: str) -> str:
    """The part of the house in which a module of ours lies."""
    module = OURS.get(name)
    return module.part if module else ""


def _known_parts(module: Module) -> set[tuple[str, int]]:
    return {
        (_part(name), line)
        for name, line in imports(module)
        if _part(name) and name not in ANYBODY_KNOWS
    }


def wrong_arrows(module: Module) -> list[str]:
    """Imports of a module that its part of the house may not have."""
    return [
        f"{module.name} line {line}: {module.part} may not know {known}"
        for known, line in sorted(_known_parts(module))
        if known != module.part
        and known not in ARROWS[module.part]
        and (module.part, known) not in EXCEPTIONS
    ]


@pytest.mark.parametrize("part", ARROWS)
def test_arrows_run_one_way(part: str) -> None:
    own = [module for module in OURS.values() if module.part == part]
    assert own
    found = [text for module in own for text in wrong_arrows(module)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (TCP, "from sockstates.record.events import Event"),
        (TCP, "import sockstates.sandbox.network.gate"),
        (TCP, "from sockstates.tls import read"),
        (TLS, "from sockstates.record.timeline import Timeline"),
        (EVIDENCE, "from sockstates import Lab"),
        (LEDGER, "from sockstates.record.timeline import Timeline"),
        (CATALOGUE, "from sockstates.sandbox.network.settings import PINNED"),
        (EVIDENCE, "from ..lab import capture"),
        (REPORT, "def later():\n    from sockstates.lab.lab import Lab"),
        (LAB, "from sockstates.report import pcapng"),
        (LAB, "from sockstates import plugin"),
        (LAB, "from sockstates.virtual import kernels"),
        (VIRTUAL, "from sockstates import Lab"),
        (VIRTUAL, "from sockstates.record.events import Event"),
    ],
)
def test_a_wrong_arrow_is_recognised(place: str, line: str) -> None:
    path = PROJECT / place.replace(".", "/") / "planted.py"
    assert wrong_arrows(Module(f"{place}.planted", path, ast.parse(line)))


def test_exceptions_are_needed() -> None:
    known = {(each.part, _part(name)) for each in OURS.values() for name, _ in imports(each)}
    assert set(EXCEPTIONS) <= known


def _recording_half() -> dict[str, str]:
    """Modules of ours that run in the sandbox -> which one of them asked for it first."""
    found = {BORN_IN: ""}
    waiting = [BORN_IN]
    while waiting:
        name = waiting.pop()
        for known, _ in imports(OURS[name]):
            if known in OURS and known not in found and known not in _packages_of(name):
                found[known] = name
                waiting.append(known)
    return found


def test_what_touches_the_kernel_records_and_judges_nothing() -> None:
    half = _recording_half()
    assert {f"{AGENT}.agent", f"{AGENT}.sockets", f"{WITNESSES}.sampler"} <= set(half)
    judging = {
        f"{asker} asks for {name}"
        for name, asker in half.items()
        if _part(name) in (EVIDENCE, REPORT, LAB)
    }
    assert not judging
    assert not {f"{LAB}.{name}" for name in ("lab", "endpoint", "wire", "call")} & set(half)


@pytest.mark.parametrize("part", PURE)
def test_the_pure_parts_need_no_kernel(part: str) -> None:
    found = [
        f"{module.name} line {line}: {name}"
        for module in OURS.values()
        if module.part == part
        for name, line in imports(module)
        if name.split(".")[0] in NOT_PURE
    ]
    assert not found


def test_scenarios_know_the_house_by_its_doors() -> None:
    found = [
        f"{module.name} line {line}: {name}"
        for module in modules("scenarios")
        for name, line in imports(module)
        if name.split(".")[0] == "sockstates" and _part(name) not in SCENARIOS_KNOW
    ]
    assert not found


def test_nobody_knows_the_inside_of_pytest() -> None:
    found = [
        f"{module.name} line {line}: {name}"
        for module in modules("harness", "scenarios", "tests")
        for name, line in imports(module)
        if name.split(".")[0] == PRIVATE_PYTEST
    ]
    assert not found


def _lonely_names(module: Module) -> Iterator[str]:
    """Public things without a docstring. What overrides or completes something is told there."""
    if not ast.get_docstring(module.tree) and module.tree.body:
        yield f"{module.name} itself"
    for node in module.tree.body:
        yield from _lonely(node, module.name)


def _lonely(node: ast.stmt, where: str) -> Iterator[str]:
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return
    if node.name.startswith("_"):
        return
    told = ast.get_docstring(node) or any(
        dotted(each).endswith(("overload", ".setter")) for each in node.decorator_list
    )
    if not told:
        yield f"{where}.{node.name} line {node.lineno}"
    if isinstance(node, ast.ClassDef):
        for inner in node.body:
            yield from _lonely(inner, f"{where}.{node.name}")


def test_every_public_name_is_told() -> None:
    found = [text for module in OURS.values() for text in _lonely_names(module)]
    assert not found, "\n".join(found)


def test_a_name_that_is_not_told_is_recognised() -> None:
    class_told = 'class Told:\n    """Told."""\n    def not_told(self): ...'
    text = f'"""Told."""\ndef told():\n    """Told."""\n{class_told}'
    found = list(_lonely_names(Module("planted", PROJECT, ast.parse(text))))
    assert found == ["planted.Told.not_told line 6"]


def test_no_file_is_too_long_to_be_one_concept() -> None:
    long = {
        str(module.path.relative_to(PROJECT))
        for module in modules("harness", "scenarios", "tests")
        if len(module.path.read_text().splitlines()) > MOST_LINES
    }
    assert not long


def test_the_pure_parts_load_without_the_lab() -> None:
    """Not by reading alone: in an interpreter of its own, nothing of the rim gets loaded."""
    import subprocess

    names = sorted(name for name, each in OURS.items() if each.part in PURE)
    code = (
        f"import sys, {', '.join(names)}\n"
        "print(*[each for each in sys.modules if each.startswith(('sockstates.lab', 'pyroute2', "
        "'psutil'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert not done.stdout.strip()
