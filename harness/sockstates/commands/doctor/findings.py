"""From facts to findings: what is well, what is lacking and how to fix it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from sockstates.commands.doctor.facts import Facts, Trial
from sockstates.commands.doctor.permissions import (
    Elsewhere,
    mend_permissions,
    mend_tracing,
    on_the_machine,
    unmasking,
    who,
)
from sockstates.programs import PACKAGES_BY_PROGRAM, install_commands
from sockstates.system import NO_IPV6

OLDEST_PYTHON = (3, 11)
HANDSHAKE = 3
PARTS_ELSEWHERE = dict.fromkeys(("nat", "netem"), "--lab-virtual runs them in a kernel that has it")
"""What every kernel of ``sockstates kernel build`` has; the rest came with later versions."""


class Verdict(Enum):
    """What a finding means for ``pytest scenarios/``."""

    WELL = "ok"
    LACKING = "LACK"
    """Nothing runs without it."""
    NOTE = "note"
    """Everything runs, or all but what the note names."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's page, with the command lines that fix it."""

    verdict: Verdict
    subject: str
    text: str
    fix: tuple[str, ...] = ()


def examine(facts: Facts) -> list[Finding]:
    """Everything there is to say, in the order in which it is to be fixed."""
    found = [_python(facts), *_packages(facts), _you(facts)]
    if facts.trial is not None:
        found += _lab(facts, facts.trial)
    found.append(_filters(facts))
    found += _programs(facts)
    return found


def will_run(findings: list[Finding]) -> bool:
    """Whether ``pytest scenarios/`` runs on this machine."""
    return all(finding.verdict is not Verdict.LACKING for finding in findings)


def _python(facts: Facts) -> Finding:
    text = ".".join(map(str, facts.python))
    if facts.python >= OLDEST_PYTHON:
        return Finding(Verdict.WELL, "Python", text)
    return Finding(
        Verdict.LACKING,
        "Python",
        f"{text} is too old: 3.11 or later is needed",
        install_commands(["python3", "python3-venv"], root=facts.user == 0),
    )


def _packages(facts: Facts) -> Iterator[Finding]:
    optional = ("pytest-xdist",)
    present = [f"{name} {version}" for name, version in facts.packages.items() if version]
    missing = [name for name, version in facts.packages.items() if not version]
    needed = [name for name in missing if name not in optional]
    if needed:
        text = f"missing: {', '.join(needed)}; without them no lab can be tried"
        fix = ("pip install tox && tox -e doctor",)
        yield Finding(Verdict.LACKING, "packages", text, fix)
        return
    yield Finding(Verdict.WELL, "packages", ", ".join(present))
    if missing:
        text = f"{', '.join(missing)} is missing: scenarios run one after the other"
        yield Finding(Verdict.NOTE, "packages", text, (f"pip install {' '.join(missing)}",))


def _you(facts: Facts) -> Finding:
    return Finding(Verdict.WELL, "you", who(facts))


def _lab(facts: Facts, trial: Trial) -> Iterator[Finding]:
    if trial.failure:
        yield Finding(Verdict.LACKING, "lab", trial.failure, mend_permissions(facts, trial))
        return
    families = _families(trial)
    text = f"two hosts made, joined and taken away, over {families}, in {trial.seconds:.1f} s"
    yield Finding(Verdict.WELL, "lab", text)
    if _only_ipv4(trial):
        yield Finding(Verdict.NOTE, "IPv6", NO_IPV6)
    if trial.sys_is_empty:
        yield Finding(
            Verdict.NOTE,
            "/sys",
            "is empty on the hosts, because this container hides parts of its own: programs that "
            "look for interfaces in /sys/class/net find none",
            (unmasking(facts),),
        )
    yield from _rules(facts, trial)
    yield _capture(trial)
    yield _tracepoints(facts, trial)
    yield from _kernel(facts, trial)


def _families(trial: Trial) -> str:
    """The address families in which the lab was tried."""
    return "IPv4" if _only_ipv4(trial) else "IPv4 and IPv6"


def _only_ipv4(trial: Trial) -> bool:
    return set(trial.rules) == {"ipv4"}


