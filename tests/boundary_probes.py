"""Run as a program on a host: tries to get out of it, and says what the kernel answered.

Arguments: a Unix socket that hands over two descriptors, of the machine's network namespace and of
the test process; and that process' id. Prints a JSON object: each attempt's name, and the error's
name or what it got. No attempt does harm where it succeeds.
"""

import ctypes
import errno
import json
import os
import socket
import stat
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

NEW_MOUNTS, NEW_USER, NEW_PIDS, NEW_NETWORK = 0x2_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000
READ_ONLY, REMOUNT, BIND, RECURSIVE = 1, 0x20, 0x1000, 0x4000
DETACH = 2
ATTACH = 16
BPF_PROG_GET_NEXT_ID = 11
SYS_PIDFD_GETFD, SYS_PIDFD_SEND_SIGNAL = 438, 424
"""The same numbers on every architecture."""
BY_MACHINE = {
    "x86_64": {"reboot": 169, "init_module": 175, "bpf": 321},
    "aarch64": {"reboot": 142, "init_module": 105, "bpf": 280},
}
ELSEWHERE = "/mnt"
libc = ctypes.CDLL(None, use_errno=True)
DEVICES = ("/dev/mem", "/dev/port")
SINGLE_FILES = ("/proc/sys/kernel/core_pattern", "/proc/sys/vm/drop_caches", "/proc/sysrq-trigger")


def checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), "")
    return result


def mount(source: str, target: str, kind: str | None, flags: int = 0) -> None:
    code = kind.encode() if kind else None
    checked(libc.mount(source.encode(), target.encode(), code, ctypes.c_ulong(flags), None))


def take_away(path: str) -> None:
    checked(libc.umount2(path.encode(), DETACH))


def write(path: str) -> None:
    """Only opens it for writing."""
    os.close(os.open(path, os.O_WRONLY))


def deeper(attempt: Callable[[], None], *, namespaces: int = NEW_USER | NEW_MOUNTS) -> None:
    """The attempt as root of a further user namespace, in further namespaces owned by it."""
    user, group = os.getuid(), os.getgid()
    checked(libc.unshare(namespaces))
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    if namespaces & NEW_PIDS:
        finish(os.fork, attempt)
    else:
        attempt()


def finish(fork: Callable[[], int], attempt: Callable[[], None]) -> None:
    child = fork()
    if not child:
        os._exit(number_of(attempt))
    number = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if number:
        raise OSError(number, "")


def number_of(attempt: Callable[[], None]) -> int:
    try:
        attempt()
    except OSError as error:
        return error.errno or 255
    return 0


def uncover_sys() -> None:
    """What a host mounts itself it can take away: then what lies below must be read-only."""
    take_away("/sys")
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, behind = line.partition(" - ")
        place, options = before.split()[4:6]
        kind = behind.split()[0]
        if place.startswith("/sys") and kind != "tmpfs" and "ro" not in options.split(","):
            return
    raise OSError(errno.EROFS, "")


def through_a_copy() -> None:
    mount("/", ELSEWHERE, None, BIND | RECURSIVE)
    write(f"{ELSEWHERE}/proc/sys/kernel/core_pattern")


def open_again() -> None:
    mount("none", "/proc/sys", None, REMOUNT | BIND)
    write("/proc/sys/kernel/core_pattern")


def received(path: str) -> list[int]:
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(path)
        _, descriptors, _, _ = socket.recv_fds(line, 16, 2)
    return descriptors


def call(name: str, *arguments: int) -> None:
    checked(libc.syscall(BY_MACHINE[os.uname().machine][name], *arguments))


def make_device(kind: int) -> None:
    path = f"/run/device-{kind}"
    os.mknod(path, kind | 0o600, os.makedev(1, 1))


def attempts(line: str, outside: int) -> dict[str, Callable[[], object]]:
    network, process = received(line)
    found: dict[str, Callable[[], object]] = {
        "take away /proc": lambda: take_away("/proc"),
        "take away /proc/sys": lambda: take_away("/proc/sys"),
        "take away /run": lambda: take_away("/run"),
        "take away /sys": uncover_sys,
        "take away /proc, deeper": lambda: deeper(lambda: take_away("/proc")),
        "mount /proc": lambda: mount("proc", ELSEWHERE, "proc"),
        "mount /proc, deeper": lambda: deeper(
            lambda: mount("proc", ELSEWHERE, "proc"), namespaces=NEW_USER | NEW_MOUNTS | NEW_PIDS
        ),
        "mount /sys to write, deeper": lambda: deeper(
            lambda: mount("sysfs", ELSEWHERE, "sysfs"),
            namespaces=NEW_USER | NEW_MOUNTS | NEW_NETWORK,
        ),
        "mount tracefs": lambda: mount("tracefs", ELSEWHERE, "tracefs"),
        "mount debugfs": lambda: mount("debugfs", ELSEWHERE, "debugfs"),
        "mount cgroup": lambda: mount("cgroup", ELSEWHERE, "cgroup2"),
        "bind / without what covers it": lambda: mount("/", ELSEWHERE, None, BIND),
        "write through a copy of /": through_a_copy,
        "make /proc/sys writable": open_again,
        "make /proc/sys writable, deeper": lambda: deeper(open_again),
        "enter the machine's network": lambda: checked(libc.setns(network, NEW_NETWORK)),
        "enter a process outside": lambda: checked(libc.setns(process, NEW_MOUNTS)),
        "signal a process outside": lambda: os.kill(outside, 0),
        "signal by descriptor": lambda: checked(
            libc.syscall(SYS_PIDFD_SEND_SIGNAL, process, 0, None, 0)
        ),
        "take a descriptor from outside": lambda: checked(
            libc.syscall(SYS_PIDFD_GETFD, process, 0, 0)
        ),
        "trace a process outside": lambda: checked(libc.ptrace(ATTACH, outside, 0, 0)),
        "make a block device": lambda: make_device(stat.S_IFBLK),
        "make a character device": lambda: make_device(stat.S_IFCHR),
        "chroot out through process 1": lambda: write("/proc/1/root/proc/sys/kernel/core_pattern"),
    }
    for path in filter(os.path.exists, (*SINGLE_FILES, *DEVICES)):
        found[f"write to {path}"] = partial(write, path)
    if os.uname().machine in BY_MACHINE:
        # With arguments that are refused also where the call itself is allowed.
        for name, first in (("reboot", 0), ("init_module", 0), ("bpf", BPF_PROG_GET_NEXT_ID)):
            found[name] = partial(call, name, first, 0, 0)
    return found


def outcome(attempt: Callable[[], object]) -> str:
    """Each in a process of its own: what one changes is not there for the next."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            text = f"got {attempt()!r}"
        except OSError as error:
            text = errno.errorcode[error.errno or 0]
        os.write(writing, text.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return text or "ended"


def main() -> None:
    """Print what came of each attempt, and the descriptors that were there at the start."""
    descriptors = sorted(set(map(int, os.listdir("/proc/self/fd"))) - {3})
    tried = {name: outcome(each) for name, each in attempts(sys.argv[1], int(sys.argv[2])).items()}
    print(json.dumps({"descriptors": descriptors, "tried": tried}))


if __name__ == "__main__":
    main()
