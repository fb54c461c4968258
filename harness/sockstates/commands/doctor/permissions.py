"""Which permission a lab lacks, told from facts, and the command line that gives it. Pure."""

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

NEEDED = ("SYS_ADMIN", "NET_ADMIN", "SETUID", "SETGID", "SETFCAP")
"""Capabilities with which root makes labs: namespaces and a /proc for them; the cables between
hosts; and a user namespace that has every user (user_namespaces(7))."""
FEW_NAMESPACES = 100
MANY_NAMESPACES = 10000

TRACING = ("SYS_ADMIN", "PERFMON")
PODMAN_USER = "podman run --security-opt=unmask=ALL …"
DOCKER_USER = (
    "docker run --security-opt=systempaths=unconfined --security-opt=seccomp=unconfined "
    "--security-opt=apparmor=unconfined …"
)
KUBERNETES = "securityContext: {privileged: true}   # in the container's manifest"


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


def outside_remark(facts: Facts) -> str:
    """Says of a command line that it is not for inside the container."""
    return "   # on the container's machine" if facts.container else ""


def mend_permissions(facts: Facts, trial: Trial) -> tuple[str, ...]:
    """The command lines that let a lab be made, the likeliest first."""
    found = list(_by_settings(facts))
    if found:
        return tuple(found)
    if facts.container:
        return _by_container(facts, trial)
    if facts.user:
        return ('sudo env PATH="$PATH" pytest scenarios/   # as the machine\'s root',)
    return ("run outside of what limits this process (its service manager, a sandbox)",)


def mend_tracing(facts: Facts) -> tuple[str, ...]:
    """The command line that lets root have the kernel's tracepoints; none is known otherwise."""
    if facts.container and facts.whole_machine:
        needed = _options((*NEEDED, *TRACING), facts)
        return (f"podman run {needed} …   # as the machine's root",)
    if facts.user and not facts.container:
        return ('sudo env PATH="$PATH" pytest scenarios/   # as the machine\'s root',)
    return ()


def _by_settings(facts: Facts) -> Iterator[str]:
    """Kernel settings that forbid user namespaces; root is only bound by their number."""
    sudo = "" if facts.user == 0 else "sudo "
    outside = outside_remark(facts)
    direct = all(each in facts.capabilities for each in NEEDED)
    settings = facts.settings
    if not direct and settings.get(USER_NAMESPACES_ALLOWED) == 0:
        yield f"{sudo}sysctl -w {USER_NAMESPACES_ALLOWED}=1{outside}"
    if not direct and settings.get(USER_NAMESPACES_RESTRICTED):
        yield f"{sudo}sysctl -w {USER_NAMESPACES_RESTRICTED}=0{outside}"
    for name in (MOST_USER_NAMESPACES, MOST_NETWORK_NAMESPACES):
        limit = settings.get(name)
        if limit is not None and limit < FEW_NAMESPACES:
            yield f"{sudo}sysctl -w {name}={MANY_NAMESPACES}{outside}"


def _options(needed: tuple[str, ...], facts: Facts) -> str:
    """The options that add what this process lacks; all of them where it lacks nothing."""
    names = dict.fromkeys(needed)
    missing = [name for name in names if name not in facts.capabilities]
    return " ".join(f"--cap-add={name}" for name in missing or names)


def _by_container(facts: Facts, trial: Trial) -> tuple[str, ...]:
    if facts.container == "kubernetes":
        return (KUBERNETES,)
    if facts.user == 0:
        needed = _options(NEEDED, facts)
        docker = f"docker run {needed} --security-opt=apparmor=unconfined …"
        return (f"podman run {needed} …", docker) if facts.container != "docker" else (docker,)
    seccomp = facts.system_call_filter and "unshare" in trial.failure
    podman = PODMAN_USER.replace("…", "--security-opt=seccomp=unconfined …")
    choices = (podman if seccomp else PODMAN_USER, DOCKER_USER)
    return choices if facts.container != "docker" else (DOCKER_USER,)
