"""Which permission a lab lacks, told from facts, and what gives it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sockstates.commands.doctor.facts import (
    MOST_NETWORK_NAMESPACES,
    MOST_USER_NAMESPACES,
    USER_NAMESPACES_ALLOWED,
    USER_NAMESPACES_RESTRICTED,
    Facts,
    Trial,
)
from sockstates.programs import as_root

NEEDED = ("SYS_ADMIN", "NET_ADMIN", "SETUID", "SETGID", "SETFCAP")
"""Capabilities with which root makes labs: namespaces and a /proc for them; the cables between
hosts; and a user namespace that has every user (user_namespaces(7))."""
FEW_NAMESPACES = 100
MANY_NAMESPACES = 10000

TRACING = ("SYS_ADMIN", "PERFMON")
PODMAN_USER = "podman run --security-opt=unmask=ALL"
DOCKER_USER = (
    "docker run --security-opt=systempaths=unconfined --security-opt=seccomp=unconfined "
    "--security-opt=apparmor=unconfined"
)
KUBERNETES_USER = (
    "hostUsers: false; securityContext: {procMount: Unmasked, "
    "seccompProfile: {type: Unconfined}, appArmorProfile: {type: Unconfined}}"
)
"""The first belongs to the pod, which procMount needs to have users of its own; the rest to the
container."""
MANIFEST = "In the pod's manifest: "
MACHINE = "On the container's machine, as root: "
START = "Start the container with: "


class Elsewhere(str):
    """What is to be done elsewhere, as opposed to a command line that is typed here."""

    __slots__ = ()


def who(facts: Facts) -> str:
    """Who this process is, in the words of somebody who wonders what it may do."""
    name = "root" if facts.user == 0 else f"user {facts.user}"
    place = "of this machine" if facts.user == 0 else "without privileges"
    if facts.container:
        place = f"in a container ({facts.container})"
    if not facts.whole_machine:
        place += ", inside a user namespace"
    missing = [f"CAP_{each}" for each in NEEDED if each not in facts.capabilities]
    lacks = f" without {', '.join(missing)}" if missing and facts.user == 0 else ""
    way = "as root" if NEEDED[0] in facts.capabilities else "through a user namespace"
    return f"{name} {place}{lacks}: labs are made {way}"


def on_the_machine(facts: Facts, command: str) -> str:
    """A command line that a container's root cannot run."""
    if facts.container:
        return Elsewhere(f"{MACHINE}{command}")
    return as_root(command, root=facts.user == 0)


def mend_permissions(facts: Facts, trial: Trial) -> tuple[str, ...]:
    """What lets a lab be made: the likeliest first, and of several ways the least."""
    if not trial.refused:
        return ()
    found = list(_by_settings(facts))
    if found:
        return tuple(found)
    if facts.container:
        return _by_container(facts, trial)
    if facts.user:
        return (_as_the_machines_root(),)
    return (Elsewhere("Run outside of what limits this process: its service manager, a sandbox."),)


def mend_tracing(facts: Facts) -> tuple[str, ...]:
    """What lets root have the kernel's tracepoints; nothing is known otherwise."""
    if facts.container and facts.whole_machine:
        return (Elsewhere(f"As the machine's root. {_capabilities(TRACING, facts)}"),)
    if facts.user and not facts.container:
        return (_as_the_machines_root(),)
    return ()


def unmasking(facts: Facts) -> Elsewhere:
    """How a container gets whole file systems /proc and /sys, in the words of its kind."""
    if facts.container == "docker":
        return Elsewhere(f"{START}docker run --security-opt=systempaths=unconfined")
    if facts.container == "podman":
        return Elsewhere(f"{START}{PODMAN_USER}")
    if facts.container == "kubernetes":
        return Elsewhere(f"{MANIFEST}hostUsers: false; securityContext: {{procMount: Unmasked}}")
    return Elsewhere("Start the container with /proc and /sys unmasked.")


def _as_the_machines_root() -> str:
    return as_root('env PATH="$PATH" pytest scenarios/', root=False)


def _by_settings(facts: Facts) -> Iterator[str]:
    """Kernel settings that forbid user namespaces; root is only bound by their number."""
    direct = all(each in facts.capabilities for each in NEEDED)
    settings = facts.settings
    if not direct and settings.get(USER_NAMESPACES_ALLOWED) == 0:
        yield on_the_machine(facts, f"sysctl -w {USER_NAMESPACES_ALLOWED}=1")
    if not direct and settings.get(USER_NAMESPACES_RESTRICTED):
        yield on_the_machine(facts, f"sysctl -w {USER_NAMESPACES_RESTRICTED}=0")
    for name in (MOST_USER_NAMESPACES, MOST_NETWORK_NAMESPACES):
        limit = settings.get(name)
        if limit is not None and limit < FEW_NAMESPACES:
            yield on_the_machine(facts, f"sysctl -w {name}={MANY_NAMESPACES}")


def _capabilities(needed: tuple[str, ...], facts: Facts) -> str:
    """How a container gets what this process lacks, in the words of its kind; all, if nothing."""
    names = [name for name in needed if name not in facts.capabilities] or [*needed]
    if facts.container == "kubernetes":
        return f"{MANIFEST}securityContext: {{capabilities: {{add: [{', '.join(names)}]}}}}"
    if facts.container in ("podman", "docker"):
        options = " ".join(f"--cap-add={name}" for name in names)
        return f"{START}{facts.container} run {options}"
    return f"Start the container with the capabilities {', '.join(names)}"


def _by_container(facts: Facts, trial: Trial) -> tuple[str, ...]:
    """In the words of the container's kind, and of no other; the last gives everything."""
    kind, root = facts.container, facts.user == 0
    least = _capabilities(NEEDED, facts) if root else ""
    if kind == "kubernetes":
        least = least or f"{MANIFEST}{KUBERNETES_USER}"
        return Elsewhere(least), Elsewhere(f"{MANIFEST}securityContext: {{privileged: true}}")
    if kind == "podman":
        filtered = facts.system_call_filter and "unshare" in trial.failure
        seccomp = " --security-opt=seccomp=unconfined" if filtered else ""
        least = least or f"{START}{PODMAN_USER}{seccomp}"
    elif kind == "docker":
        apparmor = " --security-opt=apparmor=unconfined"
        least = f"{least}{apparmor}" if root else f"{START}{DOCKER_USER}"
    else:
        user = "Start the container with user namespaces allowed, and /proc unmasked."
        return (Elsewhere(least or user),)
    return Elsewhere(least), Elsewhere(f"{START}{kind} run --privileged")
