"""Entering new namespaces: unshare(2), setns(2), mount(2) through the C library.

Python has ``os.unshare`` from 3.12 only. Nothing here decides anything; errors are ``OSError``
with the name of the call, so that the caller can say what is missing and how to fix it.
"""

from __future__ import annotations

import ctypes
import os
import signal
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

_FLAGS = {
    "CLONE_NEWNS": CLONE_NEWNS,
    "CLONE_NEWUTS": CLONE_NEWUTS,
    "CLONE_NEWIPC": CLONE_NEWIPC,
    "CLONE_NEWUSER": CLONE_NEWUSER,
    "CLONE_NEWPID": CLONE_NEWPID,
    "CLONE_NEWNET": CLONE_NEWNET,
}

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 1 << 18

PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, call: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")


def _names(flags: int) -> str:
    return "|".join(name for name, flag in _FLAGS.items() if flags & flag)


def unshare(flags: int) -> None:
    """Leave the namespaces named by `flags` (``CLONE_NEW…``) for new ones; unshare(2)."""
    _checked(_libc.unshare(flags), f"unshare({_names(flags)})")


def children_in(pid_namespace: int) -> None:
    """Children forked from now on are born in the PID namespace of this descriptor; setns(2)."""
    _checked(_libc.setns(pid_namespace, CLONE_NEWPID), "setns(CLONE_NEWPID)")


def enter(descriptor: int, kind: int) -> None:
    """Enter the namespace, of this kind (``CLONE_NEW…``), that the descriptor is of; setns(2)."""
    _checked(_libc.setns(descriptor, kind), f"setns({kind:#x})")


def mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    """mount(2). `kind` is the file system's type, None for bind mounts and propagation changes."""
    code = _libc.mount(
        source.encode(),
        target.encode(),
        kind.encode() if kind else None,
        ctypes.c_ulong(flags),
        data.encode() if data else None,
    )
    _checked(code, f"mount {target}")


def die_with_parent(signal_number: int) -> None:
    """Have the kernel send this process a signal when its parent ends; PR_SET_PDEATHSIG(2const)."""
    _checked(_libc.prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0), "prctl(PR_SET_PDEATHSIG)")


def become_root_of_new_user_namespace() -> None:
    """Enter a user namespace of our own in which our user is root; user_namespaces(7).

    Fails in a process with more than one thread. Only one user and one group are mapped:
    more would need newuidmap(1), which is not everywhere.
    """
    user, group = os.getuid(), os.getgid()
    unshare(CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")


def new_user_namespace() -> int:
    """A descriptor of a new user namespace below ours, in which every user is who it is here.

    Whoever enters it is as powerful inside, and has no capability outside. Errors: OSError, with
    the name of the call; user_namespaces(7) says who may map all users (CAP_SETUID, CAP_SETGID,
    and CAP_SETFCAP for user 0).
    """
    child = os.fork()
    if not child:
        try:
            unshare(CLONE_NEWUSER)
        except OSError as error:
            os._exit(error.errno or 1)
        os.kill(os.getpid(), signal.SIGSTOP)  # the namespace is there as long as its process
        os._exit(0)
    try:
        _, status = os.waitpid(child, os.WUNTRACED)
        if os.WIFEXITED(status):
            number = os.WEXITSTATUS(status)
            raise OSError(number, f"unshare(CLONE_NEWUSER): {os.strerror(number)}")
        for name in ("uid_map", "gid_map"):
            _map_onto_itself(f"/proc/{child}/{name}", Path("/proc/self", name).read_text())
        return os.open(f"/proc/{child}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        if not os.WIFEXITED(status):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def _map_onto_itself(path: str, present: str) -> None:
    """Map every id that this process knows; the columns are: ours, the parent's, how many."""
    ours = [line.split() for line in present.splitlines()]
    try:
        Path(path).write_text("".join(f"{first} {first} {count}\n" for first, _, count in ours))
    except OSError as error:
        number = error.errno or 0
        reason = f"write {Path(path).name} of a user namespace: {os.strerror(number)}"
        raise OSError(number, reason) from error
