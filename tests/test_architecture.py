"""The arrows of the house, read from what every file imports; and what every file owes its reader.

    scenarios -> lab, evidence -> tcp        report -> evidence, tls, tcp        tls -> tcp
    ledger (claims and their verdicts): knows nothing; report and the doorbell know it
    catalogue (its page, and what entries say of their runs) -> evidence, tcp
    lab's recording half -> evidence's event types, tcp
    lab's asking half (what a scenario holds) -> evidence, tls, tcp
    virtual (kernels that are built and booted): knows nothing; the lab does not know it either

The lab has two halves. What runs in the sandbox touches the kernel, records, and judges nothing:
of the evidence it knows only what can be recorded. What a scenario holds in the test process
waits for evidence and hands it to the pure judgements, so it knows these too.
"""

import ast
import sys
from collections.abc import Iterator

import pytest

from tests.module_trees import PROJECT, Module, dotted, imports, modules

TCP, TLS, EVIDENCE, LEDGER, CATALOGUE, REPORT, LAB, VIRTUAL = (
    f"harness.{name}"
    for name in ("tcp", "tls", "evidence", "ledger", "catalogue", "report", "lab", "virtual")
)
PURE = (TCP, TLS, EVIDENCE, LEDGER, CATALOGUE, REPORT)
ARROWS: dict[str, set[str]] = {
    TCP: set(),
    TLS: {TCP},
    EVIDENCE: {TCP, TLS},
    LEDGER: set(),
    CATALOGUE: {EVIDENCE, TCP},
    REPORT: {EVIDENCE, LEDGER, TCP, TLS},
    LAB: {EVIDENCE, TCP, TLS},
    VIRTUAL: set(),
}
"""Part of the house -> the other parts that it may know."""
EXCEPTIONS = {
    (REPORT, "sockstates.system"): "what a run happens on, in one line",
    (VIRTUAL, "sockstates.system"): "how a guest's processes know where they are",
    (LAB, "sockstates.system"): "where waiting takes no time, it looks at sockets more rarely",
    (LAB, "sockstates.programs"): "where programs lie and which package brings them: a table",
    (VIRTUAL, "sockstates.programs"): "the command line that installs packages",
    (
        LAB,
        "sockstates.captures.libpcap",
    ): "compiles filter expressions, for captures here and files elsewhere",
}
SCENARIOS_KNOW = {"harness", LAB, EVIDENCE, TCP, TLS}
BORN_IN = "sockstates.sandbox.process"
"""The recording half is this module and all that it imports."""
RECORDABLE = {f"sockstates.evidence.{name}" for name in ("events", "kernel_events", "frames")}
NOT_PURE = {
    *("pyroute2", "psutil", "fcntl", "ctypes", "subprocess", "socketserver", "selectors"),
    *("multiprocessing", "threading", "pwd", "grp", "resource", "pytest"),
}
MOST_LINES = 700
PRIVATE_PYTEST = "_pytest"

HARNESS = {module.name: module for module in modules("harness")}


def _packages_of(name: str) -> Iterator[str]:
    """A module's packages run when it is imported, but are not what its author asked for."""
    parts = name.split(".")
    yield from (".".join(parts[:length]) for length in range(1, len(parts)))


def _part(name: str) -> str:
    """The part of the house in which a module of ours lies."""
    module = HARNESS.get(name)
    return module.part if module else ""


def _known_parts(module: Module) -> set[tuple[str, int]]:
    return {
        (_part(name) if _part(name) != "harness" else name, line)
        for name, line in imports(module)
        if _part(name)
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
    own = [module for module in HARNESS.values() if module.part == part]
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
        (EVIDENCE, "from sockstates.lab import Lab"),
        (LEDGER, "from sockstates.record.timeline import Timeline"),
        (CATALOGUE, "from sockstates.sandbox.network.settings import PINNED"),
        (EVIDENCE, "from ..lab import capture"),
        (REPORT, "def later():\n    from sockstates.lab.lab import Lab"),
        (LAB, "from sockstates.report import pcapng"),
        (LAB, "from sockstates import plugin"),
        (LAB, "from sockstates.virtual import kernels"),
        (VIRTUAL, "from sockstates.lab import Lab"),
        (VIRTUAL, "from sockstates.record.events import Event"),
    ],
)
def test_a_wrong_arrow_is_recognised(place: str, line: str) -> None:
    path = PROJECT / place.replace(".", "/") / "planted.py"
    assert wrong_arrows(Module(f"{place}.planted", path, ast.parse(line)))


def test_exceptions_are_needed() -> None:
    known = {(each.part, name) for each in HARNESS.values() for name, _ in imports(each)}
    assert set(EXCEPTIONS) <= known


def _recording_half() -> dict[str, str]:
    """Modules of ours that run in the sandbox -> which one of them asked for it first."""
    found = {BORN_IN: ""}
    waiting = [BORN_IN]
    while waiting:
        name = waiting.pop()
        for known, _ in imports(HARNESS[name]):
            if known in HARNESS and known not in found and known not in _packages_of(name):
                found[known] = name
                waiting.append(known)
    return found


def test_what_touches_the_kernel_records_and_judges_nothing() -> None:
    half = _recording_half()
    assert {f"{LAB}.{name}" for name in ("agent", "capture", "sampler", "sockets")} <= set(half)
    judging = {
        f"{asker} asks for {name}"
        for name, asker in half.items()
        if name.startswith(f"{EVIDENCE}.") and name not in RECORDABLE
    }
    assert not judging
    assert not {f"{LAB}.{name}" for name in ("lab", "endpoint", "wire", "call")} & set(half)


@pytest.mark.parametrize("part", PURE)
def test_the_pure_parts_need_no_kernel(part: str) -> None:
    found = [
        f"{module.name} line {line}: {name}"
        for module in HARNESS.values()
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
        if name.split(".")[0] == "harness" and _part(name) not in SCENARIOS_KNOW
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
    found = [text for module in HARNESS.values() for text in _lonely_names(module)]
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

    names = sorted(name for name, each in HARNESS.items() if each.part in PURE)
    code = (
        f"import sys, {', '.join(names)}\n"
        "print(*[each for each in sys.modules if each.startswith(('sockstates.lab', 'pyroute2', "
        "'psutil'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert not done.stdout.strip()