def _rules(facts: Facts, trial: Trial) -> Iterator[Finding]:
    failed = {family: reason for family, reason in trial.rules.items() if reason}
    if not failed:
        yield Finding(Verdict.WELL, "rules", f"nf_tables drops over {_families(trial)}")
    for family, reason in failed.items():
        yield Finding(
            Verdict.LACKING,
            "rules",
            f"{family}: {reason}; the kernel's nf_tables must be there",
            (on_the_machine(facts, "modprobe nf_tables"),),
        )


def _capture(trial: Trial) -> Finding:
    if trial.frames >= HANDSHAKE:
        return Finding(Verdict.WELL, "capture", "AF_PACKET shows every segment of a handshake")
    return Finding(
        Verdict.LACKING,
        "capture",
        f"a handshake has {HANDSHAKE} segments, but AF_PACKET showed {trial.frames}: "
        "this kernel's packet sockets do not work (gVisor, for one, is no Linux kernel)",
        (Elsewhere("Run on a machine, or in a virtual machine, with a Linux kernel."),),
    )


def _tracepoints(facts: Facts, trial: Trial) -> Finding:
    """Scenarios run without them; what lasts for microseconds only is then not claimed."""
    if not trial.no_tracepoints:
        return Finding(
            Verdict.WELL, "tracing", "the kernel's tracepoints tell every change of state"
        )
    text = (
        f"{trial.no_tracepoints}. Scenarios run without tracepoints, but states that are over "
        "before anybody can look are then not proved"
    )
    return Finding(Verdict.NOTE, "tracing", text, mend_tracing(facts))


def _filters(facts: Facts) -> Finding:
    if not facts.libpcap_needs:
        return Finding(Verdict.WELL, "filters", "libpcap compiles tcpdump's filter expressions")
    count = _of_the_scenarios([each.filters for each in facts.scenarios or ()])
    return Finding(
        Verdict.NOTE,
        "filters",
        "libpcap is missing, which the Python package cypcap brings. Scenarios that capture with a "
        f"filter of their own fail{count}, and so does `show --filter`",
        facts.libpcap_needs,
    )


def _programs(facts: Facts) -> Iterator[Finding]:
    present = [name for name, there in facts.programs.items() if there]
    missing = [name for name, there in facts.programs.items() if not there]
    if present:
        yield Finding(Verdict.WELL, "programs", " ".join(present))
    if missing:
        packages = (PACKAGES_BY_PROGRAM[name] for name in missing if name in PACKAGES_BY_PROGRAM)
        yield Finding(
            Verdict.NOTE,
            "programs",
            f"missing: {_programs_by_scenarios(facts, missing)}",
            install_commands(packages, root=facts.user == 0),
        )


def _programs_by_scenarios(facts: Facts, missing: list[str]) -> str:
    """The missing programs with how many scenarios run each, where there are scenarios here."""
    if facts.scenarios is None:
        return f"{', '.join(missing)}. Scenarios that run one of them are skipped"
    counts = {
        name: sum(name in each.programs for each in facts.scenarios) for name in sorted(missing)
    }
    run = [f"{name} ({count})" for name, count in counts.items() if count]
    others = [name for name, count in counts.items() if not count]
    skipped = sum(not each.programs.isdisjoint(missing) for each in facts.scenarios)
    in_all = f"Skipped without them: {skipped} of the {len(facts.scenarios)} scenarios here"
    parts = [
        f"{', '.join(run)}. {in_all}; with --lab-require that is an error" if run else "",
        f"{', '.join(others)}, which no scenario here runs" if others else "",
    ]
    return ". Also ".join(filter(None, parts))


def _kernel(facts: Facts, trial: Trial) -> Iterator[Finding]:
    """What no package brings, and --lab-require does not ask for."""
    for part in sorted(trial.lacks):
        count = _of_the_scenarios([part in each.kernel for each in facts.scenarios or ()])
        if facts.scenarios is not None and not count:
            continue
        yield Finding(
            Verdict.NOTE,
            "kernel",
            f"this kernel lacks {part}. Scenarios that need it are skipped{count}, also with "
            f"--lab-require; {PARTS_ELSEWHERE.get(part, 'a newer kernel has it')}",
        )


def _of_the_scenarios(needing: list[bool]) -> str:
    """How many of the scenarios here need something, to stand behind a word; empty for none."""
    return f" ({sum(needing)} of the {len(needing)} here)" if any(needing) else ""
