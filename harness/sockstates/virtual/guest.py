"""One virtual kernel with one command in it: started, watched, and ended with all that it is.

User Mode Linux is an ordinary program: its processes are the host's, of one group, and die with the
program; the program dies with the thread that started it (prctl(2), PR_SET_PDEATHSIG), which has to
be the main thread for that reason. So nothing runs on however this process ends. What the command
writes to its standard output and error lies in files of the guest's folder as soon as it is
written.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final

from sockstates.system import VIRTUAL
from sockstates.virtual import init
from sockstates.virtual.boot_check import own_environment
from sockstates.virtual.errors import GuestFailed
from sockstates.virtual.guest_folder import GuestFolder, full, memory_folder
from sockstates.virtual.kernels import KERNEL_BUILD, Kernel

MEMORY: Final = 1024
"""MiB that a guest may use, where so much is free; it takes of the host only what it touches."""
LIMIT: Final = 900.0
"""Seconds of the host's clock after which a guest is ended."""
POLL: Final = 0.01
"""Seconds between two looks at what a guest has written."""
KERNEL_LOG = "kernel.log"
LAST_LINES = 12
TRACE = "Call Trace:"
NO_MEMORY = "Kernel mode signal 7"
"""What a kernel says last (SIGBUS) when the file that is its memory cannot grow."""
TIME: Final = {False: "time-travel=inf-cpu", True: "time-travel"}
"""Whether computing takes time -> the kernel's option."""
_PR_SET_PDEATHSIG = 1


