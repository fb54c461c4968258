"""The first process of a virtual kernel: it makes the machine, runs one command, and powers off.

Runs inside, as process 1, on the standard library alone; it is started by `guest` and knows nothing
of the rest. The host's whole file tree is there below one that lies in memory: whatever the command
writes stays in the guest and is gone with it, except in the folders that are shared.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ORDER, STATUS, FAILURE, OUTPUT, ERRORS = "order.json", "status", "failure", "output", "errors"
"""Files in the guest's folder: what to do; the exit status; why there is none; what was written."""
SECONDS = "seconds"
"""Another: how many seconds of the guest's own clock had passed at the end."""
CLOCK = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
TIME_TRAVEL = "time-travel"
"""How the name of a clock begins that jumps; linux/arch/um/kernel/time.c."""
POWER_OFF = 0x4321FEDC
"""RB_POWER_OFF, reboot(2)."""
MS_MOVE = 8192
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
NOT_EXECUTABLE, NOT_FOUND = 126, 127
"""What a shell says of a command that it cannot run."""
SIGNALLED = 128
FIRST_SECOND = 1.1
"""While its clock of whole seconds says 0, a kernel takes what it dates by it for not dated: of a
TIME_WAIT that begins then it knows no timestamp (tw_ts_recent_stamp, tcp_twsk_unique() in
net/ipv4/tcp_ipv4.c). No machine that boots in real time lets anybody see that."""

_C = ctypes.CDLL(None, use_errno=True)


def main(folder: Path) -> None:
    """Do what the order in this folder says, leave the outcome there, and end the machine.

    Errors: OSError on any machine but a User Mode Linux, before anything is done: no other kernel
    has this file system.
    """
    _mount("host", str(folder), "hostfs", str(folder))  # it could only be read so far
    try:
        order = json.loads((folder / ORDER).read_text())
        _mount("sysfs", "/sys", "sysfs")
        check_clock()
        _make_root(folder, order["directory"], order["shared"])
        socket.sethostname(order["name"])
        _bring_up_loopback()
        status = _run(order, folder)
        (folder / SECONDS).write_text(str(time.clock_gettime(time.CLOCK_MONOTONIC)))
        (folder / STATUS).write_text(str(status))
    except BaseException:  # nobody else is there to tell
        (folder / FAILURE).write_text(traceback.format_exc())
    finally:
        os.sync()
        _C.reboot(POWER_OFF)


def check_clock() -> None:
    """A kernel without time travel ignores that option in silence, and would wait for hours."""
    clock = Path(CLOCK).read_text().strip()
    if not clock.startswith(TIME_TRAVEL):
        raise RuntimeError(f"the kernel has no time travel: its clock is {clock}")


def _mount(source: str, target: str, kind: str, data: str = "", flags: int = 0) -> None:
    arguments = [each.encode() for each in (source, target, kind)]
    if _C.mount(*arguments, ctypes.c_ulong(flags), data.encode() or None):
        number = ctypes.get_errno()
        raise OSError(number, f"mount {kind} on {target}: {os.strerror(number)}")


def _make_root(folder: Path, directory: str, shared: Sequence[str]) -> None:
    """Put the host's tree below one in memory, share what is to be shared, and move there."""
    memory, root = folder / "memory", folder / "root"
    _mount("memory", str(memory), "tmpfs")
    upper, work = memory / "upper", memory / "work"
    upper.mkdir()
    work.mkdir()
    _mount("root", str(root), "overlay", f"lowerdir=/,upperdir={upper},workdir={work}")
    _mount("proc", f"{root}/proc", "proc")
    _mount("sysfs", f"{root}/sys", "sysfs")
    _mount("tracefs", f"{root}/sys/kernel/tracing", "tracefs")
    _mount("devices", f"{root}/dev", "devtmpfs")
    for name, kind in (("pts", "devpts"), ("shm", "tmpfs")):
        (root / "dev" / name).mkdir(exist_ok=True)
        _mount(name, f"{root}/dev/{name}", kind)
    for name, target in (("fd", "fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        (root / "dev" / name).symlink_to(f"/proc/self/{target}")
    _mount("run", f"{root}/run", "tmpfs")
    _show(directory, root, memory)
    for path in sorted([*shared, str(folder)]):  # the outer ones before those in them
        Path(f"{root}{path}").mkdir(parents=True, exist_ok=True)
        _mount("host", f"{root}{path}", "hostfs", path)
    os.chdir(root)
    _mount(".", "/", "", flags=MS_MOVE)
    os.chroot(".")


def _show(directory: str, root: Path, memory: Path) -> None:
    """Below /dev and /run the guest has its own files: show a folder of the host's there, too."""
    place = Path(f"{root}{directory}")
    if not place.exists():
        upper, work = memory / "directory", memory / "directory-work"
        for each in (place, upper, work):
            each.mkdir(parents=True)
        layers = f"lowerdir={directory},upperdir={upper},workdir={work}"
        _mount("root", str(place), "overlay", layers)


def _bring_up_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        wanted = struct.pack("16sh22x", b"lo", 0)
        _, flags = struct.unpack("16sh22x", fcntl.ioctl(asking, SIOCGIFFLAGS, wanted))
        fcntl.ioctl(asking, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags | IFF_UP))


def _run(order: Mapping[str, Any], folder: Path) -> int:
    """Run the command and wait for it; whatever else ends meanwhile is only reaped."""
    time.sleep(max(0.0, FIRST_SECOND - time.clock_gettime(time.CLOCK_MONOTONIC)))
    child = os.fork()
    if child == 0:
        _become(order, folder)
    while True:
        ended, status = os.wait()
        if ended == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else SIGNALLED - code


def _become(order: Mapping[str, Any], folder: Path) -> None:
    """Be the command from now on; its output goes into files of the host."""
    code = NOT_EXECUTABLE
    what = "the guest's folder"
    try:
        os.setsid()
        for descriptor, target in ((1, OUTPUT), (2, ERRORS)):
            opened = os.open(folder / target, os.O_WRONLY | os.O_APPEND)
            os.dup2(opened, descriptor)
            os.close(opened)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        what = order["directory"]
        os.chdir(what)
        what = order["command"][0]
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.execvpe(what, order["command"], order["environment"])  # noqa: S606
    except FileNotFoundError:
        code = NOT_FOUND
        sys.stderr.write(f"{what}: not found\n")
    except OSError as error:
        sys.stderr.write(f"{what}: {error.strerror}\n")
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
