"""Looks at the machine and the process, through files; changes nothing."""

from __future__ import annotations

import os
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sockstates.captures import libpcap
from sockstates.commands.doctor.facts import SETTINGS, Facts, Trial
from sockstates.commands.doctor.scenarios import read_needs
from sockstates.programs import PACKAGES, find_program

NEEDED = ("pytest", "pyroute2", "psutil", "scapy", "cryptography")
OPTIONAL = ("pytest-xdist",)
SCENARIOS = Path("scenarios")
"""In the folder where the doctor is asked: what ``pytest scenarios/`` would run there."""
CAPABILITY_BITS = {
    "SETGID": 6,
    "SETUID": 7,
    "NET_ADMIN": 12,
    "SYS_ADMIN": 21,
    "SETFCAP": 31,
    "PERFMON": 38,
}
"""Bits of /proc/PID/status' CapEff: linux/capability.h."""
WHOLE_MAP = ["0", "0", "4294967295"]
"""/proc/self/uid_map of the first user namespace; user_namespaces(7)."""
CONTAINER_MARKS = {"/run/.containerenv": "podman", "/.dockerenv": "docker"}
CONTAINER_VARIABLE = "container"
"""What podman, systemd-nspawn and lxc set in their containers."""
FIRST_PID_NAMESPACE = "pid:[4026531836]"
"""PROC_PID_INIT_INO of linux/proc_ns.h: a container has a PID namespace of its own."""


def look() -> Facts:
    """Every fact about this process and its machine; tries a lab where the packages are there."""
    packages = {name: _version(name) for name in (*NEEDED, *OPTIONAL)}
    status = _status()
    scenarios = read_needs(SCENARIOS)
    declared = frozenset().union(*(each.programs for each in scenarios or ()))
    return Facts(
        python=(sys.version_info.major, sys.version_info.minor, sys.version_info.micro),
        packages=packages,
        user=os.geteuid(),
        whole_machine=_read("/proc/self/uid_map").split() == WHOLE_MAP,
        capabilities=_capabilities(int(status.get("CapEff", "0"), 16)),
        container=_container(),
        system_call_filter=status.get("Seccomp", "0") != "0",
        settings={name: _setting(name) for name in SETTINGS},
        programs={
            name: find_program(name) is not None
            for name in (*PACKAGES, *sorted(declared - PACKAGES.keys()))
        },
        libpcap_needs=() if libpcap.is_here() else libpcap.installation(),
        scenarios=scenarios,
        trial=_trial() if all(packages[name] for name in NEEDED) else None,
    )


def _trial() -> Trial:
    from sockstates.commands.doctor.trial import try_lab  # needs the packages

    return try_lab()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _status() -> dict[str, str]:
    pairs = (line.partition(":") for line in _read("/proc/self/status").splitlines())
    return {name: value.strip() for name, _, value in pairs}


def _capabilities(mask: int) -> frozenset[str]:
    return frozenset(name for name, bit in CAPABILITY_BITS.items() if mask >> bit & 1)


def _container() -> str:
    if os.readlink("/proc/self/ns/pid") == FIRST_PID_NAMESPACE:
        return ""
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        return "kubernetes"
    found = (kind for mark, kind in CONTAINER_MARKS.items() if Path(mark).exists())
    return next(found, os.environ.get(CONTAINER_VARIABLE, "unknown kind"))


def _setting(name: str) -> int | None:
    text = _read(f"/proc/sys/{name.replace('.', '/')}")
    return int(text) if text.lstrip("-").isdigit() else None


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip("\n\0 ")
    except OSError:
        return ""
