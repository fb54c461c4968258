"""Boots a kernel once, to see that it comes up and that its clock is its own.

Two hours of the guest's time must pass, and the guest must end, within seconds of the machine's.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sockstates.virtual.errors import KernelUnusable

LONGEST = 30.0
"""Seconds of the machine's time for a boot, two hours of the guest's time, and its end."""
SLEEP = 7200
"""Seconds of the guest's time."""
SAID = "sockstates-guest"
_LINE = re.compile(rf"{SAID} (\w+) (\S+)")
_LAST_LINES = 12

GUEST = f"""\
import ctypes, os, time
libc = ctypes.CDLL(None)
def say(name, value):
    print("{SAID}", name, value, flush=True)
try:
    say("release", os.uname().release)
    libc.mount(b"sysfs", b"/sys", b"sysfs", 0, None)
    with open("/sys/devices/system/clocksource/clocksource0/current_clocksource") as source:
        say("clock", source.read().strip())
    begun = time.monotonic()
    time.sleep({SLEEP})
    say("slept", round(time.monotonic() - begun))
finally:
    libc.reboot(0x4321FEDC)  # LINUX_REBOOT_CMD_POWER_OFF, reboot(2)
"""
"""What the guest runs as its first process: Python is what is certainly there."""

ENVIRONMENT = {"GLIBC_TUNABLES": "glibc.pthread.rseq=0"}
"""A kernel's own environment.

UML runs the guest's processes in children of its own, whose memory it replaces. glibc registers an
area with the machine's kernel for restartable sequences (rseq(2)); the children inherit that, the
area is unmapped with the rest, and the machine's kernel kills them at their next signal. 6.1 and
6.12 die so at the first page fault of a process. Without rseq there is no area.
"""


def own_environment(memory_folder: str | None) -> dict[str, str]:
    """A kernel's environment; its memory is a file in `memory_folder`, or where it finds room.

    The last variable must be short, and neither PATH nor a tunable: from where the highest string
    of its environment lies a newer kernel infers where its stack ends, and those two it has copied.
    """
    memory = {"TMPDIR": memory_folder} if memory_folder else {}
    return {"PATH": os.defpath, **ENVIRONMENT, **memory, "HOME": "/"}


@dataclass(frozen=True, slots=True)
class Booted:
    """What a kernel said of itself: its ``uname -r``."""

    release: str


def command_line(program: Path, arguments: tuple[str, ...], folder: Path) -> list[str]:
    """The command that boots a kernel with the machine's files, read only, and its own clock."""
    return [
        str(program),
        *arguments,
        "mem=256M",
        "rootfstype=hostfs",
        "root=/dev/root",
        "ro",
        "con=null",
        "con0=null,fd:1",
        "time-travel=inf-cpu",
        f"uml_dir={folder}",
        f"init={os.path.realpath(sys.executable)}",
        "--",
        "-ISB",
        str(folder / "guest.py"),
    ]


def boot_check(program: Path, arguments: tuple[str, ...], longest: float = LONGEST) -> Booted:
    """Boot a kernel once; ``longest`` is in seconds of the machine's time.

    Raises KernelUnusable with what the kernel said when it does not come up, has no time travel,
    or does not end by itself.
    """
    with tempfile.TemporaryDirectory(prefix="sockstates-boot-") as name:
        folder = Path(name)
        (folder / "guest.py").write_text(GUEST)
        output = folder / "output"
        ended = _run(command_line(program, arguments, folder), output, longest)
        return judge(program, output.read_text(errors="replace"), ended, longest)


def _run(command: list[str], output: Path, longest: float) -> bool:
    """Whether it ended by itself. Nothing of it is left in either case."""
    with output.open("wb") as written:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=subprocess.STDOUT,
                env=own_environment(os.environ.get("TMPDIR")),
                start_new_session=True,
            )
        except OSError as error:
            raise KernelUnusable(f"{command[0]} does not run: {error.strerror}") from error
        try:
            process.wait(longest)
        except subprocess.TimeoutExpired:
            return False
        finally:
            # Its processes for the guest's memory too, which a kernel that dies leaves behind.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return True


def judge(program: Path, output: str, ended: bool, longest: float) -> Booted:
    """What a boot's output proves. Raises KernelUnusable when it does not prove enough."""
    said = dict(_LINE.findall(output))
    clock = said.get("clock", "")
    if "release" not in said:
        reason = f"{program} does not boot: no process of the guest has said anything"
    elif not clock.startswith("time-travel"):
        reason = f"{program} has no time travel: its clock is {clock or 'not told'}"
    elif not said.get("slept", "").isdigit():
        reason = f"{program} boots, but {SLEEP} s of its own time did not pass"
    elif int(said["slept"]) < SLEEP:
        reason = f"{program} woke after {said['slept']} s of its own time, not {SLEEP} s"
    elif not ended:
        reason = f"{program} boots, but does not power off"
    else:
        return Booted(said["release"])
    within = "" if ended else f" within {longest:.0f} s"
    raise KernelUnusable(f"{reason}{within}.{_last_words(output)}{_hint(output)}")


def _last_words(output: str) -> str:
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    if not lines:
        return "\nIt said nothing at all."
    return "\nIts last words:\n" + "\n".join(f"  {line}" for line in lines[-_LAST_LINES:])


def _hint(output: str) -> str:
    if "PROT_EXEC" in output and "OK" not in output.partition("PROT_EXEC")[2].partition("\n")[0]:
        return (
            "\nThe folder for its memory is mounted noexec: set TMPDIR to a folder that is not, "
            "and try again."
        )
    if "ptrace" in output and SAID not in output:
        return (
            "\nIf this is a container: User Mode Linux needs ptrace, which some containers forbid."
        )
    return ""
