"""What stands between a host's programs and the machine, also where they run as root.

Three things, in an order that the kernel then holds:

1. The sandbox, in a mount namespace of its own, makes every file system read-only in which files
   are handles of the kernel: sysfs, cgroups, tracefs, the machine's /proc.
2. Each host mounts what it sees of the kernel: a /proc that has its own processes only and can be
   written to only at network sysctls and processes, and an empty /run (the machine's has the
   sockets of its services).
3. Then it enters a user namespace, in which every user is who it was, and makes its network and
   mount namespaces there. Root has every capability over these, none over anything outside; and
   mounts that came from outside are locked: nobody in there can undo or uncover them
   (mount_namespaces(7), "Restrictions on mount namespaces").

What stays open is the machine's files: root in the user namespace owns what root owns.
"""

from __future__ import annotations

import functools
import os
import socket
from contextlib import suppress

import psutil

from sockstates.sandbox.network import namespaces

KERNEL_FILE_SYSTEMS = frozenset(
    {
        *("binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "efivarfs"),
        *("fusectl", "nfsd", "proc", "pstore", "resctrl", "securityfs", "selinuxfs", "smackfs"),
        *("sysfs", "tracefs"),
    }
)
"""File systems in which writing to a file does something to the machine."""
NOTHING_RUNS = namespaces.MS_NOSUID | namespaces.MS_NODEV | namespaces.MS_NOEXEC


def seal_the_machine() -> None:
    """Make the kernel's file systems read-only in this mount namespace, wherever they are mounted.

    A mount that lies below another one cannot be reached by its path, and is refused: it need not
    be changed either, because who cannot take mounts away cannot reach it.
    """
    for partition in psutil.disk_partitions(all=True):
        if partition.fstype in KERNEL_FILE_SYSTEMS:
            with suppress(OSError):
                _make_read_only(partition.mountpoint)


def enter_host(name: str, user_namespace: int) -> None:
    """Leave the sandbox for namespaces of the host's own, as root of that user namespace.

    Called in the host's first process, already in its PID namespace. Errors: OSError.
    """
    namespaces.unshare(namespaces.CLONE_NEWNS)
    namespaces.mount("proc", "/proc", "proc", NOTHING_RUNS)
    _seal_proc()
    namespaces.mount("run", "/run", "tmpfs", namespaces.MS_NOSUID | namespaces.MS_NODEV)
    # Never closed: whoever drops the last reference waits for the kernel to take the mounts away.
    os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    namespaces.enter(user_namespace, namespaces.CLONE_NEWUSER)
    os.close(user_namespace)
    namespaces.unshare(namespaces.CLONE_NEWNET | namespaces.CLONE_NEWNS | namespaces.CLONE_NEWUTS)
    with suppress(PermissionError):
        socket.sethostname(name)  # some containers' system call filters refuse it
    _mount_sys()


def _make_read_only(path: str) -> None:
    flags = namespaces.MS_REMOUNT | namespaces.MS_BIND | namespaces.MS_RDONLY
    namespaces.mount("none", path, None, flags | NOTHING_RUNS)


@functools.cache
def handles_in_proc() -> tuple[str, ...]:
    """Names of what root could write to in /proc, apart from processes: the same on each host."""
    with os.scandir("/proc") as entries:
        return tuple(
            entry.name
            for entry in entries
            if not (entry.name.isdigit() or entry.is_symlink())
            and (entry.is_dir() or entry.stat().st_mode & 0o222)
        )


def _seal_proc() -> None:
    """Let nothing be written in /proc but to processes and network sysctls."""
    for name in handles_in_proc():
        path = f"/proc/{name}"
        if name == "sys":
            namespaces.mount(f"{path}/net", f"{path}/net", None, namespaces.MS_BIND)
        namespaces.mount(path, path, None, namespaces.MS_BIND | namespaces.MS_REC)
        _make_read_only(path)


def _mount_sys() -> None:
    """The host's own /sys, for reading: all but its class/net is the machine's.

    A container that hides parts of its /sys may not have a whole one; nothing of ours needs it, so
    an empty one does then, rather than the machine's interfaces.
    """
    try:
        namespaces.mount("sysfs", "/sys", "sysfs", NOTHING_RUNS | namespaces.MS_RDONLY)
    except PermissionError:
        namespaces.mount("none", "/sys", "tmpfs", NOTHING_RUNS | namespaces.MS_RDONLY)