class Guest:
    """A virtual kernel that runs `command`; use it in a ``with`` statement.

    `shared` are the folders of the host in which what it writes is kept; `directory` is where the
    command runs. `limit` is in seconds of the host's clock. With `spins` computing takes time too,
    for programs that wait by looking at the clock again and again. Guests with other numbers run on
    other processors: all that a guest is takes turns, and is faster on one than on several.
    """

    def __init__(
        self,
        kernel: Kernel,
        command: Sequence[str],
        *,
        directory: Path,
        shared: Sequence[Path] = (),
        environment: Mapping[str, str],
        limit: float = LIMIT,
        memory: int = MEMORY,
        spins: bool = False,
        number: int = 0,
    ) -> None:
        self.kernel = kernel
        self.limit = limit
        self._memory_folder, free = memory_folder()
        self._own = GuestFolder()
        self.folder = self._own.path
        self._began = time.monotonic()
        mark = {VIRTUAL: f"virtual time, HZ {kernel.hz}"}
        order = {
            "name": f"linux-{kernel.version}",
            "command": list(command),
            "directory": str(directory),
            "shared": [str(each.resolve()) for each in shared],
            "environment": {**environment, **mark},
        }
        try:
            (self.folder / init.ORDER).write_text(json.dumps(order))
            self._process = self._boot(min(memory, free), spins, number)
        except OSError as error:
            self._own.remove()
            raise GuestFailed(
                f"{kernel.path} cannot be started: {error.strerror}\n{_anew(kernel)}"
            ) from error
        except BaseException:
            self._own.remove()
            raise

    def _boot(self, memory: int, spins: bool, number: int) -> subprocess.Popen[bytes]:
        arguments = [
            str(self.kernel.path),
            f"mem={memory}M",
            *("rootfstype=hostfs", "root=/dev/root", "ro"),
            *("con=null", "con0=null,fd:1", "quiet"),
            TIME[spins],
            f"time-travel-start={time.time_ns()}",
            f"uml_dir={self.folder}",
            *self.kernel.arguments,
            f"init={self.folder}/python",
            *("--", "-I", "-S", f"{self.folder}/init.py", str(self.folder)),
        ]
        with (self.folder / KERNEL_LOG).open("wb") as log:
            return subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=own_environment(self._memory_folder),
                start_new_session=True,
                preexec_fn=_before_it_runs(os.getpid(), number),  # noqa: PLW1509 (no threads here yet)
            )

    def __enter__(self) -> Guest:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def seconds(self) -> float:
        """Seconds of the host's clock since it was started."""
        return time.monotonic() - self._began

    def running(self) -> bool:
        """Whether it still runs; raises GuestFailed when its time is over."""
        if self._over():
            return False
        if self.seconds > self.limit:
            self._kill()
            raise GuestFailed(
                f"the virtual kernel {self.kernel.version} was ended: it had not come to an end "
                f"after {self.limit:g} s.\nA program that waits by looking at the clock again and "
                "again hangs where computing takes no time: run it with time for computing "
                "(--spins, --lab-virtual-spins), or give it longer (--limit, --lab-virtual-limit)."
            )
        return True

    def _over(self) -> bool:
        """Whether its first process has ended; it is not fetched yet, so that its number stays."""
        if self._process.returncode is not None:
            return True
        how = os.WEXITED | os.WNOHANG | os.WNOWAIT
        if os.waitid(os.P_PID, self._process.pid, how) is None:
            return False
        self._kill()
        return True

    def status(self) -> int:
        """The command's exit status, 128 + N when signal N ended it; of a guest that has ended.

        Raises GuestFailed, with what the kernel has said last, when the command has none.
        """
        with suppress(FileNotFoundError, ValueError):
            return int((self.folder / init.STATUS).read_text())
        raise GuestFailed(f"the virtual kernel {self.kernel.version} {self._why_no_status()}")

    def _why_no_status(self) -> str:
        said = (self.folder / KERNEL_LOG).read_text(errors="replace").partition(TRACE)[0]
        for folder, lacks in (
            (self._memory_folder, NO_MEMORY in said),
            (self.folder.parent, full(self.folder)),
        ):
            if lacks:
                free = "Free some space there, or set TMPDIR to another folder."
                return f"died: {folder} is full.\n{free}"
        with suppress(FileNotFoundError, IndexError):
            failure = (self.folder / init.FAILURE).read_text().strip().splitlines()[-1]
            return f"could not prepare for the command:\n  {failure}\n{_anew(self.kernel)}"
        last = [f"  {line.rstrip()}" for line in said.splitlines() if line.strip()][-LAST_LINES:]
        code = self._process.returncode
        how = f"by signal {-code}" if code < 0 else f"with exit status {code}"
        return "\n".join(
            [
                f"ended before its command did, {how}.",
                *(["It said last:", *last] if last else ["It said nothing."]),
                _anew(self.kernel),
            ]
        )

    def wait(self, follow: Callable[[], object] = lambda: None) -> int:
        """Wait until the command has ended; `follow` is called again and again, and once after.

        The command's exit status; errors as for `running` and `status`.
        """
        try:
            while self.running():
                follow()
                time.sleep(POLL)
        finally:
            follow()
        return self.status()

    def output(self) -> str:
        """What the command has written to its standard output and error."""
        return "".join(
            (self.folder / name).read_text(errors="replace") for name in (init.OUTPUT, init.ERRORS)
        )

    def kernel_seconds(self) -> float | None:
        """Seconds of the kernel's own clock when its command had ended; None before."""
        with suppress(FileNotFoundError, ValueError):
            return float((self.folder / init.SECONDS).read_text())
        return None

    def close(self) -> None:
        """End it, if it still runs, and remove its folder."""
        self._kill()
        self._own.remove()

    def _kill(self) -> None:
        """End all that it is; once, because its number may be somebody else's afterwards."""
        if self._process.returncode is not None:
            return
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        with suppress(ChildProcessError):  # ours only where we are process 1 of a container
            while True:
                os.waitpid(-self._process.pid, 0)


def _anew(kernel: Kernel) -> str:
    return f"To build it anew: {KERNEL_BUILD} --version {kernel.version} --force"


def _before_it_runs(parent: int, number: int) -> Callable[[], None]:
    """What the new process does first: ask to die with its parent, and settle on one processor.

    It may open as many files as it is ever allowed to: each file that the guest knows is one.
    """
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    usable = sorted(os.sched_getaffinity(0))
    processor = usable[number % len(usable)]
    prctl = ctypes.CDLL(None).prctl

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        os.sched_setaffinity(0, {processor})
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    return ask
